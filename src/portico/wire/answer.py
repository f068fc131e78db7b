"""Response heads: status and fields to bytes, framed by us and by nobody else (RFC 9112 sections 4 and 6).

`AnswerHead` validates once and can then be written many times: as before + date line + after. `WholeAnswer` adds a
body and remembers the finished bytes for as long as the date line is the same object, which is a second. `AppHeads`
makes heads of what applications say, whose field lines mostly repeat.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

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

    __slots__ = ("_after", "_before", "_written", "has_body", "has_date", "is_last", "length", "status")

    def __init__(self, status: int, fields: Iterable[tuple[str, str]], length: int | None) -> None:
        self._written: tuple[bytes, int, bytes] | None = None
        self.status = status
        self.length = length
        self.has_body = not forbids_body(status)
        self.is_last = False
        self.has_date = False
        self._before = _final_line(status)
        self._after = field_lines(fields)
        if length is not None and self.has_body:
            self._after += b"Content-Length: %d\r\n" % length

    def has_field(self, name: bytes) -> bool:
        """Tell whether the application added such a field. name: in lower case."""
        return b"\r\n%b:" % name in b"\r\n" + self._after.lower()

    def render(self, date_line: bytes, persistence: int, *, framing: bytes = b"", body: bytes = b"") -> bytes:
        """Return the head, its empty line and a body.

        date_line: `Date: ...` and what other lines the server adds. framing: a line of the codec's, or b"".
        """
        written = self._written
        if written is None or framing:
            return self._write(date_line, persistence, framing) + body
        if written[0] is not date_line or written[1] != persistence:
            self._written = written = (date_line, persistence, self._write(date_line, persistence, b""))
        return written[2] + body

    def keep(self) -> None:
        """Expect to be rendered again: keep what `render` makes, for as long as the date line is the same object."""
        self._written = (b"", Persistence.SILENT, b"")

    def _write(self, date_line: bytes, persistence: int, framing: bytes) -> bytes:
        if self.has_date:
            date_line = date_line.partition(b"\n")[2]
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

    def has_field(self, name: bytes) -> bool:
        """Tell whether its fields include this one. name: in lower case."""
        return self._head.has_field(name)

    def render(self, date_line: bytes, kind: int) -> bytes:
        """Return head and body in one piece. kind: a Persistence, plus 3 to leave the body out (HEAD)."""
        data = self._head.render(date_line, kind % 3)
        if kind < 3:
            data += self._body
        self.rendered[kind] = (date_line, data)
        return data


class _Special(NamedTuple):
    """A field that says something to us. line: how it is sent, if it is. value: of a Content-Length."""

    name: str
    line: bytes
    value: int = 0


class _Status(NamedTuple):
    status: int
    line: bytes
    has_body: bool


_CLOSE = _Special("connection", b"")
# Fields of the connection (RFC 9110 7.6.1): they are the server's to say, or nobody's.
_HOP_BY_HOP = frozenset("connection keep-alive proxy-connection te transfer-encoding upgrade".split())
_MAX_LINES, _MAX_LINE, _MAX_STATUSES, _MAX_PAIRS = 2048, 512, 256, 64
_MAX_DIGITS = 18


class AppHeads:
    """Makes heads of statuses and fields from an application.

    Field lines are remembered (2048 of at most 512 bytes; full means emptied), but never Set-Cookie, and for each
    status the last head of remembered lines. Content-Length becomes the head's length; Connection says whether the
    connection closes; other fields of the connection are left out; an application's Date stands instead of ours.
    """

    __slots__ = ("_heads", "_lines", "_statuses")

    def __init__(self) -> None:
        self._heads: dict[int | str, tuple[list[Any], AnswerHead]] = {}
        self._lines: dict[Any, bytes | _Special] = {}
        self._statuses: dict[int | str, _Status] = {}

    def of_bytes(self, status: int, pairs: Iterable[Iterable[bytes]]) -> AnswerHead:
        """Return the head of an ASGI answer. Raises UsageError for what may not be sent."""
        known = self._heads.get(status)
        if known is not None and known[0] == pairs:
            return known[1]
        return self._head(status, self._statuses.get(status) or self._learn_status(status, _read_number), pairs)

    def of_text(self, status: str, pairs: Iterable[tuple[str, str]]) -> AnswerHead:
        """Return the head of a WSGI answer. status: as `200 OK`. Raises UsageError for what may not be sent."""
        known = self._heads.get(status)
        if known is not None and known[0] == pairs:
            return known[1]
        return self._head(status, self._statuses.get(status) or self._learn_status(status, _read_status), pairs)

    def _head(self, key: int | str, status: _Status, pairs: Iterable[Iterable[Any]]) -> AnswerHead:
        head = AnswerHead.__new__(AnswerHead)
        head.status, head._before, head.has_body = status
        head.is_last = head.has_date = False
        head.length = head._written = None
        recall = self._lines.get
        lines = []
        is_known = pairs.__class__ is list
        for pair in pairs:
            line = recall(pair) if pair.__class__ is tuple else None
            if line is None:
                is_known = False
                line = self._learn(pair)
            if line.__class__ is bytes:
                lines.append(line)
            else:
                lines.append(_note(head, line))  # type: ignore[arg-type]
        head._after = b"".join(lines)
        if is_known and len(lines) <= _MAX_PAIRS:
            # A copy, for the list is the application's; what remembered lines are made of cannot change.
            self._heads[key] = (pairs.copy(), head)  # type: ignore[attr-defined]
            head.keep()
        return head

    def _learn_status(self, key: Any, read: Callable[[Any], _Status]) -> _Status:
        status = read(key)
        if len(self._statuses) >= _MAX_STATUSES:
            self._statuses.clear()
            self._heads.clear()
        self._statuses[key] = status
        return status

    def _learn(self, pair: Iterable[Any]) -> bytes | _Special:
        """Validate a field. Returns its line, b"" for one to leave out, or what else it means."""
        key = tuple(pair)
        if len(key) != 2:
            raise UsageError(f"a field is a name and a value, not {len(key)} things")
        name, value = (part.decode("latin-1") if isinstance(part, bytes) else part for part in key)
        if not (isinstance(name, str) and isinstance(value, str)):
            raise UsageError(f"a field is made of text, not of {type(name).__name__} and {type(value).__name__}")
        value = value.strip(" \t")
        check_field(name, value)
        line = f"{name}: {value}\r\n".encode("latin-1")
        meaning = _read_field(name.lower(), value, line)
        if name.lower() != "set-cookie" and len(line) <= _MAX_LINE:
            if len(self._lines) >= _MAX_LINES:
                self._lines.clear()
            self._lines[key] = meaning
        return meaning


def _note(head: AnswerHead, field: _Special) -> bytes:
    """Set in a head what a field means; return what is sent of it."""
    if field is _CLOSE:
        head.is_last = True
    elif field.name == "date":
        head.has_date = True
    elif head.length not in (None, field.value):
        raise UsageError(f"two Content-Lengths, {head.length} and {field.value}")
    else:
        is_second = head.length is not None
        head.length = field.value
        return field.line if head.has_body and not is_second else b""
    return field.line


def _read_field(name: str, value: str, line: bytes) -> bytes | _Special:
    if name == "content-length":
        if not (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS):
            raise UsageError(f"Content-Length {excerpt(value)} is not a number")
        return _Special(name, line, int(value))
    if name == "connection" and "close" in {option.strip(" \t") for option in value.lower().split(",")}:
        return _CLOSE
    if name in _HOP_BY_HOP:
        return b""
    return _Special(name, line) if name == "date" else line


def _read_number(status: int) -> _Status:
    if not isinstance(status, int):
        raise UsageError(f"a status is a number from 200 to 599, not {type(status).__name__}")
    return _Status(status, _final_line(status), not forbids_body(status))


def _read_status(text: str) -> _Status:
    """Read `200 OK`; any reason that may be sent is passed on (RFC 9112 section 4)."""
    digits, _, reason = text.partition(" ")
    if not (len(digits) == 3 and digits.isascii() and digits.isdigit()):
        raise UsageError(f"{excerpt(text)} is not a status: 200 OK")
    _final_line(int(digits))
    check_field("reason", reason.strip(" \t"))
    # The blank stays where there is no reason.
    return _Status(int(digits), f"HTTP/1.1 {digits} {reason}\r\n".encode("latin-1"), not forbids_body(int(digits)))
