"""The chat over WebSocket: a `Session` whose wire is one.

    serve_socket(house, exchange)
      upgrade                       subprotocol portico.chat.v1
      receive -> Session.take       until one side closes
      Reader -> SocketWire.send     several frames in a message, a line each

A client says hello within a few seconds, and with a token that is known, or it is let go. One that takes nothing of
what it is sent is let go too, and finds the rest in the log when it comes back. Why is said twice: in a frame `bye`,
and in the close frame.

    1001  the server stops           1003  a binary message              1007  text that is no UTF-8
    1009  a message that is too long 1011  a fault of ours
    4001  no known token             4002  no hello in time             4003  signed out meanwhile
    4008  nothing was taken          4009  went on and on with what was refused

1001, 1007, and as a rule 1009, are said by the layer below, without a `bye`.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from portico.apps.chat import frames
from portico.apps.chat.session import House, Me, Session
from portico.errors import Gone, UsageError
from portico.server.exchange import Exchange
from portico.server.websocket import WebSocketConnection
from portico.settings import Messages

SUBPROTOCOL: Final = "portico.chat.v1"
MAX_MESSAGE: Final = 64 * 1024  # bytes, of a client
MESSAGES: Final = Messages(ws_max_message=MAX_MESSAGE, ws_max_rate=500)  # for the server that the chat is on
MAX_UNSENT: Final = 256 * 1024  # bytes that wait for a client; beyond, it reads from the log
_MAX_JOINED: Final = 64 * 1024  # characters of several frames in one message

UNKNOWN: Final = 4001
SILENT: Final = 4002
SLOW: Final = 4008
ABUSIVE: Final = 4009
_BYE: Final = frames.write("bye")[:-1]
_FAILED: Final = 1011
_MAX_REASON: Final = 40  # characters, of 123 bytes in UTF-8 (RFC 6455 5.5)
_BINARY: Final = 1003
_TOO_LONG: Final = 1009


class Terms(NamedTuple):
    """What is asked of a client. hello_s, stall_s: how long it may take to say hello, and to take anything of what
    waits for it. is_abusive: whether somebody has gone on too long with what is refused."""

    hello_s: float = 10.0
    stall_s: float = 30.0
    is_abusive: Callable[[Me], bool] = lambda me: False


class Joiner:
    """Puts the frames of one turn into messages; the same frames for the next client are the same messages.

    What is sent to many is then framed, and compressed, once: `FrameMemo` knows a message by its identity. Readers of
    one room are flushed one after the other, so the last list is remembered and no more.
    """

    __slots__ = ("_frames", "_joined")

    def __init__(self) -> None:
        self._frames: Sequence[str] = ()
        self._joined: list[str] = []

    def join(self, messages: Sequence[str]) -> Sequence[str]:
        """Return messages of bounded size that hold these frames."""
        if len(messages) == 1:
            return messages
        if messages != self._frames:
            self._frames = messages
            self._joined = list(_joined(messages))
        return self._joined


def _joined(messages: Sequence[str]) -> list[str]:
    groups: list[list[str]] = [[]]
    size = 0
    for message in messages:
        if size + len(message) > _MAX_JOINED and groups[-1]:
            groups.append([])
            size = 0
        groups[-1].append(message)
        size += len(message)
    return ["\n".join(group) for group in groups]


class SocketWire:
    """The way out to one WebSocket; see `hub.Wire`. on_room: called when there is room again. run: as the hub's."""

    __slots__ = ("_is_stalled", "_joiner", "_run", "_socket", "_stall_s", "on_room")

    def __init__(self, socket: WebSocketConnection, joiner: Joiner, run: Callable[..., object], stall_s: float) -> None:
        self._is_stalled = False
        self._joiner = joiner
        self._run = run
        self._socket = socket
        self._stall_s = stall_s
        self.on_room: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        """Whether the client takes what it is sent; once it does not, it has to catch up before this is so again."""
        if self._is_stalled:
            return False
        if self._socket.transport.get_write_buffer_size() <= MAX_UNSENT:
            return True
        self._is_stalled = True
        self._run(self._recover())
        return False

    def send(self, messages: Sequence[str]) -> None:
        """Send frames; nothing happens where the client has gone. Behind a `bye` the WebSocket is closed."""
        try:
            for message in self._joiner.join(messages):
                try:
                    self._socket.send_now(message)
                except UsageError:  # half of a surrogate pair, from whoever is answered with it
                    self._socket.send_now(message.encode(errors="replace").decode())
        except Gone:
            return
        for message in messages:
            if message.startswith(_BYE):
                farewell = json.loads(message)
                self._socket.close(farewell["code"], farewell["why"][:_MAX_REASON])
                return

    def end(self, code: int, why: str) -> None:
        """Say why, and close."""
        self.send([frames.write("bye", code=code, why=why)])

    async def _recover(self) -> None:
        """Wait for the client to take what waits for it; let it go if it takes nothing of it."""
        unsent = self._unsent
        try:
            while True:
                try:
                    async with asyncio.timeout(self._stall_s):
                        await self._socket.flushed()
                except TimeoutError:
                    if self._unsent >= unsent:
                        self.end(SLOW, f"nothing was taken for {self._stall_s:g} s")
                        return
                    unsent = self._unsent
                    continue
                if self._unsent <= MAX_UNSENT:
                    break
                await asyncio.sleep(0)  # the transport has not told of it yet
        except Gone:
            return
        self._is_stalled = False
        self.on_room()

    @property
    def _unsent(self) -> int:
        return self._socket.transport.get_write_buffer_size()


async def serve_socket(
    house: House, exchange: Exchange, *, joiner: Joiner | None = None, terms: Terms | None = None
) -> None:
    """Serve one client to its end. The exchange asks for a WebSocket and offers SUBPROTOCOL, which has been checked.

    joiner: shared by the clients of a house. Raises PeerError for a handshake that is none, Gone.
    """
    terms = terms or Terms()
    socket = exchange.upgrade(SUBPROTOCOL, ())
    assert isinstance(socket, WebSocketConnection), "the server's own exchange"
    wire = SocketWire(socket, joiner or Joiner(), house.hub.run, terms.stall_s)
    session = Session(house, wire, "ws")
    wire.on_room = partial(_pump, session)
    try:
        if await _greeted(socket, session, wire, terms.hello_s):
            while await _took(await socket.receive(), session, wire):
                if session.me is not None and terms.is_abusive(session.me):
                    wire.end(ABUSIVE, "too many, for too long")
    except Gone:
        return
    finally:
        session.end()
        socket.close(_FAILED)  # which does nothing where one side has closed


def _pump(session: Session) -> None:
    if session.reader is not None:
        session.reader.pump()


async def _greeted(socket: WebSocketConnection, session: Session, wire: SocketWire, hello_s: float) -> bool:
    """Take the first message, which has a hello in it; return whether the client may go on."""
    try:
        async with asyncio.timeout(hello_s):
            message = await socket.receive()
    except TimeoutError:
        wire.end(SILENT, f"no hello within {hello_s:g} s")
        return False
    if await _took(message, session, wire) and session.me is None:
        wire.end(UNKNOWN, "sign in first")
    return session.me is not None


async def _took(message: str | bytes, session: Session, wire: SocketWire) -> bool:
    """Take a message; return False for one after which the client is let go."""
    if isinstance(message, bytes):
        wire.end(_BINARY, "frames are text")
        return False
    if len(message) > MAX_MESSAGE:  # on a server with a higher limit of its own
        wire.end(_TOO_LONG, f"a message has at most {MAX_MESSAGE} bytes")
        return False
    await session.take(message)
    return True
