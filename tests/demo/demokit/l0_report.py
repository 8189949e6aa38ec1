# SPDX-License-Identifier: GPL-2.0-or-later
"""report.json: what was measured, and which of the musts hold."""

import re

BUFFERS = 3
PAGE = 4096
FEWEST_CHECKPOINTS = 8
OLDEST_QEMU = (10, 0)


def inode_of(entry):
    """The inode in a viewer's import entry, whose identity may be a number or a text that contains it."""
    return {int(number) for number in re.findall(r"\d+", str(entry.get("identity", "")))}


class Report:
    def __init__(self, watch, wall_seconds):
        self.watch, self.job = watch, watch.job
        self.wall = wall_seconds
        self.shots = watch.checkpoints
        self.at = {(m["label"], m["frame"]): m for m in watch.measured}
        self.baseline = self._first("baseline")
        self.live = self.at.get(("frame", self.job["frames"]))
        self.revoked, self.released = self._first("revoked"), self._first("released")
        self.recovered, self.end = self._first("recovered"), self._first("end")

    def _first(self, label):
        return next((m for m in self.watch.measured if m["label"] == label), None)

    def buffers(self):
        """The blobs that the plugin shared while the last frame was up, each with its import in the viewer."""
        if not self.live:
            return []
        found = []
        guest = self.watch.events.get("buffer", [])[:BUFFERS]
        for index, blob in enumerate(sorted(self.live["plugin"]["blobs"], key=lambda b: b["id"])):
            imports = [i for i in self.live["viewer"].get("imports", []) if inode_of(i) & set(blob["dmabufs"])]
            entry = {key: blob.get(key) for key in ("id", "entries", "ranges", "plan", "reason", "export_us")}
            entry["import_us"] = imports[0].get("import_us") if imports else None
            entry["imports"] = len(imports)
            entry["dmabufs"] = blob["dmabufs"]
            if index < len(guest):
                entry["guest_pages"] = guest[index]["pages"]
                entry["guest_export_us"] = guest[index]["export_us"]
                entry["guest_import_us"] = guest[index]["import_us"]
            found.append(entry)
        return found

    def _total(self, measured, key):
        return measured["plugin"]["totals"][key] if measured else None

    def bytes_copied(self):
        """By plugin and viewer, up to the end of the run."""
        last = self.watch.measured[-1] if self.watch.measured else None
        return last["plugin"]["totals"]["bytes_copied"] + last["viewer"]["bytes_copied"] if last else None

    def mismatching_pixels(self):
        compared = [shot["mismatching_pixels"] for shot in self.shots if "mismatching_pixels" in shot]
        return sum(compared) if compared else None

    def revocation(self):
        def held(measured, key):
            return measured["held"][key] if measured else None

        recovered = [shot for shot in self.shots if shot["label"] == "recovered"]
        return {
            "fds_before": held(self.baseline, "fds"), "fds_after": held(self.revoked, "fds"),
            "gem_before": held(self.baseline, "gem_handles"), "gem_after": held(self.revoked, "gem_handles"),
            "recovered": bool(recovered) and recovered[0]["ok"],
            "fds_live": held(self.live, "fds"), "gem_live": held(self.live, "gem_handles"),
            "fds_end": held(self.end, "fds"), "gem_end": held(self.end, "gem_handles"),
            "settle_ms": held(self.revoked, "settle_ms"),
            "neutral": all(s["ok"] for s in self.shots if s["label"] in ("revoked", "released")) and bool(self.revoked),
            "reset_us": self.watch.events.get("reset", {}).get("reset_us"),
            "memory_off": {k: v for k, v in self.watch.events.get("without_memory", {}).items() if k != "event"},
            "held": {m["label"]: m["held"] for m in (self.baseline, self.live, self.revoked, self.released,
                                                     self.recovered, self.end) if m},
        }

    def make(self, failure):
        events = self.watch.events
        shown = events.get("shown", {})
        report = {
            "seed": self.job["seed"], "size": [self.job["width"], self.job["height"]],
            "frames": shown.get("frames"),
            "exports": self._total(self.live, "exports"),
            "prime_imports": sum(b["imports"] for b in self.buffers()) if self.live else None,
            "bytes_copied": self.bytes_copied(),
            "mismatching_pixels": self.mismatching_pixels(),
            "wall_s": self.wall,
            "qemu": events.get("started", {}).get("qemu", {}),
            "kernel": {"host": events.get("started", {}).get("kernel"), "guest": events.get("hello", {}).get("kernel")},
            "buffers": self.buffers(),
            "revocation": self.revocation(),
            "vram_mib": self.job["bar_mib"],
            "viewer": {k: v for k, v in self.live["viewer"].items() if k != "imports"} if self.live else None,
            "plugin": self.live["plugin"]["totals"] if self.live else None,
            "guest": {key: shown.get(key) for key in ("paint_us", "flip_us")},
            "checkpoints": self.shots,
            "self_test": self.watch.self_test,
        }
        report["musts"] = [{"name": name, "pass": bool(good), "why": "" if good else why}
                           for name, good, why in self._musts(report, failure)]
        report["pass"] = all(must["pass"] for must in report["musts"])
        return report

    def _musts(self, report, failure):
        """(name, holds, the sentence when it does not)."""
        yield "the run reaches its end", failure is None, failure
        yield from self._picture_musts(report)
        yield from self._sharing_musts(report)
        yield from self._revocation_musts(report)
        yield from self._machine_musts(report)

    def _picture_musts(self, report):
        frames = [shot for shot in self.shots if shot["label"] == "frame"]
        wanted = min(FEWEST_CHECKPOINTS, self.job["frames"])
        yield ("all frames are shown", report["frames"] == self.job["frames"],
               f"the guest showed {report['frames']} of {self.job['frames']} frames")
        yield ("the screen was examined often enough", len(frames) >= wanted,
               f"{len(frames)} frames were compared, {wanted} are wanted")
        yield ("every examined pixel is right",
               report["mismatching_pixels"] == 0 and all(shot["ok"] for shot in frames),
               f"{report['mismatching_pixels']} pixels differ from what the guest painted")
        wrong = (self.watch.self_test or {}).get("mismatching_pixels", 0)
        yield ("the comparison can fail", wrong > 0, "the last picture also passes as another frame's card")

    def _sharing_musts(self, report):
        buffers = report["buffers"]
        pages = -(-self.job["width"] * self.job["height"] * 4 // PAGE)
        plans = [(b["plan"], b["entries"], b["ranges"]) for b in buffers]
        yield ("three buffers are shared in single pages", plans == [("shared", pages, pages)] * BUFFERS,
               f"plan, entries and ranges are {plans}, not 3 times ('shared', {pages}, {pages}): "
               + "; ".join(str(b["reason"]) for b in buffers))
        yield ("each buffer is exported once", report["exports"] == BUFFERS,
               f"the plugin exported {report['exports']} dma-bufs for {BUFFERS} buffers")
        yield ("each buffer is imported once", report["prime_imports"] == BUFFERS,
               f"the viewer imported {report['prime_imports']} times for {BUFFERS} buffers")
        yield ("nothing is copied", report["bytes_copied"] == 0,
               f"{report['bytes_copied']} bytes were copied by plugin and viewer")

    def _revocation_musts(self, report):
        told = report["revocation"]
        yield ("a revoked picture leaves the screen", told["neutral"],
               "the screen did not go back to the neutral frame after the GPU's reset")
        yield ("revocation closes every fd", told["fds_before"] == told["fds_after"] is not None,
               f"QEMU and viewer held {told['fds_before']} fds before and {told['fds_after']} after")
        yield ("revocation closes every GEM handle", told["gem_before"] == told["gem_after"] is not None,
               f"QEMU and viewer held {told['gem_before']} GEM handles before and {told['gem_after']} after")
        off = told["memory_off"]
        yield ("the guest cannot use memory that is off", off.get("import") not in (None, "ok"),
               f"with the GPU's memory off the guest's import answered {off.get('import')}")
        live = self._total(self.released, "live")
        yield ("the guest's resources are gone", live == 0, f"the plugin still has {live} live blobs")
        yield "the picture comes back", told["recovered"], "no picture after the recovery"
        yield ("nothing is held at the end",
               bool(self.end) and (told["fds_end"], told["gem_end"]) == (told["fds_before"], told["gem_before"]),
               f"at the end {told['fds_end']} fds and {told['gem_end']} GEM handles are open, "
               f"at the beginning {told['fds_before']} and {told['gem_before']}")

    def _machine_musts(self, report):
        qemu = report["qemu"]
        numbers = tuple(int(n) for n in qemu.get("version", "0.0").split(".")[:2])
        yield ("QEMU is a distribution's own, 10.0 or newer", numbers >= OLDEST_QEMU and qemu.get("stock", False),
               f"QEMU is {qemu}")
        yield ("L1 ends cleanly", self.watch.lab_exit == 0, f"the lab's exit code is {self.watch.lab_exit}")
