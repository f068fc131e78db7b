"""Both codecs: dialogues as tables, each input cut everywhere, and every message read back by the other side."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from portico.errors import UsageError
from portico.settings import Limits
from portico.wire.answer import AnswerHead, AppHeads, WholeAnswer
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

LIMITS = Limits()
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
OK = WholeAnswer(200, (), b"ok")
NO = WholeAnswer(400, (), b"no")
NEXT = b"GET /next HTTP/1.1\r\nHost: n\r\n\r\n"

Said = tuple[Any, ...]
GET_NEXT: list[Said] = [("GET", "/next"), ("end",)]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data whole, cut in two at every byte, and byte by byte."""
    yield [data]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


def note(events: Iterable[Event], said: list[Said]) -> None:
    """Write down what events say; pieces of one body as one."""
    for event in events:
        match event:
            case HeadReceived(request):
                said.append((request.method, request.target))
            case StatusReceived(head):
                said.append((head.status, head.reason))
            case BodyReceived(data) if said and said[-1][0] == "body":
                said[-1] = ("body", said[-1][1] + data)
            case BodyReceived(data):
                said.append(("body", data))
            case MessageEnded(trailers):
                said.append(("end", *(field[:2] for field in trailers)))
            case PeerFaulted(status, reason):
                assert reason.isprintable()
                said.append(("fault", status))
            case InputEnded():
                said.append(("eof",))


def take(codec: ServerCodec, events: Sequence[Event], said: list[Said]) -> None:
    """Do what a server does: answer what is complete, refuse what is faulty, go on with what waits."""
    while True:
        note(events, said)
        if any(isinstance(event, PeerFaulted) for event in events):
            codec.send_answer(NO, DATE)
            assert b"".join(codec.outgoing()).endswith(b"Connection: close\r\n\r\nno")
            assert codec.closing
        elif codec.request is not None and codec.reader is None:
            codec.send_answer(OK, DATE)
        if codec.closing or codec.request is not None or not codec.buffered:
            return
        before = codec.buffered
        events = codec.feed(b"")
        if not events and codec.buffered == before:
            return


def talk(pieces: Iterable[bytes], *, limits: Limits = LIMITS, memo: HeadMemo | None = None) -> list[Said]:
    """Feed pieces to a new codec, answer everything, and return what it said."""
    said: list[Said] = []
    codec = ServerCodec(limits, memo or HeadMemo())
    for piece in pieces:
        take(codec, codec.feed(piece), said)
    return said


# --- what a server receives -------------------------------------------------------------------

HOST = b" HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /" + HOST + b"\r\n"
POST_5 = b"POST /" + HOST + b"Content-Length: 5\r\n\r\n"
POST_CODED = b"POST /" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
END: Said = ("end",)
GOT, POSTED = ("GET", "/"), ("POST", "/")
HELLO: Said = ("body", b"hello")

RECEIVED: list[tuple[str, bytes, list[Said]]] = [
    ("a GET", GET, [GOT, END]),
    ("a GET with fields", b"GET /" + HOST + b"A: b\r\nCookie: c\r\n\r\n", [GOT, END]),
    ("a short method", b"X /" + HOST + b"\r\n", [("X", "/"), END]),
    ("absolute-form", b"GET http://b/c" + HOST + b"\r\n", [("GET", "http://b/c"), END]),
    ("asterisk-form", b"OPTIONS *" + HOST + b"\r\n", [("OPTIONS", "*"), END]),
    ("an empty line before", b"\r\n" + GET, [GOT, END]),
    ("empty lines before", b"\r\n\r\n\r\n" + GET, [GOT, END]),
    ("HTTP/1.0 kept", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [GOT, END]),
    ("no body", b"POST /" + HOST + b"Content-Length: 0\r\n\r\n", [POSTED, END]),
    ("a body", POST_5 + b"hello", [POSTED, HELLO, END]),
    ("a GET with a body", b"GET /" + HOST + b"Content-Length: 5\r\n\r\nhello", [GOT, HELLO, END]),
    ("a body, then an empty line", POST_5 + b"hello\r\n" + GET, [POSTED, HELLO, END, GOT, END]),
    ("chunks", POST_CODED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", [POSTED, HELLO, END]),
    ("no chunks", POST_CODED + b"0\r\n\r\n", [POSTED, END]),
    ("trailers", POST_CODED + b"5\r\nhello\r\n0\r\nX: b\r\n\r\n", [POSTED, HELLO, ("end", ("x", "b"))]),
    ("a body like a request", POST_CODED + b"1f\r\n" + NEXT + b"\r\n0\r\n\r\n", [POSTED, ("body", NEXT), END]),
    ("a pipeline", NEXT + POST_5 + b"hello" + GET, [*GET_NEXT, POSTED, HELLO, END, GOT, END]),
    ("the same again", NEXT + NEXT, GET_NEXT * 2),
    ("the same again, with a body", (POST_5 + b"GET /") * 2, [POSTED, ("body", b"GET /"), END] * 2),
]


@pytest.mark.parametrize(("data", "said"), [row[1:] for row in RECEIVED], ids=[row[0] for row in RECEIVED])
@pytest.mark.parametrize("is_warm", [False, True], ids=["fresh memo", "warm memo"])
def test_a_server_receives(data: bytes, said: list[Said], is_warm: bool) -> None:
    memo = HeadMemo()
    for pieces in cuts(data):
        assert talk(pieces, memo=memo if is_warm else None) == said
    for pieces in cuts(data + NEXT):
        assert talk(pieces, memo=memo if is_warm else None) == said + GET_NEXT


@pytest.mark.parametrize("data", [b"GET / HTTP/1.0\r\n\r\n", b"GET /" + HOST + b"Connection: close\r\n\r\n"])
def test_nothing_is_heard_behind_the_last_request(data: bytes) -> None:
    for pieces in cuts(data + NEXT):
        assert talk(pieces) == [("GET", "/"), ("end",)]


def test_a_head_that_comes_again_and_its_body_later() -> None:
    memo = HeadMemo()
    head = POST_5
    for _ in range(3):
        assert talk([head, b"GET /"], memo=memo) == [("POST", "/"), ("body", b"GET /"), ("end",)]


def test_a_refused_head_is_the_last_thing_heard() -> None:
    data = b"GET / HTTP/1.1\r\n\r\n"
    for pieces in cuts(data + NEXT):
        assert talk(pieces) == [("fault", 400)]
    for pieces in cuts(NEXT + data + NEXT):
        assert talk(pieces) == [*GET_NEXT, ("fault", 400)]


@pytest.mark.parametrize(
    ("body", "received"),
    [
        (b"x\r\n", []),
        (b"5\r\nhelloX", [HELLO]),
        (b"1\r\na\r\n2\n", [("body", b"a")]),
        (b"0\r\nHost: a\r\n\r\n", []),
    ],
)
def test_a_fault_in_a_body(body: bytes, received: list[Said]) -> None:
    for pieces in cuts(POST_CODED + body + NEXT):
        assert talk(pieces) == [("POST", "/"), *received, ("fault", 400)]


def test_a_chunked_body_has_a_limit() -> None:
    for pieces in cuts(POST_CODED + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"):
        assert talk(pieces, limits=Limits(max_body=5)) == [("POST", "/"), HELLO, ("fault", 413)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16", 400),
        (b" ", 400),
        (b"\n", 400),
        (b"\r\r", 400),
        (b"GET\n", 400),
        (b"hello\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n", 400),
        (b"GET / HTTP/2.0\r\n", 505),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", 414),
        (b"GET /" + HOST + b"A: " + b"a" * 70_000, 431),
        (b"GET /" + HOST + b"A: b\r\n" * 20_000, 431),
        (b"a" * 9000, 414),
    ],
)
def test_what_cannot_become_a_head_is_refused_at_once(data: bytes, status: int) -> None:
    assert talk([data]) == [("fault", status)]
    assert talk([data[i : i + 100] for i in range(0, len(data), 100)]) == [("fault", status)]


@pytest.mark.parametrize("size", [256, 257])
def test_a_head_has_a_limit(size: int) -> None:
    limits = Limits(max_head=256)
    head = b"GET /" + HOST + b"A: "
    head += b"a" * (size - len(head) - 4) + b"\r\n\r\n"
    for pieces in cuts(head):
        assert talk(pieces, limits=limits) == ([("GET", "/"), ("end",)] if size == 256 else [("fault", 431)])


def test_a_head_that_is_too_large_is_refused_for_its_url_first() -> None:
    limits = Limits(max_head=1024, max_url=16)
    data = b"GET /" + b"a" * 200 + HOST + b"A: " + b"a" * 2000 + b"\r\n\r\n"
    for pieces in ([data], [data[:100], data[100:]], [data[i : i + 1] for i in range(len(data))]):
        assert talk(pieces, limits=limits) == [("fault", 414)]


def test_a_flood_of_empty_lines_is_no_request() -> None:
    assert talk([b"\r\n" * 50_000 + NEXT]) == GET_NEXT


# --- the end of the input ---------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\r", b"\r\n", NEXT, NEXT + b"\r\n"])
def test_a_client_may_leave_between_requests(data: bytes) -> None:
    codec, said = ServerCodec(LIMITS, HeadMemo()), list[Said]()
    take(codec, codec.feed(data), said)
    assert codec.feed_eof() == [InputEnded()]
    assert (codec.is_last, codec.feed_eof(), codec.feed(NEXT)) == (True, [], ())


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        NEXT[:-1],
        NEXT[:-4],
        POST_5,
        POST_5 + b"hell",
        POST_CODED,
        POST_CODED + b"5\r\nhello\r\n",
        POST_CODED + b"5\r\nhello\r\n0\r\n",
    ],
)
def test_a_client_may_not_leave_within_a_request(data: bytes) -> None:
    codec, said = ServerCodec(LIMITS, HeadMemo()), list[Said]()
    take(codec, codec.feed(data), said)
    del said[:]
    take(codec, codec.feed_eof(), said)
    assert said == [("fault", 400)]
    assert codec.feed_eof() == []


def test_a_client_that_closed_its_side_gets_all_its_answers() -> None:
    codec = ServerCodec(LIMITS, HeadMemo())
    said: list[Said] = []
    note(codec.feed(NEXT + NEXT + NEXT), said)
    assert codec.feed_eof() == []
    for is_over in (False, False, True):
        codec.send_answer(OK, DATE)
        assert (b"Connection: close" in b"".join(codec.outgoing())) is is_over
        assert codec.closing is is_over
        note(codec.feed(b""), said)
    assert said == [*GET_NEXT, *GET_NEXT, *GET_NEXT, ("eof",)]


def test_a_client_that_closed_its_side_too_early_is_told_when_its_turn_comes() -> None:
    codec = ServerCodec(LIMITS, HeadMemo())
    codec.feed(NEXT + NEXT[:-2])
    assert codec.feed_eof() == []
    codec.send_answer(OK, DATE)
    assert not codec.closing
    said: list[Said] = []
    take(codec, codec.feed(b""), said)
    assert said == [("fault", 400)]


# --- what a server sends ----------------------------------------------------------------------

HEAD = b"HEAD /" + HOST + b"\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
GET_10_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LENGTH_5, CODED = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
CLOSED, KEPT = b"Connection: close\r\n", b"Connection: keep-alive\r\n"


def server(request: bytes) -> ServerCodec:
    codec = ServerCodec(LIMITS, HeadMemo())
    if request:
        assert codec.feed(request)
    return codec


def answer(codec: ServerCodec, status: int, length: int | None, pieces: Iterable[bytes]) -> bytes:
    """Send an answer in pieces; return the bytes without status line and date."""
    codec.send_head(AnswerHead(status, (), length), DATE)
    for piece in pieces:
        codec.send_body(piece)
    codec.send_end([("x-t", "1")])
    line, date, rest = b"".join(codec.outgoing()).split(b"\r\n", 2)
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert date + b"\r\n" == DATE
    return rest


HELLO_CHUNKS = b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "length", "sent", "is_closing"),
    [
        (GET, 200, 5, LENGTH_5 + b"\r\nhello", False),
        (GET, 200, None, CODED + HELLO_CHUNKS, False),
        (GET_10, 200, 5, LENGTH_5 + CLOSED + b"\r\nhello", True),
        (GET_10, 200, None, CLOSED + b"\r\nhello", True),
        (GET_10_KEPT, 200, 5, LENGTH_5 + KEPT + b"\r\nhello", False),
        (GET_10_KEPT, 200, None, CLOSED + b"\r\nhello", True),
        (HEAD, 200, 5, LENGTH_5 + b"\r\n", False),
        (HEAD, 200, None, CODED + b"\r\n", False),
        (b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, None, KEPT + b"\r\n", False),
        (GET, 204, 5, b"\r\n", False),
        (GET, 204, None, b"\r\n", False),
        (GET, 304, 5, b"\r\n", False),
        (GET, 304, None, b"\r\n", False),
        (GET_10_KEPT, 304, None, KEPT + b"\r\n", False),
        (GET, 404, 5, LENGTH_5 + b"\r\nhello", False),
        (b"GET /" + HOST + b"Connection: close\r\n\r\n", 200, None, CODED + CLOSED + HELLO_CHUNKS, True),
        # a body that has not been read: nobody knows where the next request begins
        (POST_5 + b"hell", 200, 5, LENGTH_5 + CLOSED + b"\r\nhello", True),
        # nobody asked: a refusal
        (b"", 400, 5, LENGTH_5 + CLOSED + b"\r\nhello", True),
        (b"", 400, None, CLOSED + b"\r\nhello", True),
        # too long, too short
        (GET, 200, 3, b"Content-Length: 3\r\n\r\nhel", True),
        (GET, 200, 9, b"Content-Length: 9\r\n\r\nhello", True),
    ],
)
def test_the_framing_of_an_answer(
    request_: bytes, status: int, length: int | None, sent: bytes, is_closing: bool
) -> None:
    codec = server(request_)
    assert answer(codec, status, length, [b"he", b"", b"llo"]) == sent
    assert (codec.closing, codec.is_last) == (is_closing, is_closing)
    assert not (LENGTH_5 in sent and CODED in sent)
    assert bool(codec.feed(NEXT)) is not is_closing


def test_an_answer_that_does_not_fit_its_head_leaves_a_fault() -> None:
    codec = server(GET)
    answer(codec, 200, 3, [b"hello"])
    assert "longer" in codec.fault
    codec = server(GET)
    answer(codec, 200, 9, [b"hello"])
    assert "4 bytes shorter" in codec.fault
    codec = server(GET)
    answer(codec, 200, 5, [b"hello"])
    assert codec.fault == ""


@pytest.mark.parametrize("request_", [GET, HEAD])
def test_bytes_sent_by_other_means_count(request_: bytes) -> None:
    codec = server(request_)
    codec.send_head(AnswerHead(200, (), 5), DATE)
    codec.skip_body(4)
    codec.send_body(b"o")
    codec.send_end()
    assert (codec.fault, codec.closing) == ("", False)


@pytest.mark.parametrize(
    ("request_", "sent", "is_closing"),
    [
        (GET, b"Content-Length: 2\r\n\r\nok", False),
        (GET_10, b"Content-Length: 2\r\n" + CLOSED + b"\r\nok", True),
        (GET_10_KEPT, b"Content-Length: 2\r\n" + KEPT + b"\r\nok", False),
        (HEAD, b"Content-Length: 2\r\n\r\n", False),
        (b"HEAD / HTTP/1.0\r\n\r\n", b"Content-Length: 2\r\n" + CLOSED + b"\r\n", True),
        (POST_CODED, b"Content-Length: 2\r\n" + CLOSED + b"\r\nok", True),
        (b"", b"Content-Length: 2\r\n" + CLOSED + b"\r\nok", True),
    ],
)
def test_a_whole_answer(request_: bytes, sent: bytes, is_closing: bool) -> None:
    codec = server(request_)
    codec.send_answer(OK, DATE)
    assert codec.outgoing() == [b"HTTP/1.1 200 OK\r\n" + DATE + sent]
    assert codec.outgoing() == []
    assert codec.closing is is_closing


CLOSING = AppHeads().of_bytes(200, [(b"connection", b"close")])
MEASURED = AppHeads().of_bytes(200, [(b"content-length", b"5")])
PLAIN = AppHeads().of_bytes(200, [])
EMPTY = AppHeads().of_bytes(204, [])
APP_5 = b"content-length: 5\r\n"


@pytest.mark.parametrize(
    ("request_", "head", "body", "sent", "is_closing"),
    [
        (GET, PLAIN, b"hello", LENGTH_5 + b"\r\nhello", False),
        (GET, PLAIN, b"", b"Content-Length: 0\r\n\r\n", False),
        (GET, MEASURED, b"hello", APP_5 + b"\r\nhello", False),
        (GET, CLOSING, b"hello", LENGTH_5 + CLOSED + b"\r\nhello", True),
        (GET_10, PLAIN, b"hello", LENGTH_5 + CLOSED + b"\r\nhello", True),
        (GET_10_KEPT, PLAIN, b"hello", LENGTH_5 + KEPT + b"\r\nhello", False),
        (GET_10_KEPT, CLOSING, b"hello", LENGTH_5 + CLOSED + b"\r\nhello", True),
        (HEAD, PLAIN, b"hello", LENGTH_5 + b"\r\n", False),
        (HEAD, PLAIN, b"", b"\r\n", False),
        (HEAD, MEASURED, b"", APP_5 + b"\r\n", False),
        (HEAD, MEASURED, b"hello", APP_5 + b"\r\n", False),
        (HEAD, EMPTY, b"hello", b"\r\n", False),
        (GET, EMPTY, b"hello", b"\r\n", False),
        (POST_CODED, PLAIN, b"hello", LENGTH_5 + CLOSED + b"\r\nhello", True),
        (b"", PLAIN, b"hello", LENGTH_5 + CLOSED + b"\r\nhello", True),
        # too long, too short
        (GET, MEASURED, b"hello, world", APP_5 + CLOSED + b"\r\nhello", True),
        (GET, MEASURED, b"hell", APP_5 + CLOSED + b"\r\nhell", True),
    ],
)
def test_a_reply(request_: bytes, head: AnswerHead, body: bytes, sent: bytes, is_closing: bool) -> None:
    codec = server(request_)
    count = codec.send_reply(head, body, DATE)
    assert b"".join(codec.outgoing()) == b"HTTP/1.1 %d " % head.status + REASONS[head.status] + b"\r\n" + DATE + sent
    assert count == len(sent.partition(b"\r\n\r\n")[2] if not sent.startswith(b"\r\n") else b"")
    assert (codec.closing, codec.is_last) == (is_closing, is_closing)
    assert bool(codec.feed(NEXT)) is not is_closing


REASONS = {200: b"OK", 204: b"No Content"}


@pytest.mark.parametrize(("body", "fault"), [(b"hello", ""), (b"hello, world", "longer"), (b"hell", "1 bytes shorter")])
def test_a_reply_that_does_not_fit_its_head_leaves_a_fault(body: bytes, fault: str) -> None:
    codec = server(GET)
    codec.fault = "of another answer"
    codec.send_reply(MEASURED, body, DATE)
    assert fault in codec.fault
    assert bool(codec.fault) is bool(fault)


def test_an_application_may_end_the_connection_behind_a_long_answer() -> None:
    codec = server(GET)
    codec.send_head(CLOSING, DATE)
    codec.send_body(b"hello")
    codec.send_end()
    assert b"".join(codec.outgoing()) == (
        b"HTTP/1.1 200 OK\r\n" + DATE + CODED + CLOSED + b"\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert codec.closing


@pytest.mark.parametrize("behind", [b"", b"\x81\x00"])
def test_the_connection_becomes_another_protocols(behind: bytes) -> None:
    """What came behind the handshake is the other protocol's, and nothing is HTTP any more."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    codec = server(GET + behind)
    assert codec.send_switch(head) == behind
    assert codec.outgoing() == [head]
    assert (codec.feed(NEXT), codec.buffered, codec.request) == ((), b"", None)


def test_draining_closes_after_the_answer_under_way() -> None:
    codec = server(GET)
    codec.is_last = True
    codec.feed(NEXT)
    codec.send_answer(OK, DATE)
    assert CLOSED in b"".join(codec.outgoing())
    assert (codec.closing, codec.feed(b""), codec.feed_eof()) == (True, (), [])


def test_interim_answers() -> None:
    codec = server(b"POST /" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert codec.request is not None
    assert codec.request.expects_continue
    codec.send_continue()
    codec.send_informational(103, [("Link", "</a.css>; rel=preload"), ("Content-Length", "9")])
    assert codec.outgoing() == [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
    ]
    said: list[Said] = []
    note(codec.feed(b"hello"), said)
    assert said == [HELLO, END]


@pytest.mark.parametrize("request_", [b"", GET_10, GET_10_KEPT])
def test_http_1_0_knows_no_interim_answers(request_: bytes) -> None:
    codec = server(request_)
    codec.send_informational(103, [("Link", "</a.css>")])
    assert codec.outgoing() == []


@pytest.mark.parametrize("status", [0, 99, 100, 101, 200, 404])
def test_what_is_no_interim_answer(status: int) -> None:
    codec = server(GET)
    with pytest.raises(UsageError):
        codec.send_informational(status, ())
    assert codec.outgoing() == []


def test_a_mistake_of_the_application_leaves_nothing_on_the_wire() -> None:
    codec = server(GET)
    with pytest.raises(UsageError):
        codec.send_informational(103, [("x", "a\r\nb")])
    assert codec.outgoing() == []
    codec.send_head(AnswerHead(200, (), None), DATE)
    codec.outgoing()
    with pytest.raises(UsageError):
        codec.send_end([("x", "a\r\nb")])
    assert codec.outgoing() == []
    codec.send_end()
    assert codec.outgoing() == [b"0\r\n\r\n"]


# --- the client's side ------------------------------------------------------------------------


def client(method: str = "GET") -> ClientCodec:
    codec = ClientCodec(LIMITS)
    codec.send_request(method, "/", [("Host", "a")], 0)
    codec.send_end()
    return codec


def hear(pieces: Iterable[bytes], method: str = "GET", *, is_ended: bool = False) -> tuple[list[Said], bool]:
    """Feed a response; return what the codec said and whether it is closing."""
    codec, said = client(method), list[Said]()
    for piece in pieces:
        note(codec.feed(piece), said)
    if is_ended:
        note(codec.feed_eof(), said)
    return said, codec.closing


@pytest.mark.parametrize(
    ("method", "length", "sent"),
    [
        ("GET", 0, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("POST", 0, b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        ("GET", 5, b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        ("PUT", None, b"PUT /a HTTP/1.1\r\nHost: a\r\n" + CODED + b"\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n"),
    ],
)
def test_a_client_sends(method: str, length: int | None, sent: bytes) -> None:
    codec = ClientCodec(LIMITS)
    codec.send_request(method, "/a", [("Host", "a"), ("Content-Length", "7"), ("Transfer-Encoding", "x")], length)
    if length != 0:
        codec.send_body(b"hello")
    codec.send_end([("x", "y")])
    assert b"".join(codec.outgoing()) == sent
    assert codec.outgoing() == []


@pytest.mark.parametrize(
    ("method", "target", "pair"),
    [
        ("", "/", ("a", "b")),
        ("GE T", "/", ("a", "b")),
        ("GET\r\n", "/", ("a", "b")),
        ("M" * 65, "/", ("a", "b")),
        ("GET", "", ("a", "b")),
        ("GET", "/a b", ("a", "b")),
        ("GET", "/\r\nX: y", ("a", "b")),
        ("GET", "/中", ("a", "b")),
        ("GET", "/", ("a", "b\r\nc: d")),
        ("GET", "/", ("a b", "c")),
    ],
)
def test_what_a_client_may_not_send(method: str, target: str, pair: tuple[str, str]) -> None:
    codec = ClientCodec(LIMITS)
    with pytest.raises(UsageError):
        codec.send_request(method, target, [("Host", "a"), pair], 0)
    assert codec.outgoing() == []
    codec.send_request("GET", "/", [("Host", "a")], 0)


@pytest.mark.parametrize("body", [b"hell", b"hello!"])
def test_a_client_sends_as_much_as_it_promised(body: bytes) -> None:
    codec = ClientCodec(LIMITS)
    codec.send_request("POST", "/", [("Host", "a")], 5)
    codec.send_body(body)
    with pytest.raises(UsageError, match="the body is"):
        codec.send_end()
    assert b"".join(codec.outgoing()).endswith(b"\r\n\r\n" + body[:5])
    assert codec.closing


def test_a_connection_carries_one_exchange_at_a_time() -> None:
    codec = client()
    with pytest.raises(UsageError, match="one exchange at a time"):
        codec.send_request("GET", "/", [("Host", "a")], 0)
    codec.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    codec.send_request("GET", "/", [("Host", "a")], 0)
    codec.feed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    with pytest.raises(UsageError, match="closing"):
        codec.send_request("GET", "/", [("Host", "a")], 0)


OKAY, OKAY_10 = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n"
CHUNKS = CODED + b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
BODY_5, BODY_0 = b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 0\r\n\r\n"
HEARD_5, HEARD_0 = [(200, "OK"), HELLO, END], [(200, "OK"), END]

HEARD: list[tuple[str, str, bytes, list[Said], bool]] = [
    ("a length", "GET", OKAY + BODY_5, HEARD_5, False),
    ("chunks", "GET", OKAY + CHUNKS, HEARD_5, False),
    ("close", "GET", OKAY + CLOSED + BODY_5, HEARD_5, True),
    ("close, chunks", "GET", OKAY + CLOSED + CHUNKS, HEARD_5, True),
    ("HTTP/1.0", "GET", OKAY_10 + BODY_5, HEARD_5, True),
    ("HTTP/1.0 kept", "GET", OKAY_10 + KEPT + BODY_5, HEARD_5, False),
    ("HTTP/1.0 in chunks", "GET", OKAY_10 + KEPT + CHUNKS, HEARD_5, True),
    ("empty", "GET", OKAY + BODY_0, HEARD_0, False),
    ("empty, close", "GET", OKAY + CLOSED + BODY_0, HEARD_0, True),
    ("no reason", "GET", b"HTTP/1.1 204 \r\n\r\n", [(204, ""), END], False),
    ("no blank either", "GET", b"HTTP/1.1 204\r\n\r\n", [(204, ""), END], False),
    ("304", "GET", b"HTTP/1.1 304 Not Modified\r\n" + LENGTH_5 + b"\r\n", [(304, "Not Modified"), END], False),
    ("204 with a coding", "GET", b"HTTP/1.1 204 x\r\n" + CODED + b"\r\n", [(204, "x"), END], False),
    ("HEAD", "HEAD", OKAY + LENGTH_5 + b"\r\n", HEARD_0, False),
    ("HEAD, chunked", "HEAD", OKAY + CODED + b"\r\n", HEARD_0, False),
    ("100", "GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OKAY + BODY_5, [(100, "Continue"), *HEARD_5], False),
    ("bare LF", "GET", (OKAY + BODY_5).replace(b"\r", b""), HEARD_5, False),
    ("a tunnel", "CONNECT", OKAY + b"\r\n", HEARD_0, False),
    ("a tunnel with a length", "CONNECT", OKAY + LENGTH_5 + b"\r\n", HEARD_0, False),
    ("no tunnel", "CONNECT", b"HTTP/1.1 403 x\r\n" + BODY_5, [(403, "x"), HELLO, END], False),
    ("103, close", "GET", b"HTTP/1.1 103 x\r\n\r\n" + OKAY + CLOSED + BODY_5, [(103, "x"), *HEARD_5], True),
]


@pytest.mark.parametrize(
    ("method", "data", "said", "is_closing"), [row[1:] for row in HEARD], ids=[row[0] for row in HEARD]
)
def test_a_client_hears(method: str, data: bytes, said: list[Said], is_closing: bool) -> None:
    for pieces in cuts(data):
        assert hear(pieces, method) == (said, is_closing)
        assert hear(pieces, method, is_ended=True) == (said if is_closing else [*said, ("eof",)], True)
    for pieces in cuts(data + b"HTTP/1.1 200 OK\r\n\r\n"):  # nobody asked for this one
        assert hear(pieces, method) == (said if is_closing else [*said, ("fault", 502)], True)


def test_a_client_hears_until_the_connection_closes() -> None:
    for pieces in cuts(b"HTTP/1.1 200 OK\r\n\r\nhello"):
        assert hear(pieces) == (HEARD_5[:-1], False)
        assert hear(pieces, is_ended=True) == (HEARD_5, True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", [("fault", 502)]),
        (b"HTTP/1.1 2", [("fault", 502)]),
        (b"HTTP/1.1 100 x\r\n\r\n", [(100, "x"), ("fault", 502)]),
        (OKAY + BODY_5[:-1], [(200, "OK"), ("body", b"hell"), ("fault", 400)]),
        (b"HTTP/1.1 200 OK\r\n" + CODED + b"\r\n4\r\nhell\r\n", [(200, "OK"), ("body", b"hell"), ("fault", 400)]),
    ],
)
def test_a_response_that_ends_early(data: bytes, said: list[Said]) -> None:
    assert hear([data], is_ended=True) == (said, True)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 502),
        (b"HTTP/1.1 99 x\r\n\r\n", 502),
        (b"HTTP/1.1 600 x\r\n\r\n", 502),
        (b"HTTP/1.1 2000 x\r\n\r\n", 502),
        (b"HTTP/1.1  200 x\r\n\r\n", 502),
        (b"HTTP/2.0 200 x\r\n\r\n", 502),
        (b"SSH-2.0-OpenSSH_9", 502),
        (b"\x15", 502),
        (b"HTTP/1.1 200 \x00\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", 400),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", 400),
        (b"HTTP/1.1 200 OK\nA: b\r\nC: d\n\n", 400),
        (b"HTTP/1.1 200 OK\nA: b\rC: d\n\n", 400),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + BODY_5, 400),
        (b"HTTP/1.1 200 OK\r\n" + CODED + BODY_5, 502),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, 502),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 502),
    ],
)
def test_a_response_that_is_refused(data: bytes, status: int) -> None:
    assert hear([data]) == ([("fault", status)], True)
    assert hear([data, b"more"], is_ended=True) == ([("fault", status)], True)


def test_interim_responses_do_not_go_on_for_ever() -> None:
    said, is_closing = hear([b"HTTP/1.1 102 x\r\n\r\n"] * 100)
    assert (said, is_closing) == ([(102, "x")] * 33 + [("fault", 502)], True)
    said, is_closing = hear([b"HTTP/1.1 102 x\r\n\r\n"] * 32 + [OKAY + BODY_5])
    assert (said, is_closing) == ([(102, "x")] * 32 + HEARD_5, False)


def test_the_heads_of_a_response_are_kept_as_they_came() -> None:
    for pieces in cuts(b"HTTP/1.1 100 Continue\r\n\r\n" + OKAY + BODY_5):
        codec = client()
        for piece in pieces:
            codec.feed(piece)
        assert codec.heads == [b"HTTP/1.1 100 Continue\r\n\r\n", OKAY + b"Content-Length: 5\r\n\r\n"]
        codec.send_request("GET", "/", [("Host", "a")], 0)
        assert codec.heads == []


def test_a_caller_may_read_the_rest_of_a_body_past_the_codec() -> None:
    for pieces in cuts(OKAY + LENGTH_5 + b"\r\nhel"):
        codec = client()
        assert codec.take_body() == 0
        for piece in pieces:
            codec.feed(piece)
        assert (codec.take_body(), codec.take_body(), codec.closing) == (2, 0, False)
        codec.send_request("GET", "/", [("Host", "a")], 0)
        assert [type(event) for event in codec.feed(OKAY + BODY_0)] == [StatusReceived, MessageEnded]


@pytest.mark.parametrize("framing", [CODED + b"\r\n5\r\nh", b"\r\n"])
def test_a_body_of_unknown_length_stays_with_the_codec(framing: bytes) -> None:
    codec = client()
    codec.feed(OKAY + framing)
    assert codec.take_body() == 0


def test_a_connection_that_closes_is_closing_once_its_body_is_taken() -> None:
    codec = client()
    codec.feed(OKAY + CLOSED + LENGTH_5 + b"\r\n")
    assert (codec.take_body(), codec.closing) == (5, True)


def test_a_large_head_whose_fields_are_remembered_says_the_same() -> None:
    memo = HeadMemo()
    for number in range(3):
        codec = ServerCodec(LIMITS, memo)
        said: list[Said] = []
        data = b"GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\nCookie: c=%d\r\n\r\n" % (number, 600 * b"x", number)
        note(codec.feed(data), said)
        assert said == [("GET", f"/{number}"), ("end",)]
        assert codec.request is not None
        assert codec.request.cookie == f"c={number}"
