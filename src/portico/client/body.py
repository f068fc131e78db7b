"""Bodies of requests: what a caller may give, as pieces of a known or an unknown number of bytes.

In: bytes, text, a file, anything that yields bytes, JSON, a form. Out: a `Body`, whose pieces the connection sends.

    bytes, bytearray, memoryview, str (as UTF-8)     sent again where a redirect or a lost connection asks for it
    a file open for reading bytes                    the same where it can seek: from where it stood
    an object with `length` and `pieces()`           a form with files (form.py), a part of a file
    an iterable or asynchronous iterable of bytes    in chunks, once
"""

import json
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast, runtime_checkable

from portico.client.network import Network
from portico.errors import Refused, UsageError
from portico.http.url import encode_pairs

PIECE: Final = 256 * 1024


class BinaryFile(Protocol):
    """A file open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...


@runtime_checkable
class Pieces(Protocol):
    """A body that knows its length, and can be read again from its beginning; one without a length, once.

    A `content_type` beside that becomes Content-Type.
    """

    @property
    def length(self) -> int | None:
        """How many bytes there are; None where only reading tells."""
        ...

    def pieces(self) -> Iterable[bytes]:
        """Yield the body from its beginning."""
        ...


Given = bytes | bytearray | memoryview | str | BinaryFile | Pieces | Iterable[bytes] | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent behind a request's head.

    length: in bytes; None goes in chunks. media_type: for Content-Type where the caller gives none, "" for none.
    start: begins anew, from the first byte; the pieces are not empty. can_repeat: it may be called a second time.
    """

    length: int | None
    media_type: str
    start: Callable[[Network], AsyncGenerator[bytes | memoryview, None]]
    can_repeat: bool = True


async def _nothing(network: Network) -> AsyncGenerator[bytes | memoryview, None]:
    return
    yield b""


EMPTY: Final = Body(0, "", _nothing)


def make_body(given: Given | None) -> Body:
    """Take a body as a caller gives it. None is no body.

    Raises UsageError for what is none.
    """
    if given is None:
        return EMPTY
    if isinstance(given, str):
        return of_bytes(given.encode(), "text/plain; charset=utf-8")
    if isinstance(given, bytes | bytearray | memoryview):
        return of_bytes(bytes(given), "application/octet-stream")
    if isinstance(given, Pieces):
        return _of_pieces(given)
    if hasattr(given, "read"):
        return _of_file(cast("BinaryFile", given))
    if isinstance(given, AsyncIterable):
        return Body(None, "application/octet-stream", lambda network: _checked(given), can_repeat=False)
    if isinstance(given, Iterable) and not isinstance(given, Mapping):
        return Body(None, "application/octet-stream", lambda network: _each(given), can_repeat=False)
    raise UsageError(f"a body of {type(given).__name__}; give bytes, text, a binary file or an iterable of bytes")


def json_body(value: object) -> Body:
    """Write a value as JSON. Raises UsageError for what JSON cannot say, NaN and infinity among it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return of_bytes(text.encode(), "application/json")
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(f"the value given as json cannot be written as JSON: {exc}") from exc


def form_body(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Body:
    """Write names and values as a form does (application/x-www-form-urlencoded)."""
    return of_bytes(encode_pairs(pairs).encode("ascii"), "application/x-www-form-urlencoded")


def of_bytes(data: bytes, media_type: str) -> Body:
    """Make a body of bytes that are all there."""

    async def start(network: Network) -> AsyncGenerator[bytes | memoryview, None]:
        for offset in range(0, len(data), PIECE):
            yield memoryview(data)[offset : offset + PIECE]

    return Body(len(data), media_type, start)


def _of_pieces(given: Pieces) -> Body:
    media_type = getattr(given, "content_type", "") or "application/octet-stream"

    async def start(network: Network) -> AsyncGenerator[bytes | memoryview, None]:
        pieces = iter(given.pieces())
        while (piece := await network.call(lambda: next(pieces, None))) is not None:
            if _is_piece(piece):
                yield piece

    return Body(given.length, str(media_type), start, can_repeat=given.length is not None)


def _of_file(file: BinaryFile) -> Body:
    """Make a body of a file, from where it stands; without a length where it cannot seek, as a pipe cannot."""
    place = _place(file)
    left = None if place is None else place[1] - place[0]

    async def start(network: Network) -> AsyncGenerator[bytes | memoryview, None]:
        if place is not None:
            file.seek(place[0])  # type: ignore[attr-defined]
        missing = left
        while missing != 0:
            size = PIECE if missing is None else min(PIECE, missing)
            data = await network.call(lambda: _read(file, size))  # noqa: B023  # it is called at once
            if not data:
                return
            missing = None if missing is None else missing - len(data)
            yield data

    return Body(left, "application/octet-stream", start, can_repeat=place is not None)


def _place(file: BinaryFile) -> tuple[int, int] | None:
    """Return where a file stands and where it ends, None where it cannot seek."""
    try:
        here: int = file.tell()  # type: ignore[attr-defined]
        end: int = file.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
        file.seek(here)  # type: ignore[attr-defined]
    except (OSError, AttributeError, ValueError):
        return None
    return here, max(here, end)


def _read(file: BinaryFile, size: int) -> bytes:
    try:
        data = file.read(size)
    except OSError as exc:
        raise Refused(f"the file to send cannot be read: {exc.strerror or exc}") from exc
    if not isinstance(data, bytes):
        raise UsageError("the file to send is open for text; open it with 'rb'")
    return data


def _is_piece(piece: object) -> bool:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise UsageError(f"a body yields {type(piece).__name__}; it has to yield bytes")
    return len(piece) > 0


async def _each(given: Iterable[bytes]) -> AsyncGenerator[bytes | memoryview, None]:
    pieces: Iterator[bytes] = iter(given)
    for piece in pieces:
        if _is_piece(piece):
            yield piece


async def _checked(given: AsyncIterable[bytes]) -> AsyncGenerator[bytes | memoryview, None]:
    async for piece in given:
        if _is_piece(piece):
            yield piece
