"""What must not pass: requests that two readers could take apart differently (RFC 9112 2.2, 3.2, 5, 6, 7, 11.2).

Each row is a request that some server or proxy has been known to read in its own way. Ours answers it with an error and
closes, or reads it in the one way the RFC allows; however it is cut, and whatever was asked before.
"""

from collections.abc import Iterable, Iterator

import pytest

from portico.settings import Limits
from portico.wire.answer import WholeAnswer
from portico.wire.events import BodyReceived, HeadReceived, PeerFaulted
from portico.wire.head import HeadMemo
from portico.wire.http1 import ServerCodec

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
ANSWER = WholeAnswer(200, (), b"")
LIMITS = Limits()
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
EVIL = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"


def cuts(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


def transcript(pieces: Iterable[bytes], memo: HeadMemo) -> list[str | int]:
    """Serve a connection. Returns the target of each request, with its body if it has one, and statuses of refusals."""
    codec = ServerCodec(LIMITS, memo)
    said: list[str | int] = []
    for piece in (*pieces, b"", b"", b"", b""):  # an empty piece lets a waiting request go on
        for event in codec.feed(piece):
            if isinstance(event, HeadReceived):
                said.append(event.request.target)
            elif isinstance(event, BodyReceived):
                said[-1] = f"{said[-1]}<{event.data.decode('latin-1')}>".replace("><", "")
            elif isinstance(event, PeerFaulted):
                said.append(event.status)
                assert codec.is_last
                codec.send_answer(ANSWER, DATE)
                assert codec.closing
        if codec.request is not None and codec.reader is None:
            codec.send_answer(ANSWER, DATE)
    return said


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in (b"Host: a", *lines)) + b"\r\n" + body


LAST = b"0\r\n\r\n"
CODED = b"Transfer-Encoding: chunked"

HEADS: list[tuple[str, bytes, int]] = [
    # two framings
    ("CL.TE", post(b"Content-Length: 36", CODED, body=LAST + EVIL), 400),
    ("TE.CL", post(CODED, b"Content-Length: 4", body=b"1f\r\n" + EVIL + b"\r\n" + LAST), 400),
    ("CL.TE, no length", post(b"Content-Length:", CODED, body=LAST), 400),
    ("CL 0 and TE", post(b"Content-Length: 0", CODED, body=LAST), 400),
    ("CL.CL, different", post(b"Content-Length: 0", b"Content-Length: 31", body=EVIL), 400),
    ("CL.CL, the same", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), 400),
    ("CL in a list", post(b"Content-Length: 0, 31", body=EVIL), 400),
    ("CL in a list that agrees", post(b"Content-Length: 5, 5", body=b"hello"), 400),
    ("CL with a plus", post(b"Content-Length: +5", body=b"hello"), 400),
    ("CL with a minus", post(b"Content-Length: -5", body=b"hello"), 400),
    ("CL in hex", post(b"Content-Length: 0x1f", body=EVIL), 400),
    ("CL with an underscore", post(b"Content-Length: 3_1", body=EVIL), 400),
    ("CL with a blank inside", post(b"Content-Length: 3 1", body=EVIL), 400),
    ("CL with a fraction", post(b"Content-Length: 5.0", body=b"hello"), 400),
    ("CL quoted", post(b'Content-Length: "5"', body=b"hello"), 400),
    ("CL over 64 bits", post(b"Content-Length: 18446744073709551621", body=b"hello"), 400),
    ("CL in other digits", post("Content-Length: \uff15".encode(), body=b"hello"), 400),
    ("CL too large", post(b"Content-Length: 99999999999"), 413),
    # TE.TE: a coding that only one of two readers sees
    ("TE twice", post(CODED, CODED, body=LAST), 400),
    ("TE twice, one strange", post(CODED, b"Transfer-Encoding: x", body=LAST), 400),
    ("TE twice, in capitals", post(CODED, b"TRANSFER-ENCODING: identity", body=LAST), 400),
    ("TE unknown", post(b"Transfer-Encoding: xchunked", body=LAST), 400),
    ("TE identity", post(b"Transfer-Encoding: identity", body=LAST), 400),
    ("TE gzip alone", post(b"Transfer-Encoding: gzip", body=LAST), 400),
    ("TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=LAST), 501),
    ("TE identity, chunked", post(b"Transfer-Encoding: identity, chunked", body=LAST), 501),
    ("TE chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=LAST), 400),
    ("TE chunked twice", post(b"Transfer-Encoding: chunked, chunked", body=LAST), 400),
    ("TE empty", post(b"Transfer-Encoding:", body=LAST), 400),
    ("TE with an empty element", post(b"Transfer-Encoding: chunked,", body=LAST), 400),
    ("TE quoted", post(b'Transfer-Encoding: "chunked"', body=LAST), 400),
    ("TE with a parameter", post(b"Transfer-Encoding: chunked;a=b", body=LAST), 400),
    ("TE, a blank before the colon", post(b"Transfer-Encoding : chunked", body=LAST), 400),
    ("TE, a tab before the colon", post(b"Transfer-Encoding\t: chunked", body=LAST), 400),
    ("TE, a blank before the name", post(b" Transfer-Encoding: chunked", body=LAST), 400),
    ("TE folded", post(b"Transfer-Encoding:", b" chunked", body=LAST), 400),
    ("TE folded with a tab", post(b"Transfer-Encoding:", b"\tchunked", body=LAST), 400),
    ("TE in a folded line", post(b"X: y", b" " + CODED, body=LAST), 400),
    ("TE with a vertical tab", post(b"Transfer-Encoding:\x0bchunked", body=LAST), 400),
    ("TE with a form feed", post(b"Transfer-Encoding: chunked\x0c", body=LAST), 400),
    ("TE with NUL", post(b"Transfer-Encoding: chunked\x00", body=LAST), 400),
    ("TE with a no-break space", post(b"Transfer-Encoding: chunked\xa0", body=LAST), 400),
    ("TE with NEL", post(b"Transfer-Encoding: \x85chunked", body=LAST), 400),
    ("TE behind a bare CR", post(b"X: y\r" + CODED, body=LAST), 400),
    ("TE behind a bare LF", post(b"X: y\n" + CODED, body=LAST), 400),
    ("TE behind LF CR", post(b"X: y\n\r" + CODED, body=LAST), 400),
    ("TE with two CR", post(CODED + b"\r", body=LAST), 400),
    ("TE in HTTP/1.0", post(CODED, body=LAST).replace(b"/1.1", b"/1.0"), 400),
    # lines
    ("LF throughout", (post(b"Content-Length: 5") + b"\r\n\r\n").replace(b"\r\n", b"\n", 3), 400),
    ("LF LF at the end of a head", b"GET / HTTP/1.1\r\nHost: a\n\nX: y\r\n\r\n", 400),
    ("a bare CR in the request line", b"GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank before the request line", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("LF before the request line", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CR before the request line", b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a folded first line", b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", 400),
    ("a line without a colon", post(b"X"), 400),
    ("a line without a name", post(b": x"), 400),
    ("a name with NUL", post(b"X\x00: y"), 400),
    ("a name in Latin-1", post(b"\xdf: y"), 400),
    ("a second request line", b"GET / HTTP/1.1\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # the request line
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/1.1 in lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/01.1", b"GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400),
    ("two blanks", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a blank behind the version", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("tabs", b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a fragment", b"GET /#/../evil HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a request in the version", b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no request", b"hello world and so on\r\n\r\n", 400),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    # routing
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("no Host beside absolute-form", b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", post(b"Host: b"), 400),
    ("two Hosts that agree", post(b"host: a"), 400),
    ("a Host in disguise", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("a Host of two", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("a Host with a user", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    ("a Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("a Host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("a Host with two ports", b"GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n", 400),
    ("an authority with a user", b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("another scheme", b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT to a path", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an unknown expectation", post(b"Expect: 200-ok"), 417),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_an_ambiguous_head_is_refused(data: bytes, status: int) -> None:
    memo = HeadMemo()
    for pieces in cuts(data + EVIL):
        assert transcript(pieces, memo) == [status]
    assert transcript([NEXT + data + EVIL], memo) == ["/next", status]
    assert transcript([NEXT, data, EVIL], memo) == ["/next", status]
    assert transcript([data], HeadMemo()) == [status]


BODIES: list[tuple[str, bytes, int]] = [
    ("a size with a blank", b"5 \r\nhello\r\n" + LAST, 400),
    ("a size with a tab", b"5\t\r\nhello\r\n" + LAST, 400),
    ("a size behind a blank", b" 5\r\nhello\r\n" + LAST, 400),
    ("a size with a prefix", b"0x5\r\nhello\r\n" + LAST, 400),
    ("a size with a sign", b"+5\r\nhello\r\n" + LAST, 400),
    ("a size below zero", b"-1\r\nhello\r\n" + LAST, 400),
    ("a size with an underscore", b"0_5\r\nhello\r\n" + LAST, 400),
    ("a size with NUL", b"5\x00\r\nhello\r\n" + LAST, 400),
    ("a size that wraps at 64 bits", b"10000000000000005\r\nhello\r\n" + LAST, 400),
    ("a size that wraps at 32 bits", b"100000005\r\nhello\r\n" + LAST, 413),
    ("a long row of zeros", b"0" * 16 + b"\r\n\r\n", 400),
    ("no size", b"\r\nhello\r\n" + LAST, 400),
    ("an extension without a size", b";a\r\nhello\r\n" + LAST, 400),
    ("a size that ends with LF", b"5\nhello\r\n" + LAST, 400),
    ("a size that ends with CR", b"5\rhello\r\n" + LAST, 400),
    ("a size that ends with CR CR LF", b"5\r\r\nhello\r\n" + LAST, 400),
    ("an extension that ends with LF", b"5;a\nhello\r\n" + LAST, 400),
    ("an extension with CR", b"5;a\rb\r\nhello\r\n" + LAST, 400),
    ("an extension that hides a chunk", b"2;\n" + b"xx\r\n4c\r\n" + LAST + EVIL, 400),
    ("a quoted extension with a line end", b'5;a="\r\n"\r\nhello\r\n' + LAST, 400),
    ("no line end behind the last size", b"0\r\nX\r\n\r\n", 400),
    ("LF LF at the end", b"0\r\n\n", 400),
    ("a length in the trailers", b"0\r\nContent-Length: 31\r\n\r\n", 400),
    ("a coding in the trailers", b"0\r\n" + CODED + b"\r\n\r\n", 400),
    ("a host in the trailers", b"0\r\nHost: b\r\n\r\n", 400),
    ("credentials in the trailers", b"0\r\nAuthorization: b\r\n\r\n", 400),
    ("a request in the trailers", b"0\r\n" + EVIL, 400),
]


@pytest.mark.parametrize(("body", "status"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_an_ambiguous_body_is_refused(body: bytes, status: int) -> None:
    memo = HeadMemo()
    for pieces in cuts(post(CODED, body=body) + EVIL):
        said = transcript(pieces, memo)
        assert len(said) == 2
        assert said[1] == status
        assert str(said[0]).startswith("/")
        assert "evil" not in str(said[0])


@pytest.mark.parametrize("end", [b"\n", b"\r", b"", b"XX", b"\n\r", b"\r\r\n", b" \r\n", b"!\r\n"])
def test_a_chunk_ends_where_its_size_says(end: bytes) -> None:
    memo = HeadMemo()
    for pieces in cuts(post(CODED, body=b"5\r\nhello" + end + LAST) + EVIL):
        assert transcript(pieces, memo) == ["/<hello>", 400]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (post(b"Content-Length: 31", body=EVIL), [f"/<{EVIL.decode()}>"]),
        (post(b"Content-Length: 0", body=EVIL), ["/", "/evil"]),
        (post(body=EVIL), ["/", "/evil"]),
        (post(CODED, body=b"1f;a=b\r\n" + EVIL + b"\r\n" + LAST), [f"/<{EVIL.decode()}>"]),
        (post(CODED, body=LAST + EVIL), ["/", "/evil"]),
        (post(b"X-Content-Length: 31", body=EVIL), ["/", "/evil"]),
        (post(b"Content_Length: 31", body=EVIL), ["/", "/evil"]),
        (post(b"X: Content-Length: 31", body=EVIL), ["/", "/evil"]),
        (post(b"Connection: Content-Length", b"Content-Length: 31", body=EVIL), [f"/<{EVIL.decode()}>"]),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n" + EVIL, [f"/<{EVIL.decode()}>"]),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n" + EVIL, [f"/<{EVIL.decode()}>"]),
        (post(b"Connection: close", body=EVIL), ["/"]),
        (b"GET / HTTP/1.0\r\n\r\n" + EVIL, ["/"]),
    ],
)
def test_what_the_rfc_reads_in_one_way(data: bytes, said: list[str]) -> None:
    memo = HeadMemo()
    is_over = said == ["/"]
    for pieces in cuts(data):
        assert transcript(pieces, memo) == said
    for pieces in cuts(data + NEXT):
        assert transcript(pieces, memo) == (said if is_over else [*said, "/next"])
    assert transcript([data] * 3, memo) == (said if is_over else said * 3)
