# SPDX-License-Identifier: GPL-2.0-or-later
"""What draws in the guest: modetest, weston, kmscube. Each is started, measured while it runs, and ended."""

import contextlib
import os

from .guest import eventually
from .tap import must

FLIPS_SEEN = 10


def forced_on(guest, connector):
    """Switches a connector on that no monitor has announced."""
    guest.sh(f"echo on >/sys/class/drm/card0-{connector}/status")


@contextlib.contextmanager
def modetest(guest, options):
    """modetest with the given options, until the end of the block. Its standard input is a pipe: it ends at a line."""
    guest.spawn("modetest", f"rm -f /tmp/stop; mkfifo /tmp/stop; exec modetest -M virtio_gpu {options} <>/tmp/stop")
    try:
        yield
    finally:
        guest.sh("[ -p /tmp/stop ] && pidof modetest >/dev/null && echo >/tmp/stop; "
                 "for i in $(seq 600); do pidof modetest >/dev/null || exit 0; sleep 0.1; done; exit 1", 90)


def said(guest, name):
    """What a spawned program has printed."""
    return guest.sh(f"cat /tmp/{name}.log")


@contextlib.contextmanager
def weston(guest, clients, renderer="pixman"):
    """weston on the guest's KMS with some of its demo clients."""
    guest.sh("pidof systemd-udevd >/dev/null || { /usr/lib/systemd/systemd-udevd --daemon && "
             "udevadm trigger --action=add --subsystem-match=drm && udevadm settle --timeout=60; }", 120)
    guest.spawn("weston", "export LIBSEAT_BACKEND=builtin SEATD_VTBOUND=0; exec weston --backend=drm --no-config "
                f"--renderer={renderer} --continue-without-input --drm-device=card0 --socket=wl --idle-time=0")
    try:
        eventually(lambda: "" if guest.sh("[ -S /run/user/wl ]", check=False)[0] == 0
                   else "weston has no socket yet: " + said(guest, "weston")[-1500:], 180)
        for client in clients:
            guest.spawn(client, f"WAYLAND_DISPLAY=wl exec weston-{client}")
        yield
    finally:
        end(guest, "weston")


@contextlib.contextmanager
def kmscube(guest):
    guest.spawn("kmscube", "rm -f /tmp/stop; mkfifo /tmp/stop; exec kmscube -D /dev/dri/card0 <>/tmp/stop")
    try:
        yield
    finally:
        end(guest, "kmscube")


def end(guest, program):
    guest.sh(f"pkill -CONT -x {program}; pkill -x {program}; for i in $(seq 600); do pidof {program} >/dev/null || "
             f"exit 0; sleep 0.1; [ $i = 100 ] && pkill -9 -x {program}; done; exit 1", 90)


@contextlib.contextmanager
def held(guest, program):
    """The program stands still, and with it the picture."""
    guest.sh(f"pkill -STOP -x {program}")
    try:
        yield
    finally:
        guest.sh(f"pkill -CONT -x {program}")


def flips(guest):
    """How many frames there have been: the plugin's count, or with a stock device the control queue's interrupts."""
    if guest.ours:
        return guest.stats()["totals"]["flips"]
    return int(guest.sh("awk '/-control$/ { n += $2 } END { print n + 0 }' /proc/interrupts"))


def flips_go_on(guest, least=FLIPS_SEEN, seconds=120):
    """Waits until there have been that many more frames."""
    start = flips(guest)

    def missing():
        done = flips(guest) - start
        return "" if done >= least else f"{done} flips, {least} were to come"

    eventually(missing, seconds)


def must_be_a_blob(guest, head=0):
    """What the head shows is a blob of guest RAM, in one dma-buf where the host has udmabuf; a sentence with its ranges."""
    if not guest.ours:
        return ""
    blob = guest.shown(head)
    must(blob is not None, f"the plugin shows no blob on head {head}")
    plan = "shared" if os.path.exists("/dev/udmabuf") else "mapped"
    must(blob["plan"] == plan and blob["region"] == "RAM ram" and blob["ranges"] >= 1 and bool(blob["dmabufs"])
         == (plan == "shared"),
         f"the blob on head {head} is {blob['plan']}: {blob['reason']}; {blob['ranges']} ranges in {blob['region']}")
    return f"head {head}: blob {blob['id']} of {blob['size']} bytes: {blob['plan']}, {blob['reason']}"
