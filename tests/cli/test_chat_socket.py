"""A WebSocket to a chat, held against a bare socket that a test plays."""

import asyncio
from collections.abc import Awaitable, Callable

from portico.cli.chat_socket import ChatSocket
from portico.http.url import parse_url
from portico.wire.handshake import accept_key
from portico.wire.messages import CloseReceived, MessageReceived, PongReceived
from portico.wire.websocket import WebSocketCodec


class Party:
    """Who talks, and writes down what happens."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.socket: ChatSocket | None = None

    def joined(self, socket: ChatSocket) -> None:
        self.socket = socket
        self.events.put_nowait("joined")

    def lost(self, why: str) -> None:
        self.events.put_nowait(f"lost {why}".strip())

    def take(self, text: str) -> None:
        self.events.put_nowait(f"took {text}")


Play = Callable[[Party, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def play(visit: Play) -> None:
    async def run() -> None:
        loop, party = asyncio.get_running_loop(), Party()
        peers: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *peer: peers.put_nowait(peer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = parse_url(f"http://127.0.0.1:{port}")
        await loop.create_connection(lambda: ChatSocket(party, url), "127.0.0.1", port)
        reader, writer = await peers.get()
        async with asyncio.timeout(10):
            await visit(party, reader, writer)
        writer.close()
        server.close()

    asyncio.run(run())


async def switched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> WebSocketCodec:
    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
    (key,) = (line[19:] for line in asked.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
    answer = f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
    writer.write(answer[:20])
    await writer.drain()
    writer.write(answer[20:])
    return WebSocketCodec(1 << 16)


def test_messages_go_both_ways_until_one_side_closes() -> None:
    async def visit(party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec = await switched(reader, writer)
        assert await party.events.get() == "joined"
        codec.send_message("hello")
        codec.send_message(b"binary")
        codec.send_ping(b"?")
        writer.writelines(codec.outgoing())
        assert [await party.events.get() for _ in range(2)] == ["took hello", "took "]
        assert party.socket is not None
        party.socket.send("你好")
        events = list(codec.feed(await reader.read(4096)))
        while len(events) < 2:
            events += codec.feed(await reader.read(4096))
        assert set(events) == {PongReceived(b"?"), MessageReceived("你好")}
        codec.send_close(1001, "going")
        writer.writelines(codec.outgoing())
        (answer,) = codec.feed(await reader.read(4096))
        assert isinstance(answer, CloseReceived)
        party.socket.send("too late")
        writer.close()
        assert await party.events.get() == "lost going"

    play(visit)


def test_it_says_goodbye_when_it_closes() -> None:
    async def visit(party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec = await switched(reader, writer)
        assert await party.events.get() == "joined"
        assert party.socket is not None
        party.socket.close()
        assert codec.feed(await reader.read()) == [CloseReceived(1000, "")]
        assert await party.events.get() == "lost"

    play(visit)


def test_a_server_without_a_chat_is_told() -> None:
    async def visit(party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        assert await party.events.get() == "lost there is no chat at this address"

    play(visit)


def test_an_answer_to_another_key_is_none() -> None:
    async def visit(party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n")
        assert await party.events.get() == "lost there is no chat at this address"

    play(visit)
