"""A house with a desk, and clients that ask and are told, without sockets; the clock is set by hand.

async def work(world: World) -> None:
    agent = await world.come("agent", "Ann")
    assert (await agent.ask("desk.list"))["items"] == []

in_world(tmp_path, work)
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from portico.apps.chat import desk_operations, desk_views, people
from portico.apps.chat.desk import Desk
from portico.apps.chat.desk_views import Onlookers
from portico.apps.chat.house import open_house
from portico.apps.chat.log import Change
from portico.apps.chat.session import House, Session
from portico.server.tasks import Tasks

NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC, a Monday


class Client:
    """A client with room for everything. heard: all that it was told, in order. number: of the last question."""

    has_room = True

    def __init__(self, world: "World", person: int) -> None:
        self.person = person
        self.frames: list[dict[str, Any]] = []
        self.session = Session(world.house, self, "ws")
        self.number = 0

    def send(self, messages: Sequence[str]) -> None:
        self.frames += [json.loads(message) for message in messages]

    async def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and return the answer, or the frame that says why not."""
        self.number += 1
        await self.session.take(json.dumps({"t": "ask", "id": self.number, "op": op, **arguments}))
        return await self.until(lambda frame: frame["t"] in ("ok", "err") and frame.get("id") == self.number)

    async def write(self, conversation: int, text: str, **more: Any) -> dict[str, Any]:
        """Send a message, and return the ack or nack."""
        self.number += 1
        cid = f"m{self.person}-{self.number}"
        await self.session.take(json.dumps({"t": "send", "cid": cid, "c": conversation, "b": {"text": text, **more}}))
        return await self.until(lambda frame: frame.get("cid") == cid)

    async def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first frame, of all there were and will be, of a kind."""
        async with asyncio.timeout(20):
            while True:
                found = next((frame for frame in self.frames if is_it(frame)), None)
                if found is not None:
                    return found
                await asyncio.sleep(0)

    def texts(self) -> list[tuple[int, int, str]]:
        """Return conversation, seq and text of every message that came."""
        events = [one for frame in self.frames for one in ([frame] if frame["t"] == "ev" else frame.get("ev", []))]
        return [(one["c"], one["s"], one["b"]["text"]) for one in events if one["k"] == "msg"]

    def statuses(self) -> list[dict[str, Any]]:
        return [frame["desk"] for frame in self.frames if frame["t"] == "st" and "desk" in frame]

    def leave(self) -> None:
        self.session.end()


class World:
    """A house with a desk, and a clock that is set by hand."""

    def __init__(self, house: House) -> None:
        self.clock_ms = NOON_MS
        self.names: dict[int, str] = {}
        house.hub.store.now_ms = lambda: self.clock_ms
        self.desk = Desk(house.hub)
        views = desk_views.operations(self.desk, Onlookers())
        self.house = house._replace(operations=desk_operations.operations(self.desk) | views)

    async def come(self, kind: str, name: str) -> Client:
        """Have somebody new come in, who is in a room already: the hub knows of whoever follows something."""

        def make(change: Change) -> tuple[int, str]:
            number = people.add_person(change, kind, name)
            return number, people.add_device(change, number, "test")

        number, token = await self.house.hub.store.write(make)
        self.names[number] = name
        return await self.return_of(number, token)

    async def return_of(self, number: int, token: str | None = None) -> Client:
        """Have somebody come in again."""
        store = self.house.hub.store
        if token is None:
            token = await store.write(lambda change: people.add_device(change, number, "test"))
        client = Client(self, number)
        await client.session.take(json.dumps({"t": "hello", "v": 1, "tok": token}))
        await client.until(lambda frame: frame["t"] == "welcome")
        return client

    async def later(self, seconds: float) -> None:
        """Let time pass, and the router take its turn."""
        self.clock_ms += int(seconds * 1000)
        await self.desk.route()


def in_world(folder: Path, work: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        tasks = Tasks(asyncio.get_running_loop())
        world = World(open_house(folder, tasks.start, is_fast=True))
        try:
            await world.desk.start()
            await work(world)
            while tasks.running:
                await asyncio.gather(*tasks.running)
        finally:
            await world.desk.close()
            world.house.hub.store.close()

    asyncio.run(run())


def code(frame: dict[str, Any]) -> str:
    """Return why something was not done."""
    assert frame["t"] == "err", frame
    return str(frame["code"])


async def has(client: Client, agent: Client) -> int:
    """Have a visitor begin and an agent take the case; return the conversation."""
    started = await client.ask("desk.start")
    (item,) = [one for one in (await agent.ask("desk.list", tab="queue"))["items"] if one["c"] == started["c"]]
    assert (await agent.ask("desk.take", c=item["c"], rev=item["rev"]))["t"] == "ok"
    return int(started["c"])
