"""Somebody to talk to, over a stream or over datagrams alike; found by connecting, or by waiting for someone.

    connected(address, ...) -> Talk
    Waiting(address)                a place where others come
      accept() -> Talk

In: an address. Out: a `Talk`, whose bytes go both ways at once. Refused and Gone as in `client/links.py`.
"""

import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from portico.client.links import MAX_DATAGRAM, DatagramLink, Link, tcp, udp
from portico.errors import UsageError
from portico.net.addresses import Address
from portico.net.listening import address_of, close, listen
from portico.wire.charset import Charset

if TYPE_CHECKING:
    import ssl

PIECE: Final = 256 * 1024
_MAPPED: Final = "::ffff:"


class Talk:
    """A conversation with one peer. One thread may send while another receives.

    is_datagrams: each piece is a datagram. charset: of its text.
    """

    def __init__(self, link: Link | DatagramLink) -> None:
        self._link = link
        self.peer = link.peer
        self.charset: Charset = link.charset
        self.is_datagrams = isinstance(link, DatagramLink)
        self._is_over = False

    def send(self, data: bytes) -> None:
        """Send all of it, and wait while the peer is slow; datagrams as large as they may be."""
        if not self.is_datagrams:
            self._link.send(data)
            return
        for at in range(0, max(len(data), 1), MAX_DATAGRAM):
            self._link.send(data[at : at + MAX_DATAGRAM])

    def receive(self) -> bytes | None:
        """Wait for the next piece; None once the peer has ended its side. A datagram may be empty."""
        data = self._link.receive(PIECE)
        return None if self._is_over or not (data or self.is_datagrams) else data

    def is_heard(self, within_s: float) -> bool:
        """Wait until there is something to receive, or the end; tell whether there was in time."""
        return self._link.is_heard(within_s)

    def end(self) -> None:
        """End our side, where there is such a thing."""
        if isinstance(self._link, Link):
            self._link.end()

    def abort(self) -> None:
        """End both sides at once: whoever waits in another thread returns."""
        self._is_over = True
        self._link.abort()

    def close(self) -> None:
        """Close it."""
        self._link.close()


def connected(address: Address, *, encoding: str, timeout_s: float, tls: "ssl.SSLContext | None") -> Talk:
    """Connect to an address. timeout_s: for that alone; afterwards nothing has a deadline."""
    link: Link | DatagramLink
    if address.kind == "udp":
        link = udp(address, encoding=encoding, timeout_s=timeout_s)
    else:
        link = tcp(address, encoding=encoding, timeout_s=timeout_s, tls=tls)
    link.timeout_s = None
    return Talk(link)


class Waiting:
    """A place where one peer after the other is waited for. Closed by its `close`.

    shown: its address, with the port that it got.
    """

    def __init__(self, address: Address, encoding: str) -> None:
        """Open it. Raises what `listen` raises, and UsageError for an unknown charset."""
        self._encoding = encoding
        Charset(encoding)
        self._sockets = listen(address)
        self.is_datagrams = address.kind == "udp"
        self.shown = str(address_of(self._sockets[0])._replace(host=address.host) if address.host else address)

    def accept(self) -> Talk:
        """Wait for a peer, however long that takes: a connection, or a first datagram, which then is received first."""
        while True:
            ready, _, _ = select.select(self._sockets, [], [])
            with suppress(OSError):  # it has gone again
                return self._met(ready[0])

    def close(self) -> None:
        """Stop waiting; those who were met stay."""
        close(self._sockets)

    def _met(self, sock: socket.socket) -> Talk:
        charset = Charset(self._encoding)
        if self.is_datagrams:
            _, name = sock.recvfrom(1, socket.MSG_PEEK)
            sock.connect(name)
            self._sockets = [other for other in self._sockets if other is not sock]
            return Talk(DatagramLink(sock, peer=_shown(name, "udp"), charset=charset, timeout_s=None))
        peer, name = sock.accept()
        return Talk(Link(peer, peer=_shown(name, "tcp"), charset=charset, timeout_s=None))


def _shown(name: object, kind: str) -> str:
    if not isinstance(name, tuple):
        return "unix"
    # An IPv4 peer of a socket for both families has an address of IPv6 there (RFC 4291, section 2.5.5.2).
    host = str(name[0])
    host = host.removeprefix(_MAPPED) if "." in host else host
    return str(Address("udp" if kind == "udp" else "tcp", host=host, port=int(name[1])))


def refuse_keeping_datagrams(address: Address) -> None:
    """Raise UsageError where someone wants to wait for the next after the last of those who never leave."""
    if address.kind == "udp":
        raise UsageError("--keep is for streams: over UDP nobody leaves; leave it out")
