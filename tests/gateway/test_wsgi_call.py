from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portico.errors import UsageError
from portico.gateway.file_wrapper import FileWrapper
from portico.gateway.wsgi_call import Call, failure
from portico.http.message import Request, Span
from portico.settings import Limits
from portico.wire.answer import AppHeads
from portico.wire.head import HeadMemo, parse_request

Start = Callable[..., Callable[[bytes], None]]


def asked(method: str = "GET") -> Request:
    return parse_request(f"{method} / HTTP/1.1\r\nHost: a".encode(), Limits(), HeadMemo())


class Sent(Call):
    """A call that keeps what `write` sends."""

    def __init__(self, method: str = "GET") -> None:
        super().__init__(AppHeads(), asked(method))
        self.written: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.written.append(data)

    def whole(self, app: Callable[[dict[str, Any], Start], Any]) -> list[bytes]:
        """Return everything that would be sent, as it would be: one piece if it is known to be all."""
        body = self.open(app, {})
        if body is None:
            pieces = []
            while piece := self.next_piece():
                pieces.append(piece)
            return self.written + pieces
        assert isinstance(body, bytes)
        self.exhaust()
        return [body]


def answering(
    result: Callable[[], Any], status: str = "200 OK", *headers: tuple[str, str]
) -> Callable[[dict[str, Any], Start], Any]:
    def app(environ: dict[str, Any], start_response: Start) -> Any:
        start_response(status, list(headers))
        return result()

    return app


class Sized:
    """One piece, and `len` says so (PEP 3333, "Handling the Content-Length Header")."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        yield b"sized"


LENGTH = ("Content-Length", "4")
BODIES = [
    ("one piece", lambda: [b"body"], (), [b"body"]),
    ("a tuple", lambda: (b"bo", b"dy"), (), [b"body"]),
    ("a list of pieces goes out at once", lambda: [b"bo", b"", b"dy"], (), [b"body"]),
    ("a subclass of bytes", lambda: [type("Bytes", (bytes,), {})(b"body")], (), [b"body"]),
    ("nothing", lambda: [], (), [b""]),
    ("nothing, from an iterator", lambda: iter([]), (), [b""]),
    ("nothing but emptiness", lambda: iter([b"", b""]), (), [b""]),
    ("pieces from an iterator", lambda: iter([b"", b"bo", b"", b"dy"]), (), [b"bo", b"dy"]),
    ("an iterator whose length is known", lambda: iter([b"body", b""]), (LENGTH,), [b"body"]),
    ("an iterator that begins within its length", lambda: iter([b"bo", b"dy"]), (LENGTH,), [b"bo", b"dy"]),
    ("an iterable with a len of 1", Sized, (), [b"sized"]),
    ("text for no good reason, but bytes", lambda: b"by", (), None),
]


@pytest.mark.parametrize(("result", "headers", "pieces"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_bodies(result: Callable[[], Any], headers: tuple[tuple[str, str], ...], pieces: list[bytes] | None) -> None:
    call = Sent()
    if pieces is None:  # iterating over bytes gives numbers
        with pytest.raises(TypeError, match="made of int, not of bytes"):
            call.whole(answering(result, "200 OK", *headers))
        return
    assert call.whole(answering(result, "200 OK", *headers)) == pieces
    assert call.head is not None
    assert call.is_begun == (len(pieces) > 1)


def late(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """Start when the first piece is asked for, as a generator does."""
    yield b""
    start_response("201 Created", [])
    yield b"late"


def writing(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    write(b"writ")
    write(b"")
    write(b"ten ")
    return [b"and returned"]


def writing_only(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [])(b"written")
    return []


def test_a_generator_may_start_late() -> None:
    call = Sent()
    assert call.whole(late) == [b"late"]
    assert call.head is not None
    assert call.head.status == 201


def test_write_comes_first() -> None:
    assert Sent().whole(writing) == [b"writ", b"ten ", b"and returned"]
    assert Sent().whole(writing_only) == [b"written"]


def endless() -> Iterator[bytes]:
    while True:
        yield b"x"


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 x")])
def test_what_has_no_body_is_not_asked_for_one(method: str, status: str) -> None:
    call = Sent(method)
    assert call.whole(answering(endless, status)) == []
    assert call.is_begun


def restarting(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [("X-First", "1")])
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as exc:
        start_response("500 Oops", [("X-Second", "2")], (type(exc), exc, exc.__traceback__))
    return [b"sorry"]


def restarting_too_late(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield b"begun"
    try:
        raise ZeroDivisionError("too late")
    except ZeroDivisionError as exc:
        start_response("500 Oops", [], (type(exc), exc, exc.__traceback__))


def test_an_error_replaces_an_answer_that_has_not_begun() -> None:
    call = Sent()
    assert call.whole(restarting) == [b"sorry"]
    assert call.head is not None
    assert call.head.status == 500


def test_an_error_cannot_replace_an_answer_that_has_begun() -> None:
    with pytest.raises(ZeroDivisionError, match="too late"):
        Sent().whole(restarting_too_late)


def start_twice(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def write_text(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [])("text")  # type: ignore[arg-type]
    return []


def never_start(result: Any) -> Callable[[dict[str, Any], Start], Any]:
    return lambda environ, start_response: result


FAULTS: list[tuple[str, Any, type[Exception], str]] = [
    ("starts twice", start_twice, AssertionError, "twice; the second time needs exc_info"),
    ("never starts, with a body", never_start([b"body"]), AssertionError, "without calling start_response"),
    ("never starts, with none", never_start([]), AssertionError, "without calling start_response"),
    ("never starts, with an iterator", never_start(iter([b"body"])), AssertionError, "without calling start_response"),
    ("returns nothing", answering(lambda: None), TypeError, "returned NoneType, not an iterable"),
    ("returns text", answering(lambda: "text"), TypeError, "made of str, not of bytes"),
    ("returns a list of text", answering(lambda: ["text"]), TypeError, "made of str, not of bytes"),
    ("yields text", answering(lambda: iter(["text"])), TypeError, "made of str, not of bytes"),
    ("writes text", write_text, TypeError, r"write\(\) takes bytes, not str"),
    ("status of bytes", answering(list, b"200 OK"), TypeError, "like '200 OK', not bytes"),  # type: ignore[arg-type]
    ("status 99", answering(list, "99 Bottles"), UsageError, "99"),
    ("status 1000", answering(list, "1000 x"), UsageError, "1000"),
    ("status 100", answering(list, "100 Continue"), UsageError, "100"),
    ("a line break", answering(list, "200 OK", ("X-A", "b\r\nX-Evil: 1")), UsageError, "X-A"),
    ("a line break in the status", answering(list, "200 OK\r\nX-Evil: 1"), UsageError, "Evil"),
    ("two lengths", answering(list, "200 OK", LENGTH, ("content-length", "5")), UsageError, "4 and 5"),
    ("headers of a dict", lambda e, start: start("200 OK", {"a": "b"}), TypeError, "list of .* tuples, not dict"),
    ("more than its length", answering(lambda: iter([b"body", b"!"]), "200 OK", LENGTH), UsageError, "1 bytes or more"),
]


@pytest.mark.parametrize(("app", "error", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_what_is_wrong_is_said_where_it_is_done(app: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Sent().whole(app)


class Closing:
    """An iterable that counts how often it is closed."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("items", [(), (b"a",), (b"a", b"b"), ("text",), (b"a", "text")])
@pytest.mark.parametrize("starts", [True, False])
def test_close_is_called_once(items: tuple[Any, ...], starts: bool) -> None:
    closing = Closing(*items)
    call = Sent()
    with suppress(TypeError, AssertionError):
        call.whole(answering(lambda: closing) if starts else never_start(closing))
    call.close()
    call.close()
    assert closing.closed == 1


def test_there_need_not_be_a_close() -> None:
    call = Sent()
    call.close()
    assert call.whole(answering(lambda: [b"a"])) == [b"a"]
    call.close()


@pytest.mark.parametrize(
    ("headers", "length", "head_length"), [((), 10, 10), ((LENGTH,), 4, 4), ((("Content-Length", "12"),), 10, 12)]
)
def test_a_file_is_left_to_the_kernel(
    tmp_path: Path, headers: tuple[tuple[str, str], ...], length: int, head_length: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    call = Sent()
    span = call.open(answering(lambda: FileWrapper(path.open("rb")), "200 OK", *headers), {})
    call.close()
    assert isinstance(span, Span)
    assert (span.offset, span.length) == (0, length)
    assert call.head is not None
    assert call.head.length == head_length
    span.source.close()


def test_a_file_that_is_none_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open() as text:
        with pytest.raises(TypeError, match="made of str"):
            Sent().whole(answering(lambda: FileWrapper(text)))
    with path.open("rb") as file:

        def app(environ: dict[str, Any], start_response: Start) -> Any:
            start_response("200 OK", [])(b"before ")
            return FileWrapper(file, 6)

        assert Sent().whole(app) == [b"before ", b"012345", b"6789"]


def test_the_sender_is_for_others_to_say() -> None:
    with pytest.raises(NotImplementedError):
        Call(AppHeads(), asked()).send(b"")


def test_leaving_the_process_is_no_more_than_a_failure() -> None:
    error = ValueError("x")
    assert failure(error) is error
    left = failure(SystemExit(3))
    assert isinstance(left, UsageError)
    assert str(left) == "the application raised SystemExit('3'); the server goes on"
