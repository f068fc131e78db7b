import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from tests.server.stage import DATE, Gate, Memory, Stage, get, http_connections

from portico.errors import Gone, UsageError
from portico.gateway.contract import Origin
from portico.http.message import Body, Response, Span
from portico.server.exchange import Exchange, Inbox
from portico.wire.answer import AnswerHead, AppHeads, WholeAnswer

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


async def test_a_body_is_taken_without_waiting(stage: Stage) -> None:
    seen: list[object] = []
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        seen.extend((exchange.take(), exchange.is_body_complete))
        await gate.passed()
        seen.extend((exchange.take(), exchange.is_body_complete, exchange.take()))
        exchange.respond(Response(204))

    await stage.serve(handler)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 5", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    await peer.send(b"hello")
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: connection.codec.reader is None)
    gate.open()
    await peer.read_head()
    assert seen == [None, False, b"hello", True, b""]
    await peer.send(get())
    await peer.read_head()
    assert seen[5:] == [b"", True, b"", True, b""]


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


# --- answers for one exchange -----------------------------------------------------------------

HEADS = AppHeads()
PLAIN = HEADS.of_bytes(200, [])
FIVE = HEADS.of_bytes(200, [(b"content-length", b"5")])
LAST = HEADS.of_bytes(200, [(b"connection", b"close")])
DATED = HEADS.of_bytes(200, [(b"date", b"Mon, 07 Nov 1994 08:49:37 GMT")])
NO_CONTENT = HEADS.of_bytes(204, [])
NOT_MODIFIED = HEADS.of_bytes(304, [(b"etag", b'"1"')])
OK = b"HTTP/1.1 200 OK\r\n" + DATE.encode()
LENGTH, APP_LENGTH = b"Content-Length: 5\r\n", b"content-length: 5\r\n"
CLOSE, KEEP = b"Connection: close\r\n", b"Connection: keep-alive\r\n"
CODED = b"Transfer-Encoding: chunked\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
GET_10_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
HEAD = get(method="HEAD")
LONG, SHORT = "the body is longer than its Content-Length; the rest was cut", "the body is 1 bytes shorter"
Case = tuple[bytes, AnswerHead, bytes, bytes, str]

REPLIES: list[Case] = [
    (get(), PLAIN, b"hello", OK + LENGTH + b"\r\nhello", ""),
    (get(), FIVE, b"hello", OK + APP_LENGTH + b"\r\nhello", ""),
    (get(), LAST, b"hello", OK + LENGTH + CLOSE + b"\r\nhello", ""),
    (get(), DATED, b"", b"HTTP/1.1 200 OK\r\ndate: Mon, 07 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", ""),
    (get(), NO_CONTENT, b"hello", b"HTTP/1.1 204 No Content\r\n" + DATE.encode() + b"\r\n", ""),
    (get(), NOT_MODIFIED, b"", b"HTTP/1.1 304 Not Modified\r\n" + DATE.encode() + b'etag: "1"\r\n\r\n', ""),
    (get(), FIVE, b"hello, world", OK + APP_LENGTH + CLOSE + b"\r\nhello", LONG),
    (get(), FIVE, b"hell", OK + APP_LENGTH + CLOSE + b"\r\nhell", SHORT),
    (HEAD, PLAIN, b"hello", OK + LENGTH + b"\r\n", ""),
    (HEAD, FIVE, b"", OK + APP_LENGTH + b"\r\n", ""),
    (GET_10, PLAIN, b"hello", OK + LENGTH + CLOSE + b"\r\nhello", ""),
    (GET_10_KEPT, PLAIN, b"hello", OK + LENGTH + KEEP + b"\r\nhello", ""),
]
PUSHES: list[Case] = [
    (get(), PLAIN, b"hello", OK + CODED + b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n", ""),
    (get(), FIVE, b"hello", OK + APP_LENGTH + b"\r\nhello", ""),
    (get(), LAST, b"hello", OK + CODED + CLOSE + b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n", ""),
    (get(), NO_CONTENT, b"hello", b"HTTP/1.1 204 No Content\r\n" + DATE.encode() + b"\r\n", ""),
    (get(), FIVE, b"hello, world", OK + APP_LENGTH + b"\r\nhello", LONG),
    (get(), FIVE, b"hell", OK + APP_LENGTH + b"\r\nhell", SHORT),
    (HEAD, PLAIN, b"hello", OK + CODED + b"\r\n", ""),
    (HEAD, FIVE, b"hello", OK + APP_LENGTH + b"\r\n", ""),
    (GET_10, PLAIN, b"hello", OK + CLOSE + b"\r\nhello", ""),
    (GET_10_KEPT, PLAIN, b"hello", OK + CLOSE + b"\r\nhello", ""),
    (GET_10_KEPT, FIVE, b"hello", OK + APP_LENGTH + KEEP + b"\r\nhello", ""),
]


def push(exchange: Exchange, head: AnswerHead, body: bytes) -> None:
    exchange.begin(head)
    for piece in (body[:2], b"", memoryview(body)[2:]):
        exchange.write(piece)
    exchange.end([("x-t", "1")])


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("way", "case"), [(Exchange.reply, case) for case in REPLIES] + [(push, case) for case in PUSHES]
)
async def test_an_answer_for_one_exchange(
    stage: Stage, way: Callable[[Exchange, AnswerHead, bytes], None], case: Case, waits: bool
) -> None:
    request, head, body, sent, note = case

    async def handler(exchange: Exchange) -> None:
        if waits:
            await asyncio.sleep(0)
        if exchange.request.path == "/next":
            exchange.answer(WholeAnswer(200, (), b"next"))
        else:
            way(exchange, head, body)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(request)
    assert await peer.read(len(sent)) == sent
    is_closing = CLOSE in sent or bool(note)
    if is_closing:
        assert await peer.read_all() == b""
    else:
        await peer.send(get("/next"))
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 OK")
        assert await peer.read(4) == b"next"
    record = (await stage.logged())[0]
    assert note in record.note
    assert bool(record.note) is bool(note)
    if way is Exchange.reply:
        assert record.body_bytes == len(sent.partition(b"\r\n\r\n")[2])


async def test_a_large_reply_leaves_before_the_ones_behind_it(stage: Stage) -> None:
    body = b"x" * 20_000
    await stage.serve(lambda exchange: exchange.reply(PLAIN, body))
    peer = await stage.connect()
    await peer.send(get() * 3)
    expected = (OK + b"Content-Length: 20000\r\n\r\n" + body) * 3
    assert await peer.read(len(expected)) == expected


async def test_a_pushed_answer_leaves_piece_by_piece(stage: Stage) -> None:
    gates = [Gate(), Gate(), Gate()]

    async def handler(exchange: Exchange) -> None:
        exchange.begin(PLAIN)
        await exchange.flushed()  # takes the head along
        await gates[0].passed()
        exchange.write(b"hello")
        await gates[1].passed()
        exchange.end()
        await gates[2].passed()

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.read_head() == OK + CODED + b"\r\n"
    assert peer.hears_nothing()
    gates[0].open()
    assert await peer.read(10) == b"5\r\nhello\r\n"
    assert peer.hears_nothing()
    gates[1].open()
    assert await peer.read(5) == b"0\r\n\r\n"
    gates[2].open()


async def test_whoever_pushes_waits_for_the_peer(stage: Stage) -> None:
    """Two tasks of one application may wait at once."""
    block, seen = b"x" * 1_000_000, list[int]()

    async def pushes(exchange: Exchange) -> None:
        for _ in range(10):
            exchange.write(block)
            await exchange.flushed()
            seen.append(1)

    async def handler(exchange: Exchange) -> None:
        exchange.begin(PLAIN)
        await asyncio.gather(pushes(exchange), pushes(exchange))
        exchange.end()

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: connection.is_paused)
    assert connection.transport.get_write_buffer_size() < 3 * len(block)
    assert len(seen) < 20
    expected = (b"f4240\r\n" + block + b"\r\n") * 20 + b"0\r\n\r\n"
    assert await peer.read(len(expected)) == expected


async def test_large_pieces_that_are_not_in_one_piece_stop_at_the_peer_too(stage: Stage) -> None:
    """A chunk is three pieces; whichever way they leave together must say when the peer falls behind."""
    block = b"x" * 16_000_000

    async def handler(exchange: Exchange) -> None:
        exchange.begin(PLAIN)
        exchange.write(block)
        await exchange.flushed()
        exchange.end()

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: connection.is_paused)
    assert connection.exchange is not None, "it waits in flushed"
    expected = b"f42400\r\n" + block + b"\r\n0\r\n\r\n"
    assert await peer.read(len(expected)) == expected


PHASES = ["before", "begun", "flushed", "written", "ended"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("keeps_running", [False, True])
async def test_a_peer_that_goes_in_any_phase(stage: Stage, phase: str, keeps_running: bool) -> None:
    gate, seen = Gate(), list[str]()

    async def steps(exchange: Exchange) -> AsyncIterator[str]:
        yield "before"
        exchange.begin(PLAIN)
        yield "begun"
        await exchange.flushed()
        yield "flushed"
        exchange.write(b"hello")
        yield "written"
        exchange.end()
        yield "ended"

    async def handler(exchange: Exchange) -> None:
        exchange.keeps_running = keeps_running
        try:
            async for step in steps(exchange):
                if step == phase:
                    await gate.passed()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        except Gone:
            seen.append("gone")
            raise
        seen.append("done")

    exchanges: list[Exchange] = []

    def noted(exchange: Exchange) -> Coroutine[Any, Any, None]:
        exchanges.append(exchange)
        return handler(exchange)

    server = await stage.serve(noted)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: gate.is_reached)
    assert not exchanges[0].is_gone
    peer.reset()
    await stage.until(lambda: not server.connections)
    assert exchanges[0].is_gone == (phase != "ended")
    gate.open()
    await stage.until(lambda: seen and not server.tasks.running)
    assert seen == ["done" if phase == "ended" else "gone" if keeps_running else "cancelled"]
    assert server.turns.active == 0
    (record,) = await stage.logged()
    assert record.status == (0 if phase == "before" else 200)
    assert record.note == ("" if phase == "ended" else "cut")


@pytest.mark.parametrize("waits", [False, True])
async def test_an_answer_that_is_never_ended_is_cut(stage: Stage, waits: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.begin(PLAIN)
        exchange.write(b"hello")
        if waits:
            await asyncio.sleep(0)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.is_closed()
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200, "the application did not finish its answer")


async def test_what_is_out_of_order_is_refused_and_harms_nobody(stage: Stage) -> None:
    """Whatever is wrong about the order, the one answer is what the peer gets."""
    kept: list[Exchange] = []

    async def handler(exchange: Exchange) -> None:
        kept.append(exchange)
        pushes: list[Callable[[], object]] = [lambda: exchange.write(b"x"), exchange.end]
        for early in pushes:
            with pytest.raises(UsageError, match="no answer has begun"):
                early()
        with pytest.raises(UsageError, match="no answer has begun"):
            await exchange.flushed()
        exchange.begin(FIVE)
        answers: list[Callable[[], object]] = [
            lambda: exchange.begin(FIVE),
            lambda: exchange.reply(FIVE, b"again"),
            lambda: exchange.stream(FIVE, (b"again",)),
            lambda: exchange.inform(103, ()),
            lambda: exchange.upgrade(None, ()),
        ]
        for again in answers:
            with pytest.raises(UsageError, match="answered already"):
                again()
        exchange.write(b"hello")
        exchange.end()
        for late in pushes:
            with pytest.raises(UsageError, match="no answer is under way"):
                late()

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    expected = OK + APP_LENGTH + b"\r\nhello"
    assert await peer.read(len(expected)) == expected
    assert peer.hears_nothing()
    kept[0].abort("too late to matter")
    await peer.send(get())
    assert await peer.read(len(expected)) == expected


async def test_trailers_that_may_not_be_sent_cut_the_answer(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.begin(PLAIN)
        exchange.end([("x", "a\r\nb")])

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.is_closed()
    assert [record.note for record in await stage.logged()] == ["the application failed"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("request_", "is_told"), [(get(), True), (GET_10_KEPT, False)])
async def test_interim_answers(stage: Stage, request_: bytes, is_told: bool) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.inform(103, [("link", "</a.css>; rel=preload")])
        for status in (100, 101, 200):
            with pytest.raises(UsageError):
                exchange.inform(status, ())
        exchange.reply(PLAIN, b"hello")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(request_)
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n" if is_told else b""
    expected = interim + OK + LENGTH + (b"" if is_told else KEEP) + b"\r\nhello"
    assert await peer.read(len(expected)) == expected


@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_exchange_may_be_broken_off(stage: Stage, has_begun: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        if has_begun:
            exchange.begin(FIVE)
            exchange.write(b"he")
        exchange.abort("the upstream went away")
        assert exchange.is_gone
        with pytest.raises(Gone):
            exchange.begin(FIVE) if not has_begun else exchange.write(b"llo")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.is_closed()
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200 if has_begun else 0, "the upstream went away")


# --- deferred answers -------------------------------------------------------------------------


async def test_a_plain_function_may_answer_later(stage: Stage) -> None:
    deferred: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.is_deferred = True
        deferred.append(exchange)

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/1") + get("/2"))
    await stage.until(lambda: deferred)
    assert peer.hears_nothing()
    assert server.turns.active == 1
    loop = asyncio.get_running_loop()
    loop.call_soon(deferred[0].reply, PLAIN, b"first")
    await stage.until(lambda: len(deferred) == 2)
    loop.call_soon(push, deferred[1], FIVE, b"hello")
    expected = OK + LENGTH + b"\r\nfirst" + OK + APP_LENGTH + b"\r\nhello"
    assert await peer.read(len(expected)) == expected
    assert server.turns.active == 0


async def test_a_deferred_answer_for_nobody(stage: Stage) -> None:
    deferred: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        exchange.is_deferred = True
        deferred.append(exchange)

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: deferred)
    assert not deferred[0].is_gone
    peer.reset()
    await stage.until(lambda: not server.connections)
    (exchange,) = deferred
    assert exchange.is_gone
    await exchange.gone()
    source = Memory(b"hello")
    answers: list[Callable[[], object]] = [
        lambda: exchange.reply(FIVE, b"hello"),
        lambda: exchange.begin(FIVE),
        lambda: exchange.stream(FIVE, (Span(source, 0, 5),)),
        lambda: exchange.inform(103, ()),
    ]
    for answer in answers:
        with pytest.raises(Gone):
            answer()
    assert source.closed == 1
    assert server.turns.active == 0
    assert [(r.status, r.note) for r in await stage.logged()] == [(0, "cut")]


# --- who is told of a peer that goes ----------------------------------------------------------


@pytest.mark.parametrize("end", ["closes", "half-closes", "is answered"])
async def test_whoever_asked_is_told_when_the_peer_goes(stage: Stage, end: str) -> None:
    seen: list[str] = []
    waiting = Gate()

    async def watch(exchange: Exchange) -> None:
        await exchange.gone()
        seen.append("told")
        await exchange.gone()  # and at once from now on
        seen.append("told again")

    async def handler(exchange: Exchange) -> None:
        exchange.keeps_running = True
        watching = [asyncio.ensure_future(watch(exchange)) for _ in range(2)]
        impatient = asyncio.ensure_future(exchange.gone())
        await asyncio.sleep(0)
        impatient.cancel()
        await waiting.passed()
        if end == "is answered":
            exchange.reply(FIVE, b"hello")
        await asyncio.gather(*watching)
        seen.append("went on")

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: waiting.is_reached)
    waiting.open()
    if end == "closes":
        peer.reset()
    elif end == "half-closes":
        peer.half_close()
    await stage.until(lambda: len(seen) == 5 and not server.tasks.running)
    assert sorted(seen) == ["told"] * 2 + ["told again"] * 2 + ["went on"]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
async def test_where_a_request_came_from(stage: Stage, family: int) -> None:
    seen: list[Origin] = []

    def handler(exchange: Exchange) -> None:
        seen.extend((exchange.origin, exchange.origin))
        exchange.reply(FIVE, b"hello")

    await stage.serve(handler, family=family)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    own, name = peer.sock.getsockname(), stage.sock.getsockname()
    if family == socket.AF_INET:
        assert seen == [Origin(own, name, "http")] * 2
    else:
        assert seen == [Origin(None, ("@" + name[1:].decode(), None), "http")] * 2


async def test_a_trusted_proxys_word_is_taken(stage: Stage) -> None:
    seen: list[object] = []

    def handler(exchange: Exchange) -> None:
        exchange.origin = Origin(("192.0.2.1", 5), ("192.0.2.2", 443), "https")
        seen.extend((exchange.origin.scheme, exchange.address))
        exchange.reply(FIVE, b"hello")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    assert seen == ["https", "192.0.2.1"]


# --- what applications do wrong, and what they do behind their answers ------------------------


class Leave(BaseException):
    """What no application should raise; in a group it comes through every `except Exception`."""


FAILURES: list[Callable[[], BaseException]] = [
    ZeroDivisionError,
    SystemExit,
    asyncio.CancelledError,
    lambda: BaseExceptionGroup("several", [SystemExit(), Leave()]),
]
FAILED = b"500 Internal Server Error: the application failed\n"


@pytest.mark.parametrize("make", FAILURES)
@pytest.mark.parametrize("waits", [False, True])
async def test_whatever_a_coroutine_raises_is_a_500(
    stage: Stage, make: Callable[[], BaseException], waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(exchange: Exchange) -> None:
        if waits:
            await asyncio.sleep(0)
        if exchange.request.path == "/fails":
            raise make()
        exchange.reply(FIVE, b"hello")

    await stage.serve(handler)
    peer = await stage.connect()
    for _ in range(2):
        await peer.send(get("/fails") + get("/works"))
        assert (await peer.read_head()).startswith(b"HTTP/1.1 500 ")
        assert await peer.read(len(FAILED)) == FAILED
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await peer.read(5) == b"hello"
    assert stage.server.turns.active == 0


@pytest.mark.parametrize("make", [make for make in FAILURES if make is not asyncio.CancelledError])
async def test_whatever_a_function_raises_is_a_500(
    stage: Stage, make: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def handler(exchange: Exchange) -> None:
        if exchange.request.path == "/fails":
            raise make()
        exchange.reply(FIVE, b"hello")

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/fails") + get("/works"))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 500 ")
    assert await peer.read(len(FAILED)) == FAILED
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", ["function", "coroutine", "waits"])
async def test_whoever_gives_no_answer_has_failed(stage: Stage, kind: str) -> None:
    async def later(exchange: Exchange) -> None:
        if kind == "waits":
            await asyncio.sleep(0)

    await stage.serve((lambda exchange: None) if kind == "function" else later)
    peer = await stage.connect()
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 500 ")
    assert [record.note for record in await stage.logged()] == ["the application gave no answer"]


@pytest.mark.parametrize("goes", [False, True])
async def test_work_behind_an_answer_goes_on(stage: Stage, goes: bool) -> None:
    """Whether the peer asks for more meanwhile, or goes."""
    gate, seen = Gate(), list[str]()

    async def handler(exchange: Exchange) -> None:
        exchange.reply(FIVE, b"hello")
        if exchange.request.path == "/1":
            await gate.passed()
            seen.append("done")

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/1"))
    await peer.read_head()
    await peer.read(5)
    assert len(server.tasks.running) == 1
    await peer.send(get("/2"))
    await peer.read_head()
    if goes:
        peer.reset()
        await stage.until(lambda: not server.connections)
    gate.open()
    await stage.until(lambda: seen == ["done"] and not server.tasks.running)
    assert [(r.target, r.status, r.note) for r in await stage.logged(2)] == [("/1", 200, ""), ("/2", 200, "")]


async def test_an_iterators_task_ends_with_its_peer_though_the_handler_works_on(stage: Stage) -> None:
    gate, seen = Gate(), list[str]()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"hello"
            await asyncio.Event().wait()
        finally:
            seen.append("closed")

    async def handler(exchange: Exchange) -> None:
        exchange.stream(PLAIN, body())
        await gate.passed()

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    await peer.read(10)
    peer.reset()
    await stage.until(lambda: seen == ["closed"] and not server.tasks.running)


async def test_a_pipelined_request_does_not_begin_within_another(stage: Stage) -> None:
    """Neither on the stack of the handler that answers before it, nor in its context."""
    name = ContextVar("name", default="nobody")
    seen: list[str] = []

    async def waits(exchange: Exchange) -> None:
        seen.append(f"{exchange.request.path} by {name.get()}")
        name.set(exchange.request.path)
        await asyncio.sleep(0)
        exchange.reply(FIVE, b"hello")
        seen.append(f"{exchange.request.path} left")

    def handler(exchange: Exchange) -> object:
        if exchange.request.path == "/wait" or exchange.request.path == "/again":
            return waits(exchange)
        seen.append(f"{exchange.request.path} by {name.get()}")
        exchange.reply(FIVE, b"hello")
        return None

    await stage.serve(handler)  # type: ignore[arg-type]
    peer = await stage.connect()
    await peer.send(get("/wait") + get("/plain") + get("/again") + get("/last"))
    expected = (OK + APP_LENGTH + b"\r\nhello") * 4
    assert await peer.read(len(expected)) == expected
    await stage.until(lambda: len(seen) == 6)
    assert [line.partition(" ")[::2] for line in seen] == [
        ("/wait", "by nobody"),
        ("/wait", "left"),
        ("/plain", "by nobody"),
        ("/again", "by nobody"),
        ("/again", "left"),
        ("/last", "by nobody"),
    ]


async def test_requests_that_wait_behind_an_answer_survive_a_half_close(stage: Stage) -> None:
    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0)
        exchange.reply(FIVE, b"hello")

    await stage.serve(handler)
    for _ in range(20):
        peer = await stage.connect()
        await peer.send(get("/1") + get("/2") + get("/3"))
        peer.half_close()
        data = await peer.read_all()
        assert data.count(b"HTTP/1.1 200 OK") == 3
        assert data.endswith(CLOSE + b"\r\nhello")
