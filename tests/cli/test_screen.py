"""Lines on a terminal, in a pipe, and when nobody reads."""

import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator

import pytest

from portico.cli.screen import Screen


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of 60 columns: the one a program reads from, the one it writes to."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.mark.parametrize(
    ("environ", "is_terminal", "has_colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_what_a_terminal_can(
    terminal: tuple[int, int], environ: dict[str, str], is_terminal: bool, has_colour: bool
) -> None:
    screen = Screen(terminal[1], "utf-8", environ)
    assert (screen.is_terminal, screen.has_colour) == (is_terminal, has_colour)
    assert screen.paint("x", "green") == ("\x1b[32mx\x1b[0m" if has_colour else "x")


def test_the_width_of_a_terminal(terminal: tuple[int, int]) -> None:
    assert Screen(terminal[1], "utf-8", {}).columns() == 60


def test_a_pipe_has_no_colours_and_some_width(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1], "utf-8", {"TERM": "xterm"})
    assert (screen.is_terminal, screen.has_colour) == (False, False)
    assert screen.columns() > 0


def test_a_line_is_there_at_once_and_announced(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1], "utf-8", {})
    announced: list[bool] = []
    screen.on_line = lambda: announced.append(True)
    screen.line("你好")
    assert os.read(pipe[0], 100).decode() == "你好\n"
    screen.write(b"log\n")
    assert os.read(pipe[0], 100) == b"log\n"
    assert announced == [True]


def test_another_encoding(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1], "gb18030", {})
    screen.line("你好")
    assert os.read(pipe[0], 100) == "你好\n".encode("gb18030")
    Screen(pipe[1], "ascii", {}).line("➜ x")
    assert os.read(pipe[0], 100) == b"? x\n"


def test_a_reader_who_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    screen = Screen(writing, "utf-8", {})
    screen.line("nobody reads this")
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        screen.write(b"nor this")
    screen.line("nor this")
    os.close(writing)


def test_a_descriptor_that_does_not_wait_loses_nothing(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    data = b"x" * 300_000  # more than a pipe holds
    writer = threading.Thread(target=Screen(pipe[1], "utf-8", {}).write, args=(data,))
    writer.start()
    received = 0
    while received < len(data):
        received += len(os.read(pipe[0], 65536))
    writer.join()
    assert received == len(data)
