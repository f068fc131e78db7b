"""A stream service and a datagram service behind one door: each socket goes to whom it is for.

In: sockets of any kind; out: one server, as a session, a worker or a program wants it.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from portico.errors import ConfigError, UsageError
from portico.gateway.pool import Pool
from portico.net.listening import address_of
from portico.server.accepting import GRACE_S, Totals
from portico.server.datagrams import DatagramServer
from portico.server.metrics import Metrics
from portico.server.peer import Peer
from portico.server.streams import StreamServer
from portico.settings import Limits, Service

if TYPE_CHECKING:
    from portico.server.service import Services
    from portico.server.service_log import ServiceLog


class ServiceServer:
    """Serve connections, datagrams, or both.

    pool: threads for plain functions. log: None for none. Attributes and methods as those of `Acceptor`.
    """

    def __init__(
        self,
        services: "Services",
        limits: Limits,
        settings: Service,
        log: "ServiceLog | None" = None,
        *,
        pool: Pool | None = None,
    ) -> None:
        self.limits = limits
        self.log = log
        self._streams: StreamServer | None = None
        self._datagrams: DatagramServer | None = None
        if services.stream is not None:
            self._streams = StreamServer(services.stream, limits, settings, log)
            self._streams.pool = pool
        if services.datagram is not None:
            self._datagrams = DatagramServer(services.datagram, limits, settings, log)
            self._datagrams.pool = pool
        self._servers = [server for server in (self._streams, self._datagrams) if server is not None]
        self._opened: set[StreamServer | DatagramServer] = set()

    @property
    def metrics(self) -> Metrics | None:
        """What is counted, None for nothing; may be set at any time."""
        return self._servers[0].metrics

    @metrics.setter
    def metrics(self, metrics: Metrics | None) -> None:
        for server in self._servers:
            server.metrics = metrics

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these. Raises ConfigError, with none of them opened, for a socket that no service here is for."""
        for server, kind in self._kinds():
            if server is None and (misfits := [sock for sock in sockets if sock.type == kind]):
                raise ConfigError(_misfit(misfits[0]))
        for server, kind in self._kinds():
            if server is not None and (found := [sock for sock in sockets if sock.type == kind]):
                await server.open(found)
                self._opened.add(server)

    def close(self, sockets: Sequence[socket.socket]) -> None:
        """Close these; what is under way goes on."""
        for server, kind in self._kinds():
            if server is not None:
                server.close([sock for sock in sockets if sock.type == kind])

    def _kinds(self) -> Iterable[tuple[StreamServer | DatagramServer | None, socket.SocketKind]]:
        return (self._streams, socket.SOCK_STREAM), (self._datagrams, socket.SOCK_DGRAM)

    def send(self, peer: Peer, data: bytes) -> bool:
        """Send a datagram that answers none; see `DatagramServer.send`. Raises UsageError without datagrams."""
        if self._datagrams is None:
            raise UsageError("nothing here is for datagrams, so none can be sent")
        return self._datagrams.send(peer, data)

    async def drain(self, timeout_s: float, grace_s: float = GRACE_S) -> int:
        """Come to an end, both at once. Returns how many connections and answers were cut."""
        cut = sum(await asyncio.gather(*(server.drain(timeout_s, grace_s) for server in self._opened)))
        if self.log is not None:
            self.log.finish()
        return cut

    def abort(self) -> None:
        """Close everything now."""
        for server in self._opened:
            server.abort()

    def cut(self) -> None:
        """Do the same, and cancel what services are doing."""
        for server in self._opened:
            server.cut()

    @property
    def totals(self) -> Totals:
        """Add up what both have done."""
        parts = [server.totals for server in self._servers]
        return Totals(
            requests=sum(part.requests for part in parts),
            bytes_sent=sum(part.bytes_sent for part in parts),
            addresses=max(part.addresses for part in parts),
            cut=sum(part.cut for part in parts),
        )

    @property
    def active(self) -> int:
        """Count the services' calls under way."""
        return sum(server.active for server in self._servers)

    @property
    def connections(self) -> int:
        """Count the open connections."""
        return sum(server.connections for server in self._servers)

    @property
    def is_taking(self) -> bool:
        """Whether connections or datagrams are taken."""
        return any(server.is_taking for server in self._servers)

    def figures(self) -> Mapping[str, Callable[[], float]]:
        """Return what to measure, for the operator's pages."""
        return {
            "portico_connections": lambda: self.connections,
            "portico_calls_in_flight": lambda: self.active,
            "portico_served_total": lambda: self.totals.requests,
            "portico_sent_bytes_total": lambda: self.totals.bytes_sent,
            "portico_log_lines_lost_total": lambda: self.log.lost if self.log is not None else 0,
        }


def _misfit(sock: socket.socket) -> str:
    address = address_of(sock)
    if sock.type == socket.SOCK_DGRAM:
        return f"{address} is UDP, and this is a service for connections; write tcp://HOST:PORT or unix:PATH"
    return f"{address} takes connections, and this is a service for datagrams; write udp://HOST:PORT"
