"""Commands run for real: in a pipe (`Piped`) or in a terminal of their own (`Terminal`).

Both are waited for by reading what they say, never by sleeping; a deadline turns silence into a failure.
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from portico.cli.main import main

DEADLINE_S = 30.0
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The child of a test runner has no controlling terminal until it takes one; without it Ctrl-C is a mere byte.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in English, without options, in which the terminal is a simple colour terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PORTICO_", "LC_", "LANG"))}
    for name in ("NO_COLOR", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        kept.pop(name, None)
    return kept | {"LANG": "C.UTF-8", "TERM": "xterm-256color"} | extra


class Output:
    """What a process has said so far, read from a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.raw = b""
        self._seen = 0

    @property
    def text(self) -> str:
        """Everything, without escape sequences and carriage returns."""
        return _ESCAPES.sub("", self.raw.decode("utf-8", "replace")).replace("\r", "")

    def until(self, pattern: str) -> re.Match[str]:
        """Read until a pattern appears behind the last match; return the match."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not (match := re.compile(pattern).search(self.text, self._seen)):
            if not self._read(deadline_s):
                raise AssertionError(f"{pattern!r} did not appear in {self.text[self._seen :]!r}")
        self._seen = match.end()
        return match

    def rest(self) -> str:
        """Read to the end; return what came behind the last match."""
        while self._read(time.monotonic() + DEADLINE_S):
            pass
        return self.text[self._seen :]

    def _read(self, deadline_s: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0, deadline_s - time.monotonic()))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # the other end of a terminal has gone
            data = b""
        self.raw += data
        return bool(data)


class Running:
    """A command under way. command: the words after `python -m portico`."""

    def __init__(self, process: subprocess.Popen[bytes], output: Output) -> None:
        self.process = process
        self.output = output

    def port(self) -> int:
        """Wait for the URL in the banner; return its port."""
        return int(self.output.until(r"http://localhost:(\d+)/")[1])

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(DEADLINE_S)

    def signal(self, number: int) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)


class Terminal(Running):
    """A command in a terminal: 120 columns, its own session, the terminal controls it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int) -> None:
        super().__init__(process, Output(master))
        self._master = master
        self._slave = slave

    def press(self, keys: str) -> None:
        """Type keys; "\x03" is Ctrl-C."""
        os.write(self._master, keys.encode())

    def modes(self) -> tuple[bool, bool]:
        """Return whether the terminal echoes, and whether it hands over whole lines."""
        flags = termios.tcgetattr(self._slave)[3]
        return bool(flags & termios.ECHO), bool(flags & termios.ICANON)

    def wait_for_modes(self, modes: tuple[bool, bool]) -> None:
        """Wait until the terminal has these modes, within the deadline."""
        deadline_s = time.monotonic() + DEADLINE_S
        while self.modes() != modes:
            assert time.monotonic() < deadline_s, f"the terminal stays at {self.modes()}"
            select.select([], [], [], 0.01)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._master)
        os.close(self._slave)


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Start = Callable[..., Running]
StartTerminal = Callable[..., Terminal]


def run(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
    """Run `python -m portico` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "portico", *words],
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def in_process(words: Sequence[str], visit: Callable[[], object], number: int = signal.SIGTERM) -> int:
    """Run `portico` in this very process, beside a visitor in a thread; return the exit code.

    visit: has to wait for what it needs. number: the signal that comes when it has returned.
    """
    ended = threading.Event()

    def come_and_go() -> None:
        try:
            visit()
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), number)

    visitor = threading.Thread(target=come_and_go)
    with kept_process():
        visitor.start()
        try:
            return main(words)
        finally:
            ended.set()
            visitor.join()


@contextmanager
def kept_process() -> Iterator[None]:
    """Give back what a command changes in its process: signals, the path of modules, the modules of an application."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTTIN, signal.SIGTTOU)
    handlers = {number: signal.getsignal(number) for number in numbers}
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        added = sys.path[: len(sys.path) - len(path)]
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if os.path.dirname(getattr(sys.modules[name], "__file__", None) or "") in added:
                del sys.modules[name]


@contextmanager
def variables(**given: str) -> Iterator[None]:
    """Set environment variables of this very process, and give back what was there."""
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ask(path: Path, target: str = "/") -> str:
    """Send one GET to a socket file, as soon as there is one; return the answer."""
    deadline_s = time.monotonic() + DEADLINE_S
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE_S)
        while sock.connect_ex(str(path)):
            assert time.monotonic() < deadline_s, f"nobody listens at {path}"
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        with sock.makefile("rb") as answer:
            return answer.read().decode()


def fetch(port: int, target: str = "/a.txt", fields: Sequence[str] = ()) -> str:
    """Send one GET over a connection of its own; return the answer."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
        sock.sendall("\r\n".join(lines).encode())
        pieces = []
        while data := sock.recv(65536):
            pieces.append(data)
    return b"".join(pieces).decode("latin-1")
