# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON objects, one a line, over a socket or a character device."""

import json
import os
import select
import socket
import time


class Closed(OSError):
    """The other side is gone."""


class Lines:
    """Reads and writes on a file descriptor that it owns."""

    def __init__(self, fd):
        self._fd = fd
        self._received = b""

    @classmethod
    def connect(cls, path, seconds):
        """Joins a listening Unix socket, which may have to appear first."""
        limit = time.monotonic() + seconds
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(str(path))
                return cls(sock.detach())
            except OSError as error:
                sock.close()
                if time.monotonic() > limit:
                    raise TimeoutError(f"nobody listens on {path} after {seconds} s: {error}") from error
                time.sleep(0.1)

    @classmethod
    def open(cls, path):
        return cls(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def close(self):
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data):]

    def receive(self, seconds):
        """The next object. TimeoutError after that many seconds, Closed at the end of the stream."""
        limit = time.monotonic() + seconds
        while b"\n" not in self._received:
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise TimeoutError(f"no message within {seconds} s")
            data = os.read(self._fd, 65536)
            if not data:
                raise Closed("the other side closed the channel")
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return json.loads(line)
