"""Bodies: framed bytes to `BodyReceived` and `MessageEnded`, and back (RFC 9112 sections 6 and 7).

One reader a body, chosen from the head by the codec: a known length, chunks, or until the connection closes.
`feed(data, events)` appends what it understood and returns the bytes behind the body, or None while it wants more.
`feed_eof(events)` says that nothing more will come. Both raise PeerError; the codec turns that into an event.

`BodyWriter` is the way back. It never says more or less than the head promised without leaving a `fault`.
"""

import re
from collections.abc import Callable, Iterable

from portico.errors import PeerError, excerpt
from portico.wire.events import ENDED, BodyReceived, Event, MessageEnded
from portico.wire.fields import parse_trailers, trailer_lines

# chunk-size [ chunk-ext ]: at most 15 digits, so that no size reaches 2**60 (RFC 9112 7.1: anticipate overflow).
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]?;[\t\x20-\x7e\x80-\xff]*)?")
_MAX_CHUNK_LINE = 1024
_MAX_EXTENSIONS = 16 * 1024  # over a whole body (RFC 9112 7.1.1: limit the total)
_TOO_LARGE = "the body is larger than {} bytes, the most accepted here"
_CUT = "the connection ended in the middle of a body"


class LengthReader:
    """A body of exactly `length` bytes, length at least 1."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    def feed(self, data: bytes, events: list[Event]) -> bytes | None:
        """Take up to the rest of the body from `data`."""
        if len(data) < self._left:
            self._left -= len(data)
            if data:
                events.append(BodyReceived(data))
            return None
        events.append(BodyReceived(data[: self._left]))
        events.append(ENDED)
        return data[self._left :]

    def feed_eof(self, events: list[Event]) -> None:
        """Refuse: the length promised more."""
        raise PeerError(400, _CUT)


class CloseReader:
    """A response body that ends with the connection (RFC 9112 6.3 item 8)."""

    __slots__ = ()

    def feed(self, data: bytes, events: list[Event]) -> bytes | None:
        """Take everything."""
        if data:
            events.append(BodyReceived(data))
        return None

    def feed_eof(self, events: list[Event]) -> None:
        """End the message."""
        events.append(ENDED)


class ChunkedReader:
    """A chunked body (RFC 9112 7.1): `max_body` bounds its bytes, `max_trailer` those of its trailer section."""

    __slots__ = (
        "_buffer",
        "_extensions_left",
        "_is_complete",
        "_left",
        "_max_body",
        "_max_trailer",
        "_room",
        "_step",
        "_trailers",
    )

    def __init__(self, max_body: int, max_trailer: int) -> None:
        self._max_body = max_body
        self._max_trailer = max_trailer
        self._room = max_body
        self._extensions_left = _MAX_EXTENSIONS
        self._buffer = b""
        self._is_complete = False
        self._left = 0
        self._trailers: list[bytes] = []
        self._step: Callable[[bytes, int, list[Event]], int] = self._read_size

    def feed(self, data: bytes, events: list[Event]) -> bytes | None:
        """Take chunks from `data` until the last one.

        Each step returns where it stopped, or where it began if it wants more. Only offsets move, not bytes: a body of
        one-byte chunks would otherwise be copied once a chunk.
        """
        data = self._buffer + data
        start = 0
        while (end := self._step(data, start, events)) > start:
            start = end
            if self._is_complete:
                return data[start:]
        self._buffer = data[start:]
        return None

    def feed_eof(self, events: list[Event]) -> None:
        """Refuse: the last chunk has not come."""
        raise PeerError(400, _CUT)

    def _take_line(self, data: bytes, start: int, *, limit: int, status: int) -> bytes | None:
        """Return one CRLF-ended line of at most `limit` bytes, without its end; None if it is not complete yet."""
        end = data.find(b"\n", start, start + limit + 2)
        if end < 0:
            if len(data) - start > limit + 1:
                raise PeerError(status, f"a line of over {limit} bytes in a chunked body")
            return None
        if end == start or data[end - 1] != 13:
            raise PeerError(400, "a bare LF in a chunked body")
        return data[start : end - 1]

    def _read_size(self, data: bytes, start: int, events: list[Event]) -> int:
        line = self._take_line(data, start, limit=_MAX_CHUNK_LINE, status=400)
        if line is None:
            return start
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise PeerError(400, f"{excerpt(line)} is not a chunk size")
        self._extensions_left -= len(line) - len(match[1])
        if self._extensions_left < 0:
            raise PeerError(400, f"over {_MAX_EXTENSIONS} bytes of chunk extensions")
        self._left = int(match[1], 16)
        self._room -= self._left
        if self._room < 0:
            raise PeerError(413, _TOO_LARGE.format(self._max_body))
        self._step = self._read_data if self._left else self._read_trailer
        return start + len(line) + 2

    def _read_data(self, data: bytes, start: int, events: list[Event]) -> int:
        piece = data[start : start + self._left]
        if piece:
            events.append(BodyReceived(piece))
        self._left -= len(piece)
        if not self._left:
            self._step = self._read_chunk_end
        return start + len(piece)

    def _read_chunk_end(self, data: bytes, start: int, events: list[Event]) -> int:
        end = data[start : start + 2]
        if not b"\r\n".startswith(end):
            raise PeerError(400, "a chunk is longer than its size")
        if len(end) < 2:
            return start
        self._step = self._read_size
        return start + 2

    def _read_trailer(self, data: bytes, start: int, events: list[Event]) -> int:
        line = self._take_line(data, start, limit=self._max_trailer, status=431)
        if line is None:
            return start
        if line:
            self._max_trailer -= len(line) + 2
            if self._max_trailer < 0:
                raise PeerError(431, "the trailer section is too large")
            self._trailers.append(line)
        else:
            events.append(MessageEnded(parse_trailers(self._trailers)))
            self._is_complete = True
        return start + len(line) + 2


BodyReader = LengthReader | CloseReader | ChunkedReader


class BodyWriter:
    """The outgoing body of one message.

    length: what the head promised; None for a body that chunks or the end of the connection delimit.
    fault: why the body did not fit its length, "" while it does.
    """

    __slots__ = ("_is_chunked", "_left", "fault")

    def __init__(self, length: int | None, *, is_chunked: bool) -> None:
        self._is_chunked = is_chunked
        self._left = length
        self.fault = ""

    def write(self, data: bytes | memoryview) -> list[bytes | memoryview]:
        """Frame a piece of the body; what goes beyond the length is cut off."""
        if self._is_chunked:
            return [b"%x\r\n" % len(data), data, b"\r\n"] if data else []
        if self._left is not None:
            if len(data) > self._left:
                self.fault = "the body is longer than its Content-Length; the rest was cut"
                data = data[: self._left]
            self._left -= len(data)
        return [data] if data else []

    def skip(self, count: int) -> None:
        """Count bytes of a body of known length that were sent by other means."""
        if self._left is not None:
            self._left -= count

    def end(self, trailers: Iterable[tuple[str, str]] = ()) -> bytes:
        """Close the body. trailers: only chunks can carry them, otherwise they are left out."""
        if self._is_chunked:
            return b"0\r\n" + trailer_lines(trailers) + b"\r\n"
        if self._left:
            self.fault = f"the body is {self._left} bytes shorter than its Content-Length"
        return b""
