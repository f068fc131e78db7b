"""What a client gets for a request: `Response` for threads, `AsyncResponse` for tasks.

In: a response head, and the body while it comes. Out: its parts, as text, JSON or bytes. Both have the same names;
where AsyncResponse waits, its method is a coroutine.

Invariant: a body that was cut short is an error wherever it is read, never a shorter body.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Self

from portico.client.connection import Progress
from portico.client.incoming import PIECE, Incoming
from portico.client.network import run
from portico.errors import PeerError, Refused, UsageError, excerpt
from portico.http.fields import parse_parameters
from portico.http.url import Url
from portico.wire.charset import find_codec
from portico.wire.events import StatusHead

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CHARSET = re.compile(r"[0-9A-Za-z_.:\-]{1,40}")


class Answer:
    """A response's head, and its body once that has been read.

    status: 200 to 599. reason: as sent, often empty. version: 10 or 11.
    fields: names in lower case and values, in the order they came. values: the same as a map, repeated ones joined
    with ", ". url: what answered, after redirects, without a password. method: it was asked with.
    history: the redirects before it, the oldest first. length: of the body as it is sent, in bytes, 0 where there is
    none; None where only its end tells.
    """

    history: tuple[Self, ...] = ()

    def __init__(self, head: StatusHead, *, url: Url, method: str, incoming: Incoming, max_body: int) -> None:
        self.status = head.status
        self.reason = head.reason
        self.version = head.version
        self.fields = tuple((field.name, field.value) for field in head.fields)
        self.values = head.values
        self.length = head.body_length
        self.url = str(url)
        self.method = method
        self._incoming = incoming
        self._max_body = max_body
        self._content: bytes | None = None
        self._is_begun = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.reason} {self.url}>"

    @property
    def is_ok(self) -> bool:
        """Whether the status is a success, 200 to 299."""
        return 200 <= self.status < 300

    @property
    def encoding(self) -> str:
        """The charset that Content-Type names, in lower case; "" where it names none."""
        _, parameters = parse_parameters(self.values.get("content-type", ""))
        name = parameters.get("charset", "").lower()
        return name if _CHARSET.fullmatch(name) else ""

    def raise_for_status(self) -> Self:
        """Return this response where its status is below 400; raise Refused with the status line otherwise."""
        if self.status >= 400:
            raise Refused(f"{self.url} answers {self.status} {self.reason}".rstrip())
        return self

    def _begin(self) -> None:
        """Take down that the body is read by pieces; it goes by once."""
        if self._is_begun or self._content is not None:
            raise UsageError("the body has been read already; keep what you need of it, or use content")
        self._is_begun = True

    def _keep(self, content: bytes) -> bytes:
        self._content = content
        return content


def decode_text(content: bytes, charset: str) -> str:
    """Decode a body as browsers do: by its byte order mark, by the charset it came with, by what it can be.

    charset: "" for none; one that Python does not know counts as none. What fits nothing becomes U+FFFD.
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    for name, errors in (
        (marked, "replace"),
        (find_codec(charset), "replace"),
        ("utf-8", "strict"),
        ("gb18030", "strict"),
    ):
        try:
            if name:
                return content.decode(name, errors)
        except (LookupError, ValueError):
            continue
    return content.decode("utf-8", "replace")


def decode_json(content: bytes) -> Any:
    """Read JSON in UTF-8, UTF-16 or UTF-32. Raises PeerError(502) for what is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise PeerError(502, f"the body is not JSON ({exc}): {excerpt(content)}") from exc


class Response(Answer):
    """A response, for threads. What it is made of is described at `Answer`.

    A context manager: leaving it closes it.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def content(self) -> bytes:
        """The whole body, decoded; read now where it has not been. Raises Refused beyond `max_body`."""
        return self.read()

    @property
    def text(self) -> str:
        """The whole body as text."""
        return decode_text(self.content, self.encoding)

    def json(self) -> Any:
        """Return what the body says in JSON. Raises PeerError for what is none."""
        return decode_json(self.content)

    def read(self) -> bytes:
        """Read the whole body, decoded, and keep it. Raises Refused beyond `max_body`, Gone where it is cut short."""
        if self._content is not None:
            return self._content
        self._begin()
        return self._keep(run(self._incoming.all(self._max_body)))

    def pieces(self, limit: int = PIECE) -> Iterator[bytes]:
        """Yield the body, decoded, as it comes; each piece 1 to `limit` bytes. Once."""
        self._begin()
        while piece := run(self._incoming.decoded(limit)):
            yield piece

    def raw_pieces(self, limit: int = PIECE) -> Iterator[bytes]:
        """Yield the body as it was sent, with its Content-Encoding. Once."""
        self._begin()
        while piece := run(self._incoming.raw(limit)):
            yield piece

    def copy_to(self, fd: int, on_progress: Progress | None = None) -> int:
        """Write the body, decoded, to a descriptor; return how many bytes were written.

        fd: open for writing; it stays open. on_progress: called with the number of bytes of each piece.
        Raises Gone where the body is cut short, Refused where it cannot be written; some of it is written then.
        """
        self._begin()
        return run(self._incoming.copy_to(fd, on_progress))

    def close(self) -> None:
        """Give up what has not been read; its connection is closed. A second time does nothing."""
        self._incoming.close()


class AsyncResponse(Answer):
    """A response, for tasks. What it is made of is described at `Answer`.

    An asynchronous context manager: leaving it closes it.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def content(self) -> bytes:
        """The whole body, decoded, once `read` has been awaited, as `request` does; UsageError before."""
        if self._content is None:
            raise UsageError("the body has not been read; await response.read() first")
        return self._content

    @property
    def text(self) -> str:
        """The whole body as text, once `read` has been awaited."""
        return decode_text(self.content, self.encoding)

    def json(self) -> Any:
        """Return what the body says in JSON, once `read` has been awaited. Raises PeerError for what is none."""
        return decode_json(self.content)

    async def read(self) -> bytes:
        """Read the whole body, decoded, and keep it. Raises Refused beyond `max_body`, Gone where it is cut short."""
        if self._content is not None:
            return self._content
        self._begin()
        return self._keep(await self._incoming.all(self._max_body))

    async def pieces(self, limit: int = PIECE) -> AsyncIterator[bytes]:
        """Yield the body, decoded, as it comes; each piece 1 to `limit` bytes. Once."""
        self._begin()
        while piece := await self._incoming.decoded(limit):
            yield piece

    async def raw_pieces(self, limit: int = PIECE) -> AsyncIterator[bytes]:
        """Yield the body as it was sent, with its Content-Encoding. Once."""
        self._begin()
        while piece := await self._incoming.raw(limit):
            yield piece

    async def copy_to(self, fd: int, on_progress: Progress | None = None) -> int:
        """Write the body, decoded, to a descriptor; return how many bytes were written. As Response.copy_to."""
        self._begin()
        return await self._incoming.copy_to(fd, on_progress)

    def close(self) -> None:
        """Give up what has not been read; its connection is closed. A second time does nothing."""
        self._incoming.close()
