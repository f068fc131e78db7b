"""The client's half of the opening handshake: what is asked, and which answers are none (RFC 6455 section 4.1)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.client.handshake import Opening
from portico.errors import PeerError, Refused
from portico.http.url import parse_url
from portico.settings import Limits
from portico.wire.events import HeadReceived
from portico.wire.handshake import parse_handshake, switching_head
from portico.wire.head import HeadMemo
from portico.wire.http1 import ServerCodec

NONCE = b"the sample nonce"  # RFC 6455 section 1.3 and 4.2.2
KEY, ACCEPTED = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SWITCHED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPTED}\r\n"
)


def opening(*subprotocols: str) -> Opening:
    return Opening(parse_url("http://server.example.com:8080/chat?x=1"), subprotocols, nonce=NONCE)


def test_the_request_is_the_one_of_the_rfc() -> None:
    assert opening("chat", "superchat").request == (
        b"GET /chat?x=1 HTTP/1.1\r\nConnection: Upgrade\r\nHost: server.example.com:8080\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n"
        b"Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"
    )
    assert b"Protocol" not in opening().request


def test_our_own_server_takes_it() -> None:
    asked = opening("chat")
    events = ServerCodec(Limits(), HeadMemo()).feed(asked.request)
    (event,) = [one for one in events if isinstance(one, HeadReceived)]
    handshake = parse_handshake(event.request)
    assert asked.feed(switching_head(handshake, "chat", "") + b"\x81\x00") == b"\x81\x00"
    assert asked.subprotocol == "chat"


@given(st.lists(st.integers(0, len(SWITCHED) + 7), max_size=5))
def test_an_answer_may_come_in_any_pieces(cuts: list[int]) -> None:
    asked, whole = opening(), SWITCHED.encode() + b"\r\n\x81\x03abc"
    places = [0, *sorted(cuts), len(whole)]
    found, rest = None, b""
    for start, end in pairwise(places):
        if found is None:
            found = asked.feed(whole[start:end])
        else:
            rest += whole[start:end]
    assert (found or b"") + rest == b"\x81\x03abc"


@pytest.mark.parametrize(
    ("name", "answer", "error", "word"),
    [
        (
            "another status",
            "HTTP/1.1 404 Not Found\r\n",
            Refused,
            "it answers 404 Not Found",
        ),
        ("no HTTP", "220 mail.example.com ESMTP\r\n", PeerError, "status line"),
        ("another protocol", SWITCHED.replace("websocket", "h2c"), PeerError, "another protocol"),
        ("no Connection", SWITCHED.replace("Connection: Upgrade", "Connection: close"), PeerError, "without the field"),
        ("another key", SWITCHED.replace(ACCEPTED, ACCEPTED.lower()), PeerError, "has not read"),
        ("an extension", SWITCHED + "Sec-WebSocket-Extensions: permessage-deflate\r\n", PeerError, "extension"),
        ("a subprotocol", SWITCHED + "Sec-WebSocket-Protocol: soap\r\n", PeerError, "soap"),
    ],
)
def test_an_answer_that_is_none(name: str, answer: str, error: type[Exception], word: str) -> None:
    with pytest.raises(error) as caught:
        opening("chat").feed(f"{answer}\r\n".encode())
    assert word in str(caught.value), name


@pytest.mark.parametrize("end", ["", "\r\n\r\n"])
def test_a_head_that_does_not_end_is_refused(end: str) -> None:
    head = "HTTP/1.1 101 Switching Protocols\r\nX: " + "x" * Limits().max_head + end
    with pytest.raises(PeerError, match="a head of over"):
        opening().feed(head.encode())
