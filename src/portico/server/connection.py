"""One HTTP connection: where the codec meets the transport.

    data_received -> codec.feed -> _take(events) -> handler(exchange) -> exchange.answer -> send_whole
                  -> codec.send_answer -> transport.write

Invariants
- At most one exchange is under way; what the client sent behind it waits in the codec.
- While the transport has more unsent bytes than it likes (`is_paused`), nothing is read and no further exchange
  begins, so a peer that never reads costs one answer and no more.
- No timer belongs to a connection: the server's wheel asks `check`, which alone knows the deadlines.
- Whoever may still be sending when we close is read from for a while, or a reset would cost him our answer.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, cast

from portico.errors import Gone, UsageError
from portico.http.message import StreamedBody
from portico.http.status import forbids_body
from portico.server.exchange import GONE, Exchange
from portico.server.refusals import refusal, refusal_answer
from portico.server.sending import Transfer, leave_out, release, stream
from portico.wire.answer import AnswerHead, WholeAnswer
from portico.wire.events import ENDED, BodyReceived, Event, HeadReceived, InputEnded, PeerFaulted
from portico.wire.http1 import ServerCodec

if TYPE_CHECKING:
    from portico.server.http import HttpServer

_MAX_WAITING = 64 * 1024  # bytes of a body, or of requests behind the current one, that wait here
_MAX_BATCH = 32  # answers to pipelined requests written at once
_BATCHED_BYTES = 16 * 1024  # an answer with a larger body is written at once
# How long a peer that may still be sending is read from before we close (RFC 9112 9.6): until it has been silent for
# 2 s, 30 s in all (Apache's practice), and only while it keeps to the least rate. What it sends beyond 64 MiB stays in
# the kernel.
_SILENCE_S = 2.0
_LINGER_S = 30.0
_LINGER_BYTES = 64 << 20
UNIX = "unix"  # the address of every peer on a unix socket
_FAILED = "the application failed"
_SILENT = "the application gave no answer"


class HttpConnection(asyncio.Protocol):
    """See the module. Made by HttpServer; closes itself.

    address: the peer's IP address. exchange: the one under way. is_paused: the transport has
    over 64 KiB of unsent bytes; while a Transfer or lingering is under way, any.
    bucket: the wheel's.
    """

    __slots__ = (
        "_began_s",
        "_head_s",
        "_is_ended",
        "_is_fresh",
        "_is_refused",
        "_is_taking",
        "_linger_end_s",
        "_linger_left",
        "_mark",
        "_mark_s",
        "_moved",
        "_sent",
        "_server",
        "_task",
        "_transfer",
        "_writable",
        "address",
        "bucket",
        "codec",
        "exchange",
        "is_paused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._began_s = 0.0  # accepted, or idle since, or heard from last while lingering
        self._head_s = 0.0  # when the first byte of an unfinished head came; 0 without one
        self._is_ended = False  # the peer has closed its side
        self._is_fresh = True  # nothing has been asked yet
        self._is_refused = False  # the last answer went to something that never became a request
        self._is_taking = False  # _take is on the stack
        self._linger_end_s = 0.0  # when we close, whatever the peer still sends; 0: we are not closing
        self._linger_left = _LINGER_BYTES
        self._mark = -1  # bytes moved when the window began in which the rate is measured; -1: there is none
        self._mark_s = 0.0  # when that was
        self._moved = 0  # bytes received and written
        self._sent = 0  # bytes of the streamed answer under way
        self._task: asyncio.Task[None] | None = None
        self._transfer: Transfer | None = None
        self._writable: asyncio.Future[None] | None = None
        self.address = ""
        self.bucket = -1
        self.codec = ServerCodec(server.limits, server.memo)
        self.exchange: Exchange | None = None
        self.is_paused = False

    # the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse when a limit on connections is reached."""
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        # An IPv4 peer of a dual-stack socket is the same peer as on an IPv4 one (RFC 4291 2.5.5.2).
        self.address = peer[0].removeprefix("::ffff:") if isinstance(peer, tuple) else UNIX
        status, reason = self._server.admit(self)
        self._began_s = self._server.clock.now_s
        self._server.wheel.add(self, self._began_s + self._server.idle_s)
        if status:
            self._refuse(status, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything. exc: how the peer went, which changes nothing."""
        self._server.dismiss(self)
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            if exchange.inbox is not None:
                exchange.inbox.cut("the peer closed the connection")
            exchange.note = exchange.note or "cut"
            self._server.count(self, exchange, self._sent)
            exchange.status = exchange.status or GONE
        if self._transfer is not None:
            self._transfer.close()
            self._transfer = None
        if self._task is not None:
            self._task.cancel()
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._moved += len(data)
        if not self._linger_end_s:
            self._take(self.codec.feed(data))
            return
        self._began_s = self._server.clock.now_s
        self._linger_left -= len(data)
        if self._linger_left < 0:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Take the end of the peer's side; it may still be reading, so ours stays open until the answer is out."""
        self._is_ended = True
        if self._linger_end_s:
            return False
        self._take(self.codec.feed_eof())
        return not self.transport.is_closing()

    def pause_writing(self) -> None:
        """Stop reading: nothing more is answered before this peer takes what it has."""
        self.is_paused = True
        self._mark = -1
        self.transport.pause_reading()
        self._server.wheel.hasten(self, self._server.clock.now_s + self._server.limits.rate_window)

    def resume_writing(self) -> None:
        """Go on with whatever waited for the peer to read."""
        self.is_paused = False
        self._began_s = self._server.clock.now_s
        self._wake()
        if self._linger_end_s:
            self._linger()
        elif self._transfer is not None:
            self._transfer.resume()
        else:
            self._go_on()

    # from bytes to exchanges

    def _take(self, events: Sequence[Event]) -> None:
        """Act on events, then on those of the requests that wait behind, until there is nothing to do."""
        codec = self.codec
        batch = 1
        self._is_taking = True
        while events:
            for event in events:
                if isinstance(event, HeadReceived):
                    self._begin(event)
                elif event is not ENDED or self.exchange is not None:
                    self._take_other(event)
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
            self._head_s = 0.0

    def _hold(self) -> None:
        """Bound what waits in the codec: requests behind the current one by size, the beginning of a head by time."""
        if self.exchange is not None:
            if len(self.codec.buffered) > _MAX_WAITING:
                self.transport.pause_reading()
        elif not self._head_s and not self.is_paused:
            self._head_s = self._server.clock.now_s
            self._server.wheel.hasten(self, self._head_s + self._server.limits.head_timeout)

    def _begin(self, event: HeadReceived) -> None:
        """Hand a request to the handler."""
        server = self._server
        self._is_fresh = False
        self._head_s = 0.0
        self._mark = -1
        self.exchange = exchange = Exchange(self, event.request, 0.0 if server.log is None else time.perf_counter())
        if exchange.inbox is not None:
            server.wheel.hasten(self, server.clock.now_s + server.limits.rate_window)
        try:
            work = server.handler(exchange)
            if work is not None:
                self._start(exchange, work)
            elif not exchange.status:
                self._crash(exchange, _SILENT)
        except Exception as exc:  # the root of what a handler does
            server.report(exc)
            self._crash(exchange, _FAILED)

    def _start(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        self._task = self._server.loop.create_task(self._run(exchange, work))

    async def _run(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Run what waits: a handler, or an answer that an iterator yields."""
        try:
            await work
            if not exchange.status:
                self._crash(exchange, _SILENT)
        except Gone:
            self.cut(exchange, "cut")
        except Exception as exc:  # the root of a task
            # Answering what the peer spoilt meanwhile, and was refused for, is nobody's mistake.
            if self.exchange is exchange or not isinstance(exc, UsageError):
                self._server.report(exc)
            self._crash(exchange, _FAILED)
        if self._task is asyncio.current_task():
            self._task = None
        self._go_on()

    def _crash(self, exchange: Exchange, reason: str) -> None:
        """Answer 500, or cut the connection if an answer has begun."""
        if exchange.status:
            self.cut(exchange, reason)
        elif self.exchange is exchange:
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
            if isinstance(event, BodyReceived):
                exchange.inbox.put(event.data)
                if exchange.inbox.waiting_bytes > _MAX_WAITING:
                    self.transport.pause_reading()
            else:
                exchange.inbox.complete()

    def _take_fault(self, event: PeerFaulted) -> None:
        """Answer what the codec refused, unless the answer to its head has begun."""
        exchange = self.exchange
        if exchange is None:
            if not self.codec.closing:  # else the request was answered, and refused, before its body could be wrong
                self._refuse(event.status, event.reason)
            return
        if exchange.inbox is not None:
            exchange.inbox.cut(event.reason)
        if exchange.status:
            self.cut(exchange, event.reason)
        else:
            exchange.note = event.reason
            exchange.respond(refusal(event.status, event.reason, exchange.request.values))

    def _refuse(self, status: int, reason: str) -> None:
        """Answer something that never became a request, and close."""
        answer = refusal_answer(status, reason)
        self._is_refused = self.codec.is_last = True
        self.codec.send_answer(answer, self._server.clock.date_line)
        self._server.count_refusal(self, answer, reason)
        self._flush()

    # from answers to bytes

    def send_whole(self, exchange: Exchange, whole: WholeAnswer) -> None:
        """Send a complete answer; the exchange is over."""
        server = self._server
        self.codec.send_answer(whole, server.clock.date_line)
        self.exchange = None
        self._began_s = server.clock.now_s
        server.count(self, exchange, whole.length)
        if self._task is not None:
            self._go_on()
        elif whole.length > _BATCHED_BYTES:
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
        self.codec.send_head(head, self._server.clock.date_line)
        self._flush()
        if not isinstance(body, tuple):
            self._start(exchange, (leave_out if is_left_out else stream)(self, exchange, body))
        elif is_left_out:
            release(body)
            self.finish(exchange)
        else:
            self._server.wheel.hasten(self, self._server.clock.now_s + self._server.limits.rate_window)
            self._transfer = Transfer(self, exchange, body, self._server.buffers)
            self._transfer.resume()

    def write_body(self, data: bytes | memoryview) -> None:
        """Send a piece of the current answer's body."""
        self._sent += len(data)
        self.codec.send_body(data)
        self._flush()

    def body_sent(self, count: int) -> None:
        """Account for bytes of the current answer's body that the kernel sent by itself."""
        self.codec.skip_body(count)
        self._sent += count
        self._moved += count

    @property
    def is_plain(self) -> bool:
        """Tell whether what we write is what goes over the wire."""
        return self.transport.get_extra_info("sslcontext") is None

    def fileno(self) -> int:
        """Return the descriptor of the socket, good for as long as the transport is not closing."""
        fd: int = self.transport.get_extra_info("socket").fileno()
        return fd

    async def writable(self) -> None:
        """Wait until the transport has handed everything to the kernel. Raises Gone when it never will."""
        if self.is_paused:
            self._writable = self._server.loop.create_future()
            await self._writable
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
        if not self.is_paused and not self.transport.is_reading():
            self._mark = -1
            self.transport.resume_reading()

    def finish(self, exchange: Exchange) -> None:
        """End a streamed answer; the exchange is over."""
        is_pumped = self._transfer is not None
        if is_pumped:
            self._transfer = None
            self.transport.set_write_buffer_limits()
        self.codec.send_end()
        exchange.note = exchange.note or self.codec.fault
        self.exchange = None
        self._began_s = self._server.clock.now_s
        self._server.count(self, exchange, self._sent)
        self._sent = 0
        if is_pumped:
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
        if self.is_paused or self.codec.closing or self.transport.is_closing():
            return
        if self.exchange is None:
            self.transport.resume_reading()
            if self.codec.buffered:
                self._take(self.codec.feed(b""))
        elif not self._is_full():
            self.transport.resume_reading()

    def _is_full(self) -> bool:
        """Tell whether as much waits for the exchange under way, or behind it, as may."""
        inbox = self.exchange.inbox if self.exchange is not None else None
        return len(self.codec.buffered) > _MAX_WAITING or (inbox is not None and inbox.waiting_bytes > _MAX_WAITING)

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _flush(self) -> None:
        """Write what the codec has, then close if it says so."""
        out = self.codec.outgoing()
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            self._moved += len(data)
            self.transport.write(data)
        if self.codec.closing:
            self._close()

    def _close(self) -> None:
        """Close once everything is written; linger where the peer may still be sending."""
        codec = self.codec
        if self._linger_end_s or self.transport.is_closing():
            return
        if self._is_ended or not (self._is_refused or codec.reader is not None or codec.buffered):
            self.transport.close()
            return
        self.transport.set_write_buffer_limits(high=0)  # lingering begins when the kernel has all of the answer
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def _linger(self) -> None:
        """Read and drop what the peer sends, from now on."""
        self._began_s = self._server.clock.now_s
        self._linger_end_s = self._began_s + _LINGER_S
        if not self.is_paused:
            self.transport.resume_reading()
            self._server.wheel.hasten(self, self._began_s + _SILENCE_S)

    # deadlines

    def drain(self) -> None:
        """Close now if idle, else after the answer under way."""
        self.codec.is_last = True
        if self.exchange is None and not self.codec.closing:
            self.transport.close()

    def check(self, now_s: float) -> float | None:
        """Act on the deadline that applies; return when to ask again."""
        if self.exchange is not None or self.is_paused or self.transport.is_closing():
            return self._check_rate(now_s)
        self._mark = -1
        if self._linger_end_s:
            due_s, act = self._linger_deadline(now_s), self.transport.abort
        else:
            due_s, act = self._idle_deadline()
        if now_s < due_s:
            return due_s
        act()
        return now_s + _SILENCE_S

    def _linger_deadline(self, now_s: float) -> float:
        """Return until when the peer may go on sending for nothing."""
        lingered_s = now_s - (self._linger_end_s - _LINGER_S)
        received = _LINGER_BYTES - self._linger_left
        if lingered_s >= _SILENCE_S and received < lingered_s * self._server.limits.min_rate:
            return now_s
        return min(self._began_s + _SILENCE_S, self._linger_end_s)

    def _idle_deadline(self) -> tuple[float, Callable[[], None]]:
        """Return until when the peer has to ask something, and what to do if it does not."""
        limits = self._server.limits
        if self._head_s:
            reason = f"the request head was not complete within {limits.head_timeout:g} s"
            return self._head_s + limits.head_timeout, lambda: self._refuse(408, reason)
        return self._began_s + (
            limits.first_byte_timeout if self._is_fresh else limits.keep_alive_timeout
        ), self.transport.close

    def _check_rate(self, now_s: float) -> float | None:
        """Cut a peer that neither reads nor sends at the least rate while we wait for it."""
        limits = self._server.limits
        moved = self._moved - self.transport.get_write_buffer_size()
        if not self._is_waiting():
            self._mark = -1
        elif self._mark < 0 or now_s >= self._mark_s + limits.rate_window:
            if 0 <= self._mark and moved - self._mark < limits.min_rate * limits.rate_window:
                return self._stop_slow(now_s)
            self._mark = moved
            self._mark_s = now_s
        # Asked at least so often that idleness, once it begins, does not outlast its limit.
        return now_s + min(limits.rate_window, limits.keep_alive_timeout)

    def _is_waiting(self) -> bool:
        """Tell whether it is the peer's turn: to read, or to send a body that may come."""
        if self.is_paused or self.transport.is_closing() or (self._transfer is not None and self._transfer.is_waiting):
            return True
        exchange = self.exchange
        if exchange is None or exchange.inbox is None or self.codec.reader is None:
            return False
        is_held_back = exchange.request.expects_continue and exchange.inbox.is_untouched
        return not is_held_back and exchange.inbox.waiting_bytes <= _MAX_WAITING

    def _stop_slow(self, now_s: float) -> float | None:
        """Answer 408 where no answer has begun, else cut."""
        exchange = self.exchange
        if exchange is not None and not exchange.status:
            reason = f"the body came slower than {self._server.limits.min_rate} bytes a second"
            self._take_fault(PeerFaulted(408, reason))
            self._flush()
            return now_s + _SILENCE_S
        if exchange is not None:
            exchange.note = exchange.note or "too slow"
        self.transport.abort()
        return None
