"""A WebSocket to a chat, for a client in a terminal (RFC 6455).

    connection_made -> GET /ws -> 101 -> Party.joined
    data_received -> WebSocketCodec -> Party.take
    connection_lost -> Party.lost

In: what a `Party` sends. Out: texts that it takes. Nothing is retried here.
"""

import asyncio
import os
from base64 import b64encode
from functools import partial
from typing import Final, Protocol, cast

from portico.apps.chat.websocket import SUBPROTOCOL
from portico.http.url import Url
from portico.wire.handshake import accept_key
from portico.wire.messages import CloseReceived, FrameRefused, MessageReceived, PingReceived
from portico.wire.websocket import WebSocketCodec

_MAX_MESSAGE: Final = 16 << 20
_MAX_HEAD: Final = 64 << 10


class Party(Protocol):
    """Who talks over it."""

    def joined(self, socket: "ChatSocket") -> None:
        """Hear that the WebSocket is open."""

    def lost(self, why: str) -> None:
        """Hear that it is open no more, or could not be opened."""

    def take(self, text: str) -> None:
        """Take a message."""


class ChatSocket(asyncio.Protocol):
    """See the module. url: of the chat's pages."""

    def __init__(self, party: Party, url: Url) -> None:
        self._codec = WebSocketCodec(_MAX_MESSAGE, new_mask=partial(os.urandom, 4))
        self._head = b""
        self._is_open = False
        self._key = b64encode(os.urandom(16)).decode()
        self._party = party
        self._transport: asyncio.Transport
        self._url = url
        self._why = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        fields = {
            "Host": self._url.authority,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self._key,
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._transport.write(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Take the answer to the handshake, then messages."""
        if not self._is_open:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end and len(head) <= _MAX_HEAD:
                return
            if not self._is_switched(head):
                self._why = "there is no chat at this address"
                self._transport.abort()
                return
            self._is_open = True
            self._party.joined(self)
        for event in self._codec.feed(data):
            if isinstance(event, MessageReceived):
                self._party.take(event.data if isinstance(event.data, str) else "")
            elif isinstance(event, PingReceived):
                self._codec.send_pong(event.data)
            elif isinstance(event, CloseReceived | FrameRefused):
                self._why = event.reason
                self._codec.answer_close()
        self._flush()

    def _is_switched(self, head: bytes) -> bool:
        lines = head.decode("latin-1").lower().split("\r\n")
        accepted = f"sec-websocket-accept: {accept_key(self._key)}".lower()
        return lines[0].startswith("http/1.1 101 ") and accepted in lines

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why."""
        self._party.lost(self._why or (str(exc) if exc is not None else ""))

    def send(self, text: str) -> None:
        """Send a message; nothing happens where the connection has gone."""
        if not self._codec.is_ending:
            self._codec.send_message(text)
            self._flush()

    def close(self) -> None:
        """Say that this is the end."""
        self._codec.send_close(1000)
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        out = self._codec.outgoing()
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))
