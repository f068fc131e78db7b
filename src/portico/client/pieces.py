"""Pieces of files: which to ask for, how to ask, and whether an answer is the piece that was asked for (RFC 9110 14).

In: sizes, the heads of answers. Out: `Piece`s, fields, decisions. Nothing here waits or writes.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from portico.client.part_file import Notes, Piece
from portico.errors import PeerError, Refused, excerpt
from portico.http.conditional import parse_entity_tags
from portico.http.dates import parse_date

if TYPE_CHECKING:
    from portico.client.response import Response

# Below this a second connection costs more than it brings.
LEAST_PIECE: Final = 4 << 20
_LARGEST_PIECE: Final = 64 << 20
_PIECES_PER_WORKER: Final = 4
# Whatever size a server claims, the notes on all pieces stay within their bound.
_MOST_PIECES: Final = 10_000
# RFC 9110 8.8.2.2: a date is a strong validator only where the file had changed well before it was sent.
_SETTLED_S: Final = 60
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class Answered(Refused):
    """The server answered, but with a status that brings no file. status: which."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the server answers {f'{status} {reason}'.strip()}; nothing is saved")
        self.status = status


class Changed(Exception):
    """The file there is another one now."""


def validator_of(values: Mapping[str, str]) -> str:
    """Return what tells one version of a file from another in If-Range, "" where nothing does.

    values: of an answer, by lower-case name. A weak ETag does not count (RFC 9110 13.1.5), nor does an answer that
    comes encoded: its next one may be encoded otherwise.
    """
    if values.get("content-encoding", "identity") != "identity":
        return ""
    tags = parse_entity_tags(values.get("etag", ""))
    if tags:
        return str(tags[0]) if len(tags) == 1 and not tags[0].is_weak else ""
    modified, sent = (parse_date(values.get(name, ""), 0) for name in ("last-modified", "date"))
    return values["last-modified"] if modified and sent and sent - modified >= _SETTLED_S else ""


def plan_pieces(start: int, size: int, workers: int) -> list[Piece]:
    """Divide what is missing of a file, from `start` on, into pieces that so many workers take in turn.

    There are more pieces than workers, so that a slow connection does not end up with a quarter of the file.
    """
    share = -(-(size - start) // (workers * _PIECES_PER_WORKER))
    length = max(min(max(share, LEAST_PIECE), _LARGEST_PIECE), -(-(size - start) // _MOST_PIECES))
    return [Piece(at, min(length, size - at)) for at in range(start, size, length)]


def conditional(validator: str, span: str) -> tuple[tuple[str, str], ...]:
    """Return the fields that ask for some bytes of one version of a file. span: as `bytes=0-499`."""
    return (("Range", span), ("If-Range", validator))


def content_range(response: "Response") -> tuple[int, int, int] | None:
    """Return where the bytes of a 206 begin, how many they are, and the size of the whole.

    None where it does not say so, and where its body is of another length or encoded: it would not fit its place.
    """
    match = _CONTENT_RANGE.fullmatch(response.values.get("content-range", ""))
    if match is None or "content-encoding" in response.values:
        return None
    first, last, size = (int(digits) for digits in match.groups())
    return (first, last - first + 1, size) if first <= last < size and response.length == last - first + 1 else None


def check_piece(response: "Response", notes: Notes, start: int, end: int | None = None) -> None:
    """Make sure that an answer is the piece that was asked for, of the same version of the same file.

    end: where it has to end, None for the end of the file. Raises Changed, Answered, PeerError.
    """
    if response.status in (412, 416):
        raise Changed
    if response.status != 206:
        raise Answered(response.status, response.reason)
    found = content_range(response)
    if found is None:
        raise PeerError(502, f"{named(response)} does not say which bytes it brings")
    if (notes.size or found[2]) != found[2] or validator_of(response.values) not in (notes.validator, ""):
        raise Changed
    if found[0] != start or found[0] + found[1] != (end or found[2]):
        raise PeerError(502, f"{named(response)} is not what was asked for, from byte {start} on")


def named(response: "Response") -> str:
    """Name an answer by what it says of its bytes, for messages."""
    return f"the answer with Content-Range {excerpt(response.values.get('content-range', ''))}"
