"""The verifier: many virtual users in rooms, a server that is killed under them, and every log compared at the end.

    populate           people, devices and rooms, written into the database before the server starts
    Soak.run
      _keep_connected  every user on its way in, again whenever its connection is lost
      _talk            so many messages a second, from anybody into any room that one is in
      Breaks.run       a break every few seconds: kill, restart, reset, stall, forget, away
      Stopping.run     a reader process that is stopped for a while, and again
      _settle          until everybody has everything, then the server stops
      _verify          what everybody has seen against the database

In: a `Wanted`, a `Keeper` of the server. Out: a `Report`; any fault in it is a failure of the server.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from portico.apps.chat.house import DATABASE
from portico.apps.chat.soak_breaks import Breaks, Server
from portico.apps.chat.soak_datagrams import DatagramUser
from portico.apps.chat.soak_ledger import Ledger, compare
from portico.apps.chat.soak_lines import LineUser
from portico.apps.chat.soak_plan import (
    DATAGRAMS,
    FRAMES,
    GBK_LINES,
    LINES,
    WEBSOCKET,
    Wanted,
    add_reader,
    populate,
)
from portico.apps.chat.soak_stopping import Stopped, Stopping
from portico.apps.chat.soak_texts import Progress, Stored, stored_events
from portico.apps.chat.soak_user import User
from portico.apps.chat.soak_ways import Ports, Talking, Way, open_way
from portico.errors import ConfigError, Gone, Refused

SETTLE_S: Final = 60.0
_CONNECT_S: Final = 180.0  # a thousand who are new in a room of a thousand get a million events first
_TICK_S: Final = 0.005
_LOOK_S: Final = 0.1
_SAMPLE_S: Final = 1.0
_SOONEST_S: Final = 0.05  # until a lost connection is tried again
_LATEST_S: Final = 1.0
_AT_ONCE: Final = 50  # connections that are being opened
_USERS: Final[Mapping[str, type[User] | type[LineUser] | type[DatagramUser]]] = {
    WEBSOCKET: User,
    FRAMES: User,
    LINES: LineUser,
    GBK_LINES: LineUser,
    DATAGRAMS: DatagramUser,
}


class Usage(NamedTuple):
    """What a server process has used. memory: bytes now. cpu_s: since it began."""

    memory: int
    cpu_s: float


class Keeper(Server, Protocol):
    """Who keeps the server running, on the same ports each time."""

    @property
    def ports(self) -> Ports:
        """Where it is, once it has started."""
        ...

    def usage(self) -> Usage:
        """Look what it uses."""
        ...


class Report(NamedTuple):
    """What came of it. breaks: how often each. memory: bytes, once a second. cpu_s: of the server. talked_s: for how
    long the users did. stopped: what came of the reader that was stopped, None without."""

    ledger: Ledger
    wanted: Wanted
    breaks: Mapping[str, int]
    memory: Sequence[int]
    cpu_s: float
    talked_s: float
    stopped: Stopped | None

    @property
    def is_good(self) -> bool:
        """Whether nothing happened that must not."""
        return not self.ledger.failed


class Soak:
    """One run. folder: of the data. say: told what happens, in a word and a number."""

    def __init__(
        self, wanted: Wanted, keeper: Keeper, folder: Path, *, say: Callable[[str, int], None] = lambda what, n: None
    ) -> None:
        self.ledger = Ledger()
        self.users: list[Talking] = []
        self._ways: dict[int, Way] = {}
        self._breaks = Breaks(wanted, keeper, self._ways, say)
        self._chance = random.Random(wanted.seed)
        self._cpu_s = 0.0
        self._folder = folder
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._is_over = False
        self._keeper = keeper
        self._memory: list[int] = []
        self._say = say
        self._stopping: Stopping | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted = wanted

    async def run(self) -> Report:
        """Do all of it. Raises ConfigError where the server does not start, or nobody can write to the reader."""
        await self._prepare()
        await self._keeper.start()
        try:
            for user in self.users:
                self._keep_connected(user)
            await self._until(lambda: all(user.is_welcome for user in self.users), _CONNECT_S)
            self._say("connected", sum(user.is_welcome for user in self.users))
            if self._stopping is not None:
                await self._stopping.start(self._keeper.ports.http)
            talked_s = await self._talk_and_break()
            await self._settle()
            self._is_over = True
            for way in list(self._ways.values()):
                way.close()
        finally:
            self._is_over = True
            if self._stopping is not None:
                await self._stopping.end()
            await self._keeper.stop()
        for task in self._tasks:
            task.cancel()
        self._verify()
        stopped = self._stopping.result if self._stopping is not None else None
        counted = (self._breaks.count, self._memory, self._cpu_s, talked_s, stopped)
        return Report(self.ledger, self._wanted, *counted)

    async def _prepare(self) -> None:
        """Make the users."""
        accounts, loop = await populate(self._folder, self._wanted), asyncio.get_running_loop()
        if self._wanted.stop_s:
            speakers = [n for n, account in enumerate(accounts) if account.way == WEBSOCKET][:2]
            if len(speakers) < 2:
                raise ConfigError("a reader that is stopped needs two users on WebSockets to write to it")
            reader, aside = await add_reader(self._folder, [accounts[n] for n in speakers])
            for n in speakers:
                accounts[n] = accounts[n]._replace(rooms=(*accounts[n].rooms, aside))
        for number, account in enumerate(accounts, 1):
            self.ledger.of(account.way).users += 1
            self.users.append(_USERS[account.way](self.ledger, number, account, loop.call_later))
        if self._wanted.stop_s:
            talkers = [user for user in self.users if isinstance(user, User) and aside in user.account.rooms]
            self._stopping = Stopping(self._folder, reader, (aside, talkers), self.ledger, stop_s=self._wanted.stop_s)

    # connections

    def _keep_connected(self, user: Talking, wait_s: float = 0.0) -> None:
        self._ways.pop(user.number, None)
        if not self._is_over:
            task = asyncio.get_running_loop().create_task(self._connect(user, wait_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, user: Talking, wait_s: float) -> None:
        """Connect a user, however long there is no server."""
        await asyncio.sleep(self._breaks.away.pop(user.number, 0.0) - asyncio.get_running_loop().time())
        while not self._is_over:
            await asyncio.sleep(wait_s * self._chance.uniform(0.5, 1))
            wait_s = min(max(2 * wait_s, _SOONEST_S), _LATEST_S)
            with suppress(OSError, Refused, Gone):
                async with self._gate:
                    way = await open_way(user, self._keeper.ports, self._lost)
                self.ledger.of(user.account.way).connections += 1
                if way.user is not None:
                    self._ways[user.number] = way
                return

    def _lost(self, user: Talking) -> None:
        self._keep_connected(user, 2 * _SOONEST_S)

    # talking

    async def _talk_and_break(self) -> float:
        """Have the users talk for the time that is wanted; return for how long they did."""
        began_s, before = time.perf_counter(), self._keeper.usage()
        others = [asyncio.ensure_future(self._sample())]
        if self._wanted.pause_s:
            others.append(asyncio.ensure_future(self._breaks.run()))
        if self._stopping is not None:
            others.append(asyncio.ensure_future(self._stopping.run()))
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
        while (passed_s := time.perf_counter() - began_s) < wanted.seconds or self._breaks.count["kill"] < wanted.kills:
            while asked < passed_s * wanted.rate:
                asked += 1
                user = chosen.choice(self.users)
                user.send(chosen.choice(user.account.rooms))
            await asyncio.sleep(_TICK_S)

    async def _sample(self) -> None:
        while True:
            self._memory.append(self._keeper.usage().memory)
            await asyncio.sleep(_SAMPLE_S)

    # the end

    async def _settle(self) -> None:
        """Wait until everybody has everything; who has not after a minute has lost it."""
        if self._stopping is not None:
            self._stopping.go_on()
        with closing(self._database()) as db:

            def is_settled() -> bool:
                progress = Progress(db)
                return all(user.is_settled(progress) for user in self.users)

            await self._until(is_settled)
            progress = Progress(db)
            for user in self.users:
                if not user.is_settled(progress):
                    self.ledger.fault("unsettled", user.number, user.state(progress))
            if self._stopping is not None:
                await self._stopping.settle(progress)

    async def _until(self, is_done: Callable[[], bool], patience_s: float = SETTLE_S) -> None:
        end_s = time.monotonic() + patience_s
        while not is_done():
            if time.monotonic() > end_s:
                return
            await asyncio.sleep(_LOOK_S)

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._folder / DATABASE}?mode=ro", uri=True)

    def _verify(self) -> None:
        """Compare with the store what was seen, and what was acknowledged."""
        with closing(self._database()) as db:
            compare(self.ledger, db, stored_events(db))
            stored = Stored(self.ledger, db)
        for user in self.users:
            user.verify(stored)
