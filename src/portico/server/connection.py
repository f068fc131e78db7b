"""One HTTP connection: where the codec meets the transport.

    data_received -> codec.feed -> _take(events) -> handler(exchange) -> exchange.answer -> send_whole
                  -> codec.send_answer -> transport.write

Invariants
- At most one exchange is under way; what the client sent behind it waits in the codec.
- While the transport has more unsent bytes than it likes (`is_paused`), nothing is read and no further exchange
  begins, so a peer that never reads costs one answer and no more.
- No timer belongs to a connection: the server's wheel asks `check`, and deadlines.py knows what is due.
- Whoever may still be sending when we close is read from for a while, or a reset would cost him our answer.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from portico.errors import Gone, UsageError
from portico.gateway.contract import Origin
from portico.http.message import StreamedBody
from portico.http.status import forbids_body
from portico.net.listening import pending_bytes
from portico.server.deadlines import MAX_WAITING, check
from portico.server.exchange import GONE, Exchange, address_of, origin_of
from portico.server.lingering import Lingering
from portico.server.refusals import refusal, refusal_answer
from portico.server.sending import Transfer, leave_out, release, stream, write_all
from portico.server.websocket import WebSocketConnection, plan_upgrade
from portico.wire.answer import AnswerHead, WholeAnswer
from portico.wire.events import ENDED, BodyReceived, Event, HeadReceived, InputEnded, PeerFaulted
from portico.wire.http1 import ServerCodec

if TYPE_CHECKING:
    from portico.server.accepting import Connection
    from portico.server.http import HttpServer

_MAX_BATCH = 32  # answers to pipelined requests written at once
_BATCHED_BYTES = 16 * 1024  # an answer with a larger body is written at once
_FAILED = "the application failed"
_SILENT = "the application gave no answer"
_UNFINISHED = "the application did not finish its answer"


class HttpConnection(asyncio.Protocol):
    """See the module. Made by HttpServer; closes itself.

    origin: where it came from, where a trusted proxy has said so; None to ask the transport.
    address: the peer's IP address. exchange: the one under way. is_paused: the transport has
    over 64 KiB of unsent bytes; while a Transfer is under way, any.
    bucket: the wheel's.
    """

    __slots__ = (
        "_is_ended",
        "_is_held",
        "_is_refused",
        "_is_replaced",
        "_is_taking",
        "_origin",
        "_sent",
        "_writable",
        "address",
        "asked_s",
        "began_s",
        "bucket",
        "codec",
        "exchange",
        "head_s",
        "is_fresh",
        "is_paused",
        "mark",
        "mark_s",
        "moved",
        "server",
        "transfer",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: "HttpServer", origin: Origin | None = None) -> None:
        self.server = server
        self.asked_s = 0.0  # when the request under way, or the last piece of its body, came
        self.began_s = 0.0  # accepted, or idle since
        self.head_s = 0.0  # when the first byte of an unfinished head came; 0 without one
        self._is_ended = False  # the peer has closed its side
        self.is_fresh = True  # nothing has been asked yet
        self._is_held = False  # nothing is read for now
        self._is_refused = False  # the last answer went to something that never became a request
        self._is_taking = False  # _take is on the stack
        self.mark = -1  # bytes moved when the window began in which the rate is measured; -1: there is none
        self.mark_s = 0.0  # when that was
        self.moved = 0  # bytes received and written
        self._sent = 0  # bytes of the streamed answer under way
        self.transfer: Transfer | None = None
        self._writable: asyncio.Future[None] | None = None
        self._origin = origin
        self.address = ""
        self.bucket = -1
        self.codec = ServerCodec(server.limits, server.memo)
        self.exchange: Exchange | None = None
        self.is_paused = False
        self._is_replaced = False  # something else has the transport

    # the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport, predecessor: "Connection | None" = None) -> None:
        """Begin, or refuse when a limit on connections is reached. predecessor: who has read from it until now."""
        self.transport = cast(asyncio.Transport, transport)
        client = self._origin and self._origin.client
        self.address = client[0] if client else address_of(transport)
        status, reason = self.server.admit(self, predecessor)
        self.began_s = self.server.clock.now_s
        self.server.wheel.add(self, self.began_s + self.server.idle_s)
        if status:
            self.refuse(status, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything. exc: how the peer went, which changes nothing."""
        self.server.dismiss(self)
        exchange = self.exchange
        if exchange is not None:
            if exchange.inbox is not None:
                exchange.inbox.cut("the peer closed the connection")
            exchange.note = exchange.note or "cut"
            self.server.finish(self, exchange, self._sent)
            exchange.is_lost = True
            exchange.status = exchange.status or GONE
            if not exchange.keeps_running:
                exchange.stop()
        if self.transfer is not None:
            self.transfer.close()
            self.transfer = None
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self.moved += len(data)
        self._take(self.codec.feed(data))

    def eof_received(self) -> bool:
        """Take the end of the peer's side; it may still be reading, so ours stays open until the answer is out."""
        self._is_ended = True
        if self.exchange is not None:
            self.exchange.wake()
        self._take_buffered()
        self._take(self.codec.feed_eof())
        return not self.transport.is_closing()

    def pause_writing(self) -> None:
        """Stop reading: nothing more is answered before this peer takes what it has."""
        self.is_paused = True
        self.mark = -1
        self._hold_back()
        self.server.wheel.hasten(self, self.server.clock.now_s + self.server.limits.rate_window)

    def resume_writing(self) -> None:
        """Go on with whatever waited for the peer to read."""
        self.is_paused = False
        self.began_s = self.server.clock.now_s
        self._wake()
        if self.transfer is not None:
            # Not from here: a transport that is closed in this very call is closed twice by asyncio (gh-156512).
            self.server.tasks.soon(self.transfer.resume)
        else:
            self._go_on()

    # from bytes to exchanges

    def _take(self, events: Sequence[Event]) -> None:
        """Act on events, then on those of the requests that wait behind, until there is nothing to do."""
        codec = self.codec
        batch = 1
        self._is_taking = True
        while events:
            opened = None
            for event in events:
                if event.__class__ is HeadReceived:
                    opened = self._begin(event)
                elif event is not ENDED or self.exchange is not None:
                    self._take_other(event)
            if opened is not None and self.exchange is opened:
                self._dispatch(opened)
            if not codec.buffered or self.exchange is not None or codec.closing or self.is_paused:
                break
            batch += 1
            if batch % _MAX_BATCH == 0:
                self._flush()
            events = codec.feed(b"")
        self._is_taking = False
        self._flush()
        if codec.buffered:
            self._hold()
        else:
            self.head_s = 0.0
        if self._is_held and self.exchange is None:  # by a body, whose request is answered
            self._go_on()

    def _hold(self) -> None:
        """Bound what waits in the codec: requests behind the current one by size, the beginning of a head by time."""
        if self.exchange is not None:
            if len(self.codec.buffered) > MAX_WAITING:
                self._hold_back()
        elif not self.head_s and not self.is_paused:
            self.head_s = self.server.clock.now_s
            self.server.wheel.hasten(self, self.head_s + self.server.limits.head_timeout)

    def _begin(self, event: HeadReceived) -> Exchange | None:
        """Make the exchange. It is returned if it has a body: what came of that goes before the handler."""
        server = self.server
        self.is_fresh = False
        self.head_s = 0.0
        self.mark = -1
        self.asked_s = server.clock.now_s
        self.exchange = exchange = Exchange(
            self, event.request, 0.0 if server.log is None and server.metrics is None else time.perf_counter()
        )
        if exchange.inbox is not None:
            server.wheel.hasten(self, self.asked_s + server.limits.rate_window)
            return exchange
        if server.prepare is None and not server.turns.is_full:
            self.handle(exchange)
        else:
            self._dispatch(exchange)
        return None

    def _dispatch(self, exchange: Exchange) -> None:
        """Hand a request to the handler, or let it wait for its turn."""
        server = self.server
        if server.prepare is not None:
            server.prepare(exchange)
        if not server.turns.is_full:
            self.handle(exchange)
            return
        server.turns.wait(exchange)
        if not exchange.status:
            server.wheel.hasten(self, self.asked_s + server.limits.answer_timeout)

    def handle(self, exchange: Exchange) -> None:
        """Call the handler."""
        server = self.server
        try:
            work = server.handler(exchange)
            if work is not None:
                self._start(exchange, work)
            elif not exchange.status and not exchange.is_deferred:
                self._crash(exchange, _SILENT)
        except (Exception, SystemExit, BaseExceptionGroup) as exc:  # the root of what a handler does
            self.fail_exchange(exchange, exc)
        if not exchange.status:
            server.turns.take(exchange)
            server.wheel.hasten(self, self.asked_s + server.limits.answer_timeout)

    def take_turn(self, exchange: Exchange) -> None:
        """Call the handler of an exchange that waited, unless its peer is going."""
        if not self.transport.is_closing():
            self.handle(exchange)
            self._go_on()

    def _start(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        task = self.server.tasks.start(self._run(exchange, work))
        if task is not None:
            exchange.tasks += (task,)

    async def _run(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Run what waits: a handler, or an answer that an iterator yields."""
        try:
            await work
            if not exchange.status:
                self._crash(exchange, _SILENT)
            elif exchange.is_pushed:
                self.cut(exchange, _UNFINISHED)
        except Gone:
            self.cut(exchange, "cut")
        except asyncio.CancelledError:  # by us, who are done with the exchange then, or by the application itself
            self._crash(exchange, _FAILED)
        except (Exception, SystemExit, BaseExceptionGroup) as exc:  # the root of a task
            # Answering what the peer spoilt meanwhile, and was refused for, is nobody's mistake.
            if self.exchange is exchange or not isinstance(exc, UsageError):
                self.fail_exchange(exchange, exc)
        self._go_on()

    def fail_exchange(self, exchange: Exchange, exc: BaseException) -> None:
        """Log what the application raised; answer 500, or cut the connection if an answer has begun."""
        self.server.report(exc, exchange.request)
        self._crash(exchange, _FAILED)

    def _crash(self, exchange: Exchange, reason: str) -> None:
        """Answer 500, or cut the connection if an answer has begun."""
        if exchange.status:
            self.cut(exchange, reason)
        elif self.exchange is exchange and not self.transport.is_closing():
            exchange.note = reason
            exchange.respond(refusal(500, reason, exchange.request.values))

    def _take_other(self, event: Event) -> None:
        """Act on anything but a head."""
        exchange = self.exchange
        if isinstance(event, PeerFaulted):
            self._take_fault(event)
        elif isinstance(event, InputEnded):
            if exchange is None:
                self.codec.closing = True
        elif exchange is not None and exchange.inbox is not None:
            self.asked_s = self.server.clock.now_s
            if isinstance(event, BodyReceived):
                exchange.inbox.put(event.data)
                if exchange.inbox.waiting_bytes > MAX_WAITING:
                    self._hold_back()
            else:
                exchange.inbox.complete()

    def _take_fault(self, event: PeerFaulted) -> None:
        """Answer what the codec refused, unless the answer to its head has begun."""
        exchange = self.exchange
        if exchange is None:
            if not self.codec.closing:  # else the request was answered, and refused, before its body could be wrong
                self.refuse(event.status, event.reason)
            return
        if exchange.inbox is not None:
            exchange.inbox.cut(event.reason)
        if exchange.status:
            self.cut(exchange, event.reason)
        else:
            exchange.note = event.reason
            exchange.respond(refusal(event.status, event.reason, exchange.request.values))

    def refuse(self, status: int, reason: str) -> None:
        """Answer something that never became a request, and close."""
        answer = refusal_answer(status, reason)
        self._is_refused = self.codec.is_last = True
        self.codec.send_answer(answer, self.server.clock.date_line)
        self.server.count_refusal(self, answer, reason)
        self._flush()

    # from answers to bytes

    def send_whole(self, exchange: Exchange, whole: WholeAnswer) -> None:
        """Send a complete answer; the exchange is over."""
        lines = exchange.server_lines(whole) if exchange.identity else self.server.clock.date_line
        self.codec.send_answer(whole, lines)
        self.server.finish(self, exchange, whole.length)
        if not self._is_taking:
            self._go_on()
        elif whole.length > _BATCHED_BYTES:
            self._flush()

    def send_reply(self, exchange: Exchange, head: AnswerHead, body: bytes) -> None:
        """Send a complete answer that is made for this exchange alone; the exchange is over."""
        codec = self.codec
        lines = exchange.server_lines(head) if exchange.identity else self.server.clock.date_line
        sent = codec.send_reply(head, body, lines)
        if codec.fault:
            exchange.note = exchange.note or codec.fault
        self.server.finish(self, exchange, sent)
        if not self._is_taking:
            self._go_on()
        elif sent > _BATCHED_BYTES:
            self._flush()

    def send_streamed(self, exchange: Exchange, head: AnswerHead, body: StreamedBody) -> None:
        """Begin an answer whose body is pieces of known length, or an iterator.

        Raises Gone when the connection is closing; the sources are closed then.
        """
        try:
            self._check_open()
        except Gone:
            release(body)
            raise
        exchange.status = head.status
        self._sent = 0
        is_left_out = exchange.request.method == "HEAD" or forbids_body(head.status)
        is_pumped = isinstance(body, tuple) and not is_left_out
        if is_pumped:
            # From here on the transport is paused until the kernel has taken what comes before the next piece.
            self.transport.set_write_buffer_limits(high=0)
        self.codec.send_head(head, exchange.server_lines(head))
        self._flush()
        if not isinstance(body, tuple):
            self._start(exchange, (leave_out if is_left_out else stream)(self, exchange, body))
        elif is_left_out:
            release(body)
            self.finish(exchange)
        else:
            if exchange.has_turn:  # the application is done; how long the peer takes to read is not its affair
                self.server.turns.give(exchange)
            self.server.wheel.hasten(self, self.server.clock.now_s + self.server.limits.rate_window)
            self.transfer = Transfer(self, exchange, body, self.server.buffers)
            self.transfer.resume()

    def send_begin(self, exchange: Exchange, head: AnswerHead) -> None:
        """Begin an answer that `push` and `finish` complete. Raises Gone when the connection is closing."""
        self._check_open()
        exchange.status = head.status
        exchange.is_pushed = True
        self._sent = 0
        self.codec.send_head(head, exchange.server_lines(head))

    def push(self, data: bytes | memoryview) -> None:
        """Send a piece of the current answer's body. Raises Gone when the connection is closing."""
        self._check_open()
        self.write_body(data)

    def inform(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        """Send an interim response."""
        self.codec.send_informational(status, fields)
        self._flush()

    def upgrade(
        self, exchange: Exchange, subprotocol: str | None, fields: Iterable[tuple[str, str]]
    ) -> WebSocketConnection:
        """Hand the transport over to a WebSocket; the exchange is over. Raises like `plan_upgrade`, and Gone."""
        self._check_open()
        server = self.server
        memo = server.frames
        head, codec = plan_upgrade(exchange.request, server.messages, subprotocol=subprotocol, fields=fields, memo=memo)
        rest = self.codec.send_switch(head)
        self._flush()
        exchange.status = 101
        server.finish(self, exchange, 0)
        other = WebSocketConnection(server, self.transport, codec, exchange.origin)
        other.address = self.address
        server.replace(self, other)
        self._is_replaced = True
        other.take_over(rest)
        return other

    async def flushed(self) -> None:
        """Wait until the transport has room. Raises Gone when it never will."""
        self._flush()
        await self.writable()

    def write_body(self, data: bytes | memoryview) -> None:
        """Send a piece of the current answer's body."""
        self._sent += len(data)
        self.codec.send_body(data)
        self._flush()

    def body_sent(self, count: int) -> None:
        """Account for bytes of the current answer's body that the kernel sent by itself."""
        self.codec.skip_body(count)
        self._sent += count
        self.moved += count

    @property
    def origin(self) -> Origin:
        """Where this connection came from."""
        if self._origin is None:
            self._origin = origin_of(self.transport, self.address)
        return self._origin

    @property
    def is_ended(self) -> bool:
        """Whether the peer will send nothing more."""
        return self._is_ended or self.transport.is_closing()

    def fileno(self) -> int:
        """Return the descriptor of the socket, good for as long as the transport is not closing."""
        fd: int = self.transport.get_extra_info("socket").fileno()
        return fd

    async def writable(self) -> None:
        """Wait until the transport has handed everything to the kernel. Raises Gone when it never will."""
        if self.is_paused:
            if self._writable is None or self._writable.done():
                self._writable = self.server.loop.create_future()
            await asyncio.shield(self._writable)
        self._check_open()

    def _check_open(self) -> None:
        if self.transport.is_closing():
            raise Gone("the peer closed the connection")

    def want_body(self) -> None:
        """Let the peer go on sending the current request's body."""
        exchange = self.exchange
        if exchange is not None and exchange.inbox is not None and exchange.inbox.is_untouched:
            exchange.inbox.is_untouched = False
            # Behind the head of a final answer, a 100 would be taken for a part of its body.
            if exchange.request.expects_continue and not exchange.status:
                self.codec.send_continue()
                self._flush()
        if self._is_held and not self.is_paused:
            self.mark = -1
            self._resume_reading()

    def finish(self, exchange: Exchange, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """End a streamed answer; the exchange is over."""
        if self.transfer is not None:
            self.transfer = None
            self.transport.set_write_buffer_limits()
        self.codec.send_end(trailers)
        exchange.is_pushed = False
        exchange.note = exchange.note or self.codec.fault
        sent, self._sent = self._sent, 0
        self.server.finish(self, exchange, sent)
        if not self._is_taking:
            self._go_on()

    def cut(self, exchange: Exchange, note: str) -> None:
        """Close at once: an answer that cannot be completed must not look complete."""
        if self.exchange is exchange:
            exchange.note = exchange.note or note
            self.transport.abort()

    def _go_on(self) -> None:
        """After an exchange that ended, or a peer that caught up, outside `data_received`: take up what waits."""
        if self._is_taking:
            return
        self._flush()
        if self.is_paused or self._is_replaced or self.codec.closing or self.transport.is_closing():
            return
        if self.exchange is None:
            self._resume_reading()
            if self.codec.buffered:
                # Not from here, where the handler that answered last may be on the stack, with its context.
                self.server.tasks.soon(self._take_buffered)
        elif not self._is_full():
            self._resume_reading()

    def _hold_back(self) -> None:
        self._is_held = True
        self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_held:
            self._is_held = False
            self.transport.resume_reading()

    def _take_buffered(self) -> None:
        if self.exchange is None and self.codec.buffered and not self.is_paused:
            self._take(self.codec.feed(b""))

    def _is_full(self) -> bool:
        """Tell whether as much waits for the exchange under way, or behind it, as may."""
        inbox = self.exchange.inbox if self.exchange is not None else None
        return len(self.codec.buffered) > MAX_WAITING or (inbox is not None and inbox.waiting_bytes > MAX_WAITING)

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _flush(self) -> None:
        """Write what the codec has, then close if it says so."""
        out = self.codec.outgoing()
        if len(out) == 1:
            self.moved += len(out[0])
            self.transport.write(out[0])
        elif out:
            self.moved += write_all(self.transport, out)
        if self.codec.closing:
            self._close()

    def _close(self) -> None:
        """Close once everything is written; linger where the peer may still be sending."""
        codec = self.codec
        if self._is_replaced or self.transport.is_closing():
            return
        if self._is_ended or not (self._is_refused or codec.reader is not None or codec.buffered):
            self.transport.close()
            return
        lingering = Lingering(self.server, self.transport, self.address, is_busy=self.is_paused)
        self.server.replace(self, lingering)
        self._is_replaced = True
        lingering.begin()

    def drain(self) -> None:
        """Let the next answer be the last; `end_idleness` closes a connection that none is asked of."""
        self.codec.is_last = True

    def end_idleness(self) -> None:
        """Close if nothing is under way and nothing waits in the kernel either."""
        is_idle = self.exchange is None and not self.codec.buffered and not self.transport.is_closing()
        if is_idle and not pending_bytes(self.fileno()):
            self.transport.close()

    @property
    def is_busy(self) -> bool:
        """Whether an exchange is under way, or its answer not yet with the kernel."""
        return self.exchange is not None or self.is_paused

    def check(self, now_s: float) -> float | None:
        """Act on the deadline that applies; return when to ask again. See deadlines.py."""
        return check(self, now_s)

    def fail(self, status: int, reason: str) -> None:
        """Answer the exchange under way, on which its handler is too late, or its peer too slow; nothing follows it."""
        self.codec.is_last = True
        self._take_fault(PeerFaulted(status, reason))
        self._flush()
