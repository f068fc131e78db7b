"""A second opinion on responses: the standard library's http.client reads our answers, and we read what it can read."""

import http.client
import io
from typing import NamedTuple

import pytest

from portico.settings import Limits
from portico.wire.answer import AnswerHead
from portico.wire.events import BodyReceived, MessageEnded, PeerFaulted, StatusReceived
from portico.wire.head import HeadMemo
from portico.wire.http1 import ClientCodec, ServerCodec

LIMITS = Limits()
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


class Bytes:
    """As much of a socket as HTTPResponse asks for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self._data)


class Response(NamedTuple):
    """What was understood. is_whole: it did not end early."""

    status: int
    kind: str
    body: bytes
    is_whole: bool


def theirs(data: bytes, method: str) -> Response:
    response = http.client.HTTPResponse(Bytes(data), method=method)  # type: ignore[arg-type]
    response.begin()
    try:
        body, is_whole = response.read(), True
    except http.client.IncompleteRead as cut:
        body, is_whole = cut.partial, False
    result = Response(response.status, response.getheader("X-Kind", ""), body, is_whole)
    response.close()
    return result


def ours(data: bytes, method: str) -> Response:
    codec = ClientCodec(LIMITS)
    codec.send_request(method, "/", [("Host", "a")], 0)
    status, kind, body, is_whole = 0, "", b"", False
    for event in (*codec.feed(data), *codec.feed_eof()):
        if isinstance(event, StatusReceived):
            status, kind = event.head.status, event.head.values.get("x-kind", "")
        elif isinstance(event, BodyReceived):
            body += event.data
        elif isinstance(event, MessageEnded):
            is_whole = True
        elif isinstance(event, PeerFaulted):
            is_whole = False
    return Response(status, kind, body, is_whole)


OKAY = b"HTTP/1.1 200 OK\r\n"
CODED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (OKAY + b"X-Kind: length\r\nContent-Length: 5\r\n\r\n", b"hello"),
        (OKAY + b"X-Kind: none\r\nContent-Length: 0\r\n\r\n", b""),
        (OKAY + b"X-Kind: chunks\r\n" + CODED, b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n"),
        (OKAY + b"X-Kind: trailers\r\n" + CODED, b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
        (OKAY + b"X-Kind: one\r\nX-Kind: two\r\nContent-Length: 5\r\n\r\n", b"hello"),
        (OKAY + b"X-Kind: latin \xe9\r\nConnection: close\r\n\r\n", b"until the end"),
        (b"HTTP/1.0 404 Not Found\r\nX-Kind: old\r\n\r\n", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\nX-Kind: empty\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OKAY + b"Content-Length: 5\r\n\r\n", b"hello"),
        (b"HTTP/1.1 599 \r\nContent-Length: 1\r\n\r\n", b"!"),
    ],
)
def test_responses_are_read_alike(head: bytes, body: bytes, method: str) -> None:
    data = head if method == "HEAD" else head + body
    assert ours(data, method) == theirs(data, method)
    assert ours(data, method).is_whole


@pytest.mark.parametrize(
    "data",
    [
        OKAY + b"Content-Length: 5\r\n\r\nhell",
        OKAY + CODED + b"5\r\nhello\r\n5\r\n",
        OKAY + CODED + b"5\r\nhello\r\n",
    ],
)
def test_what_ends_early_is_seen_by_both(data: bytes) -> None:
    assert ours(data, "GET") == theirs(data, "GET")
    assert not ours(data, "GET").is_whole


@pytest.mark.parametrize("length", [5, None], ids=["length", "no length"])
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_our_answers_are_understood(status: int, method: str, version: bytes, length: int | None) -> None:
    server = ServerCodec(LIMITS, HeadMemo())
    server.feed(method.encode() + b" / " + version + b"\r\nHost: a\r\n\r\n")
    server.send_head(AnswerHead(status, [("X-Kind", "ours")], length), DATE)
    server.send_body(b"hello")
    server.send_end()
    is_empty = method == "HEAD" or status in (204, 304)
    data = b"".join(bytes(piece) for piece in server.outgoing())
    assert theirs(data, method) == Response(status, "ours", b"" if is_empty else b"hello", True)
