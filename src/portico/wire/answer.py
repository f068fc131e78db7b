"""Response heads: status and fields to bytes, framed by us and by nobody else (RFC 9112 sections 4 and 6).

`AnswerHead` validates once and can then be written many times: as before + date line + after. `WholeAnswer` adds a
body and remembers the finished bytes for as long as the date line is the same object, which is a second. `AppHeads`
makes heads of what applications say, whose field lines mostly repeat.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from portico.errors import UsageError, excerpt
from portico.http.status import forbids_body, reason_phrase
from portico.wire.fields import check_field, field_lines


class Persistence:
    """What the answer says of the connection (RFC 9112 9.3, and C.2.2 for HTTP/1.0 clients)."""

    SILENT: Final = 0  # an HTTP/1.1 peer takes persistence for granted
    CLOSE: Final = 1
    KEEP: Final = 2  # an HTTP/1.0 peer must be told


_CONNECTION_LINES = (b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n")


def _final_line(status: int) -> bytes:
    if status < 200:
        raise UsageError(f"{status} is not a final status (200 to 599)")
    return status_line(status)


def status_line(status: int) -> bytes:
    """Write the status line. Raises UsageError for a status outside 100 to 599."""
    if not 100 <= status <= 599:
        raise UsageError(f"{status} is not an HTTP status code (100 to 599)")
    return f"HTTP/1.1 {status} {reason_phrase(status)}\r\n".encode("latin-1")


CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


class AnswerHead:
    """A validated final response head whose framing is chosen for each peer.

    status: 200 to 599. fields: what the application adds.
    length: bytes of the body, or None when it is not known beforehand.
    has_body: its status allows one. is_last: the connection closes behind it. Raises UsageError for what may not be
    sent.
    """

    __slots__ = ("_after", "_before", "has_body", "has_date", "is_last", "length", "status")

    def __init__(self, status: int, fields: Iterable[tuple[str, str]], length: int | None) -> None:
        self._set(status, _final_line(status), field_lines(fields), length)

    def _set(self, status: int, line: bytes, lines: bytes, length: int | None) -> None:
        self.status = status
        self.length = length
        self.has_body = not forbids_body(status)
        self.is_last = False
        self.has_date = False
        self._before = line
        self._after = lines
        if length is not None and self.has_body:
            self._after += b"Content-Length: %d\r\n" % length

    @classmethod
    def prepared(cls, status: int, line: bytes, lines: bytes, length: int | None) -> "AnswerHead":
        """Return a head from bytes that are known to be valid. line: the status line. lines: the field lines."""
        head = cls.__new__(cls)
        head._set(status, line, lines, length)
        return head

    def render(self, date_line: bytes, persistence: int, *, framing: bytes = b"") -> bytes:
        """Return the head with its empty line. date_line: `Date: ...` with its CRLF. framing: a line that belongs."""
        if self.has_date:
            date_line = b""
        return b"".join((self._before, date_line, self._after, framing, _CONNECTION_LINES[persistence], b"\r\n"))


class WholeAnswer:
    """A response whose body is at hand; rendered once a second for each kind of peer, however often it is sent.

    body: bytes; dropped for a status that forbids one (RFC 9110 6.4.1).
    rendered: the last date line and what `render` made with it, for each kind.
    """

    __slots__ = ("_body", "_head", "length", "rendered", "status")

    def __init__(self, status: int, fields: Iterable[tuple[str, str]], body: bytes) -> None:
        self._body = b"" if forbids_body(status) else body
        self._head = AnswerHead(status, fields, len(body))
        self.rendered: list[tuple[bytes, bytes]] = [(b"", b"")] * 6
        self.status = status
        self.length = len(self._body)

    def render(self, date_line: bytes, kind: int) -> bytes:
        """Return head and body in one piece. kind: a Persistence, plus 3 to leave the body out (HEAD)."""
        data = self._head.render(date_line, kind % 3)
        if kind < 3:
            data += self._body
        self.rendered[kind] = (date_line, data)
        return data


class _Length(int):
    """The value of an application's Content-Length."""


class _Date(bytes):
    """The line of an application's own Date."""


_CLOSE = object()
# Fields of the connection (RFC 9110 7.6.1): they are the server's to say, or nobody's.
_HOP_BY_HOP = frozenset("connection keep-alive proxy-connection te transfer-encoding upgrade".split())
_MAX_LINES, _MAX_LINE, _MAX_STATUSES = 2048, 512, 256

Pair = tuple[bytes, bytes] | tuple[str, str]


class AppHeads:
    """Makes heads of statuses and fields from an application.

    Field lines are remembered (2048 of at most 512 bytes; full means emptied), but never Set-Cookie. Content-Length
    becomes the head's length; Connection says whether the connection closes; other fields of the connection are left
    out; an application's Date stands instead of ours.
    """

    __slots__ = ("_lines", "_statuses")

    def __init__(self) -> None:
        self._lines: dict[Any, Any] = {}
        self._statuses: dict[int | str, tuple[int, bytes]] = {}

    def of_bytes(self, status: int, pairs: Iterable[Iterable[bytes]]) -> AnswerHead:
        """Return the head of an ASGI answer. Raises UsageError for what may not be sent."""
        known = self._statuses.get(status) or self._learn_status(status, lambda: (status, _final_line(status)))
        return self._head(known, pairs)

    def of_text(self, status: str, pairs: Iterable[tuple[str, str]]) -> AnswerHead:
        """Return the head of a WSGI answer. status: as `200 OK`. Raises UsageError for what may not be sent."""
        known = self._statuses.get(status) or self._learn_status(status, lambda: _parse_status(status))
        return self._head(known, pairs)

    def _head(self, status: tuple[int, bytes], pairs: Iterable[Iterable[Any]]) -> AnswerHead:
        recall = self._lines.get
        lines = []
        length: int | None = None
        head_date = is_last = False
        for pair in pairs:
            line = (recall(pair) if pair.__class__ is tuple else None) or self._learn(pair)
            kind = line.__class__
            if kind is bytes:
                lines.append(line)
            elif kind is _Length:
                if length is not None and length != line:
                    raise UsageError(f"two Content-Lengths, {length} and {line}")
                length = int(line)
            elif kind is _Date:
                head_date = True
                lines.append(line)
            else:
                is_last = True
        head = AnswerHead.prepared(status[0], status[1], b"".join(lines), length)
        head.is_last = is_last
        head.has_date = head_date
        return head

    def _learn_status(self, key: int | str, make: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        known = make()
        if len(self._statuses) >= _MAX_STATUSES:
            self._statuses.clear()
        self._statuses[key] = known
        return known

    def _learn(self, pair: Iterable[Any]) -> Any:
        """Validate a field and return what it means: a line, a _Length, a _Date, _CLOSE; b"" for one to leave out."""
        key = tuple(pair)
        if len(key) != 2:
            raise UsageError(f"a field is a name and a value, not {len(key)} things")
        name, value = (part.decode("latin-1") if isinstance(part, bytes) else part for part in key)
        if not (isinstance(name, str) and isinstance(value, str)):
            raise UsageError(f"a field is made of text, not of {type(name).__name__} and {type(value).__name__}")
        value = value.strip(" \t")
        check_field(name, value)
        lower = name.lower()
        line = _read_field(lower, value, f"{name}: {value}\r\n".encode("latin-1"))
        if lower != "set-cookie" and len(line if isinstance(line, bytes) else b"") <= _MAX_LINE:
            if len(self._lines) >= _MAX_LINES:
                self._lines.clear()
            self._lines[key] = line
        return line


def _read_field(name: str, value: str, line: bytes) -> Any:
    if name == "content-length":
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise UsageError(f"Content-Length {excerpt(value)} is not a number")
        return _Length(value)
    if name == "connection" and "close" in {option.strip(" \t") for option in value.lower().split(",")}:
        return _CLOSE
    if name in _HOP_BY_HOP:
        return b""
    return _Date(line) if name == "date" else line


def _parse_status(text: str) -> tuple[int, bytes]:
    """Read `200 OK`; any reason that may be sent is passed on (RFC 9112 section 4)."""
    digits, _, reason = text.partition(" ")
    if not (len(digits) == 3 and digits.isascii() and digits.isdigit()):
        raise UsageError(f"{excerpt(text)} is not a status: 200 OK")
    _final_line(int(digits))
    check_field("reason", reason.strip(" \t"))
    return int(digits), f"HTTP/1.1 {text}\r\n".encode("latin-1")
