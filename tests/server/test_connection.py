import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.server.stage import DATE, Gate, Memory, Peer, Stage, get, http_connections

from portico.errors import Gone
from portico.http.message import Body, Response, Span
from portico.server.deadlines import is_waiting_for_peer
from portico.server.exchange import Exchange
from portico.server.http import HttpServer

BIG = bytes(range(256)) * 64 * 1024  # 16 MiB: more than the kernel holds for a peer that does not read
HEAD_END = b"\r\n\r\n"


def echo_path(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), exchange.request.path.encode()))


async def echo_body(exchange: Exchange) -> None:
    """Answer with the request's body."""
    pieces = []
    while piece := await exchange.read():
        pieces.append(piece)
    exchange.respond(Response(200, (), b"".join(pieces)))


def mixed(exchange: Exchange) -> object:
    """Answer at once, from a task, in pieces, or from an iterator, by the path."""
    path = exchange.request.path
    data = path.encode()

    async def later() -> None:
        await asyncio.sleep(0)
        exchange.respond(Response(200, (), data))

    async def pieces() -> AsyncIterator[bytes]:
        for byte in data:
            yield bytes((byte,))

    match path[1:2]:
        case "a":
            return later()
        case "f":
            exchange.respond(Response(200, (), (Span(Memory(data), 0, len(data)),)))
        case "s":
            exchange.respond(Response(200, (), pieces()))
        case _:
            exchange.respond(Response(200, (), data))
    return None


def answer(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    """Write an answer as the server does."""
    fields = "".join(f"{line}\r\n" for line in lines)
    return f"HTTP/1.1 {status}\r\n{DATE}Content-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def chunked(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\n{DATE}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"


def mixed_answer(path: str) -> bytes:
    return chunked(path.encode()) if path[1] == "s" else answer(path.encode())


def buffered(server: HttpServer) -> int:
    """Sum the bytes that connections hold of what peers sent and have not been answered."""
    return sum(len(c.codec.buffered) for c in http_connections(server))


# --- one exchange after another ---------------------------------------------------------------


async def test_a_connection_is_kept_for_the_next_request(stage: Stage) -> None:
    await stage.serve(echo_path)
    await (await stage.connect()).play("""
        > GET /one HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 4
        <
        < /one\\
        > GET /two HTTP/1.1
        > Host: a
        > Connection: close
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 4
        < Connection: close
        <
        < /two\\
        < $
    """)


async def test_http_1_0_closes_unless_asked_to_keep(stage: Stage) -> None:
    await stage.serve(echo_path)
    await (await stage.connect()).play("""
        > GET /kept HTTP/1.0
        > Connection: keep-alive
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 5
        < Connection: keep-alive
        <
        < /kept\\
        > GET /last HTTP/1.0
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 5
        < Connection: close
        <
        < /last\\
        < $
    """)


async def test_a_head_may_come_byte_by_byte(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    for byte in get("/slow"):
        await peer.send(bytes((byte,)))
        await asyncio.sleep(0)
    assert await peer.read(len(answer(b"/slow"))) == answer(b"/slow")


@pytest.mark.parametrize("kinds", ["wwww", "awaw", "fwfs", "safw", "aaaa", "ssff"])
async def test_pipelined_requests_are_answered_in_order(stage: Stage, kinds: str) -> None:
    await stage.serve(mixed)  # type: ignore[arg-type]
    peer = await stage.connect()
    paths = [f"/{kind}{number}" for number, kind in enumerate(kinds * 5)]
    await peer.send(b"".join(map(get, paths)))
    expected = b"".join(map(mixed_answer, paths))
    assert await peer.read(len(expected)) == expected
    assert [record.target for record in await stage.logged(20)] == paths


@pytest.mark.parametrize("kind", "wafs")
async def test_a_thousand_requests_in_one_packet(stage: Stage, kind: str) -> None:
    await stage.serve(mixed)  # type: ignore[arg-type]
    peer = await stage.connect()
    paths = [f"/{kind}{number}" for number in range(1000)]
    expected = b"".join(map(mixed_answer, paths))
    sending = asyncio.ensure_future(peer.send(b"".join(map(get, paths))))
    assert await peer.read(len(expected)) == expected
    await sending


async def test_a_handler_that_works_on_after_its_answer_holds_up_nobody(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        echo_path(exchange)
        if exchange.request.path == "/1":
            await gate.passed()

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/1") + get("/2"))
    assert await peer.read(len(answer(b"/1") * 2)) == answer(b"/1") + answer(b"/2")
    gate.open()


async def test_trailers_end_a_body_and_are_not_part_of_it(stage: Stage) -> None:
    await stage.serve(echo_body)
    await (await stage.connect()).play("""
        > POST / HTTP/1.1
        > Host: a
        > Transfer-Encoding: chunked
        >
        > 5
        > hello
        > 0
        > Checksum: 1
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 5
        <
        < hello\\
        > GET / HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 0
        <
    """)


async def test_a_body_that_nobody_asked_for_is_passed_over(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    whole = get("/put", "Content-Length: 5", method="PUT") + b"hello"
    trailed = get("/put", "Transfer-Encoding: chunked", method="PUT") + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"
    await peer.send(whole + trailed + get("/next"))
    expected = answer(b"/put") * 2 + answer(b"/next")
    assert await peer.read(len(expected)) == expected


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (get("/", "A: " + "a" * 70_000), 431),
        (get("/", *("A: b" for _ in range(200))), 431),
        (get("/", "Content-Length: 2000", method="PUT"), 413),
        (get("/", "Transfer-Encoding: chunked", method="PUT") + b"800\r\n", 413),
        (get("/", "Transfer-Encoding: chunked", method="PUT") + b"zz\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ],
)
async def test_a_refusal_reaches_a_client_that_goes_on_sending(stage: Stage, sent: bytes, status: int) -> None:
    await stage.serve(echo_body, max_body=1024)
    peer = await stage.connect()
    await peer.send(sent)
    head = await peer.read_head()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    await peer.send(b"x" * 300_000)  # a reset would have lost the rest of the answer
    assert (await peer.read_all()).startswith(b"%d " % status)
    await peer.send(b"x")
    peer.half_close()
    await stage.until(lambda: not stage.server.connections)
    assert [record.status for record in await stage.logged()] == [status]


async def test_a_body_that_is_refused_at_once_never_reaches_the_handler(stage: Stage) -> None:
    asked: list[Exchange] = []
    await stage.serve(asked.append)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="PUT") + b"zz\r\n")
    assert (await peer.read_all()).startswith(b"HTTP/1.1 400 ")
    assert len(await stage.logged()) == 1
    assert asked == []


async def test_one_fault_gets_one_answer(stage: Stage) -> None:
    """The handler answers at the head; the fault behind it must not be answered as well."""
    await stage.serve(echo_path)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="PUT"))
    expected = answer(b"/", "Connection: close")
    assert await peer.read(len(expected)) == expected
    await peer.send(b"zz\r\n")
    assert await peer.read_all() == b""
    assert len(await stage.logged()) == 1


async def test_a_fault_while_an_answer_is_sent_cuts_it(stage: Stage) -> None:
    gate = Gate()

    async def endless() -> AsyncIterator[bytes]:
        yield b"begun"
        await gate.passed()

    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), endless()))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    await peer.send(b"zz\r\n")
    assert await peer.is_closed()
    (record,) = await stage.logged()
    assert (record.status, record.body_bytes) == (200, 5)
    assert "chunk size" in record.note


async def test_an_answer_after_a_refusal_is_nobodys_mistake(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> None:
        with pytest.raises(Gone, match="chunk size"):
            await exchange.read()
        exchange.respond(Response(200))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="PUT"))
    await stage.until(lambda: stage.server.active)
    await peer.send(b"zz\r\n")
    assert (await peer.read_all()).startswith(b"HTTP/1.1 400 ")
    assert [record.status for record in await stage.logged()] == [400]
    assert caplog.records == []


# --- half-closed connections ------------------------------------------------------------------


@pytest.mark.parametrize("kind", "wafs")
async def test_a_client_that_closed_its_side_still_gets_its_answers(stage: Stage, kind: str) -> None:
    await stage.serve(mixed)  # type: ignore[arg-type]
    peer = await stage.connect()
    await peer.send(get(f"/{kind}1") + get(f"/{kind}2"))
    peer.half_close()
    data = await peer.read_all()
    assert data.startswith(mixed_answer(f"/{kind}1"))
    assert data.count(b"HTTP/1.1 200 OK") == 2


async def test_an_answer_under_way_survives_a_half_close(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        echo_path(exchange)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/late"))
    peer.half_close()
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.codec.is_last)
    gate.open()
    assert await peer.read_all() == answer(b"/late", "Connection: close")


async def until_connected(stage: Stage) -> HttpServer:
    await stage.until(lambda: stage.server.connections)
    return stage.server


async def test_a_long_answer_survives_the_end_of_a_body_that_was_never_read(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), (Span(Memory(BIG), 0, len(BIG)),)))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="PUT") + b"12345")
    head = await peer.read_head()
    assert b"Connection: close" in head
    await peer.send(b"67890")
    peer.half_close()
    assert await peer.read_all() == BIG


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_nothing_asked_nothing_answered_nothing_logged(stage: Stage, sent: bytes) -> None:
    await stage.serve(echo_path)
    peer = await stage.accepted()
    await peer.send(sent)
    peer.half_close()
    assert await peer.read_all() == b""
    await stage.until(lambda: not stage.server.connections)
    assert stage.records == []
    assert stage.server.totals.requests == 0


async def test_half_a_head_and_the_end_is_a_bad_request(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHos")
    peer.half_close()
    assert (await peer.read_all()).startswith(b"HTTP/1.1 400 ")
    await stage.until(lambda: not stage.server.connections)  # at once: nobody can be sending any more


# --- bodies -----------------------------------------------------------------------------------


async def test_a_100_is_sent_when_the_application_reads(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        await echo_body(exchange)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    assert peer.hears_nothing()
    gate.open()
    await peer.play("""
        < HTTP/1.1 100 Continue
        <
        > hello\\
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 5
        <
        < hello\\
        > GET / HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
    """)


async def test_no_100_for_a_body_that_came_unasked(stage: Stage) -> None:
    await stage.serve(echo_body)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="PUT") + b"hello")
    assert await peer.read(len(answer(b"hello"))) == answer(b"hello")


async def test_a_final_answer_instead_of_a_100_closes(stage: Stage) -> None:
    await stage.serve(echo_path)
    await (await stage.connect()).play("""
        > PUT /no HTTP/1.1
        > Host: a
        > Content-Length: 5
        > Expect: 100-continue
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Content-Length: 3
        < Connection: close
        <
        < /no\\
        > hello\\
        < $
    """)


async def test_a_body_may_be_answered_while_it_comes(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        async def echo() -> AsyncIterator[bytes]:
            while piece := await exchange.read():
                yield piece

        exchange.respond(Response(200, (), echo()))

    await stage.serve(handler)
    await (await stage.connect()).play("""
        > PUT / HTTP/1.1
        > Host: a
        > Content-Length: 10
        > Expect: 100-continue
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Transfer-Encoding: chunked
        < Connection: close
        <
        > hello\\
        < 5
        < hello
        > world\\
        < 5
        < world
        < 0
        <
        < $
    """)


@pytest.mark.parametrize("is_read", [True, False])
async def test_the_next_request_is_read_behind_a_long_body_that_was_answered_at_once(
    stage: Stage, is_read: bool
) -> None:
    """The body comes in one piece, is more than what may wait, and the handler is a plain function."""
    body = b"x" * 100_000
    seen: list[object] = []

    def handler(exchange: Exchange) -> None:
        if is_read:
            seen.append(exchange.take())
        exchange.respond(Response(204))

    await stage.serve(handler)
    peer = await stage.connect()
    peer.sock.setblocking(True)
    peer.sock.sendall(get("/", f"Content-Length: {len(body)}", method="PUT") + body + get("/2"))
    peer.sock.setblocking(False)
    await peer.read_head()
    await peer.send(get("/3", "Connection: close"))
    await peer.read_all()
    assert [record.target for record in await stage.logged(3)] == ["/", "/2", "/3"]


async def test_a_body_waits_while_the_application_does_not_read(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        await echo_body(exchange)

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", f"Content-Length: {len(BIG)}", method="PUT"))
    sending = asyncio.ensure_future(peer.send(BIG))
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.exchange and not connection.transport.is_reading())
    inbox = connection.exchange.inbox if connection.exchange else None
    assert inbox is not None
    assert inbox.waiting_bytes < 1 << 20
    gate.open()
    await sending
    expected = answer(BIG)
    assert await peer.read(len(expected)) == expected


async def test_requests_behind_a_slow_one_wait_in_the_kernel(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        echo_path(exchange)

    await stage.serve(handler)
    peer = await stage.connect()
    count = 2000
    sending = asyncio.ensure_future(peer.send(get("/", "A: " + "a" * 3000) * count))
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.exchange and not connection.transport.is_reading())
    assert buffered(stage.server) < 1 << 20
    gate.open()
    expected = answer(b"/") * count
    assert await peer.read(len(expected)) == expected
    await sending


@pytest.mark.parametrize("end", [Peer.half_close, Peer.reset])
async def test_a_body_cut_short_is_gone(stage: Stage, end: object) -> None:
    seen: list[str] = []

    async def handler(exchange: Exchange) -> None:
        try:
            await echo_body(exchange)
        except Gone as exc:
            seen.append(str(exc))
            raise
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="PUT") + b"hello")
    await stage.until(lambda: stage.server.active)
    if end is Peer.half_close:
        peer.half_close()
        assert (await peer.read_all()).startswith(b"HTTP/1.1 400 ")
    else:
        peer.reset()
    await stage.until(lambda: seen and not stage.server.connections)
    (record,) = await stage.logged()
    assert record.status == (400 if end is Peer.half_close else 0)


async def test_an_answer_to_a_peer_that_has_gone_counts_for_nothing(stage: Stage) -> None:
    gate, source, seen = Gate(), Memory(b"hello"), list[str]()

    async def handler(exchange: Exchange) -> None:
        try:
            await gate.passed()
        except asyncio.CancelledError:
            for body in (b"hello", (Span(source, 0, 5),)):
                with pytest.raises(Gone) as caught:
                    exchange.respond(Response(200, (), body))
                seen.append(str(caught.value))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: gate.is_reached)
    peer.reset()
    await stage.until(lambda: seen)
    assert seen == ["the peer closed the connection"] * 2
    assert source.closed == 1
    assert [(record.status, record.note) for record in await stage.logged()] == [(0, "cut")]
    assert stage.server.totals.requests == 1


# --- peers that do not read -------------------------------------------------------------------


async def test_a_peer_that_never_reads_costs_one_answer_and_is_not_read(stage: Stage) -> None:
    body = b"x" * 1_000_000

    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), body))

    await stage.serve(handler)
    peer = await stage.connect(window=4096)
    sending = asyncio.ensure_future(peer.send(get() * 50_000))
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.is_paused)
    assert not connection.transport.is_reading()
    assert connection.transport.get_write_buffer_size() <= len(body) + 64 * 1024
    assert buffered(stage.server) < 1 << 20
    sending.cancel()


async def test_reading_goes_on_once_the_peer_has_read(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), BIG))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.is_paused)
    await peer.send(get() + get())
    expected = answer(BIG) * 3
    assert await peer.read(len(expected)) == expected


async def test_a_long_stream_notices_that_its_peer_has_gone(stage: Stage) -> None:
    """Reading stopped while the peer was behind; it must go on afterwards, or a silent stream would never end."""
    gate = Gate()

    async def stream() -> AsyncIterator[bytes]:
        yield BIG
        await gate.passed()

    await stage.serve(lambda exchange: exchange.respond(Response(200, (), stream())))
    peer = await stage.connect()
    await peer.send(get())
    await peer.read(len(BIG))
    await stage.until(lambda: gate.is_reached)
    peer.reset()
    await stage.until(lambda: not stage.server.connections)


# --- deadlines --------------------------------------------------------------------------------


async def test_a_connection_that_says_nothing_is_closed_without_a_word(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.accepted()
    stage.pass_time(29)
    await asyncio.sleep(0)
    assert peer.hears_nothing()
    stage.pass_time(3)
    assert await peer.read_all() == b""
    await stage.until(lambda: not stage.server.connections)
    assert stage.records == []


async def test_a_head_in_drips_gets_a_408(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.accepted()
    head = get()
    for second in range(10):
        await peer.send(head[second : second + 1])
        await stage.until(lambda: buffered(stage.server) == second + 1)  # noqa: B023
        assert peer.hears_nothing()
        stage.pass_time(1)
    stage.pass_time(2)
    assert (await peer.read_all()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert [(record.status, record.target) for record in await stage.logged()] == [(408, "-")]


async def test_each_head_has_its_own_time(stage: Stage) -> None:
    """Packets that end in the middle of a head, again and again, are not one slow head."""
    await stage.serve(echo_path)
    peer = await stage.accepted()
    head = get()
    await peer.send(head[:10])
    for _ in range(8):
        await stage.until(lambda: buffered(stage.server) == 10)
        stage.pass_time(4)
        await peer.send(head[10:] + head[:10])
        assert await peer.read(len(answer(b"/"))) == answer(b"/")


@pytest.mark.parametrize(("limit", "kept", "closed"), [(60, 58, 4), (5, 4, 4)])
async def test_an_idle_connection_is_closed_without_a_word(stage: Stage, limit: int, kept: int, closed: int) -> None:
    await stage.serve(echo_path, keep_alive_timeout=limit)
    peer = await stage.accepted()
    stage.pass_time(3)
    await peer.send(get())
    await peer.read(len(answer(b"/")))
    stage.pass_time(kept)
    await asyncio.sleep(0)
    assert peer.hears_nothing()
    stage.pass_time(closed)
    assert await peer.read_all() == b""
    assert [record.status for record in await stage.logged()] == [200]


async def test_idleness_begins_when_the_answer_has_been_taken(stage: Stage) -> None:
    await stage.serve(lambda exchange: exchange.respond(Response(200, (), BIG)), keep_alive_timeout=5)
    peer = await stage.connect()
    await peer.send(get())
    (connection,) = http_connections(await until_connected(stage))
    await stage.until(lambda: connection.is_paused)
    stage.pass_time(20)
    await peer.read(len(answer(BIG)))
    stage.pass_time(2)
    await peer.send(get())
    assert await peer.read(len(answer(BIG))) == answer(BIG)


async def test_a_slow_body_gets_a_408(stage: Stage) -> None:
    await stage.serve(echo_body)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 100000", method="PUT") + b"x")
    await stage.until(lambda: stage.server.active)
    stage.pass_time(29)
    assert peer.hears_nothing()
    stage.pass_time(40)
    assert (await peer.read_all()).startswith(b"HTTP/1.1 408 ")
    (record,) = await stage.logged()
    assert (record.status, record.note) == (408, "the body came slower than 1024 bytes a second")
    stage.pass_time(4)
    await stage.until(lambda: not stage.server.connections)


async def test_a_body_at_a_fair_pace_is_taken(stage: Stage) -> None:
    await stage.serve(echo_body)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 320000", method="PUT"))
    for count in range(1, 11):
        await peer.send(b"x" * 32_000)
        await stage.until(lambda: next(iter(http_connections(stage.server))).moved >= count * 32_000)  # noqa: B023
        stage.pass_time(20)
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_nobody_has_asked_for_has_no_deadline(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        await echo_body(exchange)

    await stage.serve(handler)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    stage.pass_time(200)
    gate.open()
    await peer.play("""
        < HTTP/1.1 100 Continue
        <
        > hello\\
        < HTTP/1.1 200 OK
    """)


async def test_a_slow_application_is_not_the_peers_fault(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        await gate.passed()
        await echo_body(exchange)

    await stage.serve(handler)
    peer = await stage.accepted()
    size = 4_000_000
    await peer.send(get("/", f"Content-Length: {size}", method="PUT"))
    sending = asyncio.ensure_future(peer.send(b"x" * size))
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: connection.exchange and not connection.transport.is_reading())
    stage.pass_time(200)
    gate.open()
    await sending
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")


async def test_the_pace_is_measured_within_one_exchange(stage: Stage) -> None:
    """A window that began during an earlier upload, and idleness between, do not count against the next one."""
    await stage.serve(echo_body, keep_alive_timeout=600)
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await stage.until(lambda: stage.server.active)
    stage.pass_time(35)  # the window is open
    await peer.send(b"x" * 10)
    await peer.read(len(answer(b"x" * 10)))
    stage.pass_time(24)
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await stage.until(lambda: stage.server.active)
    stage.pass_time(10)
    await peer.send(b"y" * 10)
    assert await peer.read(len(answer(b"y" * 10))) == answer(b"y" * 10)


@pytest.mark.parametrize("kind", ["whole", "pieces", "iterator"])
async def test_a_peer_that_does_not_read_is_cut(stage: Stage, kind: str) -> None:
    source = Memory(BIG)

    async def iterate() -> AsyncIterator[bytes]:
        while True:
            yield BIG

    bodies: dict[str, Callable[[], Body]] = {
        "whole": lambda: BIG,
        "pieces": lambda: (Span(source, 0, len(BIG)),),
        "iterator": iterate,
    }
    await stage.serve(lambda exchange: exchange.respond(Response(200, (), bodies[kind]())))
    peer = await stage.accepted(window=4096)
    await peer.send(get())
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: is_waiting_for_peer(connection) and connection.moved > 100_000)
    stage.pass_time(29)
    await asyncio.sleep(0)
    assert stage.server.connections == 1
    stage.pass_time(40)
    await stage.until(lambda: not stage.server.connections)
    assert await peer.is_closed()
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200, "" if kind == "whole" else "too slow")
    assert source.closed == (kind == "pieces")


async def test_a_peer_that_does_not_read_its_refusal_is_cut(stage: Stage) -> None:
    gate = Gate()

    async def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), BIG))
        await gate.passed()

    await stage.serve(handler)
    peer = await stage.accepted(window=4096)
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await stage.until(lambda: gate.is_reached)
    stage.pass_time(20)
    await asyncio.sleep(0)
    assert stage.server.connections == 1, "the answer is still on its way"
    stage.pass_time(50)
    await stage.until(lambda: not stage.server.connections)


async def test_an_early_answer_reaches_a_slow_reader_whole(stage: Stage) -> None:
    await stage.serve(lambda exchange: exchange.respond(Response(200, (), BIG)))
    peer = await stage.accepted()
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: connection.is_paused)
    stage.pass_time(10)  # longer than a peer may linger
    head, _, body = (await peer.read_all()).partition(HEAD_END)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == BIG
    stage.pass_time(4)
    await stage.until(lambda: not stage.server.connections)


# --- applications that fail -------------------------------------------------------------------


async def test_an_application_that_fails_before_its_answer_gets_a_500(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(exchange: Exchange) -> None:
        raise ZeroDivisionError

    def handler(exchange: Exchange) -> object:
        if exchange.request.path == "/later":
            return later(exchange)
        raise ZeroDivisionError

    await stage.serve(handler)  # type: ignore[arg-type]
    peer = await stage.connect()
    for path in ("/now", "/later"):
        await peer.send(get(path))
        expected = b"500 Internal Server Error: the application failed\n"
        assert (await peer.read_head()).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert await peer.read(len(expected)) == expected
    assert [(r.status, r.note) for r in await stage.logged(2)] == [(500, "the application failed")] * 2
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


async def test_an_application_that_fails_after_its_answer_is_reported(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(exchange: Exchange) -> None:
        echo_path(exchange)
        raise ZeroDivisionError

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/1") + get("/2"))
    assert await peer.read(len(answer(b"/1") * 2)) == answer(b"/1") + answer(b"/2")
    assert len(caplog.records) == 2


async def test_an_application_that_fails_in_its_answer_is_cut(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ZeroDivisionError

    await stage.serve(lambda exchange: exchange.respond(Response(200, (), body())))
    peer = await stage.connect()
    await peer.send(get())
    data = b""
    try:
        data = await peer.read_all()
    except ConnectionError:
        assert data == b""
    assert not data.endswith(b"0\r\n\r\n")
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200, "the application failed")
    assert len(caplog.records) == 1
