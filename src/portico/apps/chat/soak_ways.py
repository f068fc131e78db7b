"""The connections of virtual users, one for each way in, and what can go wrong with them.

    SocketWay     frames, in messages of a WebSocket
    FramesWay     frames, a line each, behind "/json on"
    LinesWay      lines as netcat has them, in UTF-8 or GBK
    DatagramWay   datagrams, acknowledged

    reset         the connection is gone at once, for both sides
    stall         nothing is read for a while; over UDP all that comes meanwhile is lost
    forget        the user goes on elsewhere, and the server is not told

In: what a user sends. Out: what it is to take, and that a connection has ended. `open_way` opens the one of a user.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, Protocol, cast

from portico.apps.chat.site import SOCKET
from portico.apps.chat.soak_plan import DATAGRAMS, FRAMES, GBK_LINES, LINES, WEBSOCKET, Account
from portico.apps.chat.soak_texts import Progress, Stored
from portico.apps.chat.websocket import SUBPROTOCOL
from portico.client.websocket import WebSocketLink, connect
from portico.http.url import parse_url
from portico.wire.charset import GB18030, UTF_8, Charset

_MAX_MESSAGE: Final = 64 << 20
_HOST: Final = "127.0.0.1"
_JSON_ON: Final = "/json on"


class Ports(NamedTuple):
    """Where a server is. lines, datagrams: 0 where nobody needs them."""

    http: int
    lines: int = 0
    datagrams: int = 0


class Talking(Protocol):
    """A virtual user, whatever it speaks."""

    account: Account
    is_welcome: bool
    number: int

    def joined(self, way: "Way") -> None:
        """Come in on a new connection."""

    def lost(self, way: "Way") -> None:
        """Hear that a connection has ended."""

    def send(self, conversation: int) -> bool:
        """Send a message; False where that cannot be now."""
        ...

    def take(self, text: str) -> None:
        """Take what came: a message, a line, a datagram."""

    def is_settled(self, progress: Progress) -> bool:
        """Tell whether everything has arrived, on both sides."""
        ...

    def state(self, progress: Progress) -> str:
        """Say what has not."""
        ...

    def verify(self, stored: Stored) -> None:
        """Compare with the store."""


OnLost = Callable[[Talking], None]


class Way:
    """What all have in common. user: None for one that was forgotten."""

    def __init__(self, user: Talking, on_lost: OnLost) -> None:
        self.user: Talking | None = user
        self.transport: asyncio.Transport
        self._on_lost = on_lost

    def send(self, text: str) -> None:
        """Send a frame or a line; nothing happens where the connection has gone."""
        raise NotImplementedError

    def reset(self) -> None:
        """Be gone at once, for both sides: what is under way is lost."""
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def stall(self, seconds: float) -> None:
        """Read nothing for a while."""
        self.transport.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def forget(self, seconds: float) -> None:
        """Leave the connection open, read nothing more; close it later, when the user is long elsewhere."""
        self.transport.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self.transport.abort)
        self._let_go()

    def close(self) -> None:
        """End in good order."""
        self.transport.close()

    def _take(self, text: str) -> None:
        if self.user is not None:
            self.user.take(text)

    def _let_go(self) -> None:
        """Tell the user that this is over, if it still cares."""
        user, self.user = self.user, None
        if user is not None:
            user.lost(self)
            self._on_lost(user)


class SocketWay(Way):
    """A WebSocket. Compression is not offered."""

    def __init__(self, user: Talking, on_lost: OnLost) -> None:
        super().__init__(user, on_lost)
        self._link: WebSocketLink | None = None

    async def open(self, ports: Ports) -> None:
        """Connect. Raises Refused, Gone."""
        url = parse_url(f"http://{_HOST}:{ports.http}{SOCKET}")
        link = await connect(
            lambda: WebSocketLink(self, url, subprotocols=(SUBPROTOCOL,), max_message=_MAX_MESSAGE), url
        )
        self.transport = link.transport

    def joined(self, link: WebSocketLink) -> None:
        """Hear that it is open."""
        self._link = link
        if self.user is not None:
            self.user.joined(self)

    def take(self, message: str | bytes) -> None:
        """Hand on."""
        self._take(str(message))

    def lost(self, why: str) -> None:
        """Hear that it is not open any more; or there is no server now, and another one soon."""
        self._let_go()

    def send(self, text: str) -> None:
        """Send a frame."""
        if self._link is not None:
            self._link.send(text)


class LinesWay(Way, asyncio.Protocol):
    """Lines over TCP, in the charset of the user."""

    def __init__(self, user: Talking, on_lost: OnLost) -> None:
        super().__init__(user, on_lost)
        self._charset = Charset(GB18030 if user.account.way == GBK_LINES else UTF_8)
        self._rest = b""

    async def open(self, ports: Ports) -> None:
        """Connect. Raises OSError."""
        await asyncio.get_running_loop().create_connection(lambda: self, _HOST, ports.lines)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if self.user is not None:
            self.user.joined(self)

    def data_received(self, data: bytes) -> None:
        """Take lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(self._charset.decode(line, final=True))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the user."""
        self._let_go()

    def send(self, text: str) -> None:
        """Send a line."""
        if not self.transport.is_closing():
            self.transport.write(self._charset.encode(f"{text}\n"))


class FramesWay(LinesWay):
    """Frames, a line each; what comes before the first one is for people."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for frames, and come in."""
        self.transport = cast(asyncio.Transport, transport)
        self.send(_JSON_ON)
        super().connection_made(transport)

    def _take(self, text: str) -> None:
        if text.startswith("{"):
            super()._take(text)


class DatagramWay(Way, asyncio.DatagramProtocol):
    """Datagrams from one port, by which the server knows the user until it comes from another one."""

    def __init__(self, user: Talking, on_lost: OnLost) -> None:
        super().__init__(user, on_lost)
        self._is_deaf = False
        self._socket: asyncio.DatagramTransport

    async def open(self, ports: Ports) -> None:
        """Bind. Raises OSError."""
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(_HOST, 0), remote_addr=(_HOST, ports.datagrams)
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in."""
        self._socket = cast(asyncio.DatagramTransport, transport)
        if self.user is not None:
            self.user.joined(self)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take a datagram, unless the network loses it."""
        if not self._is_deaf:
            self._take(data.decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the user."""
        self._let_go()

    def send(self, text: str) -> None:
        """Send a datagram; where nobody listens it is lost."""
        if not self._socket.is_closing():
            self._socket.sendto(text.encode())

    def reset(self) -> None:
        """Close the socket; the user comes back from another port, by its token."""
        self._socket.abort()

    def stall(self, seconds: float) -> None:
        """Lose all that comes for a while."""
        self._is_deaf = True
        asyncio.get_running_loop().call_later(seconds, self._hear)

    def _hear(self) -> None:
        self._is_deaf = False

    def forget(self, seconds: float) -> None:
        """Go on elsewhere; the socket stays for a while, and nobody reads it."""
        asyncio.get_running_loop().call_later(seconds, self._socket.abort)
        self._let_go()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


_KINDS: Final[dict[str, type[SocketWay] | type[LinesWay] | type[DatagramWay]]] = {
    WEBSOCKET: SocketWay,
    FRAMES: FramesWay,
    LINES: LinesWay,
    GBK_LINES: LinesWay,
    DATAGRAMS: DatagramWay,
}


async def open_way(user: Talking, ports: Ports, on_lost: OnLost) -> Way:
    """Connect a user. Raises OSError, Refused, Gone where there is no server."""
    way = _KINDS[user.account.way](user, on_lost)
    await way.open(ports)
    return way
