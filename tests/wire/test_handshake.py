"""The opening handshake: the RFC's own example, and every way to get it wrong."""

from collections.abc import Iterable

import pytest

from portico.errors import PeerError, UsageError
from portico.http.message import Request
from portico.settings import Limits
from portico.wire.events import HeadReceived
from portico.wire.handshake import HINTS, Handshake, accept_key, is_handshake, parse_handshake, switching_head
from portico.wire.head import HeadMemo
from portico.wire.http1 import ServerCodec

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(fields: Iterable[tuple[str, str]], line: str = "GET /chat HTTP/1.1") -> Request:
    lines = [line, *(f"{name}: {value}" for name, value in fields)]
    event = ServerCodec(Limits(), HeadMemo()).feed("\r\n".join([*lines, "", ""]).encode())[0]
    assert isinstance(event, HeadReceived)
    return event.request


def good(**changes: str) -> Request:
    fields = GOOD | {name.replace("_", "-"): value for name, value in changes.items()}
    return request((name, value) for name, value in fields.items() if value)


def test_the_example_of_the_rfc() -> None:
    handshake = parse_handshake(good(Sec_WebSocket_Protocol="chat, superchat"))
    assert handshake == Handshake(KEY, ("chat", "superchat"), "")
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "changes",
    [
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c, websocket"},
    ],
)
def test_tokens_are_found_in_lists_and_in_any_case(changes: dict[str, str]) -> None:
    assert is_handshake(good(**changes))
    assert parse_handshake(good(**changes)).key == KEY


def test_offers_of_extensions_are_passed_on() -> None:
    asked = good(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert parse_handshake(asked).extensions == "permessage-deflate; client_max_window_bits"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Upgrade": ""}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": ""}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Sec_WebSocket_Version": ""}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": "13, 13"}, 426),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"}, 400),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZB=="}, 400),  # bits behind the sixteenth byte
        ({"Sec_WebSocket_Key": f"{KEY}, {KEY}"}, 400),
        ({"Sec_WebSocket_Protocol": "a b"}, 400),
        ({"Content-Length": "3"}, 400),
        ({"Transfer-Encoding": "chunked"}, 400),
    ],
)
def test_a_handshake_gone_wrong(changes: dict[str, str], status: int) -> None:
    with pytest.raises(PeerError) as caught:
        parse_handshake(good(**changes))
    assert caught.value.status == status
    assert dict(HINTS)["sec-websocket-version"] == "13"


@pytest.mark.parametrize("line", ["POST /chat HTTP/1.1", "GET /chat HTTP/1.0"])
def test_only_a_get_of_http_1_1_opens_a_websocket(line: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_handshake(request(GOOD.items(), line))
    assert caught.value.status == 400


@pytest.mark.parametrize(("upgrade", "is_one"), [("", False), ("h2c", False), ("websocket", True)])
def test_a_request_for_a_websocket_is_recognized(upgrade: str, is_one: bool) -> None:
    assert is_handshake(good(Upgrade=upgrade)) is is_one


def test_the_head_that_switches_protocols() -> None:
    head = switching_head(Handshake(KEY, ("chat",), ""), "chat", "permessage-deflate", [("X-App", "ü")])
    assert head.decode("latin-1").split("\r\n") == [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "X-App: ü",
        "",
        "",
    ]


def test_the_head_without_anything_agreed_on() -> None:
    head = switching_head(Handshake(KEY, ("chat",), "permessage-deflate"), None, "")
    assert head.count(b"\r\n") == 5
    assert b"Protocol:" not in head
    assert b"Extensions" not in head


@pytest.mark.parametrize("offered", [(), ("chat",)])
def test_a_subprotocol_that_was_not_offered_is_a_mistake(offered: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="was not offered"):
        switching_head(Handshake(KEY, offered, ""), "other", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("Sec-WebSocket-Accept", "x"), ("sec-websocket-protocol", "chat"), ("upgrade", "h2c"), ("a b", "c"), ("a", "b\r")],
)
def test_an_application_may_not_write_the_handshake(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        switching_head(Handshake(KEY, (), ""), None, "", [(name, value)])
