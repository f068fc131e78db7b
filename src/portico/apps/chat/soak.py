"""The verifier: many virtual users in rooms, a server that is killed under them, and every log compared at the end.

    populate           people, devices and rooms, written into the database before the server starts
    Soak.run
      _keep_connected  every user, over WebSocket or TCP, again whenever its connection is lost
      _talk            so many messages a second, from anybody into any room that one is in
      _break           one of BREAKS every few seconds: kill, restart, reset, stall, forget
      _settle          until everybody has everything, then the server stops
      _verify          what everybody has seen against the database

In: a `Wanted`, a `Keeper` of the server. Out: a `Report`; any fault in it is a failure of the server.
"""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Event
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change
from portico.apps.chat.soak_ledger import Ledger, compare
from portico.apps.chat.soak_user import Account, User
from portico.apps.chat.soak_ways import Connection, LinesWay, SocketWay
from portico.apps.chat.store import Store

SETTLE_S: Final = 60.0
_TICK_S: Final = 0.005
_LOOK_S: Final = 0.1
_SAMPLE_S: Final = 1.0
_SOONEST_S: Final = 0.05  # until a lost connection is tried again
_LATEST_S: Final = 1.0
_AT_ONCE: Final = 50  # connections that are being opened
_TO_BREAK: Final = 0.1  # of the users at a time
_EVENTS: Final = "SELECT conversation, seq, at_ms, sender, kind, body, ref, cid, via FROM event ORDER BY 1, 2"


class Wanted(NamedTuple):
    """What is to be done. rate: messages a second, of all. room: how many are in each room. lines: of all users, those
    on TCP, in percent. pause_s: between two breaks, 0 for none. seed: of what is chosen by chance."""

    users: int
    seconds: float
    rate: float
    room: int
    lines: int = 0
    pause_s: float = 0.0
    seed: int = 1


class Usage(NamedTuple):
    """What a server process has used. memory: bytes now. cpu_s: since it began."""

    memory: int
    cpu_s: float


class Keeper(Protocol):
    """Who keeps the server running. port: of HTTP. line_port: of TCP lines, 0 without."""

    port: int
    line_port: int

    async def start(self) -> None:
        """Start it, with the same ports each time; return when it takes connections."""
        ...

    async def kill(self) -> None:
        """End it at once, as a power failure would."""
        ...

    async def stop(self) -> None:
        """End it in good order."""
        ...

    def usage(self) -> Usage:
        """Look what it uses."""
        ...


class Report(NamedTuple):
    """What came of it. breaks: how often each. memory: bytes, once a second. cpu_s: of the server."""

    ledger: Ledger
    wanted: Wanted
    sent: int
    acked: int
    connections: int
    breaks: Mapping[str, int]
    memory: Sequence[int]
    cpu_s: float
    talked_s: float

    @property
    def is_good(self) -> bool:
        """Whether nothing happened that must not."""
        return not self.ledger.failed


async def populate(folder: Path, wanted: Wanted) -> list[Account]:
    """Make the people of a run, and the rooms that they are in: each in two, with others in each."""

    def write(change: Change) -> list[Account]:
        count, size = wanted.users, min(wanted.room, wanted.users)
        persons = [people.add_person(change, "user", f"soak {n}") for n in range(count)]
        tokens = [people.add_device(change, person, "soak") for person in persons]
        groups = -(-count // size)
        made: list[list[int]] = [[] for _ in persons]
        for group in range(groups):
            for members in (range(group * size, min(count, (group + 1) * size)), range(group, count, groups)):
                room = rooms.make_room(change, persons[members[0]], f"room {group}", is_public=False)
                made[members[0]].append(room)
                for n in members[1:]:
                    rooms.add_member(change, room, persons[n], by=persons[members[0]])
                    made[n].append(room)
        return [Account(*one) for one in zip(persons, tokens, map(tuple, made), strict=True)]

    store = Store(folder / DATABASE, is_fast=True)
    try:
        return await store.write(write)
    finally:
        store.close()


class Soak:
    """One run. folder: of the data. say: told what happens, in a word and a number."""

    def __init__(
        self, wanted: Wanted, keeper: Keeper, folder: Path, *, say: Callable[[str, int], None] = lambda what, n: None
    ) -> None:
        self.ledger = Ledger()
        self.users: list[User] = []
        self._breaks: Counter[str] = Counter()
        self._chance = random.Random(wanted.seed)
        self._connections = 0
        self._cpu_s = 0.0
        self._folder = folder
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._is_over = False
        self._keeper = keeper
        self._memory: list[int] = []
        self._say = say
        self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = wanted
        self._ways: dict[int, Connection] = {}

    async def run(self) -> Report:
        """Do all of it. Raises ConfigError where the server does not start."""
        wanted, loop = self._wanted, asyncio.get_running_loop()
        accounts = await populate(self._folder, wanted)
        self.users = [User(self.ledger, n, one, loop.call_later) for n, one in enumerate(accounts, 1)]
        await self._keeper.start()
        try:
            for user in self.users:
                self._keep_connected(user)
            await self._until(lambda: all(user.is_welcome for user in self.users))
            self._say("connected", sum(user.is_welcome for user in self.users))
            talked_s = await self._talk_and_break()
            await self._settle()
            self._is_over = True
            for way in list(self._ways.values()):
                way.close()
        finally:
            self._is_over = True
            await self._keeper.stop()
        for task in self._tasks:
            task.cancel()
        self._verify()
        acked = sum(len(user.acked) for user in self.users)
        totals = (self._sent, acked, self._connections, self._breaks, self._memory, self._cpu_s, talked_s)
        return Report(self.ledger, wanted, *totals)

    # connections

    def _keep_connected(self, user: User, wait_s: float = 0.0) -> None:
        self._ways.pop(user.number, None)
        if not self._is_over:
            task = asyncio.get_running_loop().create_task(self._connect(user, wait_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, user: User, wait_s: float) -> None:
        """Connect a user, however long there is no server."""
        loop, keeper = asyncio.get_running_loop(), self._keeper
        is_on_lines = keeper.line_port and user.number % 100 < self._wanted.lines
        kind, port = (LinesWay, keeper.line_port) if is_on_lines else (SocketWay, keeper.port)
        while not self._is_over:
            await asyncio.sleep(wait_s * self._chance.uniform(0.5, 1))
            wait_s = min(max(2 * wait_s, _SOONEST_S), _LATEST_S)
            with suppress(OSError):
                async with self._gate:
                    _, way = await loop.create_connection(lambda: kind(user, self._lost), "127.0.0.1", port)
                self._connections += 1
                self._ways[user.number] = way
                return

    def _lost(self, user: User) -> None:
        self._keep_connected(user, 2 * _SOONEST_S)

    # talking

    async def _talk_and_break(self) -> float:
        """Have the users talk for the time that is wanted; return for how long they did."""
        began_s, before = time.perf_counter(), self._keeper.usage()
        others = [asyncio.ensure_future(self._sample())]
        if self._wanted.pause_s:
            others.append(asyncio.ensure_future(self._break()))
        await self._talk(began_s)
        talked_s = time.perf_counter() - began_s
        self._cpu_s = self._keeper.usage().cpu_s - before.cpu_s
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return talked_s

    async def _talk(self, began_s: float) -> None:
        wanted, chosen = self._wanted, self._chance
        asked = 0
        while (passed_s := time.perf_counter() - began_s) < wanted.seconds:
            while asked < passed_s * wanted.rate:
                asked += 1
                user = chosen.choice(self.users)
                self._sent += user.send(chosen.choice(user.account.rooms))
            await asyncio.sleep(_TICK_S)

    async def _sample(self) -> None:
        while True:
            self._memory.append(self._keeper.usage().memory)
            await asyncio.sleep(_SAMPLE_S)

    # breaking

    async def _break(self) -> None:
        """Break something, again and again. A server that is being restarted is not disturbed."""
        names = list(_BREAKS)
        while True:
            await asyncio.sleep(self._wanted.pause_s)
            name = names[self._breaks.total() % len(names)]
            self._breaks[name] += 1
            self._say(name, self._breaks[name])
            await asyncio.shield(asyncio.ensure_future(_BREAKS[name](self)))

    def _some(self) -> list[Connection]:
        ways = list(self._ways.values())
        return self._chance.sample(ways, max(1, int(len(ways) * _TO_BREAK))) if ways else []

    async def _kill(self) -> None:
        await self._keeper.kill()
        await self._keeper.start()

    async def _restart(self) -> None:
        await self._keeper.stop()
        await self._keeper.start()

    async def _reset(self) -> None:
        for way in self._some():
            way.reset()

    async def _stall(self) -> None:
        for way in self._some():
            way.stall(self._wanted.pause_s * 2)

    async def _forget(self) -> None:
        for way in self._some():
            way.forget(self._wanted.pause_s * 2)

    # the end

    async def _settle(self) -> None:
        """Wait until everybody has everything; who has not after a minute has lost it."""
        with closing(self._database()) as db:
            heads: dict[int, int] = {}

            def is_settled() -> bool:
                heads.update(db.execute("SELECT id, head FROM conversation"))
                return all(user.is_settled(heads) for user in self.users)

            await self._until(is_settled)
        for user in self.users:
            if not user.is_settled(heads):
                cursors = {c: (user.cursors.get(c, 0), heads[c]) for c in user.account.rooms}
                self.ledger.fault("unsettled", user.number, f"has {cursors}, and {len(user.outbox)} not acknowledged")

    async def _until(self, is_done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + SETTLE_S
        while not is_done():
            if time.monotonic() > end_s:
                return
            await asyncio.sleep(_LOOK_S)

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._folder / DATABASE}?mode=ro", uri=True)

    def _verify(self) -> None:
        """Compare with the store what was seen, and what was acknowledged."""
        with closing(self._database()) as db:
            compare(self.ledger, db, (Event(*row) for row in db.execute(_EVENTS)))
            texts = Counter(cid for (cid,) in db.execute("SELECT cid FROM event WHERE kind = 'msg'"))
            places = {cid: (c, seq) for cid, c, seq in db.execute("SELECT cid, conversation, seq FROM event")}
        for cid, count in texts.items():
            if count > 1:
                self.ledger.fault("duplicate", 0, f"{cid} is stored {count} times")
        for user in self.users:
            for cid, place in user.acked.items():
                if places.get(cid) != place:
                    self.ledger.fault("lost", user.number, f"{cid} was acknowledged as {place}, is {places.get(cid)}")


_BREAKS: Final = {
    "reset": Soak._reset,
    "kill": Soak._kill,
    "stall": Soak._stall,
    "forget": Soak._forget,
    "restart": Soak._restart,
}
