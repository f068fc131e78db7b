"""How many requests are under way, and who waits for a turn.

A request that is answered at once takes no turn; one that waits for its application does. Beyond `max_active` of them
the next ones queue, and beyond `max_waiting` in the queue they are refused. Idle connections never count.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from portico.settings import Limits

if TYPE_CHECKING:
    from portico.server.exchange import Exchange


class Turns:
    """The turns of one server. active: taken. is_full: the next request has to wait."""

    __slots__ = ("_limits", "_queue", "active", "is_full")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[Exchange] = deque()
        self.active = 0
        self.is_full = False

    @property
    def waiting(self) -> int:
        """Count the requests that wait for a turn."""
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        """Whether another one may wait."""
        return len(self._queue) < self._limits.max_waiting

    def take(self, exchange: "Exchange") -> None:
        """Count a request that was not answered at once."""
        exchange.has_turn = True
        self.active += 1
        self.is_full = self.active >= self._limits.max_active

    def wait(self, exchange: "Exchange") -> None:
        """Queue a request."""
        self._queue.append(exchange)

    def give(self, exchange: "Exchange") -> None:
        """Count a request that is over; the next in the queue is up in the next turn of the loop."""
        exchange.has_turn = False
        self.active -= 1
        if self._queue:
            asyncio.get_running_loop().call_soon(self._advance)
        else:
            self.is_full = self.active >= self._limits.max_active

    def _advance(self) -> None:
        while self._queue and self.active < self._limits.max_active:
            self._queue.popleft().take_turn()
        self.is_full = bool(self._queue) or self.active >= self._limits.max_active
