"""Connections from proxies that speak the PROXY protocol, and from others."""

import asyncio
import socket
import struct

import pytest
from tests.server.stage import Peer, Stage, get

from portico.errors import UsageError
from portico.http.message import Response
from portico.server.exchange import Exchange
from portico.server.http import HttpServer
from portico.server.metrics import Metrics
from portico.server.proxy_gate import gatekeeper
from portico.settings import Limits, Trust

HEAD = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"
TLS_HEAD = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14"
    + bytes([203, 0, 113, 9, 192, 0, 2, 1])
    + struct.pack("!HH", 5, 443)
    + struct.pack("!BHBI", 0x20, 5, 1, 0)
)
TOLD = b"127.0.0.1 http"


def tell(exchange: Exchange) -> None:
    origin = exchange.origin
    client = "none" if origin.client is None else origin.client[0]
    exchange.respond(Response(200, (), f"{client} {origin.scheme}".encode()))


def guarded(server: HttpServer, *proxies: str) -> HttpServer:
    """Put a gate before a server."""
    protocol = gatekeeper(server, Trust(proxy_protocol=proxies))
    assert protocol is not None
    server.protocol = protocol
    return server


async def answer(peer: Peer, *pieces: bytes) -> bytes:
    for piece in pieces:
        await peer.send(piece)
    return (await peer.read_all()).rpartition(b"\r\n\r\n")[2]


LAST = get("/", "Connection: close")


def test_nobody_is_listed() -> None:
    assert gatekeeper(HttpServer(tell, Limits()), Trust()) is None


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(UsageError, match="no address"):
        gatekeeper(HttpServer(tell, Limits()), Trust(proxy_protocol=("proxy.example",)))


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (HEAD, b"203.0.113.9 http"),
        (TLS_HEAD, b"203.0.113.9 https"),
        (b"PROXY UNKNOWN\r\n", TOLD),
        (TLS_HEAD[:12] + b"\x20\0\0\0", TOLD),
    ],
)
async def test_a_listed_peer_says_where_from(stage: Stage, head: bytes, told: bytes) -> None:
    guarded(await stage.serve(tell), "127.0.0.1")
    assert await answer(await stage.connect(), head + LAST) == told
    assert await answer(await stage.connect(), head[:9], head[9:], LAST) == told
    assert await answer(await stage.connect(), head, LAST) == told
    assert {record.peer for record in await stage.logged(3)} == {told.split()[0].decode()}


async def test_the_address_counts_for_the_limit_on_one_address(stage: Stage) -> None:
    guarded(await stage.serve(tell, max_connections_per_address=1), "127.0.0.1")
    first, second, other = await stage.connect(), await stage.connect(), await stage.connect()
    await first.send(HEAD + get("/"))
    await first.read_head()
    assert (await answer(second, HEAD)).startswith(b"429")
    assert await answer(other, HEAD.replace(b"203.0.113.9", b"203.0.113.8") + LAST) == b"203.0.113.8 http"


async def test_anybody_else_speaks_http(stage: Stage) -> None:
    guarded(await stage.serve(tell), "10.0.0.1")
    assert await answer(await stage.connect(), LAST) == TOLD
    assert (await answer(await stage.connect(), HEAD + LAST)).startswith(b"400")


async def test_a_unix_socket(stage: Stage) -> None:
    guarded(await stage.serve(tell, family=socket.AF_UNIX), "unix")
    assert await answer(await stage.connect(), HEAD + LAST) == b"203.0.113.9 http"


async def test_a_listed_peer_must_send_a_head(stage: Stage) -> None:
    server = guarded(await stage.serve(tell), "127.0.0.1")
    server.metrics = Metrics()
    peer = await stage.connect()
    await peer.send(LAST)
    said = await peer.read_all()
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\nDate: ")
    assert b"\r\nConnection: close\r\n" in said
    assert said.endswith(b"is not the beginning of a PROXY protocol head\n")
    (record,) = await stage.logged()
    assert (record.peer, record.method, record.status) == ("127.0.0.1", "-", 400)
    assert server.metrics.snapshot()['portico_drops_total{reason="malformed"}'] == 1


async def test_a_head_in_its_own_time(stage: Stage) -> None:
    guarded(await stage.serve(tell, head_timeout=4), "127.0.0.1")
    peer = await stage.accepted()
    stage.pass_time(3)
    assert peer.hears_nothing()
    stage.pass_time(2)
    assert (await answer(peer)).endswith(b"the PROXY head was not complete within 4 s\n")
    await stage.until(lambda: not stage.server.connections)


async def test_a_peer_that_goes_within_its_head(stage: Stage) -> None:
    guarded(await stage.serve(tell), "127.0.0.1")
    peer = await stage.accepted()
    await peer.send(HEAD[:20])
    peer.half_close()
    assert await peer.read_all() == b""
    await stage.until(lambda: not stage.server.connections)


async def test_beyond_the_limit_on_connections_nothing_is_read(stage: Stage) -> None:
    guarded(await stage.serve(tell, max_connections=1), "127.0.0.1")
    await stage.accepted()
    other = await stage.connect()
    assert await other.is_closed()


async def test_what_was_asked_behind_a_head_is_answered_while_the_server_stops(stage: Stage) -> None:
    server = guarded(await stage.serve(tell), "127.0.0.1")
    silent, asking = await stage.accepted(), await stage.accepted()
    draining = asyncio.ensure_future(server.drain(10, grace_s=0.2))
    await asyncio.sleep(0)
    assert await answer(asking, HEAD + get("/")) == b"203.0.113.9 http"
    assert await silent.read_all() == b""
    assert await draining == 0
