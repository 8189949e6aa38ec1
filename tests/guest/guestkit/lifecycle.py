# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest's life: it reboots, is reset, loses its driver, sleeps, moves house, and its GPU is pulled out.

After each the picture is back and right, and QEMU holds what it held before.
"""

import time

from . import machine, picture, users
from .guest import BOOT_SECONDS, Failed, Guest, eventually
from .tap import must

DRIVER = "/sys/bus/virtio/drivers/virtio_gpu"
NO_CONSOLE = "echo 0 >/sys/class/vtconsole/vtcon1/bind"
SPARE_FDS = 2  # a monitor command in flight; the guest's own buffers count one each


def colour_bars(guest, mode="800x600"):
    """The driver is alive: a new mode, a new buffer, the right picture."""
    with users.modetest(guest, f"-s Virtual-1:{mode}"):
        expected = picture.smpte(*(int(number) for number in mode.split("x")))
        eventually(lambda: picture.difference(expected, guest.screen()), 120)
        guest.same_picture()
        return users.must_be_a_blob(guest)


class Held:
    """What QEMU held when only the console was shown, to be compared with later."""

    def __init__(self, guest):
        guest.same_picture(0, 120)
        self.live, self.fds = self._now(guest)

    @staticmethod
    def _now(guest):
        live = guest.stats()["totals"]["live"] if guest.ours else 0
        return live, guest.fds()

    def again(self, guest):
        def wrong():
            live, fds = self._now(guest)
            if live > self.live or fds > self.fds + SPARE_FDS:
                return f"QEMU holds {live} blobs and {fds} descriptors, and held {self.live} and {self.fds}"
            return ""

        eventually(wrong, 120)
        return "QEMU holds {} blobs, {} descriptors".format(*self._now(guest))


def while_frames_flow(guest, held, how):
    """how(guest) ends this kernel's life while it flips; the next one's console and colour bars are shown."""
    with_flips = users.modetest(guest, "-s Virtual-1:800x600 -v")
    with_flips.__enter__()  # never ended: the kernel is
    users.flips_go_on(guest)
    how(guest)
    guest.wait_up(BOOT_SECONDS)
    guest.same_picture(0, 120)
    said = held.again(guest)
    return f"{said}\n{colour_bars(guest)}"


def reboots(guest, held):
    return while_frames_flow(guest, held, lambda it: it.spawn("reboot", "busybox reboot -f"))


def is_reset(guest, held):
    return while_frames_flow(guest, held, lambda it: it.qmp.execute("system_reset"))


def is_bound_again(guest, held):
    """The driver lets the device go, and takes it back."""
    guest.sh(f"{NO_CONSOLE}; cd {DRIVER} && for d in virtio*; do echo $d >/tmp/gpu; echo $d >unbind; done", 120)
    must(guest.sh("ls /dev/dri 2>/dev/null; true").strip() in ("", "by-path"), "the guest still has a DRM device")
    if guest.ours:
        eventually(lambda: "" if guest.stats()["totals"]["live"] == 0 else f"blobs are left: {guest.stats()}")
    guest.sh(f"cat /tmp/gpu >{DRIVER}/bind; for i in $(seq 300); do ls /dev/dri/card* && exit 0; sleep 0.1; done; "
             "exit 1", 120)
    said = colour_bars(guest)
    return f"{said}\n{held.again(guest)}"


def is_loaded_again(guest, held):
    guest.sh(f"{NO_CONSOLE}; rmmod virtio_gpu", 120)
    if guest.ours:
        eventually(lambda: "" if guest.stats()["totals"]["live"] == 0 else f"blobs are left: {guest.stats()}")
    guest.sh("modprobe virtio_gpu; for i in $(seq 300); do ls /dev/dri/card* && exit 0; sleep 0.1; done; exit 1", 120)
    said = colour_bars(guest)
    return f"{said}\n{held.again(guest)}"


# Linux's virtio_console does not open its ports again after S3; a new binding does.
SLEEP = """echo mem >/sys/power/state
pkill -f "[a]gent.py"
cd /sys/bus/virtio/drivers/virtio_console
for d in virtio*; do echo $d >unbind; sleep 1; echo $d >bind; done"""


def sleeps(guest, held):
    """S3 and back. The buffers of before are gone with the device's reset, and Linux does not make them again: that
    is so with a stock virtio-gpu, too. New ones are shown."""
    guest.spawn("sleep", SLEEP)
    eventually(lambda: "" if guest.qmp.execute("query-status")["status"] == "suspended" else "the guest is awake", 120)
    if guest.ours:
        must(guest.stats()["totals"]["live"] == 0, "blobs are left while the guest sleeps")
    guest.qmp.execute("system_wakeup")
    guest.boot = None
    guest.wait_up(180)
    said = colour_bars(guest)
    return f"{said}\n{held.again(guest)}"


def migrates(guest, share, device, held):
    """Through a file into another QEMU: the picture first, then the driver. Ends the old guest."""
    before = guest.same_picture()
    state = guest.run / "state"
    guest.qmp.execute("stop")
    guest.qmp.execute("migrate", uri=f"file:{state}")
    eventually(lambda: not_yet(guest), 300)
    guest.quit()
    return Guest(share, guest.run.parent / "guest2", device, ["-incoming", f"file:{state}"]), before


def not_yet(guest):
    status = guest.qmp.execute("query-migrate").get("status")
    if status == "failed":
        raise Failed(f"the migration failed: {guest.log()[-1500:]}")
    return "" if status == "completed" else f"the migration is {status}"


def arrives(guest, before):
    eventually(lambda: not_yet(guest), 300)
    wrong = picture.difference(before, guest.screen())
    must(not wrong, f"the picture before the move against that after it: {wrong}")
    guest.qmp.execute("cont")
    guest.ask(do="ping")
    guest.same_picture()
    users.must_be_a_blob(guest)
    return colour_bars(guest)


def is_unplugged(guest, device, held):
    """The GPU is pulled out while it shows the console, and another one put in."""
    guest.qmp.execute("device_del", id=machine.GPU_ID)
    eventually(lambda: "the device is still there" if machine.GPU_ID in peripherals(guest) else "", 120)
    guest.sh("for i in $(seq 300); do ls /dev/dri/card* || exit 0; sleep 0.1; done; exit 1", 120)
    words = dict(word.split("=", 1) for word in device.split(",")[1:])
    for number in ("max_outputs", "xres", "yres"):
        words[number] = int(words[number])
    if words.get("blob") == "on":
        words["blob"] = True
    guest.qmp.execute("device_add", driver=device.split(",")[0], **words)
    guest.sh("for i in $(seq 600); do ls /dev/dri/card* && exit 0; sleep 0.1; done; exit 1", 120)
    said = colour_bars(guest)
    return f"{said}\n{held.again(guest)}"


def peripherals(guest):
    return [item["name"] for item in guest.qmp.execute("qom-list", path="/machine/peripheral")]


def checks(tap, guest, share, device):
    """Ends with another guest in a QEMU of its own, which it ends."""
    held = Held(guest)
    tap.check("the guest's driver is unbound and bound", is_bound_again, guest, held)
    tap.check("the guest's driver is unloaded and loaded", is_loaded_again, guest, held)
    tap.check("the guest sleeps (S3) and wakes up", sleeps, guest, held)
    tap.check("the guest reboots while frames flow", reboots, guest, held)
    tap.check("the machine is reset while frames flow", is_reset, guest, held)
    tap.check("the GPU is unplugged and plugged", is_unplugged, guest, device, held)
    moved = []
    tap.check("the guest is saved", lambda: moved.extend(migrates(guest, share, device, held)))
    if moved:
        with moved[0] as other:
            tap.check("and lives on in another QEMU, its picture and its driver", arrives, other, moved[1])
