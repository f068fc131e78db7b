"""How many requests are under way, who waits, and who goes."""

import asyncio
from contextvars import ContextVar

import pytest
from tests.server.stage import Gate, Memory, Peer, Stage, get, http_connections

from portico.http.message import Response, Span
from portico.server.exchange import Exchange
from portico.server.http import HttpServer

BIG = bytes(16_000_000)


class Office:
    """A handler that keeps every exchange until its path is called. seen: paths in the order of their turns."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gates: dict[str, Gate] = {}

    async def __call__(self, exchange: Exchange) -> None:
        path = exchange.request.path
        self.seen.append(path)
        self.gates[path] = Gate()
        await self.gates[path].passed()
        exchange.respond(Response(200, (), path.encode()))

    def call(self, path: str) -> None:
        """Let the exchange for `path` be answered."""
        self.gates[path].open()


async def ask(stage: Stage, *paths: str) -> list[Peer]:
    """Ask each on a connection of its own, and wait until the server has taken note, one after the other."""
    peers = []
    for path in paths:
        before = stage.server.active
        peer = await stage.connect()
        await peer.send(get(path))
        await stage.until(lambda: stage.server.active > before)  # noqa: B023
        peers.append(peer)
    return peers


async def answer_of(peer: Peer, length: int = 2) -> tuple[int, bytes]:
    head = await peer.read_head()
    return int(head.split(b" ")[1]), await peer.read(length)


def counts(server: HttpServer) -> tuple[int, int, bool]:
    return server.turns.active, server.turns.waiting, server.turns.is_full


async def test_the_queue_is_served_in_order(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=2, max_waiting=3)
    peers = await ask(stage, "/1", "/2", "/3", "/4", "/5")
    assert office.seen == ["/1", "/2"]
    assert counts(server) == (2, 3, True)
    for number, path in enumerate(("/2", "/3", "/1", "/4", "/5")):
        office.call(path)
        assert await answer_of(peers[int(path[1]) - 1]) == (200, path.encode())
        await stage.until(lambda: len(office.seen) >= min(3 + number, 5))  # noqa: B023
    assert office.seen == ["/1", "/2", "/3", "/4", "/5"]
    await stage.until(lambda: counts(server) == (0, 0, False))


async def test_beyond_the_queue_it_is_503(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1, max_waiting=1)
    peers = await ask(stage, "/1", "/2")
    refused = await stage.connect()
    await refused.send(get("/3"))
    head = await refused.read_head()
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert b"Connection: close" not in head
    expected = b"503 Service Unavailable: too many requests at once\n"
    assert await refused.read(len(expected)) == expected
    office.call("/1")
    await answer_of(peers[0])
    await stage.until(lambda: "/2" in office.seen)
    await refused.send(get("/4"))  # the same connection may ask again
    await stage.until(lambda: counts(server) == (1, 1, True))
    for path, peer in (("/2", peers[1]), ("/4", refused)):
        await stage.until(lambda: path in office.gates)  # noqa: B023
        office.call(path)
        assert await answer_of(peer) == (200, path.encode())
    assert [(r.status, r.note) for r in await stage.logged(4) if r.status != 200] == [
        (503, "too many requests at once")
    ]


async def test_without_a_queue_nobody_waits(stage: Stage) -> None:
    office = Office()
    await stage.serve(office, max_active=1, max_waiting=0)
    await ask(stage, "/1")
    other = await stage.connect()
    await other.send(get("/2"))
    assert (await other.read_head()).startswith(b"HTTP/1.1 503 ")


async def test_whoever_leaves_the_queue_makes_room(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1, max_waiting=1)
    first, second = await ask(stage, "/1", "/2")
    second.reset()
    await stage.until(lambda: server.turns.waiting == 0)
    assert counts(server) == (1, 0, True)
    (third,) = await ask(stage, "/3")
    office.call("/1")
    assert await answer_of(first) == (200, b"/1")
    await stage.until(lambda: "/3" in office.seen)
    office.call("/3")
    assert await answer_of(third) == (200, b"/3")
    assert office.seen == ["/1", "/3"]
    assert sorted((r.target, r.status, r.note) for r in await stage.logged(3)) == [
        ("/1", 200, ""),
        ("/2", 0, "cut"),
        ("/3", 200, ""),
    ]


async def test_a_peer_that_leaves_gives_its_turn_back(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1)
    first, second = await ask(stage, "/1", "/2")
    first.reset()
    await stage.until(lambda: "/2" in office.seen)
    office.call("/2")
    assert await answer_of(second) == (200, b"/2")
    await stage.until(lambda: counts(server) == (0, 0, False))


async def test_a_connection_that_is_closing_is_not_served_any_more(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1)
    await ask(stage, "/1", "/2")
    for connection in http_connections(server):
        connection.transport.abort()
    await stage.until(lambda: not server.connections)
    assert office.seen == ["/1"]
    assert counts(server) == (0, 0, False)


async def test_a_turn_that_comes_to_a_closing_connection_goes_to_the_next(stage: Stage) -> None:
    office = Office()

    async def handler(exchange: Exchange) -> None:
        await office(exchange)
        if exchange.request.path == "/1":  # the turn is on its way, and the end of the connection behind it
            (second,) = (one for one in http_connections(server) if one.exchange and one.exchange.request.path == "/2")
            second.transport.abort()

    server = await stage.serve(handler, max_active=1)
    peers = await ask(stage, "/1", "/2", "/3")
    office.call("/1")
    assert await answer_of(peers[0]) == (200, b"/1")
    await stage.until(lambda: "/3" in office.gates)
    office.call("/3")
    assert await answer_of(peers[2]) == (200, b"/3")
    assert office.seen == ["/1", "/3"]
    assert await peers[1].is_closed()


async def test_whoever_waits_too_long_is_told_in_time(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1, answer_timeout=5)
    first, second = await ask(stage, "/1", "/2")
    stage.pass_time(4)
    await asyncio.sleep(0)
    assert first.hears_nothing()
    assert second.hears_nothing()
    stage.pass_time(3)
    for peer in (first, second):
        assert b"503 Service Unavailable: the application gave no answer within 5 s" in await peer.read_all()
    await stage.until(lambda: counts(server) == (0, 0, False))
    assert office.seen == ["/1"]


async def test_a_slow_body_in_the_queue_is_refused_there(stage: Stage) -> None:
    office = Office()
    server = await stage.serve(office, max_active=1)
    await ask(stage, "/1")
    peer = await stage.connect()
    await peer.send(get("/2", "Transfer-Encoding: chunked", method="PUT"))
    await stage.until(lambda: server.turns.waiting)
    await peer.send(b"zz\r\n")
    assert (await peer.read_head()).startswith(b"HTTP/1.1 400 ")
    assert counts(server) == (1, 0, True)


async def test_an_exchange_in_the_queue_keeps_its_pipeline_in_order(stage: Stage) -> None:
    office = Office()
    await stage.serve(office, max_active=1)
    first, second = await ask(stage, "/1", "/2")
    await second.send(get("/3"))
    for path in ("/1", "/2", "/3"):
        await stage.until(lambda: path in office.gates)  # noqa: B023
        office.call(path)
    assert await answer_of(first) == (200, b"/1")
    assert [await answer_of(second), await answer_of(second)] == [(200, b"/2"), (200, b"/3")]


async def test_what_answers_at_once_takes_no_turn(stage: Stage) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), exchange.request.path.encode()))

    server = await stage.serve(handler, max_active=1, max_waiting=0)
    for path in ("/1", "/2", "/3"):
        peer = await stage.connect()
        await peer.send(get(path))
        assert await answer_of(peer) == (200, path.encode())
        assert counts(server) == (0, 0, False)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_download_takes_no_turn(stage: Stage, waits: bool) -> None:
    """How long the peer takes to read is not the application's affair, whether it had to wait before or not."""
    source = Memory(BIG)

    async def handler(exchange: Exchange) -> None:
        if waits:
            await asyncio.sleep(0)
        exchange.respond(Response(200, (), (Span(source, 0, len(BIG)),) if exchange.request.path == "/f" else b"ok"))

    server = await stage.serve(handler, max_active=1, max_waiting=0)
    slow = await stage.connect(window=4096)
    await slow.send(get("/f"))
    await slow.read_head()
    await stage.until(lambda: server.turns.active == 0)
    assert server.active == 1
    other = await stage.connect()
    await other.send(get("/o"))
    assert await answer_of(other) == (200, b"ok")


async def test_the_next_one_does_not_see_what_the_last_one_set(stage: Stage) -> None:
    name = ContextVar("name", default="nobody")
    seen: list[str] = []
    office = Office()

    def plain(exchange: Exchange) -> None:
        seen.append(name.get())
        name.set("plain")
        exchange.respond(Response(200, (), b"ok"))

    def handler(exchange: Exchange) -> object:
        if exchange.request.path == "/p":
            plain(exchange)
            return None

        async def later() -> None:
            seen.append(name.get())
            name.set(exchange.request.path)
            await office(exchange)

        return later()

    await stage.serve(handler, max_active=1)  # type: ignore[arg-type]
    first, second, third = await ask(stage, "/1", "/p", "/3")
    office.call("/1")
    assert await answer_of(first) == (200, b"/1")
    assert await answer_of(second) == (200, b"ok")
    await stage.until(lambda: "/3" in office.gates)
    office.call("/3")
    assert await answer_of(third) == (200, b"/3")
    assert seen[0] == "nobody"
    assert "/1" not in seen
