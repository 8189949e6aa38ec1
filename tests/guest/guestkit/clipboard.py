# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite `clipboard`: text between a desktop of this machine and X11 in a Linux guest, the whole way both ways:
wl-copy, sway, viewer, QEMU's D-Bus display, its vdagent, the guest's spice-vdagentd and spice-vdagent, xclip."""

import hashlib
import os
import shlex
import signal
from pathlib import Path

from . import machine
from .desktop import Desktop
from .guest import Guest, eventually
from .tap import Tap, must

LOGS = os.environ.get("VRAMLINK_GUEST_LOGS", "/out")
AGENT_PORT = "com.redhat.spice.0"
UMLAUTS = "Grüße ✓ 日本\nsecond line"
# 320 kB: many messages of the agent, and more than a pipe holds
LONG = "".join(f"{number:07d} " for number in range(40_000))
PRINT_LONG = "seq -f '%07.0f ' 0 39999 | tr -d '\\n'"
SEEN = 4000
PASTE_SECONDS = 60


def options(run):
    return ["-display", "dbus,p2p=on", "-qmp", f"unix:{run}/viewer.sock,server=on,wait=off",
            "-chardev", "qemu-vdagent,id=vdagent,clipboard=on",
            "-device", f"virtserialport,chardev=vdagent,name={AGENT_PORT}"]


def agent_starts(guest):
    """X without a screen, the agent's two halves, and X's clipboard."""
    guest.sh("mkdir -p /run/spice-vdagentd /tmp/.X11-unix; which xclip spice-vdagent Xvfb")
    port = guest.sh(f"grep -l {AGENT_PORT} /sys/class/virtio-ports/*/name | cut -d/ -f5").strip()
    guest.spawn("xvfb", "exec Xvfb :1 -screen 0 320x240x24 -nolisten tcp")
    guest.sh(f"mkdir -p /dev/virtio-ports; ln -s /dev/{port} /dev/virtio-ports/{AGENT_PORT}")  # as udev's rule does
    guest.spawn("vdagentd", "exec spice-vdagentd -x -d -d -X -f -u /dev/null")
    eventually(lambda: "" if guest.sh("[ -S /tmp/.X11-unix/X1 ] && [ -S /run/spice-vdagentd/spice-vdagent-sock ]",
                                      check=False)[0] == 0 else "no X server or no daemon")
    guest.spawn("vdagent", "DISPLAY=:1 exec spice-vdagent -x -d -d")
    eventually(lambda: "" if guest.sh("grep -q 'received version' /tmp/vdagent.log && "
                                      "grep -q 'New client connected' /tmp/vdagentd.log", check=False)[0] == 0
               else "the agent is not connected: " + guest.sh("cat /tmp/vdagent*.log")[-1500:])


def guest_copies(guest, command):
    """What a shell command of the guest prints; xclip hands it out until somebody else copies."""
    guest.sh(f"{command} >/tmp/copied")
    guest.spawn("xclip", "DISPLAY=:1 exec xclip -selection clipboard -in -loops 0 -quiet /tmp/copied")


def guest_pastes(guest):
    """Its first characters, the whole is in /tmp/pasted; what went wrong instead."""
    status, said = guest.sh("DISPLAY=:1 timeout 20 xclip -selection clipboard -out -target UTF8_STRING >/tmp/pasted "
                            f"&& head -c {SEEN} /tmp/pasted", check=False)
    return said if status == 0 else f"(xclip: {status} {said.strip()})"


def must_arrive(question, text):
    def wrong():
        got = question()
        return "" if got == text else f"{len(got)} characters came, not {len(text)}: {got[:80]!r}"

    eventually(wrong, PASTE_SECONDS)


def to_host(guest, desktop, text, command=None):
    """command: prints the text in the guest."""
    guest_copies(guest, command or f"printf %s {shlex.quote(text)}")
    must_arrive(desktop.paste, text)
    return f"{len(text.encode())} bytes"


def to_guest(guest, desktop, text):
    desktop.copy(text)
    must_arrive(lambda: guest_pastes(guest), text[:SEEN])
    digest = guest.sh("sha256sum </tmp/pasted").split()[0]
    must(digest == hashlib.sha256(text.encode()).hexdigest(), "what comes after that is another text")
    return f"{len(text.encode())} bytes"


class Viewer:
    """vramlink-viewer in a window of the desktop."""

    def __init__(self, guest, desktop):
        self.guest, self.desktop = guest, desktop
        self.process = None

    def starts(self):
        """Its window is there; one of the desktop's, all of viewers, has the keyboard."""
        program = Path(os.environ["VRAMLINK_VIEWER"])
        wanted = len(self.desktop.windows()) + 1
        self.process = self.desktop.spawn([program, "--qmp", self.guest.run / "viewer.sock"], "viewer.log")

        def wrong():
            must(self.process.poll() is None, "the viewer ended: " + (self.desktop.logs / "viewer.log").read_text()[-1500:])
            windows = self.desktop.windows()
            return "" if len(windows) == wanted and any(windows) else f"windows, and who has the keyboard: {windows}"

        eventually(wrong)

    def leaves(self):
        self.desktop.end(self.process)

    def is_killed(self):
        self.process.send_signal(signal.SIGKILL)
        self.leaves()


def checks(tap, guest, desktop):
    viewer = Viewer(guest, desktop)
    if not (tap.check("the viewer's window has the keyboard", viewer.starts)
            and tap.check("the guest's agent starts", agent_starts, guest)):
        return
    tap.check("a text of the guest is pasted on the host", to_host, guest, desktop, UMLAUTS)
    tap.check("a text of the host is pasted in the guest", to_guest, guest, desktop, "from the host: " + UMLAUTS)
    tap.check("the newer one wins: the guest's again", to_host, guest, desktop, "once more")
    tap.check("a long text of the guest", to_host, guest, desktop, LONG, PRINT_LONG)
    tap.check("a long text of the host", to_guest, guest, desktop, LONG[::-1])
    for name, how in (("left", viewer.leaves), ("killed", viewer.is_killed)):
        def again(how=how):
            how()
            viewer.starts()
            return to_guest(guest, desktop, f"after it {name}") + "\n" + to_host(guest, desktop, f"and back, {name}")

        tap.check(f"both ways with the next viewer, after the last one was {name}", again)

    def beside():
        """The next one has joined when the last one leaves."""
        last = viewer.process
        viewer.starts()
        desktop.end(last)
        return to_guest(guest, desktop, "after both") + "\n" + to_host(guest, desktop, "and back, after both")

    tap.check("both ways with the next viewer, which came before the last one left", beside)
    tap.check("QEMU ends in order", lambda: must(guest.quit() == 0, "QEMU's exit code is not 0"))


def main(share):
    tap = Tap()
    logs = Path(LOGS)
    with Desktop(logs) as desktop, Guest(share, logs / "guest", machine.gpu(machine.OURS, 1),
                                         options(logs / "guest")) as guest:
        if tap.check("Linux boots", guest.wait_up):
            checks(tap, guest, desktop)
    return tap.end()
