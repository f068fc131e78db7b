"""What WSGI applications do wrong, and what their clients see of it: never half an answer that looks whole.

After each fault the server answers the next client. Each is tried in threads and on the loop, on real sockets.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.gateway.wsgi_stage import TEXT, Application, Environ, Start, put_on, read_answer
from tests.server.stage import LOOPS, PATIENCE_S, Peer, Stage, get

from portico.gateway.wsgi_input import ClientDisconnected


def length(count: int) -> tuple[str, str]:
    return ("Content-Length", str(count))


def give(status: str, headers: Any, body: Callable[[], Any]) -> Application:
    def app(environ: Environ, start_response: Start) -> Any:
        start_response(status, headers)
        return body()

    return app


def raise_first(environ: Environ, start_response: Start) -> Any:
    raise ZeroDivisionError


def raise_after_start(environ: Environ, start_response: Start) -> Any:
    start_response("200 OK", [TEXT])
    raise ZeroDivisionError


def leave(environ: Environ, start_response: Start) -> Any:
    raise SystemExit(3)


def interrupt(environ: Environ, start_response: Start) -> Any:
    raise KeyboardInterrupt


def never_start(environ: Environ, start_response: Start) -> Any:
    return [b"body"]


def start_twice(environ: Environ, start_response: Start) -> Any:
    start_response("200 OK", [TEXT])
    start_response("200 OK", [TEXT])
    return [b"body"]


REFUSED: list[tuple[str, Application]] = [
    ("raises at once", raise_first),
    ("raises after start_response", raise_after_start),
    ("sys.exit", leave),
    ("KeyboardInterrupt", interrupt),
    ("never starts", never_start),
    ("starts twice", start_twice),
    ("returns nothing", lambda environ, start_response: None),
    ("returns nothing after start_response", give("200 OK", [TEXT], lambda: None)),
    ("returns a number", give("200 OK", [TEXT], lambda: 7)),
    ("text for a body", give("200 OK", [TEXT], lambda: "text")),
    ("a list of text", give("200 OK", [TEXT], lambda: ["text"])),
    ("a generator of text", give("200 OK", [TEXT], lambda: iter(["text"]))),
    ("status 99", give("99 Bottles", [TEXT], lambda: [b"x"])),
    ("status 1000", give("1000 Islands", [TEXT], lambda: [b"x"])),
    ("status 100", give("100 Continue", [TEXT], lambda: [b"x"])),
    ("status 101", give("101 Switching Protocols", [TEXT], lambda: [b"x"])),
    ("a status without a number", give("OK", [TEXT], lambda: [b"x"])),
    ("a status that is a number", give(200, [TEXT], lambda: [b"x"])),  # type: ignore[arg-type]
    ("a line break in the status", give("200 OK\r\nX-Evil: 1", [TEXT], lambda: [b"x"])),
    ("a line break in a value", give("200 OK", [("X-A", "b\r\nX-Evil: 1")], lambda: [b"x"])),
    ("a bare LF in a value", give("200 OK", [("X-A", "b\nX-Evil: 1")], lambda: [b"x"])),
    ("a NUL in a value", give("200 OK", [("X-A", "b\0")], lambda: [b"x"])),
    ("a line break in a name", give("200 OK", [("X-A: b\r\nX-Evil", "1")], lambda: [b"x"])),
    ("a value that is no text", give("200 OK", [("X-A", 7)], lambda: [b"x"])),
    ("a value beyond ISO 8859-1", give("200 OK", [("X-A", "\u4f60")], lambda: [b"x"])),
    ("headers that are no list", give("200 OK", {"X-A": "b"}, lambda: [b"x"])),
    ("headers that are no pairs", give("200 OK", ["X-A: b"], lambda: [b"x"])),
    ("two lengths", give("200 OK", [length(1), length(2)], lambda: [b"x"])),
    ("a length that is none", give("200 OK", [("Content-Length", "-1")], lambda: [b"x"])),
]


def begin_and_raise(exc: BaseException, *headers: tuple[str, str]) -> Application:
    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [TEXT, *headers])
        yield b"begun"
        raise exc

    return app


def write_and_raise(environ: Environ, start_response: Start) -> Any:
    start_response("200 OK", [TEXT])(b"begun")
    raise ZeroDivisionError


def restart_too_late(environ: Environ, start_response: Start) -> Iterator[bytes]:
    start_response("200 OK", [TEXT])
    yield b"begun"
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as exc:
        start_response("500 Oops", [TEXT], (type(exc), exc, exc.__traceback__))


CUT: list[tuple[str, Application]] = [
    ("raises in the middle", begin_and_raise(ZeroDivisionError())),
    ("raises in the middle of a known length", begin_and_raise(ZeroDivisionError(), length(10))),
    ("sys.exit in the middle", begin_and_raise(SystemExit(0))),
    ("KeyboardInterrupt in the middle", begin_and_raise(KeyboardInterrupt())),
    ("raises after write", write_and_raise),
    ("text in the middle", give("200 OK", [TEXT], lambda: iter([b"begun", "text"]))),
    ("starts again too late", restart_too_late),
]

# What is sent, whole; and whether the connection ends behind it.
MENDED: list[tuple[str, Application, bytes, bool]] = [
    ("more than its length", give("200 OK", [TEXT, length(3)], lambda: [b"12345"]), b"123", True),
    ("more, in pieces", give("200 OK", [TEXT, length(3)], lambda: iter([b"12", b"345"])), b"123", True),
    ("more, in a piece behind", give("200 OK", [TEXT, length(3)], lambda: iter([b"123", b"45"])), b"123", False),
    ("less than its length", give("200 OK", [TEXT, length(9)], lambda: [b"123"]), b"123", True),
    ("less, in pieces", give("200 OK", [TEXT, length(9)], lambda: iter([b"12", b"3"])), b"123", True),
    ("none of its length", give("200 OK", [TEXT, length(9)], list), b"", True),
    ("a length and chunks", give("200 OK", [length(1), ("Transfer-Encoding", "chunked")], lambda: [b"1"]), b"1", False),
    ("fields of the connection", give("200 OK", [("Keep-Alive", "x"), ("Upgrade", "h2")], lambda: [b"1"]), b"1", False),
    ("Connection: close", give("200 OK", [("Connection", "close")], lambda: [b"123"]), b"123", True),
    ("204 with a body", give("204 No Content", [], lambda: [b"123"]), b"", False),
    ("304 with a body", give("304 Not Modified", [], lambda: [b"123"]), b"", False),
    ("304 with a length", give("304 Not Modified", [length(3)], lambda: iter([b"123"])), b"", False),
]  # fmt: skip


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


@pytest.fixture(params=[2, 0], ids=["threads", "loop"])
def threads(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


def ids(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    return [row[0] for row in rows]


def on_demand(app: Application) -> Application:
    """The application at /fault, and one without fault beside it."""

    def both(environ: Environ, start_response: Start) -> Any:
        if environ["PATH_INFO"] == "/fault":
            return app(environ, start_response)
        start_response("200 OK", [TEXT])
        return [b"well"]

    return both


async def is_well(peer: Peer) -> bool:
    await peer.send(get("/"))
    return (await read_answer(peer))[1] == b"well"


@pytest.mark.parametrize("app", [row[1] for row in REFUSED], ids=ids(REFUSED))
def test_before_the_answer_a_fault_is_a_500(
    stage: Stage, threads: int, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        await put_on(stage, on_demand(app), is_valid=False, threads=threads)
        peer = await stage.connect()
        for _ in range(2):
            await peer.send(get("/fault"))
            head, _ = await read_answer(peer)
            assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
            assert b"Evil" not in head
            assert await is_well(peer)
        assert [record.status for record in await stage.logged(4)] == [500, 200] * 2

    stage.run(play())
    assert [record.getMessage() for record in caplog.records] == ["the application failed on GET /fault"] * 2
    assert all(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("app", [row[1] for row in CUT], ids=ids(CUT))
def test_in_the_middle_of_the_answer_a_fault_cuts_the_connection(
    stage: Stage, threads: int, app: Application, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        await put_on(stage, on_demand(app), is_valid=False, threads=threads)
        for _ in range(2):
            peer = await stage.connect()
            await peer.send(get("/fault"))
            data = b""
            with_end = b"0\r\n\r\n"
            try:
                while piece := await peer.read(1):
                    data += piece
            except ConnectionError:
                pass
            assert not data.endswith(with_end)
            assert await is_well(await stage.connect())

    stage.run(play())
    assert [record.getMessage() for record in caplog.records] == ["the application failed on GET /fault"] * 2


@pytest.mark.parametrize(("app", "body", "is_last"), [row[1:] for row in MENDED], ids=ids(MENDED))
def test_framing_is_the_server_s(stage: Stage, threads: int, app: Application, body: bytes, is_last: bool) -> None:
    async def play() -> None:
        await put_on(stage, on_demand(app), is_valid=False, threads=threads)
        peer = await stage.connect()
        await peer.send(get("/fault"))
        head = await peer.read_head()
        assert head.lower().count(b"\r\ncontent-length:") <= 1
        assert b"\r\nTransfer-Encoding:" not in head
        assert b"Upgrade" not in head
        assert await peer.read(len(body)) == body
        if is_last:
            assert await peer.read_all() == b""
            peer = await stage.connect()
        assert await is_well(peer)

    stage.run(play())


@pytest.mark.parametrize(
    "body", [lambda: [b"12345"], lambda: iter([b"123", b"45"]), list], ids=["a piece", "pieces", "nothing"]
)
def test_nothing_follows_the_head_of_a_head(stage: Stage, threads: int, body: Callable[[], Any]) -> None:
    async def play() -> None:
        await put_on(stage, on_demand(give("200 OK", [TEXT], body)), is_valid=False, threads=threads)
        peer = await stage.connect()
        await peer.send(get("/fault", method="HEAD"))
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await is_well(peer)

    stage.run(play())


TARGETS = ["/%00", "/%", "/%zz", "/%2e%2e/x", "//", "/?\x7f", "/\xff", "/" + "a/" * 2000, "/?" + "a" * 4000]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: ascii(target)[:12])
def test_no_url_harms(stage: Stage, threads: int, target: str) -> None:
    async def play() -> None:
        await put_on(stage, on_demand(raise_first), is_valid=False, threads=threads)
        peer = await stage.connect()
        await peer.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin-1"))
        head, _ = await read_answer(peer)
        assert head[9:12] in (b"200", b"400")
        assert await is_well(await stage.connect())

    stage.run(play())


def test_an_application_that_never_returns(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Its client is told, and others have threads; what comes in the end is dropped."""
    let_go = threading.Event()

    def app(environ: Environ, start_response: Start) -> Any:
        assert let_go.wait(PATIENCE_S)
        start_response("200 OK", [TEXT])
        return [b"too late"]

    async def play() -> None:
        gateway = await put_on(stage, on_demand(app), is_valid=False, threads=1, max_threads=3, answer_timeout=5.0)
        pool = gateway.pool
        assert pool is not None
        peers = [await stage.connect() for _ in range(2)]
        for peer in peers:
            await peer.send(get("/fault"))
        await stage.until(lambda: pool.busy == 2)
        assert await is_well(await stage.connect())
        stage.pass_time(6)
        for peer in peers:
            assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        let_go.set()
        await stage.until(lambda: pool.busy == 0)
        assert await is_well(await stage.connect())

    stage.run(play())
    assert caplog.records == []


def test_writing_after_the_end(stage: Stage) -> None:
    writes: list[Callable[[bytes], object]] = []

    def app(environ: Environ, start_response: Start) -> Any:
        writes.append(start_response("200 OK", [TEXT]))
        return [b"whole"]

    async def play() -> None:
        gateway = await put_on(stage, on_demand(app), is_valid=False)
        peer = await stage.connect()
        await peer.send(get("/fault"))
        assert (await read_answer(peer))[1] == b"whole"
        with pytest.raises(ClientDisconnected):
            writes[0](b"more")
        assert await is_well(peer)
        gateway.close()

    stage.run(play())


def phases() -> Iterator[tuple[str, bytes]]:
    whole = get("/fault", "Content-Length: 100000", method="POST") + b"x" * 100_000
    yield "before the head", b""
    yield "in the head", whole[:20]
    yield "behind the head", whole[: whole.index(b"\r\n\r\n") + 4]
    yield "in the buffered body", whole[:1000]
    yield "in the streamed body", whole[:90_000]
    yield "waiting for the answer", whole
    yield "with another behind", whole + whole


def close(peer: Peer) -> None:
    peer.sock.close()


@pytest.mark.parametrize("data", [row[1] for row in phases()], ids=ids(phases()))
def test_a_client_that_goes_in_any_phase(
    stage: Stage, threads: int, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: Environ, start_response: Start) -> Any:
        environ["wsgi.input"].read(-1)
        start_response("200 OK", [TEXT])
        return (b"x" * 65536 for _ in range(100))

    async def play() -> None:
        gateway = await put_on(stage, on_demand(app), threads=threads)
        ways: list[Callable[[Peer], None]] = [Peer.reset, Peer.half_close, close]
        peers = [await stage.accepted(window=4096) for _ in ways]
        for peer, go in zip(peers, ways, strict=True):
            await peer.send(data)
            go(peer)
        assert await is_well(await stage.connect())
        pool = gateway.pool
        if pool is not None:
            await stage.until(lambda: pool.waiting == 0)

    stage.run(play())
    assert caplog.records == []


def test_garbage_for_a_body_never_reaches_the_application_as_a_whole(stage: Stage, threads: int) -> None:
    bodies: list[bytes] = []

    def app(environ: Environ, start_response: Start) -> Any:
        bodies.append(environ["wsgi.input"].read(-1))
        start_response("200 OK", [TEXT])
        return [b"x"]

    async def play() -> None:
        await put_on(stage, on_demand(app), threads=threads)
        head = get("/fault", "Transfer-Encoding: chunked", method="POST")
        for garbage in (b"5\r\nhello\r\ngarbage\r\n", b"5\r\nhelloX", b"-1\r\n", b"5 \r\nhello\r\n0\r\n\r\n"):
            peer = await stage.connect()
            await peer.send(head + garbage)
            assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert await is_well(await stage.connect())

    stage.run(play())
    assert bodies == []
