# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold of a report. Judges the measured values alone, so that a test can judge made-up ones."""

BUFFERS = 3
PAGE = 4096
FEWEST_CHECKPOINTS = 8
OLDEST_QEMU = (10, 0)
# What QEMU holds from its first blob on: the eventfd on which the GPU's driver tells of losses.
EVENT_FDS = {"vfio-pci": 0, "vfio-pci-vram": 1}
# QEMU keeps the listener, and its socket, of a display whose connection has ended (ui/dbus-listener.c of 10.0).
CUT_OFF_FDS = 1


def kept_fds(asked):
    """How many descriptors more QEMU has after the picture is gone than before it came."""
    return EVENT_FDS[asked.get("driver", "vfio-pci")] + (CUT_OFF_FDS if asked.get("stop_viewer") else 0)


def judge(report):
    """[{name, pass, measured, why}]; why is a sentence when the must does not hold. A value that was not
    measured never passes."""
    fallback = report["asked"].get("screen", "kms") != "kms"
    parts = ((_run, _picture, _input, _fallback, _machine) if fallback else
             (_run, _picture, _flips, _input, _sharing, _revocation, _machine))
    if report["asked"].get("stop_viewer"):
        parts += (_stopped,)
    return [_verdict(*must) for part in parts for must in part(report)]


def _verdict(name, values, holds, sentence):
    measured = all(value is not None for value in values)
    good = bool(measured and holds(*values))
    why = "" if good else sentence.format(*values) if measured else "it was not measured"
    return {"name": name, "pass": good, "measured": measured, "why": why}


def _run(report):
    yield "the run reaches its end", [report["failure"] or ""], lambda text: text == "", "{0}"


def _picture(report):
    asked = report["asked"]
    frames = [shot for shot in report["checkpoints"] if shot["label"] == "frame"]
    wanted = min(FEWEST_CHECKPOINTS, asked["frames"])
    equal = [report["frames"], asked["frames"]]
    yield "all frames are shown", equal, lambda a, b: a == b, "the guest showed {0} of {1} frames"
    yield ("the screen is examined often enough", [len(frames) or None, wanted], lambda a, b: a >= b,
           "{0} frames were compared, {1} are wanted")
    yield ("every examined pixel is right",
           [report["mismatching_pixels"], sum(not shot["ok"] for shot in report["checkpoints"])],
           lambda pixels, bad: pixels == bad == 0,
           "{0} pixels differ from what the guest painted; {1} checkpoints do not show what they should")
    yield ("the comparison can fail", [report["wrong_frame_mismatches"]], lambda wrong: wrong > 0,
           "the last picture also passes as another frame's card ({0} mismatches)")


def _flips(report):
    # A frame that the viewer still holds after half a second, on a busy machine, is not waited for: the next one
    # takes its place, and the device counts that.
    yield ("the viewer flips to each frame",
           [report["frames_flipped_by_viewer"], report["superseded"], report["asked"]["frames"]],
           lambda flipped, superseded, frames: flipped + superseded >= frames and superseded <= frames // 10,
           "the viewer flipped {0} times and the device gave up {1} for {2} frames")


def _input(report):
    heard = report["input"] or {}
    yield ("a key and a click reach the guest's evdev", [heard.get("key"), heard.get("button")],
           lambda key, button: key and button, "key: {0}, button: {1}")
    yield ("the pointer is where the user points", [heard.get("at")],
           lambda at: all(abs(axis - 0.5) < 0.01 for axis in at), "it is at {0} of the guest's screen, not in its middle")


def _fallback(report):
    """A window of a compositor that imports nothing: the mapped picture, and the reason in words."""
    viewer = report["viewer"] or {}
    yield ("the viewer names the reason", [viewer.get("note") or ""], lambda note: "zwp_linux_dmabuf_v1" in note,
           "its note is '{0}'")
    yield ("the picture is copied, and counted", [viewer.get("bytes_copied")], lambda count: count > 0,
           "{0} bytes were copied")
    told = report["revocation"]
    yield ("a revoked picture leaves the window", [told["neutral"]], lambda neutral: neutral,
           "the window still showed the guest's picture after the GPU's reset")
    yield ("the end finds no dma-buf fds left", [told["dmabuf_fds_before"], told["dmabuf_fds_end"]],
           lambda before, end: before == end, "QEMU and viewer held {0} at the beginning and {1} at the end")
    yield ("the guest's resources are gone", [told["blobs_after_release"]], lambda live: live == 0,
           "the plugin still has {0} live blobs")
    yield "the picture comes back", [told["recovered"] or None], lambda recovered: recovered, ""


def _sharing(report):
    asked = report["asked"]
    pages = -(-asked["width"] * asked["height"] * 4 // PAGE)
    plans = [[b["plan"], b["entries"], b["ranges"]] for b in report["buffers"]]
    reasons = "; ".join(str(b["reason"]) for b in report["buffers"])
    yield ("three buffers are shared in single pages", [plans or None, [["shared", pages, pages]] * BUFFERS, reasons],
           lambda a, b, _: a == b, "plan, entries and ranges are {0} and not {1}: {2}")
    yield ("each buffer is exported once", [report["exports"], BUFFERS], lambda a, b: a == b,
           "the plugin exported {0} dma-bufs for {1} buffers")
    yield ("each buffer is imported once",
           [report["prime_imports"], [b["imports"] for b in report["buffers"]], BUFFERS],
           lambda total, each, wanted: total == wanted and each == [1] * wanted,
           "the viewer imported {0} times ({1}) for {2} buffers")
    yield ("nothing is copied", [report["bytes_copied"]], lambda count: count == 0,
           "plugin and viewer copied {0} bytes")


def _revocation(report):
    told = report["revocation"]
    yield ("a revoked picture leaves the screen", [told["neutral"]], lambda neutral: neutral,
           "the screen did not go back to the neutral frame after the GPU's reset")
    for key, what in (("fds", "fds"), ("gem", "GEM handles"), ("framebuffers", "framebuffers"),
                      ("dmabuf_fds", "dma-buf fds")):
        kept = kept_fds(report["asked"]) if key == "fds" else 0
        yield (f"revocation closes all {what}", [told[f"{key}_before"], told[f"{key}_after"], kept],
               lambda before, after, kept: isinstance(before, int) and before + kept == after,
               f"QEMU and viewer held {{0}} {what} before and {{1}} after")
        yield (f"the end finds no {what} left", [told[f"{key}_before"], told[f"{key}_end"], kept],
               lambda before, end, kept: isinstance(before, int) and before + kept == end,
               f"QEMU and viewer held {{0}} {what} at the beginning and {{1}} at the end")
    yield ("the picture was held before", [told["dmabuf_fds_before"], told["dmabuf_fds_live"],
                                           told["framebuffers_before"], told["framebuffers_live"]],
           lambda a, b, c, d: b >= a + BUFFERS and d >= c + BUFFERS,
           "counting saw no more while the picture was up: dma-buf fds {0} and {1}, framebuffers {2} and {3}")
    yield ("the guest cannot use memory that is off",
           [told["import_with_memory_off"], told["flip_with_memory_off"]], lambda *answers: "ok" not in answers,
           "with the GPU's memory off an import answered {0} and a flip {1}")
    yield ("the guest's resources are gone", [told["blobs_after_release"]], lambda live: live == 0,
           "the plugin still has {0} live blobs")
    yield "the picture comes back", [told["recovered"] or None], lambda recovered: recovered, ""


LONGEST_RESET_US = 20_000_000  # of an emulated machine; let-go-ms is 500


def _stopped(report):
    """Linux detaches its buffers before the GPU's reset; a viewer that is stopped then is waited for all the same."""
    told = report["revocation"]
    yield ("buffers that the stopped viewer holds are remembered", [told["lingered"]], lambda count: count > 0,
           "{0} dma-bufs lingered")
    yield ("the reset waits for it, and cuts it off", [told["held_over"], told["cut_off"]],
           lambda over, cut: over > 0 and cut == 1, "held over: {0}, cut off: {1}")
    yield ("the reset goes through in bounded time", [told["reset_us"]], lambda took: took < LONGEST_RESET_US,
           "it took {0} us")


def _machine(report):
    qemu = report["qemu"]
    version = tuple(int(n) for n in qemu["version"].split(".")[:2]) if qemu else None
    yield ("QEMU is what the distribution ships, 10.0 or newer", [version, qemu],
           lambda numbers, about: numbers >= OLDEST_QEMU and about["stock"] is True, "QEMU is {1}")
    ended = report["ended"]
    yield ("guest, QEMU, viewer and lab end in good health", [ended["qemu"], ended["viewer"], ended["lab"]],
           lambda *codes: codes == (0, 0, 0), "exit codes: QEMU {0}, viewer {1}, lab {2}")
