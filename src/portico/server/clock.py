"""Coarse time and deadlines: one clock and one wheel a worker, so that no request starts a timer.

`Clock` is read as plain attributes, refreshed by the worker's tick. `Wheel` keeps each connection in exactly one
bucket; when the bucket's tick comes, the connection is asked what its deadline really is. Moving a deadline later
therefore costs an attribute of the connection and nothing here; only an earlier one moves it (`hasten`).
"""

import time
from collections.abc import Callable
from typing import Protocol

from portico.http.dates import format_date


class Clock:
    """Seconds as of the last `tick`.

    now_s: monotonic. date_line: the `Date` field with its CRLF; the same object until the second changes.
    """

    __slots__ = ("_date_s", "_monotonic", "_wall", "date_line", "now_s")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._date_s = -1
        self.date_line = b""
        self.now_s = 0.0
        self.tick()

    def tick(self) -> None:
        """Read both clocks."""
        self.now_s = self._monotonic()
        date_s = int(self._wall())
        if date_s != self._date_s:
            self._date_s = date_s
            self.date_line = f"Date: {format_date(date_s)}\r\n".encode("ascii")


_ASKED = -2


class Timed(Protocol):
    """Something with deadlines. bucket: owned by the wheel; negative outside it."""

    bucket: int

    def check(self, now_s: float) -> float | None:
        """Act on what is due. Returns when to ask again, or None for never."""
        ...


class Wheel:
    """Deadlines to the accuracy of one tick.

    tick_s: seconds between two calls of `turn`.
    """

    def __init__(self, tick_s: float) -> None:
        self.tick_s = tick_s
        self._buckets: dict[int, set[Timed]] = {}
        self._turned = -1

    def add(self, item: Timed, at_s: float) -> None:
        """Ask `item` at `at_s` or up to one tick later."""
        item.bucket = max(int(at_s / self.tick_s) + 1, self._turned + 1)
        self._buckets.setdefault(item.bucket, set()).add(item)

    def discard(self, item: Timed) -> None:
        """Forget `item`, wherever it is."""
        bucket = self._buckets.get(item.bucket)
        if bucket is not None:
            bucket.discard(item)
            if not bucket:
                del self._buckets[item.bucket]
        item.bucket = -1

    def hasten(self, item: Timed, at_s: float) -> None:
        """Ask `item` at `at_s` unless it will be asked before."""
        if item.bucket > int(at_s / self.tick_s) + 1:
            self.discard(item)
            self.add(item, at_s)

    def turn(self, now_s: float) -> None:
        """Ask everything that is due at `now_s`."""
        turned = int(now_s / self.tick_s)
        # After a long stop there may be fewer buckets than ticks, or the other way round.
        due = sorted(number for number in self._buckets if number <= turned)
        self._turned = turned
        for number in due:
            bucket = self._buckets.get(number, set())
            while bucket:
                self._ask(bucket.pop(), now_s)
            # If one of them had failed, the others would still be there for the next turn.
            self._buckets.pop(number, None)

    def _ask(self, item: Timed, now_s: float) -> None:
        item.bucket = _ASKED
        again_s = item.check(now_s)
        if item.bucket == _ASKED:  # else it was discarded, or added, meanwhile
            item.bucket = -1
            if again_s is not None:
                self.add(item, again_s)
