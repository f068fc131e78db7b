"""Two servers as one: HTTP on sockets that it is given, a service on sockets of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from portico.http.message import Response
from portico.net.addresses import Address, Kind
from portico.net.listening import address_of, listen
from portico.server.exchange import Exchange
from portico.server.http import HttpServer
from portico.server.metrics import Metrics
from portico.server.service import Services, datagram_service, stream_service
from portico.server.services import ServiceServer
from portico.server.several import Several
from portico.server.stream import Stream
from portico.settings import Limits, Service


def hello(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), b"hello"))


@stream_service
async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


@datagram_service(is_quick=True)
def back(datagram: bytes, peer: object) -> bytes:
    return datagram


def inet(kind: Kind = "tcp") -> list[socket.socket]:
    return listen(Address(kind, host="127.0.0.1", port=0))


class Stage:
    """Both servers, open. port, line_port: of HTTP and of the service."""

    def __init__(self) -> None:
        self.http, self.lines, self.letters = inet(), inet(), inet("udp")
        self.beside = [*self.lines, *self.letters]
        limits = Limits()
        service = ServiceServer(Services(stream=echo, datagram=back), limits, Service())
        self.server = Several(HttpServer(hello, limits), service, self.beside)
        self.port, self.line_port = address_of(self.http[0]).port, address_of(self.lines[0]).port

    async def get(self, port: int | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        found = await reader.read()
        writer.close()
        return found.rpartition(b"\r\n")[2]


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.server.open(stage.http)
    try:
        yield stage
    finally:
        await stage.server.drain(1, 0)


def is_closed(sockets: Sequence[socket.socket]) -> bool:
    return all(sock.fileno() == -1 for sock in sockets)


def test_both_serve_and_are_counted_together() -> None:
    async def visit() -> None:
        async with staged() as stage:
            assert stage.server.is_taking
            assert await stage.get() == b"hello"
            reader, writer = await asyncio.open_connection("127.0.0.1", stage.line_port)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert stage.server.active == 1
            assert stage.server.figures()["portico_connections"]() >= 1
            writer.close()
            assert await reader.read() == b""
        assert (stage.server.totals.requests, stage.server.totals.addresses) == (2, 1)
        assert stage.server.totals.bytes_sent == len(b"hello") + len(b"ping")
        assert is_closed([*stage.http, *stage.beside])
        assert not stage.server.is_taking

    asyncio.run(visit())


def test_more_sockets_are_for_http_and_can_be_closed_again() -> None:
    async def visit() -> None:
        async with staged() as stage:
            more = inet()
            await stage.server.open(more)
            assert await stage.get(address_of(more[0]).port) == b"hello"
            stage.server.close(more)
            assert is_closed(more)
            assert not is_closed(stage.beside)

    asyncio.run(visit())


def test_more_sockets_of_the_services_ports_are_for_the_services() -> None:
    async def visit() -> None:
        async with staged() as stage:
            more = [
                sock
                for kind, found in (("tcp", stage.lines), ("udp", stage.letters))
                for sock in listen(Address(kind, host="127.0.0.2", port=address_of(found[0]).port))  # type: ignore[arg-type]
            ]
            await stage.server.open(more)
            reader, writer = await asyncio.open_connection("127.0.0.2", stage.line_port)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            stage.server.close(more)
            assert is_closed(more)
            assert not is_closed(stage.beside)
            writer.write(b"pong")
            assert await reader.readexactly(4) == b"pong"  # whoever is there stays
            writer.close()
            again = listen(Address("tcp", host="127.0.0.2", port=stage.line_port))
            await stage.server.open(again)
        assert is_closed(again)

    asyncio.run(visit())


@pytest.mark.parametrize("name", ["abort", "cut"])
def test_everything_can_be_closed_at_once(name: str) -> None:
    async def visit() -> None:
        async with staged() as stage:
            reader, writer = await asyncio.open_connection("127.0.0.1", stage.line_port)
            writer.write(b"ping")
            await reader.readexactly(4)
            getattr(stage.server, name)()
            try:
                assert await reader.read() == b""
            except ConnectionResetError:
                pass
            writer.close()
        assert stage.server.totals.cut >= 1

    asyncio.run(visit())


def test_figures_are_of_both() -> None:
    async def visit() -> None:
        async with staged() as stage:
            assert stage.server.metrics is None
            stage.server.metrics = metrics = Metrics()
            assert stage.server.metrics is metrics
            assert {"portico_websockets", "portico_served_total"} <= set(stage.server.figures())

    asyncio.run(visit())


def test_one_that_was_never_opened_drains_at_once() -> None:
    stage = Stage()
    assert asyncio.run(stage.server.drain(1)) == 0
    for sock in [*stage.http, *stage.beside]:
        sock.close()
