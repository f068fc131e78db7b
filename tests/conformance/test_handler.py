"""The handler contract, for each way to answer: what a peer sees, and what it never sees.

A handler is one callable; it answers once, at once or later, whole or in pieces. Whatever it does, the connection
carries either a complete answer and then the next one, or it ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from tests.server.stage import LOOPS, Memory, Peer, Stage, get

from portico.http.message import Body, Response, Span
from portico.server.exchange import Exchange, Handler

BODY = b"0123456789" * 50_000


async def iterate() -> AsyncIterator[bytes]:
    for start in range(0, len(BODY), 70_001):
        yield BODY[start : start + 70_001]


async def break_off() -> AsyncIterator[bytes]:
    yield BODY[:100]
    raise ZeroDivisionError


BODIES: dict[str, Callable[[], Body]] = {
    "whole": lambda: BODY,
    "span": lambda: (Span(Memory(BODY), 0, len(BODY)),),
    "pieces": lambda: (BODY[:7], Span(Memory(BODY), 7, len(BODY) - 14), BODY[-7:]),
    "cold": lambda: (Span(Memory(BODY, is_cold=True), 0, len(BODY)),),
    "iterator": iterate,
}


def at_once(body: Callable[[], Body]) -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), body()))

    return handler


def later(body: Callable[[], Body]) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0)
        exchange.respond(Response(200, (), body()))

    return handler


def after_the_body(body: Callable[[], Body]) -> Handler:
    async def handler(exchange: Exchange) -> None:
        while await exchange.read():
            pass
        exchange.respond(Response(200, (), body()))

    return handler


def as_a_coroutine(body: Callable[[], Body]) -> Handler:
    """Decide at once that it takes longer: a plain function that returns a coroutine."""
    inner = later(body)

    def handler(exchange: Exchange) -> Coroutine[object, object, None] | None:
        return inner(exchange)

    return handler


WAYS = [at_once, later, after_the_body, as_a_coroutine]


async def read_answer(peer: Peer, *, is_head: bool = False) -> tuple[bytes, bytes]:
    """Return one answer's head and its body, without the framing."""
    head = await peer.read_head()
    if is_head:
        return head, b""
    if b"\r\nTransfer-Encoding: chunked\r\n" not in head:
        length = int(head.partition(b"\r\nContent-Length: ")[2].split(b"\r\n")[0])
        return head, await peer.read(length)
    body = b""
    while size := int(await read_line(peer), 16):
        body += await peer.read(size)
        assert await peer.read(2) == b"\r\n"
    assert await read_line(peer) == b""
    return head, body


async def read_line(peer: Peer) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        line += await peer.read(1)
    return line[:-2]


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BODIES)
def test_every_way_to_answer_leaves_the_connection_ready(
    stage: Stage, kind: str, way: Callable[[Callable[[], Body]], Handler]
) -> None:
    async def play() -> None:
        await stage.serve(way(BODIES[kind]))
        peer = await stage.connect()
        await peer.send(get())
        assert (await read_answer(peer))[1] == BODY
        await peer.send(get(method="HEAD") + get("/", "Content-Length: 5", method="PUT") + b"hello" + get())
        head, _ = await read_answer(peer, is_head=True)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        for _ in range(2):
            assert (await read_answer(peer))[1] == BODY
        assert [record.status for record in await stage.logged(4)] == [200] * 4
        assert stage.server.totals.bytes_sent == 3 * len(BODY)

    stage.run(play())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BODIES)
def test_every_way_to_answer_http_1_0(stage: Stage, kind: str, way: Callable[[Callable[[], Body]], Handler]) -> None:
    async def play() -> None:
        await stage.serve(way(BODIES[kind]))
        peer = await stage.connect()
        await peer.send(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await peer.read_all()).partition(b"\r\n\r\n")
        assert body == BODY
        assert b"Connection: close" in head
        assert b"chunked" not in head

    stage.run(play())


def silent(exchange: Exchange) -> None:
    """Forget to answer."""


async def silent_later(exchange: Exchange) -> None:
    """Forget to answer, and take long over it."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("handler", [silent, silent_later])
def test_no_answer_is_a_500(stage: Stage, handler: Handler) -> None:
    async def play() -> None:
        await stage.serve(handler)
        peer = await stage.connect()
        for _ in range(2):
            await peer.send(get("/", "Accept: application/json"))
            head, body = await read_answer(peer)
            assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
            assert b"the application gave no answer" in body
        assert {record.note for record in await stage.logged(2)} == {"the application gave no answer"}

    stage.run(play())


@pytest.mark.parametrize("way", WAYS)
def test_a_body_that_breaks_off_never_looks_whole(
    stage: Stage, way: Callable[[Callable[[], Body]], Handler], caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        await stage.serve(way(break_off))
        peer = await stage.connect()
        await peer.send(get())
        data = b""
        while True:
            try:
                piece = await peer.read(1)
            except ConnectionError:
                break
            if not piece:
                break
            data += piece
        assert not data.endswith(b"0\r\n\r\n")
        assert [record.note for record in await stage.logged()] == ["the application failed"]

    stage.run(play())
    assert [record.getMessage() for record in caplog.records] == ["the application failed on GET /"]
