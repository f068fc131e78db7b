"""WSGI applications over real sockets, in threads and on the loop: both must look the same from outside."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wsgi_stage import (
    TEXT,
    Application,
    Closing,
    Environ,
    Start,
    answering,
    echo,
    put_on,
    read_answer,
    show,
)
from tests.server.stage import Stage, get

from portico.gateway.wsgi import ErrorStream

BIG = bytes(range(256)) * 4000


@pytest.fixture(params=[2, 0], ids=["threads", "loop"])
def threads(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


def post(body: bytes, *lines: str) -> bytes:
    return get("/", f"Content-Length: {len(body)}", *lines, method="POST") + body


async def test_hello(stage: Stage, threads: int) -> None:
    # The validator hides that there is one piece, and so the length.
    await put_on(stage, answering(lambda: [b"hello"]), threads=threads, is_valid=False)
    peer = await stage.connect()
    for _ in range(3):
        await peer.play(r"""
            > GET / HTTP/1.1
            > Host: a
            >
            < HTTP/1.1 200 OK
            < Date: Sun, 06 Nov 1994 08:49:37 GMT
            < Content-Type: text/plain
            < Content-Length: 5
            <
            < hello\
        """)


async def test_pipelined_requests_are_answered_in_order(stage: Stage, threads: int) -> None:
    await put_on(stage, show("QUERY_STRING"), threads=threads)
    peer = await stage.connect()
    await peer.send(b"".join(get(f"/?{number}") for number in range(50)))
    for number in range(50):
        assert (await read_answer(peer))[1] == f"['{number}']".encode()


def by_write(environ: Environ, start_response: Start) -> Iterable[bytes]:
    write = start_response("200 OK", [TEXT])
    write(b"written, ")
    return [b"returned"]


def late(environ: Environ, start_response: Start) -> Iterator[bytes]:
    yield b""
    start_response("200 OK", [TEXT])
    yield b"late"


BODIES: list[tuple[str, Application, bytes]] = [
    ("one piece", answering(lambda: [b"piece"]), b"piece"),
    ("several", answering(lambda: [b"pie", b"ce"]), b"piece"),
    ("none", answering(list), b""),
    ("a generator", answering(lambda: iter([b"pi", b"", b"ece"])), b"piece"),
    ("an empty generator", answering(lambda: iter([])), b""),
    ("a generator of known length", answering(lambda: iter([b"piece"]), ("Content-Length", "5")), b"piece"),
    ("much", answering(lambda: [BIG]), BIG),
    ("much of a generator", answering(lambda: (BIG[n : n + 7001] for n in range(0, len(BIG), 7001))), BIG),
    ("written", by_write, b"written, returned"),
    ("late", late, b"late"),
]


@pytest.mark.parametrize(("app", "body"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
async def test_bodies(stage: Stage, threads: int, app: Application, body: bytes) -> None:
    """Complete, and followed by the next; HTTP/1.0 gets no chunks."""
    # The validator wants start_response before the iteration, PEP 3333 only before the first piece.
    await put_on(stage, app, threads=threads, is_valid=app is not late)
    peer = await stage.connect()
    for _ in range(2):
        await peer.send(get())
        assert (await read_answer(peer))[1] == body
    old = await stage.connect()
    await old.send(b"GET / HTTP/1.0\r\n\r\n")
    head, _, data = (await old.read_all()).partition(b"\r\n\r\n")
    assert data == body
    assert b"chunked" not in head


@pytest.mark.parametrize("app", [answering(lambda: [b"piece"]), answering(lambda: iter([b"pi", b"ece"]))])
async def test_head(stage: Stage, threads: int, app: Application) -> None:
    await put_on(stage, app, threads=threads, is_valid=False)
    peer = await stage.connect()
    await peer.send(get(method="HEAD") + get())
    await read_answer(peer, is_head=True)
    assert (await read_answer(peer))[1] == b"piece"


UPLOADS = [
    ("small", b"a=b"),
    ("as much as is buffered", b"x" * 65536),
    ("more than is buffered", BIG),
]


@pytest.mark.parametrize("body", [row[1] for row in UPLOADS], ids=[row[0] for row in UPLOADS])
async def test_uploads(stage: Stage, threads: int, body: bytes) -> None:
    await put_on(stage, echo, threads=threads)
    peer = await stage.connect()
    for _ in range(2):
        await peer.send(post(body))
        assert (await read_answer(peer))[1] == body
    await peer.send(post(body)[:-1])
    await peer.send(body[-1:])
    assert (await read_answer(peer))[1] == body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def test_chunks(stage: Stage, threads: int) -> None:
    """A body that is there as a whole has a length, for applications that can do nothing without."""
    app = show("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "wsgi.input_terminated")
    await put_on(stage, app, threads=threads)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="POST") + chunked(b"abcdef", 4))
    assert (await read_answer(peer))[1] == b"['6', None, True]"


async def test_many_chunks(stage: Stage, threads: int) -> None:
    await put_on(stage, echo, threads=threads)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="POST") + chunked(BIG, 50_001))
    assert (await read_answer(peer))[1] == BIG


async def test_a_streamed_body_has_no_length(stage: Stage) -> None:
    await put_on(stage, show("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"), buffer_body=0)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="POST"))
    assert (await read_answer(peer))[1] == b"[None, 'chunked']"


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_go_on_is_said_when_the_application_reads(stage: Stage, threads: int) -> None:
    await put_on(stage, echo, threads=threads)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
    assert await peer.read_head() == CONTINUE
    await peer.send(b"hello")
    assert (await read_answer(peer))[1] == b"hello"


async def test_go_on_is_not_said_if_it_never_does(stage: Stage) -> None:
    await put_on(stage, answering(lambda: [b"no"]))
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
    assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 200 OK\r\n")


async def test_on_the_loop_a_body_is_received_first(stage: Stage) -> None:
    """In a file, where it is large; and an answer in pieces may follow."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        size = len(environ["wsgi.input"].read(-1))
        start_response("200 OK", [TEXT])
        yield b"%d " % size
        yield b"bytes"

    await put_on(stage, app, threads=0, buffer_body=10, is_valid=False)
    peer = await stage.connect()
    await peer.send(post(BIG))
    assert (await read_answer(peer))[1] == b"%d bytes" % len(BIG)


async def test_a_slow_body_holds_no_thread(stage: Stage) -> None:
    gateway = await put_on(stage, echo, threads=1, max_threads=1)
    slow = [await stage.connect() for _ in range(5)]
    for peer in slow:
        await peer.send(post(b"slow")[:-1])
    quick = await stage.connect()
    await quick.send(post(b"quick"))
    assert (await read_answer(quick))[1] == b"quick"
    assert gateway.pool is not None
    assert gateway.pool.waiting == 0
    for peer in slow:
        await peer.send(b"w")
        assert (await read_answer(peer))[1] == b"slow"


FILE = bytes(range(256)) * 3000


@pytest.mark.parametrize("headers", [[], [("Content-Length", "1000")]])
async def test_files(
    stage: Stage, threads: int, tmp_path: Path, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILE)

    def app(environ: Environ, start_response: Start) -> Any:
        start_response("200 OK", [TEXT, *headers])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    await put_on(stage, app, threads=threads, is_valid=False)
    peer = await stage.connect()
    for _ in range(2):
        await peer.send(get())
        assert (await read_answer(peer))[1] == FILE[: 1000 if headers else len(FILE)]
    await peer.send(get(method="HEAD") + get())
    await read_answer(peer, is_head=True)
    assert len((await read_answer(peer))[1]) == (1000 if headers else len(FILE))
    assert caplog.records == []


async def test_each_call_has_a_context_of_its_own_and_keeps_it(stage: Stage) -> None:
    """From the call to the last piece and `close`, as frameworks with context variables want it; on the loop too."""
    variable = ContextVar("variable", default="untouched")
    seen: list[str] = []

    class Pieces:
        def __init__(self) -> None:
            seen.append(variable.get())
            self.token = variable.set("set")

        def __iter__(self) -> Iterator[bytes]:
            yield b"a"
            seen.append(variable.get())
            yield b"b"

        def close(self) -> None:
            seen.append(variable.get())
            variable.reset(self.token)

    await put_on(stage, answering(Pieces), threads=0)
    peer = await stage.connect()
    for count in (1, 2):
        await peer.send(get())
        assert (await read_answer(peer))[1] == b"ab"
        await stage.until(lambda count=count: seen == ["untouched", "set", "set"] * count)  # type: ignore[misc]


async def test_close_comes_once_and_after_everything(stage: Stage, threads: int) -> None:
    made: list[Closing] = []

    def closing() -> Closing:
        made.append(Closing([b"a", b"b"]))
        return made[-1]

    await put_on(stage, answering(closing), threads=threads)
    peer = await stage.connect()
    for count in range(1, 4):
        await peer.send(get())
        assert (await read_answer(peer))[1] == b"ab"
        await stage.until(lambda count=count: [one.closed for one in made] == [1] * count)  # type: ignore[misc]


class Broken(Exception):
    """What an application raises in these tests."""


def raising(exc: BaseException) -> Application:
    def app(environ: Environ, start_response: Start) -> Any:
        raise exc

    return app


def raising_late(exc: BaseException) -> Application:
    def app(environ: Environ, start_response: Start) -> Any:
        start_response("200 OK", [TEXT])
        yield b"begun"
        raise exc

    return app


EXCEPTIONS = [Broken("x"), SystemExit(3), KeyboardInterrupt()]


@pytest.mark.parametrize("exc", EXCEPTIONS, ids=repr)
async def test_a_failure_is_a_500(
    stage: Stage, threads: int, exc: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    await put_on(stage, raising(exc), threads=threads, is_valid=False)
    peer = await stage.connect()
    for _ in range(3):
        await peer.send(get())
        assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert [record.getMessage() for record in caplog.records] == ["the application failed on GET /"] * 3
    assert all(
        type(exc).__name__ in (record.exc_text or logging.Formatter().format(record)) for record in caplog.records
    )
    assert {record.note for record in await stage.logged(3)} == {"the application failed"}


@pytest.mark.parametrize("exc", EXCEPTIONS, ids=repr)
async def test_a_failure_in_the_middle_cuts(
    stage: Stage, threads: int, exc: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    await put_on(stage, raising_late(exc), threads=threads, is_valid=False)
    for _ in range(3):
        peer = await stage.connect()
        await peer.send(get())
        assert await peer.is_closed()
    assert {record.note for record in await stage.logged(3)} == {"the application failed"}
    assert [record.getMessage() for record in caplog.records] == ["the application failed on GET /"] * 3


async def test_a_failure_behind_the_answer_is_logged(
    stage: Stage, threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"whole"
        raise Broken

    await put_on(stage, answering(pieces, ("Content-Length", "5")), threads=threads, is_valid=False)
    peer = await stage.connect()
    await peer.send(get())
    assert (await read_answer(peer))[1] == b"whole"
    await stage.until(lambda: caplog.records)


async def test_errors_go_to_the_log(stage: Stage, threads: int, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        print("said by the application", file=environ["wsgi.errors"])
        start_response("200 OK", [TEXT])
        return [b"x"]

    await put_on(stage, app, threads=threads)
    peer = await stage.connect()
    await peer.send(get())
    await read_answer(peer)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("portico.wsgi", "said by the application")
    ]


@pytest.mark.parametrize(
    ("act", "lines"),
    [
        (lambda stream: stream.write("one\ntwo\n"), ["one", "two"]),
        (lambda stream: (stream.write("on"), stream.write("e\ntw")), ["one"]),
        (lambda stream: (stream.write("100 %s"), stream.flush(), stream.flush()), ["100 %s"]),
        (lambda stream: stream.writelines(["o", "ne\n"]), ["one"]),
        (lambda stream: stream.write("x" * 9000), ["x" * 9000]),
        (lambda stream: stream.write(""), []),
    ],
)
def test_lines_of_errors(
    act: Callable[[ErrorStream], object], lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    act(ErrorStream())
    assert [record.getMessage() for record in caplog.records] == lines


async def test_what_the_application_is_told(stage: Stage, threads: int) -> None:
    keys = ("wsgi.version", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "SCRIPT_NAME", "PATH_INFO")
    await put_on(stage, show(*keys), threads=threads, root_path="/app")
    peer = await stage.connect()
    await peer.send(get("/app/x"))
    expected = repr([(1, 0), threads > 0, False, False, "/app", "/x"]).encode()
    assert (await read_answer(peer))[1] == expected


async def test_pieces_are_sent_as_they_come(stage: Stage) -> None:
    """The second is made when the first has arrived; a generator that waits for that would else wait for ever."""
    import threading

    arrived = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert arrived.wait(10)
        yield b"second"

    await put_on(stage, answering(pieces))
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    assert await peer.read(10) == b"5\r\nfirst\r\n"
    arrived.set()
    assert await peer.read(16) == b"6\r\nsecond\r\n0\r\n\r\n"[:16]


async def test_close_lets_the_threads_end(stage: Stage, threads: int) -> None:
    gateway = await put_on(stage, answering(lambda: [b"x"]), threads=threads)
    peer = await stage.connect()
    await peer.send(get())
    await read_answer(peer)
    gateway.close()
    pool = gateway.pool
    if pool is not None:
        await stage.until(lambda: pool.size == 0)


async def test_a_failure_is_shown_as_the_client_wants_it(stage: Stage, threads: int) -> None:
    await put_on(stage, raising(ValueError("oops")), threads=threads, is_valid=False)
    peer = await stage.connect()
    for accept, kind in (("text/html", b"<!doctype html>"), ("application/json", b'{"status": 500'), ("*/*", b"500 ")):
        await peer.send(get("/", f"Accept: {accept}"))
        head, body = await read_answer(peer)
        assert head.startswith(b"HTTP/1.1 500 ")
        assert body.startswith(kind)
        assert b"oops" not in body
