"""A WebSocket held against a bare socket that a test plays."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from portico.client.websocket import WebSocketLink, connect
from portico.errors import PorticoError
from portico.http.url import parse_url
from portico.wire.handshake import accept_key
from portico.wire.messages import CloseReceived, MessageReceived, PongReceived
from portico.wire.websocket import WebSocketCodec


class Party:
    """Who talks, and writes down what happens."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str] = asyncio.Queue()

    def joined(self, socket: WebSocketLink) -> None:
        self.events.put_nowait("joined")

    def take(self, message: str | bytes) -> None:
        self.events.put_nowait(f"took {message!r}")

    def lost(self, why: str) -> None:
        self.events.put_nowait(f"lost {why}".strip())


class Peer:
    """The server's side, which the test plays."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.codec = WebSocketCodec(1 << 16)
        self.given = 0

    async def switch(self, *, behind: bytes = b"") -> None:
        """Answer the handshake, without what was given of it."""
        asked = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        (key,) = re.findall("Sec-WebSocket-Key: (.*)\r\n", asked)
        fields = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        answer = f"HTTP/1.1 101 Switching Protocols\r\n{fields}".encode()
        self.writer.write(answer[self.given :] + behind)

    def flush(self) -> None:
        self.writer.writelines(self.codec.outgoing())

    async def hear(self, count: int) -> list[object]:
        """Return the next events, at least so many."""
        found: list[object] = []
        while len(found) < count:
            data = await self.reader.read(4096)
            assert data, "the client has left"
            found += self.codec.feed(data)
        return found


Play = Callable[[Party, WebSocketLink, Peer], Awaitable[None]]


def play(visit: Play, *, opening_s: float = 10.0, url: str = "") -> None:
    async def run() -> None:
        peers: asyncio.Queue[Peer] = asyncio.Queue()

        def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peers.put_nowait(Peer(reader, writer))

        if url.startswith("http+unix"):
            server = await asyncio.start_unix_server(come, url.removeprefix("http+unix:"))
        else:
            server = await asyncio.start_server(come, "127.0.0.1", 0)
        place = url or f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        party = Party()
        found = parse_url(place.replace("http+unix:", "unix:"))
        link = await connect(lambda: WebSocketLink(party, found, opening_s=opening_s), found)
        peer = await peers.get()
        async with asyncio.timeout(10):
            await visit(party, link, peer)
        peer.writer.close()
        link.transport.abort()
        server.close()

    asyncio.run(run())


async def talk(party: Party, link: WebSocketLink, peer: Peer) -> None:
    link.data_received(b"HTTP/1.1 ")  # cut by a network
    peer.given = 9
    peer.codec.send_pong()
    await peer.switch(behind=b"\x81\x02hi" + b"".join(peer.codec.outgoing()))
    assert [await party.events.get() for _ in range(2)] == ["joined", "took 'hi'"]
    peer.codec.send_message(b"binary")
    peer.codec.send_ping(b"?")
    peer.flush()
    assert await party.events.get() == "took b'binary'"
    link.send("你好")
    assert set(await peer.hear(2)) == {PongReceived(b"?"), MessageReceived("你好")}
    peer.codec.send_close(1001, "going")
    peer.flush()
    assert await peer.hear(1) == [CloseReceived(1001, "")]
    link.send("too late")
    peer.writer.close()
    assert await party.events.get() == "lost going"


def test_messages_go_both_ways_until_the_server_closes() -> None:
    play(talk)


def test_on_a_unix_socket(tmp_path: Path) -> None:
    play(talk, url=f"http+unix:{tmp_path}/s")


def test_it_says_goodbye_when_it_closes() -> None:
    async def visit(party: Party, link: WebSocketLink, peer: Peer) -> None:
        await peer.switch()
        assert await party.events.get() == "joined"
        link.close(1001, "enough")
        assert await peer.hear(1) == [CloseReceived(1001, "enough")]
        assert await party.events.get() == "lost"

    play(visit)


def test_why_there_is_none_is_told() -> None:
    async def visit(party: Party, link: WebSocketLink, peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        assert re.fullmatch("lost .* has no WebSocket at '/ws': it answers 404 Not Found", await party.events.get())

    play(visit)


def test_a_server_that_does_not_answer_is_left() -> None:
    async def visit(party: Party, link: WebSocketLink, peer: Peer) -> None:
        assert await party.events.get() == "lost no answer to the handshake for 0.05 s"

    play(visit, opening_s=0.05)


def test_what_is_no_frame_ends_it() -> None:
    async def visit(party: Party, link: WebSocketLink, peer: Peer) -> None:
        await peer.switch(behind=b"\x81\x82maskhi")
        assert await party.events.get() == "joined"
        (close,) = await peer.hear(1)
        assert isinstance(close, CloseReceived)
        peer.writer.close()
        assert await party.events.get() == "lost a frame of a server is masked"

    play(visit)


def test_a_connection_that_breaks_is_told_of() -> None:
    async def visit(party: Party, link: WebSocketLink, peer: Peer) -> None:
        await peer.switch()
        assert await party.events.get() == "joined"
        peer.writer.transport.abort()
        assert (await party.events.get()).startswith("lost")

    play(visit)


def test_nobody_there() -> None:
    url = parse_url("http://127.0.0.1:9/ws")

    async def run() -> None:
        with pytest.raises(PorticoError):
            await connect(lambda: WebSocketLink(Party(), url), url)

    asyncio.run(run())


def test_a_server_that_speaks_no_tls() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        url = parse_url(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws")
        with pytest.raises(PorticoError, match="TLS"):
            await connect(lambda: WebSocketLink(Party(), url), url)
        server.close()

    asyncio.run(run())
