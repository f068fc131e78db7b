"""A call in a thread and the loop it answers to: peers that go, that are slow, and answers that come too late."""

import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wsgi_stage import TEXT, Closing, Environ, Start, answering, echo, put_on, read_answer
from tests.server.stage import Peer, Stage, get

from portico.gateway.wsgi_input import ClientDisconnected

BIG = bytes(range(256)) * 4000
PIECE = b"x" * 65536
PATIENCE_S = 10.0


class Seen:
    """What an application went through, told to the test."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.pieces = 0
        self.is_waiting = threading.Event()
        self.may_go_on = threading.Event()

    def endless(self) -> Iterator[bytes]:
        while True:
            self.pieces += 1
            yield PIECE

    def read(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Read the body, and answer whatever comes of it."""
        try:
            environ["wsgi.input"].read(-1)
        except OSError as exc:
            self.errors.append(exc)
        start_response("200 OK", [TEXT])
        return [b"read"]

    def write(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Write without end, by the callable of old."""
        write = start_response("200 OK", [TEXT])
        try:
            while True:
                self.pieces += 1
                write(PIECE)
        except OSError as exc:
            self.errors.append(exc)
        return []

    def wait(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer when the test says so."""
        self.is_waiting.set()
        assert self.may_go_on.wait(PATIENCE_S)
        start_response("200 OK", [TEXT])
        return [b"late"]


async def test_a_slow_reader_holds_the_application_back(stage: Stage) -> None:
    seen = Seen()
    closing = Closing(seen.endless())
    gateway = await put_on(stage, answering(lambda: closing))
    peer = await stage.connect(window=4096)
    await peer.send(get())
    head = await peer.read_head()
    assert b"chunked" in head
    pool = gateway.pool
    assert pool is not None
    # It stands still when the kernel, the transport and the window are full; then a read lets it go on.
    before = -1
    while before != seen.pieces:
        before = seen.pieces
        await stage.until(lambda: True)
        for _ in range(200):
            await stage.until(lambda: True)
    assert seen.pieces < 1000
    standing = seen.pieces
    await peer.read(len(PIECE) * (standing + 4))
    await stage.until(lambda: seen.pieces > standing)
    peer.reset()
    await stage.until(lambda: closing.closed == 1 and pool.busy == 0)


async def test_writing_to_a_peer_that_has_gone_raises(stage: Stage) -> None:
    seen = Seen()
    await put_on(stage, seen.write)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    peer.reset()
    await stage.until(lambda: seen.errors)
    assert isinstance(seen.errors[0], ClientDisconnected)


CUTS: list[tuple[str, bytes, Callable[[Peer], None]]] = [
    ("closed", get("/", "Content-Length: 200000", method="POST") + BIG[:100_000], Peer.half_close),
    ("reset", get("/", "Content-Length: 200000", method="POST") + BIG[:100_000], Peer.reset),
    ("chunks closed", get("/", "Transfer-Encoding: chunked", method="POST") + b"ffff\r\n" + BIG[:60_000], Peer.reset),
]


@pytest.mark.parametrize(("data", "go"), [row[1:] for row in CUTS], ids=[row[0] for row in CUTS])
async def test_a_body_that_breaks_off_raises(stage: Stage, data: bytes, go: Callable[[Peer], None]) -> None:
    seen = Seen()
    gateway = await put_on(stage, seen.read, buffer_body=1000)
    peer = await stage.connect()
    await peer.send(data)
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 1)
    go(peer)
    await stage.until(lambda: pool.busy == 0)
    assert isinstance(seen.errors[0], ClientDisconnected)


async def test_an_error_of_reading_that_nobody_catches_is_no_failure(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await put_on(stage, echo)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 200000", method="POST") + BIG[:100_000])
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 1)
    peer.reset()
    await stage.until(lambda: pool.busy == 0)
    assert caplog.records == []


async def test_reading_goes_on_failing(stage: Stage) -> None:
    """Again and again, once the peer is known to have gone."""
    errors: list[OSError] = []

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        for _ in range(3):
            try:
                environ["wsgi.input"].read(-1)
            except OSError as exc:
                errors.append(exc)
        start_response("200 OK", [TEXT])
        return [b"x"]

    await put_on(stage, app, buffer_body=0)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="POST") + b"12345")
    peer.half_close()
    await stage.until(lambda: len(errors) == 3)


async def test_garbage_in_the_chunks(stage: Stage) -> None:
    seen = Seen()
    gateway = await put_on(stage, seen.read, buffer_body=0)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 1)
    await peer.send(b"garbage\r\n")
    assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 400 Bad Request\r\n")
    await stage.until(lambda: seen.errors)


async def test_a_peer_that_goes_before_the_answer(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    gateway = await put_on(stage, seen.wait)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(seen.is_waiting.is_set)
    peer.reset()
    await stage.logged()
    seen.may_go_on.set()
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 0)
    assert caplog.records == []


@pytest.mark.parametrize("body", [b"", b"body"])
async def test_an_answer_that_comes_too_late_is_dropped(
    stage: Stage, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    gateway = await put_on(stage, seen.wait, answer_timeout=5.0)
    peer = await stage.connect()
    await peer.send(get("/", f"Content-Length: {len(body)}", method="POST") + body)
    await stage.until(seen.is_waiting.is_set)
    stage.pass_time(6)
    assert (await read_answer(peer))[0].startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    seen.may_go_on.set()
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 0)
    assert await peer.is_closed()
    assert [record.status for record in await stage.logged()] == [503]
    assert caplog.records == []


async def test_a_late_file_is_closed(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(BIG)
    seen = Seen()

    def app(environ: Environ, start_response: Start) -> Any:
        seen.wait(environ, start_response)
        return environ["wsgi.file_wrapper"](path.open("rb"))

    gateway = await put_on(stage, app, is_valid=False)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(seen.is_waiting.is_set)
    peer.reset()
    await stage.logged()
    seen.may_go_on.set()
    pool = gateway.pool
    assert pool is not None
    await stage.until(lambda: pool.busy == 0)


async def test_an_iterable_that_fails_to_close_spoils_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Closing):
        def close(self) -> None:
            raise ZeroDivisionError

    await put_on(stage, answering(lambda: Failing([b"a", b"b"])), is_valid=False)
    peer = await stage.connect()
    for count in (1, 2):
        await peer.send(get())
        assert (await read_answer(peer))[1] == b"ab"
        await stage.until(lambda count=count: len(caplog.records) == count)  # type: ignore[misc]
    assert {record.getMessage() for record in caplog.records} == {"the application failed behind its answer"}


async def test_reading_while_writing(stage: Stage) -> None:
    """Each piece of the body is answered before the next is sent."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        while line := environ["wsgi.input"].readline():
            yield line.upper()

    await put_on(stage, app, is_valid=False, buffer_body=0)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 15", method="POST"))
    for number, line in enumerate([b"one\n\n", b"two\n\n", b"six\n\n"]):
        await peer.send(line)
        if number == 0:
            await peer.read_head()
        expected = b"4\r\n" + line[:4].upper() + b"\r\n1\r\n\n\r\n"
        assert await peer.read(len(expected)) == expected
    assert await peer.read(5) == b"0\r\n\r\n"


async def test_a_file_that_is_read_block_by_block(stage: Stage) -> None:
    def app(environ: Environ, start_response: Start) -> Any:
        start_response("200 OK", [TEXT])
        return environ["wsgi.file_wrapper"](BytesIO(BIG), 10_000)

    await put_on(stage, app, is_valid=False)
    peer = await stage.connect()
    await peer.send(get())
    assert (await read_answer(peer))[1] == BIG
