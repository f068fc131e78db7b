"""What is due when, seen from the other side; the rate and the lingering are in test_connection.py."""

import asyncio

import pytest
from tests.server.stage import Gate, Stage, get, http_connections

from portico.errors import UsageError
from portico.http.message import Response
from portico.server.exchange import Exchange
from portico.wire.answer import WholeAnswer

LATE = b"503 Service Unavailable: the application gave no answer within 7 s"


def hello(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), b"hello"))


async def test_a_coroutine_that_is_too_late_is_cancelled(stage: Stage) -> None:
    seen: list[str] = []
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        try:
            await gate.passed()
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    await stage.serve(handler, answer_timeout=7)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: gate.is_reached)
    stage.pass_time(6)
    await asyncio.sleep(0)
    assert peer.hears_nothing()
    stage.pass_time(2)
    data = await peer.read_all()
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nConnection: close\r\n" in data
    assert LATE in data
    await stage.until(lambda: seen == ["cancelled", "cleaned up"])
    assert [(r.status, r.note) for r in await stage.logged()] == [(503, "the application gave no answer within 7 s")]
    await stage.until(lambda: not stage.server.connections)


async def test_a_deferred_answer_that_comes_too_late_harms_nobody(stage: Stage) -> None:
    deferred: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.is_deferred = True
        deferred.append(exchange)

    server = await stage.serve(handler, answer_timeout=7)
    peer = await stage.connect()
    await peer.send(get("/1") + get("/2"))
    await stage.until(lambda: deferred)
    stage.pass_time(9)
    data = await peer.read_all()
    assert data.count(b"HTTP/1.1 ") == 1, "nothing follows"
    assert LATE in data
    with pytest.raises(UsageError, match="answered already"):
        deferred[0].answer(WholeAnswer(200, (), b"late"))
    assert len(deferred) == 1
    assert server.turns.active == 0


async def test_what_runs_behind_an_answer_is_not_cancelled_for_the_next(stage: Stage) -> None:
    """The second handler is late; the first one's task, which works on behind its answer, is not."""
    gate, seen = Gate(), list[str]()

    async def first(exchange: Exchange) -> None:
        hello(exchange)
        await gate.passed()
        seen.append("done")

    def handler(exchange: Exchange) -> object:
        if exchange.request.path == "/1":
            return first(exchange)
        exchange.is_deferred = True
        return None

    await stage.serve(handler, answer_timeout=7)  # type: ignore[arg-type]
    peer = await stage.connect()
    await peer.send(get("/1") + get("/2"))
    await peer.read_head()
    assert await peer.read(5) == b"hello"
    await stage.until(lambda: gate.is_reached and stage.server.turns.active)
    stage.pass_time(9)
    assert LATE in await peer.read_all()
    gate.open()
    await stage.until(lambda: seen == ["done"])


async def test_the_time_begins_anew_with_each_piece_of_the_body(stage: Stage) -> None:
    async def handler(exchange: Exchange) -> None:
        while await exchange.read():
            pass
        hello(exchange)

    await stage.serve(handler, answer_timeout=7)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 40000", method="PUT"))
    (connection,) = http_connections(stage.server)
    for count in range(1, 5):
        await peer.send(b"x" * 10_000)
        await stage.until(lambda: connection.moved >= count * 10_000)  # noqa: B023
        stage.pass_time(5)
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")


async def test_work_behind_an_answer_has_no_deadline(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0)
        exchange.answer(WholeAnswer(200, (), b"hello"))
        await gate.passed()

    await stage.serve(handler, answer_timeout=1)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    stage.pass_time(20)
    assert await peer.read(5) == b"hello"
    assert peer.hears_nothing()
    gate.open()


async def test_idleness_behind_a_late_first_request_has_its_own_limit(stage: Stage) -> None:
    await stage.serve(hello, first_byte_timeout=100, keep_alive_timeout=5)
    peer = await stage.accepted()
    stage.pass_time(12)
    await peer.send(get())
    await peer.read_head()
    await peer.read(5)
    stage.pass_time(3)
    assert peer.hears_nothing()
    stage.pass_time(9)
    assert await peer.read_all() == b""


async def test_a_408_is_the_last_answer(stage: Stage) -> None:
    """A body that is too slow is refused, and what a handler says afterwards goes nowhere."""
    gate, seen = Gate(), list[str]()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        with pytest.raises(UsageError, match="answered already"):
            hello(exchange)
        seen.append("told")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    stage.pass_time(65)
    data = await peer.read_all()
    assert data.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in data
    gate.open()
    await stage.until(lambda: seen)
