"""What a gateway may ask of the exchange it is given; `server.exchange.Exchange` fulfils it.

In: one request. Out: one answer: whole (`reply`), in pieces of known length (`stream`), or pushed (`begin`, `write`,
`flushed`, `end`), or a WebSocket (`upgrade`). Everything here belongs to the thread of the event loop.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from portico.http.message import Request, StreamedBody
from portico.wire.answer import AnswerHead


class Origin(NamedTuple):
    """Where a request came from and which way.

    client: address and port of the peer, or of the one a trusted proxy speaks for; None on a unix socket.
    server: address and port it came in on; path and None on a unix socket. scheme: "http" or "https".
    """

    client: tuple[str, int] | None
    server: tuple[str, int | None]
    scheme: str


class WebSocket(Protocol):
    """A WebSocket that has been accepted."""

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises WebSocketClosed when the closing handshake, or the connection, has ended: 1005 where the peer gave no
        code, 1006 without a handshake.
        """
        ...

    def send(self, data: str | bytes) -> None:
        """Send a message. The same object sent to many WebSockets is framed once. Raises Gone when it is closed."""
        ...

    async def flushed(self) -> None:
        """Wait until the peer has room for more. Raises Gone when it has gone."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; does nothing if that has begun. Raises UsageError for a code that cannot be
        sent, and for a reason of over 123 bytes in UTF-8."""
        ...


class Exchange(Protocol):
    """One request and the way to answer it, exactly once.

    status: of the answer, 0 before there is one, negative if the peer went before there was.
    note: a remark for the access log. keeps_running: set to be told of a peer that goes (`gone`) instead of being
    cancelled when it does. is_deferred: set by a plain function that answers after it has returned, on the loop.
    """

    request: Request
    status: int
    note: str
    keeps_running: bool
    is_deferred: bool

    @property
    def origin(self) -> Origin:
        """Where the request came from."""
        ...

    @property
    def is_gone(self) -> bool:
        """Whether the peer has gone, so that nothing can be sent any more."""
        ...

    async def gone(self) -> None:
        """Wait until the peer has gone, or said that it will send nothing more, or this exchange is over."""
        ...

    # the request's body

    def take(self) -> bytes | None:
        """Return the next piece of the body, b"" at its end, None if it has not come yet.

        Raises Gone when the body will not be complete.
        """
        ...

    @property
    def is_body_complete(self) -> bool:
        """Whether everything of the body has been taken."""
        ...

    async def read(self) -> bytes:
        """Return the next piece of the body, b"" at its end. Sends 100 Continue where the client waits for it.

        Raises Gone when the body will not be complete.
        """
        ...

    # the answer

    def reply(self, head: AnswerHead, body: bytes) -> None:
        """Answer completely, with one write. The body is left out where the answer must have none."""
        ...

    def stream(self, head: AnswerHead, body: StreamedBody) -> None:
        """Answer with pieces of known length, or an iterator; goes on after this returns, and closes the sources."""
        ...

    def begin(self, head: AnswerHead) -> None:
        """Begin an answer that `write` and `end` complete. The head goes out with the first piece or `flushed`."""
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Send a piece of the body. Beyond the announced length it is cut and noted. Raises Gone."""
        ...

    async def flushed(self) -> None:
        """Wait until the peer has room for more. Raises Gone."""
        ...

    def end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """Complete the answer; one that is shorter than its head says closes the connection."""
        ...

    def inform(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        """Send an interim response, such as 103, before the answer. Raises UsageError for what may not be sent."""
        ...

    def fail(self, exc: BaseException) -> None:
        """Log what the application raised; answer 500, or cut an answer that has begun."""
        ...

    def abort(self, note: str) -> None:
        """Close the connection now, so that a half-sent answer cannot look complete; keep the note for the log."""
        ...

    def upgrade(self, subprotocol: str | None, fields: Iterable[tuple[str, str]]) -> WebSocket:
        """Answer a WebSocket handshake with 101 and return the WebSocket; the exchange is over.

        subprotocol: one of those the client offered, or None. Raises UsageError for any other and for a request that
        is no handshake (see `wire.handshake.parse_handshake`).
        """
        ...
