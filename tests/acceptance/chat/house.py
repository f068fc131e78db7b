"""The whole chat in this process, on real sockets, at a time that only we move.

    async with House(folder) as house:
        agent = await house.account("agent", "小王")      its token
        await house.pass_time(3600)

`pass_time` is for what the database and the limits are told, and for the desk, which takes its turn then;
`keep_silent` is for connections: so long nothing is heard on them.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.acceptance.chat.clients import PATIENCE_S, Door

from portico.apps.chat import people
from portico.apps.chat.log import Change
from portico.apps.chat.premises import MESSAGES, Premises
from portico.server.clock import Clock
from portico.server.http import HttpServer
from portico.server.service import Services
from portico.server.services import ServiceServer
from portico.settings import Limits, Service

MONDAY_NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC


class House:
    """See the module. now_ms: the time. errors: what the loop had to complain about, which must be nothing."""

    door: Door
    premises: Premises

    def __init__(self, folder: Path) -> None:
        self.errors: list[dict[str, Any]] = []
        self.folder = folder
        self.now_ms = MONDAY_NOON_MS
        self._silent_s = 0.0
        self._sockets: list[socket.socket] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self.premises = premises = Premises(self.folder, is_fast=True)
        premises.store.now_ms = lambda: self.now_ms
        premises.limits._clock = lambda: self.now_ms / 1000
        premises.limits._now_ms = lambda: self.now_ms
        http, lines = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
        letters = socket.socket(type=socket.SOCK_DGRAM)
        letters.bind(("127.0.0.1", 0))
        self._sockets = [http, lines, letters]
        for sock in self._sockets:
            sock.setblocking(False)
        self.door = Door(*(sock.getsockname()[1] for sock in self._sockets))
        clock = Clock(lambda: time.monotonic() + self._silent_s)
        self.http = HttpServer(premises.handler, Limits(), messages=MESSAGES, clock=clock)
        self.services = ServiceServer(Services(premises.lines, premises.letters.service), Limits(), Service())
        premises.letters.post = self.services.send
        await premises.start()
        await self.http.open([http])
        await self.services.open([lines, letters])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.http.close(self._sockets[:1])
        self.http.abort()
        self.services.cut()
        await self.services.drain(1.0)
        await self.until(lambda: not self.http.connections)
        await self.premises.stop()
        self.premises.close()
        for sock in self._sockets:
            sock.close()
        assert self.errors == []

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop run until something is so; fail if that takes too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - there is no event for every state of a server
                await asyncio.sleep(0)

    # time

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for the database, the limits and the desk, which takes a turn at the end."""
        self.now_ms += round(seconds * 1000)
        await self.premises.desk.route()

    async def keep_silent(self, seconds: float) -> None:
        """Let time pass for connections; those whose clients answer nothing meanwhile have been silent for so long."""
        for _ in range(round(seconds)):
            self._silent_s += 1
            self.http.clock.tick()
            self.http.wheel.turn(self.http.clock.now_s)
            await asyncio.sleep(0.002)  # for the clients that answer

    # who there is

    async def account(self, kind: str, name: str) -> str:
        """Make an account; return the token of a device."""

        def write(change: Change) -> str:
            return people.add_device(change, people.add_person(change, kind, name), "test")

        return await self.premises.store.write(write)

    async def write(self, statement: str, *values: object) -> None:
        """Change the database."""

        def work(change: Change) -> None:
            change.db.execute(statement, values)

        await self.premises.store.write(work)

    async def rows(self, query: str, *values: object) -> list[Any]:
        """Look something up."""
        return await self.premises.store.read(lambda db: db.execute(query, values).fetchall())
