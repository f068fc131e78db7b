"""One call of a WSGI application, as PEP 3333 has it, without a word of who sends what.

    Call.open          app(environ, start_response), up to what has to be sent first
      -> bytes         that is the whole body
      -> Span          that is the whole body, in a file
      -> None          it comes in pieces: next_piece, until b""
    Call.close         once in every case

In: an application and an environ. Out: a head and pieces of a body. What an application does wrong is raised where it
does it, so that the traceback shows its own line.
"""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from portico.errors import UsageError, excerpt
from portico.gateway.environ import Environ
from portico.gateway.file_wrapper import FileWrapper
from portico.http.message import Request, Span
from portico.wire.answer import AnswerHead, AppHeads

App = Callable[[Environ, Callable[..., Any]], Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

_NOTHING: Iterator[Any] = iter(())
_NO_START = "the application gave a body without calling start_response first"


def failure(exc: BaseException) -> Exception:
    """Return what an application raised as something that costs no more than this request: sys.exit() must not."""
    if isinstance(exc, Exception):
        return exc
    return UsageError(f"the application raised {type(exc).__name__}({excerpt(str(exc))}); the server goes on")


class Call:
    """See the module.

    heads: makes heads. request: what is asked; of a HEAD no pieces are asked for, since nobody would get them.
    head: set by start_response. is_begun: something was sent, so that the head can no longer be changed.
    result: what the application returned, if it has to be exhausted and closed.
    """

    __slots__ = ("_first", "_heads", "_items", "_request", "_started", "head", "is_begun", "result")

    _first: bytes
    _started: tuple[str, list[tuple[str, str]]]

    def __init__(self, heads: AppHeads, request: Request) -> None:
        self._heads = heads
        self._request = request
        self._items: Iterator[Any] = _NOTHING
        self.result: Any = None
        self.head: AnswerHead | None = None
        self.is_begun = False

    def send(self, data: bytes) -> None:
        """Send a piece of the body now, waiting where one can."""
        raise NotImplementedError

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Take the status and the fields, as `200 OK` and a list of pairs. Returns the `write` of PEP 3333.

        exc_info: of an error that replaces an answer not yet begun; one that has begun cannot be, so it is raised.
        Raises UsageError for what may not be sent, TypeError and AssertionError as PEP 3333 would have it.
        """
        if exc_info is not None:
            if self.is_begun:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.head is not None:
            raise AssertionError("start_response was called twice; the second time needs exc_info")
        if not isinstance(status, str):
            raise TypeError(f"a status is text like '200 OK', not {type(status).__name__}")
        if not isinstance(headers, list):
            raise TypeError(f"headers are a list of (name, value) tuples, not {type(headers).__name__}")
        self.head = self._heads.of_text(status, headers)
        self._started = (status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body at once; what applications of old used instead of returning it."""
        if not isinstance(data, bytes):
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        if data:
            self.is_begun = True
            self.send(data)

    def open(self, app: App, environ: Environ) -> bytes | Span | None:
        """Call the application. Returns the body if it is known to be whole, None if it comes in pieces."""
        result = app(environ, self.start_response)
        if self.head is not None and not self.is_begun:
            kind = type(result)
            if kind is list or kind is tuple:
                # All of it is at hand, so it goes out at once and with its length.
                return result[0] if len(result) == 1 and type(result[0]) is bytes else _join(result)
            self.result = result
            if kind is FileWrapper and (span := result.span()) is not None:
                return self._measure(self.head, span)
        self.result = result
        return self._open_iterable(result)

    def _measure(self, head: AnswerHead, span: Span) -> Span:
        """Fit a file to the length that the application gave; without one, give its own."""
        if head.length is None:
            status, headers = self._started
            self.head = self._heads.of_text(status, [*headers, ("Content-Length", str(span.length))])
        elif head.length < span.length:
            return span._replace(length=head.length)
        return span

    def _open_iterable(self, result: Any) -> bytes | None:
        try:
            self._items = iter(result)
        except TypeError:
            raise TypeError(f"the application returned {type(result).__name__}, not an iterable of bytes") from None
        first = self._pull()
        head = self.head
        if head is None:
            raise AssertionError(_NO_START)
        if not self.is_begun:
            if not first or len(first) == head.length or (hasattr(result, "__len__") and len(result) == 1):
                return first
            if self._request.method == "HEAD" or not head.has_body:
                first = b""
                self._items = _NOTHING  # it may be endless, and none of it would be sent
        self._first = first
        self.is_begun = True
        return None

    def next_piece(self) -> bytes:
        """Return the next piece of a body that comes in pieces, b"" at its end."""
        if self._first:
            first, self._first = self._first, b""
            return first
        return self._pull()

    def exhaust(self) -> None:
        """Run what an iterable does after the last piece of a body whose length was known.

        Raises UsageError for a piece more, which nobody gets.
        """
        if piece := self._pull():
            raise UsageError(f"the application gave {len(piece)} bytes or more beyond its Content-Length")

    def _pull(self) -> bytes:
        for item in self._items:
            if not isinstance(item, bytes):
                raise TypeError(f"the application's body is made of {type(item).__name__}, not of bytes")
            if item:
                if self.head is None:
                    raise AssertionError(_NO_START)
                return item
        return b""

    def close(self) -> None:
        """Close what the application returned, once, whatever has happened."""
        result, self.result = self.result, None
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _join(items: list[Any] | tuple[Any, ...]) -> bytes:
    for item in items:
        if not isinstance(item, bytes):
            raise TypeError(f"the application's body is made of {type(item).__name__}, not of bytes")
    return b"".join(items)
