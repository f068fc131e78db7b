"""The way to a server: to whom to connect, and what to do on the connection before a request can go over it.

In: a URL, a proxy or none, a socket's path or none. Out: a `Route`; requests of equal routes may share a connection.
`open_route` goes it: connects, asks a proxy for a tunnel (RFC 9110 9.3.6), speaks TLS.
"""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from portico.client.connection import Asked, Connection
from portico.client.network import Line, Network
from portico.client.timeouts import Clock
from portico.errors import Gone, Refused
from portico.http.url import Url, UserInfo
from portico.net.addresses import Address

if TYPE_CHECKING:
    import ssl

USER_AGENT_FIELD: Final = "User-Agent"


class Observer(Protocol):
    """Is told what goes over the wire: what `portico get -v` prints."""

    def sent(self, head: bytes) -> None:
        """Hear of a request head, exactly as it went out; it may hold secrets."""
        ...

    def received(self, head: bytes) -> None:
        """Hear of a response head, exactly as it came."""
        ...

    def remark(self, text: str) -> None:
        """Hear what else happens, in one line: a connection, TLS, a redirect."""
        ...


class Route(NamedTuple):
    """How requests reach a server.

    address: to connect to. secure_host: whom TLS is spoken with, "" without TLS.
    proxy_host: whom TLS is spoken with at the proxy, "" for a proxy without. tunnel: HOST:PORT to ask the proxy for.
    proxy_field: the value of Proxy-Authorization, "" for none. Only the proxy ever sees it.
    is_absolute: the proxy reads the requests, which therefore name the whole URL (RFC 9112 3.2.2).
    """

    address: Address
    secure_host: str = ""
    proxy_host: str = ""
    tunnel: str = ""
    proxy_field: str = ""
    is_absolute: bool = False


def plan_route(url: Url, proxy: Url | None, unix: str = "") -> Route:
    """Plan how to reach the server of a URL.

    proxy: to go through; not for a socket. unix: the socket's path, "" for the URL's own.
    """
    secure_host = _name(url) if url.is_secure else ""
    socket = unix or url.socket
    if socket:
        return Route(Address("unix", path=socket), secure_host)
    if proxy is None:
        return Route(_address(url), secure_host)
    proxy_host = _name(proxy) if proxy.is_secure else ""
    credentials = basic(proxy.userinfo) if proxy.userinfo else ""
    if not url.is_secure:
        return Route(_address(proxy), "", proxy_host, "", credentials, True)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return Route(_address(proxy), secure_host, proxy_host, f"{host}:{url.port}", credentials)


def basic(userinfo: UserInfo) -> str:
    """Write credentials as the Basic scheme does (RFC 7617), in UTF-8."""
    pair = f"{userinfo.user}:{userinfo.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _address(url: Url) -> Address:
    return Address("unix", path=url.socket) if url.socket else Address("tcp", host=url.host, port=url.port)


def _name(url: Url) -> str:
    """Return what the certificate has to be for: without the zone of an address, without a final dot."""
    return url.host.partition("%")[0].removesuffix(".")


async def open_route(
    route: Route, network: Network, clock: Clock, *, context: "Callable[[], ssl.SSLContext]", observer: Observer | None
) -> Connection:
    """Connect, and do what the route asks for. context: makes what TLS is spoken with, where it is.

    Raises Refused or Gone in one line; nothing is left open then.
    """
    try:
        line = await network.connect(route.address, clock.connect_s())
    except Gone:
        clock.check()
        raise
    _remark(observer, f"connected to {route.address}")
    try:
        if route.proxy_host:
            line = await _secured(line, route.proxy_host, clock, context=context, observer=observer)
        if route.tunnel:
            await _dig(Connection(line, str(route.address), network=network, observer=observer), route, clock)
            _remark(observer, f"tunnel to {route.tunnel} through {route.address}")
        if route.secure_host:
            line = await _secured(line, route.secure_host, clock, context=context, observer=observer)
    except BaseException as exc:
        line.close()
        if isinstance(exc, Gone):
            clock.check()
        raise
    return Connection(line, str(route.address), network=network, observer=observer)


async def _secured(
    line: Line, host: str, clock: Clock, *, context: "Callable[[], ssl.SSLContext]", observer: Observer | None
) -> Line:
    from portico.client.secure import start_tls

    tls = await start_tls(line, context(), host, clock.connect_s())
    _remark(observer, tls.describe())
    return tls


async def _dig(connection: Connection, route: Route, clock: Clock) -> None:
    """Ask the proxy for a tunnel."""
    from portico import __version__

    fields = [("Host", route.tunnel), (USER_AGENT_FIELD, f"portico/{__version__}")]
    if route.proxy_field:
        fields.append(("Proxy-Authorization", route.proxy_field))
    head = await connection.ask(Asked("CONNECT", route.tunnel, tuple(fields)), clock)
    if not 200 <= head.status < 300:
        hint = "; give it a user and a password" if head.status == 407 else ""
        raise Refused(
            f"the proxy {route.address} refuses the way to {route.tunnel}: {head.status} {head.reason}".rstrip() + hint
        )


def _remark(observer: Observer | None, text: str) -> None:
    if observer is not None:
        observer.remark(text)
