"""An exchange without a server: it hands out what the test put in, and notes what it is asked to do.

`FakeExchange` and `FakeWebSocket` fulfil `portico.gateway.contract`. What is asked of them stands in `calls`, in order;
of a head the status and the length. `leave` lets the peer go.
"""

import asyncio
from collections.abc import Iterable

from portico.errors import Gone, UsageError, WebSocketClosed
from portico.gateway.contract import Origin
from portico.http.message import Request, Span, StreamedBody
from portico.settings import Limits
from portico.wire.answer import AnswerHead
from portico.wire.handshake import parse_handshake
from portico.wire.head import HeadMemo, parse_request

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def request(target: str = "/", *lines: str, method: str = "GET", memo: HeadMemo | None = None) -> Request:
    """Parse a request head with these field lines below Host."""
    head = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: a", *lines)).encode("latin-1")
    return parse_request(head, Limits(), memo or HeadMemo())


class FakeWebSocket:
    """A WebSocket from which the given messages come, then its end. calls: what was sent."""

    def __init__(self, messages: Iterable[str | bytes], end: WebSocketClosed) -> None:
        self._messages = list(messages)
        self._end = end
        self.calls: list[object] = []
        self.is_closed = False

    async def receive(self) -> str | bytes:
        if self._messages:
            return self._messages.pop(0)
        self.is_closed = True
        raise self._end

    def send(self, data: str | bytes) -> None:
        self._check()
        self.calls.append(data)

    async def flushed(self) -> None:
        self._check()

    def close(self, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code < 5000:
            raise UsageError(f"{code} is no close code")
        self.calls.append((code, reason))

    def _check(self) -> None:
        if self.is_closed:
            raise self._end


class FakeExchange:
    """One request and what is done with it. pieces: of its body, None for where the peer breaks it off."""

    def __init__(self, request: Request, *pieces: bytes | None, websocket: FakeWebSocket | None = None) -> None:
        self.request = request
        self.status = 0
        self.note = ""
        self.keeps_running = False
        self.is_deferred = False
        self.origin = Origin(("192.0.2.1", 5000), ("192.0.2.2", 80), "http")
        self.calls: list[object] = []
        self.is_over = False
        self.is_gone = False
        self._pieces = list(pieces)
        self._left = asyncio.Event()
        self._websocket = websocket

    def leave(self) -> None:
        """Let the peer go."""
        self.is_gone = True
        self.status = self.status or -1
        self._left.set()

    async def gone(self) -> None:
        if not self.is_over:
            await self._left.wait()

    def take(self) -> bytes | None:
        if self._pieces and self._pieces[0] is None:
            raise Gone("the body was cut")
        return self._pieces.pop(0) if self._pieces else b""

    @property
    def is_body_complete(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        return self.take() or b""

    def reply(self, head: AnswerHead, body: bytes) -> None:
        self._answer(head)
        self.calls.append(("reply", head.status, head.length, body))
        self.is_over = True

    def stream(self, head: AnswerHead, body: StreamedBody) -> None:
        assert isinstance(body, tuple)
        data = b""
        for piece in body:
            assert isinstance(piece, Span)
            buffer = memoryview(bytearray(piece.length))
            data += buffer[: piece.source.read_into(buffer, piece.offset)]
            piece.source.close()
        self._answer(head)
        self.calls.append(("stream", head.status, head.length, data))
        self.is_over = True

    def begin(self, head: AnswerHead) -> None:
        self._answer(head)
        self.calls.append(("begin", head.status, head.length))

    def write(self, data: bytes | memoryview) -> None:
        self._check()
        self.calls.append(("write", bytes(data)))

    async def flushed(self) -> None:
        self._check()
        self.calls.append("flushed")

    def end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        self.calls.append(("end", *trailers))
        self.is_over = True

    def inform(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        self.calls.append(("inform", status, *fields))

    def fail(self, exc: BaseException) -> None:
        self.calls.append(("fail", exc))

    def abort(self, note: str) -> None:
        self.calls.append(("abort", note))

    def upgrade(self, subprotocol: str | None, fields: Iterable[tuple[str, str]]) -> FakeWebSocket:
        if subprotocol is not None and subprotocol not in parse_handshake(self.request).subprotocols:
            raise UsageError(f"{subprotocol} was not offered")
        assert self._websocket is not None
        self.calls.append(("upgrade", subprotocol, *fields))
        self.status = 101
        self.is_over = True
        self._left.set()
        return self._websocket

    def _answer(self, head: AnswerHead) -> None:
        self._check()
        assert not self.status
        self.status = head.status

    def _check(self) -> None:
        if self.is_gone:
            raise Gone("the peer closed the connection")
