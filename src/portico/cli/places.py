"""Where a command listens: the Listen settings in, listening sockets and their URLs out.

Nothing here waits for a loop, so a port that is taken is reported before anything heavy is loaded.
"""

import os
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from portico.errors import ConfigError, UsageError
from portico.net.addresses import ALL_INTERFACES, Address, parse_address, url
from portico.net.lan import LanAddress, lan_addresses
from portico.net.listening import address_of, close, listen, listen_free
from portico.net.ports import Holder, holder
from portico.settings import Listen

DEFAULT_PORT = 8000
_WILDCARDS = (ALL_INTERFACES, "0.0.0.0", "::")
_LOOPBACKS = ("127.0.0.1", "::1")


class Moved(NamedTuple):
    """The port one would have expected, and who has it (None: not known)."""

    port: int
    holder: Holder | None


class Places(NamedTuple):
    """Open sockets. moved: set where the default port was taken and the next free one is used. admin: for --admin."""

    sockets: list[socket.socket]
    moved: Moved | None
    admin: Sequence[socket.socket] = ()


def open_places(listen_to: Listen, host: str = "localhost") -> Places:
    """Open every socket that the settings ask for, or none.

    host: where to listen without --bind and --lan. A port that was given is taken or refused; without one 8000 or the
    next free port is. Sockets that systemd has opened go before these, unless an option says where to listen.
    Raises UsageError, ConfigError, and PortTaken for a given port.
    """
    wanted = addresses(listen_to, host)
    if listen_to == Listen() and "LISTEN_FDS" in os.environ:
        from portico.net.activation import activated_sockets

        if activated := [entry.socket for entry in activated_sockets()]:
            return Places(activated, None)
    opened: list[socket.socket] = []
    moved = None
    try:
        for address, is_given in wanted:
            if is_given:
                opened += listen(address)
            else:
                opened += listen_free(address)
                found = address_of(opened[-1]).port
                moved = Moved(address.port, holder(address.port)) if found != address.port else moved
    except BaseException:
        close(opened)
        raise
    return Places(opened, moved)


def addresses(listen_to: Listen, host: str = "localhost") -> list[tuple[Address, bool]]:
    """Return where the settings ask to listen, each with whether its port was given; nothing is opened.

    Raises UsageError for what is no address, is UDP, or contradicts --lan.
    """
    if listen_to.lan and listen_to.bind:
        raise UsageError("--lan already means every interface; leave out --bind")
    found = []
    for text in (ALL_INTERFACES,) if listen_to.lan else listen_to.bind or (host,):
        address = parse_address(text, default_port=DEFAULT_PORT if listen_to.port is None else listen_to.port)
        if address.kind == "udp":
            raise UsageError(f"{address} is UDP; HTTP is served over TCP, unix:PATH or fd:N")
        found.append((address, listen_to.port is not None or _has_port(text)))
    return found


def _has_port(text: str) -> bool:
    return parse_address(text, default_port=1) == parse_address(text, default_port=2)


def open_lan(port: int) -> list[socket.socket]:
    """Open a port on each LAN address of this machine, beside what is open on loopback; none where there is no LAN."""
    opened: list[socket.socket] = []
    for entry in lan_addresses():
        try:
            opened += listen(Address("tcp", host=entry.address, port=port))
        except ConfigError:
            close(opened)
            raise
    return opened


class Links(NamedTuple):
    """What people open: on this machine, and from elsewhere with the name of the interface, best first."""

    own: list[str]
    lan: list[tuple[str, str]]


def links_of(sockets: Iterable[socket.socket], path: str = "") -> Links:
    """Return the URLs of listening sockets. path: added to each, without its first slash.

    A unix socket has no URL and is shown as `unix:PATH`. [::1] goes unmentioned beside 127.0.0.1.
    """
    addresses = [address_of(sock) for sock in sockets]
    hosts = {(address.host, address.port) for address in addresses}
    own, lan = [], []
    for address in addresses:
        if address.kind == "unix":
            own.append(str(address))
        elif address.host in _WILDCARDS:
            own.append(url(address) + path)
            lan += [(url(_at(entry, address.port)) + path, entry.interface) for entry in _reached(address)]
        elif address.host not in _LOOPBACKS and not address.host.startswith("127."):
            lan.append((url(address) + path, _interface(address.host)))
        elif address.host != "::1" or ("127.0.0.1", address.port) not in hosts:
            own.append(url(address) + path)
    return Links(own, lan)


def _reached(address: Address) -> Sequence[LanAddress]:
    return [entry for entry in lan_addresses() if address.host != "0.0.0.0" or ":" not in entry.address]


def _at(entry: LanAddress, port: int) -> Address:
    return Address("tcp", host=entry.address, port=port)


def _interface(host: str) -> str:
    return next((entry.interface for entry in lan_addresses() if entry.address == host), "")
