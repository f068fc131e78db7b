"""Request heads: RFC 9112 sections 2, 3 and 6 in tables; and a memory that nobody can tell from none."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.http.message import Request
from portico.settings import Limits
from portico.wire.head import HeadMemo, parse_block, parse_request, parse_request_line, recall_request

LIMITS = Limits()


def parse(head: bytes, limits: Limits = LIMITS, memo: HeadMemo | None = None) -> Request:
    return parse_request(head.replace(b"\n", b"\r\n"), limits, memo or HeadMemo())


def everything(request: Request) -> dict[str, object]:
    """Return all that a request says, for comparison."""
    return {name: getattr(request, name) for name in Request.__slots__}


def refusal(head: bytes, limits: Limits = LIMITS) -> int:
    """Return the status a head is refused with."""
    with pytest.raises(PeerError) as caught:
        parse(head, limits)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return caught.value.status


# --- the request line -------------------------------------------------------------------------


class Line(NamedTuple):
    """What a request line says. authority: of the target alone."""

    method: str
    path: str
    query: str | None
    version: int = 11
    authority: str = ""


LINES = [
    (b"GET / HTTP/1.1", Line("GET", "/", None)),
    (b"GET / HTTP/1.0", Line("GET", "/", None, 10)),
    (b"HEAD /a/b?c=d&e HTTP/1.1", Line("HEAD", "/a/b", "c=d&e")),
    (b"GET /? HTTP/1.1", Line("GET", "/", "")),
    (b"GET /a?b?c HTTP/1.1", Line("GET", "/a", "b?c")),
    (b"GET //host/path HTTP/1.1", Line("GET", "//host/path", None)),
    (b"GET /%2e%2E/%00 HTTP/1.1", Line("GET", "/%2e%2E/%00", None)),
    (b'GET /<a>"^`{|}\\ HTTP/1.1', Line("GET", '/<a>"^`{|}\\', None)),
    (b"GET /\xe4\xb8\xad HTTP/1.1", Line("GET", "/\xe4\xb8\xad", None)),
    (b"get / HTTP/1.1", Line("get", "/", None)),  # methods are case-sensitive, not refused
    (b"X-PURGE! /a HTTP/1.1", Line("X-PURGE!", "/a", None)),
    (b"M" * 64 + b" / HTTP/1.1", Line("M" * 64, "/", None)),
    (b"OPTIONS /a HTTP/1.1", Line("OPTIONS", "/a", None)),
    # RFC 9112 3.2.2 to 3.2.4
    (b"GET http://www.example.org/pub/WWW/ HTTP/1.1", Line("GET", "/pub/WWW/", None, 11, "www.example.org")),
    (b"GET HTTPS://example.org:444/a?b=http://c/ HTTP/1.1", Line("GET", "/a", "b=http://c/", 11, "example.org:444")),
    (b"GET http://example.org HTTP/1.1", Line("GET", "/", None, 11, "example.org")),
    (b"GET http://example.org?a HTTP/1.1", Line("GET", "/", "a", 11, "example.org")),
    (b"GET http://[::1]:80/? HTTP/1.1", Line("GET", "/", "", 11, "[::1]:80")),
    (b"OPTIONS http://www.example.org:8001 HTTP/1.1", Line("OPTIONS", "/", None, 11, "www.example.org:8001")),
    (b"OPTIONS * HTTP/1.1", Line("OPTIONS", "*", None)),
    (b"CONNECT www.example.com:80 HTTP/1.1", Line("CONNECT", "", None, 11, "www.example.com:80")),
    (b"CONNECT [::1]:443 HTTP/1.1", Line("CONNECT", "", None, 11, "[::1]:443")),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[str(line[:60]) for line, _ in LINES])
def test_a_request_line_is_read(line: bytes, said: Line) -> None:
    request = parse_request_line(line, LIMITS)
    assert Line(request.method, request.path, request.query, request.version, request.authority) == said
    assert request.target == line.split(b" ")[1].decode("latin-1")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"", 400),
        (b"GET", 400),
        (b"GET /", 400),  # HTTP/0.9
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /\tHTTP/1.1", 400),
        (b"GET / HTTP/1.1\t", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/1.", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/11.1", 400),
        (b"GET / HTTP /1.1", 400),
        (b"GET / XTTP/1.1", 400),
        (b"GET / HTTP/1.\xb9", 400),
        (b"GET / HTTP/1.1\r", 400),
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/2.0", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / HTTP/3.0", 505),
        (b"GET / HTTP/9.9", 505),
        (b"G\x00T / HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"G\xc4T / HTTP/1.1", 400),
        (b"M" * 65 + b" / HTTP/1.1", 400),
        (b"(T / HTTP/2.0", 505),
        # targets: no fragment, no control byte, a form that the method may have
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET # HTTP/1.1", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"GET /\x1f HTTP/1.1", 400),
        (b"GET /\x7f HTTP/1.1", 400),
        (b"GET /\r HTTP/1.1", 400),
        (b"GET /\n HTTP/1.1", 400),
        (b"GET /\t HTTP/1.1", 400),
        (b"GET a HTTP/1.1", 400),
        (b"GET ?a HTTP/1.1", 400),
        (b"GET ../etc/passwd HTTP/1.1", 400),
        (b"GET \\a HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"OPTIONS ** HTTP/1.1", 400),
        (b"OPTIONS a HTTP/1.1", 400),
        (b"GET example.org:80 HTTP/1.1", 400),
        (b"GET ftp://example.org/ HTTP/1.1", 400),
        (b"GET http:/example.org/ HTTP/1.1", 400),
        (b"GET http:///a HTTP/1.1", 400),
        (b"GET http://?a HTTP/1.1", 400),
        (b"GET http://user@example.org/ HTTP/1.1", 400),
        (b"GET http://user:pass@example.org/ HTTP/1.1", 400),
        (b"GET http://a,b/ HTTP/1.1", 400),
        (b"GET http://a\\b/ HTTP/1.1", 400),
        (b"GET http://[::1/ HTTP/1.1", 400),
        (b"CONNECT / HTTP/1.1", 400),
        (b"CONNECT /a:1 HTTP/1.1", 400),
        (b"CONNECT example.org HTTP/1.1", 400),
        (b"CONNECT example.org: HTTP/1.1", 400),
        (b"CONNECT [::1] HTTP/1.1", 400),
        (b"CONNECT [::1]: HTTP/1.1", 400),
        (b"CONNECT :443 HTTP/1.1", 400),
        (b"CONNECT user@example.org:443 HTTP/1.1", 400),
        (b"CONNECT http://example.org:443/ HTTP/1.1", 400),
    ],
)
def test_a_request_line_is_refused(line: bytes, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        parse_request_line(line, LIMITS)
    assert caught.value.status == status


def test_a_url_has_a_limit() -> None:
    limits = Limits(max_url=16)
    assert parse_request_line(b"GET /" + b"a" * 15 + b" HTTP/1.1", limits).path == "/" + "a" * 15
    with pytest.raises(PeerError, match="at most 16") as caught:
        parse_request_line(b"GET /" + b"a" * 16 + b" HTTP/1.1", limits)
    assert caught.value.status == 414


# --- the fields -------------------------------------------------------------------------------


def test_a_whole_head() -> None:
    request = parse(b"GET /hello.txt HTTP/1.1\nUser-Agent: curl/7.64.1\nHost: www.example.com\nAccept-Language: en, mi")
    assert [field[:2] for field in request.fields] == [
        ("user-agent", "curl/7.64.1"),
        ("host", "www.example.com"),
        ("accept-language", "en, mi"),
    ]
    assert request.values == {"user-agent": "curl/7.64.1", "host": "www.example.com", "accept-language": "en, mi"}
    assert (request.authority, request.body_length) == ("www.example.com", 0)
    assert (request.keep_alive, request.expects_continue, request.is_secret) == (True, False, False)


@pytest.mark.parametrize(
    ("head", "authority"),
    [
        (b"GET / HTTP/1.1\nHost: a:1", "a:1"),
        (b"GET http://b/ HTTP/1.1\nHost: a", "b"),  # RFC 9112 3.2.2: the Host is ignored
        (b"CONNECT c:1 HTTP/1.1\nHost: a", "c:1"),
        (b"GET / HTTP/1.0", ""),
        (b"GET / HTTP/1.0\nHost: a", "a"),
        (b"GET http://b/ HTTP/1.0", "b"),
    ],
)
def test_the_authority(head: bytes, authority: str) -> None:
    assert parse(head).authority == authority


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\nHost: a", True),
        (b"GET / HTTP/1.1\nHost: a\nConnection: keep-alive", True),
        (b"GET / HTTP/1.1\nHost: a\nConnection: close", False),
        (b"GET / HTTP/1.1\nHost: a\nConnection: Close", False),
        (b"GET / HTTP/1.1\nHost: a\nConnection: TE ,\tclose", False),
        (b"GET / HTTP/1.1\nHost: a\nConnection: TE\nConnection: close", False),
        (b"GET / HTTP/1.1\nHost: a\nConnection: keep-alive, close", False),
        (b"GET / HTTP/1.1\nHost: a\nConnection: closed", True),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\nConnection: close", False),
        (b"GET / HTTP/1.0\nConnection: Keep-Alive", True),
        (b"GET / HTTP/1.0\nConnection: keep-alive, close", False),
    ],
)
def test_persistence(head: bytes, keep_alive: bool) -> None:
    assert parse(head).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (b"", 0),
        (b"\nContent-Length: 0", 0),
        (b"\nContent-Length: 12", 12),
        (b"\nContent-Length: 0012", 12),
        (b"\nTransfer-Encoding: chunked", None),
        (b"\ntransfer-encoding:CHUNKED", None),
    ],
)
def test_the_length_of_the_body(fields: bytes, length: int | None) -> None:
    assert parse(b"POST / HTTP/1.1\nHost: a" + fields).body_length == length
    assert parse(b"GET / HTTP/1.1\nHost: a" + fields).body_length == length


@pytest.mark.parametrize(
    ("head", "expects"),
    [
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect: 100-continue", True),
        (b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nExpect: 100-Continue", True),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 1", False),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect:", False),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 0\nExpect: 100-continue", False),
        (b"POST / HTTP/1.0\nContent-Length: 1\nExpect: 100-continue", False),  # RFC 9110 10.1.1
    ],
)
def test_who_waits_for_a_100(head: bytes, expects: bool) -> None:
    assert parse(head).expects_continue is expects


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\nAccept: a", 400),
        (b"GET http://a/ HTTP/1.1", 400),
        (b"GET / HTTP/1.1\nHost:", 400),
        (b"GET / HTTP/1.1\nHost: a\nHost: a", 400),
        (b"GET / HTTP/1.1\nHost: a\nhost: b", 400),
        (b"GET / HTTP/1.1\nHost: a\n folded", 400),
        (b"GET / HTTP/1.1\n\tHost: a", 400),
        (b"GET / HTTP/1.1\nHost: a\nCookie: b\n folded", 400),
        (b"GET / HTTP/1.1\nHost: a\nCookie: b\x00", 400),
        (b"GET / HTTP/1.1\nHost: a\nX\x0b: b", 400),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 5", 400),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 6", 400),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 5", 400),
        (b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked", 501),
        (b"POST / HTTP/1.0\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 1073741825", 413),
        (b"POST / HTTP/1.1\nHost: a\nExpect: a pony", 417),
        (b"POST / HTTP/1.1\nHost: a\nExpect: 100-continue, 100-continue", 417),
    ],
)
def test_a_head_is_refused(head: bytes, status: int) -> None:
    assert refusal(head) == status


def test_fields_have_a_limit() -> None:
    limits = Limits(max_fields=3)
    assert len(parse(b"GET / HTTP/1.1\nHost: a\nA: 1\nB: 2", limits).fields) == 3
    assert parse(b"GET / HTTP/1.1\nHost: a\nA: 1\nCookie: b", limits).cookie == "b"
    assert refusal(b"GET / HTTP/1.1\nHost: a\nA: 1\nB: 2\nC: 3", limits) == 431
    assert refusal(b"GET / HTTP/1.1\nHost: a\nA: 1\nB: 2\nCookie: b", limits) == 431


def test_a_body_has_a_limit() -> None:
    limits = Limits(max_body=5)
    assert parse(b"POST / HTTP/1.1\nHost: a\nContent-Length: 5", limits).body_length == 5
    assert refusal(b"POST / HTTP/1.1\nHost: a\nContent-Length: 6", limits) == 413


# --- cookies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "cookie"),
    [
        (b"Host: a\nA: b\nCookie: x=1", "x=1"),
        (b"Host: a\nCookie: x=1\nA: b", "x=1"),
        (b"Cookie: x=1\nHost: a\nA: b", "x=1"),
        (b"Host: a\nA: b\ncookie: x=1", "x=1"),
        (b"Host: a\nA: b\nCookie:x=1", "x=1"),
        (b"Host: a\nA: b\nCookie: \t x=1\t ", "x=1"),
        (b"Host: a\nA: b\nCookie: ", ""),
        (b"Host: a\nCookie: x=1\nCookie: y=2\nA: b", "x=1; y=2"),
        (b"Host: a\nCookie: x=1\nA: b\ncookie: y=2", "x=1; y=2"),
        (b"Host: a\ncookie: x=1\nA: b\nCookie: y=2", "x=1; y=2"),
        (b"Cookie: x=1\nHost: a\nCookie: y=2\nA: b\nCookie: z=3", "x=1; y=2; z=3"),
    ],
)
def test_cookies_are_kept_apart(lines: bytes, cookie: str) -> None:
    request = parse(b"GET / HTTP/1.1\n" + lines)
    assert request.cookie == cookie
    assert [field[:2] for field in request.fields] == [("host", "a"), ("a", "b")]
    assert request.values == {"host": "a", "a": "b"}
    assert request.is_secret


def test_a_request_without_a_cookie() -> None:
    assert parse(b"GET / HTTP/1.1\nHost: a").cookie == ""


# --- the memo ---------------------------------------------------------------------------------

SECRETS = [
    b"Cookie: sesame",
    b"cookie: sesame",
    b"Cookie:sesame",
    b"Authorization: Basic sesame",
    b"AUTHORIZATION: Bearer sesame",
    b"Proxy-Authorization: Basic sesame",
    b"Cookie: sesame\nCookie: sesame2",
    b"Cookie: sesame\nAuthorization: Basic sesame",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", [b"%b\nHost: a\nAccept: b", b"Host: a\n%b\nAccept: b", b"Host: a\nAccept: b\n%b"])
def test_secrets_are_never_remembered(secret: bytes, place: bytes) -> None:
    memo = HeadMemo()
    head = b"GET / HTTP/1.1\n" + place % secret
    request = parse(head, memo=memo)
    memo.remember(head, request)
    assert request.is_secret
    assert "sesame" in repr((request.fields, request.cookie))
    assert "sesame" not in repr((memo.heads, memo.blocks, memo.lines))
    assert b"Accept: b" in memo.lines
    assert memo.heads == {}


def test_only_a_request_that_ends_with_its_head_is_remembered() -> None:
    memo = HeadMemo()
    for head in (
        b"POST / HTTP/1.1\nHost: a\nContent-Length: 5",
        b"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked",
    ):
        memo.remember(head, parse(head, memo=memo))
    assert memo.heads == {}
    head = b"POST / HTTP/1.1\nHost: a\nContent-Length: 0"
    assert memo.remember(head, parse(head, memo=memo)) is memo.heads[head]


@pytest.mark.parametrize(
    ("fields", "lines", "blocks", "heads"),
    [
        (b"", 1, 1, 1),
        (b"\nA: " + b"x" * 400, 2, 1, 1),
        (b"\nA: " + b"x" * 508, 2, 1, 0),
        (b"\nA: " + b"x" * 510, 1, 1, 0),
        (b"".join(b"\nA%d: %b" % (i, b"x" * 300) for i in range(8)), 9, 0, 0),
    ],
)
def test_what_is_large_is_not_remembered(fields: bytes, lines: int, blocks: int, heads: int) -> None:
    memo = HeadMemo()
    head = b"GET / HTTP/1.1\nHost: a" + fields
    memo.remember(head, parse(head, memo=memo))
    assert (len(memo.lines), len(memo.blocks), len(memo.heads)) == (lines, blocks, heads)


def test_a_flood_does_not_fill_the_memory() -> None:
    memo = HeadMemo()
    for i in range(9000):
        head = b"GET /%d HTTP/1.1\nHost: a\nX: %d" % (i, i)
        memo.remember(head, parse(head, memo=memo))
        assert len(memo.lines) <= 4096
        assert len(memo.blocks) <= 1024
        assert len(memo.heads) <= 1024
    assert parse(b"GET /1 HTTP/1.1\nHost: a\nX: 1", memo=memo).values == {"host": "a", "x": "1"}


def test_equal_blocks_are_parsed_once() -> None:
    memo = HeadMemo()
    first = parse(b"GET /1 HTTP/1.1\nHost: a\nAccept: b\nCookie: c=1", memo=memo)
    other = parse(b"GET /2 HTTP/1.1\nHost: a\nAccept: b\nCookie: c=2", memo=memo)
    assert len(memo.blocks) == 1
    assert first.fields is other.fields
    assert (first.cookie, other.cookie) == ("c=1", "c=2")
    assert parse(b"GET /3 HTTP/1.1\nHost: a\nAccept: b", memo=memo).values == {"host": "a", "accept": "b"}


def test_a_block_without_lines() -> None:
    block = parse_block(b"", LIMITS, HeadMemo())
    assert (block.fields, block.values, block.authority, block.body_length) == ((), {}, "", 0)


def outcome(head: bytes, memo: HeadMemo) -> object:
    try:
        request = parse(head, memo=memo)
    except PeerError as error:
        return error.status, str(error)
    memo.remember(head, request)
    return everything(request)


LINE_POOL = [
    *(b"Host: a", b"Host: b", b"host: a", b"Accept: b", b"Accept: c", b"X: \xe9", b"Connection: close"),
    *(b"Cookie: x=1", b"Cookie: y=2", b"cookie: z=3", b"Authorization: s", b"Expect: 100-continue", b"Expect: tea"),
    *(b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: x", b"Transfer-Encoding: chunked", b" folded"),
    *(b"Transfer-Encoding: gzip, chunked", b"Upgrade : x", b"X: \x00", b"", b"Y:", b"Cookie: \x00"),
]
REQUEST_LINES = [b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"GET / HTTP/1.0", b"GET http://c/ HTTP/1.1", b"GET a"]
heads = st.builds(
    lambda line, fields: b"\n".join((line, *fields)),
    st.sampled_from(REQUEST_LINES),
    st.lists(st.sampled_from(LINE_POOL), max_size=6) | st.lists(st.sampled_from(LINE_POOL[:9]), max_size=6),
)


@given(st.lists(heads, max_size=12))
def test_the_memo_is_invisible(series: list[bytes]) -> None:
    warm, crowded = HeadMemo(), HeadMemo()
    request = parse(b"GET / HTTP/1.0")
    for i in range(1020):  # nearly full, so that it is emptied on the way
        crowded.remember(b"%d" % i, request)
        crowded.blocks[b"%d" % i] = parse_block(b"", LIMITS, warm)
    for head in series:
        fresh = outcome(head, HeadMemo())
        assert outcome(head, warm) == fresh
        assert outcome(head, warm) == fresh
        assert outcome(head, crowded) == fresh


@given(st.binary(max_size=80), st.booleans())
def test_no_head_breaks_the_parser(data: bytes, is_prefixed: bool) -> None:
    head = b"GET / HTTP/1.1\nHost: a\n" + data if is_prefixed else data
    said = outcome(head, HeadMemo())
    if isinstance(said, dict):
        assert said["version"] in (10, 11)
        assert set(said["values"]) == {field.name for field in said["fields"]}
    else:
        assert isinstance(said, tuple)
        assert said[0] in (400, 413, 414, 417, 431, 501, 505)


# --- recalling --------------------------------------------------------------------------------

RECALLED = [
    b"GET /1?q=2 HTTP/1.1\nHost: a\nAccept: b",
    b"GET /1 HTTP/1.1\nHost: a\nAccept: b\nCookie: c=1",
    b"GET /1 HTTP/1.1\nHost: a\nCookie: c=1\nAccept: b",
    b"HEAD http://other/1 HTTP/1.1\nHost: a\nConnection: close\nCookie: ",
    b"GET /1 HTTP/1.0\nHost: a\nConnection: keep-alive\nCookie: c=1",
    b"GET /1 HTTP/1.0",
    b"GET /1 HTTP/1.0\nCookie: c=1",
]


@pytest.mark.parametrize("head", RECALLED)
def test_a_head_is_recalled_as_it_is_parsed_once_its_block_is_remembered(head: bytes) -> None:
    data = head.replace(b"\n", b"\r\n") + b"\r\n\r\n"
    memo = HeadMemo()
    assert recall_request(data, LIMITS, memo) is None
    parsed = parse(head, memo=memo)
    recalled = recall_request(data, LIMITS, memo)
    assert recalled is not None
    assert everything(recalled) == everything(parsed)


BLOCK = b"Host: a\r\nAccept: b"


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"GET / HTTP/1.1\r\n" + BLOCK + b"\r\n", LIMITS),  # not complete
        (b"GET / HTTP/1.1\r\n" + BLOCK + b"\r\n\r\nGET / HTTP/1.1\r\n" + BLOCK + b"\r\n\r\n", LIMITS),  # two heads
        (b"GET / HTTP/1.1\r\n\r\n" + BLOCK + b"\r\n\r\n", LIMITS),
        (b"GET / HTTP/1.1\r\n" + BLOCK + b"\r\n\r\nCookie: c=1\r\n\r\n", LIMITS),
        (b"GET / HTTP/1.1\r\n" + BLOCK + b"\r\nCookie: c=1\r\n\r\n\r\n", LIMITS),
        (b"\r\nGET / HTTP/1.1\r\n" + BLOCK + b"\r\n\r\n", LIMITS),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", LIMITS),
        (b"GET /" + 300 * b"a" + b" HTTP/1.1\r\n" + BLOCK + b"\r\n\r\n", Limits(max_head=256)),
        (b"GET / HTTP/1.1\r\n" + BLOCK + b"\r\n\r\n", Limits(max_fields=2)),
    ],
)
def test_what_may_be_more_or_less_than_one_head_is_left_to_the_parser(data: bytes, limits: Limits) -> None:
    memo = HeadMemo()
    parse(b"GET / HTTP/1.1\nHost: a\nAccept: b", memo=memo)
    parse(b"POST / HTTP/1.1\nHost: a\nContent-Length: 3", memo=memo)
    assert recall_request(data, limits, memo) is None


@pytest.mark.parametrize(
    ("line", "cookie", "status"),
    [(b"GET  / HTTP/1.1", b"c=1", 400), (b"GET / HTTP/2.0", b"c=1", 505), (b"GET / HTTP/1.1", b"\x00", 400)],
)
def test_a_recalled_head_is_checked_where_it_is_new(line: bytes, cookie: bytes, status: int) -> None:
    memo = HeadMemo()
    parse(b"GET / HTTP/1.1\nHost: a\nAccept: b", memo=memo)
    with pytest.raises(PeerError) as caught:
        recall_request(line + b"\r\n" + BLOCK + b"\r\nCookie: " + cookie + b"\r\n\r\n", LIMITS, memo)
    assert caught.value.status == status
