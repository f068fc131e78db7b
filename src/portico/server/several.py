"""One server of two: HTTP on the sockets that it is given, services on sockets that it has from the beginning.

    Joined(handler, services, sockets)     what an offer opens
    Several(http, services, sockets)       what a session runs: opened, counted, drained and cut as one

In: two servers. Out: one, with the interface of `embedded.Server`. Whoever runs it opens and closes the sockets of the
first as ever; those of the second live and end with the whole. More sockets may come and go later: those of the ports
of the second are for the second.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from portico.net.closing import refuse_new
from portico.net.listening import address_of, close
from portico.server.accepting import GRACE_S, Totals
from portico.server.metrics import Metrics
from portico.settings import Limits

if TYPE_CHECKING:
    from portico.server.embedded import Server
    from portico.server.exchange import Handler
    from portico.server.service import Services
    from portico.server.services import ServiceServer


class Joined(NamedTuple):
    """A handler for HTTP with services beside it.

    sockets: what the services are for, open already. hand_over: called with the services' server before it is opened;
    whoever sends datagrams unasked needs it.
    """

    handler: "Handler"
    services: "Services"
    sockets: Sequence[socket.socket]
    hand_over: "Callable[[ServiceServer], None]" = lambda server: None


class Several:
    """See the module. main: gets the sockets of `open`. beside: serves `sockets`, which this object closes in the end.

    Attributes and methods as those of `Acceptor`.
    """

    def __init__(self, main: "Server", beside: "Server", sockets: Sequence[socket.socket]) -> None:
        self.limits: Limits = main.limits
        self._main = main
        self._beside = beside
        self._sockets = list(sockets)
        self._ports = {(address.kind, address.port) for address in map(address_of, sockets)}
        self._is_open = False

    @property
    def metrics(self) -> Metrics | None:
        """What is counted, None for nothing; may be set at any time."""
        return self._main.metrics

    @metrics.setter
    def metrics(self, metrics: Metrics | None) -> None:
        self._main.metrics = self._beside.metrics = metrics

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Serve HTTP on these, or the services where they have their ports; the first time the services begin, too."""
        if not self._is_open:
            self._is_open = True
            await self._beside.open(self._sockets)
        more = self._of_services(sockets)
        await self._main.open([sock for sock in sockets if sock not in more])
        if more:
            self._sockets += more
            await self._beside.open(more)

    def _of_services(self, sockets: Sequence[socket.socket]) -> list[socket.socket]:
        places = [(sock, address_of(sock)) for sock in sockets]
        return [sock for sock, address in places if (address.kind, address.port) in self._ports and address.port]

    def close(self, sockets: Sequence[socket.socket]) -> None:
        """Close these, which are open here; what is under way goes on."""
        fewer = self._of_services(sockets)
        self._main.close([sock for sock in sockets if sock not in fewer])
        if fewer:
            self._sockets = [sock for sock in self._sockets if sock not in fewer]
            self._beside.close(fewer)

    async def drain(self, timeout_s: float, grace_s: float = GRACE_S) -> int:
        """Come to an end, both at once. Returns how much was cut."""
        if not self._is_open:
            return 0
        await asyncio.sleep(refuse_new(self._sockets))
        cut = await asyncio.gather(self._main.drain(timeout_s, grace_s), self._beside.drain(timeout_s, grace_s))
        close(self._sockets)
        return sum(cut)

    def abort(self) -> None:
        """Close everything now."""
        self._main.abort()
        self._beside.abort()

    def cut(self) -> None:
        """Do the same, and cancel what is being done."""
        self._main.cut()
        self._beside.cut()

    @property
    def totals(self) -> Totals:
        """Add up what both have done."""
        one, other = self._main.totals, self._beside.totals
        return Totals(
            requests=one.requests + other.requests,
            bytes_sent=one.bytes_sent + other.bytes_sent,
            addresses=max(one.addresses, other.addresses),
            cut=one.cut + other.cut,
        )

    @property
    def active(self) -> int:
        """Count what is under way."""
        return self._main.active + self._beside.active

    @property
    def is_taking(self) -> bool:
        """Whether both take what comes."""
        return self._main.is_taking and self._beside.is_taking

    def figures(self) -> Mapping[str, Callable[[], float]]:
        """Return what to measure, for the operator's pages; what both have is added up."""
        one, other = self._main.figures(), self._beside.figures()
        return {name: _sum(one.get(name), other.get(name)) for name in {**one, **other}}


def _sum(*parts: Callable[[], float] | None) -> Callable[[], float]:
    known = [part for part in parts if part is not None]
    return lambda: sum(read() for read in known)
