"""The line of progress: what it says, on any terminal; it is gone at the end, and so is its thread."""

import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.running import Output

from portico.cli.progress import Moment, Progress, Rate, clock_text, line_of
from portico.cli.words import Words
from portico.server.access_log import width

EN, ZH = Words("en"), Words("zh")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03"), (400_000, "-"), (1e300, "-")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


MIB = 1 << 20


@pytest.mark.parametrize(
    ("moment", "columns", "line"),
    [
        (Moment(5 * MIB, 20 * MIB, MIB), 56, " 25% ███░░░░░░░░░  5.0 MB of 20 MB  1.0 MB/s  0:15 left"),
        (Moment(5 * MIB, 20 * MIB, MIB), 51, " 25%  5.0 MB of 20 MB  1.0 MB/s  0:15 left"),
        (Moment(5 * MIB, 20 * MIB, MIB), 34, " 25%  5.0 MB of 20 MB  1.0 MB/s"),
        (Moment(5 * MIB, 20 * MIB, MIB), 24, " 25%  5.0 MB of 20 MB"),
        (Moment(5 * MIB, 20 * MIB, MIB), 20, " 25% ███░░░░░░░░░░░"),
        (Moment(5 * MIB, 20 * MIB, MIB), 13, " 25%"),
        (Moment(5 * MIB, 20 * MIB, MIB), 4, ""),
        (Moment(5 * MIB, 20 * MIB, 0), 40, " 25% ██░░░░░░░░  5.0 MB of 20 MB  0 B/s"),
        (Moment(20 * MIB, 20 * MIB, MIB), 39, "100%  20 MB of 20 MB  1.0 MB/s"),
        (Moment(5 * MIB, None, 512), 80, "5.0 MB  512 B/s"),
        (Moment(5 * MIB, None, 512), 8, "5.0 MB"),
        (Moment(0, 0, 0), 80, "0 B of 0 B  0 B/s"),
        # A server that sends more than it said does not break the bar.
        (Moment(30 * MIB, 20 * MIB, MIB), 60, "150% ████████████████████████████  30 MB of 20 MB  1.0 MB/s"),
    ],
)
def test_lines(moment: Moment, columns: int, line: str) -> None:
    assert line_of(moment, columns, EN) == line


def test_a_line_in_chinese() -> None:
    line = line_of(Moment(5 * MIB, 20 * MIB, MIB), 56, ZH)
    assert line == " 25% ███░░░░░░░░░░  5.0 MB / 20 MB  1.0 MB/s  剩余 0:15"


@given(
    st.integers(0, 1 << 50), st.none() | st.integers(0, 1 << 50), st.floats(0, 1e15), st.integers(1, 300), st.booleans()
)
def test_no_line_is_as_wide_as_the_terminal(
    done: int, total: int | None, rate: float, columns: int, is_english: bool
) -> None:
    assert width(line_of(Moment(done, total, rate), columns, EN if is_english else ZH)) < columns


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0.0, 0) == 0.0
    assert rate.at(1.0, 100) == 100.0
    assert [rate.at(float(second), 100) for second in range(2, 8)][-1] == 0.0
    assert rate.at(8.0, 50) == 0.0


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


def test_the_line_follows_the_count_and_is_wiped(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    counts = iter([10, 20, 40])
    seen = Output(master)
    with Progress(slave, EN, lambda: (next(counts, 100), 100)):
        seen.until("10% ")
        seen.until("40% ")
        seen.until("100% ")
    os.write(slave, b"end")
    seen.until("end")
    assert seen.raw.endswith(b"\r\x1b[Kend")


def test_what_is_quick_shows_nothing(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    with Progress(slave, EN, lambda: (1, 1)):
        pass
    os.write(slave, b"end")
    seen = Output(master)
    seen.until("end")
    assert seen.raw == b"end"


def test_a_terminal_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    asked = threading.Event()

    def count() -> tuple[int, int]:
        if asked.is_set():
            again.set()
        asked.set()
        return 1, 2

    again = threading.Event()
    with Progress(write, EN, count):
        assert again.wait(30)
    os.close(write)
