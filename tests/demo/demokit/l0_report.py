# SPDX-License-Identifier: GPL-2.0-or-later
"""report.json: what was measured, brought together from the guest, the plugin, the viewer and the screen."""

from . import l0_musts



class Report:
    def __init__(self, watch, wall_seconds):
        self.job, self.events = watch.job, watch.events
        self.shots, self.self_test = watch.checkpoints, watch.self_test
        self.wall, self.lab_exit = wall_seconds, watch.lab_exit
        self.measured = watch.measured
        self.live = next((m for m in self.measured if (m["label"], m["frame"]) == ("frame", self.job["frames"])), None)

    def _at(self, label):
        """What was measured at the only checkpoint of that label."""
        return next((m for m in self.measured if m["label"] == label), None)

    def _held(self, measured, key):
        return measured["held"][key] if measured else None

    def _shot(self, label):
        return next((shot["ok"] for shot in self.shots if shot["label"] == label), None)

    def buffers(self):
        """The blobs that the plugin held while the last frame was up, each with its import in the viewer."""
        guest = self.events.get("buffer", [])[:l0_musts.BUFFERS]
        blobs = sorted(self.live["plugin"]["blobs"], key=lambda blob: blob["id"]) if self.live else []
        return [self._buffer(blob, guest[index] if index < len(guest) else None)
                for index, blob in enumerate(blobs)]

    def _buffer(self, blob, guest):
        imports = [i for i in self.live["viewer"]["imports"]
                   if i["identity"] in blob["dmabufs"] and i["error"] is None]
        found = {key: blob[key] for key in ("id", "entries", "ranges", "plan", "reason", "export_us")}
        found.update(import_us=imports[0]["import_us"] if imports else None, imports=len(imports),
                     dmabufs=blob["dmabufs"])
        if guest:
            found["guest"] = {key: guest[key] for key in ("pages", "export_us", "import_us")}
        return found

    def revocation(self):
        before, live, after = self._at("baseline"), self.live, self._at("revoked")
        names = {"fds": "fds", "gem": "gem_handles", "framebuffers": "framebuffers", "dmabuf_fds": "dmabuf_fds"}
        found = {f"{short}_{when}": self._held(measured, key) for short, key in names.items()
                 for when, measured in (("before", before), ("live", live), ("after", after),
                                        ("end", self._at("end")))}
        off = self.events.get("without_memory", {})
        return {
            **found,
            "neutral": self._shot("revoked") and self._shot("released"),
            "recovered": bool(self._shot("recovered")),
            "reset_us": self.events.get("reset", {}).get("reset_us"),
            "flip_with_memory_off": off.get("flip"), "import_with_memory_off": off.get("import"),
            **{key: self._total(after, key) for key in ("lingered", "held_over", "cut_off")},
            "blobs_after_release": self._total(self._at("released"), "live"),
        }

    @staticmethod
    def _total(measured, key):
        return measured["plugin"]["totals"][key] if measured else None

    def _bytes_copied(self):
        """By plugin and viewer, up to the last measurement; both count from their start."""
        last = self.measured[-1] if self.measured else None
        return last["plugin"]["totals"]["bytes_copied"] + last["viewer"]["bytes_copied"] if last else None

    def _phases(self):
        """Every measurement, for people who look for the cause of something."""
        return [{"label": m["label"], "frame": m["frame"], "held": m["held"], "plugin": m["plugin"]["totals"],
                 "viewer": {key: value for key, value in m["viewer"].items() if key != "imports"}}
                for m in self.measured]

    def make(self, failure):
        shown, started = self.events.get("shown", {}), self.events.get("started", {})
        compared = [shot["mismatching_pixels"] for shot in self.shots if "mismatching_pixels" in shot]
        buffers = self.buffers()
        report = {
            "seed": self.job["seed"],
            "frames": shown.get("frames"),
            "exports": self._total(self.live, "exports"),
            "prime_imports": sum(buffer["imports"] for buffer in buffers) if self.live else None,
            "bytes_copied": self._bytes_copied(),
            "mismatching_pixels": sum(compared) if compared else None,
            "wall_s": self.wall,
            "qemu": started.get("qemu"),
            "kernel": {"host": started.get("kernel"), "guest": self.events.get("hello", {}).get("kernel")},
            "buffers": buffers,
            "revocation": self.revocation(),
            "asked": self.job,
            "frames_flipped_by_viewer": self.live["viewer"]["frames_flipped"] if self.live else None,
            "superseded": self._total(self.live, "superseded"),
            "viewer": {key: value for key, value in self.live["viewer"].items() if key != "imports"} if self.live else None,
            "input": self.live["input"] if self.live else None,
            "viewer_imports_in_all": self.live["viewer"]["prime_imports"] if self.live else None,
            "guest_us": {"paint": shown.get("paint_us"), "flip": shown.get("flip_us")},
            "checkpoints": self.shots,
            "wrong_frame_mismatches": (self.self_test or {}).get("mismatching_pixels"),
            "ended": {"qemu": self.events.get("ended", {}).get("qemu"),
                      "viewer": self.events.get("ended", {}).get("viewer"), "lab": self.lab_exit},
            "failure": failure,
            "phases": self._phases(),
        }
        report["musts"] = l0_musts.judge(report)
        report["pass"] = all(must["pass"] for must in report["musts"])
        return report
