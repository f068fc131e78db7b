"""The HTTP server: listeners, the connections they make, and what those share.

    HttpServer.open -> (kernel) -> HttpConnection -> handler

In: listening sockets and a handler; out: answers, an access log, totals. One instance belongs to one event loop.
"""

import socket
import time
from collections.abc import Callable, Mapping, Sequence

from portico.errors import ConfigError
from portico.http.message import Request
from portico.net.listening import address_of
from portico.server.accepting import Acceptor, Connection
from portico.server.access_log import AccessLog, Record
from portico.server.clock import Clock
from portico.server.connection import HttpConnection
from portico.server.exchange import Exchange, Handler
from portico.server.sending import BufferPool
from portico.server.turns import Turns
from portico.server.websocket import WebSocketConnection
from portico.settings import Limits, Messages
from portico.wire.answer import WholeAnswer
from portico.wire.head import HeadMemo
from portico.wire.websocket import FrameMemo

_MAX_SHOWN = 200  # characters of a target in the error log


class HttpServer(Acceptor[AccessLog]):
    """Serve one handler on any number of listening sockets.

    limits, messages: the settings groups. log: None for no access log. clock: replaced by tests.
    prepare: called with each exchange before its handler, None as a rule. metrics: what is counted, None for nothing;
    protocol: makes what speaks on a new connection. All three may be set at any time.
    idle_s: the shortest time that a connection may have nothing to say. turns: requests under way and waiting.
    tasks: what handlers do that did not end at once. It exists once the server is open.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        log: AccessLog | None = None,
        *,
        messages: Messages | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.idle_s = min(limits.first_byte_timeout, limits.keep_alive_timeout)
        super().__init__(limits, min(limits.head_timeout, self.idle_s, limits.rate_window), log, clock)
        self.handler = handler
        self.messages = messages or Messages()
        self.prepare: Callable[[Exchange], None] | None = None
        self.protocol = lambda: HttpConnection(self)
        self.turns = Turns(limits)
        self.memo = HeadMemo()
        self.buffers = BufferPool()
        self.frames = FrameMemo()

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Do as `Acceptor.open`. Raises ConfigError, with nothing opened, for a socket that takes no connections."""
        for sock in sockets:
            if sock.type != socket.SOCK_STREAM:
                raise ConfigError(f"{address_of(sock)} is UDP; HTTP is served over TCP, unix:PATH or fd:N")
        await super().open(sockets)

    # called by connections

    @property
    def websockets(self) -> int:
        """Count the connections that have become WebSockets."""
        return sum(isinstance(connection, WebSocketConnection) for connection in self._connections)

    def figures(self) -> Mapping[str, Callable[[], float]]:
        """Return what to measure, for the operator's pages."""
        return {
            "portico_requests_in_flight": lambda: self.active,
            "portico_requests_waiting": lambda: self.turns.waiting,
            "portico_websockets": lambda: self.websockets,
            **super().figures(),
        }

    def finish(self, connection: HttpConnection, exchange: Exchange, sent_bytes: int) -> None:
        """Account for an exchange that has ended. sent_bytes: of its body, whatever the method is."""
        connection.exchange = None
        connection.began_s = self.clock.now_s
        if exchange.request.method == "HEAD":
            sent_bytes = 0
        totals = self.totals
        totals.requests += 1
        totals.bytes_sent += sent_bytes
        if exchange.started_s:
            self._record(connection, exchange, sent_bytes)
        turns = self.turns
        if exchange.has_turn:
            turns.give(exchange)
        elif turns.is_full:
            turns.leave(exchange)
        if exchange.waiter is not None:
            exchange.wake()

    def _record(self, connection: HttpConnection, exchange: Exchange, sent_bytes: int) -> None:
        """Measure an exchange, and log it."""
        duration_s = time.perf_counter() - exchange.started_s
        if self.metrics is not None:
            self.metrics.count(exchange.status, duration_s, sent_bytes)
            if exchange.note:
                self.metrics.drop_request(exchange.status)
        if self.log is not None:
            request, values = exchange.request, exchange.request.values
            self._write(
                Record(
                    time.time() - duration_s,
                    connection.address if exchange.claimed is None else exchange.address,
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
                    exchange.identity,
                )
            )

    def count_refusal(self, connection: Connection, answer: WholeAnswer, reason: str) -> None:
        """Count and log something that never became a request."""
        self.totals.requests += 1
        if self.metrics is not None:
            self.metrics.drop_connection(answer.status)
        if self.log is not None:
            self._write(
                Record(
                    time.time(), connection.address, "-", "-", 11, answer.status, answer.length, 0.0, "", "", "", reason
                )
            )

    def report(self, exc: BaseException, request: Request) -> None:
        """Write an application's failure to the error log, with what was asked and its traceback."""
        import logging

        asked = f"{request.method} {request.target[:_MAX_SHOWN]}"
        logging.getLogger("portico").error("the application failed on %s", asked, exc_info=exc)

    def _write(self, record: Record) -> None:
        assert self.log is not None
        self.log.records.append(record)
        if self._flushing is None:
            self.schedule_flush()
