import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.client.body import EMPTY, PIECE, Body, form_body, json_body, make_body
from portico.client.form import Form, file_part
from portico.client.network import BlockingNetwork, run
from portico.errors import Refused, UsageError


def pieces_of(body: Body) -> list[bytes]:
    async def work() -> list[bytes]:
        return [bytes(piece) async for piece in body.start(BlockingNetwork())]

    return run(work())


async def asynchronous() -> AsyncIterator[bytes]:
    for piece in (b"ab", b"", b"c"):
        yield piece


def generated() -> Iterator[bytes]:
    yield from (b"ab", b"", b"c")


class Known:
    """A body that knows its length."""

    length: int | None = 3
    content_type = "text/x"

    def pieces(self) -> list[bytes]:
        return [b"ab", b"", b"c"]


class Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 2))


BINARY = "application/octet-stream"
GIVEN: list[tuple[Any, int | None, str, bool]] = [
    (b"abc", 3, BINARY, True),
    (bytearray(b"abc"), 3, BINARY, True),
    (memoryview(b"abc"), 3, BINARY, True),
    ("abc", 3, "text/plain; charset=utf-8", True),
    (io.BytesIO(b"abc"), 3, BINARY, True),
    (Known(), 3, "text/x", True),
    (Pipe(b"abc"), None, BINARY, False),
    ([b"ab", b"", b"c"], None, BINARY, False),
    (generated(), None, BINARY, False),
    (asynchronous(), None, BINARY, False),
]


@pytest.mark.parametrize(("given", "length", "media_type", "can_repeat"), GIVEN)
def test_a_body_is_made_of_what_is_given(given: Any, length: int | None, media_type: str, can_repeat: bool) -> None:
    body = make_body(given)
    assert (body.length, body.media_type, body.can_repeat) == (length, media_type, can_repeat)
    for _ in range(2 if can_repeat else 1):
        found = pieces_of(body)
        assert b"".join(found) == b"abc"
        assert b"" not in found


def test_no_body_is_empty() -> None:
    assert make_body(None) is EMPTY
    assert (EMPTY.length, pieces_of(EMPTY)) == (0, [])


def test_what_is_long_goes_in_pieces() -> None:
    data = bytes(range(256)) * (PIECE // 100)
    for given in (data, io.BytesIO(data)):
        found = pieces_of(make_body(given))
        assert b"".join(found) == data
        assert max(map(len, found)) == PIECE


def test_a_file_is_sent_from_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abcdef")
    with (tmp_path / "f").open("rb") as file:
        file.seek(2)
        body = make_body(file)
        assert body.length == 4
        assert [pieces_of(body), pieces_of(body)] == [[b"cdef"], [b"cdef"]]
        file.seek(10)
        assert make_body(file).length == 0


def test_a_file_that_changes_is_read_as_far_as_was_said(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    with path.open("rb", buffering=0) as file:
        body = make_body(file)
        path.write_bytes(b"abcdef")
        assert pieces_of(body) == [b"abc"]
        path.write_bytes(b"a")
        assert pieces_of(body) == [b"a"]  # the connection notices that it is too short


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with (tmp_path / "f").open("rb", buffering=0) as file:
        body = make_body(file)
        os.dup2(os.open(tmp_path, os.O_RDONLY), file.fileno())
        with pytest.raises(Refused, match="cannot be read"):
            pieces_of(body)


def test_a_file_open_for_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    with (tmp_path / "f").open() as file:
        body = make_body(file)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="open it with 'rb'"):
            pieces_of(body)


@pytest.mark.parametrize("given", [5, {"a": "b"}, object()])
def test_what_is_no_body(given: Any) -> None:
    with pytest.raises(UsageError, match="give bytes, text, a binary file or an iterable"):
        make_body(given)


def test_what_yields_no_bytes() -> None:
    with pytest.raises(UsageError, match="yields str"):
        pieces_of(make_body(["a"]))  # type: ignore[list-item]


def test_a_form_with_files_is_a_body(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"abc")
    body = make_body(Form([file_part("a", tmp_path / "f.txt")]))
    data = b"".join(pieces_of(body))
    assert len(data) == body.length
    assert body.media_type.startswith("multipart/form-data; boundary=")


def test_json_is_short_and_in_utf_8() -> None:
    body = json_body({"名": [1, None, 2.5]})
    assert (pieces_of(body), body.media_type) == (['{"名":[1,null,2.5]}'.encode()], "application/json")


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), {1, 2}, "\ud800"])
def test_what_json_cannot_say(value: object) -> None:
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        json_body(value)


def test_json_that_contains_itself() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        json_body(value)


def test_a_form_is_encoded() -> None:
    body = form_body([("a b", "&="), ("a b", "中")])
    assert pieces_of(body) == [b"a%20b=%26%3D&a%20b=%E4%B8%AD"]
    assert body.media_type == "application/x-www-form-urlencoded"
