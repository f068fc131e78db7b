import errno
import os
from pathlib import Path

import pytest

from portico.apps.files.opened import Folder, NotServed, OpenedFile, Reason, Version
from portico.errors import Refused
from portico.http.message import Source


def opened(path: Path) -> OpenedFile:
    fd = os.open(path, os.O_RDONLY)
    return OpenedFile(fd, Version.of(os.fstat(fd)))


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    path = tmp_path / "letters"
    path.write_bytes(b"abcdefghij")
    return path


def test_it_is_a_source(letters: Path) -> None:
    source: Source = opened(letters)
    buffer = bytearray(4)
    assert source.size == 10
    assert source.read_into(memoryview(buffer), 2) == 4
    assert buffer == b"cdef"
    source.close()


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 10, b"abcdefghij"), (9, 1, b"j"), (8, 4, b"ij"), (10, 4, b""), (1 << 40, 4, b""), (3, 0, b"")],
)
def test_read_into(letters: Path, offset: int, length: int, expected: bytes) -> None:
    file = opened(letters)
    buffer = bytearray(length)
    count = file.read_into(memoryview(buffer), offset)
    file.close()
    assert buffer[:count] == expected


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 10, b"abcdefghij"), (4, 2, b"ef"), (8, 4, b"ij"), (10, 4, b""), (1 << 40, 4, b""), (3, 0, b"")],
)
def test_read_hot_gives_the_same_or_says_that_it_cannot(
    letters: Path, offset: int, length: int, expected: bytes
) -> None:
    file = opened(letters)
    buffer = bytearray(length)
    try:
        count = file.read_hot(memoryview(buffer), offset)
    except BlockingIOError:  # the kernel is free to have forgotten it
        count = file.read_into(memoryview(buffer), offset)
    file.close()
    assert buffer[:count] == expected


def test_read_hot_leaves_a_short_read_to_read_into() -> None:
    # This very file: unlike a temporary folder it is not in tmpfs, which promises nothing and needs to promise nothing.
    fd = os.open(__file__, os.O_RDONLY)
    end = os.fstat(fd).st_size
    file = OpenedFile(fd, Version(0, 0, 0, end + 10, 0))  # as if it had shrunk since
    try:
        os.preadv(fd, [bytearray(1)], 0, getattr(os, "RWF_NOWAIT", -1))
    except BlockingIOError:
        pass
    except (OSError, OverflowError):
        pytest.skip("this file system cannot read without waiting")
    with pytest.raises(BlockingIOError):
        file.read_hot(memoryview(bytearray(4)), end - 2)
    assert file.read_into(memoryview(bytearray(4)), end - 2) == 2
    file.close()


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="reads that do not wait are Linux's")
def test_read_hot_passes_on_that_nothing_is_there_yet() -> None:
    reader, writer = os.pipe()
    file = OpenedFile(reader, Version(0, 0, 0, 10, 0))
    with pytest.raises((BlockingIOError, Refused)):
        file.read_hot(memoryview(bytearray(4)), 0)
    file.close()
    os.close(writer)


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="needs a file system without page cache: /proc")
def test_read_hot_reads_plainly_where_the_file_system_promises_nothing() -> None:
    # The files of /proc have no page cache: whether a read would wait cannot be said, once or twice.
    file = OpenedFile(os.open("/proc/version", os.O_RDONLY), Version(0, 0, 0, 5, 0))
    for _ in range(2):
        buffer = bytearray(8)
        assert file.read_hot(memoryview(buffer), 0) == 5
        assert buffer == b"Linux\0\0\0"
    file.close()


def test_a_file_that_grows_gives_what_it_had(letters: Path) -> None:
    file = opened(letters)
    with letters.open("ab") as more:
        more.write(b"klm")
    buffer = bytearray(13)
    assert file.read_into(memoryview(buffer), 0) == 10
    assert buffer == b"abcdefghij\0\0\0"
    file.close()


def test_a_file_that_shrinks_gives_fewer_bytes(letters: Path) -> None:
    file = opened(letters)
    os.truncate(letters, 3)
    assert file.size == 10
    assert file.read_into(memoryview(bytearray(10)), 0) == 3
    file.close()


def test_reading_a_closed_file_is_refused(letters: Path) -> None:
    file = opened(letters)
    file.close()
    assert file.fileno() == -1
    for read in (file.read_into, file.read_hot):
        with pytest.raises(Refused, match="reading 4 bytes at 0 failed"):
            read(memoryview(bytearray(4)), 0)


def test_the_last_user_closes(letters: Path) -> None:
    file = opened(letters)
    fd = file.fileno()
    assert file.share() is file
    file.close()
    assert os.fstat(fd).st_size == 10
    file.close()
    file.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


@pytest.mark.parametrize(
    ("mtime_ns", "mtime_s"), [(0, 0), (-1, -1), (-1_000_000_000, -1), (1_999_999_999, 1), ((1 << 40) * 10**9, 1 << 40)]
)
def test_times_are_rounded_down(letters: Path, mtime_ns: int, mtime_s: int) -> None:
    version = Version(1, 2, mtime_ns, 10, 0)
    file = OpenedFile(os.open(letters, os.O_RDONLY), version)
    file.close()
    assert file.mtime_s == mtime_s
    assert Folder(version).mtime_s == mtime_s


def test_equal_versions_mean_an_unchanged_file(letters: Path) -> None:
    before = Version.of(os.stat(letters))
    assert Version.of(os.stat(letters)) == before
    os.utime(letters, ns=(0, before.mtime_ns + 1_000_000))
    assert Version.of(os.stat(letters)) != before


def test_a_refusal_says_which_rule() -> None:
    refusal = NotServed(Reason.HIDDEN, "'/.env' is hidden")
    assert isinstance(refusal, Refused)
    assert (refusal.reason, str(refusal)) == (Reason.HIDDEN, "'/.env' is hidden")
