"""How far a transfer is: a line on a terminal, painted again and again, then gone.

In: how many bytes have come, whenever that is known. Out: at most `_PER_SECOND` lines a second on a descriptor, by a
thread, so that whoever moves the bytes loses no time. Nothing of the terminal is changed: the cursor stays visible and
the modes are left alone, hence nothing has to be given back after Ctrl-C.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

from portico.cli.words import Words
from portico.server.access_log import size_text, width

_PER_SECOND: Final = 8
# The rate is that of the last seconds, so that it follows what the network does.
_WINDOW_S: Final = 5.0
_LONGEST_BAR: Final = 40


class Moment(NamedTuple):
    """How far a transfer is. done: bytes that are there. total: of all, None where unknown. rate: bytes a second."""

    done: int
    total: int | None
    rate: float


def clock_text(seconds: float) -> str:
    """Write a duration as a clock shows it: `0:07`, `12:30`, `1:02:03`; `-` for more than four days."""
    if seconds > 4 * 86_400:
        return "-"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def line_of(moment: Moment, columns: int, words: Words) -> str:
    """Write one line of progress, narrower than the terminal: what does not fit is left out, the bar first."""
    done, total, rate = moment
    parts = [size_text(done) if total is None else words("get-of", done=size_text(done), total=size_text(total))]
    if total:
        parts.insert(0, f"{done * 100 // total:3d}%")
    parts.append(f"{size_text(round(rate))}/s")
    if total is not None and rate > 0 and done < total:
        parts.append(words("get-left", time=clock_text((total - done) / rate)))
    while len(parts) > 1 and width("  ".join(parts)) >= columns:
        parts.pop()
    text = "  ".join(parts)
    room = min(columns - width(text) - 2, _LONGEST_BAR)
    if total and room >= 8:
        full = min(done * room // total, room)
        text = "  ".join([f"{parts[0]} {'█' * full}{'░' * (room - full)}", *parts[1:]])
    return text if width(text) < columns else ""


class Rate:
    """The rate of the last seconds, from samples of (time, bytes so far)."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def at(self, now_s: float, done: int) -> float:
        """Add a sample; return the bytes a second, 0.0 at first."""
        self._samples.append((now_s, done))
        while len(self._samples) > 2 and self._samples[0][0] < now_s - _WINDOW_S:
            self._samples.popleft()
        began_s, before = self._samples[0]
        return max(0, done - before) / (now_s - began_s) if now_s > began_s else 0.0


class Progress:
    """The line while a transfer is under way; a context manager.

    fd: the terminal. count: bytes so far, total or None; asked by the thread that paints.
    """

    def __init__(self, fd: int, words: Words, count: Callable[[], tuple[int, int | None]]) -> None:
        self._fd = fd
        self._words = words
        self._count = count
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._paint, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Wipe the line."""
        self._ended.set()
        self._thread.join()

    def _paint(self) -> None:
        rate, shown = Rate(), ""
        # What takes less than the first interval is done before anybody could read a line.
        while not self._ended.wait(1 / _PER_SECOND):
            done, total = self._count()
            moment = Moment(done, total, rate.at(monotonic(), done))
            line = line_of(moment, self._columns(), self._words)
            if line != shown:
                self._write(f"\r{line}\x1b[K")
                shown = line
        if shown:
            self._write("\r\x1b[K")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._fd).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal has gone, or takes no more now; the transfer goes on
            os.write(self._fd, text.encode())
