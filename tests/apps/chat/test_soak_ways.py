"""Connections of virtual users, held against a bare socket: what is said on them, and how they break."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from portico.apps.chat.soak_datagrams import DatagramUser
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_lines import LineUser
from portico.apps.chat.soak_plan import DATAGRAMS, FRAMES, GBK_LINES, LINES, WEBSOCKET, Account
from portico.apps.chat.soak_user import User
from portico.apps.chat.soak_ways import Ports, Talking, Way, open_way
from portico.wire.handshake import accept_key
from portico.wire.messages import MessageReceived, PongReceived
from portico.wire.websocket import WebSocketCodec

PING = json.dumps({"t": "ping"})
USERS: dict[str, type[User] | type[LineUser] | type[DatagramUser]] = {
    WEBSOCKET: User,
    FRAMES: User,
    LINES: LineUser,
    GBK_LINES: LineUser,
    DATAGRAMS: DatagramUser,
}
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Stage:
    """A user on a way to a peer, which the test plays."""

    def __init__(self, user: Talking, way: Way, peer: Peer, lost: list[Talking]) -> None:
        self.way = way
        self.reader, self.writer = peer
        self.lost = lost
        self.user = user

    async def ended(self) -> bytes:
        """Read to the end, however that comes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b"reset"


def make(way: str) -> Talking:
    return USERS[way](Ledger(), 1, Account(3, "token", (7,), way), asyncio.get_running_loop().call_later)


def play(kind: str, visit: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        peers: asyncio.Queue[Peer] = asyncio.Queue()
        server = await asyncio.start_server(lambda *peer: peers.put_nowait(peer), "127.0.0.1", 0)
        lost: list[Talking] = []
        user, port = make(kind), server.sockets[0].getsockname()[1]
        way = await open_way(user, Ports(port, port), lost.append)
        stage = Stage(user, way, await peers.get(), lost)
        async with asyncio.timeout(10):
            await visit(stage)
        stage.writer.close()
        server.close()

    asyncio.run(run())


async def switched(stage: Stage) -> WebSocketCodec:
    """Take the handshake; return the peer's codec."""
    asked = (await stage.reader.readuntil(b"\r\n\r\n")).decode()
    assert asked.startswith("GET /ws HTTP/1.1\r\n")
    (key,) = re.findall("Sec-WebSocket-Key: (.*)\r\n", asked)
    fields = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    stage.writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{fields}".encode())
    return WebSocketCodec(1 << 16)


def test_a_websocket_says_hello_takes_frames_and_answers_pings() -> None:
    async def visit(stage: Stage) -> None:
        stage.way.send(PING)  # too early, and no harm
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

    play(WEBSOCKET, visit)


def test_a_server_that_does_not_switch_is_left() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readuntil(b"\r\n\r\n")
        stage.writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        assert await stage.ended() == b""
        assert stage.lost == [stage.user]

    play(WEBSOCKET, visit)


def test_who_is_forgotten_before_it_is_open_says_nothing() -> None:
    async def visit(stage: Stage) -> None:
        stage.way.forget(0.5)
        await switched(stage)
        assert b"token" not in await stage.ended()
        assert stage.lost == [stage.user]

    play(WEBSOCKET, visit)


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

    play(FRAMES, visit)


@pytest.mark.parametrize(("way", "encoding"), [(LINES, "utf-8"), (GBK_LINES, "gbk")])
def test_lines_are_in_the_charset_of_the_person(way: str, encoding: str) -> None:
    async def visit(stage: Stage) -> None:
        while b"/token token" not in await stage.reader.readline():
            pass
        stage.writer.write("*** You are soak 1.\n[12:00] 小李: 你好\n".encode(encoding))
        while not (isinstance(stage.user, LineUser) and stage.user.runs[-1]):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert stage.user.runs == [[hash("你好")]]
        assert stage.user.send(7)
        assert "打印机" in (await stage.reader.readline()).decode(encoding)

    play(way, visit)


class Socket(asyncio.DatagramProtocol):
    """The server's side of datagrams, which the test plays."""

    transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.put_nowait((data.decode(), addr))


def play_datagrams(visit: Callable[[DatagramUser, Way, Socket, list[Talking]], Awaitable[None]]) -> None:
    async def run() -> None:
        loop, lost = asyncio.get_running_loop(), list[Talking]()
        transport, peer = await loop.create_datagram_endpoint(Socket, local_addr=("127.0.0.1", 0))
        user = make(DATAGRAMS)
        assert isinstance(user, DatagramUser)
        way = await open_way(user, Ports(0, 0, transport.get_extra_info("sockname")[1]), lost.append)
        async with asyncio.timeout(10):
            await visit(user, way, peer, lost)
        way.close()
        transport.close()

    asyncio.run(run())


def test_datagrams_come_and_go_until_the_socket_is_closed() -> None:
    async def visit(user: DatagramUser, way: Way, peer: Socket, lost: list[Talking]) -> None:
        (first, place), (second, _) = [await peer.heard.get() for _ in range(2)]
        assert (first, second) == ("#have 0", "/token token")
        peer.transport.sendto(b"*** You are soak 1.", place)
        assert await peer.heard.get() == ("#have 0", place)
        for datagram in (b"#have ok", b"#s4 hi"):
            peer.transport.sendto(datagram, place)
        assert await peer.heard.get() == ("#s4 ok", place)
        way.reset()
        while not lost:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        assert lost == [user]
        way.send("too late")

    play_datagrams(visit)


def test_datagrams_are_lost_for_a_while() -> None:
    async def visit(user: DatagramUser, way: Way, peer: Socket, lost: list[Talking]) -> None:
        _, place = await peer.heard.get()
        way.stall(0.1)
        while user.last == 0:
            for datagram in (b"*** You are soak 1.", b"#have ok", b"#s4 hi"):
                peer.transport.sendto(datagram, place)
            await asyncio.sleep(0.01)
        assert user.run == [hash("hi")]

    play_datagrams(visit)


def test_a_socket_that_nobody_reads_any_more_stays_for_a_while() -> None:
    async def visit(user: DatagramUser, way: Way, peer: Socket, lost: list[Talking]) -> None:
        _, place = await peer.heard.get()
        way.forget(0.05)
        assert lost == [user]
        peer.transport.sendto(b"#s4 hi", place)
        while not cast(Any, way)._socket.is_closing():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        assert user.last == 0
        assert lost == [user]

    play_datagrams(visit)


def test_a_reset_is_felt_by_both_sides() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        stage.way.reset()
        assert (await stage.ended())[-5:] == b"reset"
        assert stage.lost == [stage.user]

    play(FRAMES, visit)


def test_who_stalls_reads_on_later() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        await stage.reader.readline()
        stage.way.stall(0.01)
        stage.writer.write(f"{PING}\n".encode())
        assert await stage.reader.readline() == b'{"t":"pong"}\n'

    play(FRAMES, visit)


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

    play(FRAMES, visit)


def test_who_is_forgotten_is_elsewhere_while_the_connection_stays_for_a_while() -> None:
    async def visit(stage: Stage) -> None:
        await stage.reader.readline()
        stage.way.forget(0.05)
        assert stage.lost == [stage.user]
        stage.writer.write(f"{PING}\n".encode())
        assert b"pong" not in await stage.ended()
        assert stage.lost == [stage.user]

    play(FRAMES, visit)
