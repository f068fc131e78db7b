"""The beginning of a connection from a proxy that speaks the PROXY protocol: its head, then HTTP.

    HttpServer.protocol = gatekeeper(server, trust)
      a peer that is listed       ProxyGate -> ProxyParser -> HttpConnection, from where the head says
      anybody else                HttpConnection at once; a PROXY head from there is no HTTP, and refused

A listed peer must send a head: were it optional, a visitor who reaches the server through the proxy could write one.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from portico.errors import PeerError
from portico.gateway.contract import Origin
from portico.http.proxies import Proxies
from portico.net.proxy_protocol import ProxyHead, ProxyParser
from portico.server.connection import HttpConnection
from portico.server.exchange import address_of
from portico.server.refusals import refusal_answer
from portico.settings import Trust
from portico.wire.answer import Persistence

if TYPE_CHECKING:
    from portico.server.http import HttpServer


def gatekeeper(server: "HttpServer", trust: Trust) -> Callable[[], asyncio.Protocol] | None:
    """Return what makes the protocol of each connection, None where no proxy is listed.

    Raises UsageError for a proxy that is neither an address nor a network.
    """
    proxies = Proxies(trust.proxy_protocol)
    return (lambda: ProxyGate(server, proxies)) if proxies else None


class ProxyGate(asyncio.Protocol):
    """Reads the head of one connection, then leaves the transport to HTTP. The attributes: see Connection."""

    transport: asyncio.Transport
    is_busy = False
    is_fresh = True

    def __init__(self, server: "HttpServer", proxies: Proxies) -> None:
        self._server = server
        self._proxies = proxies
        self._parser = ProxyParser()
        self._is_draining = False
        self.address = ""
        self.bucket = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head, or stand aside."""
        self.transport = cast(asyncio.Transport, transport)
        self.address = address_of(transport)
        if not self._proxies.believes(self.address):
            self._become_http(None)
            return
        status, _ = self._server.admit(self)
        self._server.wheel.add(self, self._server.clock.now_s + self._server.limits.head_timeout)
        if status == 503:  # not 429: how many visitors one address has is seen once the head is there
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything."""
        self._server.dismiss(self)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the head."""
        try:
            head = self._parser.feed(data)
        except PeerError as exc:
            self._refuse(exc.status, str(exc))
            return
        if head is not None:
            self._become_http(head)

    def _become_http(self, head: ProxyHead | None) -> None:
        """Hand the transport over. head: None if there was none."""
        connection = HttpConnection(self._server, head and self._origin(head))
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport, head and self)
        connection.codec.is_last = connection.codec.is_last or self._is_draining
        if head is not None and head.rest:
            connection.data_received(head.rest)

    def _origin(self, head: ProxyHead) -> Origin | None:
        if head.client is None or head.server is None:
            return None
        return Origin(head.client, head.server, "https" if head.is_tls else "http")

    def _refuse(self, status: int, reason: str) -> None:
        answer = refusal_answer(status, reason)
        self._server.count_refusal(self, answer, reason)
        self.transport.write(answer.render(self._server.clock.date_line, Persistence.CLOSE))
        self.transport.close()

    # the rest of what the server wants of a connection

    def check(self, now_s: float) -> float | None:
        """Refuse a head that takes too long."""
        self._refuse(408, f"the PROXY head was not complete within {self._server.limits.head_timeout:g} s")
        return None

    def drain(self) -> None:
        """Go on waiting for the head: somebody may have asked something behind it."""
        self._is_draining = True

    def end_idleness(self) -> None:
        """Close: nothing has been asked."""
        self.transport.close()
