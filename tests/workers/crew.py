"""A supervisor with tiny workers, for tests: real processes, waited for by what they report, never by sleeping."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portico.settings import Processes
from portico.workers.events import Event, Kind
from portico.workers.supervisor import Supervisor

DEADLINE_S = 30.0
TINY = Path(__file__).with_name("tiny.py")


class Line:
    """A connection to a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, word: str) -> dict[str, Any]:
        """Send a word; return the answer, empty where the connection ended instead."""
        self._writer.write(f"{word}\n".encode())
        async with asyncio.timeout(DEADLINE_S):
            try:
                answer = await self._reader.readline()
            except ConnectionError:
                answer = b""
        return json.loads(answer) if answer else {}

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@dataclass
class Crew:
    """What a test needs of a supervisor under way. plan: the file that stands for the workers' code."""

    supervisor: Supervisor
    running: asyncio.Task[int]
    plan: Path
    address: tuple[str, int]
    events: list[Event] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    seen: int = 0

    def note(self, event: Event) -> None:
        """Keep an event; to be called by the supervisor."""
        self.events.append(event)
        self.news.set()

    async def event(self, kind: Kind) -> Event:
        """Wait for the next event of a kind; those before it are passed over."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for event in self.events[self.seen :]:
                    self.seen += 1
                    if event.kind is kind:
                        return event
                self.news.clear()
                assert not self.running.done(), f"{kind} did not come: {self.events}"
                await self.news.wait()

    async def all_ready(self, count: int) -> None:
        """Wait for so many workers to be ready."""
        for _ in range(count):
            await self.event(Kind.READY)

    async def line(self) -> Line:
        """Connect to whichever worker accepts."""
        return Line(*await asyncio.open_connection(*self.address))

    async def ask(self, word: str = "who") -> dict[str, Any]:
        """Ask one question over a connection of its own."""
        line = await self.line()
        answer = await line.ask(word)
        line.close()
        return answer

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until an answer fits; none may be missing meanwhile."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds(answer := await self.ask()):
                assert answer
        return answer

    def write(self, **plan: Any) -> None:
        """Change the workers' code."""
        self.plan.write_text(json.dumps(plan))

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor, which is this process."""
        os.kill(os.getpid(), number)

    async def end(self) -> int:
        """Wait for the supervisor to return; return its exit code."""
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.shield(self.running)


@asynccontextmanager
async def crew(
    folder: Path, processes: Processes, *, drain_s: float = 20.0, plan: dict[str, Any] | None = None
) -> AsyncIterator[Crew]:
    """Run a supervisor; whatever the test left of it is ended."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan or {}))
    events: list[Crew] = []
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        supervisor = Supervisor(
            [sys.executable, str(TINY), str(path)],
            [sock],
            processes=processes,
            drain_s=drain_s,
            on_event=lambda event: events[0].note(event),
        )
        running = asyncio.ensure_future(supervisor.run())
        made = Crew(supervisor, running, path, sock.getsockname())
        running.add_done_callback(lambda _: made.news.set())
        events.append(made)
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])


def children() -> set[int]:
    """Return the processes that this one has started and not reaped, zombies among them."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(name))
    return found


def descriptors() -> set[str]:
    """Return the open descriptors of this process."""
    return set(os.listdir("/proc/self/fd"))
