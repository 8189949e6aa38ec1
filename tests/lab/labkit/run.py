# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of L1: start QEMU, stream its ports, stop it. No QEMU outlives the run."""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

NO_RESULT = 125  # L1 ended without an exit code: the machine died or stands still
TIMED_OUT = 124
NOT_BOOTED = -1  # L1's init has said nothing for BOOT_LIMIT seconds; never an exit code
BOOT_LIMIT = 90  # a boot takes 6 to 9 s here; under TCG a kernel's start can stall on its timers
SILENCE = int(os.environ.get("VRAMLINK_LAB_SILENCE", 90))  # seconds without L1's "alive", which comes every 5
GRACE = 15  # seconds that L1 has to end by itself and bring /out back after the time limit
CHUNK = 1 << 16
PR_SET_PDEATHSIG = 1


class Port:
    """The L0 side of one virtio-serial port: QEMU connects to a listening socket in the run's directory."""

    def __init__(self, directory, name, sink=None):
        self.name = name
        self.sink = sink
        self._path = directory / f"{name}.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(1)
        self.connection = None

    @property
    def chardev(self):
        return f"socket,path={self._path}"

    def accept(self, timeout):
        self._listener.settimeout(timeout)
        self.connection, _ = self._listener.accept()
        self.connection.setblocking(True)
        self._listener.close()

    def close(self):
        self._listener.close()
        if self.connection:
            self.connection.close()


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP arrived; args[0] is its number."""


def _raise_interrupted(number, _frame):
    raise Interrupted(number)


def catch_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_interrupted)


def _die_with_parent():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Run:
    """Owns QEMU and the ports. Use as a context manager."""

    def __init__(self, command, ports, control, log, interactive=False):
        self._command = command
        self._log = log  # QEMU's own messages
        self._ports = ports
        self._control = control  # the port on which L1 tells its exit code and hears "stop"
        self._interactive = interactive
        self._qemu = None
        self._status = None
        self._told = b""
        self._heard = None  # when L1 last said anything on the control port

    def __enter__(self):
        # In a session of its own QEMU does not get the terminal's ^C; an interactive one needs the terminal.
        with open(self._log, "wb") as log:
            self._qemu = subprocess.Popen(
                self._command, stdin=None if self._interactive else subprocess.DEVNULL, stderr=log,
                preexec_fn=_die_with_parent, start_new_session=not self._interactive)
        return self

    def __exit__(self, *_):
        if self._qemu.poll() is None:
            self._qemu.terminate()
            try:
                self._qemu.wait(5)
            except subprocess.TimeoutExpired:
                self._qemu.kill()
                self._qemu.wait()
        for port in self._ports:
            port.close()

    def wait(self, time_limit, boot_limit=None):
        """Streams until L1 has told its exit code or died. Returns that code, TIMED_OUT, NO_RESULT, or NOT_BOOTED
        when boot_limit is given and L1's init has not spoken by then, or never will; with a boot_limit an L1 that
        falls silent later has died, too."""
        for port in self._ports:
            self._accept(port)
        deadline = time.monotonic() + time_limit if time_limit else None
        timed_out = False
        with selectors.DefaultSelector() as selector:
            for port in self._ports:
                selector.register(port.connection, selectors.EVENT_READ, port)
            if boot_limit and not self._wait_for_init(selector, boot_limit):
                return NOT_BOOTED
            while self._status is None and selector.get_map():
                if not self._pump(selector, self._next_check(deadline, boot_limit)):
                    if boot_limit and self._is_silent():
                        break
                    if timed_out:
                        break
                    timed_out, deadline = True, time.monotonic() + GRACE
                    self._tell_stop()
            self._stop_and_drain(selector)
        if timed_out:
            return TIMED_OUT
        return NO_RESULT if self._status is None else self._status

    def _is_silent(self):
        return time.monotonic() >= self._heard + SILENCE

    def _next_check(self, deadline, boot_limit):
        times = [deadline] if deadline else []
        return min(times + ([self._heard + SILENCE] if boot_limit else []), default=None)

    def _wait_for_init(self, selector, boot_limit):
        """False when L1's init has not said that it runs: the kernel stalls, or has died."""
        end = time.monotonic() + boot_limit
        while not self._told and selector.get_map():
            if not self._pump(selector, end):
                return False
        return bool(self._told)

    def _accept(self, port):
        for _ in range(300):
            try:
                return port.accept(0.1)
            except TimeoutError:
                if self._qemu.poll() is not None:
                    message = self._log.read_text(errors="replace").strip().splitlines()[-3:]
                    raise OSError(
                        f"QEMU ended at once with status {self._qemu.returncode}: {' | '.join(message)}") from None
        raise OSError(f"QEMU did not open its port {port.name} within 30 s")

    def _pump(self, selector, deadline):
        """Hands on what has arrived; False when the deadline has passed."""
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return False
        for key, _ in selector.select(left):
            port = key.data
            data = _receive(port.connection)
            if not data:
                selector.unregister(port.connection)
            elif port is self._control:
                self._hear(data)
            else:
                port.sink(data)
        return True

    def _hear(self, data):
        self._heard = time.monotonic()
        self._told += data
        for line in self._told.decode(errors="replace").splitlines():
            word, _, number = line.partition(" ")
            if word == "exit" and number.isdigit() and self._told.endswith(b"\n"):
                self._status = int(number)

    def _tell_stop(self):
        try:
            self._control.connection.sendall(b"stop\n")
        except OSError as error:
            print(f"lab: cannot ask L1 to stop: {error}", file=sys.stderr)

    def _stop_and_drain(self, selector):
        self._qemu.terminate()
        end = time.monotonic() + 5
        while selector.get_map() and self._pump(selector, end):
            pass


def _receive(connection):
    try:
        return connection.recv(CHUNK)
    except ConnectionResetError:
        return b""


def to_stream(stream):
    """A sink that writes at once, so that output is seen while L1 runs."""
    def write(data):
        try:
            stream.buffer.write(data)
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return write
