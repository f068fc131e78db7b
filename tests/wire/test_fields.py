"""Field lines: RFC 9112 section 5 in tables, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError, UsageError
from portico.http.message import Field
from portico.wire.fields import (
    check_field,
    field_lines,
    is_authority,
    is_framing,
    merge_values,
    parse_cookie,
    parse_field_line,
    parse_trailers,
    trailer_lines,
)

TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
names = st.text(st.sampled_from(TCHARS), min_size=1, max_size=20)
values = st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]) | st.just("\t"), max_size=40).map(
    lambda text: text.strip(" \t")
)


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"Accept: */*", "accept", "*/*"),
        (b"ACCEPT:*/*", "accept", "*/*"),
        (b"x-empty:", "x-empty", ""),
        (b"x-blank: \t ", "x-blank", ""),
        (b"x-padded: \t a \t b\t ", "x-padded", "a \t b"),
        (b"x-colons: a:b:c", "x-colons", "a:b:c"),
        (b"x-latin: caf\xe9", "x-latin", "caf\xe9"),
        (b"x-utf8: \xe4\xb8\xad", "x-utf8", "\xe4\xb8\xad"),
        (b"x-no-break: \xa0a\x85", "x-no-break", "\xa0a\x85"),  # only blanks and tabs are trimmed
        (b"!#$%&'*+-.^_`|~: odd, but a token", "!#$%&'*+-.^_`|~", "odd, but a token"),
        (b"Content-Length: 0", "content-length", "0"),
        (b"Content-Length: 007", "content-length", "007"),
        (b"Content-Length: 999999999999999999", "content-length", "999999999999999999"),
        (b"Transfer-Encoding: Chunked", "transfer-encoding", "Chunked"),
        (b"Host: example.org:8000", "host", "example.org:8000"),
    ],
)
def test_a_line_is_read(line: bytes, name: str, value: str) -> None:
    field = parse_field_line(line)
    assert (field.name, field.value) == (name, value)
    assert field.raw == (name.encode("ascii"), value.encode("latin-1"))


def test_a_field_carries_its_wsgi_key() -> None:
    assert parse_field_line(b"Accept-Language: zh-CN").environ_key == "HTTP_ACCEPT_LANGUAGE"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no colon",
        b": no name",
        b"Host : a blank before the colon",  # RFC 9112 5.1
        b"Host\t: a tab before the colon",
        b" folded: line",  # RFC 9112 5.2
        b"\tfolded",
        b" ",
        b"two words: x",
        b'"quoted": x',
        b"na\xc3\xafve: x",
        b"x\x00y: z",
        b"x\ny: z",
        b"(comment): x",
    ],
)
def test_a_line_without_a_token_and_a_colon_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError, match="token") as caught:
        parse_field_line(line)
    assert caught.value.status == 400


@pytest.mark.parametrize("code", range(256))
def test_the_bytes_of_a_value(code: int) -> None:
    value = b"a" + bytes([code]) + b"b"
    if code == 9 or 32 <= code <= 126 or code >= 128:
        assert parse_field_line(b"X: " + value).value == parse_cookie(value) == f"a{chr(code)}b"
    else:
        for read in (lambda: parse_field_line(b"X: " + value), lambda: parse_cookie(value)):
            with pytest.raises(PeerError, match="control byte") as caught:
                read()
            assert caught.value.status == 400


def test_what_follows_the_colon_is_not_repeated_in_a_refusal() -> None:
    for line in (b"Authorization : Basic c2VjcmV0", b"Authorization: Basic c2VjcmV0\x00"):
        with pytest.raises(PeerError) as caught:
            parse_field_line(line)
        assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Host:", 400),
        (b"Host: ", 400),
        (b"Host: a, b", 400),
        (b"Host: a,b", 400),
        (b"Host: user@example.org", 400),
        (b"Host: user:password@example.org", 400),
        (b"Host: example.org/path", 400),
        (b"Host: http://example.org", 400),
        (b"Host: example.org?", 400),
        (b"Host: example.org#", 400),
        (b"Host: two words", 400),
        (b"Host: a:b", 400),
        (b"Host: a:1:2", 400),
        (b"Host: a:123456", 400),
        (b"Host: [::1", 400),
        (b"Host: [::1]x", 400),
        (b"Host: [::g]", 400),
        (b"Host: ::1", 400),
        (b"Host: :80", 400),
        (b"Host: caf\xe9", 400),
        (b"Host: " + b"a" * 256, 400),
        (b"Content-Length:", 400),
        (b"Content-Length: +1", 400),
        (b"Content-Length: -1", 400),
        (b"Content-Length: 1.0", 400),
        (b"Content-Length: 0x10", 400),
        (b"Content-Length: 1_000", 400),
        (b"Content-Length: 1 1", 400),
        (b"Content-Length: 5, 5", 400),  # RFC 9112 6.3 item 5 allows to refuse even a list that agrees
        (b"Content-Length: 5, 6", 400),
        (b"Content-Length: \xb2", 400),  # a superscript two, a digit to str.isdigit
        (b"Content-Length: \xa05", 400),
        (b"Content-Length: 1000000000000000000", 400),
        (b"Transfer-Encoding:", 400),
        (b"Transfer-Encoding: identity", 400),
        (b"Transfer-Encoding: gzip", 400),
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"Transfer-Encoding: gzip,chunked", 501),
        (b"Transfer-Encoding: identity, chunked", 501),
        (b"Transfer-Encoding: chunked, gzip", 400),
        (b"Transfer-Encoding: chunked, chunked", 400),
        (b"Transfer-Encoding: chunked, identity, chunked", 400),
        (b"Transfer-Encoding: chunked,", 400),
        (b"Transfer-Encoding: , chunked", 501),
        (b"Transfer-Encoding: xchunked", 400),
        (b"Transfer-Encoding: chunkedx", 400),
        (b"Transfer-Encoding: chunked;q=1", 400),
        (b'Transfer-Encoding: "chunked"', 400),
        (b"Transfer-Encoding: chun ked", 400),
        (b"Transfer-Encoding: chunked\xa0", 400),
        (b"Transfer-Encoding: \x85chunked", 400),
        (b"Transfer-Encoding: \x0bchunked", 400),
    ],
)
def test_framing_and_routing_fields_are_strict(line: bytes, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        parse_field_line(line)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("example.org", True),
        ("example.org:80", True),
        ("example.org:", True),
        ("127.0.0.1:8000", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]:8000", True),
        ("a_b~c.test", True),
        ("%E4%B8%AD", True),
        ("", False),
        ("a@b", False),
        ("a/b", False),
        ("a\\b", False),
        ("a,b", False),
        ("a\n", False),
    ],
)
def test_is_authority(text: str, is_one: bool) -> None:
    assert is_authority(text) is is_one


@pytest.mark.parametrize("value", [b"a=b; c=d", b"", b" ", b" \t a \xe9 ", b"\xa0"])
def test_the_value_of_a_cookie_is_read_like_any_other(value: bytes) -> None:
    assert parse_cookie(value) == parse_field_line(b"Cookie: " + value).value


def fields_of(*lines: bytes) -> list[Field]:
    return [parse_field_line(line) for line in lines]


def test_repeated_lines_are_joined() -> None:
    fields = fields_of(b"Accept: a", b"Cookie: x=1", b"ACCEPT: b", b"Vary:", b"cookie: y=2", b"accept: c")
    assert merge_values(fields) == {"accept": "a, b, c", "cookie": "x=1; y=2", "vary": ""}
    assert merge_values([]) == {}


@pytest.mark.parametrize("line", [b"Host: a", b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_what_frames_or_routes_is_given_once(line: bytes) -> None:
    with pytest.raises(PeerError, match="given twice") as caught:
        merge_values(fields_of(line, b"x: y", line.upper() if b"chunked" not in line else line))
    assert caught.value.status == 400


def test_trailers_are_read() -> None:
    assert [field[:2] for field in parse_trailers([b"Checksum: abc", b"x-y:z"])] == [("checksum", "abc"), ("x-y", "z")]
    assert parse_trailers([]) == ()


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: 1", b"Transfer-Encoding: chunked", b"Host: a", b"Cookie: a=b", b"authorization: x", b"TE: x"],
)
def test_what_has_no_place_in_a_trailer_section(line: bytes) -> None:
    with pytest.raises(PeerError, match="trailer section") as caught:
        parse_trailers([b"x: y", line])
    assert caught.value.status == 400


# --- writing ----------------------------------------------------------------------------------


def test_lines_are_written() -> None:
    assert field_lines([("Content-Type", "text/plain"), ("x-e", ""), ("x-l", "\xe9")]) == (
        b"Content-Type: text/plain\r\nx-e: \r\nx-l: \xe9\r\n"
    )
    assert field_lines([]) == b""


@pytest.mark.parametrize("name", ["Connection", "content-length", "Date", "KEEP-ALIVE", "Transfer-Encoding"])
def test_framing_fields_are_left_out(name: str) -> None:
    assert field_lines([("a", "1"), (name, "5"), ("b", "2")]) == b"a: 1\r\nb: 2\r\n"
    assert trailer_lines([("a", "1"), (name, "5")]) == b"a: 1\r\n"
    assert is_framing(name)
    assert not is_framing(f"x-{name}")


BAD_FIELDS = [
    ("", "x"),
    ("two words", "x"),
    ("x:", "y"),
    ("x\r\n", "y"),
    ("中", "x"),
    ("x", "a\r\nSet-Cookie: b"),
    ("x", "a\rb"),
    ("x", "a\nb"),
    ("x", "a\x00b"),
    ("x", "a\x7fb"),
    ("x", " a"),
    ("x", "a\t"),
    ("x", "中"),
    ("Content-Length", "1\r\n2"),  # checked although it is left out
]


@pytest.mark.parametrize(("name", "value"), BAD_FIELDS)
def test_what_may_not_be_sent_is_the_callers_mistake(name: str, value: str) -> None:
    for write in (field_lines, trailer_lines):
        with pytest.raises(UsageError):
            write([("a", "b"), (name, value)])
    with pytest.raises(UsageError):
        check_field(name, value)


@pytest.mark.parametrize("name", ["Set-Cookie", "host", "Content-Type", "trailer"])
def test_what_no_trailer_section_may_carry_is_not_sent_there(name: str) -> None:
    with pytest.raises(UsageError, match="send it in the head"):
        trailer_lines([("a", "b"), (name, "x")])


@given(st.lists(st.tuples(names.map("x-".__add__), values), max_size=8))
def test_written_lines_are_read_back(pairs: list[tuple[str, str]]) -> None:
    lines = field_lines(pairs).split(b"\r\n")[:-1]
    assert [parse_field_line(line)[:2] for line in lines] == [(name.lower(), value) for name, value in pairs]
    assert trailer_lines(pairs) == field_lines(pairs)


@given(st.binary(max_size=60))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    try:
        field = parse_field_line(line)
    except PeerError as error:
        status = error.status
    else:
        status = 0
        assert field_lines([(field.name, field.value)]) in (b"", b"%b: %b\r\n" % field.raw)
    assert status in (0, 400, 501)
