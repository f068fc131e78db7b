"""A service that is called once for a connection: how it may end, on the loop and in a thread."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from tests.server.service_stage import BIG, ServiceStage, come_and_go, play
from tests.server.stage import LOOPS, PATIENCE_S, Gate

from portico.errors import Gone, PeerError
from portico.server.conversation import Conversation
from portico.server.service import StreamFunction, StreamService
from portico.server.stream import MAX_UNREAD, BlockingStream, Stream


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


def raising(exc: BaseException) -> StreamFunction:
    async def fail(stream: Stream) -> None:
        await stream.receive()
        raise exc

    return fail


def raising_in_a_thread(exc: BaseException) -> StreamFunction:
    def fail(stream: BlockingStream) -> None:
        stream.receive()
        raise exc

    return fail


WAYS: tuple[Callable[[BaseException], StreamFunction], ...] = (raising, raising_in_a_thread)


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_peer_did_wrong_is_one_line_to_it(
    stage: ServiceStage, way: Callable[[BaseException], StreamFunction]
) -> None:
    await stage.host(way(PeerError(400, "that is no number; send digits")))
    await play(
        await stage.connect(),
        """
        > x
        < that is no number; send digits
        < $
        """,
    )
    assert await stage.story(2) == ["connected", "closed: 2 received, 31 sent, that is no number; send digits"]
    assert stage.complaints == []


async def test_the_line_is_in_the_charset_of_the_peer(stage: ServiceStage) -> None:
    async def refuse(stream: Stream) -> None:
        await stream.read_line()
        raise PeerError(400, "不是数字")

    await stage.host(refuse)
    peer = await stage.connect()
    await peer.send("三十六度\n".encode("gbk"))
    assert await peer.read_all() == "不是数字\n".encode("gbk")


@pytest.mark.parametrize("way", WAYS)
async def test_a_service_may_say_that_nobody_is_left(
    stage: ServiceStage, way: Callable[[BaseException], StreamFunction]
) -> None:
    await stage.host(way(Gone("the database hung up")))
    peer = await stage.connect()
    await peer.send(b"x")
    assert await peer.read_all() == b""
    assert await stage.story(2) == ["connected", "closed: 1 received, 0 sent, the database hung up"]
    assert stage.complaints == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("exc", [ValueError("on purpose"), SystemExit(3), KeyboardInterrupt()])
async def test_a_failure_is_told_and_the_server_lives(
    stage: ServiceStage, way: Callable[[BaseException], StreamFunction], exc: BaseException
) -> None:
    await stage.host(way(exc))
    for _ in range(2):
        peer = await stage.connect()
        await peer.send(b"x")
        assert await peer.read_all() == b""
    assert (await stage.story(4)).count("closed: 1 received, 0 sent, the service failed") == 2
    assert stage.complaints[0].startswith("the service fail failed on 127.0.0.1:")
    assert stage.complaints[0].endswith(f": {exc!r}")
    assert len(stage.complaints) == 2


async def test_a_service_that_cancels_itself_is_over(stage: ServiceStage) -> None:
    await stage.host(raising(asyncio.CancelledError()))
    peer = await stage.connect()
    await peer.send(b"x")
    assert await peer.is_closed()
    assert await stage.story(2) == ["connected", "closed: 1 received, 0 sent, cut off"]
    assert stage.complaints == []


async def test_a_remark_of_the_service_stands_before_ours(stage: ServiceStage) -> None:
    async def remark(stream: Stream) -> None:
        stream.note = "as far as it got"
        raise ValueError

    await stage.host(remark)
    assert await (await stage.connect()).is_closed()
    assert (await stage.story(2))[1] == "closed: 0 received, 0 sent, as far as it got; the service failed"


async def test_what_was_sent_arrives_though_the_peer_still_sends(stage: ServiceStage) -> None:
    async def answer_early(stream: Stream) -> None:
        await stream.receive()
        await stream.send(b"enough\n" * 100_000)

    await stage.host(answer_early)
    peer = await stage.connect()
    sending = asyncio.ensure_future(peer.send(bytes(BIG)))
    assert await peer.read_all() == b"enough\n" * 100_000
    await sending
    assert len(stage.lingering()) == 1
    peer.half_close()
    await stage.until(lambda: not stage.server.connections)


async def test_what_was_sent_arrives_when_the_peer_has_ended_its_side(stage: ServiceStage) -> None:
    async def answer_late(stream: Stream) -> None:
        while await stream.receive():
            pass
        await stream.send(bytes(BIG))

    await stage.host(answer_late)
    peer = await stage.connect()
    peer.half_close()
    assert len(await peer.read_all()) == BIG
    await stage.until(lambda: not stage.server.connections)


async def test_a_service_that_has_ended_is_not_told_of_what_comes(stage: ServiceStage) -> None:
    async def hang_up(stream: Stream) -> None:
        await stream.send("bye\n")

    await stage.host(hang_up)
    peer = await stage.connect()
    assert await peer.read_all() == b"bye\n"
    await peer.send(b"but")
    await stage.until(lambda: stage.lingering()[0].received == 3)
    peer.half_close()
    await stage.until(lambda: not stage.server.connections)
    assert await stage.story(2) == ["connected", "closed: 0 received, 4 sent"]


async def test_reading_goes_on_when_the_service_has_caught_up(stage: ServiceStage) -> None:
    gate = Gate()

    async def late(stream: Stream) -> None:
        await gate.passed()
        while await stream.receive(1 << 20):
            pass

    await stage.host(late)
    peer = await stage.connect()
    sending = asyncio.ensure_future(peer.send(bytes(BIG)))
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].received >= MAX_UNREAD)
    (conversation,) = stage.conversations()
    assert isinstance(conversation, Conversation)
    assert conversation.is_held
    gate.open()
    await sending
    await stage.until(lambda: conversation.received == BIG and not conversation.is_held)


async def test_a_mistake_of_a_peer_that_has_gone_is_told_to_nobody(stage: ServiceStage) -> None:
    gate = Gate()

    async def late(stream: Stream) -> None:
        await gate.passed()
        raise PeerError(400, "no")

    await stage.host(late)
    peer = await stage.accepted()
    peer.reset()
    await stage.until(lambda: stage.conversations()[0].is_lost)
    gate.open()
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, no"]


async def test_a_service_that_returns_to_a_peer_that_was_gone_before_it_was_seen(stage: ServiceStage) -> None:
    async def greet(stream: Stream) -> None:
        await stream.send("welcome\n")

    await stage.host(greet)
    come_and_go(stage.sock)
    assert (await stage.story(2))[1].startswith("closed: 0 received, ")
    await stage.until(lambda: not stage.server.connections)
    assert stage.complaints == []


async def test_a_thread_that_ends_after_its_peer_has_gone(stage: ServiceStage) -> None:
    gate = threading.Event()

    def late(stream: BlockingStream) -> None:
        gate.wait(PATIENCE_S)
        stream.send("too late")

    await stage.host(late)
    peer = await stage.accepted()
    peer.reset()
    await stage.until(lambda: stage.conversations()[0].is_lost)
    gate.set()
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, the peer closed the connection"]
    assert stage.complaints == []


async def test_an_object_that_can_be_called(stage: ServiceStage) -> None:
    class Greeter:
        async def __call__(self, stream: Stream) -> None:
            await stream.send("hello\n")

    await stage.host(StreamService(Greeter(), "greeter"))
    assert await (await stage.connect()).read_all() == b"hello\n"
