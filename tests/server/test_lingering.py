"""A peer that may still be sending gets its answer, and a bounded time to stop."""

import asyncio

import pytest
from tests.server.stage import Stage, get, http_connections

from portico.http.message import Response
from portico.server.exchange import Exchange
from portico.server.lingering import Lingering


def echo_path(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), exchange.request.path.encode()))


async def test_a_client_that_never_stops_is_left_alone_after_a_while(stage: Stage) -> None:
    await stage.serve(echo_path, max_body=1024)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10000000000", method="PUT"))
    flood = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(peer.sock, b"x" * 400_000_000))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 413 ")
    (connection,) = stage.server._connections
    await stage.until(lambda: not connection.transport.is_reading())
    stage.pass_time(31)
    with pytest.raises(ConnectionError):
        await flood
    await stage.until(lambda: not stage.server.connections)


async def test_a_refused_peer_that_falls_silent_is_closed_after_two_seconds(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    await peer.send(b"nonsense\n")
    assert (await peer.read_all()).startswith(b"HTTP/1.1 400 ")
    stage.pass_time(1)
    await peer.send(b"x")
    assert stage.server.connections == 1
    stage.pass_time(4)
    await stage.until(lambda: not stage.server.connections)


@pytest.mark.parametrize(("piece", "second"), [(b"x", 3), (b"x" * 4096, 32)])
async def test_a_refused_peer_may_finish_but_not_drip(stage: Stage, piece: bytes, second: int) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    await peer.send(b"nonsense\n")
    await peer.read_all()
    (lingering,) = stage.server._connections
    assert isinstance(lingering, Lingering)
    closed_after = 0
    while stage.server.connections and closed_after < 40:
        closed_after += 1
        before = lingering.received
        await peer.send(piece)
        await stage.until(lambda: lingering.received > before)  # noqa: B023
        stage.pass_time(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert second - 1 <= closed_after <= second


async def test_a_peer_whose_head_is_never_whole_hears_so_once_and_is_left_alone(stage: Stage) -> None:
    await stage.serve(echo_path, head_timeout=10)
    peer = await stage.connect()
    await peer.send(b"GET / HTT")
    await stage.until(lambda: any(one.codec.buffered for one in http_connections(stage.server)))
    stage.pass_time(11)
    assert (await peer.read_all()).startswith(b"HTTP/1.1 408 ")
    (lingering,) = stage.server._connections
    assert isinstance(lingering, Lingering)
    for _ in range(5):
        before = lingering.received
        await peer.send(b"P" * 4096)
        await stage.until(lambda: lingering.received > before)  # noqa: B023
        stage.pass_time(1)
    assert stage.server.connections == 1
    stage.pass_time(3)
    await stage.until(lambda: not stage.server.connections)
    assert [record.status for record in await stage.logged()] == [408]


async def test_a_drain_does_not_wait_for_a_peer_that_has_its_answer(stage: Stage) -> None:
    await stage.serve(echo_path)
    peer = await stage.connect()
    await peer.send(b"nonsense\n")
    await peer.read_all()
    assert await stage.server.drain(5.0, 0.0) == 0
    assert not stage.server.connections


async def test_a_peer_that_does_not_read_its_refusal_is_cut(stage: Stage) -> None:
    await stage.serve(lambda exchange: exchange.respond(Response(200, (), bytes(30_000_000))), rate_window=1.0)
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="PUT"))
    await stage.until(lambda: any(isinstance(c, Lingering) for c in stage.server._connections))
    (lingering,) = stage.server._connections
    assert lingering.is_busy
    for _ in range(3):
        stage.pass_time(2)
    await stage.until(lambda: not stage.server.connections)
