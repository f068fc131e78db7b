"""How long to wait before a worker that failed is started again: lives in, delays out. Pure.

A worker that did its work for a while and then died is replaced at once. One that dies young has probably the same
fate before it next time: 0.5 s, 1 s, 2 s and so on up to 30 s, so that a crash loop costs neither the processor nor
the log. systemd's RestartSteps and the kubelet's CrashLoopBackOff do the same, the latter up to 5 minutes.
"""

from typing import Final

FIRST_S: Final = 0.5
MOST_S: Final = 30.0
STEADY_S: Final = 10.0  # who was ready for so long has proved that the code works
_MAX_DOUBLINGS: Final = 16  # keeps the power within reason, whatever the count


class Backoff:
    """The memory of one seat: how many workers in a row failed on it."""

    __slots__ = ("failures",)

    def __init__(self) -> None:
        self.failures = 0

    def failed(self, lived_s: float) -> float:
        """Count a worker that ended unasked; return for how many seconds its seat stays empty.

        lived_s: how long it was ready; 0 where it never was.
        """
        if lived_s >= STEADY_S:
            self.failures = 0
            return 0.0
        self.failures += 1
        return float(min(MOST_S, FIRST_S * 2 ** min(self.failures - 1, _MAX_DOUBLINGS)))

    def forget(self) -> None:
        """Begin anew, because the code may be another."""
        self.failures = 0
