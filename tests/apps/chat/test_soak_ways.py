"""Connections of virtual users, held against a bare socket: what is said on them, and how they break."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_user import Account, User
from portico.apps.chat.soak_ways import Connection, LinesWay, SocketWay
from portico.wire.messages import MessageReceived, PongReceived
from portico.wire.websocket import WebSocketCodec

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
PING = json.dumps({"t": "ping"})
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Stage:
    """A user on a way to a peer, which the test plays."""

    def __init__(self, way: Connection, peer: Peer, lost: list[User]) -> None:
        self.way = way
        self.reader, self.writer = peer
        self.lost = lost
        assert way.user is not None
        self.user = way.user

    async def ended(self) -> bytes:
        """Read to the end, however that comes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b"reset"


def play(kind: type[SocketWay] | type[LinesWay], visit: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        peers: asyncio.Queue[Peer] = asyncio.Queue()
        server = await asyncio.start_server(lambda *peer: peers.put_nowait(peer), "127.0.0.1", 0)
        lost: list[User] = []
        user = User(Ledger(), 1, Account(3, "token", (7,)), loop.call_later)
        port = server.sockets[0].getsockname()[1]
        _, way = await loop.create_connection(lambda: kind(user, lost.append), "127.0.0.1", port)
        stage = Stage(way, await peers.get(), lost)
        async with asyncio.timeout(10):
            await visit(stage)
        stage.writer.close()
        server.close()

    asyncio.run(run())


async def switched(stage: Stage) -> WebSocketCodec:
    """Take the handshake, piece by piece; return the peer's codec."""
    asked = await stage.reader.readuntil(b"\r\n\r\n")
    assert asked.startswith(b"GET /ws HTTP/1.1\r\n")
    stage.writer.write(SWITCHED[:10])
    await stage.writer.drain()
    stage.writer.write(SWITCHED[10:])
    return WebSocketCodec(1 << 16)


def test_a_websocket_says_hello_takes_frames_and_answers_pings() -> None:
    async def visit(stage: Stage) -> None:
        codec = await switched(stage)
        (hello,) = codec.feed(await stage.reader.read(4096))
        assert isinstance(hello, MessageReceived)
        assert json.loads(hello.data)["tok"] == "token"
        codec.send_message(PING)
        codec.send_ping(b"there?")
        stage.writer.writelines(codec.outgoing())
        events = list(codec.feed(await stage.reader.read(4096)))
        while len(events) < 2:
            events += codec.feed(await stage.reader.read(4096))
        assert MessageReceived('{"t":"pong"}') in events
        assert PongReceived(b"there?") in events
        codec.send_close(1001, "going")
        stage.writer.writelines(codec.outgoing())
        assert codec.feed(await stage.reader.read(4096))
        stage.way.send(PING)  # too late, and no harm

    play(SocketWay, visit)


def test_a_server_that_does_not_switch_is_left() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readuntil(b"\r\n\r\n")
        stage.writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        assert await stage.ended() == b""
        assert stage.lost == [stage.user]

    play(SocketWay, visit)


def test_lines_ask_for_frames_and_pass_over_what_is_for_people() -> None:
    async def visit(stage: Stage) -> None:
        assert await stage.reader.readline() == b"/json on\n"
        assert json.loads(await stage.reader.readline())["t"] == "hello"
        stage.writer.write(f"Welcome.\n{PING}".encode())
        await stage.writer.drain()
        stage.writer.write(b"\n")
        assert await stage.reader.readline() == b'{"t":"pong"}\n'
        stage.way.close()
        assert await stage.ended() == b""
        stage.way.send(PING)

    play(LinesWay, visit)


def test_a_reset_is_felt_by_both_sides() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        stage.way.reset()
        assert (await stage.ended())[-5:] == b"reset"
        assert stage.lost == [stage.user]

    play(LinesWay, visit)


def test_who_stalls_reads_on_later() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        await stage.reader.readline()
        stage.way.stall(0.01)
        stage.writer.write(f"{PING}\n".encode())
        assert await stage.reader.readline() == b'{"t":"pong"}\n'

    play(LinesWay, visit)


@pytest.mark.parametrize("name", ["stall", "forget"])
def test_who_has_gone_meanwhile_reads_no_more(name: str) -> None:
    async def visit(stage: Stage) -> None:
        getattr(stage.way, name)(0.01)
        stage.way.reset()
        await stage.ended()
        loop = asyncio.get_running_loop()
        later: asyncio.Future[None] = loop.create_future()
        loop.call_later(0.02, later.set_result, None)  # behind the way's own timer
        await later
        assert stage.way.user is None

    play(LinesWay, visit)


def test_who_is_forgotten_is_elsewhere_while_the_connection_stays_for_a_while() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        stage.way.forget(0.05)
        assert stage.lost == [stage.user]
        stage.writer.write(f"{PING}\n".encode())
        assert b"pong" not in await stage.ended()
        assert stage.lost == [stage.user]

    play(LinesWay, visit)
