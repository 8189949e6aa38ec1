# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux draws: what its kernel says that it shows is what the host's screen shows, to the pixel, from blobs."""

import time

from . import picture, users
from .tap import must

MODES = ["1024x768", "1280x1024", "800x600", "640x480"]
SAMPLES = 3


def console_is_shown(guest):
    """fbcon: text on the first terminal; more text is another picture."""
    blank = guest.same_picture()
    guest.sh("printf '\nvramlink was here\n' >/dev/tty1")
    users.eventually(lambda: "" if guest.same_picture().rgb != blank.rgb else "a line of text changed nothing")
    return users.must_be_a_blob(guest)


def mode_is_shown(guest, mode):
    with users.modetest(guest, f"-s Virtual-1:{mode}"):
        expected = picture.smpte(*(int(number) for number in mode.split("x")))
        users.eventually(lambda: picture.difference(expected, guest.screen()), 120)
        guest.same_picture()
        return users.must_be_a_blob(guest)


def other_picture_is_noticed(guest):
    """The comparison can fail: another pattern is not taken for the colour bars, nor is one pixel."""
    with users.modetest(guest, "-F tiles -s Virtual-1:800x600"):
        users.eventually(lambda: "" if guest.screen().width == 800 else "the mode is not set yet", 120)
        seen = guest.same_picture()
        must(picture.difference(picture.smpte(800, 600), seen), "tiles were taken for colour bars")
        wrong = picture.Picture(800, 600, seen.rgb[:-1] + bytes([seen.rgb[-1] ^ 1]))
        must(picture.difference(wrong, seen).startswith("1 of 480000"), "one wrong pixel was not noticed")


def flips_are_shown(guest):
    """modetest -v flips between two pictures at the vertical blank, and says how fast."""
    with users.modetest(guest, "-s Virtual-1:800x600 -v"):
        users.flips_go_on(guest)
        seen = set()

        def both():
            seen.add(guest.screen().digest())
            return "" if len(seen) >= 2 else "only one of two pictures was seen"

        users.eventually(both, 120, 0.05)
        users.eventually(lambda: "" if "freq:" in users.said(guest, "modetest") else "modetest told no frequency", 120)
        must(picture.smpte(800, 600).digest() in seen, "the colour bars were not among the pictures seen")
        must(len(seen) == 2, f"{len(seen)} different pictures were seen while two buffers went round")
        return users.said(guest, "modetest").splitlines()[-1]


def cursor_is_taken(guest):
    """modetest -C moves a cursor: its buffer is one blob more, nothing is refused, the picture below stays."""
    with users.modetest(guest, "-s Virtual-1:800x600 -C"):
        def cursor():
            small = [blob for blob in guest.stats()["blobs"] if blob["size"] == 64 * 64 * 4]
            return "" if small else "there is no blob of a cursor's size"

        if guest.ours:
            users.eventually(cursor, 120)
        time.sleep(1)  # it moves
        users.eventually(lambda: picture.difference(picture.smpte(800, 600), guest.screen()), 120)
    complaints = [line for line in guest.console().splitlines() if "*ERROR* response" in line]
    must(not complaints, f"the guest's driver had commands refused: {complaints[:2]}")


def two_heads_are_shown(guest):
    """Two CRTCs on one framebuffer: each shows its own part."""
    users.forced_on(guest, "Virtual-2")
    with users.modetest(guest, "-s Virtual-1:800x600 -s Virtual-2:640x480"):
        one, two = guest.same_picture(0, 120), guest.same_picture(1, 120)
        must((one.width, one.height) == (800, 600), f"head 0 is {one.width}x{one.height}")
        must((two.width, two.height) == (640, 480), f"head 1 is {two.width}x{two.height}")
        must(one.colours() > 2 and two.colours() > 2, "a head shows next to nothing")
        facts = [users.must_be_a_blob(guest, head) for head in (0, 1)]
    guest.sh("echo detect >/sys/class/drm/card0-Virtual-2/status")
    return "\n".join(facts)


def program_draws(guest, program, seconds):
    """Frames flow for that long; now and then the program is stopped, and the two pictures are compared."""
    digests, facts = set(), set()
    for _ in range(SAMPLES):
        until = time.monotonic() + seconds / SAMPLES
        users.flips_go_on(guest, 2, 180)
        while time.monotonic() < until:
            users.flips_go_on(guest, 2, 180)
        with users.held(guest, program):
            seen = guest.same_picture(0, 120)
            must(seen.colours() > 2, f"{program} shows {seen.colours()} colours")
            digests.add(seen.digest())
            facts.add(users.must_be_a_blob(guest))
    must(len(digests) >= 2, f"{SAMPLES} pictures of {program}, and all are the same")
    return "\n".join(sorted(facts))


def weston_draws(guest, seconds):
    with users.weston(guest, ["flower", "simple-shm"]):
        return program_draws(guest, "weston", seconds)


def cube_turns(guest, seconds):
    with users.kmscube(guest):
        return program_draws(guest, "kmscube", seconds)


def few_checks(tap, guest, seconds):
    """For a slow guest on a host with udmabuf: what it shows is shared."""
    tap.check("the text console is shown", console_is_shown, guest)
    tap.check("modetest's colour bars, to the pixel", mode_is_shown, guest, "800x600")
    tap.check("weston draws, and every sample is what the guest says", weston_draws, guest, seconds)


def checks(tap, guest, seconds):
    """seconds: how long each program draws."""
    tap.check("the text console is shown", console_is_shown, guest)
    for mode in MODES:
        tap.check(f"modetest's colour bars at {mode}, to the pixel", mode_is_shown, guest, mode)
    tap.check("another picture is noticed", other_picture_is_noticed, guest)
    tap.check("modetest flips at the vertical blank", flips_are_shown, guest)
    tap.check("modetest's cursor", cursor_is_taken, guest)
    tap.check("two heads, two pictures", two_heads_are_shown, guest)
    tap.check("weston draws, and every sample is what the guest says", weston_draws, guest, seconds)
    tap.check("kmscube draws with software GL, and every sample is what the guest says", cube_turns, guest, seconds)
