"""What every server of connections does: opening, counting in and out, coming to an end, writing its log."""

import asyncio
import socket

import pytest
from tests.server.service_stage import ServiceStage
from tests.server.stage import LOOPS, PATIENCE_S, Peer

from portico.server.service import stream_service
from portico.server.stream import Stream
from portico.server.streams import StreamServer
from portico.settings import Limits, Service


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


async def hello(peer: Peer) -> None:
    await peer.send(b"hello")
    assert await peer.read(5) == b"hello"


def test_before_it_is_open() -> None:
    server = StreamServer(stream_service(echo), Limits(), Service())
    assert not server.is_open
    assert not server.is_taking
    assert (server.connections, server.active) == (0, 0)
    assert {name: read() for name, read in server.figures().items()}["portico_log_lines_lost_total"] == 0
    server.abort()
    server.cut()


async def test_open_and_taking(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    assert server.is_open
    assert server.is_taking
    await hello(await stage.connect())
    server.close([stage.sock])
    server.close([stage.sock])
    assert not server.is_taking
    assert server.connections == 1


async def test_peers_are_counted_once(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    for source in ("127.0.0.1", "127.0.0.1", "127.0.0.3"):
        peer = await stage.connect(source=source)
        await hello(peer)
        peer.sock.close()
    await stage.until(lambda: not server.connections)
    assert server.totals.addresses == 2
    assert server.totals.requests == 3


async def test_room_is_given_back(stage: ServiceStage) -> None:
    server = await stage.host(echo, limits=Limits(max_connections_per_address=2))
    for _ in range(3):
        peers = [await stage.accepted(), await stage.accepted()]
        for peer in peers:
            await hello(peer)
        assert await (await stage.connect()).is_closed()
        for peer in peers:
            peer.sock.close()
        await stage.until(lambda: not server.connections)


async def test_nobody_is_lost_between_the_queue_and_the_end(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    peers = []
    for _ in range(10):
        sock = socket.create_connection(stage.sock.getsockname())
        sock.setblocking(False)
        sock.send(b"hello")
        sock.shutdown(socket.SHUT_WR)
        peers.append(Peer(sock))
    draining = asyncio.ensure_future(server.drain(PATIENCE_S))
    for peer in peers:
        assert await peer.read_all() == b"hello"
        peer.sock.close()
    assert await draining == 0
    assert stage.sock.fileno() == -1
    assert server.totals.requests == 10


async def test_a_second_drain_has_nothing_to_do(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    assert await server.drain(PATIENCE_S) == 0
    assert await server.drain(PATIENCE_S) == 0
    assert not server.is_taking


async def test_a_drain_without_time_cuts(stage: ServiceStage) -> None:
    async def deaf(stream: Stream) -> None:
        await asyncio.Event().wait()

    server = await stage.host(deaf)
    peer = await stage.accepted()
    assert await server.drain(0, 0) == 1
    assert await peer.is_closed()


async def test_what_a_service_began_goes_on_until_the_end(stage: ServiceStage) -> None:
    ends: list[str] = []

    async def wait_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    server = await stage.host(echo)
    server.tasks.start(wait_on())
    assert await server.drain(0.01) == 0
    assert ends == ["cancelled"]


async def test_the_log_is_written_soon_and_at_the_end(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    await hello(await stage.connect())
    assert await stage.story(1) == ["connected"]
    peer = await stage.connect()
    await hello(peer)
    peer.sock.close()
    await stage.until(lambda: server.connections == 1)
    assert await server.drain(0) in (0, 1)
    assert len(stage.log) == 4


async def test_deadlines_are_kept_for_as_long_as_somebody_is_connected(stage: ServiceStage) -> None:
    server = await stage.host(echo, Service(idle_timeout=0.4))
    peer = await stage.accepted()
    stage.now_s += 10  # the server looks at the clock by itself, every tenth of a second
    assert await peer.is_closed()
    await stage.until(lambda: not server.connections)
    assert (await stage.story(2))[1].endswith(", silent for 0.4 s")
