"""The handler contract: one callable that gets an `Exchange` and answers it.

    def hello(exchange: Exchange) -> None:
        exchange.respond(Response(200, [("content-type", "text/plain")], b"hello\\n"))

A plain function answers before it returns; no task is made for it. A coroutine function may wait first: for the body
(`read`), for anything else. Either answers exactly once; without that the peer gets a 500.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from portico.errors import Gone, PorticoError, UsageError
from portico.gateway.contract import Origin, WebSocket
from portico.http.message import Request, Response, StreamedBody
from portico.http.trace import Identity
from portico.server.sending import release
from portico.wire.answer import AnswerHead, WholeAnswer

if TYPE_CHECKING:
    from portico.server.connection import HttpConnection

Handler = Callable[["Exchange"], Coroutine[Any, Any, None] | None]

GONE = -1


UNIX = "unix"  # the address of every peer on a unix socket
UNKNOWN = "-"  # of a peer that has gone already


def address_of(transport: asyncio.BaseTransport) -> str:
    """Return the peer's IP address, UNIX, or UNKNOWN."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        # Whoever resets a connection before we have seen it has no address any more.
        return UNKNOWN if isinstance(transport.get_extra_info("sockname"), tuple) else UNIX
    # An IPv4 peer of a dual-stack socket is the same peer as on an IPv4 one (RFC 4291 2.5.5.2).
    return str(peer[0]).removeprefix("::ffff:")


def origin_of(transport: asyncio.Transport, address: str) -> Origin:
    """Return where a connection came from, as its socket tells. address: the peer's."""
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
    if not isinstance(peer, tuple):
        # An abstract name begins with a zero byte, which is written as an @ (unix(7)).
        path = "@" + os.fsdecode(own[1:]) if isinstance(own, bytes) else str(own or "")
        return Origin(None, (path, None), scheme)
    return Origin((address, peer[1]), (own[0].removeprefix("::ffff:"), own[1]), scheme)


class Inbox:
    """The body of one request on its way from the connection to the handler.

    waiting_bytes: received and not yet read. is_untouched: none has come, and none was asked for.
    """

    __slots__ = ("_error", "_is_complete", "_pieces", "_waiter", "is_untouched", "waiting_bytes")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._is_complete = False
        self._error = ""
        self._waiter: asyncio.Future[None] | None = None
        self.waiting_bytes = 0
        self.is_untouched = True

    def put(self, data: bytes) -> None:
        """Add a piece."""
        self._pieces.append(data)
        self.is_untouched = False
        self.waiting_bytes += len(data)
        self._wake()

    def complete(self) -> None:
        """Say that no piece will follow, because the body is whole."""
        self._is_complete = True
        self._wake()

    def cut(self, reason: str) -> None:
        """Say that no piece will follow, because the peer failed to send them."""
        self._error = self._error or reason
        self._wake()

    def take(self) -> bytes | None:
        """Return the next piece, b"" at the end, None if it has not come yet. Raises Gone when it never will."""
        if self._pieces:
            data = self._pieces.popleft()
            self.waiting_bytes -= len(data)
            return data
        if self._is_complete:
            return b""
        if self._error:
            raise Gone(self._error)
        return None

    @property
    def is_drained(self) -> bool:
        """Whether the whole body has come and been taken."""
        return self._is_complete and not self._pieces

    async def wait(self) -> None:
        """Wait until `take` has something to say."""
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Exchange:
    """One request and the way to answer it.

    request: the parsed head. status: of the answer, 0 before there is one, GONE if the peer went before there was.
    is_lost: the connection broke off under it.
    coding, note: the answer's content coding, and a remark, both for the access log and "" as a rule.
    inbox: the request's body, None for a request without one.
    keeps_running: set by a handler that wants to be told of a peer that goes (`gone`) instead of being cancelled.
    claimed: where it came from as a trusted proxy tells it, None as a rule.
    identity: what names it in the log and elsewhere, None where nobody asked for that.
    is_deferred: set by a plain function that answers after it has returned.
    is_pushed: an answer has begun and not ended. has_turn: counted among the requests under way. waiter: of `gone`.
    tasks: what runs for it, and was not over at once.
    """

    __slots__ = (
        "_connection",
        "claimed",
        "coding",
        "has_turn",
        "identity",
        "inbox",
        "is_deferred",
        "is_lost",
        "is_pushed",
        "keeps_running",
        "note",
        "request",
        "started_s",
        "status",
        "tasks",
        "waiter",
    )

    def __init__(self, connection: "HttpConnection", request: Request, started_s: float) -> None:
        self._connection = connection
        self.claimed: Origin | None = None
        self.request = request
        self.identity: Identity | None = None
        self.started_s = started_s
        self.status = 0
        self.coding = ""
        self.note = ""
        self.keeps_running = self.is_deferred = self.is_lost = self.is_pushed = self.has_turn = False
        self.tasks: tuple[asyncio.Task[None], ...] = ()
        self.waiter: asyncio.Future[None] | None = None
        self.inbox = Inbox() if request.body_length != 0 else None

    @property
    def origin(self) -> Origin:
        """Where the request came from; a trusted proxy's word for it, once that is set."""
        return self.claimed or self._connection.origin

    @origin.setter
    def origin(self, origin: Origin) -> None:
        self.claimed = origin

    @property
    def is_gone(self) -> bool:
        """Whether the peer has gone, so that nothing can be sent any more."""
        return self.is_lost or (self._connection.exchange is self and self._connection.transport.is_closing())

    def server_lines(self, head: AnswerHead | WholeAnswer) -> bytes:
        """Return what stands before the application's fields: the date, and our id unless they name the request."""
        date_line = self._connection.server.clock.date_line
        if self.identity is None or head.has_field(b"x-request-id"):
            return date_line
        return date_line + f"X-Request-Id: {self.identity.request_id}\r\n".encode("ascii")

    async def gone(self) -> None:
        """Wait until the peer has gone, or said that it will send nothing more, or this exchange is over."""
        connection = self._connection
        if connection.exchange is self and not connection.is_ended:
            if self.waiter is None:
                self.waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.waiter)

    def wake(self) -> None:
        """Let go on who waits in `gone`."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def stop(self) -> None:
        """Cancel what runs for it."""
        for task in self.tasks:
            task.cancel()

    def take_turn(self) -> None:
        """Go on after waiting for others to end."""
        self._connection.take_turn(self)

    @property
    def address(self) -> str:
        """The peer's IP address as text, "unix" for a unix socket; the one that a trusted proxy speaks for."""
        client = self.claimed and self.claimed.client
        return client[0] if client else self._connection.address

    def answer(self, whole: WholeAnswer) -> None:
        """Answer with something prepared, which may serve many exchanges. Raises like `respond`."""
        if self.status:
            raise self._over()
        self.status = whole.status
        self._connection.send_whole(self, whole)

    def reply(self, head: AnswerHead, body: bytes) -> None:
        """Answer with a head and a body made for this exchange alone. Raises like `respond`."""
        if self.status:
            raise self._over()
        self.status = head.status
        self._connection.send_reply(self, head, body)

    def begin(self, head: AnswerHead) -> None:
        """Begin an answer that `write` and `end` complete. Raises like `respond`."""
        if self.status:
            raise self._over()
        self._connection.send_begin(self, head)

    def write(self, data: bytes | memoryview) -> None:
        """Send a piece of the body; beyond the announced length it is cut and noted. Raises Gone."""
        self._check_pushed()
        self._connection.push(data)

    async def flushed(self) -> None:
        """Wait until the peer has room for more. Raises Gone when it has gone."""
        self._check_pushed()
        await self._connection.flushed()

    def end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """Complete the answer; one that is shorter than its head says closes the connection."""
        self._check_pushed()
        self._connection.finish(self, trailers)

    def _check_pushed(self) -> None:
        if self._connection.exchange is not self:
            raise Gone("the peer closed the connection") if self.is_pushed else UsageError("no answer is under way")
        if not self.is_pushed:
            raise UsageError("no answer has begun")

    def inform(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        """Send an interim response, such as 103, before the answer. Raises UsageError for what may not be sent."""
        if self.status:
            raise self._over()
        self._connection.inform(status, fields)

    def fail(self, exc: BaseException) -> None:
        """Log what the application raised; answer 500, or cut an answer that has begun."""
        self._connection.fail_exchange(self, exc)

    def abort(self, note: str) -> None:
        """Close the connection now; what was sent of an answer cannot look complete. note: for the log."""
        self._connection.cut(self, note)

    def upgrade(self, subprotocol: str | None, fields: Iterable[tuple[str, str]]) -> WebSocket:
        """Answer a WebSocket handshake with 101 and return the WebSocket; the exchange is over.

        subprotocol: one of those the client offered, or None. Raises UsageError for any other, and for fields that
        are the handshake's own; PeerError for a request that is no handshake; Gone.
        """
        if self.status:
            raise self._over()
        return self._connection.upgrade(self, subprotocol, fields)

    def respond(self, response: Response) -> None:
        """Answer with a Response; its body may go on being sent after this returns.

        Raises UsageError for what may not be put on the wire; the exchange can still be answered then. Raises
        UsageError for a second answer, and Gone when the peer closed the connection. The sources of the body are
        closed in every case.
        """
        body = response.body
        if isinstance(body, bytes):
            self.answer(WholeAnswer(response.status, response.fields, body))
            return
        length = None
        if isinstance(body, tuple):
            length = sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in body)
        try:
            head = AnswerHead(response.status, response.fields, length)
        except UsageError:
            release(body)
            raise
        self.stream(head, body)

    def stream(self, head: AnswerHead, body: StreamedBody) -> None:
        """Answer with a head that may serve many exchanges, and a body; otherwise like `respond`.

        head: its length is the body's, None for an iterator.
        """
        if self.status:
            release(body)
            raise self._over()
        self._connection.send_streamed(self, head, body)

    def _over(self) -> PorticoError:
        if self.status == GONE:
            return Gone("the peer closed the connection")
        return UsageError("this exchange is answered already")

    def take(self) -> bytes | None:
        """Return the next piece of the request's body, b"" at its end, None if it has not come yet.

        Raises Gone when the body will not be complete.
        """
        return b"" if self.inbox is None else self.inbox.take()

    @property
    def is_body_complete(self) -> bool:
        """Whether everything of the request's body has been taken."""
        return self.inbox is None or self.inbox.is_drained

    async def read(self) -> bytes:
        """Return the next piece of the request's body, b"" at its end.

        A client that waits for a 100 is told to go on. Raises Gone when the body will not be complete.
        """
        if self.inbox is None:
            return b""
        while (data := self.inbox.take()) is None:
            self._connection.want_body()
            await self.inbox.wait()
        return data
