import asyncio
import gzip
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.compression import CODINGS, Compressed, Compressor
from portico.apps.files.opened import Version
from portico.errors import Refused, UsageError

DRAW = random.Random(1)
VOCABULARY = [DRAW.randbytes(DRAW.randrange(1, 5)).hex().encode() for _ in range(400)]
WORDS = b" ".join(DRAW.choices(VOCABULARY, k=12_000))
NOISE = DRAW.randbytes(5000)
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
    "br": brotli.decompress,
    "gzip": gzip.decompress,
}


def version(data: bytes, inode: int = 1) -> Version:
    return Version(1, inode, 0, len(data), 0)


def run(work: Callable[[Compressor], Coroutine[Any, Any, None]], **limits: int) -> None:
    """Give `work` a compressor on a fresh loop, and close it."""

    async def main() -> None:
        compressor = Compressor(**limits)
        try:
            await work(compressor)
        finally:
            compressor.close()

    asyncio.run(main())


def test_every_coding_has_a_way_back() -> None:
    assert tuple(UNPACK) == CODINGS


@pytest.mark.parametrize("coding", CODINGS)
def test_a_fast_answer_and_later_a_smaller_one(coding: str) -> None:
    async def work(compressor: Compressor) -> None:
        key = version(WORDS)
        assert compressor.get(key, coding) is None
        fast = await compressor.compress(key, coding, lambda: WORDS)
        assert fast.is_smaller
        assert UNPACK[coding](fast.body) == WORDS
        await compressor.settle()
        better = compressor.get(key, coding)
        assert better is not None
        assert UNPACK[coding](better.body) == WORDS
        assert len(better.body) < len(fast.body)
        assert better.level_tag != fast.level_tag
        assert better.level_tag.isalnum()
        assert await compressor.compress(key, coding, list[bytes]().pop) is better  # nothing is read again

    run(work)


def test_a_better_level_that_is_no_smaller_changes_nothing() -> None:
    data = b"a" * 5000

    async def work(compressor: Compressor) -> None:
        fast = await compressor.compress(version(data), "gzip", lambda: data)
        await compressor.settle()
        assert compressor.get(version(data), "gzip") is fast

    run(work)


@pytest.mark.parametrize("coding", CODINGS)
def test_equal_files_give_equal_bytes(coding: str) -> None:
    results = []

    async def work(compressor: Compressor) -> None:
        results.append(await compressor.compress(version(WORDS), coding, lambda: WORDS))

    run(work)
    run(work)
    assert results[0] == results[1]


@given(st.binary(max_size=2000), st.integers(1, 400), st.sampled_from(CODINGS))
def test_what_is_smaller_unpacks_to_the_file(piece: bytes, times: int, coding: str) -> None:
    data = piece * times

    async def work(compressor: Compressor) -> None:
        result = await compressor.compress(version(data), coding, lambda: data)
        assert not result.is_smaller or UNPACK[coding](result.body) == data
        assert len(result.body) < len(data) or not data
        await compressor.settle()
        later = compressor.get(version(data), coding)
        assert later is not None
        assert later.is_smaller == result.is_smaller
        assert not later.is_smaller or UNPACK[coding](later.body) == data

    run(work)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("data", [NOISE, b"", b"x"])
def test_what_does_not_shrink_is_remembered_too(coding: str, data: bytes) -> None:
    async def work(compressor: Compressor) -> None:
        result = await compressor.compress(version(data), coding, lambda: data)
        assert (result.is_smaller, result.body) == (False, b"")
        assert compressor.get(version(data), coding) == result

    run(work)


def test_large_files_are_not_even_read() -> None:
    async def work(compressor: Compressor) -> None:
        result = await compressor.compress(version(WORDS), "gzip", list[bytes]().pop)
        assert not result.is_smaller

    run(work, max_file_bytes=len(WORDS) - 1)


def test_callers_share_one_computation() -> None:
    calls = []

    def read() -> bytes:
        calls.append(threading.current_thread() is threading.main_thread())
        return WORDS

    async def work(compressor: Compressor) -> None:
        results = await asyncio.gather(*(compressor.compress(version(WORDS), "br", read) for _ in range(5)))
        assert len(set(results)) == 1
        await compressor.compress(version(WORDS, inode=2), "br", read)
        await compressor.compress(version(WORDS), "gzip", read)

    run(work)
    assert calls == [False, False, False]


def test_a_cancelled_caller_stops_neither_the_work_nor_the_others() -> None:
    release = threading.Event()

    def read() -> bytes:
        release.wait()
        return WORDS

    async def work(compressor: Compressor) -> None:
        first, second = (asyncio.ensure_future(compressor.compress(version(WORDS), "gzip", read)) for _ in range(2))
        await asyncio.wait([first, second], timeout=0)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        release.set()
        assert (await second).is_smaller

    run(work)


def test_a_file_that_changed_meanwhile_is_refused_and_not_remembered() -> None:
    async def work(compressor: Compressor) -> None:
        with pytest.raises(Refused, match=f"has 5 bytes now, not {len(WORDS)}"):
            await compressor.compress(version(WORDS), "zstd", lambda: b"short")
        assert compressor.get(version(WORDS), "zstd") is None
        assert (await compressor.compress(version(WORDS), "zstd", lambda: WORDS)).is_smaller

    run(work)


def test_what_reading_raises_reaches_every_caller() -> None:
    def read() -> bytes:
        raise Refused("the disk is gone")

    async def work(compressor: Compressor) -> None:
        jobs = [compressor.compress(version(WORDS), "br", read) for _ in range(2)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert [str(result) for result in results] == ["the disk is gone"] * 2

    run(work)


def test_the_longest_unused_makes_room() -> None:
    async def work(compressor: Compressor) -> None:
        for inode in (1, 2, 3):
            await compressor.compress(version(NOISE, inode), "gzip", lambda: NOISE)
        compressor.get(version(NOISE, 1), "gzip")
        await compressor.compress(version(NOISE, 4), "gzip", lambda: NOISE)
        known = {inode for inode in (1, 2, 3, 4) if compressor.get(version(NOISE, inode), "gzip")}
        assert known == {1, 3, 4}

    run(work, max_bytes=3 * 512)


def test_a_result_above_the_whole_memory_is_given_but_not_kept() -> None:
    async def work(compressor: Compressor) -> None:
        result = await compressor.compress(version(WORDS), "gzip", lambda: WORDS)
        assert result.is_smaller
        await compressor.settle()
        assert compressor.get(version(WORDS), "gzip") is None

    run(work, max_bytes=600)


def test_no_better_level_where_the_file_alone_is_above_the_memory() -> None:
    async def work(compressor: Compressor) -> None:
        result = await compressor.compress(version(WORDS), "gzip", lambda: WORDS)
        await compressor.settle()
        assert compressor.get(version(WORDS), "gzip") == result

    run(work, max_bytes=len(WORDS) - 1)


def test_closing_stops_what_runs_and_what_waits() -> None:
    release = threading.Event()
    stopped = []

    def read() -> bytes:
        release.wait()
        return WORDS

    async def work(compressor: Compressor) -> None:
        jobs = [asyncio.ensure_future(compressor.compress(version(WORDS, inode), "zstd", read)) for inode in (1, 2, 3)]
        await asyncio.wait(jobs, timeout=0)
        compressor.close()
        release.set()
        stopped.extend(await asyncio.gather(*jobs, return_exceptions=True))
        with pytest.raises(UsageError, match="closed"):
            await compressor.compress(version(WORDS), "zstd", read)
        assert compressor.get(version(WORDS), "zstd") is None

    run(work)
    assert [type(error) for error in stopped] == [Refused] * 3


def test_closing_forgets_and_stops_the_better_level() -> None:
    data = WORDS * 40

    async def work(compressor: Compressor) -> None:
        await compressor.compress(version(data), "br", lambda: data)
        compressor.close()
        await compressor.settle()
        assert compressor.get(version(data), "br") is None

    run(work)


def test_a_coding_nobody_knows() -> None:
    async def work(compressor: Compressor) -> None:
        with pytest.raises(UsageError, match="'deflate' is not one of zstd, br, gzip"):
            await compressor.compress(version(WORDS), "deflate", lambda: WORDS)

    run(work)


def test_gzip_tells_neither_time_nor_name() -> None:
    async def work(compressor: Compressor) -> None:
        body = (await compressor.compress(version(WORDS), "gzip", lambda: WORDS)).body
        assert body[:8] == b"\x1f\x8b\x08\0\0\0\0\0"

    run(work)


def test_zstandard_stays_within_the_window_every_receiver_has() -> None:
    data = WORDS * 200

    async def work(compressor: Compressor) -> None:
        await compressor.compress(version(data), "zstd", lambda: data)
        await compressor.settle()
        better = compressor.get(version(data), "zstd")
        assert better is not None
        assert zstandard.get_frame_parameters(better.body).window_size <= 8 << 20

    run(work)


def test_is_smaller() -> None:
    assert Compressed(b"x", "br4").is_smaller
    assert not Compressed(b"", "br4").is_smaller
