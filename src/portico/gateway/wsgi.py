"""A WSGI application as a handler (PEP 3333): in threads, or on the loop.

    Wsgi(exchange) -> Environs.make
      threads   body up to `buffer_body` received -> Pool.submit(Job) -> ... Job.deliver
      loop      body received whole -> Call.open -> exchange.reply | exchange.stream | begin, write, end

A thread is taken when the head and the first `buffer_body` bytes of the body are there, so a client that sends slowly
holds none until then. A client that waits for 100 Continue gets it when the application reads, and not at all if it
never does; on the loop, where nothing can wait, before the application is called.

An application that fails before its answer has begun is answered for with a 500; later the connection is cut, so that
a body that broke off cannot be taken for a whole one. Neither sys.exit() nor KeyboardInterrupt gets any further.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextvars import copy_context
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from portico.gateway.contract import Exchange
from portico.gateway.environ import Environ, Environs
from portico.gateway.file_wrapper import FileWrapper
from portico.gateway.pool import Pool
from portico.gateway.wsgi_call import App, Call, failure
from portico.gateway.wsgi_input import body_file
from portico.gateway.wsgi_job import Job
from portico.http.message import Span
from portico.settings import App as AppSettings
from portico.wire.answer import AppHeads

_MAX_LINE = 8192


class ErrorStream(threading.local):
    """`wsgi.errors`: each line becomes a record of the logger `portico.wsgi`; threads do not mix theirs."""

    def __init__(self) -> None:
        self._rest = ""

    def write(self, text: str) -> int:
        """Log whole lines; keep the rest for the next call."""
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _MAX_LINE:
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            logging.getLogger("portico.wsgi").error("%s", line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Log what is there, whole line or not."""
        if self._rest:
            self.write("\n")


class Wsgi:
    """A handler that answers with a WSGI application. See the module; call it on the loop it belongs to.

    app: the application. settings: threads (0: on the loop), max_threads, buffer_body, root_path.
    is_multiprocess: other processes serve the same application (`wsgi.multiprocess`).
    pool: its threads, None on the loop.
    """

    def __init__(self, app: App, settings: AppSettings, *, is_multiprocess: bool = False) -> None:
        self.app = app
        self.heads = AppHeads()
        self.pool = Pool(settings.threads, settings.max_threads) if settings.threads else None
        self._buffer_bytes = settings.buffer_body
        self._tasks: set[asyncio.Task[None]] = set()
        self._environs = Environs(
            settings.root_path,
            {
                "wsgi.version": (1, 0),
                "wsgi.errors": ErrorStream(),
                "wsgi.multithread": self.pool is not None,
                "wsgi.multiprocess": is_multiprocess,
                "wsgi.run_once": False,
                "wsgi.input_terminated": True,
                "wsgi.file_wrapper": FileWrapper,
            },
        )

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer an exchange."""
        request = exchange.request
        environ = self._environs.make(request, exchange.origin)
        if request.body_length == 0:
            environ["wsgi.input"] = BytesIO()
        else:
            pieces = _take_all(exchange)
            if not exchange.is_body_complete:
                receive = self._receive_some if self.pool is not None else self._receive_all
                return receive(exchange, environ, pieces)
            _set_body(environ, BytesIO(b"".join(pieces)), sum(map(len, pieces)))
        if self.pool is None:
            return self._call(exchange, environ)
        exchange.is_deferred = True
        self.pool.submit(Job(self, exchange, environ))
        return None

    def close(self) -> None:
        """Let the threads end when they have done what is queued."""
        if self.pool is not None:
            self.pool.close()

    # in threads

    def post(self, call: Callable[[], object]) -> None:
        """Have the loop call this soon; for jobs."""
        assert self.pool is not None
        self.pool.post(call)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for a job, and hold on to it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _receive_some(self, exchange: Exchange, environ: Environ, pieces: list[bytes]) -> None:
        """Take a thread when enough of the body is there; the rest is streamed to it."""
        assert self.pool is not None
        job = Job(self, exchange, environ)
        size = sum(map(len, pieces))
        if not exchange.request.expects_continue:
            while size < self._buffer_bytes and (piece := await exchange.read()):
                pieces.append(piece)
                size += len(piece)
        data = b"".join(pieces)
        if exchange.is_body_complete:
            _set_body(environ, BytesIO(data), size)
        else:
            environ["wsgi.input"] = body_file(data, job.fetch)
        job.over = asyncio.get_running_loop().create_future()
        try:
            self.pool.submit(job)
            await job.over
        finally:
            job.leave()

    # on the loop

    async def _receive_all(self, exchange: Exchange, environ: Environ, pieces: list[bytes]) -> None:
        """Call the application when the body is there, on disk if it is large."""
        with SpooledTemporaryFile(self._buffer_bytes) as body:
            size = body.write(b"".join(pieces))
            while piece := await exchange.read():
                size += body.write(piece)
            body.seek(0)
            _set_body(environ, body, size)
            work = self._call(exchange, environ)
            if work is not None:
                await work

    def _call(self, exchange: Exchange, environ: Environ) -> Coroutine[Any, Any, None] | None:
        call = _DirectCall(self.heads, exchange)
        body: bytes | Span | None = b""
        try:
            body = call.run(call.open, self.app, environ)
            assert call.head is not None
            if body is None:
                return self._send(call)
            if isinstance(body, bytes):
                exchange.reply(call.head, body)
                if call.result is not None:
                    call.run(call.exhaust)
            else:
                exchange.stream(call.head, (body,))
        except (SystemExit, KeyboardInterrupt) as exc:
            raise failure(exc) from exc
        finally:
            if body is not None and call.result is not None:
                call.run(call.close)
        return None

    async def _send(self, call: "_DirectCall") -> None:
        try:
            while piece := call.run(call.next_piece):
                call.send(piece)
                await call.exchange.flushed()
            call.finish()
        except (SystemExit, KeyboardInterrupt) as exc:
            raise failure(exc) from exc
        finally:
            call.run(call.close)


class _DirectCall(Call):
    """A call on the loop: what `write` sends waits in the transport, since nothing here can wait for the peer.

    run: calls something in the context (PEP 567) that is this call's own. An answer in pieces goes on in a task, whose
    context is another one than that of the application's first step; and none may see what another has set.
    """

    __slots__ = ("_has_head", "exchange", "run")

    def __init__(self, heads: AppHeads, exchange: Exchange) -> None:
        super().__init__(heads, exchange.request)
        self.exchange = exchange
        self.run = copy_context().run
        self._has_head = False

    def send(self, data: bytes) -> None:
        """Send a piece, the head before it. Raises Gone."""
        self._begin()
        self.exchange.write(data)

    def finish(self) -> None:
        """Complete the answer."""
        self._begin()
        self.exchange.end()

    def _begin(self) -> None:
        if not self._has_head:
            self._has_head = True
            assert self.head is not None
            self.exchange.begin(self.head)


def _take_all(exchange: Exchange) -> list[bytes]:
    """Return what has come of the body so far."""
    pieces = []
    while piece := exchange.take():
        pieces.append(piece)
    return pieces


def _set_body(environ: Environ, body: IO[bytes], size: int) -> None:
    """Set a body that is there as a whole: it has a length then, and is in chunks no longer (RFC 9112 7.1.3)."""
    environ["wsgi.input"] = body
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        environ["CONTENT_LENGTH"] = str(size)
