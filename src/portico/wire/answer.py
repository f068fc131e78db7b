"""Response heads: status and fields to bytes, framed by us and by nobody else (RFC 9112 sections 4 and 6).

`AnswerHead` validates once and can then be written many times: as before + date line + after. `WholeAnswer` adds a
body and remembers the finished bytes for as long as the date line is the same object, which is a second.
"""

from collections.abc import Iterable
from typing import Final

from portico.errors import UsageError
from portico.http.status import forbids_body, reason_phrase
from portico.wire.fields import field_lines


class Persistence:
    """What the answer says of the connection (RFC 9112 9.3, and C.2.2 for HTTP/1.0 clients)."""

    SILENT: Final = 0  # an HTTP/1.1 peer takes persistence for granted
    CLOSE: Final = 1
    KEEP: Final = 2  # an HTTP/1.0 peer must be told


_CONNECTION_LINES = (b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n")


def status_line(status: int) -> bytes:
    """Write the status line. Raises UsageError for a status outside 100 to 599."""
    if not 100 <= status <= 599:
        raise UsageError(f"{status} is not an HTTP status code (100 to 599)")
    return f"HTTP/1.1 {status} {reason_phrase(status)}\r\n".encode("latin-1")


class AnswerHead:
    """A validated final response head whose framing is chosen for each peer.

    status: 200 to 599. fields: what the application adds.
    length: bytes of the body, or None when it is not known beforehand.
    Raises UsageError for what may not be sent.
    """

    __slots__ = ("_after", "_before", "length", "status")

    def __init__(self, status: int, fields: Iterable[tuple[str, str]], length: int | None) -> None:
        if status < 200:
            raise UsageError(f"{status} is not a final status (200 to 599)")
        self.status = status
        self.length = length
        self._before = status_line(status)
        self._after = field_lines(fields)
        if length is not None and not forbids_body(status):
            self._after += b"Content-Length: %d\r\n" % length

    def render(self, date_line: bytes, persistence: int, *, is_chunked: bool = False) -> bytes:
        """Return the head with its empty line. date_line: `Date: ...` with its CRLF."""
        coding = b"Transfer-Encoding: chunked\r\n" if is_chunked else b""
        return b"".join((self._before, date_line, self._after, coding, _CONNECTION_LINES[persistence], b"\r\n"))


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
