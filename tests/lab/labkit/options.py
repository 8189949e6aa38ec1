# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of tests/lab/lab."""

import argparse
import re
from pathlib import Path

SMALLEST_GPU = 1  # MiB
LARGEST_GPU = 16384
KERNELS = ["current", "stable", "oldstable", "debug"]


def _gpu(text):
    if text == "none":
        return None
    if not text.isdigit() or not SMALLEST_GPU <= int(text) <= LARGEST_GPU or int(text) & (int(text) - 1):
        raise argparse.ArgumentTypeError(
            f"'{text}': a BAR is a power of two between {SMALLEST_GPU} and {LARGEST_GPU} MiB, or none")
    return int(text)


def _size(text):
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT")
    return int(match[1]), int(match[2])


def _share(text):
    tag, equals, directory = text.partition("=")
    if not equals or not re.fullmatch(r"[\w.-]+", tag) or not Path(directory).is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is not TAG=DIR with an existing directory")
    return tag, Path(directory)


def _port(text):
    name, equals, path = text.partition("=")
    if not equals or not re.fullmatch(r"[\w.-]+", name) or not path:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=SOCKET")
    return name, path


def _machine_options():
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--kernel", choices=KERNELS, default="current",
        help="of trixie-backports (the default), of trixie or of bookworm; debug: the first, with checkers")
    add("--mem", type=int, default=4096, metavar="MIB", help="memory of L1 (4096)")
    add("--cpus", type=int, default=2, metavar="N", help="processors of L1 (2)")
    add("--gpu", type=_gpu, action="append", metavar="MIB",
        help="a passthrough GPU with that much VRAM, behind its own root port; repeatable; none: no GPU (64)")
    add("--display", choices=["none", "plain", "vram"],
        help="L1's display GPU: none, virtio-gpu-pci, or virtio-gpu-vram-pci from --plugin "
             "(vram if the plugin is built, else none)")
    add("--plugin", type=Path, metavar="FILE", help="plugin for L0's QEMU (build/host/hw/qemu/qemu-vramlink.so)")
    add("--size", type=_size, default=(1920, 1080), metavar="WxH", help="of that display (1920x1080)")
    add("--iommu", choices=["pt", "on", "off"], default="pt", help="L1's vIOMMU (pt: identity for L1's own drivers)")
    add("--share", type=_share, action="append", default=[], metavar="TAG=DIR",
        help="a snapshot of DIR, read-only at /mnt/TAG; repeatable")
    add("--out", type=Path, metavar="DIR", help="what L1 leaves in /out comes back there")
    add("--port", type=_port, action="append", default=[], metavar="NAME=SOCKET",
        help="virtio-serial port /dev/virtio-ports/NAME in L1; QEMU listens on SOCKET; repeatable")
    add("--qmp", metavar="SOCKET", help="QEMU listens there for QMP")
    add("--append", default="", metavar="TEXT", help="more of the kernel command line")
    add("--qemu", default="", metavar="ARGS", help="more arguments for QEMU")
    return parser


def parse(arguments):
    parser = argparse.ArgumentParser(prog="lab", description="The host in a box.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    machine = _machine_options()
    run = verbs.add_parser("run", parents=[machine], help="run a command in L1; its exit code is ours")
    run.add_argument("--timeout", type=int, default=300, metavar="S", help="time limit, boot included (300)")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD", help="the command and its arguments")
    verbs.add_parser("shell", parents=[machine], help="a shell in L1 on this terminal")
    paths = verbs.add_parser("paths", help="where the pieces are, as shell assignments")
    paths.add_argument("--kernel", choices=KERNELS, default="current")
    options = parser.parse_args(arguments)
    if options.verb == "run":
        if options.command[:1] == ["--"]:
            options.command = options.command[1:]
        if not options.command:
            run.error("no command; for example: lab run -- uname -a")
    if options.verb != "paths":
        options.gpus = [size for size in (options.gpu or [64]) if size]
    return options
