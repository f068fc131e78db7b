"""The exception tree, and the excerpts that messages are made with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico import errors
from portico.errors import Gone, PeerError, PorticoError, WebSocketClosed, excerpt

NAMES = ("PeerError", "Gone", "Refused", "UsageError", "ConfigError")


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_a_portico_error_and_no_other_family(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, PorticoError)
    others = [getattr(errors, other) for other in NAMES if other != name]
    assert not any(issubclass(kind, other) for other in others)


def test_a_peer_error_carries_the_status_the_peer_deserves() -> None:
    error = PeerError(431, "a request head of over 64 KiB")
    assert (error.status, str(error)) == (431, "a request head of over 64 KiB")


@pytest.mark.parametrize(
    ("data", "limit", "shown"),
    [
        (b"GET /", 80, "b'GET /'"),
        ("名字", 80, "'名字'"),
        (b"a\r\nb\x1b[31m", 80, r"b'a\r\nb\x1b[31m'"),
        (b"12345678", 8, "b'12345678'"),
        (b"123456789", 8, "b'12345678'..."),
        ("", 8, "''"),
    ],
)
def test_an_excerpt_quotes_the_beginning(data: bytes | str, limit: int, shown: str) -> None:
    assert excerpt(data, limit) == shown


@given(st.one_of(st.binary(), st.text()), st.integers(min_value=1, max_value=200))
def test_an_excerpt_is_one_short_printable_line(data: bytes | str, limit: int) -> None:
    shown = excerpt(data, limit)
    assert shown.isprintable()
    assert len(shown) <= 10 * limit + len("b''...")


@pytest.mark.parametrize(
    ("reason", "text"),
    [("", "the WebSocket is closed: 1001"), ("bye\n", r"the WebSocket is closed: 1001 'bye\n'")],
)
def test_a_closed_websocket_is_gone_and_says_how(reason: str, text: str) -> None:
    error = WebSocketClosed(1001, reason)
    assert isinstance(error, Gone)
    assert (error.code, error.reason, str(error)) == (1001, reason, text)
