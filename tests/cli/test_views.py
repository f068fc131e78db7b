import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.views import BothAsHex, LineView, TextView, View
from portico.wire.charset import Charset

HOSTILE = b"\x1b[31mred\x07\x9b"


@pytest.mark.parametrize(
    ("pieces", "shown", "rest"),
    [
        ([b"one\ntwo\r\nth", b"ree\n"], ["one\ntwo\n", "three\n"], ""),
        ([b"login: "], [""], "login: \n"),
        ([b"a\r", b"\nb"], ["", "a\n"], "b\n"),
        (["你".encode()[:2], "你".encode()[2:] + b"\n"], ["", "你\n"], ""),
        (["你好，世界\n".encode("gbk")], ["你好，世界\n"], ""),
        ([b"x" * 70_000], ["x" * 70_000 + "\n"], ""),
        ([b"\x1b[31mred\n"], ["\\x1b[31mred\n"], ""),
        ([b"a\rb\n"], ["a\\rb\n"], ""),
    ],
)
def test_whole_lines(pieces: list[bytes], shown: list[str], rest: str) -> None:
    view = LineView(Charset())
    assert [view.received(piece) for piece in pieces] == shown
    assert view.is_holding == bool(rest)
    assert view.rest() == rest
    assert not view.is_holding
    assert view.rest() == ""


def test_half_a_character_is_held() -> None:
    view = LineView(Charset("utf-8"))
    assert view.received("你".encode()[:2]) == ""
    assert view.is_holding
    assert view.rest() == "\ufffd\n"


@pytest.mark.parametrize(
    ("pieces", "shown", "rest"),
    [
        ([b"login: ", b"ok\r\n"], ["login: ", "ok\n"], ""),
        ([b"a\r", b"\nb\r"], ["a", "\nb"], "\\r"),
        ([b"\x1b[2J\tx"], ["\\x1b[2J\tx"], ""),
        (["你".encode()[:1]], [""], "\ufffd"),
    ],
)
def test_text_as_it_comes(pieces: list[bytes], shown: list[str], rest: str) -> None:
    view = TextView(Charset("utf-8"))
    assert [view.received(piece) for piece in pieces] == shown
    assert not view.is_holding
    assert view.rest() == rest


def test_both_directions_as_hex() -> None:
    view = BothAsHex()
    assert view.sent(b"hi").startswith("> 00000000  68 69 ")
    assert view.received(HOSTILE).startswith("< 00000000  1b 5b ")
    assert (view.rest(), view.is_holding) == ("", False)


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_nothing_that_a_peer_writes_reaches_the_terminal_as_control(pieces: list[bytes]) -> None:
    views: list[View] = [LineView(Charset()), TextView(Charset()), BothAsHex()]
    for view in views:
        shown = "".join(view.received(piece) for piece in pieces) + view.rest()
        assert not set(shown.replace("\n", "").replace("\t", "")) & {
            chr(code) for code in (*range(32), *range(127, 160))
        }


def test_what_is_typed_is_not_shown_again() -> None:
    assert (LineView(Charset()).sent(b"x"), TextView(Charset()).sent(b"x")) == ("", "")
