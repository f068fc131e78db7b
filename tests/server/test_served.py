"""What all connections to a service have in common: limits, deadlines, the end of the server, what is counted."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from tests.server.service_stage import BIG, WINDOW, ServiceStage, come_and_go
from tests.server.stage import LOOPS, PATIENCE_S, Gate
from tests.server.stage import Peer as Client

from portico.server.peer import Peer
from portico.server.served import ServedConnection
from portico.server.service import stream_service
from portico.server.service_log import More
from portico.server.stream import BlockingStream, Stream
from portico.server.streams import StreamServer
from portico.settings import Limits, Service


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


async def wait(stream: Stream) -> None:
    await stream.receive()


# who comes


@pytest.mark.parametrize(
    ("limits", "note"),
    [
        (Limits(max_connections=1), "over 1 connections at once"),
        (Limits(max_connections_per_address=1), "over 1 connections at once from one address"),
    ],
)
async def test_one_too_many_is_hung_up_on(stage: ServiceStage, limits: Limits, note: str) -> None:
    await stage.host(echo, limits=limits)
    first = await stage.accepted()
    second = await stage.connect()
    assert await second.is_closed()
    assert (await stage.story(3))[1:] == ["connected", f"closed: 0 received, 0 sent, {note}"]
    await first.send(b"still here")
    assert await first.read(10) == b"still here"
    await stage.until(lambda: stage.server.connections == 1)


async def test_addresses_are_counted_apart(stage: ServiceStage) -> None:
    await stage.host(echo, limits=Limits(max_connections_per_address=1))
    peers = [await stage.connect(source=source) for source in ("127.0.0.1", "127.0.0.2")]
    for peer in peers:
        await peer.send(b"a")
        assert await peer.read(1) == b"a"
    assert stage.server.totals.addresses == 2


async def test_who_was_gone_before_it_was_seen_has_perhaps_no_name(stage: ServiceStage) -> None:
    await stage.host(echo)
    name = come_and_go(stage.sock)
    await stage.until(lambda: len(stage.log) == 2 and not stage.server.connections)
    names = {str(record.peer) for record in stage.log if not isinstance(record, More)}
    assert names <= {name, "-"}
    assert len(names) == 1
    assert (await stage.story(2))[1] == "closed: 0 received, 0 sent, the peer closed the connection"


async def test_what_is_counted(stage: ServiceStage) -> None:
    server = await stage.host(echo)
    peers = [await stage.connect() for _ in range(3)]
    for peer in peers:
        await peer.send(b"hello")
        assert await peer.read(5) == b"hello"
    assert (server.connections, server.active, server.totals.requests) == (3, 3, 0)
    peers[0].half_close()
    assert await peers[0].read_all() == b""
    await stage.until(lambda: server.connections == 2)
    assert (server.active, server.totals.requests, server.totals.bytes_sent, server.received_bytes) == (2, 1, 5, 5)


async def test_without_a_log(stage: ServiceStage) -> None:
    async def tell(stream: Stream) -> None:
        stream.tell("nobody hears it")
        await echo(stream)

    await stage.host(tell)
    stage.server.log = None
    peer = await stage.connect()
    await peer.send(b"a")
    assert await peer.read(1) == b"a"
    peer.half_close()
    assert await peer.read_all() == b""
    assert stage.log == []


# deadlines


async def test_silence_on_both_sides_is_the_end(stage: ServiceStage) -> None:
    await stage.host(wait, Service(idle_timeout=10))
    peer = await stage.accepted()
    stage.pass_time(9)
    assert peer.hears_nothing()
    stage.pass_time(4)
    assert await peer.is_closed()
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, silent for 10 s"]
    assert stage.complaints == []


async def test_either_side_breaks_the_silence(stage: ServiceStage) -> None:
    news: asyncio.Queue[bytes] = asyncio.Queue()

    async def report(stream: Stream) -> None:
        while item := await news.get():
            await stream.send(item)

    await stage.host(report, Service(idle_timeout=10))
    peer = await stage.accepted()
    for _ in range(3):
        stage.pass_time(8)
        news.put_nowait(b"news")
        assert await peer.read(4) == b"news"
        stage.pass_time(8)
        before = stage.conversations()[0].received
        await peer.send(b"go on")
        await stage.until(lambda before=before: stage.conversations()[0].received > before)  # type: ignore[misc]
    news.put_nowait(b"")
    assert await peer.read_all() == b""


async def pour(stream: Stream) -> None:
    while True:
        await stream.send(bytes(65536))


async def test_a_peer_that_takes_too_little_is_cut(stage: ServiceStage) -> None:
    await stage.host(pour, limits=Limits(rate_window=2, min_rate=1000))
    peer = await stage.connect(window=WINDOW)
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
    stage.pass_time(5)
    assert await peer.is_closed()
    assert (await stage.story(2))[1].endswith(", takes less than 1000 bytes a second")


async def test_a_peer_that_takes_enough_is_not(stage: ServiceStage) -> None:
    await stage.host(pour, Service(idle_timeout=4), limits=Limits(rate_window=2, min_rate=1000))
    peer = await stage.connect(window=WINDOW)
    for _ in range(5):
        await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
        stage.pass_time(2)
        before = stage.conversations()[0].sent
        while stage.conversations()[0].sent < before + 1_000_000:
            assert len(await peer.read(100_000)) == 100_000
    assert len(stage.log) == 1


async def test_a_peer_that_does_not_take_the_end_is_cut(stage: ServiceStage) -> None:
    async def say_much(stream: Stream) -> None:
        while await stream.receive():
            pass
        sending = asyncio.ensure_future(stream.send(bytes(3 * BIG)))
        await asyncio.sleep(0)
        sending.cancel()

    await stage.host(say_much, limits=Limits(rate_window=2, min_rate=1000))
    peer = await stage.connect(window=WINDOW)
    peer.half_close()
    await stage.story(2)
    assert stage.server.connections == 1
    stage.pass_time(6)
    await stage.until(lambda: not stage.server.connections)


async def test_who_has_gone_is_not_asked_again(stage: ServiceStage) -> None:
    gate = Gate()

    async def go_on_alone(stream: Stream) -> None:
        await gate.passed()

    await stage.host(go_on_alone, Service(idle_timeout=5))
    peer = await stage.accepted()
    peer.reset()
    await stage.until(lambda: stage.conversations()[0].is_lost)
    stage.pass_time(20)
    assert stage.server.active == 1
    gate.open()
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent"]
    await stage.until(lambda: not stage.server.connections)


# the end of our side


async def test_our_side_ends_before_the_service_does(stage: ServiceStage) -> None:
    async def say_and_listen(stream: Stream) -> None:
        await stream.send("that is all\n")
        await stream.end()
        await stream.end()
        stream.tell(repr(await stream.receive()))
        await stream.send("no, wait")

    await stage.host(say_and_listen)
    peer = await stage.connect()
    assert await peer.read_all() == b"that is all\n"
    await peer.send(b"thanks")
    assert await stage.story(3) == ["connected", "told b'thanks'", "closed: 6 received, 12 sent, the service failed"]
    assert "this side of the stream has ended; nothing more can be sent" in stage.complaints[0]


async def test_ending_what_was_reset_meanwhile(stage: ServiceStage) -> None:
    async def end(stream: Stream) -> None:
        await stream.end()
        await stream.receive()

    await stage.host(end)
    come_and_go(stage.sock)
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, the peer closed the connection"]
    await stage.until(lambda: not stage.server.connections)
    assert stage.complaints == []


# the end of the server


async def ended(server: StreamServer, peers: Sequence[Client]) -> list[bytes]:
    """Stop the server in front of peers who hang up when it does; return what they got."""
    draining = asyncio.ensure_future(server.drain(PATIENCE_S))
    got = []
    for peer in peers:
        got.append(await peer.read_all())
        peer.sock.close()
    assert await draining == 0
    return got


async def test_who_is_silent_is_told_at_once(stage: ServiceStage) -> None:
    async def say_goodbye(stream: Stream) -> None:
        await echo(stream)
        await stream.send("goodbye\n")

    await stage.host(say_goodbye)
    peers = [await stage.accepted() for _ in range(3)]
    await peers[0].send(b"hello")
    assert await peers[0].read(5) == b"hello"
    assert await ended(stage.server, peers) == [b"goodbye\n"] * 3
    assert stage.server.totals.cut == 0
    assert not stage.server.is_taking


async def test_who_waits_in_the_queue_is_served(stage: ServiceStage) -> None:
    async def greet(stream: Stream) -> None:
        await stream.send("welcome\n")

    await stage.host(greet)
    peers = [await stage.connect() for _ in range(20)]
    assert await ended(stage.server, peers) == [b"welcome\n"] * 20


async def test_who_has_just_come_may_still_say_something(stage: ServiceStage) -> None:
    await stage.host(echo)
    peer = await stage.connect()
    await peer.send(b"hello")
    peer.half_close()
    assert await ended(stage.server, [peer]) == [b"hello"]


async def test_something_that_moves_goes_on_until_it_is_silent(stage: ServiceStage) -> None:
    await stage.host(echo)
    peer = await stage.accepted()
    draining = asyncio.ensure_future(stage.server.drain(PATIENCE_S))
    for _ in range(5):  # more than a second by the clock of the server, never a second without a word
        await peer.send(b"more")
        assert await peer.read(4) == b"more"
        stage.pass_time(0.5)
        await stage.turn()
    await asyncio.wait([draining], timeout=0.5)  # beyond the time in which who is silent is told
    assert not draining.done()
    await peer.send(b"more")
    assert await peer.read(4) == b"more"
    (connection,) = stage.conversations()
    assert connection.check(stage.now_s) == stage.now_s + 1  # it has moved just now
    stage.pass_time(3)
    assert await peer.read_all() == b""
    peer.sock.close()
    assert await draining == 0


async def test_one_that_comes_while_the_server_stops_has_a_second(stage: ServiceStage) -> None:
    await stage.host(echo)
    peer = await stage.connect()
    draining = asyncio.ensure_future(stage.server.drain(PATIENCE_S, 0))
    await stage.until(lambda: stage.server.connections)
    stage.pass_time(3)
    assert await peer.read_all() == b""
    peer.sock.close()
    assert await draining == 0


async def deaf(stream: Stream) -> None:
    await asyncio.Event().wait()


async def test_a_service_that_ignores_its_end_is_cut_at_the_deadline(stage: ServiceStage) -> None:
    await stage.host(deaf)
    peer = await stage.accepted()
    assert await stage.server.drain(0.01) == 1
    assert await peer.is_closed()
    assert stage.server.totals.cut == 1
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, cut off"]
    assert stage.server.connections == 0
    assert not stage.server.tasks.running


async def test_an_impatient_operator_cuts(stage: ServiceStage) -> None:
    await stage.host(deaf)
    peer = await stage.accepted()
    draining = asyncio.ensure_future(stage.server.drain(PATIENCE_S))
    await stage.turn()
    stage.server.cut()
    assert await draining == 1
    assert await peer.is_closed()
    assert stage.server.totals.cut == 1
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, cut off"]


async def test_a_thread_that_ignores_its_end_is_left_behind(stage: ServiceStage) -> None:
    gate = threading.Event()
    ends: list[str] = []

    def deaf_thread(stream: BlockingStream) -> None:
        gate.wait(PATIENCE_S)
        ends.append("over")

    await stage.host(deaf_thread)
    peer = await stage.accepted()
    assert await stage.server.drain(0.01) == 1
    assert await peer.is_closed()
    gate.set()
    await stage.until(lambda: not stage.server.connections)
    assert ends == ["over"]


async def test_a_thread_that_waits_for_its_peer_learns_of_the_cut(stage: ServiceStage) -> None:
    def stubborn(stream: BlockingStream) -> None:
        while stream.receive() or True:
            gate.wait(PATIENCE_S)

    gate = threading.Event()
    await stage.host(stubborn)
    await stage.accepted()
    assert await stage.server.drain(0.01) == 1
    gate.set()
    await stage.until(lambda: not stage.server.connections)


async def test_an_answer_that_nobody_takes_is_cut_at_the_deadline(stage: ServiceStage) -> None:
    await stage.host(pour)
    peer = await stage.connect(window=WINDOW)
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
    assert await stage.server.drain(0.01) == 1
    assert await peer.is_closed()
    assert (await stage.story(2))[1].endswith(", cut off")


async def test_threads_of_its_own_end_with_the_server(stage: ServiceStage) -> None:
    def greet(stream: BlockingStream) -> None:
        stream.send("welcome")

    server = await stage.host(greet)
    peer = await stage.connect()
    assert await peer.read_all() == b"welcome"
    peer.sock.close()
    pool = server.threads()
    assert pool.size > 0
    await server.drain(PATIENCE_S)
    await stage.until(lambda: not pool.size)


def test_the_two_kinds_say_for_themselves_how_they_begin_and_end() -> None:
    server = StreamServer(stream_service(echo), Limits(), Service())
    connection = ServedConnection(server)
    for act in (connection.begin, connection.end_input, lambda: connection.stop("")):
        with pytest.raises(NotImplementedError):
            act()
    assert Peer("::1", 5) == ("::1", 5)
