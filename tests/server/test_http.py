import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from tests.server.stage import DATE_S, Gate, Memory, Peer, Stage, get, http_connections

from portico.errors import ConfigError
from portico.http.message import Response, Span
from portico.server.clock import Clock
from portico.server.exchange import Exchange
from portico.server.http import HttpServer
from portico.settings import Limits

BIG = b"x" * 16_000_000


def hello(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), b"hello"))


class Held:
    """A handler that keeps its exchange until the gate opens."""

    def __init__(self) -> None:
        self.gate = Gate()

    async def __call__(self, exchange: Exchange) -> None:
        await self.gate.passed()
        hello(exchange)


# --- limits on connections --------------------------------------------------------------------


async def test_one_address_has_a_limit(stage: Stage) -> None:
    await stage.serve(hello, max_connections_per_address=2)
    kept = [await stage.accepted() for _ in range(2)]
    refused = await stage.accepted()
    assert (await refused.read_head()).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert await refused.read_all() == b"429 Too Many Requests: over 2 connections at once from one address\n"
    await (await stage.accepted(source="127.0.0.2")).play("""
        > GET / HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
    """)
    refused.reset()
    kept[0].sock.close()
    await stage.until(lambda: stage.server.connections == 2)
    peer = await stage.accepted()
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")


async def test_all_addresses_together_have_a_limit(stage: Stage) -> None:
    await stage.serve(hello, max_connections=2)
    for number in range(2):
        await stage.accepted(source=f"127.0.0.{number + 2}")
    refused = await stage.accepted()
    await refused.send(get())  # sent before it could know: the answer must reach it all the same
    assert (await refused.read_head()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert await refused.read_all() == b"503 Service Unavailable: over 2 connections at once\n"
    (record,) = await stage.logged()
    assert (record.status, record.method, record.note) == (503, "-", "over 2 connections at once")


async def test_a_refused_connection_is_closed_though_its_peer_stays(stage: Stage) -> None:
    await stage.serve(hello, max_connections_per_address=1)
    await stage.accepted()
    await stage.accepted()
    stage.pass_time(4)
    await stage.until(lambda: stage.server.connections == 1)


async def test_a_unix_socket_has_no_addresses_to_count(stage: Stage) -> None:
    await stage.serve(hello, family=socket.AF_UNIX, max_connections_per_address=1)
    peers = [await stage.accepted() for _ in range(3)]
    for peer in peers:
        await peer.send(get())
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert {record.peer for record in await stage.logged(3)} == {"unix"}


# --- totals and the access log ----------------------------------------------------------------


async def test_what_is_counted(stage: Stage) -> None:
    await stage.serve(hello)
    peer = await stage.connect()
    other = await stage.connect(source="127.0.0.2")
    await peer.send(get() + get(method="HEAD"))
    await other.send(b"nonsense\n")
    records = await stage.logged(3)
    assert sorted((r.method, r.status, r.body_bytes) for r in records if r.method != "-") == [
        ("GET", 200, 5),
        ("HEAD", 200, 0),
    ]
    totals = stage.server.totals
    assert (totals.requests, totals.bytes_sent, totals.addresses, totals.cut) == (3, 5, 2, 0)


async def test_what_a_record_says(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.coding = "br"
        exchange.note = f"from {exchange.address}"
        exchange.respond(Response(404, (), b"12345"))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get("/a?b=c", "Referer: http://x/", "User-Agent: curl/8"))
    (record,) = await stage.logged()
    assert 0 <= record.duration_s < 10
    assert record[1:7] + record[8:12] == (
        *("127.0.0.1", "GET", "/a?b=c", 11, 404, 5),
        *("br", "http://x/", "curl/8", "from 127.0.0.1"),
    )


@pytest.mark.parametrize("kind", ["pieces", "iterator"])
async def test_a_cut_answer_says_how_much_was_sent(stage: Stage, kind: str) -> None:
    gate, source = Gate(), Memory(BIG)

    async def iterate() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await gate.passed()

    pieces = (b"x" * 1000, Span(source, 0, len(BIG)))
    await stage.serve(lambda exchange: exchange.respond(Response(200, (), pieces if kind == "pieces" else iterate())))
    peer = await stage.connect(window=4096)
    await peer.send(get())
    await stage.until(lambda: stage.server.active)
    await peer.read(1000)
    peer.reset()
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200, "cut")
    assert 1000 <= record.body_bytes < 1000 + len(BIG)
    assert source.closed == (kind == "pieces")


async def test_without_a_log_nothing_is_written(stage: Stage) -> None:
    server = await stage.serve(hello)
    server.log = None
    peer = await stage.connect()
    await peer.send(get() + b"nonsense\n")
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    await peer.read_all()
    assert server.totals.requests == 2
    assert stage.records == []


async def test_without_a_peer_nothing_ticks(stage: Stage) -> None:
    server = await stage.serve(hello, head_timeout=0.1)
    assert server.wheel.tick_s == 0.025
    peer = await stage.accepted()
    peer.sock.close()
    await stage.until(lambda: not server.connections)
    await stage.until(lambda: server._ticking is None)
    again = await stage.connect()
    await again.send(get())
    assert (await again.read_head()).startswith(b"HTTP/1.1 200 ")


# --- the end ----------------------------------------------------------------------------------


async def test_draining_closes_what_is_idle_and_waits_for_what_is_not(stage: Stage) -> None:
    handler = Held()
    server = await stage.serve(handler)
    idle, busy = await stage.accepted(), await stage.accepted()
    await busy.send(get() + get("/behind"))
    await stage.until(lambda: handler.gate.is_reached)
    draining = asyncio.ensure_future(server.drain(5))
    assert await idle.read_all() == b""
    assert server.active == 1
    handler.gate.open()
    head = await busy.read_head()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in head
    assert await busy.read_all() == b"hello"
    busy.sock.close()
    assert await draining == 0
    assert len(stage.records) == 1


async def test_draining_cuts_what_is_left_at_its_deadline(stage: Stage) -> None:
    handler, source = Held(), Memory(BIG)

    def pick(exchange: Exchange) -> object:
        if exchange.request.path == "/held":
            return handler(exchange)
        exchange.respond(Response(200, (), (Span(source, 0, len(BIG)),) if exchange.request.path == "/f" else BIG))
        return None

    server = await stage.serve(pick)  # type: ignore[arg-type]
    peers = []
    for path in ("/held", "/f", "/whole"):
        peers.append(await stage.accepted(window=4096))
        await peers[-1].send(get(path))
    await stage.until(lambda: server.active == 3)
    assert await server.drain(0.01) == 3
    assert server.totals.cut == 3
    assert server.connections == 0
    assert source.closed == 1
    for peer in peers:
        assert await peer.is_closed()
    assert sorted((r.target, r.status, r.note) for r in stage.records) == [
        ("/f", 200, "cut"),
        ("/held", 0, "cut"),
        ("/whole", 200, ""),
    ], "the log has all of it when drain returns"


async def test_an_abort_ends_a_drain(stage: Stage) -> None:
    handler = Held()
    server = await stage.serve(handler)
    peer = await stage.accepted()
    await peer.send(get())
    await stage.until(lambda: handler.gate.is_reached)
    draining = asyncio.ensure_future(server.drain(1000))
    await stage.until(lambda: server._empty is not None)
    server.abort()
    assert await draining == 1
    assert await peer.is_closed()


async def test_nothing_to_drain(stage: Stage) -> None:
    server = await stage.serve(hello)
    assert await server.drain(1000) == 0


async def test_a_listener_may_go_while_its_connections_stay(stage: Stage) -> None:
    server = await stage.serve(hello)
    peer = await stage.accepted()
    place = stage.sock.getsockname()
    server.close([stage.sock])
    server.close([stage.sock])
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    with socket.socket() as late, pytest.raises(ConnectionRefusedError):
        late.connect(place)


def test_the_clock_is_real_unless_it_is_replaced() -> None:
    assert HttpServer(hello, Limits()).clock.date_line != Clock(wall=lambda: DATE_S).date_line


async def test_a_last_flush_costs_nothing_where_the_log_has_gone(stage: Stage) -> None:
    server = await stage.serve(hello)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    server.log = None
    await stage.until(lambda: server._flushing is None)
    assert stage.records == []


async def test_sockets_can_be_opened_one_after_the_other(stage: Stage) -> None:
    server = await stage.serve(hello)
    first = stage.sock
    with socket.create_server(("127.0.0.1", 0)) as second:
        second.setblocking(False)
        await server.open([second])
        for sock in (first, second):
            stage.sock = sock
            peer = await stage.connect()
            await peer.send(get())
            assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
        server.close([second])
    stage.sock = first


async def test_a_closed_connection_leaves_nothing_behind(stage: Stage) -> None:
    server = await stage.serve(hello)
    for _ in range(20):
        peer = await stage.connect()
        await peer.send(get())
        await peer.read_head()
        peer.sock.close()
    await stage.until(lambda: not server.connections)
    assert server._per_address == {}
    assert server.wheel._buckets == {}


# --- draining: who is still served ------------------------------------------------------------


async def queue(stage: Stage, count: int) -> list[Peer]:
    """Connect without letting the server's loop turn: the connections wait in the kernel."""
    peers = []
    for number in range(count):
        sock = socket.socket()
        sock.connect(stage.sock.getsockname())
        sock.sendall(get(f"/{number}"))
        sock.setblocking(False)
        peers.append(Peer(sock))
    return peers


@pytest.mark.parametrize("turns", range(4))
async def test_whoever_waits_in_the_kernel_or_in_the_loop_is_served(stage: Stage, turns: int) -> None:
    server = await stage.serve(hello)
    peers = await queue(stage, 50)
    for _ in range(turns):
        await asyncio.sleep(0)
    draining = asyncio.ensure_future(server.drain(10))
    for peer in peers:
        data = await peer.read_all()
        peer.sock.close()
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert turns or b"\r\nConnection: close\r\n" in data
    assert await draining == 0
    assert len(stage.records) == 50


async def test_a_request_in_the_time_of_grace_is_answered(stage: Stage) -> None:
    server = await stage.serve(hello)
    asks, idles = await stage.accepted(), await stage.accepted()
    draining = asyncio.ensure_future(server.drain(10, 5))
    await stage.until(lambda: server._empty is not None)
    assert idles.hears_nothing()
    await asks.send(get())
    data = await asks.read_all()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in data
    asks.sock.close()
    idles.sock.close()
    assert await draining == 0


async def test_a_kept_connection_has_less_time_of_grace_than_one_that_has_asked_nothing_yet(stage: Stage) -> None:
    server = await stage.serve(hello)
    kept, new = await stage.accepted(), await stage.accepted()
    await kept.send(get())
    await kept.read_head()
    await kept.read(5)
    draining = asyncio.ensure_future(server.drain(60, 30))
    assert await kept.read_all() == b""
    await new.send(get())
    assert (await new.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")
    for peer in (kept, new):
        peer.sock.close()
    assert await draining == 0


async def test_a_connection_with_bytes_on_their_way_is_not_idle(stage: Stage) -> None:
    server = await stage.serve(hello)
    asks, idles = await stage.accepted(), await stage.accepted()
    asks.sock.send(get())  # it is in the kernel, and our loop has not turned
    for connection in http_connections(server):
        connection.drain()
        connection.end_idleness()
    assert (await asks.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await idles.read_all() == b""


async def test_a_connection_with_half_a_head_is_not_idle(stage: Stage) -> None:
    server = await stage.serve(hello)
    peer = await stage.accepted()
    await peer.send(get()[:10])
    (connection,) = http_connections(server)
    await stage.until(lambda: connection.codec.buffered)
    connection.drain()
    connection.end_idleness()
    await peer.send(get()[10:])
    assert (await peer.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_draining_waits_for_work_behind_an_answer(stage: Stage) -> None:
    gate, seen = Gate(), list[str]()

    async def handler(exchange: Exchange) -> None:
        hello(exchange)
        await gate.passed()
        seen.append("done")

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    peer.sock.close()
    draining = asyncio.ensure_future(server.drain(10))
    await stage.until(lambda: not server.connections)
    assert not draining.done()
    gate.open()
    assert await draining == 0
    assert seen == ["done"]


async def test_work_behind_an_answer_is_cancelled_at_the_deadline(stage: Stage) -> None:
    gate, seen = Gate(), list[str]()

    async def handler(exchange: Exchange) -> None:
        hello(exchange)
        try:
            await gate.passed()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    server = await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    peer.sock.close()
    await stage.until(lambda: gate.is_reached)
    assert await server.drain(0.01) == 0
    assert seen == ["cleaned up"]
    assert server.tasks.running == set()


async def test_whoever_waits_for_a_turn_is_served_in_a_drain(stage: Stage) -> None:
    handler = Held()
    server = await stage.serve(handler, max_active=1)
    peers = [await stage.accepted() for _ in range(3)]
    for peer in peers:
        await peer.send(get())
    await stage.until(lambda: server.turns.waiting == 2)
    draining = asyncio.ensure_future(server.drain(10))
    await stage.until(lambda: server._empty is not None)
    handler.gate.open()
    for peer in peers:
        assert (await peer.read_all()).startswith(b"HTTP/1.1 200 OK\r\n")
        peer.sock.close()
    assert await draining == 0


async def test_it_is_known_whether_connections_are_taken(stage: Stage) -> None:
    server = await stage.serve(hello)
    assert server.is_taking
    await server.drain(1)
    assert not server.is_taking


async def test_a_connection_that_is_being_closed_is_no_websocket(stage: Stage) -> None:
    server = await stage.serve(hello)
    peer = await stage.connect()
    await peer.send(b"nonsense\n")
    await peer.read_all()
    assert (server.connections, server.websockets) == (1, 0)


async def test_a_socket_for_datagrams_is_refused(stage: Stage) -> None:
    server = await stage.serve(hello)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError, match="is UDP; HTTP is served over TCP"):
            await server.open([udp])
