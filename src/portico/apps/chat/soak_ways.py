"""The connections of virtual users: WebSocket, and frames as lines over TCP; and what can go wrong with them.

    SocketWay     GET /ws, then a message for each text
    LinesWay      "/json on", then a line for each frame

    reset         the connection is gone at once, for both sides
    stall         nothing is read for a while
    forget        the user goes on elsewhere, and the server is not told

In: what a `User` sends. Out: what it is to take, and that a connection has ended.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, cast

from portico.apps.chat.soak_user import User
from portico.apps.chat.websocket import SUBPROTOCOL
from portico.wire.messages import CloseReceived, FrameRefused, MessageReceived, PingReceived
from portico.wire.websocket import WebSocketCodec

_MAX_MESSAGE: Final = 64 << 20
_REQUEST: Final = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
)
_JSON_ON: Final = b"/json on\n"


class Connection(asyncio.Protocol):
    """What both have in common. user: None for one that was forgotten."""

    def __init__(self, user: User, on_lost: Callable[[User], None]) -> None:
        self.user: User | None = user
        self.transport: asyncio.Transport
        self._on_lost = on_lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def send(self, frame: str) -> None:
        """Send a frame; nothing happens where the connection has gone."""
        raise NotImplementedError

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the user, if it still cares."""
        user, self.user = self.user, None
        if user is not None:
            user.lost(self)
            self._on_lost(user)

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
        user, self.user = self.user, None
        self.transport.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self.transport.abort)
        if user is not None:
            user.lost(self)
            self._on_lost(user)

    def close(self) -> None:
        """End in good order."""
        self.transport.close()


class SocketWay(Connection):
    """A WebSocket. Compression is not offered."""

    def __init__(self, user: User, on_lost: Callable[[User], None]) -> None:
        super().__init__(user, on_lost)
        self._codec = WebSocketCodec(_MAX_MESSAGE, new_mask=partial(os.urandom, 4))
        self._head = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        super().connection_made(transport)
        self.transport.write(_REQUEST.encode())

    def data_received(self, data: bytes) -> None:
        """Take the answer to the handshake, then messages."""
        if not self._is_open:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 ") or self.user is None:
                self.transport.close()  # a server that is stopping: there is another one soon
                return
            self._is_open = True
            self.user.joined(self)
        for event in self._codec.feed(data):
            if isinstance(event, MessageReceived):
                if self.user is not None:
                    self.user.take(str(event.data))
            elif isinstance(event, PingReceived):
                self._codec.send_pong(event.data)
            elif isinstance(event, CloseReceived | FrameRefused):
                self._codec.answer_close()
        self._flush()

    def send(self, frame: str) -> None:
        """Send a frame."""
        if not self._codec.is_ending:
            self._codec.send_message(frame)
            self._flush()

    def _flush(self) -> None:
        out = self._codec.outgoing()
        if out and not self.transport.is_closing():
            self.transport.write(b"".join(out))


class LinesWay(Connection):
    """Frames, a line each."""

    def __init__(self, user: User, on_lost: Callable[[User], None]) -> None:
        super().__init__(user, on_lost)
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for frames, and say hello."""
        super().connection_made(transport)
        self.transport.write(_JSON_ON)
        if self.user is not None:
            self.user.joined(self)

    def data_received(self, data: bytes) -> None:
        """Take lines; what comes before the first frame is for people."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"{") and self.user is not None:
                self.user.take(line.decode())

    def send(self, frame: str) -> None:
        """Send a frame."""
        if not self.transport.is_closing():
            self.transport.write(f"{frame}\n".encode())
