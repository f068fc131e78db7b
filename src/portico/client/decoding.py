"""Content codings undone, piece by piece (RFC 9110 section 8.4): gzip, deflate, br, zstd, and several on top of
each other.

In: the value of Content-Encoding, then the body as it comes in. Out: pieces of what it stands for.

The invariant: no piece is longer than asked for, whatever the body does. Ten megabytes can stand for ten gigabytes; the
caller gets them in pieces and may stop after any. A body that ends before its coding says so is an error; a body of no
bytes at all is empty, whatever coding it claims.

Behind a complete gzip member or zstd frame another one may follow. Other bytes behind the end are left out, as browsers
do, except after br, whose decoder does not tell them from damage. A window larger than 8 MiB is refused for zstd
(RFC 9659 section 3). deflate may come with zlib's header, as the RFC has it, or without, as some servers send it.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Final, Protocol

from portico.errors import PeerError, excerpt
from portico.http.fields import split_list

PIECE_BYTES: Final = 256 * 1024
MOST_CODINGS: Final = 5  # as curl: each one multiplies what a body can cost (CVE-2023-23916)

_CHUNK = 64 * 1024  # zlib copies what it has not used yet: small bites keep that linear
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f
_MAX_WINDOW = 8 * 1024 * 1024


@cache
def accepted() -> str:
    """Return what Accept-Encoding says: the codings that can be undone here, but for deflate, which is ambiguous."""
    modules = {"br": "brotli", "zstd": "zstandard"}
    return ", ".join(["gzip", *(coding for coding, module in modules.items() if find_spec(module) is not None)])


class _Stage(Protocol):
    """One coding. is_whole: it has come to its end, or not begun."""

    @property
    def is_whole(self) -> bool: ...

    def feed(self, data: bytes, limit: int) -> Iterator[bytes]: ...


class Decoder:
    """Undo the codings of one body.

    value: of Content-Encoding; "" and "identity" change nothing. Several fields are joined with commas.
    Raises PeerError(502) for a coding that is none of ours, and for more than `MOST_CODINGS`.
    """

    def __init__(self, value: str) -> None:
        names = [name for name in split_list(value.lower()) if name != "identity"]
        if len(names) > MOST_CODINGS:
            raise PeerError(502, f"the body is encoded {len(names)} times; {MOST_CODINGS} times is the most")
        unknown = [name for name in names if name not in _STAGES]
        if unknown:
            raise PeerError(502, f"the body is encoded as {excerpt(unknown[0])}; {accepted()} can be decoded")
        # The last coding listed was applied last (RFC 9110 8.4), so it comes off first.
        self._names = names[::-1]
        self._stages = [_STAGES[name]() for name in self._names]

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to undo: the body is what it says."""
        return not self._stages

    def feed(self, data: bytes, limit: int = PIECE_BYTES) -> Iterator[bytes]:
        """Yield what more of the body stands for, in pieces that are not empty.

        limit: the most bytes of a piece, at least 1. The work is done as pieces are taken: take them all before the
        next call, or drop the decoder. Raises PeerError(502) for what cannot be decoded.
        """
        if not self._stages:
            yield from _split(data, limit)
            return
        for start in range(0, len(data), _CHUNK):
            yield from self._through(data[start : start + _CHUNK], 0, limit=limit)

    def _through(self, data: bytes, number: int, *, limit: int) -> Iterator[bytes]:
        """Yield what the stage with this number and those behind it make of `data`."""
        if number == len(self._stages) - 1:
            yield from self._stages[number].feed(data, limit)
            return
        # What goes from stage to stage is in small bites, too, for the same reason.
        for piece in self._stages[number].feed(data, _CHUNK):
            yield from self._through(piece, number + 1, limit=limit)

    def finish(self) -> None:
        """Say that the body has ended. Raises PeerError(502) if its coding has not."""
        for name, stage in zip(self._names, self._stages, strict=True):
            if not stage.is_whole:
                raise PeerError(502, f"the body ended in the middle of its {name} stream; it is not complete")


def _split(data: bytes, limit: int) -> Iterator[bytes]:
    for start in range(0, len(data), limit):
        yield data[start : start + limit]


def _damaged(name: str, exc: Exception) -> PeerError:
    return PeerError(502, f"the body is no {name} stream: {excerpt(str(exc))}")


def _inflate(stream: "zlib._Decompress", data: bytes, *, name: str, limit: int) -> Iterator[bytes]:
    """Yield what one zlib stream makes of `data`; what follows its end is in its `unused_data`."""
    while True:
        try:
            piece = stream.decompress(data, limit)
        except zlib.error as exc:
            raise _damaged(name, exc) from exc
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # A full piece: more may wait inside, though all input is taken.
        if stream.eof or (not data and len(piece) < limit):
            return


class _Gzip:
    """One member after another (RFC 1952 section 2.2)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._held = b""  # the first byte of what may be another member
        self._has_begun = False
        self._is_over = False

    @property
    def is_whole(self) -> bool:
        return self._stream is None or not self._has_begun

    def feed(self, data: bytes, limit: int) -> Iterator[bytes]:
        self._has_begun = True
        while data and not self._is_over:
            if self._stream is None:
                data = self._held + data
                self._held = data if data == _GZIP_MAGIC[:1] else b""
                if self._held:
                    return
                if not data.startswith(_GZIP_MAGIC):
                    self._is_over = True
                    return
                self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield from _inflate(self._stream, data, name="gzip", limit=limit)
            data = self._stream.unused_data
            if self._stream.eof:
                self._stream = None


class _Deflate:
    """One stream, with zlib's header or without; its first two bytes tell (RFC 1950 section 2.2)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._held = b""

    @property
    def is_whole(self) -> bool:
        return not self._held if self._stream is None else self._stream.eof

    def feed(self, data: bytes, limit: int) -> Iterator[bytes]:
        if self._stream is None:
            data = self._held + data
            self._held = data
            if len(data) < 2:
                return
            has_header = data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflate(self._stream, data, name="deflate", limit=limit)


class _Brotli:
    """One stream (RFC 7932)."""

    def __init__(self) -> None:
        import brotli  # late: most bodies are not

        self._stream = brotli.Decompressor()
        self._error: type[Exception] = brotli.error
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        return not self._has_begun or self._stream.is_finished()

    def feed(self, data: bytes, limit: int) -> Iterator[bytes]:
        self._has_begun = True
        while True:
            try:
                # It stops at the end of a buffer of its own that reaches the limit.
                piece: bytes = self._stream.process(data, output_buffer_limit=limit)
            except self._error as exc:
                raise _damaged("br", exc) from exc
            yield from _split(piece, limit)
            data = b""
            # It can accept more while some of what it has taken waits inside; only an empty piece says that none does.
            if self._stream.is_finished() or (not piece and self._stream.can_accept_more_data()):
                return


class _Zstandard:
    """One frame after another (RFC 8878 section 3.1).

    The library puts out all that its input stands for, so it is fed one block at a time: a block stands for at most
    128 KiB. Where blocks end is in their headers.
    """

    def __init__(self) -> None:
        import zstandard  # late: most bodies are not

        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._error: type[Exception] = zstandard.ZstdError
        self._frame = self._decompressor.decompressobj()
        self._held = b""  # of a header that is not complete
        self._left = 0  # bytes until the next header
        self._is_in_frame = False
        self._is_skipped = False  # the frame is one for others (3.1.2)
        self._has_checksum = False
        self._frames = 0
        self._is_over = False

    @property
    def is_whole(self) -> bool:
        if self._is_in_frame or self._left or self._held.startswith(_ZSTD_MAGIC):
            return False
        # Less than a magic number behind a frame may as well be something else that follows it.
        return self._frames > 0 or not self._held

    def feed(self, data: bytes, limit: int) -> Iterator[bytes]:
        at = 0
        while at < len(data) and not self._is_over:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield from _split(self._decode(piece), limit)
            else:
                wanted = 3 if self._is_in_frame else _frame_header_size(self._held)
                missing = wanted - len(self._held)
                self._held += data[at : at + missing]
                at += missing
                self._read_header()

    def _read_header(self) -> None:
        """Take what is held for a header, if it is a whole one."""
        header = self._held
        if self._is_in_frame and len(header) == 3:
            self._begin_block(int.from_bytes(header, "little"))
        elif not self._is_in_frame and len(header) == _frame_header_size(header):
            self._begin_frame(header)
        else:
            return
        self._held = b""
        self._decode(header)

    def _begin_frame(self, header: bytes) -> None:
        self._is_skipped = _is_skippable(header)
        if self._is_skipped:
            self._left = int.from_bytes(header[4:], "little")
        elif self._frames and not header.startswith(_ZSTD_MAGIC):
            self._is_over = self._is_skipped = True
        else:
            self._frame = self._decompressor.decompressobj()
            self._is_in_frame = True
            self._has_checksum = bool(header[4] & 4)
        self._frames += 1

    def _begin_block(self, header: int) -> None:
        """Read a block's header (3.1.1.2): is it the last, of which type, how long."""
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        self._left = 1 if kind == 1 else size  # one byte, repeated
        if is_last:
            self._left += 4 * self._has_checksum
            self._is_in_frame = False

    def _decode(self, data: bytes) -> bytes:
        if self._is_skipped:
            return b""
        try:
            return self._frame.decompress(data)
        except self._error as exc:
            raise _damaged("zstd", exc) from exc


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == _SKIPPABLE_MAGIC and head[0] & 0xF0 == 0x50


def _frame_header_size(head: bytes) -> int:
    """Return how long the header of a frame is that begins so, or how much of it tells more (3.1.1.1, 3.1.2)."""
    if len(head) < 5:
        return 5
    if _is_skippable(head):
        return 8
    if not head.startswith(_ZSTD_MAGIC):
        return 5
    flags = head[4]
    is_single = flags >> 5 & 1
    return 5 + (1 - is_single) + (0, 1, 2, 4)[flags & 3] + (is_single, 2, 4, 8)[flags >> 6]


_STAGES: Final[dict[str, Callable[[], _Stage]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,  # RFC 9110 8.4.1.3
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}
