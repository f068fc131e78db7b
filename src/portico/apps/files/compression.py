"""Compressed bodies, made once per file version and kept in a bounded memory.

In: the version of a file, a content coding (RFC 9110 section 8.4.1) and a way to read the file. Out: `Compressed`.

    get         on the loop, at once: what is remembered
    compress    off the loop: a fast level first, so that the first answer is quick; then, behind it, a better level
                replaces what is remembered, if it is smaller

Everything here is called on one event loop; only `_pack` runs in threads. The same version, coding and level always
give the same bytes, and different bytes have different level tags: with the tag in it, a strong ETag stays true.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Protocol

from portico.apps.files.opened import Version
from portico.errors import Refused, UsageError
from portico.settings import KIB, MIB

CODINGS: Final = ("zstd", "br", "gzip")  # best first: zstd and br pack alike, zstd is made and read faster

_CHUNK = 256 * KIB  # between two looks at whether we are closing
_STOPPED = "compression was stopped: the server is closing"
_ENTRY_BYTES = 512  # what remembering one result costs beside its body


class Compressed(NamedTuple):
    """The result of packing one file version in one coding.

    body: the packed bytes, b"" if they would not have been fewer than the file's own. level_tag: letters and digits
    that tell this body from that of another level; part of the ETag.
    """

    body: bytes
    level_tag: str

    @property
    def is_smaller(self) -> bool:
        """Tell whether the body is worth sending; if not, send the file as it is."""
        return bool(self.body)


class _Packer(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Gzip:
    """Gzip without name or time of the file (RFC 1952): zlib leaves both out, so equal input gives equal bytes."""

    def __init__(self, level: int, size: int) -> None:
        packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self.feed, self.finish = packer.compress, packer.flush


class _Brotli:
    def __init__(self, level: int, size: int) -> None:
        import brotli  # late: not every server compresses

        packer = brotli.Compressor(quality=level)
        self.feed, self.finish = packer.process, packer.finish


class _Zstandard:
    """Windows stay within the 8 MiB that every receiver has to accept (RFC 9659 section 3): levels up to 19."""

    def __init__(self, level: int, size: int) -> None:
        import zstandard  # late: not every server compresses

        packer = zstandard.ZstdCompressor(level=level).compressobj(size=size)
        self.feed, self.finish = packer.compress, packer.flush


class _Method(NamedTuple):
    make: Callable[[int, int], _Packer]
    fast: int
    better: int


# Measured on 1 MiB of Python source, time and size of the result: zstd 3 6 ms 24.3 %, 12 45 ms 20.8 %; br 4 26 ms
# 22.9 %, 9 111 ms 20.3 %; gzip 4 16 ms 25.3 %, 6 38 ms 23.8 %. The next steps up cost 4 to 18 times that for 1 to 2 %.
_METHODS: dict[str, _Method] = {
    "zstd": _Method(_Zstandard, 3, 12),
    "br": _Method(_Brotli, 4, 9),
    "gzip": _Method(_Gzip, 4, 6),
}

_Key = tuple[Version, str]


class _Job:
    """One file's bytes on their way through one coding; `cancelled` is set by the loop and read by the thread."""

    __slots__ = ("cancelled", "coding", "data", "version")

    def __init__(self, version: Version, coding: str) -> None:
        self.version = version
        self.coding = coding
        self.data = b""
        self.cancelled = False

    def read_and_pack(self, read: Callable[[], bytes]) -> Compressed:
        self.data = read()
        if len(self.data) != self.version.size:
            raise Refused(f"the file has {len(self.data)} bytes now, not {self.version.size}: open it again")
        return self.pack(_METHODS[self.coding].fast)

    def pack(self, level: int) -> Compressed:
        """Pack `data`; give up where the result is as long as that. Raises Refused when cancelled."""
        data = self.data
        tag = f"{self.coding}{level}"
        packer = _METHODS[self.coding].make(level, len(data))
        pieces = []
        room = len(data)
        for start in range(0, len(data), _CHUNK):
            if self.cancelled:
                raise Refused(_STOPPED)
            pieces.append(packer.feed(data[start : start + _CHUNK]))
            room -= len(pieces[-1])
        pieces.append(packer.finish())
        return Compressed(b"".join(pieces) if room > len(pieces[-1]) else b"", tag)


class Compressor:
    """Packs files off the loop and remembers the results, those used longest ago making room for new ones.

    max_bytes: for all results together. max_file_bytes: larger files are never packed.
    """

    def __init__(self, max_bytes: int = 64 * MIB, max_file_bytes: int = 16 * MIB) -> None:
        self._max_bytes = max_bytes
        self._max_file_bytes = max_file_bytes
        self._bytes = 0
        self._results: OrderedDict[_Key, Compressed] = OrderedDict()
        self._fast: dict[_Key, asyncio.Future[Compressed]] = {}
        self._better: dict[_Key, asyncio.Future[Compressed]] = {}
        self._jobs: set[_Job] = set()
        self._is_closed = False
        # The slow second pass has its own thread, so that a first answer never waits behind it.
        self._fast_pool = ThreadPoolExecutor(2, "portico-compress")
        self._better_pool = ThreadPoolExecutor(1, "portico-compress-better")

    def get(self, version: Version, coding: str) -> Compressed | None:
        """Return the best result there is by now, None where `compress` has to be asked."""
        key = (version, coding)
        result = self._results.get(key)
        if result is not None:
            self._results.move_to_end(key)
        return result

    async def compress(self, version: Version, coding: str, read: Callable[[], bytes]) -> Compressed:
        """Return the remembered result, or make one; callers that ask for the same one wait for the same work.

        coding: one of CODINGS. read: returns the whole file; called in a thread, at most once, and not at all for
        files above the size limit. Cancelling one caller stops neither the work nor the others. Raises Refused where
        the file is no longer of that version or we are closing, and whatever `read` raises.
        """
        if coding not in _METHODS:
            raise UsageError(f"coding {coding!r} is not one of {', '.join(CODINGS)}")
        if self._is_closed:
            raise UsageError("the compressor is closed; make a new one")
        if version.size > self._max_file_bytes:
            return Compressed(b"", "")
        key = (version, coding)
        result = self.get(version, coding)
        if result is not None:
            return result
        pending = self._fast.get(key)
        if pending is None:
            pending = self._start(key, read)
        try:
            return await asyncio.shield(pending)
        except asyncio.CancelledError:
            if pending.cancelled():
                raise Refused(_STOPPED) from None
            raise

    async def settle(self) -> None:
        """Wait until no work is under way, the better levels included."""
        while pending := [*self._fast.values(), *self._better.values()]:
            await asyncio.wait(pending)

    def close(self) -> None:
        """Stop the work under way, whose callers get Refused, and forget all results. Twice is once."""
        self._is_closed = True
        for job in self._jobs:
            job.cancelled = True
        for future in (*self._fast.values(), *self._better.values()):
            future.cancel()
        self._fast_pool.shutdown(wait=False, cancel_futures=True)
        self._better_pool.shutdown(wait=False, cancel_futures=True)
        self._results.clear()
        self._bytes = 0

    def _start(self, key: _Key, read: Callable[[], bytes]) -> asyncio.Future[Compressed]:
        job = _Job(*key)
        self._jobs.add(job)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._fast_pool, job.read_and_pack, read)
        self._fast[key] = future

        def done(future: asyncio.Future[Compressed]) -> None:
            del self._fast[key]
            if future.cancelled() or future.exception() is not None:
                self._jobs.discard(job)
                return
            self._remember(key, future.result())
            self._improve(key, job, loop)

        future.add_done_callback(done)
        return future

    def _improve(self, key: _Key, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        held = sum(len(other.data) for other in self._jobs)
        if self._is_closed or not self._results.get(key, Compressed(b"", "")).is_smaller or held > self._max_bytes:
            self._jobs.discard(job)  # the data waiting for a better level is bounded like the results
            return
        future = loop.run_in_executor(self._better_pool, job.pack, _METHODS[job.coding].better)
        self._better[key] = future

        def done(future: asyncio.Future[Compressed]) -> None:
            del self._better[key]
            self._jobs.discard(job)
            fast = self._results.get(key)
            if future.cancelled() or future.exception() is not None or fast is None:
                return
            better = future.result()
            if better.is_smaller and len(better.body) < len(fast.body):
                self._remember(key, better)

        future.add_done_callback(done)

    def _remember(self, key: _Key, result: Compressed) -> None:
        old = self._results.pop(key, None)
        if old is not None:
            self._bytes -= len(old.body) + _ENTRY_BYTES
        cost = len(result.body) + _ENTRY_BYTES
        if self._is_closed or cost > self._max_bytes:
            return
        self._results[key] = result
        self._bytes += cost
        while self._bytes > self._max_bytes:
            _, oldest = self._results.popitem(last=False)
            self._bytes -= len(oldest.body) + _ENTRY_BYTES
