"""A stage for the chat's plain text: a house with a desk, servers of TCP and UDP, and people at netcat.

    @acted
    async def test_greeting(stage: TextStage) -> None:
        await stage.open()
        visitor = await stage.netcat()
        await visitor.play('''
            < Welcome. Type text to talk to the desk, ...
            > hello
            < ...
        ''')

In a script `>` is typed, `<` must come next; an expected line that ends in `...` may go on as it likes. Time for the
database is the stage's, and stands still: noon, UTC.
"""

import asyncio
import functools
import inspect
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.server.stage import LOOPS, PATIENCE_S

from portico.apps.chat import desk_operations, links, log, operations, people
from portico.apps.chat.datagrams import Correspondence
from portico.apps.chat.desk import Desk
from portico.apps.chat.entrance import Entrance, Gate
from portico.apps.chat.events import Entry, dump
from portico.apps.chat.house import open_house
from portico.apps.chat.limits import Limits
from portico.apps.chat.lines import Patience, lines_service
from portico.apps.chat.log import Change
from portico.apps.chat.note_operations import Notes
from portico.apps.chat.passwords import hash_password, is_password
from portico.apps.chat.session import House, Operation
from portico.apps.chat.store import Store
from portico.apps.chat.talker import Setting
from portico.server.buckets import Reach, reach_of
from portico.server.datagrams import DatagramServer
from portico.server.peer import Peer
from portico.server.streams import StreamServer
from portico.server.tasks import Tasks, Work
from portico.settings import Limits as ServerLimits
from portico.settings import Service

NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC, a Monday
WELCOME = "Welcome. Type text to talk to the desk, /help for commands. 欢迎。直接输入文字即可联系客服，/help 查看命令。"


class Netcat:
    """Somebody at netcat. encoding: of the terminal."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, encoding: str) -> None:
        self.encoding = encoding
        self.reader = reader
        self.writer = writer

    async def type(self, *lines: str) -> None:
        """Type lines."""
        await self.send("".join(f"{line}\n" for line in lines).encode(self.encoding))

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        """Return the next line, "$" at the end."""
        async with asyncio.timeout(PATIENCE_S):
            # The welcome comes before it is known which charset the terminal has.
            found = (await self.reader.readline()).decode(self.encoding, "replace")
        return found.removesuffix("\n") if found else "$"

    async def until(self, end: str) -> list[str]:
        """Return the lines up to one that has `end` in it."""
        lines = [await self.line()]
        while end not in lines[-1]:
            assert lines[-1] != "$", lines
            lines.append(await self.line())
        return lines

    async def rest(self) -> list[str]:
        """End our side; return everything that still comes."""
        self.writer.write_eof()
        lines = []
        while (line := await self.line()) != "$":
            lines.append(line)
        return lines

    async def play(self, script: str) -> None:
        """Act a dialogue; see the module."""
        for row in dedent(script).strip("\n").splitlines():
            side, text = row[0], row[2:]
            if side == ">":
                await self.type(text)
                continue
            line = await self.line()
            fits = line.startswith(text[:-3]) if text.endswith("...") else line == text
            assert fits, f"{line!r} came in place of {text!r}"


class Sender:
    """A program that sends datagrams. encoding: of its text."""

    def __init__(self, server: socket.socket, encoding: str) -> None:
        self.encoding = encoding
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.connect(server.getsockname())

    @property
    def peer(self) -> Peer:
        """Who it is to the server."""
        return Peer(*self.sock.getsockname())

    def send(self, *texts: str) -> None:
        """Send texts, a datagram each."""
        for text in texts:
            self.sock.send(text.encode(self.encoding))

    async def receive(self) -> str:
        """Wait for the next datagram."""
        async with asyncio.timeout(PATIENCE_S):
            return (await asyncio.get_running_loop().sock_recv(self.sock, 65_536)).decode(self.encoding)

    async def ask(self, text: str) -> str:
        """Send a text, and return what comes next."""
        self.send(text)
        return await self.receive()

    async def until(self, end: str) -> list[str]:
        """Return the datagrams up to one that has `end` in it."""
        found = [await self.receive()]
        while end not in found[-1]:
            found.append(await self.receive())
        return found

    def hears_nothing(self) -> bool:
        """Tell whether nothing has come."""
        try:
            self.sock.recv(1)
        except BlockingIOError:
            return True
        return False


class TextStage:
    """See the module. What is set here before `open` counts."""

    house: House
    limits: Limits
    server: StreamServer
    desk: Desk | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = NOON_MS
        self.now_s = 1000.0
        self.errors: list[dict[str, Any]] = []
        self.gate_may: Callable[[str, str], float] | None = None
        self.encoding = "auto"
        self.patience: Patience | None = None
        self.service = Service()
        self.book: Correspondence
        self.reach: Callable[[str], Reach] = reach_of
        self.repeats_s: tuple[float, ...] = (0.05, 0.05)
        self.idle_s = 600.0
        self._datagrams: DatagramServer | None = None
        self._senders: list[Sender] = []
        self._netcats: list[Netcat] = []
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that a slow reader is soon behind

    @property
    def store(self) -> Store:
        """The database."""
        return self.house.hub.store

    @property
    def entrance(self) -> Entrance:
        """The way in."""
        return Entrance(
            self.house, Gate(is_password, self.gate_may or self.limits.may_from, hash_password, links.redeem)
        )

    async def open(self, *, has_desk: bool = True) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self._tasks = Tasks(loop)
        self.limits = Limits(lambda: self.now_s, lambda: self.now_ms)
        self.house = open_house(self.folder, self._run, may=self.limits.may, is_fast=True)
        self.store.now_ms = lambda: self.now_ms
        table: dict[str, Operation] = {**operations.operations(self.limits), **Notes(self.house.hub).operations()}
        if has_desk:
            self.desk = Desk(self.house.hub)
            table.update(desk_operations.operations(self.desk))
            await self.desk.start()
        self.house = self.house._replace(operations=table)
        service = lines_service(self.setting("tcp"), encoding=self.encoding, patience=self.patience)
        self.server = StreamServer(service, ServerLimits(), self.service)
        self._sock.setblocking(False)
        await self.server.open([self._sock])

    async def open_datagrams(self) -> None:
        """Take datagrams too."""
        self.book = Correspondence(self.setting("udp"), reach=self.reach, repeats_s=self.repeats_s, idle_s=self.idle_s)
        self._datagrams = DatagramServer(self.book.service, ServerLimits(), self.service, reach=self.reach)
        self.book.post = self._datagrams.send
        self.door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.door.bind(("127.0.0.1", 0))
        self.door.setblocking(False)
        await self._datagrams.open([self.door])

    @property
    def datagrams_taken(self) -> int:
        """How many datagrams have been taken, and are over and done with."""
        assert self._datagrams is not None
        return self._datagrams.totals.requests - self._datagrams.active

    def sender(self, encoding: str = "utf-8") -> Sender:
        """Make a program that sends datagrams."""
        self._senders.append(Sender(self.door, encoding))
        return self._senders[-1]

    def setting(self, via: str) -> Setting:
        """Return what talkers share."""
        return Setting(self.house, self.entrance, via, UTC, is_abusive=self.limits.is_abusive)

    def _run(self, work: Work) -> object:
        return self._tasks.start(work)

    async def strike(self) -> None:
        """Take everything down."""
        for netcat in self._netcats:
            netcat.writer.close()
        self.server.close([self._sock])
        self.server.cut()
        await self.until(lambda: not self.server.connections)
        await self.server.drain(0)
        if self._datagrams is not None:
            await self._datagrams.drain(PATIENCE_S)
            await self.book.close()
        for sender in self._senders:
            sender.sock.close()
        if self.desk is not None:
            await self.desk.close()
        if self._tasks.running:
            await asyncio.wait(self._tasks.running, timeout=PATIENCE_S)
        self._tasks.close()
        self.store.close()
        self._sock.close()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop run until something is so; fail if that takes too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - there is no event for every state of a server
                await asyncio.sleep(0)

    async def netcat(self, encoding: str = "utf-8", *, window: int = 0) -> Netcat:
        """Have somebody connect. window: of the kernel's buffer, in bytes, 0 for the usual one."""
        sock = socket.socket()
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self._sock.getsockname())
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << (14 if window else 20))
        self._netcats.append(Netcat(reader, writer, encoding))
        return self._netcats[-1]

    async def person(self, kind: str, name: str, **more: str) -> int:
        """Make a person."""
        return await self.store.write(lambda change: people.add_person(change, kind, name, **more))

    async def device(self, person: int) -> str:
        """Give a person a device; return its token."""
        return await self.store.write(lambda change: people.add_device(change, person, "test"))

    async def come(self, kind: str, name: str, encoding: str = "utf-8") -> Netcat:
        """Have somebody with an account come in by netcat."""
        found = await self.netcat(encoding)
        await found.type(f"/token {await self.device(await self.person(kind, name))}")
        await found.until(f"You are {name}.")
        return found

    async def say(self, conversation: int, person: int, text: str) -> int:
        """Have somebody say something from elsewhere; return its seq."""
        entry = Entry(conversation, person, "msg", dump({"text": text}))
        return (await self.store.write(lambda change: log.append(change, entry))).event.seq

    async def write(self, statement: str, *values: object) -> None:
        """Change the database."""

        def work(change: Change) -> None:
            change.db.execute(statement, values)

        await self.store.write(work)

    async def rows(self, query: str, *values: object) -> list[Any]:
        """Look something up."""
        return await self.store.read(lambda db: db.execute(query, values).fetchall())


def acted(play: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine function that takes a stage first."""

    @functools.wraps(play)
    def test(tmp_path: Path, **arguments: Any) -> None:
        async def act() -> None:
            stage = TextStage(tmp_path)
            try:
                await play(stage, **arguments)
            finally:
                await stage.strike()
            assert stage.errors == []

        with asyncio.Runner(loop_factory=LOOPS["uvloop"]) as runner:
            runner.run(act())

    signature = inspect.signature(play)
    _, *others = signature.parameters.values()
    path = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY, annotation=Path)
    parameters = [path, *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in others)]
    test.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return test
