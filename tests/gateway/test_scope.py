from typing import Any

import pytest
from tests.gateway.fake import HANDSHAKE, FakeExchange, request

from portico.gateway.contract import Origin
from portico.gateway.scope import Scopes
from portico.http.message import Request
from portico.settings import Limits
from portico.wire.head import HeadMemo, parse_request


def scope_of(request: Request, *, scopes: Scopes | None = None, root_path: str = "") -> dict[str, Any]:
    return (scopes or Scopes(root_path, {})).of_request(FakeExchange(request))


def test_every_key_of_the_specification() -> None:
    head = b"GET /a%20b?c=d%20e HTTP/1.1\r\nHost: example.org\r\nX-A: 1\r\nCookie: e=f\r\nx-a: \xe4"
    scope = scope_of(parse_request(head, Limits(), HeadMemo()))
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=d%20e",
        "root_path": "",
        "headers": [(b"host", b"example.org"), (b"x-a", b"1"), (b"x-a", b"\xe4"), (b"cookie", b"e=f")],
        "client": ("192.0.2.1", 5000),
        "server": ("192.0.2.2", 80),
        "state": {},
        "extensions": {
            "http.response.pathsend": {},
            "http.response.zerocopysend": {},
            "http.response.trailers": {},
            "http.response.early_hint": {},
        },
    }


def test_a_websocket_has_subprotocols_and_no_method() -> None:
    exchange = FakeExchange(request("/ws?a", *HANDSHAKE))
    exchange.origin = Origin(None, ("/run/portico.sock", None), "https")
    scope = Scopes("", {}).of_websocket(exchange, ("chat", "soap"))
    assert "method" not in scope
    assert scope["type"] == "websocket"
    assert scope["scheme"] == "wss"
    assert scope["subprotocols"] == ["chat", "soap"]
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert (scope["client"], scope["server"]) == (None, ("/run/portico.sock", None))
    assert (scope["path"], scope["query_string"]) == ("/ws", b"a")


# (target, root_path, path, raw_path)
PATHS = [
    ("/", "", "/", b"/"),
    ("/%E4%BD%A0%E5%A5%BD", "", "/你好", b"/%E4%BD%A0%E5%A5%BD"),
    ("/\xe4\xbd\xa0", "", "/你", b"/\xe4\xbd\xa0"),
    ("/a%2Fb", "", "/a/b", b"/a%2Fb"),
    ("/%ff", "", "/\ufffd", b"/%ff"),
    ("/%zz%", "", "/%zz%", b"/%zz%"),
    ("/%2541", "", "/%41", b"/%2541"),
    ("http://example.org/a?b", "", "/a", b"/a"),
    ("http://example.org", "", "/", b"/"),
    ("/a", "/shop", "/shop/a", b"/shop/a"),
    ("/", "/shop", "/shop/", b"/shop/"),
    ("/shop/a", "/shop", "/shop/a", b"/shop/a"),
    ("/shop", "/shop", "/shop", b"/shop"),
    ("/shops/a", "/shop", "/shop/shops/a", b"/shop/shops/a"),
    ("/sh%6Fp/a", "/shop", "/shop/a", b"/sh%6Fp/a"),
    ("/a", "/l\u00e4den", "/l\u00e4den/a", b"/l%C3%A4den/a"),
]


@pytest.mark.parametrize(("target", "root_path", "path", "raw_path"), PATHS)
def test_paths(target: str, root_path: str, path: str, raw_path: bytes) -> None:
    scope = scope_of(request(target), root_path=root_path)
    assert (scope["path"], scope["raw_path"], scope["root_path"]) == (path, raw_path, root_path)


def test_a_target_that_is_no_path_is_not_below_the_mount() -> None:
    scope = scope_of(request("*", method="OPTIONS"), root_path="/shop")
    assert (scope["path"], scope["raw_path"]) == ("*", b"*")


def test_methods_are_upper_case_and_versions_text() -> None:
    known = parse_request(b"propfind / HTTP/1.0", Limits(), HeadMemo())
    scope = scope_of(known)
    assert (scope["method"], scope["http_version"], scope["headers"]) == ("PROPFIND", "1.0", [])


@pytest.mark.parametrize("lines", [("X-A: 1",), ("X-A: 1", "Cookie: a=b"), ("Authorization: Basic eDp5",)])
def test_an_application_may_change_what_it_gets(lines: tuple[str, ...]) -> None:
    """Nothing of it shows in the scope of the next request, even where both stand for the same head."""
    scopes, memo = Scopes("", {"shared": []}), HeadMemo()
    head = request("/a", *lines, memo=memo)
    expected = scope_of(request("/a", *lines), scopes=Scopes("", {"shared": []}))
    for same in (head, head, request("/a", *lines, memo=memo)):
        scope = scope_of(same, scopes=scopes)
        assert scope == expected
        scope["headers"].append((b"x", b"y"))
        scope["extensions"]["x"] = {}
        scope["asgi"]["x"] = "y"
        scope["state"]["x"] = "y"
        scope["path"] = scope["x"] = "/changed"


def test_two_applications_may_share_a_head() -> None:
    head = request("/a")
    first, second = Scopes("/first", {}), Scopes("/second", {})
    for scopes, path in [(first, "/first/a"), (second, "/second/a"), (first, "/first/a")]:
        assert scope_of(head, scopes=scopes)["path"] == path


def test_requests_with_cookies_share_their_other_headers_only() -> None:
    scopes, memo = Scopes("", {}), HeadMemo()
    for cookie in ("a=1", "a=2"):
        scope = scope_of(request("/", "X-A: 1", f"Cookie: {cookie}", memo=memo), scopes=scopes)
        assert scope["headers"] == [(b"host", b"a"), (b"x-a", b"1"), (b"cookie", cookie.encode())]
    assert len(scopes._blocks) == 1


SECRETS = ["Authorization: Basic eDp5", "Proxy-Authorization: Basic eDp5", f"X-Long: {'x' * 3000}"]


@pytest.mark.parametrize("line", SECRETS)
def test_neither_credentials_nor_large_blocks_are_kept(line: str) -> None:
    scopes = Scopes("", {})
    head = request("/", line)
    assert len(scope_of(head, scopes=scopes)["headers"]) == 2
    assert scopes._blocks == {}
    assert head.remembered is None or "X-Long" in line


def test_the_memory_for_blocks_is_bounded() -> None:
    scopes = Scopes("", {})
    for number in range(1100):
        head = request("/", f"X-A: {number}", "Cookie: a=b")
        assert scope_of(head, scopes=scopes)["headers"][1] == (b"x-a", str(number).encode())
    assert 0 < len(scopes._blocks) <= 1024
