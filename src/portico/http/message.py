"""HTTP messages as values: what a request says, what a response will say (RFC 9110 section 6).

In: nothing; out: `Field`, `Request`, `Response` and the pieces a body can be made of.

Names are lower-case text; values are text decoded as ISO 8859-1, which loses no byte. Both are valid
by construction: only `wire/` makes a Request, and it validates each line first.
"""

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple, Protocol


class Field(NamedTuple):
    """One field line, parsed and validated (RFC 9110 section 5).

    name: lower case. value: without surrounding white space, ISO 8859-1.
    raw: the same two as bytes, the name in lower case (what ASGI passes on).
    environ_key: `HTTP_ACCEPT` for `accept` (what WSGI passes on, PEP 3333).
    """

    name: str
    value: str
    raw: tuple[bytes, bytes]
    environ_key: str


class Request:
    """One request head. Immutable by convention; the same object may stand for many equal heads.

    method: as sent, case-sensitive. target: the request-target as sent.
    path: the percent-encoded path of the target, "" for authority-form, "*" for asterisk-form.
    query: what follows the first "?", without it; None where there is no "?".
    version: 10 or 11. authority: the Host (or the authority of an absolute-form target), "" on HTTP/1.0 without.
    fields: all field lines but Cookie, in order. values: lower-case name to value; repeated lines
        joined with ", ".
    cookie: the value of Cookie, "" without one; several joined with "; ". It is kept apart because it alone differs
        between otherwise equal heads, which share `fields` and `values`.
    body_length: 0 without a body, the Content-Length, or None for a chunked body.
    keep_alive: the peer wants the connection to persist. expects_continue: it waits for a 100.
    is_secret: it carries a Cookie or credentials, so nothing may be remembered under it.
    remembered: a handler may keep here what it worked out for this head, since equal heads share one object;
        None at first. Whoever reads it makes sure that it is its own.
    """

    __slots__ = (
        "authority",
        "body_length",
        "cookie",
        "expects_continue",
        "fields",
        "is_secret",
        "keep_alive",
        "method",
        "path",
        "query",
        "remembered",
        "target",
        "values",
        "version",
    )

    method: str
    target: str
    path: str
    query: str | None
    version: int
    authority: str
    fields: tuple[Field, ...]
    values: dict[str, str]
    cookie: str
    body_length: int | None
    keep_alive: bool
    expects_continue: bool
    is_secret: bool
    remembered: object

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"


class Source(Protocol):
    """Something with a fixed size that can be read at any offset: an open file, as a rule."""

    size: int

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the bytes at `offset`; return how many.

        Fewer than asked means that the source shrank. May wait for a disk. Raises Refused when that fails.
        """
        ...

    def read_hot(self, buffer: memoryview, offset: int) -> int:
        """The same without waiting for a disk; raise BlockingIOError where that cannot be done."""
        ...

    def fileno(self) -> int:
        """Return a descriptor of the same bytes for sendfile, -1 where there is none."""
        ...

    def close(self) -> None:
        """Release it. Called exactly once, by whoever sends the response."""
        ...


class Span(NamedTuple):
    """`length` bytes of `source` from `offset`."""

    source: Source
    offset: int
    length: int


StreamedBody = tuple[bytes | Span, ...] | AsyncIterator[bytes]
Body = bytes | StreamedBody


class Response(NamedTuple):
    """What a handler answers.

    status: 200 to 599. fields: name and value pairs; framing (Content-Length, Transfer-Encoding, Connection,
    Date) belongs to the server and is left out here.
    body: bytes; or pieces of known length, sent in turn; or an async iterator of unknown length. The response
    to HEAD carries the body of GET all the same; the server leaves it out and closes it.
    """

    status: int
    fields: Iterable[tuple[str, str]] = ()
    body: Body = b""
