"""A quick service: pieces are answered on the loop, and a peer that does not take is not read from."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.server.service_stage import ServiceStage, come_and_go
from tests.server.stage import LOOPS, Peer

from portico.errors import Gone, PeerError
from portico.server.peer import Peer as Name
from portico.server.service import StreamService, stream_service
from portico.settings import Limits, Service

FLOOD = 40_000_000  # bytes; more than both kernels and the loop hold between us and the server


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


def quick(function: Callable[[bytes, Name], Any]) -> StreamService:
    return stream_service(is_quick=True, name="quick")(function)


ECHO = quick(lambda data, peer: data)


async def test_each_piece_is_answered(stage: ServiceStage) -> None:
    await stage.host(ECHO)
    peer = await stage.connect()
    for piece in (b"hello\n", b"again", b"\0\xff"):
        await peer.send(piece)
        assert await peer.read(len(piece)) == piece
    peer.half_close()
    assert await peer.read_all() == b""
    assert await stage.story(2) == ["connected", "closed: 13 received, 13 sent"]


async def test_an_answer_may_be_none_or_say_who_asks(stage: ServiceStage) -> None:
    await stage.host(quick(lambda data, peer: None if data == b"quiet" else str(peer).encode()))
    peer = await stage.connect()
    await peer.send(b"quiet")
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].received == 5)
    await peer.send(b"who?")
    name = str(Name(*peer.sock.getsockname()))
    assert await peer.read(len(name)) == name.encode()


@pytest.mark.parametrize(
    ("exc", "said", "note"),
    [
        (PeerError(400, "no digits"), b"no digits\n", "no digits"),
        (Gone("nobody is left"), b"", "nobody is left"),
        (ValueError("on purpose"), b"", "the service failed"),
        (SystemExit(3), b"", "the service failed"),
    ],
)
async def test_how_it_may_fail(stage: ServiceStage, exc: BaseException, said: bytes, note: str) -> None:
    def fail(data: bytes, peer: Name) -> bytes:
        if data == b"fail":
            raise exc
        return data

    await stage.host(quick(fail))
    peer = await stage.connect()
    await peer.send(b"fail")
    assert await peer.read_all() == said
    await peer.send(b"and more")
    assert await stage.story(2) == ["connected", f"closed: 4 received, {len(said)} sent, {note}"]
    assert [line.partition(": ")[2] for line in stage.complaints] == ([repr(exc)] if "failed" in note else [])
    other = await stage.connect()
    await other.send(b"fine")
    assert await other.read(4) == b"fine"


@pytest.mark.parametrize("answer", ["text", 7])
async def test_what_is_no_answer(stage: ServiceStage, answer: object) -> None:
    await stage.host(quick(lambda data, peer: answer))
    peer = await stage.connect()
    await peer.send(b"?")
    assert await peer.read_all() == b""
    said = f"quick returned {type(answer).__name__}, not bytes or None"
    assert said in stage.complaints[0]


async def stopped(stage: ServiceStage) -> tuple[Peer, "asyncio.Task[None]"]:
    """Connect somebody who sends much and takes nothing; wait until the server reads no more."""
    peer = await stage.connect()
    sending = asyncio.ensure_future(peer.send(b"x" * FLOOD))
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
    await stage.turn()
    return peer, sending


async def test_a_peer_that_does_not_take_is_not_read_from(stage: ServiceStage) -> None:
    await stage.host(ECHO)
    peer, sending = await stopped(stage)
    (connection,) = stage.conversations()
    assert connection.transport.get_write_buffer_size() < 1 << 20
    assert connection.received < FLOOD
    assert not sending.done()
    assert await peer.read(FLOOD) == b"x" * FLOOD
    await sending
    peer.half_close()
    assert await peer.read_all() == b""
    assert (await stage.story(2))[1] == f"closed: {FLOOD} received, {FLOOD} sent"


async def test_a_peer_that_takes_nothing_is_cut(stage: ServiceStage) -> None:
    await stage.host(ECHO, limits=Limits(rate_window=2, min_rate=100))
    _, sending = await stopped(stage)
    stage.pass_time(5)
    with pytest.raises(ConnectionError):
        await sending
    assert (await stage.story(2))[1].endswith(", takes less than 100 bytes a second")
    await stage.until(lambda: not stage.server.connections)


async def test_a_peer_that_goes_while_it_is_waited_for(stage: ServiceStage) -> None:
    await stage.host(ECHO)
    peer, sending = await stopped(stage)
    sending.cancel()
    await asyncio.wait([sending])
    peer.reset()
    assert (await stage.story(2))[1].endswith(", the peer closed the connection")
    await stage.until(lambda: not stage.server.connections)


async def test_silence_is_the_end(stage: ServiceStage) -> None:
    await stage.host(ECHO, Service(idle_timeout=10))
    peer = await stage.accepted()
    stage.pass_time(6)
    await peer.send(b"a")
    assert await peer.read(1) == b"a"
    stage.pass_time(9)
    assert peer.hears_nothing()
    stage.pass_time(4)
    assert await peer.is_closed()
    assert await stage.story(2) == ["connected", "closed: 1 received, 1 sent, silent for 10 s"]


async def test_somebody_who_was_gone_before_it_was_seen(stage: ServiceStage) -> None:
    await stage.host(ECHO)
    come_and_go(stage.sock)
    assert (await stage.story(2))[1] == "closed: 0 received, 0 sent, the peer closed the connection"
    await stage.until(lambda: not stage.server.connections)


async def test_the_end_of_the_server_is_the_end_of_who_is_silent(stage: ServiceStage) -> None:
    await stage.host(ECHO)
    peer = await stage.accepted()
    assert await stage.server.drain(5.0) == 0
    assert await peer.read_all() == b""
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent"]
