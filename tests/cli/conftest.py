"""Fixtures for commands that run for real; see running.py."""

import fcntl
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.running import TAKE_TERMINAL, Output, Result, Running, Start, StartTerminal, Terminal, environment, run


@pytest.fixture
def runs(site: Path) -> Callable[..., Result]:
    """Run a command to its end in the folder `site`."""

    def run_here(*words: str, **env: str) -> Result:
        return run(*words, cwd=site, env=env)

    return run_here


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small folder to serve."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    return folder


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def start(site: Path) -> Iterator[Start]:
    """Start a command whose output is a pipe; it is killed at the end of the test if need be."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*words: str, cwd: Path = site, **env: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", *words],
            cwd=cwd,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        assert process.stdout is not None
        return Running(process, Output(process.stdout.fileno()))

    yield begin
    for process in started:
        _end(process)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def start_terminal(site: Path) -> Iterator[StartTerminal]:
    """Start a command in a terminal; it is killed at the end of the test if need be."""
    started: list[Terminal] = []

    def begin(*words: str, cwd: Path = site, columns: int = 120, **env: str) -> Terminal:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-m", "portico", *words],
            cwd=cwd,
            env=environment(**env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        started.append(Terminal(process, master, slave))
        return started[-1]

    yield begin
    for terminal in started:
        _end(terminal.process)
        terminal.close()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 that this very process holds."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]
