"""What every server of connections does: listening sockets, who is connected, deadlines, coming to an end.

    open -> (kernel) -> protocol() -> admit ... dismiss
    tick -> wheel -> connection.check              once a tick, for as long as there are connections
    drain                                          answer what has been asked, then close

In: listening sockets; out: connections that were counted in and out, totals. What is spoken on them is the business of
whoever builds on it: `HttpServer`, `StreamServer`. One instance belongs to one event loop.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from portico.net.listening import BACKLOG, accept_waiting
from portico.net.listening import close as close_sockets
from portico.server.clock import Clock, Wheel
from portico.server.metrics import Metrics
from portico.server.tasks import Tasks
from portico.settings import Limits

_FLUSH_S = 0.05
# asyncio tries so often in a turn; without a descriptor left, each attempt is a complaint, and a timer to try again.
_AT_ONCE = 32
_TURNS = 3  # a loop needs them to tell of the connections that it has accepted
_FAREWELL_S = 1.0  # aborted connections say so in the next turn of the loop
GRACE_S = 0.3  # how long an idle connection may still ask something while we stop
# Since 3.13 asyncio removes the file of a socket that it closes; this one may be a supervisor's as well.
_KEEP_FILE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
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


class Connection(Protocol):
    """What the server knows of a connection, whatever it speaks.

    address: the peer's IP address. bucket: the wheel's. is_busy: closing it now would cut something off.
    is_fresh: nothing has been asked yet.
    """

    address: str
    bucket: int
    is_fresh: bool
    transport: asyncio.Transport

    @property
    def is_busy(self) -> bool: ...

    def check(self, now_s: float) -> float | None: ...

    def drain(self) -> None:
        """Come to an end: after the answer under way, or by a closing handshake."""
        ...

    def end_idleness(self) -> None:
        """Close now unless something is under way."""
        ...


class BatchLog(Protocol):
    """A log that gathers records and writes them in batches. lost: lines that could not be written."""

    lost: int

    def flush(self) -> None: ...


AnyLog = TypeVar("AnyLog", bound=BatchLog)


class Acceptor(Generic[AnyLog]):
    """See the module.

    limits: what peers may use. shortest_s: the shortest deadline that any connection has. log: None for none; whoever
    adds to it calls `schedule_flush`. clock: replaced by tests.
    metrics: what is counted, None for nothing; protocol: makes what speaks on a new connection. Both may be set at any
    time. tasks: what connections do that did not end at once. It exists once the server is open.
    """

    def __init__(self, limits: Limits, shortest_s: float, log: AnyLog | None, clock: Clock | None) -> None:
        self.limits = limits
        self.metrics: Metrics | None = None
        self.protocol: Callable[[], asyncio.Protocol]
        self.tasks: Tasks
        self.clock = clock or Clock()
        self.totals = Totals()
        self.loop: asyncio.AbstractEventLoop
        self.wheel = Wheel(min(1.0, shortest_s / 4))
        self.log = log
        self._connections: set[Connection] = set()
        self._per_address: dict[str, int] = {}
        self._seen: set[str] = set()
        self._listeners: dict[socket.socket, asyncio.Server] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._flushing: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self._is_draining = False

    # listeners

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on these listening sockets; may be called again for more."""
        if self._listeners == {}:
            self.loop = asyncio.get_running_loop()
            self.tasks = Tasks(self.loop)
        for sock in sockets:
            is_unix = sock.family == socket.AF_UNIX
            listen = self.loop.create_unix_server if is_unix else self.loop.create_server
            # The loop gets a descriptor of its own, so that we can still accept what waits when it has closed that.
            own = socket.socket(fileno=os.dup(sock.fileno()))
            more = _KEEP_FILE if is_unix else {}
            self._listeners[sock] = await listen(lambda: self.protocol(), sock=own, backlog=_AT_ONCE, **more)
            sock.listen(BACKLOG)

    def close(self, sockets: Sequence[socket.socket]) -> None:
        """Close these; connections they made go on."""
        for sock in sockets:
            server = self._listeners.pop(sock, None)
            if server is not None:
                server.close()
                close_sockets([sock])

    async def drain(self, timeout_s: float, grace_s: float = GRACE_S) -> int:
        """Stop accepting, answer what has been asked, close the rest.

        Whoever waits in the kernel's queue is still served, and the listening sockets are closed then; whose they are
        alone should call `net.closing.refuse_new` first, since one more may come before the close. timeout_s: after
        that long whatever is left is cut. grace_s: how long whoever has not asked anything yet may still do so, within
        that time; kept connections have at most 0.3 s for it. Returns how many exchanges were cut.
        """
        cut_before = self.totals.cut
        self._is_draining = True
        for connection in list(self._connections):
            connection.drain()
        await self._close_listeners()
        end_s = self.loop.time() + timeout_s
        await self._end_idleness(grace_s, timeout_s)
        await self._wait_empty(end_s - self.loop.time())
        self.abort()
        await self._wait_empty(_FAREWELL_S)
        await self._end_tasks(end_s - self.loop.time())
        if self._flushing is not None:
            self._flushing.cancel()
            self._flush_log()
        return self.totals.cut - cut_before

    async def _close_listeners(self) -> None:
        """Stop accepting when the kernel's queues, and the loop's, are empty."""
        for server in self._listeners.values():
            for own in server.sockets:
                # asyncio drops whom it has accepted and not told us of when it closes a server; so it stops first.
                with suppress(NotImplementedError):  # the proactor of Windows
                    self.loop.remove_reader(own.fileno())
        await self._turn()
        accepted = []
        for sock, server in self._listeners.items():
            server.close()
            accepted += accept_waiting(sock)
            close_sockets([sock])
        self._listeners.clear()
        for peer in accepted:
            await self.loop.connect_accepted_socket(self.protocol, peer)
        await self._turn()

    async def _turn(self) -> None:
        """Let the loop tell of the connections that it has accepted."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _end_idleness(self, grace_s: float, timeout_s: float) -> None:
        """Close those who ask nothing: kept connections soon, others when the time of grace is over."""
        kept_s = min(grace_s, GRACE_S, timeout_s)
        for wait_s, is_last in ((kept_s, False), (min(grace_s, timeout_s) - kept_s, True)):
            await self._wait_empty(wait_s)
            for connection in list(self._connections):
                if is_last or not connection.is_fresh:
                    connection.end_idleness()

    async def _wait_empty(self, timeout_s: float) -> None:
        if self._connections and timeout_s > 0:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=timeout_s)

    async def _end_tasks(self, timeout_s: float) -> None:
        """Let end what handlers do after their answers; cancel it at the end of the time."""
        for wait_s in (max(timeout_s, 0), _FAREWELL_S):
            if self.tasks.running:
                await asyncio.wait(set(self.tasks.running), timeout=wait_s)
            for task in self.tasks.running:
                task.cancel()
        self.tasks.close()

    def abort(self) -> None:
        """Close every connection now, whatever it is doing; what was under way counts as cut."""
        self.totals.cut += self.active
        for connection in list(self._connections):
            connection.transport.abort()

    def cut(self) -> None:
        """Close every connection now, and cancel what is being done for it: not everybody cares who has gone."""
        self.abort()
        for task in list(self.tasks.running) if self.is_open else ():
            task.cancel()

    @property
    def is_open(self) -> bool:
        """Whether `open` has been called."""
        return hasattr(self, "tasks")

    @property
    def active(self) -> int:
        """Count the exchanges under way; one is until its answer is with the kernel."""
        return sum(connection.is_busy for connection in self._connections)

    @property
    def is_taking(self) -> bool:
        """Whether connections are accepted: from `open` until `drain`."""
        return bool(self._listeners) and not self._is_draining

    @property
    def connections(self) -> int:
        """Count the open connections."""
        return len(self._connections)

    def figures(self) -> Mapping[str, Callable[[], float]]:
        """Return what to measure, for the operator's pages."""
        return {
            "portico_connections": lambda: self.connections,
            "portico_log_lines_lost_total": lambda: self.log.lost if self.log is not None else 0,
        }

    # called by connections

    def admit(self, connection: Connection, predecessor: Connection | None = None) -> tuple[int, str]:
        """Count a connection in. Returns a status and a reason to refuse it with, or 0.

        predecessor: whose transport it takes over.
        """
        address = connection.address
        before = self._per_address.get(address, 0)
        self._per_address[address] = before + 1
        self._connections.add(connection)
        if self._ticking is None:
            self._tick()
        if self._is_draining:  # one of those that the kernel, or the loop, had accepted
            connection.drain()
        if address not in self._seen and len(self._seen) < _MAX_ADDRESSES:
            self._seen.add(address)
            self.totals.addresses += 1
        if predecessor is not None:
            self.dismiss(predecessor)
        if len(self._connections) > self.limits.max_connections:
            return 503, f"over {self.limits.max_connections} connections at once"
        if before >= self.limits.max_connections_per_address and address != "unix":
            return 429, f"over {self.limits.max_connections_per_address} connections at once from one address"
        return 0, ""

    def dismiss(self, connection: "Connection") -> None:
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

    def replace(self, connection: "Connection", other: "Connection") -> None:
        """Count on with another protocol on the same transport, after an upgrade."""
        self.wheel.discard(connection)
        self._connections.discard(connection)
        self._connections.add(other)

    # the tick

    def _tick(self) -> None:
        """Refresh the clock and ask what is due; once a tick, for as long as there are connections."""
        self.clock.tick()
        self._ticking = None
        try:
            self.wheel.turn(self.clock.now_s)
        finally:  # whatever goes wrong with one connection, the others have their deadlines
            if self._connections and self._ticking is None:
                self._ticking = self.loop.call_later(self.wheel.tick_s, self._tick)

    def schedule_flush(self) -> None:
        """See to it that what the log has gathered is written soon."""
        if self._flushing is None:
            self._flushing = self.loop.call_later(_FLUSH_S, self._flush_log)

    def _flush_log(self) -> None:
        self._flushing = None
        if self.log is not None:
            self.log.flush()
