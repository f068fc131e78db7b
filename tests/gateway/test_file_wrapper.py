import gzip
import io
import os
from pathlib import Path

import pytest

from portico.gateway.file_wrapper import FileWrapper
from portico.http.message import Span

DATA = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


def content(span: Span | None) -> bytes:
    assert span is not None
    buffer = bytearray(span.length)
    assert span.source.read_into(memoryview(buffer), span.offset) == span.length
    span.source.close()
    return bytes(buffer)


@pytest.mark.parametrize("buffering", [-1, 0])
@pytest.mark.parametrize("offset", [0, 7, len(DATA), len(DATA) + 1])
def test_a_real_file_from_where_it_stands(path: Path, buffering: int, offset: int) -> None:
    with path.open("rb", buffering) as file:
        file.seek(offset)
        assert content(FileWrapper(file).span()) == DATA[offset:]
        assert b"".join(FileWrapper(file, 1000)) == DATA[offset:]


def test_the_span_outlives_the_file(path: Path) -> None:
    with path.open("rb") as file:
        span = FileWrapper(file).span()
    path.unlink()
    assert content(span) == DATA


def test_what_only_looks_like_a_file_is_read(path: Path) -> None:
    assert FileWrapper(io.BytesIO(DATA)).span() is None
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(DATA))
    with gzip.open(packed) as file:
        wrapper = FileWrapper(file)
        assert wrapper.span() is None
        assert b"".join(wrapper) == DATA


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    with open(reading, "rb") as file:
        wrapper = FileWrapper(file)
        assert wrapper.span() is None
        assert list(wrapper) == [b"piped"]


def test_a_closed_file_is_no_span(path: Path) -> None:
    with path.open("rb") as file:
        pass
    assert FileWrapper(file).span() is None


def test_close_is_the_file_s_own(path: Path) -> None:
    file = path.open("rb")
    FileWrapper(file).close()
    assert file.closed
    assert not hasattr(FileWrapper(iter([])), "close")
