"""Bytes become text as a browser would have it; what is no text is told apart."""

from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.fetch_text import charset_of, is_text, text_decoder

GBK = "欢迎使用".encode("gbk")


@pytest.mark.parametrize(
    ("content_type", "head", "is_it"),
    [
        ("text/plain", b"hello", True),
        ("text/plain", b"", True),
        ("", b"hello\r\n\tworld\x1b[31m", True),
        ("", GBK, True),
        ("text/plain", b"\x7fELF\x02\x01\x01\x00", False),
        ("application/octet-stream", b"plain after all", True),
        ("image/png", b"", False),
        ("image/svg+xml", b"<svg/>", True),
        ("application/zip", b"PK", False),
        ("text/plain", b"\xff\xfeh\x00i\x00", True),
        ("text/plain; charset=utf-16le", b"h\x00i\x00", True),
        ("text/plain", b"h\x00i\x00", False),
    ],
)
def test_what_is_text(content_type: str, head: bytes, is_it: bool) -> None:
    assert is_text(content_type, head) is is_it


@pytest.mark.parametrize(
    ("content_type", "head", "charset"),
    [
        ("text/plain; charset=gb2312", b"", "gb18030"),
        ('text/html; charset="GBK"', b"<meta charset=utf-8>", "gb18030"),
        ("text/html", b"<html><META http-equiv=x content='text/html; charset=gb2312'>", "gb18030"),
        ("text/html", b"<meta charset='Big5'>", "big5"),
        ("application/xml", b'<?xml version="1.0" encoding="Shift_JIS"?>', "shift_jis"),
        ("text/plain; charset=utf-8", b"\xff\xfe", "utf-16"),
        ("text/plain", b"\xef\xbb\xbfx", "utf-8-sig"),
        ("text/plain; charset=iso-8859-1", b"", "cp1252"),
        ("text/plain; charset=us-ascii", b"", "utf-8"),
        ("text/plain; charset=nonsense", GBK, "gb18030"),
        ("text/plain; charset=base64", b"", "utf-8"),
        ("text/plain; charset=utf-16", b"a\0", "utf-16-le"),
        ("text/plain; charset=utf-32", b"", "utf-32-le"),
        ("text/plain; charset=idna", GBK, "gb18030"),
        ("text/plain; charset=\xe9", b"", "utf-8"),
        ("", "温度".encode(), "utf-8"),
        ("", "温度".encode()[:-1], "utf-8"),
        ("", GBK[:-1], "gb18030"),
        ("", b"\xff\xff\xff", "utf-8"),
    ],
)
def test_charsets(content_type: str, head: bytes, charset: str) -> None:
    assert charset_of(content_type, head) == charset


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(0, 40))
def test_text_is_decoded_wherever_it_is_cut(text: str, at: int) -> None:
    data = text.encode("gb18030")
    decoder = text_decoder("gb18030")
    assert decoder.decode(data[:at]) + decoder.decode(data[at:], True) == text


def test_what_is_no_character_is_shown_as_such() -> None:
    assert text_decoder("utf-8").decode(b"a\xffb\xe6", True) == "a\ufffdb\ufffd"


@given(st.text(), st.binary(max_size=300))
def test_any_body_has_a_charset(content_type: str, head: bytes) -> None:
    is_text(content_type, head)
    assert isinstance(text_decoder(charset_of(content_type, head)).decode(head, True), str)


@given(st.sampled_from(sorted({*aliases, *aliases.values()})), st.binary())
def test_no_charset_that_a_server_names_is_an_error(name: str, data: bytes) -> None:
    decoder = text_decoder(charset_of(f"text/plain; charset={name}", data))
    assert isinstance(decoder.decode(data) + decoder.decode(b"", True), str)
