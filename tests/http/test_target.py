"""Paths: everything that ever climbed out of a root, and round trips of any name."""

from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.http.target import Path, decode_path, encode_path, encode_segment, path_segments


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("", b""),
        ("/", b"/"),
        ("/a%20b", b"/a b"),
        ("/%41%5a%5A", b"/AZZ"),
        ("/%2541", b"/%41"),  # once
        ("/%e6%BC%a2", "/漢".encode()),
        ("/%ff\xff", b"/\xff\xff"),
        ("/a+b", b"/a+b"),
        ("%2F", b"/"),
        ("/%", None),
        ("/%4", None),
        ("/%zz", None),
        ("/%4g", None),
        ("/% 4", None),
        ("/%+4", None),
        ("/%u0041", None),
        ("/%%41", None),
        ("/a%", None),
        ("/%00", None),
        ("/a\0", None),
        ("/漢", None),
        ("/\ud800", None),
    ],
)
def test_decode_path(path: str, decoded: bytes | None) -> None:
    assert decode_path(path) == decoded


@given(st.binary().filter(lambda data: b"\0" not in data))
def test_what_the_standard_library_quotes_is_decoded(data: bytes) -> None:
    assert decode_path(quote_from_bytes(data)) == data


@pytest.mark.parametrize(
    ("path", "segments", "is_directory"),
    [
        ("/", (), True),
        ("//", (), True),
        ("/.", (), True),
        ("/./", (), True),
        ("/a", (b"a",), False),
        ("/a/", (b"a",), True),
        ("/a/b", (b"a", b"b"), False),
        ("//a///b//", (b"a", b"b"), True),
        ("/a/.", (b"a",), True),
        ("/a/./b", (b"a", b"b"), False),
        ("/a/..", (), True),
        ("/a/b/..", (b"a",), True),
        ("/a/../b", (b"b",), False),
        ("/a//../b", (b"b",), False),
        ("/a/%2e%2E/b", (b"b",), False),
        ("/a/.%2e", (), True),
        ("/a/%2e", (b"a",), True),
        ("/...", (b"...",), False),
        ("/..a/.b", (b"..a", b".b"), False),
        ("/%252e%252e/a", (b"%2e%2e", b"a"), False),
        ("/a%20b/%e6%bc%a2", (b"a b", "漢".encode()), False),
        ("/a\\..\\b", (b"a\\..\\b",), False),
        ("/a;b=c", (b"a;b=c",), False),
        ("//evil.example", (b"evil.example",), False),
    ],
)
def test_path_segments(path: str, segments: tuple[bytes, ...], is_directory: bool) -> None:
    assert path_segments(path) == Path(segments, is_directory)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "a",
        "http://a/b",
        "/..",
        "/../",
        "/../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/.%2e/etc/passwd",
        "/a/../..",
        "/a/../../b",
        "//..",
        "/./..",
        "/..%2fetc/passwd",
        "/a%2fb",
        "/a%2F..%2F..%2Fb",
        "//evil/..%2f",
        "/%00",
        "/a%00.png",
        "/%",
        "/a/%zz/..",
        "/漢",
    ],
)
def test_paths_that_name_nothing(path: str) -> None:
    assert path_segments(path) is None


@given(st.lists(st.sampled_from(["/", ".", "..", "a", "%2e", "%2E%2e", "%2f", "%", "%00", "\\", "é"])).map("".join))
def test_no_path_leaves_the_root(path: str) -> None:
    found = path_segments("/" + path)
    if found is not None:
        assert not {b"", b".", b".."} & set(found.segments)
        assert not any(b"/" in segment or b"\0" in segment for segment in found.segments)
        assert path_segments(encode_path(*found)) == Path(found.segments, found.is_directory or not found.segments)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        (b"a-b_c.d~e", "a-b_c.d~e"),
        (b"a b", "a%20b"),
        (b"100%", "100%25"),
        (b"javascript:x", "javascript%3Ax"),
        (b"a?b#c", "a%3Fb%23c"),
        (b"\"'<>&;", "%22%27%3C%3E%26%3B"),
        (b"photo (1).jpg", "photo%20(1).jpg"),
        ("漢".encode(), "%E6%BC%A2"),
        (b"\xff\r\n\\", "%FF%0D%0A%5C"),
        (b"...", "..."),
    ],
)
def test_encode_segment(name: bytes, encoded: str) -> None:
    assert encode_segment(name) == encoded


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0"])
def test_what_no_path_can_name_is_refused(name: bytes) -> None:
    with pytest.raises(UsageError, match="is no name"):
        encode_segment(name)
    with pytest.raises(UsageError, match="is no name"):
        encode_path((b"a", name), False)


@pytest.mark.parametrize(
    ("segments", "is_directory", "path"),
    [
        ((), True, "/"),
        ((), False, "/"),
        ((b"a",), False, "/a"),
        ((b"a",), True, "/a/"),
        ((b"a b", b"c"), False, "/a%20b/c"),
        ((b"evil.example", b"\\"), True, "/evil.example/%5C/"),
    ],
)
def test_encode_path(segments: tuple[bytes, ...], is_directory: bool, path: str) -> None:
    assert encode_path(segments, is_directory) == path


segment_names = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)


@given(st.lists(segment_names, max_size=5), st.booleans())
def test_any_path_is_read_back_and_stays_on_this_host(segments: list[bytes], is_directory: bool) -> None:
    path = encode_path(segments, is_directory)
    assert path.startswith("/")
    assert not path.startswith("//")
    assert unquote_to_bytes(path).strip(b"/") == b"/".join(segments)
    assert path_segments(path) == Path(tuple(segments), is_directory or not segments)


@given(st.text(st.sampled_from("ab/."), max_size=12))
def test_a_letter_and_its_escape_name_the_same(path: str) -> None:
    assert path_segments("/" + path) == path_segments("/" + path.replace("a", "%61"))
