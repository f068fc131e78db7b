import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.server.stage import Gate, Memory, Stage, get, http_connections

from portico.errors import Gone, UsageError
from portico.http.message import Body, Response, Span
from portico.server.exchange import Exchange, Inbox
from portico.wire.answer import WholeAnswer

# --- the inbox --------------------------------------------------------------------------------


def test_pieces_come_out_in_order() -> None:
    inbox = Inbox()
    assert inbox.take() is None
    assert inbox.is_untouched
    inbox.put(b"one")
    inbox.put(b"two")
    assert not inbox.is_untouched
    assert inbox.waiting_bytes == 6
    assert inbox.take() == b"one"
    assert inbox.waiting_bytes == 3
    inbox.complete()
    assert [inbox.take(), inbox.take(), inbox.take()] == [b"two", b"", b""]


def test_what_came_before_a_cut_can_still_be_read() -> None:
    inbox = Inbox()
    inbox.put(b"one")
    inbox.cut("first reason")
    inbox.cut("second reason")
    assert inbox.take() == b"one"
    with pytest.raises(Gone, match="first reason"):
        inbox.take()


def test_a_whole_body_cannot_be_cut_any_more() -> None:
    inbox = Inbox()
    inbox.complete()
    inbox.cut("too late")
    assert inbox.take() == b""


ENDS: list[Callable[[Inbox], None]] = [lambda inbox: inbox.put(b"x"), Inbox.complete, lambda inbox: inbox.cut("gone")]


@pytest.mark.parametrize("end", ENDS)
async def test_whoever_waits_is_woken_once(stage: Stage, end: Callable[[Inbox], None]) -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    end(inbox)
    end(inbox)
    await waiting


# --- the exchange -----------------------------------------------------------------------------


async def test_what_a_handler_is_told(stage: Stage) -> None:
    seen: list[object] = []

    async def handler(exchange: Exchange) -> None:
        seen.extend((exchange.request.method, exchange.request.target, exchange.address, exchange.status))
        seen.append(exchange.inbox)
        seen.append(await exchange.read())
        exchange.respond(Response(204))
        seen.append(exchange.status)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/a?b"))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 204 No Content\r\n")
    assert seen == ["GET", "/a?b", "127.0.0.1", 0, None, b"", 204]


async def test_a_body_is_read_piece_by_piece(stage: Stage) -> None:
    seen: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        while not seen or seen[-1]:
            seen.append(await exchange.read())
        exchange.respond(Response(200, (), await exchange.read()))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await peer.send(b"hello")
    await stage.until(lambda: seen)
    await peer.send(b"world")
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert seen == [b"hello", b"world", b""]


async def test_an_exchange_is_answered_once(stage: Stage) -> None:
    """The sources of a second answer are closed, and the first one is what the peer gets."""
    source, seen = Memory(b"hello"), list[str]()
    prepared = WholeAnswer(200, (), b"second")

    def again(exchange: Exchange) -> None:
        for body in (b"second", (Span(source, 0, 5),)):
            with pytest.raises(UsageError, match="answered already"):
                exchange.respond(Response(200, (), body))
            seen.append("refused")
        with pytest.raises(UsageError, match="answered already"):
            exchange.answer(prepared)
        seen.append("refused")

    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), b"first"))
        again(exchange)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    assert await peer.read(5) == b"first"
    assert peer.hears_nothing()
    assert (seen, source.closed) == (["refused"] * 3, 1)


BAD = [
    (200, [("X", "a\r\nSet-Cookie: b")]),
    (200, [("X\r\nY", "a")]),
    (200, [("X", "a\0")]),
    (200, [("", "a")]),
    (99, []),
    (101, []),
    (600, []),
]


@pytest.mark.parametrize("kind", ["bytes", "pieces", "iterator"])
@pytest.mark.parametrize(("status", "fields"), BAD)
async def test_nothing_of_a_bad_answer_reaches_the_wire(
    stage: Stage, status: int, fields: list[tuple[str, str]], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = Memory(b"hello")

    async def iterate() -> AsyncIterator[bytes]:
        yield b"hello"

    def handler(exchange: Exchange) -> None:
        bodies: dict[str, Body] = {"bytes": b"hello", "pieces": (Span(source, 0, 5),), "iterator": iterate()}
        exchange.respond(Response(status, fields, bodies[kind]))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    head = await peer.read_head()
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"Set-Cookie" not in head
    expected = b"500 Internal Server Error: the application failed\n"
    assert await peer.read(len(expected)) == expected
    assert source.closed == (kind == "pieces")
    assert len(caplog.records) == 1


async def test_the_framing_of_an_answer_is_the_servers(stage: Stage) -> None:
    """What a handler says of it is left out, so that it can never say anything else than the body."""
    framing = [("Content-Length", "3"), ("transfer-encoding", "chunked"), ("Connection", "close"), ("Date", "now")]
    await stage.serve(lambda exchange: exchange.respond(Response(200, framing, b"hello")))
    await (await stage.connect()).play("""
        > GET / HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 5
        <
        < hello\\
    """)


async def test_a_bad_answer_can_be_replaced_by_a_better_one(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        with pytest.raises(UsageError):
            exchange.respond(Response(200, [("X", "a\nb")]))
        exchange.respond(Response(200, (), b"better"))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert await peer.read(6) == b"better"


async def test_a_streamed_answer_to_a_closing_connection_is_gone(stage: Stage) -> None:
    source, seen, gate = Memory(b"hello"), list[str](), Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        next(iter(http_connections(stage.server))).transport.abort()
        with pytest.raises(Gone):
            exchange.respond(Response(200, (), (Span(source, 0, 5),)))
        seen.append("gone")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    gate.open()
    assert await peer.is_closed()
    await stage.until(lambda: seen)
    assert source.closed == 1
