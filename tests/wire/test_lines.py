r"""Lines: their ends, telnet among them, the longest one, any cut; and what a terminal must not be shown."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.wire.lines import LineReader, printable

TOO_LONG = "a line of more than 8 bytes; end it with a line feed before, or send less"


def read(pieces: Iterable[bytes], max_line: int = 8, *, is_telnet: bool = True) -> tuple[list[bytes], str]:
    """Return the lines of a whole conversation, and how it failed."""
    reader = LineReader(max_line, is_telnet=is_telnet)
    lines: list[bytes] = []
    try:
        for piece in pieces:
            lines += reader.feed(piece)
        lines += reader.feed_eof()
    except PeerError as error:
        return lines, str(error)
    return lines, ""


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\n", [b"a"]),
        (b"a\r\0", [b"a"]),
        (b"\n\r\n\r\0", [b"", b"", b""]),
        (b"a\nb\r\nc\r\0d", [b"a", b"b", b"c", b"d"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"a\r", [b"a"]),
        (b"\r", [b""]),
        (b"\0\n", [b"\0"]),
        ("你好\n".encode("gbk"), ["你好".encode("gbk")]),
        # As much as is allowed, however it ends.
        (b"12345678\n12345678\r\n12345678\r\x0012345678", [b"12345678"] * 4),
        # telnet's client at Ctrl-C, between two lines and within one
        (b"a\r\n\xff\xf4\xff\xfd\x06b\r\n", [b"a", b"b"]),
        (b"a\xff\xf4\xff\xfd\x06b\r\n", [b"ab"]),
        # what a client says that negotiates at once: WILL NAWS, WILL TSPEED, DO ECHO, and its window's size
        (b"\xff\xfb\x1f\xff\xfb\x20\xff\xfd\x01\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0hi\r\n", [b"hi"]),
        (b"\xff\xfe\n\xff\xfc\nhi\n", [b"hi"]),
        (b"\xff\xfa\n\xff\xff\xf0\n\xff\xf0hi\n", [b"hi"]),
        (b"hi\xff\xfaunended\n", [b"hi"]),
        (b"\xff\xff\n", [b"\xff"]),
        (b"\xffA\n", [b"\xffA"]),
        (b"\xff\n", [b"\xff"]),
        (b"a\xff", [b"a"]),
        (b"a\xff\xfb", [b"a"]),
        (b"\r\xff\xf1\n", [b""]),
    ],
)
def test_lines_and_their_ends(data: bytes, lines: list[bytes]) -> None:
    assert read([data]) == (lines, "")
    assert read(bytewise(data)) == (lines, "")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\xff\xf4\n", [b"\xff\xf4"]),
        ("я и\r\n".encode("cp1251"), ["я и".encode("cp1251")]),
    ],
)
def test_charsets_in_which_telnets_byte_is_a_letter(data: bytes, lines: list[bytes]) -> None:
    assert read([data], is_telnet=False) == (lines, "")
    assert read(bytewise(data), is_telnet=False) == (lines, "")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"123456789", []),
        (b"123456789\n", []),
        (b"a\nb\n123456789\nc\n", [b"a", b"b"]),
        (b"a\n123456789", [b"a"]),
        (b"1234567\rx\n", []),
        (b"\xff\xff" * 9, []),
    ],
)
def test_a_line_too_long_ends_the_lines(data: bytes, lines: list[bytes]) -> None:
    assert read([data]) == (lines, TOO_LONG)
    assert read(bytewise(data)) == (lines, TOO_LONG)


def test_it_is_said_once_that_a_line_is_too_long() -> None:
    reader = LineReader(8)
    with pytest.raises(PeerError) as raised:
        reader.feed(b"123456789")
    assert raised.value is reader.error
    assert raised.value.status == 400
    assert reader.feed(b"\na\n") == []
    assert reader.feed_eof() == []


def test_the_lines_before_one_too_long_come_first() -> None:
    reader = LineReader(8)
    assert reader.feed(b"a\n123456789") == [b"a"]
    assert str(reader.error) == TOO_LONG
    with pytest.raises(PeerError):
        reader.feed(b"b\n")
    assert reader.feed(b"c\n") == []


def test_a_message_that_nobody_ends() -> None:
    reader = LineReader(8)
    assert reader.feed(b"a\nbc") == [b"a"]
    assert reader.take_unfinished() == b"bc"
    assert reader.take_unfinished() == b""
    assert reader.feed(b"d\n") == [b"d"]
    assert reader.feed_eof() == []


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


# Mostly what means something: line ends, commands of telnet, and text.
HOSTILE = st.lists(st.sampled_from([b"\r", b"\n", b"\0", b"\xff", b"\xfa", b"\xf0", b"\xfb", b"ab"]), max_size=40)


@given(HOSTILE.map(b"".join) | st.binary(max_size=60), st.lists(st.integers(0, 99), max_size=9), st.booleans())
@example(b"a\r\xff\xf4\nb", list(range(7)), True)
def test_the_cuts_do_not_matter(data: bytes, places: list[int], is_telnet: bool) -> None:
    expected = read([data], is_telnet=is_telnet)
    assert read(cut(data, places), is_telnet=is_telnet) == expected
    assert read(bytewise(data), is_telnet=is_telnet) == expected


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_are_read_back(lines: list[str], end: bytes) -> None:
    encoded = [line.encode("gb18030") for line in lines]
    assert read([line + end for line in encoded], 80) == (encoded, "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("hello, 你好 ℃ 😀\t|", "hello, 你好 ℃ 😀\t|"),
        ("全角　空格", "全角　空格"),
        ("a\x1b[31mred\x1b]0;title\x07", "a\\x1b[31mred\\x1b]0;title\\x07"),
        ("one\r\ntwo", "one\\r\\ntwo"),
        ("\0\x7f\x85\x9b", "\\x00\\x7f\\x85\\x9b"),
        ("exe\u202egnp.\u2066\u200f", "exe\\u202egnp.\\u2066\\u200f"),
        ("\u2028\u2029\u200b\ufeff", "\\u2028\\u2029\\u200b\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_what_a_terminal_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_is_shown_moves_or_hides(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
