"""Talking by datagrams: a line is one, and what comes is shown with who wrote it and when.

    opened(place, listen_at, ...) -> Letters      with the port that answers come to, or with one that is given
    Letters.say                                   to that place; to whoever wrote last, where there is none

In: lines, datagrams of any charset. Out: datagrams, lines. Two programs talk where each hears at a port and writes to
the other's; which port the other writes from does not matter then.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from portico.cli.speaking import Show
from portico.cli.words import Words
from portico.errors import UsageError
from portico.net.addresses import Address
from portico.net.connecting import connect_async
from portico.net.listening import address_of, listen
from portico.net.resolving import Endpoint, resolve_async
from portico.wire.charset import AUTO, Charset
from portico.wire.lines import printable

WAIT_S: Final = 1.0  # of silence, after the end of a pipe: over UDP nobody ends anything
MAX_DATAGRAM: Final = 65_507  # RFC 768 in IPv4: 65 535 less the two headers
MAX_HOSTS: Final = 1_000  # whose charset is kept
_MAPPED: Final = "::ffff:"  # RFC 4291 section 2.5.5.2
_SET_IN: Final = "    "

Name = Mapping[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class Manner:
    """How datagrams are read and shown. names: of (host, port), as the contact book has them. words: the language.

    wait_s: see `speaking.Party`.
    """

    words: Words
    encoding: str = AUTO
    names: Name = field(default_factory=dict)
    wait_s: float = WAIT_S


async def opened(
    place: Address | None, listen_at: Address | None, *, show: Show, manner: Manner, timeout_s: float
) -> "Letters":
    """Return somebody to talk to.

    place: where lines go, None for whoever wrote last. listen_at: where everybody is heard, None for answers of `place`
    alone; one of the two is given. timeout_s: for the look-up of a name.
    Raises Refused or Gone for a host that is not known, ConfigError for a port that is taken, UsageError for two
    addresses that cannot reach each other.
    """
    loop = asyncio.get_running_loop()
    if listen_at is None:
        assert place is not None, "somebody to write to, or a port to hear at"
        endpoints, sockets = [], [await connect_async(place, timeout_s=timeout_s)]
    else:
        endpoints = [] if place is None else await resolve_async(place.host, place.port, timeout_s=timeout_s)
        sockets = listen(listen_at)
    letters = Letters(show, manner)
    for sock in sockets:
        sock.setblocking(False)
        _, ear = await loop.create_datagram_endpoint(lambda: _Ear(letters), sock=sock)
        letters.ears.append(ear)
    if listen_at is None:
        letters.target = Target(letters.ears[0], sockets[0].getpeername(), is_connected=True)
    elif place is not None:
        letters.target = _target(letters.ears, endpoints)
        if letters.target is None:
            letters.close()
            raise UsageError(
                f"{place} cannot be reached from {listen_at}; write a port alone to hear on every interface"
            )
    return letters


@dataclass(frozen=True, slots=True)
class Target:
    """Where lines go. is_connected: the socket sends nowhere else, and is told where nobody listens."""

    ear: "_Ear"
    name: tuple[Any, ...]
    is_connected: bool = False


def _target(ears: "Sequence[_Ear]", endpoints: Sequence[Endpoint]) -> Target | None:
    """Return how to reach the first of some endpoints that one of our sockets can reach."""
    for family, name in endpoints:
        for ear in ears:
            if ear.family == family:
                return Target(ear, name)
            if family == socket.AF_INET and ear.is_for_both:
                return Target(ear, (f"{_MAPPED}{name[0]}", *name[1:]))
    return None


class _Ear(asyncio.DatagramProtocol):
    """One socket."""

    def __init__(self, letters: "Letters") -> None:
        self._letters = letters
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        sock: socket.socket = transport.get_extra_info("socket")
        self.address = address_of(sock)
        self.family = sock.family
        self.is_for_both = sock.family == socket.AF_INET6 and self.address.host in ("*", "::")

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._letters.take(data, Target(self, addr))

    def error_received(self, exc: Exception) -> None:
        self._letters.complain(exc)


class Letters:
    """See the module; made by `opened`.

    ears: the sockets. target: where lines go, None for nowhere yet. is_refused: what was sent last did not arrive, as
    far as is known.
    """

    def __init__(self, show: Show, manner: Manner) -> None:
        self.ears: list[_Ear] = []
        self.heard_s = 0.0
        self.is_refused = False
        self.target: Target | None = None
        self.wait_s: float | None = manner.wait_s
        self._charsets: OrderedDict[str, Charset] = OrderedDict()
        self._is_following = False
        self._manner = manner
        self._names = dict(manner.names)
        self._over = asyncio.Event()
        self._show = show

    @property
    def here(self) -> str:
        """Where it hears, as people write it."""
        return str(self.ears[0].address)

    def call_target(self, name: str) -> None:
        """Show a name for whoever lines go to; "" for the address."""
        if self.target is not None:
            host, port = at = _host(self.target.name), int(self.target.name[1])
            self._names.setdefault(at, _joined(host, port))
            if name:
                self._names[at] = name

    async def hear(self) -> None:
        """Wait: datagrams have no end."""
        await self._over.wait()

    def take(self, data: bytes, sender: Target) -> None:
        """Show a datagram."""
        self.heard_s, self.is_refused = asyncio.get_running_loop().time(), False
        self._is_following = self._is_following or self.target is None
        if self._is_following:
            self.target = sender
        text = self._charset(sender.name).decode(data, final=True).replace("\r\n", "\n").strip("\n\r\0")
        first, *others = text.split("\n")
        stamp = f"[{time.strftime('%H:%M')}] "
        # A chat begins its lines with the time too; one that says another time keeps it.
        lines = [f"{stamp}{self._who(sender.name)}: {printable(first.removeprefix(stamp))}"]
        self._show("\n".join([*lines, *(f"{_SET_IN}{printable(line)}" for line in others)]))

    def complain(self, exc: Exception) -> None:
        """Say that a datagram did not arrive, as far as anybody says so."""
        self.is_refused = True
        key = "talk-nobody" if isinstance(exc, ConnectionRefusedError) else "talk-unsent"
        who = self._who(self.target.name) if self.target is not None else "?"
        self._show(self._manner.words(key, name=who, why=printable(getattr(exc, "strerror", None) or str(exc))))

    async def say(self, line: str) -> None:
        """Send a line as a datagram. What cannot be sent is said."""
        target = self.target
        if target is None:
            self._show(self._manner.words("talk-nowhere"))
            return
        data = self._charset(target.name).encode(line)
        if len(data) > MAX_DATAGRAM:
            self._show(self._manner.words("talk-too-long", n=len(data), most=MAX_DATAGRAM))
            return
        target.ear.transport.sendto(data, None if target.is_connected else target.name)
        await asyncio.sleep(0)

    def end(self) -> None:
        """Do nothing: nobody can be told."""

    def close(self) -> None:
        """Close the sockets."""
        self._over.set()
        for ear in self.ears:
            ear.transport.close()

    def _charset(self, name: Sequence[Any]) -> Charset:
        """Return the charset of a host, which its own text decides."""
        host = _host(name)
        found = self._charsets.setdefault(host, Charset(self._manner.encoding))
        self._charsets.move_to_end(host)
        if len(self._charsets) > MAX_HOSTS:
            self._charsets.popitem(last=False)
        return found

    def _who(self, name: Sequence[Any]) -> str:
        """Return what somebody is called; a contact who writes from another port has it behind the name."""
        host, port = _host(name), int(name[1])
        shown = _joined(host, port)
        known = {who for (at, _), who in self._names.items() if at == host}
        exact = self._names.get((host, port))
        if exact is None and len(known) == 1:
            return printable(f"{known.pop()} ({shown})")
        return printable(exact or shown)


def _host(name: Sequence[Any]) -> str:
    host = str(name[0])
    return host.removeprefix(_MAPPED) if "." in host else host


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def names_of(contacts: Mapping[str, Address]) -> dict[tuple[str, int], str]:
    """Return the names of addresses, where these are numbers. contacts: name to address."""
    return {(place.host, place.port): name for name, place in contacts.items() if place.kind == "udp"}
