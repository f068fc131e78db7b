"""How many requests are under way, and who waits for a turn.

A request that is answered at once takes no turn; one that waits for its application does. Beyond `max_active` of them
the next ones queue, and beyond `max_waiting` in the queue they are refused. Idle connections never count.
"""

import asyncio
from collections import OrderedDict
from contextvars import copy_context
from typing import TYPE_CHECKING

from portico.server.refusals import refusal
from portico.settings import Limits

if TYPE_CHECKING:
    from portico.server.exchange import Exchange


class Turns:
    """The turns of one server. active: taken. is_full: the next request has to wait."""

    __slots__ = ("_context", "_limits", "_queue", "active", "is_full")

    def __init__(self, limits: Limits) -> None:
        self._context = copy_context()
        self._limits = limits
        self._queue: OrderedDict[Exchange, None] = OrderedDict()  # the first comes first, and any may leave
        self.active = 0
        self.is_full = False

    @property
    def waiting(self) -> int:
        """Count the requests that wait for a turn."""
        return len(self._queue)

    def take(self, exchange: "Exchange") -> None:
        """Count a request that was not answered at once."""
        exchange.has_turn = True
        self.active += 1
        self._measure()

    def wait(self, exchange: "Exchange") -> None:
        """Queue a request, or answer 503 where too many wait already."""
        if len(self._queue) < self._limits.max_waiting:
            self._queue[exchange] = None
        else:
            exchange.note = "too many requests at once"
            exchange.respond(refusal(503, exchange.note, exchange.request.values, [("Retry-After", "1")]))

    def leave(self, exchange: "Exchange") -> None:
        """Let go of a request that is over, if it still waits."""
        self._queue.pop(exchange, None)
        self._measure()

    def give(self, exchange: "Exchange") -> None:
        """Count a request that is over; the next in the queue is up in the next turn of the loop."""
        exchange.has_turn = False
        self.active -= 1
        self._measure()
        if self._queue:
            # Not in the context of the request that is over, which is nothing to the next.
            asyncio.get_running_loop().call_soon(self._advance, context=self._context.copy())

    def _measure(self) -> None:
        self.is_full = bool(self._queue) or self.active >= self._limits.max_active

    def _advance(self) -> None:
        while self._queue and self.active < self._limits.max_active:
            exchange, _ = self._queue.popitem(last=False)
            exchange.take_turn()
        self._measure()
