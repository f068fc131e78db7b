"""Requests and responses gone wrong, by chance: nothing raises, nothing hangs, and events stay well-formed."""

from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from portico.settings import Limits
from portico.wire.answer import WholeAnswer
from portico.wire.events import (
    BodyReceived,
    Event,
    HeadReceived,
    InputEnded,
    MessageEnded,
    PeerFaulted,
    StatusReceived,
)
from portico.wire.head import HeadMemo
from portico.wire.http1 import ClientCodec, ServerCodec

LIMITS = Limits(max_head=2048, max_url=256, max_body=4096)
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
ANSWER = WholeAnswer(200, (), b"")

REQUESTS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nCookie: a=b\r\n\r\n",
    b"POST http://a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nhello, world",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: Basic YTpi\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nuntil the end",
    b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
]
WORDS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\x00",
        b":",
        b",",
        b";",
        b"0",
        b"1",
        b"f",
        b"-",
        b"+",
        b"\xff",
        b"\x85",
        b"#",
    ),
    *(b"\r\n\r\n", b"\r\n ", b"HTTP/1.1", b"HTTP/1.0", b"Host: a\r\n", b"Content-Length: 3\r\n", b"Content-Length: "),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Connection: close\r\n", b"chunked"),
    *(b"0\r\n\r\n", b"ffffffffffffffff", b"GET / HTTP/1.1\r\n", b"x" * 300, b"Cookie: " + b"y" * 3000),
]

Change = Callable[[bytes], bytes]
places = st.floats(0, 1)


def spliced(place: float, taken: int, word: bytes) -> Change:
    """Make a change: at this part of the data, replace so many bytes by a word."""

    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + word + data[at + taken :]

    return change


changes = st.lists(
    st.builds(spliced, places, st.integers(0, 6), st.sampled_from(WORDS) | st.binary(max_size=3)), max_size=4
)
sizes = st.sampled_from([1, 2, 3, 7, 50, 10_000])


def changed(parts: Iterable[bytes], by: Iterable[Change]) -> bytes:
    data = b"".join(parts)
    for change in by:
        data = change(data)
    return data


class Grammar:
    """Follows events and objects when one comes out of turn."""

    def __init__(self) -> None:
        self.is_inside = False
        self.is_over = False

    def follow(self, events: Iterable[Event]) -> None:
        for event in events:
            assert not self.is_over, f"{event} after the end"
            match event:
                case HeadReceived() | StatusReceived():
                    assert not self.is_inside
                    self.is_inside = isinstance(event, HeadReceived) or event.head.status >= 200
                case BodyReceived(data):
                    assert self.is_inside
                    assert data
                case MessageEnded():
                    assert self.is_inside
                    self.is_inside = False
                case PeerFaulted(status, reason):
                    assert 400 <= status <= 599
                    assert reason.isprintable()
                    assert len(reason) < 500
                    self.is_over = True
                case InputEnded():
                    assert not self.is_inside
                    self.is_over = True


def served(data: bytes, size: int, memo: HeadMemo) -> tuple[list[tuple[str, str, bytes]], bool]:
    """Serve what comes in pieces of this size. Returns the whole requests understood, and whether one was refused."""
    codec, grammar = ServerCodec(LIMITS, memo), Grammar()
    heads: list[tuple[str, str]] = []
    bodies: list[bytes] = []
    whole = 0
    is_refused = False
    feeds = [data[at : at + size] for at in range(0, len(data), size)]
    for piece in feeds:
        events = codec.feed(piece)
        while True:
            grammar.follow(events)
            for event in events:
                if isinstance(event, HeadReceived):
                    heads.append((event.request.method, event.request.target))
                    bodies.append(b"")
                elif isinstance(event, BodyReceived):
                    bodies[-1] += event.data
                whole += isinstance(event, MessageEnded)
                is_refused |= isinstance(event, PeerFaulted)
            if not events or codec.request is None or codec.reader is not None:
                break
            codec.send_answer(ANSWER, DATE)
            events = codec.feed(b"")
    grammar.follow(codec.feed_eof())
    assert codec.feed_eof() == []
    return [(*head, body) for head, body in zip(heads[:whole], bodies, strict=False)], is_refused


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3), changes, sizes)
def test_requests(parts: list[bytes], by: list[Change], size: int) -> None:
    data = changed(parts, by)
    memo = HeadMemo()
    alone = served(data, size, memo)
    assert served(data, size, memo) == alone  # with what it remembers now
    assert served(data, len(data) or 1, HeadMemo()) == alone


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), sizes)
def test_noise(data: bytes, size: int) -> None:
    served(data, size, HeadMemo())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(RESPONSES), min_size=1, max_size=2), changes, sizes, st.sampled_from(["GET", "HEAD"]))
def test_responses(parts: list[bytes], by: list[Change], size: int, method: str) -> None:
    data = changed(parts, by)
    codec, grammar = ClientCodec(LIMITS), Grammar()
    codec.send_request(method, "/", [("Host", "a")], 0)
    codec.send_end()
    for at in range(0, len(data), size):
        grammar.follow(codec.feed(data[at : at + size]))
    grammar.follow(codec.feed_eof())
    assert codec.closing
