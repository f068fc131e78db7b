"""What one server counts, for whoever asks.

    Metrics.count       each request that ends
    Metrics.drop        each one that was refused or cut, each connection that was
    Metrics.watch       figures that are asked for when somebody wants to know
    Metrics.snapshot    all of it, as `samples` has it

It exists only where there is an admin address; a server without one counts nothing.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from portico import __version__
from portico.server.samples import sample

# Prometheus's own default buckets, begun lower: a file is answered within 0.1 ms.
BOUNDS_S: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CODES: Final = ("cut", "1xx", "2xx", "3xx", "4xx", "5xx")
_GONE: Final = 0  # the place of an exchange without an answer, whose status is 0 or negative


class Metrics:
    """The figures of one server. Belongs to the thread of its event loop."""

    __slots__ = ("_codes", "_drops", "_durations", "_sent_bytes", "_spent_s", "_started_s", "_watched")

    def __init__(self) -> None:
        self._codes = [0] * len(_CODES)
        self._durations = [0] * (len(BOUNDS_S) + 1)
        self._spent_s = 0.0
        self._sent_bytes = 0
        self._drops: dict[str, int] = {}
        self._watched: dict[str, Callable[[], float]] = {}
        self._started_s = time.time()

    def count(self, status: int, duration_s: float, sent_bytes: int) -> None:
        """Count a request that has ended. status: of its answer, 0 or negative without one."""
        self._codes[status // 100 if status > 0 else _GONE] += 1
        self._durations[bisect_left(BOUNDS_S, duration_s)] += 1
        self._spent_s += duration_s
        self._sent_bytes += sent_bytes

    def drop(self, reason: str) -> None:
        """Count something that was refused or cut. reason: a word of ours, one of few."""
        self._drops[reason] = self._drops.get(reason, 0) + 1

    def drop_request(self, status: int) -> None:
        """Count a request that ended with a remark in the log. status: of its answer, 0 or negative without one."""
        self.drop(_REQUEST_DROPS.get(status, "gone" if status <= 0 else "malformed" if status >= 400 else "incomplete"))

    def drop_connection(self, status: int) -> None:
        """Count what was refused before it became a request. status: what it was answered."""
        self.drop(_CONNECTION_DROPS.get(status, "malformed"))

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Ask for this figure in each snapshot. name: a sample, see `samples.sample`; the last one counts."""
        self._watched[name] = read

    def snapshot(self) -> dict[str, float]:
        """Return all figures as they are now."""
        found: dict[str, float] = {
            sample("portico_info", version=__version__): 1.0,
            "process_start_time_seconds": self._started_s,
            "process_cpu_seconds_total": sum(os.times()[:2]),
        }
        for code, count in zip(_CODES, self._codes, strict=True):
            found[sample("portico_requests_total", code=code)] = count
        found |= self._duration_samples()
        found["portico_sent_body_bytes_total"] = self._sent_bytes
        for reason in DROP_REASONS:
            found[sample("portico_drops_total", reason=reason)] = self._drops.get(reason, 0)
        return found | {name: read() for name, read in self._watched.items()}

    def _duration_samples(self) -> dict[str, float]:
        name = "portico_request_duration_seconds"
        found: dict[str, float] = {}
        total = 0
        for bound, count in zip((*map(repr, BOUNDS_S), "+Inf"), self._durations, strict=True):
            total += count
            found[sample(f"{name}_bucket", le=bound)] = total
        return found | {f"{name}_sum": self._spent_s, f"{name}_count": total}


_REQUEST_DROPS: Final = {408: "timeout", 500: "failed", 503: "overload"}
_CONNECTION_DROPS: Final = {408: "timeout", 429: "connections", 503: "connections"}
# Each is there from the start, at 0: a rate over a sample that appears later misses its first rise.
DROP_REASONS: Final = ("connections", "malformed", "timeout", "overload", "failed", "incomplete", "gone")
