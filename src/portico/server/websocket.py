"""One WebSocket: where its codec meets the transport that HTTP has left to it.

    data_received -> codec.feed -> inbox -> receive
    send -> codec.send_message -> transport.write

Invariants
- What a peer sent before it closed, or broke the protocol, is received, and may be answered, before it is told so.
- Nothing is read while the peer does not read or the application does not receive, so neither costs more than one
  buffer and one message; a peer that we do not read from is not blamed for its silence.
- After the closing handshake the transport is closed. A peer that was refused may still be sending, so our side is
  closed first and what comes is dropped for a while, or a reset would cost it the close frame that says why.
- No timer belongs to a connection: the server's wheel asks `check`.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from portico.errors import Gone, UsageError, WebSocketClosed
from portico.gateway.contract import Origin
from portico.http.message import Request
from portico.server.clock import Clock, Wheel
from portico.server.masking import fastest_mask
from portico.server.sending import write_all
from portico.settings import Messages
from portico.wire.deflate import negotiate
from portico.wire.events import InputEnded
from portico.wire.handshake import parse_handshake, switching_head
from portico.wire.messages import NO_CLOSE, CloseReceived, FrameRefused, MessageReceived, PingReceived, SocketEvent
from portico.wire.websocket import FrameMemo, WebSocketCodec

_MAX_WAITING = 64 * 1024  # bytes, or characters, of messages that wait for the application before reading stops
_MAX_MESSAGES = 256  # and how many
_MAX_GATHERED = 16 * 1024  # bytes or characters that wait for the end of the loop's turn, to leave in one write
_AFTER_END_S = 1.0  # how often a connection that is closing is looked after


class Host(Protocol):
    """What a WebSocket needs of the server.

    clock, wheel: see server.clock. messages: the settings group. loop: the event loop of both.
    """

    clock: Clock
    wheel: Wheel
    messages: Messages
    loop: asyncio.AbstractEventLoop

    def dismiss(self, connection: "WebSocketConnection", /) -> None:
        """Count a connection out, and take it off the wheel."""
        ...


def plan_upgrade(
    request: Request,
    messages: Messages,
    *,
    subprotocol: str | None,
    fields: Iterable[tuple[str, str]],
    memo: FrameMemo,
) -> tuple[bytes, WebSocketCodec]:
    """Work out what to answer a handshake with, and the codec that takes over behind it.

    memo: shared by all WebSockets of a server. Raises UsageError for a subprotocol that was not offered and for
    fields that are the handshake's own; PeerError for a request that is no handshake.
    """
    handshake = parse_handshake(request)
    agreed = negotiate(handshake.extensions) if messages.ws_compress else None
    compression, extensions = agreed or (None, "")
    head = switching_head(handshake, subprotocol, extensions, fields)
    return head, WebSocketCodec(messages.ws_max_message, compression, memo=memo, mask=fastest_mask())


class WebSocketConnection(asyncio.Protocol):
    """See the module, and `gateway.contract.WebSocket`. Made after the 101 is written; closes itself.

    origin: where the handshake came from. address: the peer's, as the server counts it; set before `take_over`.
    bucket: the wheel's.
    """

    is_fresh = False

    __slots__ = (
        "_allowed",
        "_codec",
        "_due_s",
        "_end",
        "_gathered",
        "_has_sent",
        "_heard_s",
        "_inbox",
        "_is_clean",
        "_is_full",
        "_is_gathering",
        "_is_held",
        "_is_lost",
        "_is_shut",
        "_pinged_s",
        "_pong",
        "_server",
        "_unsent",
        "_waiter",
        "_waiting",
        "_window_s",
        "_writers",
        "address",
        "bucket",
        "origin",
        "transport",
    )

    def __init__(self, server: Host, transport: asyncio.Transport, codec: WebSocketCodec, origin: Origin) -> None:
        now_s = server.clock.now_s
        self._server = server
        self.transport = transport
        self._codec = codec
        self.origin = origin
        self.address = "unix"
        self.bucket = -1
        self._has_sent = False  # something was written since the peer was heard, or the last turn's end
        self._is_gathering = False  # what is sent now waits for the turn's end
        self._gathered = 0  # bytes or characters of it
        self._inbox: deque[str | bytes] = deque()
        self._waiting = 0  # bytes or characters of it
        self._waiter: asyncio.Future[None] | None = None  # of receive
        self._writers: list[asyncio.Future[None]] = []  # of flushed
        self._end: tuple[int, str] | None = None  # what receive says once the inbox is empty
        self._is_clean = False  # the peer's close frame has come
        self._is_full = False  # the transport has more unsent bytes than it likes
        self._is_held = False  # reading is paused
        self._is_lost = False
        self._is_shut = False  # our side of the transport is closed, or will be once everything is written
        self._pong: bytes | None = None  # payload of the last ping that came while we were full
        self._due_s = 0.0  # when the handshake under way must be over; 0 without one
        self._heard_s = now_s  # when the peer last sent, or read, something
        self._pinged_s = 0.0
        self._unsent = 0
        self._window_s = now_s  # the second in which frames are counted
        self._allowed = codec.frames + server.messages.ws_max_rate

    def take_over(self, buffered: bytes) -> None:
        """Take the transport from HTTP. buffered: what came behind the handshake."""
        self._server.wheel.add(self, self._heard_s + self._server.messages.ws_ping_interval)
        self.transport.set_protocol(self)
        self.transport.resume_reading()
        if buffered:
            self.data_received(buffered)

    # the transport's callbacks

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        codec = self._codec
        self._heard_s = self._server.clock.now_s
        self._has_sent = False
        before = codec.frames
        events = codec.feed(data)
        if codec.frames > self._allowed and not self._may_go_on(before):
            return
        for event in events:
            if event.__class__ is MessageReceived:
                self._deliver(event.data)
            else:
                self._take(event)

    def eof_received(self) -> bool:
        """Take the end of the peer's side, which ends ours: without a close frame there is nobody to talk to."""
        for event in self._codec.feed_eof():
            self._take(event)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything. exc: how the peer went, which changes nothing."""
        self._is_lost = True
        self._server.dismiss(self)
        self._finish(NO_CLOSE, "")

    def pause_writing(self) -> None:
        """Stop reading, and let `flushed` wait."""
        self._is_full = True
        self._unsent = self.transport.get_write_buffer_size()
        self._balance()

    def resume_writing(self) -> None:
        """Go on with whatever waited for the peer to read."""
        self._is_full = False
        self._heard_s = self._server.clock.now_s
        if self._pong is not None:
            self._codec.send_pong(self._pong)
            self._pong = None
            self._flush()
        self._wake_writers()
        self._balance()

    # from bytes to messages

    def _deliver(self, message: str | bytes) -> None:
        if self._codec.is_ending:
            return  # we have said that we are closing: nobody will receive it
        self._inbox.append(message)
        self._waiting += len(message)
        if self._waiter is not None:
            self._wake_receiver()
        elif self._waiting > _MAX_WAITING or len(self._inbox) > _MAX_MESSAGES:
            self._balance()

    def _take(self, event: SocketEvent) -> None:
        """Act on anything but a message."""
        if isinstance(event, PingReceived):
            if self._is_full:
                self._pong = event.data  # only the last is answered then (RFC 6455 5.5.3)
            else:
                self._codec.send_pong(event.data)
                self._flush()
        elif isinstance(event, InputEnded):
            self._finish(NO_CLOSE, "")
        elif isinstance(event, CloseReceived | FrameRefused):
            self._is_clean = isinstance(event, CloseReceived)
            self._finish(event.code, event.reason)
            if not self._inbox:
                self._answer()
            else:
                self._expect(self._server.messages.ws_close_timeout)

    def _may_go_on(self, before: int) -> bool:
        """Begin another second of counting frames; refuse the peer where the last one is not over, or too full.

        before: frames received before those that raise the question.
        """
        limit = self._server.messages.ws_max_rate
        if self._server.clock.now_s >= self._window_s + 1.0:
            self._count_from(before)
            if self._codec.frames <= self._allowed:
                return True
        reason = f"over {limit} frames a second"
        self._codec.refuse(1008, reason)
        self._drop_inbox()
        self._finish(1008, reason)
        self._answer()
        return False

    def _count_from(self, frames: int) -> None:
        self._window_s = self._server.clock.now_s
        self._allowed = frames + self._server.messages.ws_max_rate

    async def receive(self) -> str | bytes:
        """Return the next message. Raises WebSocketClosed at the end, UsageError if somebody waits for it already."""
        while not self._inbox:
            if self._end is not None:
                self._answer()
                raise WebSocketClosed(*self._end)
            if self._waiter is not None:
                raise UsageError("receive() is waiting already; one task receives from a WebSocket")
            self._waiter = self._server.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._inbox.popleft()
        self._waiting -= len(message)
        if self._is_held:
            self._balance()
        return message

    # from messages to bytes

    def send(self, data: str | bytes) -> None:
        """Send a message. Raises Gone when the WebSocket is closed, UsageError for what cannot be sent.

        The first one after the peer was heard leaves at once, as one answer to one message does. Others wait for the
        end of the loop's turn and leave in one write.
        """
        codec = self._codec
        if codec.is_ending or self.transport.is_closing():
            raise self._gone()
        codec.send_message(data)
        self._gathered += len(data)
        if not self._has_sent:
            self._has_sent = True
            self._flush()
        elif self._gathered > _MAX_GATHERED:
            self._flush()
        elif not self._is_gathering:
            self._is_gathering = True
            self._server.loop.call_soon(self._end_turn)

    def send_now(self, data: str | bytes) -> None:
        """Send a message at once, for whoever has gathered what there is already. Raises as `send` does."""
        codec = self._codec
        if codec.is_ending or self.transport.is_closing():
            raise self._gone()
        codec.send_message(data)
        self._flush()

    def _end_turn(self) -> None:
        """Write what was sent in this turn of the loop."""
        self._is_gathering = self._has_sent = False
        self._flush()

    async def flushed(self) -> None:
        """Wait until the peer has room for more. Raises Gone when it has gone."""
        if self._is_full and not self._is_lost:
            writer = self._server.loop.create_future()
            self._writers.append(writer)
            await writer
        if self._codec.is_ending or self.transport.is_closing():
            raise self._gone()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; does nothing if that has begun. Raises UsageError for what cannot be sent."""
        self._codec.send_close(code, reason)
        if not self._due_s:
            self._expect(self._server.messages.ws_close_timeout)
        self._drop_inbox()
        self._flush()
        self._shut()

    def _gone(self) -> Gone:
        return WebSocketClosed(*self._end) if self._end is not None else Gone("the WebSocket is being closed")

    def _flush(self) -> None:
        out = self._codec.outgoing()
        self._gathered = 0
        if not out or self.transport.is_closing():
            return
        if len(out) == 1:
            self.transport.write(out[0])
        else:
            write_all(self.transport, out)

    # the end

    def _finish(self, code: int, reason: str) -> None:
        """Say how it ended, to whoever waits and to whoever will ask."""
        if self._end is None:
            self._end = (code, reason)
        if self._waiter is not None:
            self._wake_receiver()
        self._wake_writers()

    def _answer(self) -> None:
        """Answer the peer's close frame, or what was refused, once nothing is left to be said before."""
        self._codec.answer_close()
        self._flush()
        self._shut()

    def _shut(self) -> None:
        """Close the transport once both sides have said so; ours alone where the peer may not know yet."""
        if not self._codec.closing or self._is_shut or self.transport.is_closing():
            return
        self._is_shut = True
        self._expect(self._server.messages.ws_close_timeout)
        if self._is_clean or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()
            self._balance()

    def _expect(self, seconds: float) -> None:
        """Set the time for the handshake under way."""
        self._due_s = self._server.clock.now_s + seconds
        self._server.wheel.hasten(self, self._due_s)

    def _drop_inbox(self) -> None:
        self._inbox.clear()
        self._waiting = 0
        self._balance()

    # flow

    def _balance(self) -> None:
        """Read from the peer, or do not, as the state of things asks for."""
        is_crowded = self._waiting > _MAX_WAITING or len(self._inbox) > _MAX_MESSAGES
        holds = (is_crowded or self._is_full) and not self._codec.is_ending
        if holds is self._is_held or self.transport.is_closing():
            return
        self._is_held = holds
        if holds:
            self.transport.pause_reading()
        else:
            self._heard_s = self._server.clock.now_s
            self._count_from(self._codec.frames)  # what comes at once now is what we kept waiting
            self.transport.resume_reading()

    def _wake_receiver(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wake_writers(self) -> None:
        writers: Sequence[asyncio.Future[None]] = self._writers
        self._writers = []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)

    # deadlines, and what the server asks of its connections

    @property
    def is_busy(self) -> bool:
        """Tell whether closing it now would cut something off."""
        return not self._codec.closing

    def drain(self) -> None:
        """Say that the server goes away, and close."""
        self.close(1001, "the server is stopping")

    def end_idleness(self) -> None:
        """Do nothing: a WebSocket that is silent is not idle."""

    def check(self, now_s: float) -> float:
        """Act on the deadline that applies; return when to ask again."""
        if self._due_s:
            return self._check_end(now_s)
        messages = self._server.messages
        if self._is_full:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._heard_s = now_s
            elif now_s >= self._heard_s + messages.ws_ping_interval + messages.ws_ping_timeout:
                self._finish(NO_CLOSE, "nothing was read")
                self.transport.abort()
            self._unsent = unsent
            return now_s + messages.ws_ping_interval
        if self._is_held:
            self._heard_s = now_s
        return self._check_silence(now_s)

    def _check_silence(self, now_s: float) -> float:
        """Ping a peer that is silent, and give up one that does not answer."""
        messages = self._server.messages
        is_asked = self._heard_s < self._pinged_s
        due_s = self._pinged_s + messages.ws_ping_timeout if is_asked else self._heard_s + messages.ws_ping_interval
        if now_s < due_s:
            return due_s
        if is_asked:
            reason = f"no answer to a ping within {messages.ws_ping_timeout:g} s"
            self._finish(NO_CLOSE, reason)
            self.close(1011, reason)
            return self._due_s
        self._pinged_s = now_s
        self._codec.send_ping()
        self._flush()
        return now_s + messages.ws_ping_timeout

    def _check_end(self, now_s: float) -> float:
        """Cut a handshake that takes too long; answer for an application that does not listen."""
        if now_s < self._due_s:
            return self._due_s
        if self._codec.is_deaf and not self._codec.closing:
            self._drop_inbox()
            self._answer()
            return self._due_s
        self.transport.abort()
        return now_s + _AFTER_END_S
