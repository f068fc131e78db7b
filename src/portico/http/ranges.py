"""Byte ranges: which bytes a Range field asks for, and how parts of a file are labelled (RFC 9110 section 14).

In: the field value and the size of the representation; out: ranges, Content-Range values, the framing of a
multipart body. Only for GET, and only once `conditional.allows_range` agrees. The answer never holds a byte
twice and never more than `MOST_PARTS` parts, so no Range field makes an answer much larger than the file.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from portico.errors import UsageError, excerpt

MOST_PARTS = 16
# More digits than any size has; longer numbers are as good as this one.
_MOST_DIGITS = 19
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
# RFC 2046 5.1.1; no blank at the end, and only characters that need no quotes in Content-Type.
_BOUNDARY = re.compile(r"[0-9A-Za-z'+_.\-]{1,70}")


class ByteRange(NamedTuple):
    """`length` bytes from offset `start`, at least one, all within the representation."""

    start: int
    length: int


def select_ranges(value: str, size: int) -> tuple[ByteRange, ...] | None:
    """Decide which ranges of a representation a Range field selects (14.1.2, 14.2).

    value: the field value. size: of the whole representation, in bytes.
    Returns the ranges that can be satisfied, in the order sent; () where none can, which is 416; None where the
    field is to be ignored and the whole sent: it is malformed, its unit is not bytes, it asks for more than
    `MOST_PARTS` parts or for some byte twice, or the representation is empty. (A player asks every file for
    `bytes=0-`; 416 for an empty one would be an error where 200 says it all.)
    """
    unit, _, range_set = value.partition("=")
    if unit.lower() != "bytes" or size <= 0:
        return None
    specs = [spec for piece in range_set.split(",") if (spec := piece.strip(" \t"))]
    if not 1 <= len(specs) <= MOST_PARTS:
        return None
    selected: list[ByteRange] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        bounds = _resolve(match[1], match[2], size)
        if bounds is None:
            return None
        if bounds.length > 0:
            selected.append(bounds)
    return None if _has_overlap(selected) else tuple(selected)


def _resolve(first: str, last: str, size: int) -> ByteRange | None:
    """Place one spec within `size`; length 0 where it cannot be satisfied, None where it is malformed."""
    if not first:
        length = min(_number(last), size)
        return ByteRange(size - length, length) if last else None
    if last and _order(last) < _order(first):
        return None
    start = _number(first)
    end = min(_number(last) + 1, size) if last else size
    return ByteRange(start, max(0, end - start))


def _order(digits: str) -> tuple[int, str]:
    """Order numbers of any length without converting them: "last-pos less than first-pos" is malformed (14.1.1)."""
    significant = digits.lstrip("0")
    return len(significant), significant


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _has_overlap(selected: list[ByteRange]) -> bool:
    return any(left.start + left.length > right.start for left, right in pairwise(sorted(selected)))


def content_range(selected: ByteRange, size: int) -> str:
    """Write the Content-Range of one part, `bytes 0-499/1234` (14.4)."""
    return f"bytes {selected.start}-{selected.start + selected.length - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """Write the Content-Range of a 416 answer, `bytes */1234` (14.4)."""
    return f"bytes */{size}"


def multipart_parts(
    selected: Sequence[ByteRange], size: int, *, media_type: str, boundary: str
) -> tuple[list[bytes], bytes]:
    """Frame several ranges as a multipart/byteranges body (14.6).

    selected: the ranges. size: of the whole representation. media_type: its Content-Type, ISO 8859-1.
    boundary: 1 to 70 letters, digits or `'+_.-`, unguessable to whoever wrote the file.
    Returns what precedes the bytes of each range, and what follows the last. The body's Content-Length is the
    sum of all these and of the ranges' lengths; its Content-Type is `multipart/byteranges; boundary=` and the
    boundary. Raises UsageError for another boundary.
    """
    if _BOUNDARY.fullmatch(boundary) is None:
        raise UsageError(f"boundary {excerpt(boundary)} is not 1 to 70 letters, digits or '+_.-")
    head = f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: "
    preambles = [f"{head}{content_range(part, size)}\r\n\r\n".encode("latin-1") for part in selected]
    return preambles, f"\r\n--{boundary}--\r\n".encode("latin-1")
