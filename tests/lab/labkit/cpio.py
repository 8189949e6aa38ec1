# SPDX-License-Identifier: GPL-2.0-or-later
"""Write a newc cpio archive, the form that Linux takes as an initramfs.

Fields and padding: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

import os
import stat


class Archive:
    """Entries by path, written in the order in which they were added; parents are made as needed."""

    def __init__(self):
        self._entries = {}

    def __contains__(self, path):
        return path.strip("/") in self._entries

    def directory(self, path):
        path = path.strip("/")
        if path and path not in self._entries:
            self._parents(path)
            self._entries[path] = (stat.S_IFDIR | 0o755, b"", (0, 0))

    def symlink(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, os.fsencode(target))

    def device(self, path, major, minor):
        self._add(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def add_bytes(self, path, data, mode=0o644):
        self._add(path, stat.S_IFREG | mode, data)

    def add_file(self, path, source, mode=0o644):
        with open(source, "rb") as stream:
            self.add_bytes(path, stream.read(), mode)

    def write(self, out):
        """Replaces out in one step, so that a reader never sees half an archive."""
        temporary = f"{out}.new"
        with open(temporary, "wb") as stream:
            for inode, (path, (mode, data, device)) in enumerate(self._entries.items(), start=1):
                _write_entry(stream, inode, path, mode, data, device)
            _write_entry(stream, 0, "TRAILER!!!", 0, b"", (0, 0))
        os.replace(temporary, out)

    def _add(self, path, mode, data, device=(0, 0)):
        path = path.strip("/")
        self._parents(path)
        self._entries[path] = (mode, data, device)

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent:
            self.directory(parent)


def _write_entry(stream, inode, path, mode, data, device):
    name = os.fsencode(path) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, device[0], device[1], len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    stream.write(_padded(header + name))
    stream.write(_padded(data))


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
