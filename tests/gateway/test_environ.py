from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.gateway.contract import Origin
from portico.gateway.environ import Environs
from portico.http.message import Request
from portico.settings import Limits
from portico.wire.head import HeadMemo, parse_request

ORIGIN = Origin(("192.0.2.7", 4711), ("198.51.100.1", 8000), "http")
FIXED = {"wsgi.version": (1, 0)}


def request(line: str = "GET / HTTP/1.1", *lines: str, memo: HeadMemo | None = None) -> Request:
    """Parse a head; with the same memo, the same lines give the same block."""
    head = "\r\n".join((line, "Host: a.example", *lines)).encode("latin-1")
    return parse_request(head, Limits(), memo or HeadMemo())


def environ(line: str = "GET / HTTP/1.1", *lines: str, root_path: str = "", origin: Origin = ORIGIN) -> dict[str, Any]:
    return Environs(root_path, FIXED).make(request(line, *lines), origin)


def test_all_of_it() -> None:
    assert environ("POST /a%20b?x=%31 HTTP/1.1", "Content-Type: text/plain", "Content-Length: 5", "Cookie: a=b") == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "x=%31",
        "REQUEST_URI": "/a%20b?x=%31",
        "RAW_URI": "/a%20b?x=%31",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "198.51.100.1",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "4711",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
        "HTTP_HOST": "a.example",
        "HTTP_COOKIE": "a=b",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }


FIELDS = [
    ("repeated fields are one", ["Accept: a", "accept: b"], {"HTTP_ACCEPT": "a, b"}),
    ("cookies are joined as cookies", ["Cookie: a=1", "Cookie: b=2"], {"HTTP_COOKIE": "a=1; b=2"}),
    ("an underscore poses as nothing", ["X_Real_IP: 1.2.3.4"], {"HTTP_X_REAL_IP": None}),
    ("nor over the real one", ["X-Real-IP: 1", "X_Real_IP: 2"], {"HTTP_X_REAL_IP": "1"}),
    ("httpoxy", ["Proxy: http://evil.example/"], {"HTTP_PROXY": None}),
    ("bytes stay bytes", ["X-Name: \xc3\xa9"], {"HTTP_X_NAME": "\xc3\xa9"}),
    ("chunks", ["Transfer-Encoding: chunked"], {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}),
    ("a length of nothing", ["Content-Length: 0"], {"CONTENT_LENGTH": "0", "HTTP_CONTENT_LENGTH": None}),
    ("no type", [], {"CONTENT_TYPE": None, "HTTP_CONTENT_TYPE": None}),
]


@pytest.mark.parametrize(("lines", "expected"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_fields(lines: list[str], expected: dict[str, str | None]) -> None:
    made = environ("GET / HTTP/1.1", *lines)
    assert {key: made.get(key) for key in expected} == expected


TARGETS = [
    ("/%E4%BD%A0", "", {"PATH_INFO": "/\xe4\xbd\xa0", "QUERY_STRING": ""}),
    ("/\xe4\xbd\xa0", "", {"PATH_INFO": "/\xe4\xbd\xa0"}),
    ("/%2541%zz%", "", {"PATH_INFO": "/%41%zz%"}),
    ("/%00", "", {"PATH_INFO": "/\0"}),
    ("//a/../b", "", {"PATH_INFO": "//a/../b"}),
    ("/a?", "", {"PATH_INFO": "/a", "QUERY_STRING": ""}),
    ("/pre/a", "/pre", {"SCRIPT_NAME": "/pre", "PATH_INFO": "/a"}),
    ("/pre", "/pre/", {"SCRIPT_NAME": "/pre", "PATH_INFO": ""}),
    ("/prefix", "pre", {"SCRIPT_NAME": "/pre", "PATH_INFO": "/prefix"}),
    ("/%C3%A9/a", "/é", {"SCRIPT_NAME": "/\xc3\xa9", "PATH_INFO": "/a"}),
    ("http://b.example:81/a?q", "", {"PATH_INFO": "/a", "QUERY_STRING": "q", "HTTP_HOST": "b.example:81"}),
]


@pytest.mark.parametrize(("target", "root_path", "expected"), TARGETS)
def test_targets(target: str, root_path: str, expected: dict[str, str]) -> None:
    made = environ(f"GET {target} HTTP/1.1", root_path=root_path)
    assert {key: made[key] for key in expected} == expected
    assert made["REQUEST_URI"] == made["RAW_URI"] == target


def test_what_is_no_path() -> None:
    assert environ("OPTIONS * HTTP/1.1")["PATH_INFO"] == ""
    assert environ("CONNECT a:1 HTTP/1.1")["PATH_INFO"] == ""


UNIX = Origin(None, ("/run/portico.sock", None), "https")


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.example", "a.example"), ("a.example:81", "a.example"), ("[::1]:8", "[::1]"), ("[::1]", "[::1]")],
)
def test_a_unix_socket_has_a_name_all_the_same(host: str, name: str) -> None:
    asked = parse_request(f"GET / HTTP/1.1\r\nHost: {host}".encode(), Limits(), HeadMemo())
    made = Environs("", {}).make(asked, UNIX)
    assert (made["SERVER_NAME"], made["SERVER_PORT"], made["REMOTE_ADDR"]) == (name, "443", "")
    assert "REMOTE_PORT" not in made


def test_a_unix_socket_and_no_host() -> None:
    made = Environs("", {}).make(parse_request(b"GET / HTTP/1.0", Limits(), HeadMemo()), UNIX)
    assert (made["SERVER_NAME"], made["SERVER_PROTOCOL"]) == ("localhost", "HTTP/1.0")
    absolute = parse_request(b"GET http://b/ HTTP/1.0", Limits(), HeadMemo())
    assert "HTTP_HOST" not in Environs("", {}).make(absolute, UNIX)


def test_equal_heads_get_equal_environs_that_are_their_own() -> None:
    """Whatever an application does to its environ, and whichever way the next one is made."""
    environs = Environs("", FIXED)
    asked = request("GET /a?b HTTP/1.1", "Accept: x")
    first = environs.make(asked, ORIGIN)
    expected = dict(first)
    for _ in range(4):
        first.clear()
        first = environs.make(asked, ORIGIN)
        assert first == expected


def test_equal_heads_from_elsewhere() -> None:
    environs = Environs("", FIXED)
    asked = request()
    others = [
        Origin(("192.0.2.8", 1), ORIGIN.server, "http"),
        Origin(ORIGIN.client, ("::1", 9), "http"),
        Origin(ORIGIN.client, ORIGIN.server, "https"),
        UNIX,
    ]
    for origin in [ORIGIN, *others] * 3:
        assert environs.make(asked, origin) == Environs("", FIXED).make(request(), origin)


def test_two_applications_and_one_head() -> None:
    asked = request("GET /a/b HTTP/1.1")
    one, other = Environs("/a", FIXED), Environs("", FIXED)
    for _ in range(3):
        assert one.make(asked, ORIGIN)["PATH_INFO"] == "/b"
        assert other.make(asked, ORIGIN)["PATH_INFO"] == "/a/b"


def test_blocks_are_remembered_within_bounds() -> None:
    environs = Environs("", FIXED)
    memo = HeadMemo()
    for number in range(3000):
        made = environs.make(request(f"GET /{number} HTTP/1.1", f"X-Number: {number}", memo=memo), ORIGIN)
        assert made["HTTP_X_NUMBER"] == str(number)
    assert 0 < len(environs._blocks) <= 1024


@pytest.mark.parametrize(
    "line", ["Authorization: Basic YTpi", "Proxy-Authorization: Basic YTpi", "X-Long: " + "x" * 2048]
)
def test_secrets_and_long_blocks_are_not_remembered(line: str) -> None:
    environs = Environs("", FIXED)
    environs.make(request("GET / HTTP/1.1", line), ORIGIN)
    assert environs._blocks == {}


@given(st.lists(st.sampled_from(["/", "/a", "/b?c", "/%41"]), min_size=1, max_size=12), st.booleans())
def test_a_memory_is_invisible(targets: list[str], has_cookie: bool) -> None:
    environs = Environs("", FIXED)
    memo = HeadMemo()
    shared: dict[str, Request] = {}
    lines = ("Accept: a", *(("Cookie: c=d",) if has_cookie else ()))
    for target in targets:
        line = f"GET {target} HTTP/1.1"
        asked = shared.setdefault(target, request(line, *lines, memo=memo))
        assert environs.make(asked, ORIGIN) == environ(line, *lines)
