"""Where a command listens: the Listen settings in, listening sockets and their URLs out.

Nothing here waits for a loop, so a port that is taken is reported before anything heavy is loaded.
"""

import os
import socket
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from portico.errors import ConfigError, UsageError
from portico.net.addresses import ALL_INTERFACES, Address, Kind, parse_address, url
from portico.net.lan import LanAddress, lan_addresses
from portico.net.listening import PortTaken, address_of, close, listen, listen_free
from portico.net.ports import Holder, holder
from portico.settings import Listen

DEFAULT_PORT = 8000
_WILDCARDS = (ALL_INTERFACES, "0.0.0.0", "::")
_LOOPBACKS = ("127.0.0.1", "::1")
_TRIES = 20


class Moved(NamedTuple):
    """The port one would have expected, and who has it (None: not known)."""

    port: int
    holder: Holder | None


class Places(NamedTuple):
    """Open sockets. moved: set where the default port was taken and the next free one is used. admin: for --admin."""

    sockets: list[socket.socket]
    moved: Moved | None
    admin: Sequence[socket.socket] = ()


class Wanted(NamedTuple):
    """Where to listen: addresses that differ in their kind alone, to be had with one port. is_given: the port is."""

    addresses: tuple[Address, ...]
    is_given: bool


def open_places(
    listen_to: Listen, host: str = "localhost", *, kinds: Sequence[Kind] = ("tcp",), also: Sequence[Kind] = ()
) -> Places:
    """Open every socket that the settings ask for, or none.

    host: where to listen without --bind and --lan. kinds, also: see `wanted`. A port that was given is taken or
    refused; without one 8000 or the next free port is. Sockets that systemd has opened go before these, unless an
    option says where to listen.
    Raises UsageError, ConfigError, and PortTaken for a given port.
    """
    places = wanted(listen_to, host, kinds=kinds, also=also)
    if listen_to == Listen() and "LISTEN_FDS" in os.environ:
        from portico.net.activation import activated_sockets

        if activated := [entry.socket for entry in activated_sockets()]:
            return Places(activated, None)
    opened: list[socket.socket] = []
    moved = None
    try:
        for place in places:
            more = _listen_all(place.addresses) if place.is_given else _listen_free(place.addresses)
            opened += more
            first, found = place.addresses[0].port, address_of(more[0]).port
            if not place.is_given and found != first:
                moved = Moved(first, holder(first) or holder(first, "udp"))
    except BaseException:
        close(opened)
        raise
    return Places(opened, moved)


def wanted(
    listen_to: Listen, host: str = "localhost", *, kinds: Sequence[Kind] = ("tcp",), also: Sequence[Kind] = ()
) -> list[Wanted]:
    """Return where the settings ask to listen; nothing is opened.

    kinds: "tcp", "udp" or both: what an address means that says neither. also: what it may say.
    Raises UsageError for what is no address, is of a kind that is not served, or contradicts --lan.
    """
    if listen_to.lan and listen_to.bind:
        raise UsageError("--lan already means every interface; leave out --bind")
    found = []
    for text in (ALL_INTERFACES,) if listen_to.lan else listen_to.bind or (host,):
        port = DEFAULT_PORT if listen_to.port is None else listen_to.port
        addresses = dict.fromkeys(parse_address(text, default_port=port, default_scheme=kind) for kind in kinds)
        for address in addresses:
            _check_kind(address, {*kinds, *also})
        found.append(Wanted(tuple(addresses), listen_to.port is not None or _has_port(text)))
    return found


def _check_kind(address: Address, served: Collection[Kind]) -> None:
    if address.kind in served or address.kind == "fd" or (address.kind == "unix" and "tcp" in served):
        return
    if address.kind == "udp":
        raise UsageError(f"{address} is UDP; this is served over TCP, unix:PATH or fd:N")
    if "tcp" not in served:
        raise UsageError(f"{address} is not UDP; this is served over UDP: write udp://HOST:PORT or fd:N")
    raise UsageError(f"{address} is TLS, which is not served here; write tcp://HOST:PORT or unix:PATH")


def check_http(addresses: Iterable[Address]) -> None:
    """Raise UsageError for an address at which HTTP cannot be served."""
    for address in addresses:
        if address.kind == "udp":
            raise UsageError(f"{address} is UDP; HTTP is served over TCP, unix:PATH or fd:N")


def _listen_all(addresses: Sequence[Address]) -> list[socket.socket]:
    """Listen on each, with the port of the first where the system chooses; all of them, or none."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            opened += listen(address._replace(port=address_of(opened[0]).port) if opened else address)
    except ConfigError:
        close(opened)
        raise
    return opened


def _listen_free(addresses: Sequence[Address]) -> list[socket.socket]:
    """Listen on the first port that is free for each of them."""
    first, *others = addresses
    for _ in range(_TRIES if others else 1):
        opened = listen_free(first)
        if not others:
            return opened
        first = first._replace(port=address_of(opened[0]).port)
        try:
            return opened + _listen_all([other._replace(port=first.port) for other in others])
        except PortTaken:
            close(opened)
            first = first._replace(port=first.port + 1)
    return _listen_all(addresses)  # which says who has the port


def _has_port(text: str) -> bool:
    return parse_address(text, default_port=1) == parse_address(text, default_port=2)


def open_lan(port: int, kind: Kind = "tcp") -> list[socket.socket]:
    """Open a port on each LAN address of this machine, beside what is open on loopback; none where there is no LAN."""
    opened: list[socket.socket] = []
    for entry in lan_addresses():
        try:
            opened += listen(Address(kind, host=entry.address, port=port))
        except ConfigError:
            close(opened)
            raise
    return opened


class Links(NamedTuple):
    """What people open: on this machine, and from elsewhere with the name of the interface, best first."""

    own: list[str]
    lan: list[tuple[str, str]]


def links_of(sockets: Iterable[socket.socket], path: str = "", *, is_http: bool = True) -> Links:
    """Return the URLs of listening sockets. path: added to each, without its first slash.

    is_http: a browser can open them; otherwise they are what `portico connect` takes: `tcp://localhost:9000`.
    A unix socket has no URL and is shown as `unix:PATH`. [::1] goes unmentioned beside 127.0.0.1.
    """
    addresses = [address_of(sock) for sock in sockets]
    places = {(address.kind, address.host, address.port) for address in addresses}

    def link(address: Address) -> str:
        return url(address) + path if is_http else url(address, address.kind).rstrip("/")

    own, lan = [], []
    for address in addresses:
        if address.kind == "unix":
            own.append(str(address))
        elif address.host in _WILDCARDS:
            own.append(link(address))
            lan += [(link(address._replace(host=entry.address)), entry.interface) for entry in _reached(address)]
        elif address.host not in _LOOPBACKS and not address.host.startswith("127."):
            lan.append((link(address), _interface(address.host)))
        elif address.host != "::1" or (address.kind, "127.0.0.1", address.port) not in places:
            own.append(link(address))
    return Links(own, lan)


def _reached(address: Address) -> Sequence[LanAddress]:
    return [entry for entry in lan_addresses() if address.host != "0.0.0.0" or ":" not in entry.address]


def _interface(host: str) -> str:
    return next((entry.interface for entry in lan_addresses() if entry.address == host), "")
