"""Field lines: bytes to `Field`, strictly (RFC 9112 section 5), and back.

In: the lines of a head or trailer section without their CRLF; out: validated `Field`s and the map of their values.
A line is refused with 400 for a bare CR or LF, a control byte, white space before the colon, folding
(RFC 9112 5.2) or a name that is no token; Host, Content-Length and Transfer-Encoding are checked here too,
so that a line that is remembered needs no second look. The other way, a name or value that may not be sent is a
UsageError, and framing fields are left out: they belong to the codec.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from portico.errors import PeerError, UsageError, excerpt
from portico.http.fields import is_field_name, is_field_value
from portico.http.message import Field

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# uri-host [":" port] (RFC 3986 3.2.2), without a comma: a list of hosts is two Host fields in disguise.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~!$&'()*+;=%]{1,255})(?::[0-9]{0,5})?")
_LENGTH = re.compile(r"[0-9]{1,18}")

# What a trailer section must not carry: framing, routing, authentication (RFC 9110 6.5.1).
_NOT_IN_TRAILERS = frozenset(
    "authorization connection content-encoding content-length content-range content-type cookie host "
    "set-cookie te trailer transfer-encoding".split()
)


def is_authority(text: str) -> bool:
    """Tell whether `text` is `host` or `host:port`, with neither user information nor path."""
    return _HOST.fullmatch(text) is not None


def _check_host(value: str) -> None:
    if not is_authority(value):
        raise PeerError(400, f"Host {excerpt(value)} is not a single host with an optional port")


def _check_length(value: str) -> None:
    if _LENGTH.fullmatch(value) is None:
        raise PeerError(400, f"Content-Length {excerpt(value)} is not a plain number")


def _check_coding(value: str) -> None:
    # Nothing but blanks is trimmed: str.strip() would also take 0x85 and 0xa0, and so hide a coding that others see.
    codings = [coding.strip(" \t").lower() for coding in value.split(",")]
    if codings == ["chunked"]:
        return
    if codings[-1] == "chunked" and "chunked" not in codings[:-1]:
        raise PeerError(501, f"Transfer-Encoding {excerpt(value)}: only chunked is supported")
    raise PeerError(400, f"Transfer-Encoding {excerpt(value)}: chunked must come last, once")


_LINE_CHECKS: dict[str, Callable[[str], None]] = {
    "host": _check_host,
    "content-length": _check_length,
    "transfer-encoding": _check_coding,
}


def parse_field_line(line: bytes) -> Field:
    """Parse one field line.

    line: without its CRLF; any bytes.
    Raises PeerError (400, or 501 for a transfer coding we do not know).
    """
    name, colon, value = line.partition(b":")
    if not colon or _TOKEN.fullmatch(name) is None:
        # Without what follows the colon: it may be a password.
        raise PeerError(400, f"{excerpt(name)} does not begin a field line: a token, then a colon")
    if _CONTROL.search(value):
        raise PeerError(400, f"field {excerpt(name)} has a control byte in its value")
    raw = (name.lower(), value.strip(b" \t"))
    text = raw[0].decode("ascii")
    field = Field(text, raw[1].decode("latin-1"), raw, "HTTP_" + text.upper().replace("-", "_"))
    check = _LINE_CHECKS.get(text)
    if check is not None:
        check(field.value)
    return field


def parse_cookie(value: bytes) -> str:
    """Validate the value of a Cookie line, which differs with every client and many a request."""
    text = value.decode("latin-1").strip(" \t")
    # isprintable is the fast answer; it says no to a tab and to some bytes from 0x80, so the exact one is asked then.
    if not text.isprintable() and _CONTROL.search(value):
        raise PeerError(400, "field b'Cookie' has a control byte in its value")
    return text


def merge_values(fields: Iterable[Field]) -> dict[str, str]:
    """Map lower-case names to values, repeated lines joined as RFC 9110 5.3 and RFC 9113 8.2.3 (cookie) say.

    Raises PeerError(400) for a second Host, Content-Length or Transfer-Encoding.
    """
    values: dict[str, str] = {}
    for name, value, _, _ in fields:
        if name not in values:
            values[name] = value
        elif name in _LINE_CHECKS:
            raise PeerError(400, f"{name} is given twice")
        else:
            values[name] += ("; " if name == "cookie" else ", ") + value
    return values


def parse_trailers(lines: Sequence[bytes]) -> tuple[Field, ...]:
    """Parse the lines of a trailer section; a field that may not stand there is a PeerError(400)."""
    fields = tuple(map(parse_field_line, lines))
    for field in fields:
        if field.name in _NOT_IN_TRAILERS:
            raise PeerError(400, f"{field.name} in a trailer section")
    return fields


# What an application may not say of its message: the codec does.
_OURS = frozenset(("connection", "content-length", "date", "keep-alive", "transfer-encoding"))


def check_field(name: str, value: str) -> None:
    """Refuse with UsageError what an application may not put on the wire."""
    if not is_field_name(name):
        raise UsageError(f"{excerpt(name)} is not a field name")
    if not is_field_value(value):
        raise UsageError(f"the value of {name}, {excerpt(value)}, has characters that no field may carry")


def is_framing(name: str) -> bool:
    """Tell whether a field frames the message, so that only the codec may write it."""
    return name.lower() in _OURS


def field_lines(fields: Iterable[tuple[str, str]]) -> bytes:
    """Write field lines; names and values are validated, framing fields left out: they are the server's."""
    lines = []
    for name, value in fields:
        check_field(name, value)
        if name.lower() not in _OURS:
            lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def trailer_lines(fields: Iterable[tuple[str, str]]) -> bytes:
    """Write the lines of a trailer section; UsageError for a field that may not stand there (RFC 9110 6.5.1)."""
    pairs = tuple(fields)
    for name, _ in pairs:
        if name.lower() in _NOT_IN_TRAILERS - _OURS:
            raise UsageError(f"{name} cannot be sent behind a body; send it in the head")
    return field_lines(pairs)
