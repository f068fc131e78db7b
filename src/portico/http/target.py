"""Paths of request targets: percent-encoded text to names and back (RFC 3986 sections 2 and 3.3).

In: `message.Request.path`; out: segments as bytes, as a file system knows them, or None where the path names
nothing. The invariant: a segment is never empty, `.` or `..`, and holds no `/` and no NUL; so joining segments
below a root stays below it. Decoding happens once, after splitting. `path_segments` undoes `encode_path`.
"""

from collections.abc import Iterable
from typing import NamedTuple

from portico.errors import UsageError, excerpt

_MARKS = ("%", "/.", "//", "\0")
_HEX = "0123456789abcdefABCDEF"
_DECODED = {(high + low).encode(): bytes.fromhex(high + low) for high in _HEX for low in _HEX}
# Unreserved (RFC 3986 2.3), and of the sub-delims those that mean nothing in HTML, in quotes or in a Link
# field. The colon is encoded: `javascript:x` must stay a name, not become a scheme.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$()*+,=@")
_ENCODED = tuple(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in range(256))


class Path(NamedTuple):
    """Where a request points. segments: names from the root down, () for the root itself.

    is_directory: the path ends in a slash (or in `/.` or `/..`, which mean the same).
    """

    segments: tuple[bytes, ...]
    is_directory: bool


def decode_path(path: str) -> bytes | None:
    """Percent-decode once: `%2541` becomes `%41`.

    path: as sent, any text. Returns None where an escape is malformed (`%`, `%4`, `%zz`), or where the result
    would hold a NUL, or for text above U+00FF, which no request holds.
    """
    try:
        first, *escaped = path.encode("latin-1").split(b"%")
        decoded = first + b"".join([_DECODED[piece[:2]] + piece[2:] for piece in escaped])
    except (UnicodeEncodeError, KeyError):
        return None
    return None if b"\0" in decoded else decoded


def path_segments(path: str) -> Path | None:
    """Split a path into decoded segments, without `.`, `..` and empty ones.

    path: as sent, without the query. Returns None where it names nothing (answer 404): it does not begin with a
    slash, `decode_path` refuses a segment, a segment holds an encoded slash, or `..` climbs above the root.
    `%2e%2e` is `..` here as it is to browsers (RFC 3986 6.2.2.2); `//` is one slash.
    """
    if not path.startswith("/"):
        return None
    if path.isascii() and not any([mark in path for mark in _MARKS]):
        # Nearly every path: nothing to decode or to resolve. Three times as fast as the loop below.
        *folders, last = path[1:].encode().split(b"/")
        return Path((*folders, last), False) if last else Path(tuple(folders), True)
    kept: list[bytes] = []
    segment: bytes | None = b""
    for piece in path.split("/"):
        segment = decode_path(piece)
        if segment is None or b"/" in segment:
            return None
        if segment == b"..":
            if not kept:
                return None
            kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    return Path(tuple(kept), segment in (b"", b".", b".."))


def encode_segment(name: bytes) -> str:
    """Percent-encode one name so that it can stand in a path, an HTML attribute or a field value.

    Raises UsageError for what no path can name: nothing, `.`, `..`, a name with a slash or a NUL.
    """
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise UsageError(f"{excerpt(name)} is no name: use one that is not empty, '.' or '..', without '/' and NUL")
    return "".join([_ENCODED[byte] for byte in name])


def encode_path(segments: Iterable[bytes], is_directory: bool) -> str:
    """Write segments as an absolute path, with a trailing slash for a directory; `/` for the root.

    The result begins with exactly one slash, so that a Location made of it never leaves this host.
    Raises UsageError for a segment that `encode_segment` refuses.
    """
    path = "/" + "/".join([encode_segment(segment) for segment in segments])
    return path + "/" if is_directory and path != "/" else path
