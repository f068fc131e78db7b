import os
from pathlib import Path

import pytest

from portico.errors import Refused
from portico.gateway.file_source import FileSource

TEXT = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(TEXT)
    return tmp_path / "file"


# (offset, size of the buffer, what it holds afterwards)
READS = [(0, 10, TEXT), (3, 4, b"3456"), (8, 2, b"89"), (10, 5, b""), (0, 0, b"")]


@pytest.mark.parametrize(("offset", "size", "expected"), READS)
def test_it_reads_at_any_offset(path: Path, offset: int, size: int, expected: bytes) -> None:
    source = FileSource.open(path)
    assert source.size == 10
    for read in (source.read_into, source.read_hot):
        buffer = memoryview(bytearray(size))
        assert bytes(buffer[: read(buffer, offset)]) == expected
    source.close()


def test_fewer_bytes_than_asked_mean_that_the_file_ends(path: Path) -> None:
    source = FileSource.open(path)
    buffer = memoryview(bytearray(10))
    assert source.read_into(buffer, 6) == 4
    assert bytes(buffer[:4]) == b"6789"
    source.close()


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system cannot read without waiting")
def test_what_may_be_a_page_on_disk_is_not_taken_for_the_end(path: Path) -> None:
    source = FileSource.open(path)
    os.truncate(path, 8)
    with pytest.raises(BlockingIOError):
        source.read_hot(memoryview(bytearray(10)), 6)
    source.close()


def test_a_read_is_a_plain_one_where_the_system_cannot_tell(path: Path) -> None:
    source = FileSource.open(path)
    source._nowait = 1 << 30  # no kernel knows this flag
    for _ in range(2):
        buffer = memoryview(bytearray(4))
        assert source.read_hot(buffer, 6) == 4
        assert bytes(buffer) == b"6789"
    source.close()


def test_a_closed_source_says_so(path: Path) -> None:
    source = FileSource.open(path)
    assert source.fileno() >= 0
    source.close()
    source.close()
    assert source.fileno() == -1
    for read in (source.read_into, source.read_hot):
        with pytest.raises(Refused, match="reading 1 bytes at 0 failed"):
            read(memoryview(bytearray(1)), 0)


def test_a_shared_descriptor_stays_its_owners(path: Path) -> None:
    with path.open("rb") as file:
        source = FileSource.of(file.fileno())
        assert file.read(2) == b"01"
    buffer = memoryview(bytearray(10))
    assert source.read_into(buffer, 0) == 10
    assert bytes(buffer) == TEXT
    source.close()


def test_only_regular_files_are_sources(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Refused, match="no regular file"):
            FileSource.open(path)
    with pytest.raises(FileNotFoundError):
        FileSource.open(tmp_path / "missing")
