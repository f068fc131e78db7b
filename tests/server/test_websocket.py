"""WebSockets on real sockets: messages, limits, silence, and every way to end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from tests.server.stage import Gate, Peer, Stage

from portico.errors import Gone, PeerError, UsageError, WebSocketClosed
from portico.gateway.contract import WebSocket
from portico.http.message import Request
from portico.server.exchange import Exchange
from portico.server.websocket import WebSocketConnection, plan_upgrade
from portico.settings import Messages
from portico.wire.deflate import Compression
from portico.wire.messages import CloseReceived, MessageReceived, PingReceived, PongReceived, SocketEvent
from portico.wire.websocket import FrameMemo, WebSocketCodec

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
App = Callable[[WebSocket], Awaitable[None]]


class Caller:
    """A client of one WebSocket. socket: the server's side of it."""

    def __init__(self, peer: Peer, codec: WebSocketCodec) -> None:
        self.peer = peer
        self.codec = codec
        self.socket: WebSocketConnection
        self._events: list[SocketEvent] = []

    async def flush(self) -> None:
        await self.peer.send(b"".join(self.codec.outgoing()))

    async def say(self, *messages: str | bytes) -> None:
        for message in messages:
            self.codec.send_message(message)
        await self.flush()

    async def hear(self) -> SocketEvent | None:
        """Return the next event, None at the end of the connection."""
        while not self._events:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.peer.sock, 1 << 16), 10)
            if not data:
                return None
            self._events += self.codec.feed(data)
        return self._events.pop(0)

    async def hear_message(self) -> str | bytes:
        event = await self.hear()
        assert isinstance(event, MessageReceived)
        return event.data

    async def hear_close(self) -> tuple[int, str]:
        """Return the code and the reason of the close frame that comes next, and answer it."""
        event = await self.hear()
        assert isinstance(event, CloseReceived)
        self.codec.answer_close()
        await self.flush()
        return event


class Scene:
    """A server of one WebSocket application, and what became of its connections."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sockets: list[WebSocketConnection] = []
        self.ends: list[tuple[int, str]] = []

    async def open(self, app: App, **messages: float) -> "Scene":
        async def handler(exchange: Exchange) -> None:
            socket = exchange.upgrade(None, ())
            assert isinstance(socket, WebSocketConnection)
            self.sockets.append(socket)
            try:
                await app(socket)
            except WebSocketClosed as closed:
                self.ends.append((closed.code, closed.reason))

        server = await self.stage.serve(handler)
        server.messages = Messages(**messages)  # type: ignore[arg-type]
        return self

    async def call(self, *, behind: bytes = b"", extensions: bytes = b"", window: int = 0) -> Caller:
        peer = await self.stage.connect(window=window)
        offer = b"Sec-WebSocket-Extensions: " + extensions + b"\r\n" if extensions else b""
        await peer.send(HANDSHAKE + offer + b"\r\n" + behind)
        head = await peer.read_head()
        assert head.startswith(b"HTTP/1.1 101 ")
        compression = Compression(15, 15, True) if b"permessage-deflate" in head else None
        caller = Caller(peer, WebSocketCodec(1 << 26, compression, new_mask=lambda: b"mask"))
        await self.stage.until(lambda: self.sockets)
        caller.socket = self.sockets[-1]
        return caller

    async def ended(self) -> tuple[int, str]:
        """Wait until the application has been told that a WebSocket has ended, and how."""
        await self.stage.until(lambda: self.ends)
        return self.ends.pop()

    async def left(self) -> None:
        """Wait until the server has let go of every connection."""
        await self.stage.until(lambda: not self.stage.server.connections)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


async def echo(socket: WebSocket) -> None:
    while True:
        socket.send(await socket.receive())
        await socket.flushed()


async def listen(socket: WebSocket) -> None:
    while True:
        await socket.receive()


# messages


async def test_messages_go_both_ways(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo)).call()
    large = bytes(range(256)) * 2000
    for message in ("Hello", b"\x00\xff", "", "κόσμε" * 100, large):
        await caller.say(message)
        assert await caller.hear_message() == message


async def test_messages_behind_the_handshake_are_received(scene: Scene, stage: Stage) -> None:
    client = WebSocketCodec(100, new_mask=lambda: b"mask")
    client.send_message("early")
    client.send_message("birds")
    caller = await (await scene.open(echo)).call(behind=b"".join(client.outgoing()))
    assert [await caller.hear_message(), await caller.hear_message()] == ["early", "birds"]


@pytest.mark.parametrize(("ws_compress", "is_shorter"), [(True, True), (False, False)])
async def test_compression_is_agreed_on_unless_it_is_off(
    scene: Scene, stage: Stage, ws_compress: bool, is_shorter: bool
) -> None:
    await scene.open(echo, ws_compress=ws_compress)
    caller = await scene.call(extensions=b"permessage-deflate")
    caller.codec.send_message("ab" * 1000)
    assert (sum(map(len, caller.codec.outgoing())) < 1000) is is_shorter
    await caller.say("ab" * 1000)
    assert await caller.hear_message() == "ab" * 1000


@pytest.mark.parametrize("size", [1, 3000, 70_000])
async def test_messages_sent_in_one_turn_arrive_in_their_order(scene: Scene, stage: Stage, size: int) -> None:
    async def app(socket: WebSocket) -> None:
        while True:
            first = await socket.receive()
            for number in range(10):
                socket.send(str(first) + str(number) * size)

    caller = await (await scene.open(app)).call()
    for turn in "ab":
        await caller.say(turn)
        assert [await caller.hear_message() for _ in range(10)] == [turn + str(number) * size for number in range(10)]
        caller.socket.send(turn)  # with nothing heard meanwhile
        assert await caller.hear_message() == turn


async def test_what_is_sent_now_leaves_with_what_has_gathered_and_behind_it(scene: Scene, stage: Stage) -> None:
    ended: list[type[Exception]] = []

    async def app(socket: WebSocket) -> None:
        assert isinstance(socket, WebSocketConnection)
        await socket.receive()
        for number in range(4):
            socket.send(str(number))
        socket.send_now("now")
        socket.close()
        try:
            socket.send_now("too late")
        except Gone as exc:
            ended.append(type(exc))

    caller = await (await scene.open(app)).call()
    await caller.say("go")
    assert [await caller.hear_message() for _ in range(5)] == ["0", "1", "2", "3", "now"]
    await stage.until(lambda: bool(ended))


async def test_what_waits_for_the_end_of_the_turn_leaves_before_a_close_frame(scene: Scene, stage: Stage) -> None:
    async def app(socket: WebSocket) -> None:
        socket.send("1")
        socket.send("2")
        socket.close()

    caller = await (await scene.open(app)).call()
    assert [await caller.hear_message(), await caller.hear_message()] == ["1", "2"]
    assert await caller.hear_close() == (1000, "")
    assert await caller.hear() is None


async def test_a_ping_is_answered(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(listen)).call()
    caller.codec.send_ping(b"are you there")
    await caller.flush()
    assert await caller.hear() == PongReceived(b"are you there")


async def test_one_task_receives(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(listen)).call()
    await caller.say("x")
    with pytest.raises(UsageError, match="one task receives"):
        await caller.socket.receive()


async def test_a_receiver_that_is_cancelled_loses_nothing(scene: Scene, stage: Stage) -> None:
    gate = Gate()

    async def app(socket: WebSocket) -> None:
        first = asyncio.ensure_future(socket.receive())
        await gate.passed()
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        socket.send(await socket.receive())

    caller = await (await scene.open(app)).call()
    await stage.until(lambda: gate.is_reached)
    caller.codec.send_message("given just now")
    gate.open()
    caller.socket.data_received(b"".join(caller.codec.outgoing()))
    assert await caller.hear_message() == "given just now"


# flow


async def test_reading_stops_while_the_application_does_not_receive(scene: Scene, stage: Stage) -> None:
    gate = Gate()

    async def app(socket: WebSocket) -> None:
        await gate.passed()
        await echo(socket)

    caller = await (await scene.open(app)).call()
    await caller.say(*["small"] * 300)
    await stage.until(lambda: not caller.socket.transport.is_reading())
    stage.pass_time(3600)  # a peer that we do not read from is not blamed for its silence
    gate.open()
    assert [await caller.hear_message() for _ in range(300)] == ["small"] * 300
    await caller.say(b"again")
    while isinstance(event := await caller.hear(), PingReceived):
        pass
    assert event == MessageReceived(b"again")


async def test_flushed_waits_for_a_peer_that_reads(scene: Scene, stage: Stage) -> None:
    done = Gate()

    async def app(socket: WebSocket) -> None:
        for _ in range(40):
            socket.send(bytes(1 << 18))
        await socket.flushed()
        await done.passed()

    caller = await (await scene.open(app)).call(window=4096)
    await stage.until(lambda: caller.socket._is_full)
    for data in (b"1", b"2", b"3"):
        caller.codec.send_ping(data)
    await caller.flush()
    caller.socket.data_received(b"\x89\x81mask" + bytes((ord("4") ^ ord("m"),)))
    assert not done.is_reached
    for _ in range(40):
        assert len(await caller.hear_message()) == 1 << 18
    assert await caller.hear() == PongReceived(b"4")  # the last of those that came meanwhile is enough
    await stage.until(lambda: done.is_reached)


async def test_a_peer_that_reads_slowly_is_kept_and_one_that_does_not_is_cut(scene: Scene, stage: Stage) -> None:
    async def app(socket: WebSocket) -> None:
        socket.send(bytes(1 << 25))
        await socket.flushed()

    caller = await (await scene.open(app)).call(window=4096)
    await stage.until(lambda: caller.socket._is_full)
    for _ in range(3):
        before = caller.socket.transport.get_write_buffer_size()
        while caller.socket.transport.get_write_buffer_size() == before:
            await caller.peer.read(1 << 19)
        stage.pass_time(21)
    assert scene.ends == []
    stage.pass_time(62)
    assert await scene.ended() == (1006, "nothing was read")
    await scene.left()


# the end


async def test_a_peer_that_closes_is_answered_and_left(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo)).call()
    caller.codec.send_message("last words")
    caller.codec.send_close(4321, "bye")
    await caller.flush()
    assert await caller.hear_message() == "last words"
    assert await caller.hear() == CloseReceived(4321, "")
    assert await caller.hear() is None
    assert await scene.ended() == (4321, "bye")
    await scene.left()


async def test_an_application_that_closes_is_told_when_it_is_over(scene: Scene, stage: Stage) -> None:
    async def app(socket: WebSocket) -> None:
        socket.send("welcome")
        socket.close(3000, "that was all")
        socket.close(1000)
        with pytest.raises(Gone, match="being closed"):
            socket.send("more")
        with pytest.raises(Gone, match="being closed"):
            await socket.flushed()
        await socket.receive()

    caller = await (await scene.open(app)).call()
    await caller.say("crosses the close frame")
    assert await caller.hear_message() == "welcome"
    assert await caller.hear_close() == (3000, "that was all")
    assert await caller.hear() is None
    assert await scene.ended() == (3000, "")
    assert not caller.socket.is_busy


async def test_an_application_may_close_with_messages_waiting(scene: Scene, stage: Stage) -> None:
    gate = Gate()

    async def app(socket: WebSocket) -> None:
        await gate.passed()
        socket.close(1011)
        await socket.receive()

    caller = await (await scene.open(app)).call()
    caller.codec.send_message("nobody reads this")
    caller.codec.send_close(1000)
    await caller.flush()
    await stage.until(lambda: caller.socket._end)
    gate.open()
    assert await caller.hear() == CloseReceived(1011, "")
    assert await caller.hear() is None
    assert await scene.ended() == (1000, "")


async def test_a_frame_that_is_refused_ends_it_behind_the_answers(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo)).call()
    caller.codec.send_message("fine")
    caller.codec._out.append(b"\xff\x80mask")
    await caller.flush()
    assert await caller.hear_message() == "fine"
    assert (await caller.hear_close())[0] == 1002
    assert await caller.hear() is None
    await caller.peer.send(bytes(100_000))  # what the peer goes on sending is dropped
    caller.peer.half_close()
    assert (await scene.ended())[0] == 1002
    await scene.left()


async def test_a_refused_peer_that_stays_is_cut(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo)).call()
    await caller.peer.send(b"\xff\x80mask")
    assert (await scene.ended())[0] == 1002
    stage.pass_time(12)
    await scene.left()


async def test_a_message_that_is_too_big_is_refused(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo, ws_max_message=1000)).call()
    await caller.say(bytes(1001))
    assert await caller.hear_close() == (1009, "a message of over 1000 bytes")
    assert await scene.ended() == (1009, "a message of over 1000 bytes")


@pytest.mark.parametrize(("rounds", "pause_s"), [(3, 2), (1, 0)])
async def test_too_many_frames_a_second_are_refused(scene: Scene, stage: Stage, rounds: int, pause_s: int) -> None:
    caller = await (await scene.open(echo, ws_max_rate=10)).call()
    for _ in range(rounds):
        for _ in range(10):
            await caller.say("x")
            assert await caller.hear_message() == "x"
        stage.pass_time(pause_s)
    await caller.say(*["x"] * 11)
    assert await caller.hear_close() == (1008, "over 10 frames a second")
    assert await scene.ended() == (1008, "over 10 frames a second")


@pytest.mark.parametrize("leave", [Peer.half_close, Peer.reset])
async def test_a_peer_that_leaves_without_a_word(scene: Scene, stage: Stage, leave: Callable[[Peer], None]) -> None:
    caller = await (await scene.open(listen)).call()
    await caller.say("x")
    leave(caller.peer)
    assert await scene.ended() == (1006, "")
    await scene.left()
    with pytest.raises(WebSocketClosed):
        caller.socket.send("x")
    with pytest.raises(WebSocketClosed):
        await caller.socket.flushed()
    caller.socket.close()
    caller.socket.resume_writing()


async def test_what_came_before_the_end_is_received_all_the_same(scene: Scene, stage: Stage) -> None:
    gate = Gate()
    heard = []

    async def app(socket: WebSocket) -> None:
        await gate.passed()
        while True:
            heard.append(await socket.receive())

    caller = await (await scene.open(app)).call()
    await caller.say("1", "2")
    caller.peer.half_close()
    await scene.left()
    gate.open()
    assert await scene.ended() == (1006, "")
    assert heard == ["1", "2"]


async def test_writers_that_wait_are_told_that_the_peer_has_gone(scene: Scene, stage: Stage) -> None:
    async def app(socket: WebSocket) -> None:
        socket.send(bytes(1 << 25))
        waiting = asyncio.ensure_future(socket.flushed())
        impatient = asyncio.ensure_future(socket.flushed())
        await asyncio.sleep(0)
        impatient.cancel()
        await waiting

    caller = await (await scene.open(app)).call(window=4096)
    await stage.until(lambda: len(caller.socket._writers) == 2)
    caller.peer.reset()
    assert await scene.ended() == (1006, "")


# silence


async def test_a_silent_peer_that_answers_pings_is_kept(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(echo)).call()
    for _ in range(3):
        stage.pass_time(21)
        assert await caller.hear() == PingReceived(b"")
        caller.codec.send_pong()
        caller.codec.send_ping(b"has it come?")
        await caller.flush()
        assert await caller.hear() == PongReceived(b"has it come?")
    await caller.say("still here")
    assert await caller.hear_message() == "still here"
    caller.socket.end_idleness()
    assert caller.socket.is_busy


async def test_a_silent_peer_that_answers_nothing_is_left(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(listen)).call()
    stage.pass_time(21)
    assert await caller.hear() == PingReceived(b"")
    stage.pass_time(21)
    assert await caller.hear() == CloseReceived(1011, "no answer to a ping within 20 s")
    assert await scene.ended() == (1006, "no answer to a ping within 20 s")
    stage.pass_time(12)
    await scene.left()


@pytest.mark.parametrize("ws_ping_interval", [20, 1])
async def test_a_close_that_is_not_answered_ends_in_time(scene: Scene, stage: Stage, ws_ping_interval: int) -> None:
    async def app(socket: WebSocket) -> None:
        socket.close()
        await socket.receive()

    caller = await (await scene.open(app, ws_ping_interval=ws_ping_interval)).call()
    assert await caller.hear() == CloseReceived(1000, "")
    stage.pass_time(9)
    assert scene.ends == []
    stage.pass_time(3)
    assert await scene.ended() == (1006, "")
    assert await caller.peer.is_closed()


async def test_a_close_is_answered_in_time_for_an_application_that_does_not_receive(scene: Scene, stage: Stage) -> None:
    gate = Gate()

    async def app(socket: WebSocket) -> None:
        await gate.passed()
        await socket.receive()

    caller = await (await scene.open(app)).call()
    caller.codec.send_message("nobody reads this")
    caller.codec.send_close(1000)
    await caller.flush()
    await stage.until(lambda: caller.socket._end)
    stage.pass_time(12)
    assert await caller.hear() == CloseReceived(1000, "")
    assert await caller.hear() is None
    gate.open()
    assert await scene.ended() == (1000, "")


async def test_a_server_that_stops_says_so(scene: Scene, stage: Stage) -> None:
    caller = await (await scene.open(listen)).call()
    stopping = asyncio.ensure_future(stage.server.drain(5))
    assert await caller.hear_close() == (1001, "the server is stopping")
    assert await caller.hear() is None
    assert await stopping == 0
    assert await scene.ended() == (1001, "")


# the plan


def handshake(**values: str) -> Request:
    request = Request()
    request.method, request.version, request.body_length = "GET", 11, 0
    request.values = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | {name.replace("_", "-"): value for name, value in values.items()}
    return request


def test_a_plan_has_the_head_and_the_codec() -> None:
    asked = handshake(sec_websocket_extensions="permessage-deflate", sec_websocket_protocol="chat")
    head, codec = plan_upgrade(asked, Messages(), subprotocol="chat", fields=[("x-app", "1")], memo=FrameMemo())
    for line in (b"Sec-WebSocket-Protocol: chat", b"x-app: 1", b"Sec-WebSocket-Extensions: permessage-deflate; "):
        assert b"\r\n" + line in head
    codec.send_message("ab" * 100)
    assert codec.outgoing()[0][0] == 0xC1


def test_a_plan_for_what_is_no_handshake() -> None:
    with pytest.raises(PeerError):
        plan_upgrade(handshake(upgrade="h2c"), Messages(), subprotocol=None, fields=(), memo=FrameMemo())
    with pytest.raises(UsageError):
        plan_upgrade(handshake(), Messages(), subprotocol="chat", fields=(), memo=FrameMemo())
