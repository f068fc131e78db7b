"""The operator's pages beside a server that stops."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.server.stage import Gate, Peer, Stage, get

from portico.apps.admin.listener import open_pages, open_sockets
from portico.apps.admin.sources import ServerSource
from portico.errors import ConfigError
from portico.http.message import Response
from portico.server.exchange import Exchange


async def ask(path: str, sockets: list[socket.socket]) -> bytes:
    with socket.socket(sockets[0].family) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, sockets[0].getsockname())
        peer = Peer(sock)
        await peer.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return await peer.read_all()


async def test_not_ready_is_said_while_requests_under_way_end(stage: Stage) -> None:
    gate = Gate()

    async def slow(exchange: Exchange) -> None:
        await gate.passed()
        exchange.respond(Response(200, (), b"late"))

    server = await stage.serve(slow)
    sockets = open_sockets("127.0.0.1:0")
    admin = await open_pages(sockets, ServerSource(server))
    peer = await stage.connect()
    await peer.send(get("/"))
    await stage.until(lambda: gate.is_reached)
    assert (await ask("/-/ready", sockets)).startswith(b"HTTP/1.1 200 ")
    draining = asyncio.ensure_future(server.drain(10))
    await stage.until(lambda: not server.is_taking)
    assert (await ask("/-/ready", sockets)).startswith(b"HTTP/1.1 503 ")
    assert (await ask("/-/health", sockets)).startswith(b"HTTP/1.1 200 ")
    assert b"\nportico_requests_in_flight 1\n" in await ask("/metrics", sockets)
    gate.open()
    assert (await peer.read_all()).endswith(b"late")
    assert await draining == 0
    await admin.drain(0)
    assert not admin.connections


async def test_a_socket_file_is_there_as_long_as_the_pages(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    sockets = open_sockets(f"unix:{path}")
    admin = await open_pages(sockets, ServerSource(await stage.serve(lambda exchange: None)))
    assert (await ask("/-/health", sockets)).endswith(b"alive\n")
    await admin.drain(0)
    assert not path.exists()


def test_an_address_that_others_could_reach() -> None:
    with pytest.raises(ConfigError, match="could be reached by others"):
        open_sockets("0.0.0.0:0")
