"""Charsets: names, what decides between UTF-8 and GB18030, pieces cut anywhere, and what a charset lacks."""

import codecs
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.wire.charset import AUTO, Charset, decode_text, encode_text, find_charset, find_codec

ASCII = bytes(range(128))
HELLO = "你好"
LINE_CHARSETS = ("utf-8", "gbk", "big5", "big5hkscs", "shift_jis", "euc_jp", "euc_kr", "latin-1", "cp1251", "koi8-r")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("auto", "auto"),
        ("", "auto"),
        (" AUTO ", "auto"),
        ("utf8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("U8", "utf-8"),
        ("utf_8_sig", "utf-8"),
        ("utf8mb4", "utf-8"),
        ("gbk", "gb18030"),
        ("GB2312", "gb18030"),
        ("cp936", "gb18030"),
        ("936", "gb18030"),
        ("x-gbk", "gb18030"),
        ("gb18030-2000", "gb18030"),
        ("big5", "big5"),
        ("latin-1", "iso8859-1"),
        ("ISO 8859-1", "iso8859-1"),
        ("Windows-1251", "cp1251"),
        ("sjis", "shift-jis"),
        ("EUC_JP", "euc-jp"),
        ("us-ascii", "ascii"),
    ],
)
def test_names_that_people_write(name: str, found: str) -> None:
    assert find_charset(name) == found


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("rot13", "'rot13' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("base64", "'base64' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("utf-16", "'utf-16' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("cp037", "'cp037' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("hz", "'hz' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("iso2022_jp", "'iso2022_jp' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("unicode_escape", "'unicode_escape' is not a charset for lines of text; use utf-8, gb18030 or auto"),
        ("bgk", "'bgk' is not the name of a charset; did you mean gbk?"),
        ("uft-8", "'uft-8' is not the name of a charset; did you mean utf-8?"),
        ("klingon", "'klingon' is not the name of a charset; use utf-8, gb18030 or auto"),
        ("国标", "'国标' is not the name of a charset; use utf-8, gb18030 or auto"),
        ("\0", "'\\x00' is not the name of a charset; use utf-8, gb18030 or auto"),
        ("../utf_8", "'../utf_8' is not the name of a charset; did you mean utf-8?"),
        ("q" * 99, f"'{'q' * 80}'... is not the name of a charset; use utf-8, gb18030 or auto"),
    ],
)
def test_names_that_mean_nothing(name: str, complaint: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_charset(name)
    assert str(raised.value) == complaint


@pytest.mark.parametrize("name", LINE_CHARSETS)
def test_every_charset_keeps_ascii(name: str) -> None:
    charset = Charset(name)
    assert charset.decode(ASCII) == ASCII.decode("ascii")
    assert charset.encode(ASCII.decode("ascii")) == ASCII


@pytest.mark.parametrize(
    ("name", "expected"), [("utf-8", False), ("gbk", False), ("auto", False), ("latin-1", True), ("cp1251", True)]
)
def test_where_the_last_byte_is_a_letter(name: str, expected: bool) -> None:
    assert Charset(name).has_byte_ff is expected


@pytest.mark.parametrize(
    ("data", "text", "charset"),
    [
        (b"", "", "utf-8"),
        (b"36.6", "36.6", "utf-8"),
        (HELLO.encode(), HELLO, "utf-8"),
        (HELLO.encode("gbk"), HELLO, "gb18030"),
        (b"\xef\xbb\xbf" + HELLO.encode(), HELLO, "utf-8"),
        (b"\x84\x31\x95\x33" + HELLO.encode("gbk"), HELLO, "gb18030"),
        ("😀𠮷".encode(), "😀𠮷", "utf-8"),
        ("😀𠮷".encode("gb18030"), "😀𠮷", "gb18030"),
        ("时间：%Y年".encode("gbk"), "时间：%Y年", "gb18030"),
        # The text by which a Windows editor became known for guessing wrong: C1 AA is no UTF-8 (RFC 3629 section 3).
        ("联通".encode("gbk"), "联通", "gb18030"),
        # GBK that is valid UTF-8 as well, but not what anybody writes: һ, ʱ, л, лл
        ("一".encode("gbk"), "一", "gb18030"),
        ("时".encode("gbk"), "时", "gb18030"),
        ("谢".encode("gbk"), "谢", "gb18030"),
        ("ok 谢谢!".encode("gbk"), "ok 谢谢!", "gb18030"),
        # ... and what somebody does
        ("36.6°C".encode(), "36.6°C", "utf-8"),
        ("é".encode(), "é", "utf-8"),
        ("über".encode(), "über", "utf-8"),
        ("да".encode(), "да", "utf-8"),
        ("Привет".encode(), "Привет", "utf-8"),
        ("спб".encode(), "спб", "utf-8"),
        ("λ".encode(), "λ", "utf-8"),
        ("שלום".encode(), "שלום", "utf-8"),
        ("ʱə".encode(), "ʱə", "utf-8"),
        ("谢谢".encode(), "谢谢", "utf-8"),
        ("茅".encode("gbk"), "é", "utf-8"),
        ("浣犲ソ".encode("gbk"), HELLO, "utf-8"),
        # One character of GBK, or the beginning of one in UTF-8: a whole one it is.
        ("浣".encode("gbk"), "浣", "gb18030"),
        # Neither.
        (b"\xff\xfe\x00", "\ufffd\ufffd\x00", "utf-8"),
        (HELLO.encode()[:5], "你\ufffd", "utf-8"),
        (HELLO.encode("gbk")[:3], "\ufffd\ufffd", "utf-8"),
        (b"caf\xe9\n", "caf\ufffd\n", "utf-8"),
    ],
)
def test_a_datagram_in_any_charset(data: bytes, text: str, charset: str) -> None:
    assert decode_text(data) == (text, charset)


@pytest.mark.parametrize(
    ("encoding", "data", "text", "charset"),
    [
        ("gbk", "一".encode("gbk"), "一", "gb18030"),
        ("utf-8", HELLO.encode("gbk"), "\ufffd\ufffd\ufffd", "utf-8"),
        ("latin-1", b"caf\xe9", "café", "iso8859-1"),
        ("big5", "你好".encode("big5"), "你好", "big5"),
        ("ascii", b"\x80", "\ufffd", "ascii"),
    ],
)
def test_a_charset_that_is_fixed_stays(encoding: str, data: bytes, text: str, charset: str) -> None:
    assert decode_text(data, encoding) == (text, charset)


@pytest.mark.parametrize(
    ("pieces", "texts", "charset"),
    [
        # ASCII decides nothing, and waits for nothing.
        ([b"hello", b" ", b"\xc4\xe3"], ["hello", " ", "你"], "gb18030"),
        # A character between two pieces.
        ([b"\xe4", b"\xbd", b"\xa0!"], ["", "", "你!"], "utf-8"),
        ([b"ok \xc4\xe3\xba", b"\xc3"], ["ok 你", "好"], "gb18030"),
        ([b"ok \xba", b"\xc3"], ["ok ", "好"], "gb18030"),
        # What was decided stays where a piece could be both ...
        ([HELLO.encode("gbk"), "一".encode("gbk")], [HELLO, "一"], "gb18030"),
        ([HELLO.encode(), "一".encode("gbk")], [HELLO, "һ"], "utf-8"),
        # ... and where it is neither ...
        ([HELLO.encode("gbk"), b"\xff ", b"\xc4\xe3"], [HELLO, "\ufffd ", "你"], "gb18030"),
        # ... until a piece can only be the other.
        (["茅".encode("gbk"), HELLO.encode("gbk"), "茅".encode("gbk")], ["é", HELLO, "茅"], "gb18030"),
        (["浣".encode("gbk"), b"\xa0", "你".encode()], ["", "你", "你"], "utf-8"),
        ([HELLO.encode("gbk"), "é!".encode()[1:], "你!".encode()], [HELLO, "\ufffd!", "你!"], "utf-8"),
        # A mark where the conversation begins, and only there.
        ([b"\xef\xbb", b"\xbf", b"a\xef\xbb\xbf"], ["", "", "a\ufeff"], "utf-8"),
        # Neither decides nothing.
        ([b"\xff ", HELLO.encode("gbk")], ["\ufffd ", HELLO], "gb18030"),
    ],
)
def test_a_conversation(pieces: list[bytes], texts: list[str], charset: str) -> None:
    conversation = Charset()
    assert [conversation.decode(piece) for piece in pieces] == texts
    assert conversation.name == charset


def test_the_end_of_a_message_waits_for_nothing() -> None:
    charset = Charset()
    assert charset.decode(b"\xe4") == ""
    assert charset.is_amid
    assert charset.decode(b"", final=True) == "\ufffd"
    assert not charset.is_amid
    assert charset.decode(HELLO.encode()) == HELLO


@pytest.mark.parametrize("name", ["utf-8", "auto"])
def test_a_cut_message_does_not_change_what_is_known(name: str) -> None:
    charset = Charset(name)
    assert charset.decode(HELLO.encode(), final=True) == HELLO
    assert charset.decode(HELLO.encode()[:5], final=True) == "你\ufffd"
    assert charset.name == "utf-8"
    assert charset.decode(HELLO.encode(), final=True) == HELLO


@pytest.mark.parametrize(
    ("text", "charset", "data"),
    [
        ("97.88 ℉", "utf-8", b"97.88 \xe2\x84\x89"),
        ("℃", "gbk", b"\xa1\xe6"),
        ("你好", "auto", HELLO.encode()),
        ("你好é", "latin-1", b"??\xe9"),
        ("😀", "big5", b"?"),
        ("\ud800", "utf-8", b"?"),
        ("\ud800", "gb18030", b"?"),
        ("", "gbk", b""),
    ],
)
def test_what_a_charset_lacks_becomes_a_question_mark(text: str, charset: str, data: bytes) -> None:
    assert encode_text(text, charset) == data


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 10_000), max_size=20)


@given(st.text(), PLACES, st.sampled_from(["你", "é", "\ufeff", "😀"]))
@example("😀一л", list(range(12)), "你")
def test_utf_8_is_read_back_however_cut(text: str, places: list[int], first: str) -> None:
    charset = Charset()
    pieces = [charset.decode(piece) for piece in cut((first + text).encode(), places)]
    assert "".join(pieces) == (first + text).removeprefix("\ufeff")
    assert charset.name == "utf-8"


@given(st.text(st.characters(max_codepoint=0x17F)), PLACES)
def test_latin_in_utf_8_is_read_back_however_cut(text: str, places: list[int]) -> None:
    charset = Charset()
    assert "".join(map(charset.decode, cut(text.encode(), places))) == text


@given(st.text(), PLACES)
def test_gb18030_is_read_back_however_cut_once_it_is_known(text: str, places: list[int]) -> None:
    charset = Charset()
    assert charset.decode(HELLO.encode("gbk")) == HELLO
    assert "".join(charset.decode(piece) for piece in cut(text.encode("gb18030"), places)) == text
    assert not charset.is_amid


@given(st.text(), PLACES, st.sampled_from(LINE_CHARSETS))
def test_a_fixed_charset_reads_the_same_however_cut(text: str, places: list[int], name: str) -> None:
    whole, pieces = Charset(name), Charset(name)
    data = whole.encode(text)
    assert "".join(map(pieces.decode, cut(data, places))) == whole.decode(data)


@given(st.binary(), st.sampled_from((AUTO, *LINE_CHARSETS)))
def test_any_bytes_are_some_text(data: bytes, name: str) -> None:
    text, charset = decode_text(data, name)
    assert codecs.lookup(charset)
    assert isinstance(encode_text(text, charset), bytes)


@given(st.binary(), st.sampled_from((AUTO, *LINE_CHARSETS)))
def test_lines_can_be_told_apart_before_they_are_decoded(data: bytes, name: str) -> None:
    charset = find_charset(name)
    if charset != AUTO:
        lines = data.split(b"\n")
        assert "\n".join(decode_text(line, charset).text for line in lines) == decode_text(data, charset).text


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("GBK", "gbk"),
        ("utf8", "utf-8"),
        ("UTF-16", "utf-16"),
        ("iso_8859-1:1987", "iso8859-1"),
        ("", ""),
        ("nonsense", ""),
        ("中文", ""),
        ("a\0b", ""),
        ("x" * 41, ""),
        ("base64", ""),
        ("idna", ""),
        ("punycode", ""),
        ("undefined", ""),
        ("unicode_escape", ""),
        ("raw_unicode_escape", ""),
        ("UTF-7", ""),
    ],
)
def test_charsets_that_peers_name(name: str, codec: str) -> None:
    assert find_codec(name) == codec
