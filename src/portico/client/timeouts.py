"""How long a client waits: `Timeouts` are set once, a `Clock` watches them over one exchange.

In: seconds; out: how long the next operation may wait. Raises Gone once there is no time left.
"""

import time
from dataclasses import dataclass
from typing import Final

from portico.errors import Gone, UsageError

_MOST_S: Final = 1_000_000  # poll counts milliseconds in 31 bits
_RESOLUTION_S: Final = 0.001  # what waits for so long may wake a little early


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds.

    connect_s: for a connection to be there: the look-up of the name, TCP, each step of TLS, a proxy's answer, and for a
    connection to be free where the client has as many as it may have. read_s: for the next bytes, either way; a long
    answer that keeps coming is never cut. total_s: for a whole request with its redirects and its body; None sets no
    end.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    total_s: float | None = None

    def __post_init__(self) -> None:
        for seconds in (self.connect_s, self.read_s, self.total_s):
            if seconds is not None and not 0 < seconds <= _MOST_S:
                raise UsageError(f"a timeout of {seconds:g} s; give more than 0 and at most {_MOST_S}")


class Clock:
    """Tells how long each step of one request may still wait."""

    __slots__ = ("_end_s", "_timeouts")

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._end_s = None if timeouts.total_s is None else time.monotonic() + timeouts.total_s

    def connect_s(self) -> float:
        """Return the time for the next step of connecting."""
        return self._within(self._timeouts.connect_s)

    def read_s(self) -> float:
        """Return the time for the next bytes."""
        return self._timeouts.read_s if self._end_s is None else self._within(self._timeouts.read_s)

    def check(self) -> None:
        """Raise Gone where the whole request has no time left, as it then says more than what ran out just now."""
        self._within(0.0)

    def _within(self, seconds: float) -> float:
        if self._end_s is None:
            return seconds
        left_s = self._end_s - time.monotonic()
        if left_s < _RESOLUTION_S:
            raise Gone(f"the request is not done after {self._timeouts.total_s:g} s, all the time it had")
        return min(seconds, left_s)
