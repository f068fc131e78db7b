"""The hub: what a reader gets is the log, however slow it is, whoever comes and goes."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from pathlib import Path
from sqlite3 import Connection
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.apps.chat import log, people, rooms
from portico.apps.chat.events import Claim, Rejected, check
from portico.apps.chat.hub import KEPT_AT_GAP, MAX_GAP, MAX_QUEUED, Hub, Reader
from portico.apps.chat.log import Change, append
from portico.apps.chat.store import Store

PERSONS = 4


class Line:
    """A wire that has room or not, as the test says. seen: conversation to the seqs it was handed."""

    def __init__(self) -> None:
        self.has_room = True
        self.frames: list[dict[str, Any]] = []
        self.most = 0

    def send(self, messages: Sequence[str]) -> None:
        self.most = max(self.most, len(messages))
        self.frames += map(json.loads, messages)

    @property
    def seqs(self) -> list[int]:
        found = []
        for frame in self.frames:
            found += [event["s"] for event in frame["ev"]] if frame["t"] == "sync" else []
            found += [frame["s"]] if frame["t"] == "ev" else []
        return found

    @property
    def is_limited(self) -> bool:
        return any(frame.get("limited") for frame in self.frames)


class World:
    def __init__(self, folder: str) -> None:
        self.store = Store(Path(folder) / "db", is_fast=True)
        self.tasks: set[asyncio.Task[None]] = set()
        self.hub = Hub(self.store, self._run)
        self.room = 0

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settle(self) -> None:
        def make(change: Change) -> int:
            persons = [people.add_person(change, "user", f"p{n}") for n in range(PERSONS)]
            return rooms.make_room(change, persons[0], "room", is_public=True)

        self.room = await self.store.write(make)

    async def come(self, person: int, have: int | None = None) -> tuple[Reader, Line]:
        line = Line()
        reader = Reader(self.hub, person, line)
        self.hub.greet(reader)
        try:
            await self.hub.enter(reader, self.room, have)
            reader.pump()
        except Rejected:
            assert await self.store.read(lambda db: log.membership(db, self.room, person)) is None
        return reader, line

    async def say(self, person: int, text: str = "x", times: int = 1) -> None:
        entry = check(Claim(self.room, "msg", {"text": text}), person, "ws")
        await asyncio.gather(*(self.store.write(lambda change: append(change, entry)) for _ in range(times)))

    async def quiet(self) -> None:
        """Wait until nothing is under way any more."""
        while True:
            await self.store.read(lambda db: None)
            for _ in range(5):
                await asyncio.sleep(0)
            if not self.tasks:
                return


def play(work: "Any") -> None:
    async def whole() -> None:
        with TemporaryDirectory() as folder:
            world = World(folder)
            try:
                await world.settle()
                await work(world)
            finally:
                world.store.close()

    asyncio.run(whole())


def test_who_is_there_gets_each_event_once_and_in_order() -> None:
    async def work(world: World) -> None:
        _, line = await world.come(1)
        for _ in range(5):
            await world.say(1, times=20)
        await world.quiet()
        assert line.seqs == list(range(1, 102))
        assert not line.is_limited

    play(work)


def test_who_resumes_gets_what_was_missed() -> None:
    async def work(world: World) -> None:
        await world.say(1, times=50)
        _, line = await world.come(1, have=30)
        await world.quiet()
        assert line.seqs == list(range(31, 52))

    play(work)


def test_who_asks_for_it_gets_it_once_more() -> None:
    async def work(world: World) -> None:
        reader, line = await world.come(1)
        await world.say(1, times=4)
        await world.quiet()
        world.hub.rewind(reader, world.room, 3)
        await world.quiet()
        assert line.seqs == [1, 2, 3, 4, 5, 4, 5]

    play(work)


def test_a_slow_reader_costs_nothing_and_misses_nothing() -> None:
    async def work(world: World) -> None:
        reader, line = await world.come(1)
        await world.quiet()
        line.has_room = False
        await world.say(1, times=400)
        await world.quiet()
        assert (line.seqs, reader.queue) == ([1], [])
        line.has_room = True
        reader.pump()
        await world.quiet()
        assert line.seqs == list(range(1, 402))
        assert not reader.lagging

    play(work)


def test_who_is_too_far_behind_is_told() -> None:
    async def work(world: World) -> None:
        reader, line = await world.come(1)
        await world.quiet()
        line.has_room = False
        for _ in range(MAX_GAP // 200 + 1):
            await world.say(1, times=200)
        line.has_room = True
        reader.pump()
        await world.quiet()
        head = world.hub.rooms[world.room].head
        assert line.is_limited
        assert line.seqs == [1, *range(head - KEPT_AT_GAP + 1, head + 1)]

    play(work)


@pytest.mark.parametrize(
    ("name", "first", "have", "seqs", "is_limited"),
    [
        ("what it has is kept", 5, 7, [8, 9, 10, 11], False),
        ("what follows is kept", 5, 4, [5, 6, 7, 8, 9, 10, 11], False),
        ("what follows is not", 5, 3, [5, 6, 7, 8, 9, 10, 11], True),
        ("nothing is kept", 12, 3, [], True),
        ("it has all", 12, 11, [], False),
        ("it is new", 5, None, [5, 6, 7, 8, 9, 10, 11], False),
        ("it has nothing", 5, 0, [5, 6, 7, 8, 9, 10, 11], False),
    ],
)
def test_who_was_away_longer_than_things_are_kept_is_told(
    name: str, first: int, have: int | None, seqs: list[int], is_limited: bool
) -> None:
    async def work(world: World) -> None:
        await world.say(1, times=10)
        await world.store.write(lambda change: change.db.execute("UPDATE conversation SET first = ?", (first,)))
        _, line = await world.come(1, have)
        await world.quiet()
        assert (line.seqs, line.is_limited) == (seqs, is_limited), name
        await world.say(1)
        await world.quiet()
        assert line.seqs == [*seqs, 12], name

    play(work)


def test_a_turn_of_the_loop_is_one_message() -> None:
    async def work(world: World) -> None:
        _, line = await world.come(1)
        await world.quiet()
        before = len(line.frames)
        await world.say(1, times=100)
        assert len(line.frames) - before == 100
        assert 1 < line.most <= MAX_QUEUED

    play(work)


def test_states_go_to_every_connection_of_a_person_that_has_room() -> None:
    async def work(world: World) -> None:
        (one, first), (other, second) = await world.come(1), await world.come(1)
        second.has_room = False
        world.hub.tell([1, 2], '{"t":"st"}')
        await world.quiet()
        assert {"t": "st"} in first.frames
        assert {"t": "st"} not in second.frames
        world.hub.leave(one)
        world.hub.leave(other)
        assert (world.hub.readers, world.hub.rooms) == ({}, {})

    play(work)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["say", "join", "leave", "come", "go", "stall", "go on"]), st.integers(1, PERSONS)),
    ),
    max_size=60,
)


@settings(max_examples=40)
@given(steps)
def test_readers_get_the_log_and_nothing_else(played: list[tuple[str, int]]) -> None:
    async def work(world: World) -> None:
        readers: dict[int, tuple[Reader, Line]] = {}
        gone: list[tuple[int, Line]] = []
        for act, person in played:
            await _act(world, readers, gone, act, person)
        for reader, line in readers.values():
            line.has_room = True
            reader.pump()
        await world.quiet()
        for person, line in [*gone, *((person, line) for person, (_, line) in readers.items())]:
            seqs = line.seqs
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
            for seq in seqs:
                assert await world.store.read(lambda db: log.can_read(db, person, world.room, seq))  # noqa: B023
        for person, (_, line) in readers.items():
            span = await world.store.read(lambda db: _all(db, person, world.room))  # noqa: B023
            assert line.seqs == span

    play(work)


def _all(db: Connection, person: int, room: int) -> list[int]:
    try:
        return [event.seq for event in log.read_for(db, person, room, 0).events]
    except Rejected:
        return []


async def _act(
    world: World, readers: dict[int, tuple[Reader, Line]], gone: list[tuple[int, Line]], act: str, person: int
) -> None:
    try:
        match act:
            case "say":
                await world.say(person)
            case "join":
                await world.store.write(lambda change: rooms.join(change, person, world.room))
            case "leave" if person != 1:
                await world.store.write(lambda change: rooms.leave(change, person, world.room))
            case "come" if person not in readers:
                readers[person] = await world.come(person)
            case "go" if person in readers:
                reader, line = readers.pop(person)
                world.hub.leave(reader)
                gone.append((person, line))
            case "stall" if person in readers:
                readers[person][1].has_room = False
            case "go on" if person in readers:
                readers[person][1].has_room = True
                readers[person][0].pump()
    except Rejected:
        return


def test_who_is_brought_in_while_saying_hello_is_brought_in_once() -> None:
    async def work(world: World) -> None:
        line = Line()
        reader = Reader(world.hub, 2, line)
        world.hub.greet(reader)
        await world.store.write(lambda change: rooms.join(change, 2, world.room))  # the hub hears of it, and enters
        await world.quiet()
        await world.hub.enter(reader, world.room, None)  # so does the list of conversations, which was read before
        reader.pump()
        await world.quiet()
        assert line.seqs == [1, 2]

    play(work)
