"""A stage for dialogues with a real server: real sockets on loopback, and a clock that only we move.

    async def test_greeting(stage: Stage) -> None:
        await stage.serve(hello)
        peer = await stage.connect()
        await peer.play('''
            > GET / HTTP/1.1
            > Host: a
            >
            < HTTP/1.1 200 OK
            < Date: Sun, 06 Nov 1994 08:49:37 GMT
            < Content-Length: 5
            <
            < hello\\
        ''')

A line that begins with `>` is sent, one with `<` must come next, each with CRLF unless it ends with a backslash.
`> $` closes our side, `< $` is the end of theirs, `< !` an end of any kind, a reset as well.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import groupby
from textwrap import dedent
from typing import Any

import uvloop

from portico.server.access_log import AccessLog, Record
from portico.server.clock import Clock
from portico.server.connection import HttpConnection
from portico.server.exchange import Exchange, Handler
from portico.server.http import HttpServer
from portico.settings import Limits

PATIENCE_S = 10.0  # how long anything on loopback may take before a test fails
DATE_S = 784111777  # RFC 9110 5.6.7's own example
DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}


class Peer:
    """The other side of one connection, byte for byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        async with asyncio.timeout(PATIENCE_S):
            await self._loop.sock_sendall(self.sock, data)

    async def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer where the connection ends before or nothing more comes."""
        data = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while len(data) < count and (piece := await self._loop.sock_recv(self.sock, count - len(data))):
                    data += piece
        return data

    async def read_all(self) -> bytes:
        """Return everything up to the end of the connection."""
        pieces = []
        async with asyncio.timeout(PATIENCE_S):
            while piece := await self._loop.sock_recv(self.sock, 1 << 20):
                pieces.append(piece)
        return b"".join(pieces)

    async def read_head(self) -> bytes:
        """Return a head with its empty line, byte by byte so that nothing behind it is taken."""
        data = b""
        while not data.endswith(b"\r\n\r\n") and (byte := await self.read(1)):
            data += byte
        return data

    async def is_closed(self) -> bool:
        """Wait for the end, clean or not; whatever comes before it is dropped."""
        with suppress(ConnectionError):
            await self.read_all()
        return True

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away without a word of farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def hears_nothing(self) -> bool:
        """Tell that the connection is open and nothing has come."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False

    async def play(self, script: str) -> None:
        """Act a dialogue; see the module."""
        lines = [line for line in dedent(script).splitlines() if line]
        for (side, mark), group in groupby(lines, lambda line: (line[0], line[2:] if line[2:] in ("$", "!") else "")):
            if mark:
                await self._play_mark(side + mark)
                continue
            data = "".join(line[2:-1] if line.endswith("\\") else line[2:] + "\r\n" for line in group).encode()
            if side == ">":
                await self.send(data)
            else:
                assert await self.read(len(data)) == data

    async def _play_mark(self, mark: str) -> None:
        match mark:
            case ">$":
                self.half_close()
            case "<$":
                assert await self.read_all() == b""
            case "<!":
                assert await self.is_closed()


def http_connections(server: HttpServer) -> list[HttpConnection]:
    """Return the server's own objects for its open HTTP connections."""
    return [connection for connection in server._connections if isinstance(connection, HttpConnection)]


class Stage:
    """A server on a loop of one kind.

    records: what the access log got. errors: what the event loop had to complain about, which must be nothing.
    """

    server: HttpServer

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.now_s = 1000.0
        self.records: list[Record] = []
        self.errors: list[dict[str, Any]] = []
        self.sock: socket.socket
        self._peers: list[Peer] = []

    def run(self, play: Coroutine[Any, Any, None]) -> None:
        """Run one test to its end, and take everything down."""

        async def whole() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: self.errors.append(context))
            try:
                await play
            finally:
                await self._strike()

        with asyncio.Runner(loop_factory=LOOPS[self.kind]) as runner:
            runner.run(whole())
        assert self.errors == []

    async def _strike(self) -> None:
        for peer in self._peers:
            peer.sock.close()
        if hasattr(self, "server"):
            self.server.close([self.sock])
            self.server.abort()
            await self.until(lambda: not self.server.connections)
            self.sock.close()

    def _write(self, records: Sequence[Record]) -> bytes:
        self.records += records
        return b""

    async def serve(self, handler: Handler, *, family: int = socket.AF_INET, **limits: float) -> HttpServer:
        """Start a server for `handler` with these limits, the others as they are by default."""
        log = AccessLog(lambda batch: None, self._write)
        clock = Clock(lambda: self.now_s, lambda: DATE_S)
        self.server = HttpServer(handler, Limits(**limits), log, clock=clock)  # type: ignore[arg-type]
        self.sock = socket.socket(family)
        self.sock.bind(("127.0.0.1", 0) if family == socket.AF_INET else "")
        self.sock.listen(1024)
        self.sock.setblocking(False)
        await self.server.open([self.sock])
        return self.server

    async def connect(self, *, source: str = "", window: int = 0) -> Peer:
        """Connect to the server. source: our address. window: bytes the kernel may hold for us, 0 for its default."""
        sock = socket.socket(self.sock.family)
        peer = Peer(sock)
        self._peers.append(peer)
        sock.setblocking(False)
        if source:
            sock.bind((source, 0))
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await asyncio.get_running_loop().sock_connect(sock, self.sock.getsockname())
        return peer

    async def accepted(self, *, source: str = "", window: int = 0) -> Peer:
        """The same, and wait until the server has taken note."""
        before = self.server.connections
        peer = await self.connect(source=source, window=window)
        await self.until(lambda: self.server.connections > before)
        return peer

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the server, tick by tick."""
        tick_s = self.server.wheel.tick_s
        for _ in range(round(seconds / tick_s)):
            self.now_s += tick_s
            self.server.clock.tick()
            self.server.wheel.turn(self.server.clock.now_s)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop run until something is so; fail if that takes too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - there is no event for every state of a server
                await asyncio.sleep(0)

    async def logged(self, count: int = 1) -> list[Record]:
        """Wait for `count` records of the access log and return them all."""
        await self.until(lambda: len(self.records) >= count)
        return self.records


class Memory:
    """A Source of bytes that is read as if from a disk.

    is_cold: the next block must be fetched by a thread, once `gate` lets it. closed: how often it was.
    """

    def __init__(self, data: bytes, *, fd: int = -1, is_cold: bool = False) -> None:
        self.data = data
        self.size = len(data)
        self.fd = fd
        self.is_cold = is_cold
        self.closed = 0
        self.failure: Exception | None = None
        self.gate: Callable[[], object] = bool
        self.cold_reads = 0

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read, after the gate."""
        self.cold_reads += 1
        self.gate()
        return self._read(buffer, offset)

    def read_hot(self, buffer: memoryview, offset: int) -> int:
        """Read, unless it is cold."""
        if self.is_cold:
            raise BlockingIOError
        return self._read(buffer, offset)

    def _read(self, buffer: memoryview, offset: int) -> int:
        assert not self.closed
        if self.failure is not None:
            raise self.failure
        piece = self.data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def fileno(self) -> int:
        """Return the descriptor it was given."""
        return self.fd

    def close(self) -> None:
        """Count."""
        self.closed += 1


def get(target: str = "/", *lines: str, method: str = "GET") -> bytes:
    """Write a request head."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: a", *lines, "", "")).encode()


class Gate:
    """A handler's way to wait for the test, and the test's to know that it waits."""

    def __init__(self) -> None:
        self.is_reached = False
        self._open = asyncio.Event()

    async def passed(self) -> None:
        """Wait at the gate."""
        self.is_reached = True
        await self._open.wait()

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()


Work = Callable[[Exchange], Awaitable[None]]
