"""A WebSocket on an event loop, for a client that talks and listens at the same time (RFC 6455).

    connect -> connection_made -> Opening.request
    data_received -> Opening.feed -> Party.joined
                  -> WebSocketCodec.feed -> Party.take
    connection_lost -> Party.lost

In: what a `Party` sends. Out: messages that it takes. Nothing is retried here. A `Line` of network.py is for one task
at a time, which asks and then listens; here both go on at once, so this is a protocol on a transport of the loop.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, cast

from portico.client.handshake import Opening
from portico.client.route import plan_route
from portico.errors import PeerError, Refused
from portico.http.url import Url
from portico.net.connecting import connect_async
from portico.net.tls import client_context, explain_tls
from portico.wire.messages import CloseReceived, FrameRefused, MessageReceived, PingReceived
from portico.wire.websocket import WebSocketCodec

MAX_MESSAGE: Final = 16 << 20
CONNECT_S: Final = 30.0
OPENING_S: Final = 10.0
CLOSING_S: Final = 5.0


class Party(Protocol):
    """Who talks over it."""

    def joined(self, socket: "WebSocketLink") -> None:
        """Hear that the WebSocket is open."""

    def take(self, message: str | bytes) -> None:
        """Take a message."""

    def lost(self, why: str) -> None:
        """Hear that it is open no more, or could not be opened. why: "" where nobody said."""


class WebSocketLink(asyncio.Protocol):
    """See the module. Made by `connect`.

    url: of the WebSocket, http or https. max_message: bytes of the largest message that is taken. opening_s: how long
    the server may take to answer the handshake. transport: for whoever wants to break it.
    """

    def __init__(
        self,
        party: Party,
        url: Url,
        *,
        subprotocols: Sequence[str] = (),
        max_message: int = MAX_MESSAGE,
        opening_s: float = OPENING_S,
    ) -> None:
        self._alarm: asyncio.TimerHandle
        self._codec = WebSocketCodec(max_message, new_mask=partial(os.urandom, 4))
        self._opening: Opening | None = Opening(url, subprotocols, nonce=os.urandom(16))
        self._opening_s = opening_s
        self._party = party
        self._why = ""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert self._opening is not None, "a link is made for one connection"
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self.transport.write(self._opening.request)
        why = f"no answer to the handshake for {self._opening_s:g} s"
        self._alarm = asyncio.get_running_loop().call_later(self._opening_s, self._give_up, why)

    def _give_up(self, why: str) -> None:
        self._why = self._why or why
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take the answer to the handshake, then messages."""
        if self._opening is not None:
            try:
                rest = self._opening.feed(data)
            except (Refused, PeerError) as exc:
                self._give_up(str(exc))
                return
            if rest is None:
                return
            self._open()
            data = rest
        for event in self._codec.feed(data):
            if isinstance(event, MessageReceived):
                self._party.take(event.data)
            elif isinstance(event, PingReceived):
                self._codec.send_pong(event.data)
            elif isinstance(event, CloseReceived | FrameRefused):
                self._why = event.reason
                self._codec.answer_close()
                # The server closes first (7.1.1), if it does.
                self._alarm = asyncio.get_running_loop().call_later(CLOSING_S, self.transport.abort)
        self._flush()

    def _open(self) -> None:
        self._opening = None
        self._alarm.cancel()
        self._party.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why."""
        self._alarm.cancel()
        self._party.lost(self._why or (str(exc) if exc is not None else ""))

    def send(self, message: str | bytes) -> None:
        """Send a message; nothing happens where the connection has gone. Not before `Party.joined`."""
        if not self._codec.is_ending:
            self._codec.send_message(message)
            self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say that this is the end, and do not wait for what the server says to it."""
        self._codec.send_close(code, reason)
        self._flush()
        self.transport.close()

    def _flush(self) -> None:
        out = self._codec.outgoing()
        if out and not self.transport.is_closing():
            self.transport.write(b"".join(out))


async def connect(make: Callable[[], WebSocketLink], url: Url, *, timeout_s: float = CONNECT_S) -> WebSocketLink:
    """Connect to where a URL leads. make: the link.

    What comes of the handshake is told the party. Raises Refused or Gone in one line where there is no connection.
    """
    route, loop = plan_route(url, None), asyncio.get_running_loop()
    sock = await connect_async(route.address, timeout_s=timeout_s)
    secure: dict[str, Any] = {}
    if route.secure_host:
        secure = {"ssl": client_context(), "server_hostname": route.secure_host, "ssl_handshake_timeout": timeout_s}
    try:
        if route.address.kind == "unix":
            _, link = await loop.create_unix_connection(make, sock=sock, **secure)
        else:
            _, link = await loop.create_connection(make, sock=sock, **secure)
    except OSError as exc:
        raise explain_tls(exc, route.secure_host) from exc
    return link
