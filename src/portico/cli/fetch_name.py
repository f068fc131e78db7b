"""The name of the file that an answer is saved as.

In: Content-Disposition (RFC 6266), the URL, names that are taken. Out: a name, never a path: what a server sends cannot
leave the folder, hide a file or hold a control character.
"""

import re
from collections.abc import Callable
from typing import Final

from portico.http.fields import parse_parameters

# Of the 255 bytes that file systems allow: ".part.json" and " (2)" still fit.
_MOST_BYTES: Final = 230
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_CHARSETS: Final = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}


def name_of(disposition: str, url: str) -> str:
    """Choose the name to save an answer as.

    disposition: the value of Content-Disposition, "" where there is none. url: where the answer came from.
    Returns what the field says, else the last segment of the URL, else "index.html".
    """
    path = url.partition("#")[0].partition("?")[0].partition("://")[2].partition("/")[2]
    last = _unquoted(path.rpartition("/")[2]).decode("utf-8", "replace")
    return _clean(_from_disposition(disposition)) or _clean(last) or "index.html"


def _from_disposition(value: str) -> str:
    """Return the name as sent, "" for none. `filename*` counts before `filename` (RFC 6266 4.3)."""
    _, parameters = parse_parameters(value)
    charset, _, rest = parameters.get("filename*", "").partition("'")
    encoded = rest.partition("'")[2]
    if encoded and charset.lower() in _CHARSETS:  # RFC 8187 3.2.1
        return _unquoted(encoded).decode(_CHARSETS[charset.lower()], "replace")
    name = parameters.get("filename", "")
    try:
        # Field values are ISO 8859-1 by the letter, but who sends other letters sends UTF-8.
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


def _unquoted(text: str) -> bytes:
    """Undo percent-encoding (RFC 3986 2.1); a "%" that begins no escape stays."""
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode("utf-8", "replace"))


def _clean(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    # Control characters and what turns the direction of writing are no printable ones.
    kept = "".join(char for char in last if char.isprintable())
    # What begins with a dash is an option to the next command that is given "*".
    return _shortened(kept.lstrip(" .-").rstrip(". "))


def _shortened(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > 16:
        stem, dot, extension = name, "", ""
    room = _MOST_BYTES - len(f"{dot}{extension}".encode())
    return stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + dot + extension


def free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, or the first of `name (2).ext`, `name (3).ext` that is not taken."""
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    number, candidate = 1, name
    while is_taken(candidate):
        number += 1
        candidate = f"{stem} ({number}){dot}{extension}"
    return candidate
