"""The HTTP server: listeners, the connections they make, and what those share.

    HttpServer.open -> (kernel) -> HttpConnection -> handler

In: listening sockets and a handler; out: answers, an access log, totals. One instance belongs to one event loop.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from portico.server.access_log import AccessLog, Record
from portico.server.clock import Clock, Wheel
from portico.server.connection import HttpConnection
from portico.server.exchange import Exchange, Handler
from portico.server.sending import BufferPool
from portico.settings import Limits
from portico.wire.answer import WholeAnswer
from portico.wire.head import HeadMemo

_BACKLOG = 2048
_FLUSH_S = 0.05
_FAREWELL_S = 1.0  # aborted connections say so in the next turn of the loop
_MAX_ADDRESSES = 100_000


@dataclass(slots=True)
class Totals:
    """What has been done since the start.

    requests: answered, refused or cut. bytes_sent: of bodies. addresses: distinct peers, counted up to 100 000.
    cut: exchanges that the end of the server cut off.
    """

    requests: int = 0
    bytes_sent: int = 0
    addresses: int = 0
    cut: int = 0


class HttpServer:
    """Serve one handler on any number of listening sockets.

    limits: the settings group. log: None for no access log. clock: replaced by tests.
    idle_s: the shortest time that a connection may have nothing to say.
    """

    def __init__(
        self, handler: Handler, limits: Limits, log: AccessLog | None = None, *, clock: Clock | None = None
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.log = log
        self.clock = clock or Clock()
        self.memo = HeadMemo()
        self.buffers = BufferPool()
        self.totals = Totals()
        self.loop: asyncio.AbstractEventLoop
        self.idle_s = min(limits.first_byte_timeout, limits.keep_alive_timeout)
        shortest_s = min(limits.head_timeout, self.idle_s, limits.rate_window)
        self.wheel = Wheel(min(1.0, shortest_s / 4))
        self._connections: set[HttpConnection] = set()
        self._per_address: dict[str, int] = {}
        self._seen: set[str] = set()
        self._listeners: dict[int, asyncio.AbstractServer] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._flushing: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self._is_draining = False

    # listeners

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on these listening sockets; may be called again for more."""
        self.loop = asyncio.get_running_loop()
        for sock in sockets:
            kind = self.loop.create_unix_server if sock.family == socket.AF_UNIX else self.loop.create_server
            server = await kind(lambda: HttpConnection(self), sock=sock, backlog=_BACKLOG)
            self._listeners[id(sock)] = server

    def close(self, sockets: Sequence[socket.socket]) -> None:
        """Stop accepting on these; connections they made go on."""
        for sock in sockets:
            server = self._listeners.pop(id(sock), None)
            if server is not None:
                server.close()

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, let exchanges under way finish, close the rest.

        timeout_s: after that long whatever is left is cut. Returns how many exchanges were cut.
        """
        cut_before = self.totals.cut
        self._is_draining = True
        for server in self._listeners.values():
            server.close()
        self._listeners.clear()
        for connection in list(self._connections):
            connection.drain()
        await self._wait_empty(timeout_s)
        self.abort()
        await self._wait_empty(_FAREWELL_S)
        if self._flushing is not None:
            self._flushing.cancel()
            self._flush_log()
        return self.totals.cut - cut_before

    async def _wait_empty(self, timeout_s: float) -> None:
        if self._connections:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=timeout_s)

    def abort(self) -> None:
        """Close every connection now, whatever it is doing; what was under way counts as cut."""
        self.totals.cut += self.active
        for connection in list(self._connections):
            connection.transport.abort()

    @property
    def active(self) -> int:
        """Count the exchanges under way; one is until its answer is with the kernel."""
        return sum(connection.exchange is not None or connection.is_paused for connection in self._connections)

    @property
    def connections(self) -> int:
        """Count the open connections."""
        return len(self._connections)

    # called by connections

    def admit(self, connection: HttpConnection) -> tuple[int, str]:
        """Count a connection in. Returns a status and a reason to refuse it with, or 0."""
        address = connection.address
        before = self._per_address.get(address, 0)
        self._per_address[address] = before + 1
        self._connections.add(connection)
        if self._ticking is None:
            self._tick()
        if address not in self._seen and len(self._seen) < _MAX_ADDRESSES:
            self._seen.add(address)
            self.totals.addresses += 1
        if self._is_draining:
            return 503, "the server is stopping"
        if len(self._connections) > self.limits.max_connections:
            return 503, f"over {self.limits.max_connections} connections at once"
        if before >= self.limits.max_connections_per_address and address != "unix":
            return 429, f"over {self.limits.max_connections_per_address} connections at once from one address"
        return 0, ""

    def dismiss(self, connection: HttpConnection) -> None:
        """Count a connection out."""
        self.wheel.discard(connection)
        self._connections.discard(connection)
        left = self._per_address.get(connection.address, 1) - 1
        if left:
            self._per_address[connection.address] = left
        else:
            del self._per_address[connection.address]
        if not self._connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def count(self, connection: HttpConnection, exchange: Exchange, sent_bytes: int) -> None:
        """Count an exchange that has ended, and log it. sent_bytes: of its body, whatever the method is."""
        request = exchange.request
        if request.method == "HEAD":
            sent_bytes = 0
        totals = self.totals
        totals.requests += 1
        totals.bytes_sent += sent_bytes
        if self.log is not None:
            values = request.values
            duration_s = time.perf_counter() - exchange.started_s
            self._write_log(
                Record(
                    time.time() - duration_s,
                    connection.address,
                    request.method,
                    request.target,
                    request.version,
                    exchange.status,
                    sent_bytes,
                    duration_s,
                    exchange.coding,
                    values.get("referer", ""),
                    values.get("user-agent", ""),
                    exchange.note,
                )
            )

    def count_refusal(self, connection: HttpConnection, answer: WholeAnswer, reason: str) -> None:
        """Count and log something that never became a request."""
        self.totals.requests += 1
        if self.log is not None:
            self._write_log(
                Record(
                    time.time(), connection.address, "-", "-", 11, answer.status, answer.length, 0.0, "", "", "", reason
                )
            )

    def report(self, exc: Exception) -> None:
        """Write an application's failure to the error log, with its traceback."""
        import logging

        logging.getLogger("portico").error("the application failed", exc_info=exc)

    # the tick

    def _tick(self) -> None:
        """Refresh the clock and ask what is due; once a tick, for as long as there are connections."""
        self.clock.tick()
        self.wheel.turn(self.clock.now_s)
        self._ticking = None
        if self._connections:
            self._ticking = self.loop.call_later(self.wheel.tick_s, self._tick)

    def _write_log(self, record: Record) -> None:
        assert self.log is not None
        self.log.records.append(record)
        if self._flushing is None:
            self._flushing = self.loop.call_later(_FLUSH_S, self._flush_log)

    def _flush_log(self) -> None:
        self._flushing = None
        if self.log is not None:
            self.log.flush()
