"""Both kinds behind one door: each socket goes to whom it is for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.server.stage import PATIENCE_S, Gate, Peer, Stage

from portico.errors import ConfigError
from portico.gateway.pool import Pool
from portico.server.metrics import Metrics
from portico.server.peer import Peer as Name
from portico.server.service import Services, datagram_service, stream_service
from portico.server.service_log import ServiceLog, ServiceRecord
from portico.server.services import ServiceServer
from portico.server.stream import BlockingStream, Stream
from portico.settings import Limits, Service


@stream_service
async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


@datagram_service(is_quick=True)
def shout(datagram: bytes, peer: Name) -> bytes:
    return datagram.upper()


BOTH = Services(echo, shout)


def sockets() -> list[socket.socket]:
    """A listening socket and one for datagrams."""
    found = [socket.create_server(("127.0.0.1", 0)), socket.socket(type=socket.SOCK_DGRAM)]
    found[1].bind(("127.0.0.1", 0))
    for sock in found:
        sock.setblocking(False)
    return found


class Table:
    """A server of both kinds, and somebody who talks with it."""

    def __init__(self, server: ServiceServer, opened: Sequence[socket.socket]) -> None:
        self.server = server
        self.tcp, self.udp = opened
        self.names = [sock.getsockname() for sock in opened]
        self.records: list[ServiceRecord] = []
        self.kept: list[socket.socket] = []

    async def connect(self) -> Peer:
        peer = Peer(socket.socket())
        peer.sock.setblocking(False)
        self.kept.append(peer.sock)
        await asyncio.get_running_loop().sock_connect(peer.sock, self.names[0])
        return peer

    def client(self) -> Peer:
        peer = Peer(socket.socket(type=socket.SOCK_DGRAM))
        peer.sock.setblocking(False)
        self.kept.append(peer.sock)
        peer.sock.connect(self.names[1])
        return peer


@asynccontextmanager
async def laid(services: Services = BOTH, pool: Pool | None = None) -> AsyncIterator[Table]:
    """Serve both on ports of their own."""
    opened = sockets()
    records: list[ServiceRecord] = []

    def keep(batch: Sequence[ServiceRecord]) -> bytes:
        records.extend(batch)
        return b""

    log = ServiceLog(lambda batch: None, keep)
    table = Table(ServiceServer(services, Limits(), Service(), log, pool=pool), opened)
    table.records = records
    await table.server.open(opened)
    try:
        yield table
    finally:
        for sock in table.kept:
            sock.close()
        await table.server.drain(0)


async def test_both_are_served(stage: Stage) -> None:
    async with laid() as table:
        peer, client = await table.connect(), table.client()
        await peer.send(b"hello")
        await client.send(b"hello")
        assert await peer.read(5) == b"hello"
        assert await client.read(5) == b"HELLO"
        assert table.server.is_taking
        assert (table.server.connections, table.server.active) == (1, 1)
        assert table.server.totals.requests == 1  # the connection has not ended yet
        assert table.server.totals.addresses == 1
        figures = {name: read() for name, read in table.server.figures().items()}
        assert figures == {
            "portico_connections": 1,
            "portico_calls_in_flight": 1,
            "portico_served_total": 1,
            "portico_sent_bytes_total": 5,
            "portico_log_lines_lost_total": 0,
        }


async def test_both_come_to_their_end(stage: Stage) -> None:
    async with laid() as table:
        peer, client = await table.connect(), table.client()
        await client.send(b"one")
        draining = asyncio.ensure_future(table.server.drain(PATIENCE_S))
        assert await peer.read_all() == b""
        peer.sock.close()
        assert await client.read(3) == b"ONE"
        assert await draining == 0
        assert not table.server.is_taking
        assert table.server.totals.requests == 2
        assert len(table.records) == 3
        assert [sock.fileno() for sock in (table.tcp, table.udp)] == [-1, -1]


async def test_what_takes_too_long_is_cut_on_both(stage: Stage) -> None:
    gate = Gate()

    @stream_service
    async def deaf(stream: Stream) -> None:
        await gate.passed()

    @datagram_service
    async def slow(datagram: bytes, peer: Name) -> bytes:
        await gate.passed()
        return datagram

    async with laid(Services(deaf, slow)) as table:
        peer, client = await table.connect(), table.client()
        await client.send(b"one")
        await stage.until(lambda: table.server.active == 2)
        assert await table.server.drain(0.01) == 2
        assert table.server.totals.cut == 2
        assert await peer.is_closed()


async def test_what_is_cut_is_counted_once(stage: Stage) -> None:
    gate = Gate()

    @stream_service
    async def deaf(stream: Stream) -> None:
        await gate.passed()

    async with laid(Services(deaf, shout)) as table:
        await table.connect()
        await stage.until(lambda: table.server.active == 1)
        table.server.cut()
        assert table.server.totals.cut == 1


@pytest.mark.parametrize("act", [ServiceServer.cut, ServiceServer.abort])
async def test_everything_at_once(stage: Stage, act: object) -> None:
    async with laid() as table:
        peer = await table.connect()
        await peer.send(b"a")
        assert await peer.read(1) == b"a"
        act(table.server)  # type: ignore[operator]
        assert await peer.is_closed()
        await stage.until(lambda: not table.server.connections)


async def test_sockets_may_be_closed_and_more_opened(stage: Stage) -> None:
    async with laid() as table:
        peer = await table.connect()
        await peer.send(b"a")
        assert await peer.read(1) == b"a"
        table.server.close([table.tcp, table.udp])
        assert not table.server.is_taking
        await peer.send(b"b")
        assert await peer.read(1) == b"b"
        more = sockets()
        table.names = [sock.getsockname() for sock in more]
        await table.server.open(more)
        client = table.client()
        await client.send(b"c")
        assert await client.read(1) == b"C"
        table.server.close(more)


@pytest.mark.parametrize(
    ("services", "complaint"),
    [
        (Services(stream=echo), r"^udp://127.0.0.1:\d+ is UDP, and this is a service for connections; write tcp://"),
        (Services(datagram=shout), r"^127.0.0.1:\d+ takes connections, and this is a service for datagrams; write udp"),
    ],
)
async def test_a_socket_that_no_service_is_for(stage: Stage, services: Services, complaint: str) -> None:
    server = ServiceServer(services, Limits(), Service())
    opened = sockets()
    with pytest.raises(ConfigError, match=complaint):
        await server.open(opened)
    assert not server.is_taking  # nothing is half open
    assert [read() for read in server.figures().values()] == [0] * 5
    server.close(opened)
    server.cut()
    assert await server.drain(1) == 0
    for sock in opened:
        sock.close()


@pytest.mark.parametrize("services", [Services(stream=echo), Services(datagram=shout)])
async def test_one_kind_alone(stage: Stage, services: Services) -> None:
    server = ServiceServer(services, Limits(), Service())
    tcp, udp = sockets()
    mine, other = (tcp, udp) if services.stream else (udp, tcp)
    other.close()
    await server.open([mine])
    assert server.is_taking
    server.cut()
    assert await server.drain(1) == 0
    assert mine.fileno() == -1


async def test_datagrams_are_counted_where_somebody_asks(stage: Stage) -> None:
    async with laid() as table:
        assert table.server.metrics is None
        table.server.metrics = Metrics()
        client = table.client()
        await client.send(b"a")
        assert await client.read(1) == b"A"
        assert table.server.metrics.snapshot()['portico_requests_total{code="2xx"}'] == 1


async def test_plain_functions_share_threads(stage: Stage) -> None:
    @stream_service
    def wait(stream: BlockingStream) -> None:
        stream.send("hello")

    @datagram_service
    def slow(datagram: bytes, peer: Name) -> bytes:
        return datagram

    pool = Pool(1, 1)
    async with laid(Services(wait, slow), pool) as table:
        client = table.client()
        assert await (await table.connect()).read_all() == b"hello"
        await client.send(b"a")
        assert await client.read(1) == b"a"
        assert pool.size == 1
    pool.close()
    await stage.until(lambda: not pool.size)
