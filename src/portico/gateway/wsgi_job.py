"""A call of a WSGI application in a thread, and its answer on the loop.

    Wsgi -> Pool.submit(job)
      thread   Job.run -> Call.open, next_piece      -> Pool.post(job.deliver), for each piece Pool.post(job.wake)
               wsgi.input -> Job.fetch               -> Pool.post(job.want) ... waits for the loop
      loop     Job.deliver -> exchange.reply | exchange.stream | _pump: exchange.begin, write, flushed, end

Thread and loop share no lock. What the thread waits for comes through a queue: pieces of the request's body, and
credit for pieces of the answer that the peer has taken. Once the exchange is over, `leave` lets the thread go on with
an error (ClientDisconnected); what it still gives is dropped.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from portico.errors import Gone
from portico.gateway.contract import Exchange
from portico.gateway.environ import Environ
from portico.gateway.wsgi_call import Call, failure
from portico.gateway.wsgi_input import ClientDisconnected
from portico.http.message import Span

if TYPE_CHECKING:
    from portico.gateway.wsgi import Wsgi

# How far an application may be ahead of a peer that reads slowly.
_WINDOW_BYTES = 256 * 1024
_GONE = "the client has gone; nothing more can be sent to it or read from it"


class Job(Call):
    """See the module. is_gone: the exchange is over for us. over: done once nothing more will be sent, if anybody asks.
    queued_s: the pool's."""

    __slots__ = (
        "_body",
        "_credit",
        "_environ",
        "_error",
        "_exchange",
        "_gateway",
        "_input",
        "_is_done",
        "_is_posted",
        "_out",
        "_reading",
        "_unsent",
        "_waiter",
        "is_gone",
        "over",
        "queued_s",
    )

    def __init__(self, gateway: "Wsgi", exchange: Exchange, environ: Environ) -> None:
        super().__init__(gateway.heads, exchange.request)
        self._gateway = gateway
        self._exchange = exchange
        self._environ = environ
        self._body: bytes | Span | None = None
        self._error: BaseException | None = None
        self._is_done = False  # set by the thread behind its last piece
        self._is_posted = False  # the loop has been told of the answer
        self._out: deque[bytes] = deque()
        self._unsent = 0  # bytes that the peer has not taken, as far as the thread knows
        self._credit: SimpleQueue[int] | None = None
        self._input: SimpleQueue[bytes | Exception] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_gone = False
        self.over: asyncio.Future[None] | None = None
        self.queued_s = 0.0

    # in the thread

    def run(self) -> None:
        """Call the application, and give its answer to the loop."""
        post = self._gateway.post
        try:
            self._body = self.open(self._gateway.app, self._environ)
            if self._body is None:
                while piece := self.next_piece():
                    self.send(piece)
                self._finish()
            else:
                self._is_posted = True
                post(self.deliver)
                if self.result is not None:
                    self.exhaust()
        except BaseException as exc:  # the root of what an application does, sys.exit() included
            self._fail(exc)
        if self.result is not None:
            try:
                self.close()
            except BaseException as exc:  # likewise
                self._fail(exc)

    def send(self, data: bytes) -> None:
        """Hand a piece to the loop; wait while the peer is too far behind. Raises ClientDisconnected."""
        if self._credit is None:
            self._credit = SimpleQueue()
        if self.is_gone:
            raise ClientDisconnected(_GONE)
        self._out.append(data)
        self._unsent += len(data)
        if self._is_posted:
            self._gateway.post(self.wake)
        else:
            self._is_posted = True
            self._gateway.post(self.deliver)
        while self._unsent > _WINDOW_BYTES:
            taken = self._credit.get()
            if not taken:
                raise ClientDisconnected(_GONE)
            self._unsent -= taken

    def fetch(self) -> bytes:
        """Return the next piece of the request's body, b"" at its end. Raises ClientDisconnected."""
        if self._input is None:
            self._input = SimpleQueue()
        if self.is_gone:
            raise ClientDisconnected(_GONE)
        self._gateway.post(self.want)
        piece = self._input.get()
        if isinstance(piece, bytes):
            return piece
        raise ClientDisconnected(f"the body broke off: {piece}") from piece

    def _finish(self) -> None:
        self._is_done = True
        if self._is_posted:
            self._gateway.post(self.wake)
        else:  # pieces were awaited in vain, as those of a HEAD are
            self._is_posted = True
            self._gateway.post(self.deliver)

    def _fail(self, exc: BaseException) -> None:
        """Pass on what went wrong, or log it where the answer is complete without."""
        if self._is_done or self._body is not None:
            logging.getLogger("portico").error("the application failed behind its answer", exc_info=exc)
        else:
            self._error = exc
            self._finish()

    # on the loop

    def deliver(self) -> None:
        """Give the answer to the exchange, unless that is over."""
        exchange = self._exchange
        body = self._body
        if exchange.status or self.is_gone:
            if isinstance(body, Span):
                body.source.close()
        elif self._error is not None and not self._out:
            self._answer_failure(self._error)
        elif body is None:
            self._gateway.start(self._pump())
            return
        else:
            assert self.head is not None
            with suppress(Gone):
                if isinstance(body, bytes):
                    exchange.reply(self.head, body)
                else:
                    exchange.stream(self.head, (body,))  # which closes the source, come what may
        self.leave()

    def _answer_failure(self, error: BaseException) -> None:
        """Answer 500, or cut an answer that has begun."""
        exchange = self._exchange
        if isinstance(error, ClientDisconnected):
            exchange.abort("cut")
            return
        failed = failure(error)
        if failed is not error:
            failed.__cause__ = error
        exchange.fail(failed)

    def wake(self) -> None:
        """Note that there is something to send."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _pump(self) -> None:
        """Send pieces as they come, at the pace of the peer."""
        exchange = self._exchange
        try:
            assert self.head is not None
            exchange.begin(self.head)
            await self._send_pieces()
            if self._error is None:
                exchange.end()
            else:
                self._answer_failure(self._error)
        except Gone:
            pass
        finally:
            self.leave()

    async def _send_pieces(self) -> None:
        exchange = self._exchange
        out = self._out
        while True:
            is_done = self._is_done  # asked before `out` is emptied: the last piece precedes it
            taken = 0
            while out:
                piece = out.popleft()
                taken += len(piece)
                exchange.write(piece)
            await exchange.flushed()
            if taken and self._credit is not None:
                self._credit.put(taken)
            if is_done:
                return
            if not (out or self._is_done):
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter

    def want(self) -> None:
        """Get the next piece of the request's body for the thread that waits in `fetch`."""
        assert self._input is not None
        try:
            piece = self._exchange.take()
        except Gone as exc:
            self._input.put(exc)
            return
        if piece is not None:
            self._input.put(piece)
        elif not self.is_gone:  # else `leave` has answered
            self._reading = asyncio.get_running_loop().create_task(self._read(self._input))

    async def _read(self, answers: "SimpleQueue[bytes | Exception]") -> None:
        try:
            answers.put(await self._exchange.read())
        except Gone as exc:
            answers.put(exc)

    def leave(self) -> None:
        """Let go of the thread: it gets nothing more, and nothing more is taken from it."""
        self.is_gone = True
        if self._credit is not None:
            self._credit.put(0)
        if self._input is not None:
            self._input.put(Gone(_GONE))
        if self._reading is not None:
            self._reading.cancel()
        if self.over is not None and not self.over.done():
            self.over.set_result(None)
