"""Clients of a chat that have nothing but text: somebody at netcat, and programs that send datagrams.

    Netcat      the program nc where there is one, in a charset; otherwise a socket
    Program     UDP; what is numbered is acknowledged

Every wait has a deadline.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from tests.acceptance.chat.clients import PATIENCE_S, Door

_OF_SERVER = re.compile("#s[0-9]")


class Netcat:
    """Somebody at a terminal.

    lines: what it has shown, in the terminal's charset. raw: the same as bytes. is_real: whether it is nc.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.lines: list[str] = []
        self.raw: list[bytes] = []
        self.is_real = False
        self._close: Callable[[], object] = lambda: None
        self._news = asyncio.Event()
        self._reading: asyncio.Task[None]
        self._writer: asyncio.StreamWriter

    async def connect(self, door: Door) -> None:
        """Call the line port."""
        program = shutil.which("nc")
        self.is_real = program is not None
        if program is None:
            reader, self._writer = await asyncio.open_connection("127.0.0.1", door.lines, limit=1 << 20)
        else:
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                program, "127.0.0.1", str(door.lines), stdin=pipe, stdout=pipe, limit=1 << 20
            )
            assert process.stdin is not None
            assert process.stdout is not None
            reader, self._writer, self._close = process.stdout, process.stdin, process.kill
            self._process = process
        self._reading = asyncio.create_task(self._read_all(reader))

    async def _read_all(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self.raw.append(line.removesuffix(b"\n"))
            self.lines.append(line.decode(self.encoding, "replace").removesuffix("\n"))
            self._news.set()

    async def type(self, *lines: str) -> None:
        """Type lines."""
        self._writer.write("".join(f"{line}\n" for line in lines).encode(self.encoding))
        await self._writer.drain()

    async def until(self, end: str, *, behind: int = 0) -> str:
        """Wait for a line that has `end` in it. behind: how many of those that came first do not count."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for line in self.lines[behind:]:
                    if end in line:
                        return line
                assert not self._reading.done(), f"{end!r} did not come in {self.lines[behind:]}"
                self._news.clear()
                await self._news.wait()

    async def hang_up(self) -> None:
        """Be gone; nc is killed. May be called repeatedly."""
        if self._reading.done():
            return
        self._close()
        self._writer.close()
        self._reading.cancel()
        await asyncio.wait((self._reading,))
        if self.is_real:
            await self._process.wait()


@asynccontextmanager
async def netcat(door: Door, encoding: str = "utf-8") -> AsyncIterator[Netcat]:
    """Have somebody at netcat."""
    found = Netcat(encoding)
    await found.connect(door)
    try:
        yield found
    finally:
        await found.hang_up()


class Program(asyncio.DatagramProtocol):
    """A UDP program. datagrams: what it got, as text. answers: it acknowledges what is numbered."""

    def __init__(self, encoding: str, *, answers: bool) -> None:
        self.datagrams: list[str] = []
        self._answers = answers
        self._encoding = encoding
        self._news = asyncio.Event()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # which it is not by inheritance

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take a datagram."""
        text = data.decode(self._encoding)
        if self._answers and _OF_SERVER.match(text):
            self.send(f"{text.partition(' ')[0]} ok")
        self.datagrams.append(text)
        self._news.set()

    def error_received(self, exc: Exception) -> None:
        """Hear that nobody is there, which a program does not mind while a server is restarted."""

    def send(self, text: str) -> None:
        """Send a text."""
        self._transport.sendto(text.encode(self._encoding))

    async def until(self, is_it: Callable[[str], object], *, behind: int = 0) -> str:
        """Wait for a datagram. behind: how many of those that came first do not count."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := next(filter(is_it, self.datagrams[behind:]), None)) is None:
                self._news.clear()
                await self._news.wait()
        return found

    async def say(self, number: str, text: str) -> str:
        """Send a numbered message, again where that was too early; return how it is acknowledged."""
        while True:
            behind = len(self.datagrams)
            self.send(f"#{number} {text}")
            answer = await self.until(lambda one: one.startswith(f"#{number} "), behind=behind)
            if not answer.endswith(" no rate"):
                return answer
            await asyncio.sleep(0.2)  # a token of five a second

    def close(self) -> None:
        """Be gone."""
        self._transport.close()


@asynccontextmanager
async def program(door: Door, encoding: str = "utf-8", *, answers: bool = True) -> AsyncIterator[Program]:
    """Have a UDP program."""
    loop = asyncio.get_running_loop()
    _, found = await loop.create_datagram_endpoint(
        lambda: Program(encoding, answers=answers), remote_addr=("127.0.0.1", door.udp)
    )
    try:
        yield found
    finally:
        found.close()
