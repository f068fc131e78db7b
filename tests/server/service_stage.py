r"""A stage for dialogues with a service for connections: real sockets, a clock that only we move, what the log got.

    async def test_a_greeting(stage: ServiceStage) -> None:
        await stage.host(greet)
        peer = await stage.connect()
        await play(peer, '''
            < welcome
            < $
        ''')
        assert await stage.story(2) == ["connected", "closed: 0 received, 8 sent"]

A script is as in stage.py, but its lines end with a line feed alone.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence
from textwrap import dedent
from typing import Any

from tests.server.stage import Peer, Stage

from portico.gateway.pool import Pool
from portico.server.clock import Clock
from portico.server.lingering import Lingering
from portico.server.served import ServedConnection
from portico.server.service import StreamFunction, StreamService, stream_service
from portico.server.service_log import Closed, Opened, ServiceLog, ServiceRecord, Told
from portico.server.streams import StreamServer
from portico.settings import Limits, Service

BIG = 8_000_000  # bytes; more than the kernel and the loop take from us while a peer with a small window does not read
WINDOW = 4096


async def play(peer: Peer, script: str) -> None:
    """Act a dialogue; see the module."""
    for line in dedent(script).strip("\n").splitlines():
        side, text = line[0], line[2:]
        if text in ("$", "!"):
            await peer.play(line)
            continue
        data = (text[:-1] if text.endswith("\\") else text + "\n").encode()
        if side == ">":
            await peer.send(data)
        else:
            assert await peer.read(len(data)) == data


def come_and_go(listener: socket.socket) -> str:
    """Connect and reset, before the loop can have taken note; return our address."""
    sock = socket.create_connection(listener.getsockname())
    host, port = sock.getsockname()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return f"{host}:{port}"


class Complaints(logging.Handler):
    """What the error log got."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"{record.getMessage()}: {failure!r}")


class ServiceStage(Stage):
    """A stage for services. log: what their log got. complaints: what the error log did."""

    server: StreamServer  # type: ignore[assignment]

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.log: list[ServiceRecord] = []
        self.complaints: list[str] = []

    def run(self, play: Any) -> None:
        """Run one test to its end."""
        handler, logger = Complaints(), logging.getLogger("portico")
        self.complaints = handler.lines
        logger.addHandler(handler)
        try:
            super().run(play)
        finally:
            logger.removeHandler(handler)

    async def host(
        self,
        service: StreamFunction | StreamService,
        settings: Service | None = None,
        *,
        sock: socket.socket | None = None,
        pool: Pool | None = None,
        limits: Limits | None = None,
    ) -> StreamServer:
        """Start a server. service: or a function of one. sock: a listening one."""
        made = service if isinstance(service, StreamService) else stream_service(service)
        log = ServiceLog(lambda batch: None, self._keep, wall=lambda: 1000.0)
        clock = Clock(lambda: self.now_s)
        self.server = StreamServer(made, limits or Limits(), settings or Service(), log, clock=clock)
        self.server.pool = pool
        self.sock = sock or socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.sock.setblocking(False)
        await self.server.open([self.sock])
        return self.server

    def _keep(self, batch: Sequence[ServiceRecord]) -> bytes:
        self.log += batch
        return b""

    async def _strike(self) -> None:
        for peer in self._peers:
            peer.sock.close()
        if hasattr(self, "server"):
            self.server.close([self.sock])
            self.server.cut()
            await self.until(lambda: not self.server.connections)
            await self.server.drain(0)
            self.sock.close()

    async def story(self, count: int) -> list[str]:
        """Wait for so many lines of the log; return all there are, without times and addresses."""
        await self.until(lambda: len(self.log) >= count)
        return [_told(record) for record in self.log]

    def conversations(self) -> list[ServedConnection]:
        """Return the server's own objects for connections whose service has not ended."""
        return [found for found in self.server._connections if isinstance(found, ServedConnection)]

    def lingering(self) -> list[Lingering]:
        """Return those that have ended and still listen to what comes."""
        return [found for found in self.server._connections if isinstance(found, Lingering)]

    async def turn(self) -> None:
        """Let the loop do what it has to do, and what that leads to."""
        for _ in range(10):
            await asyncio.sleep(0)


def _told(record: ServiceRecord) -> str:
    match record:
        case Opened():
            return "connected"
        case Told(text=text):
            return f"told {text}"
        case Closed(received_bytes=received, sent_bytes=sent, note=note):
            return f"closed: {received} received, {sent} sent" + (f", {note}" if note else "")
    raise AssertionError(f"{record} is not of a connection")
