"""The desk runs: causes, turns, and who is told what, at a house with a clock set by hand."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from portico.apps.chat import cases, desk_router, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.desk import Desk
from portico.apps.chat.events import Claim, Rejected, check
from portico.apps.chat.house import open_house
from portico.apps.chat.hub import Hub, Reader
from portico.apps.chat.log import Change
from portico.server.tasks import Tasks

NOON_MS = 1_767_614_400_000


class Line:
    """A way out that keeps what it is given. has_room: set by tests."""

    def __init__(self) -> None:
        self.has_room = True
        self.frames: list[dict[str, Any]] = []

    def send(self, messages: Sequence[str]) -> None:
        self.frames += [json.loads(message) for message in messages]

    def statuses(self) -> list[tuple[str, int | None]]:
        found = [frame["desk"] for frame in self.frames if frame["t"] == "st" and "desk" in frame]
        return [(one["state"], one["pos"]) for one in found]

    def count_lists(self) -> int:
        return sum(frame.get("desk_list", False) for frame in self.frames)


class World:
    """A hub with a desk that has not been started, and a clock."""

    def __init__(self, hub: Hub) -> None:
        self.clock_ms = NOON_MS
        hub.store.now_ms = lambda: self.clock_ms
        self.hub = hub
        self.desk = Desk(hub)
        self.readers: dict[int, Reader] = {}

    async def add(self, kind: str, name: str) -> int:
        return await self.hub.store.write(lambda change: people.add_person(change, kind, name))

    async def enter(self, person: int) -> Line:
        """Have a person come in."""
        line = Line()
        self.readers[person] = Reader(self.hub, person, line)
        self.hub.greet(self.readers[person])
        return line

    def leave(self, person: int) -> None:
        self.hub.leave(self.readers.pop(person))

    async def start(self, visitor: int) -> int:
        case = await self.hub.store.write(lambda change: cases.start(change, visitor))
        return case.conversation

    async def take(self, agent: int, conversation: int) -> None:
        def write(change: Change) -> Case:
            return cases.take(change, agent, conversation, cases.find(change.db, conversation).revision)

        await self.hub.store.write(write)

    async def close(self, conversation: int) -> None:
        def write(change: Change) -> Case:
            case = cases.find(change.db, conversation)
            return cases.close(change, case.visitor, case)

        await self.hub.store.write(write)

    async def say(self, person: int, conversation: int) -> None:
        entry = check(Claim(conversation, "msg", {"text": "hello"}), person, "ws")
        await self.hub.store.write(lambda change: log.append(change, entry))

    async def case(self, conversation: int) -> Case:
        return await self.hub.store.read(lambda db: cases.find(db, conversation))

    async def later(self, seconds: float) -> None:
        self.clock_ms += int(seconds * 1000)
        await self.desk.route()
        await asyncio.sleep(0)

    async def until(self, conversation: int, is_it: Callable[[Case], bool]) -> None:
        """Wait until the desk, by itself, has brought a case to where it belongs."""
        async with asyncio.timeout(20):
            while not is_it(await self.case(conversation)):
                pass


def in_world(folder: Path, work: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        tasks = Tasks(asyncio.get_running_loop())
        world = World(open_house(folder, tasks.start, is_fast=True).hub)
        try:
            await work(world)
            while tasks.running:
                await asyncio.gather(*tasks.running)
        finally:
            await world.desk.close()
            world.hub.store.close()

    asyncio.run(run())


def test_freed_room_is_filled_without_waiting_for_the_tick(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann = await world.add("agent", "Ann")
        await world.enter(ann)
        await world.hub.store.write(lambda change: change.db.execute("UPDATE desk_queue SET capacity = 1"))
        await world.desk.start()
        one, two = [await world.start(await world.add("visitor", name)) for name in "VZ"]
        await world.until(one, lambda case: case.offered == ann)
        await world.take(ann, one)
        await world.close(one)
        await world.until(two, lambda case: case.offered == ann)
        assert world.clock_ms == NOON_MS

    in_world(tmp_path, work)


def test_the_visitors_of_an_agent_who_is_gone_wait_again_after_a_minute(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben, vic = [await world.add(*one) for one in (("agent", "Ann"), ("agent", "Ben"), ("visitor", "Vic"))]
        for agent in (ann, ben):
            await world.enter(agent)
        c = await world.start(vic)
        await world.take(ann, c)
        await world.say(vic, c)
        await world.desk.route()
        world.leave(ann)
        await world.later(5)
        await world.later(30)
        await world.enter(ann)
        await world.later(5)
        world.leave(ann)
        await world.later(5)
        await world.later(59)
        assert (await world.case(c)).agent == ann
        await world.later(1)
        case = await world.case(c)
        assert (case.state, case.offered, case.is_first) == ("offered", ben, 1)

    in_world(tmp_path, work)


def test_a_message_in_a_closed_case_opens_it_again(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic = await world.add("visitor", "Vic")
        await world.desk.start()
        c = await world.start(vic)
        await world.close(c)
        await world.say(vic, c)
        await world.until(c, lambda case: case.state == "queued")
        await world.close(c)
        await world.say(vic, c)
        await world.until(c, lambda case: case.state == "queued")

    in_world(tmp_path, work)


def test_what_was_said_before_a_restart_is_heard_after_it(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic, zoe = await world.add("visitor", "Vic"), await world.add("visitor", "Zoe")
        said, silent = await world.start(vic), await world.start(zoe)
        for c in (said, silent):
            await world.close(c)
        await world.say(vic, said)
        await world.desk.start()
        assert ((await world.case(said)).state, (await world.case(silent)).state) == ("queued", "closed")
        await world.say(zoe, silent)
        await world.until(silent, lambda case: case.state == "queued")

    in_world(tmp_path, work)


def test_visitors_are_told_what_is_new_and_all_of_it_now_and_then(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic, zoe = await world.add("visitor", "Vic"), await world.add("visitor", "Zoe")
        first, second = await world.enter(vic), await world.enter(zoe)
        one, two = await world.start(vic), await world.start(zoe)
        await world.later(0)
        await world.later(1)
        assert (first.statuses(), second.statuses()) == ([("queued", 1)], [("queued", 2)])
        assert world.desk.waiting == 2
        await world.close(one)
        second.has_room = False
        await world.later(1)
        assert (first.statuses()[1:], second.statuses()) == ([("closed", None)], [("queued", 2)])
        assert world.desk.waiting == 1
        second.has_room = True
        await world.later(1)
        assert second.statuses() == [("queued", 2)]
        await world.later(5)
        assert (first.statuses()[2:], second.statuses()[1:]) == ([], [("queued", 1)])
        assert (await world.case(two)).state == "queued"

    in_world(tmp_path, work)


def test_agents_are_told_once_that_their_lists_have_changed(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic = await world.add("agent", "Ann"), await world.add("visitor", "Vic")
        agent, visitor = await world.enter(ann), await world.enter(vic)
        await world.desk.start()
        await world.desk.close()
        before = agent.count_lists()
        c = await world.start(vic)
        await world.later(0)
        assert agent.count_lists() == before + 1
        await world.later(0)
        assert agent.count_lists() == before + 1
        await world.close(c)
        await world.hub.store.write(lambda change: cases.rate(change, vic, c, 5))
        await world.later(0)
        assert agent.count_lists() == before + 2
        world.desk.wake()
        await world.later(0)
        assert agent.count_lists() == before + 3
        assert visitor.count_lists() == 0

    in_world(tmp_path, work)


def test_an_agent_who_comes_is_a_cause(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic = await world.add("agent", "Ann"), await world.add("visitor", "Vic")
        await world.desk.start()
        c = await world.start(vic)
        await world.enter(ann)
        world.desk.greet(ann)
        await world.until(c, lambda case: case.offered == ann)
        world.desk.greet(ann)

    in_world(tmp_path, work)


def test_an_offer_ends_in_time_without_any_other_cause(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic = await world.add("agent", "Ann"), await world.add("visitor", "Vic")
        await world.enter(ann)
        c = await world.start(vic)
        await world.desk.route()
        assert (await world.case(c)).offered == ann
        world.clock_ms += desk_router.OFFER_MS - 50
        await world.desk.start()
        world.clock_ms += 50
        await world.until(c, lambda case: case.state == "queued")

    in_world(tmp_path, work)


def test_a_turn_that_cannot_be_stored_is_taken_again(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic = await world.add("visitor", "Vic")
        c = await world.start(vic)
        await world.close(c)
        await world.desk.start()
        await world.desk.close()
        lock = sqlite3.connect(tmp_path / "chat.db", isolation_level=None)
        await world.say(vic, c)
        await world.hub.store.write(lambda change: change.db.execute("PRAGMA busy_timeout = 1"))
        lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(Rejected, match="nothing can be stored now"):
            await world.desk.route()
        lock.execute("ROLLBACK")
        lock.close()
        await world.desk.route()
        assert (await world.case(c)).state == "queued"

    in_world(tmp_path, work)
