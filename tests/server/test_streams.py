"""The server of a stream service: which way it calls it, what it lends it, what it reports."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.server.service_stage import ServiceStage
from tests.server.stage import LOOPS, Peer

from portico.errors import UsageError
from portico.gateway.pool import Pool
from portico.server.conversation import Conversation
from portico.server.metrics import Metrics
from portico.server.replies import Replies
from portico.server.service import StreamFunction, StreamService, stream_service
from portico.server.service_log import MAX_LINES, More, ServiceLog, ServiceRecord
from portico.server.stream import BlockingStream, Stream
from portico.server.streams import StreamServer
from portico.settings import Limits, Service


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


def blocking_echo(stream: BlockingStream) -> None:
    while data := stream.receive():
        stream.send(data)


QUICK = stream_service(is_quick=True)(lambda data, peer: data)


@pytest.mark.parametrize(("service", "kind"), [(echo, Conversation), (blocking_echo, Conversation), (QUICK, Replies)])
async def test_each_kind_of_function_echoes(
    stage: ServiceStage, service: StreamFunction | StreamService, kind: type[object]
) -> None:
    await stage.host(service)
    peer = await stage.accepted()
    assert [type(found) for found in stage.conversations()] == [kind]
    for piece in (b"hello", bytes(1_000_000)):
        sending = asyncio.ensure_future(peer.send(piece))
        assert await peer.read(len(piece)) == piece
        await sending
    peer.half_close()
    assert await peer.read_all() == b""
    assert await stage.story(2) == ["connected", "closed: 1000005 received, 1000005 sent"]


@pytest.mark.parametrize("service", [echo, blocking_echo, QUICK])
async def test_many_at_once(stage: ServiceStage, service: StreamFunction | StreamService) -> None:
    await stage.host(service)
    peers: list[Peer] = []
    for number in range(60):
        peers.append(await stage.connect())
        await peers[-1].send(b"%4d" % number)
        peers[-1].half_close()
    assert [await peer.read_all() for peer in peers] == [b"%4d" % number for number in range(60)]
    await stage.until(lambda: not stage.server.connections)


@pytest.mark.parametrize("service", [echo, blocking_echo, QUICK])
async def test_over_a_unix_socket(stage: ServiceStage, service: StreamFunction | StreamService, tmp_path: Path) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "door"))
    sock.listen()
    await stage.host(service, sock=sock, limits=Limits(max_connections_per_address=1))
    peers = [await stage.connect() for _ in range(3)]  # whoever uses the file has no address to be counted by
    for peer in peers:
        await peer.send(b"hello")
        assert await peer.read(5) == b"hello"
    await stage.story(3)
    assert {str(record.peer) for record in stage.log if not isinstance(record, More)} == {"unix"}


async def test_several_sockets_and_one_less(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    more = socket.create_server(("127.0.0.1", 0))
    name = more.getsockname()
    more.setblocking(False)
    await server.open([more])
    peer = Peer(socket.socket())
    peer.sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(peer.sock, name)
    await peer.send(b"a")
    assert await peer.read(1) == b"a"
    server.close([more])
    assert more.fileno() == -1
    await peer.send(b"goes on")
    assert await peer.read(7) == b"goes on"
    peer.sock.close()
    assert server.is_taking


async def test_threads_are_lent_or_its_own(stage: ServiceStage) -> None:
    names: list[str] = []

    def name_thread(stream: BlockingStream) -> None:
        names.append(threading.current_thread().name)

    lent = Pool(1, 1)
    server = await stage.host(name_thread, pool=lent)
    for _ in range(3):
        peer = await stage.connect()
        assert await peer.read_all() == b""
        peer.sock.close()
    assert names == ["portico-1"] * 3
    assert server.threads() is lent
    await server.drain(1)
    assert lent.size == 1  # whose it is closes it
    lent.close()
    await stage.until(lambda: not lent.size)


async def test_a_pool_of_one_thread_serves_one_after_the_other(stage: ServiceStage) -> None:
    lent = Pool(1, 1)
    await stage.host(blocking_echo, pool=lent)
    first, second = await stage.accepted(), await stage.accepted()
    await second.send(b"second")
    await first.send(b"first")
    assert await first.read(5) == b"first"
    assert second.hears_nothing()
    first.half_close()
    assert await second.read(6) == b"second"
    second.half_close()
    assert await second.read_all() == b""
    lent.close()


async def test_what_a_flood_held_back_is_told_when_its_second_is_over(stage: ServiceStage) -> None:
    now = [1000.5]
    written: list[int] = []

    async def tell_much(stream: Stream) -> None:
        for _ in range(MAX_LINES + 100):
            stream.tell("x")

    await stage.host(tell_much)

    def count(batch: Sequence[ServiceRecord]) -> bytes:
        written.append(len(batch))
        return b""

    log = ServiceLog(lambda batch: None, count, wall=lambda: now[0])
    stage.server.log = log
    assert await (await stage.connect()).read_all() == b""
    await stage.until(lambda: sum(written) == MAX_LINES)
    assert log.is_pending
    now[0] = 1001.0
    await stage.until(lambda: sum(written) == MAX_LINES + 1)
    assert not log.is_pending


async def test_figures(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    server.metrics = Metrics()
    await stage.accepted()
    figures = {name: read() for name, read in server.figures().items()}
    assert figures == {"portico_connections": 1, "portico_log_lines_lost_total": 0}


def test_the_charset_of_the_service_comes_first() -> None:
    assert StreamServer(stream_service(encoding="gbk")(echo), Limits(), Service()).encoding == "gb18030"
    assert StreamServer(stream_service(echo), Limits(), Service(encoding="big5")).encoding == "big5"


def test_a_charset_of_the_settings_that_is_none() -> None:
    with pytest.raises(UsageError, match="'nonsense' is not the name of a charset"):
        StreamServer(stream_service(echo), Limits(), Service(encoding="nonsense"))
