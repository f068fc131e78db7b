"""A house opens where it is told to, and knows its people."""

import asyncio
from pathlib import Path

import pytest

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Rejected
from portico.apps.chat.house import DATABASE, open_house
from portico.apps.chat.session import Operation
from portico.errors import ConfigError


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    house = open_house(tmp_path / "new" / "data", asyncio.ensure_future)
    house.hub.store.close()
    assert (tmp_path / "new" / "data" / DATABASE).exists()
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be made"):
        open_house(tmp_path / "file" / "data", asyncio.ensure_future)


def test_operations_may_be_added_later(tmp_path: Path) -> None:
    table: dict[str, Operation] = {}
    house = open_house(tmp_path, asyncio.ensure_future, operations=table)
    house.hub.store.close()
    assert house.operations is table


def test_whose_token_it_is_and_what_they_are_in(tmp_path: Path) -> None:
    async def work() -> None:
        house = open_house(tmp_path, asyncio.ensure_future)
        store = house.hub.store
        try:
            person = await store.write(lambda change: people.add_person(change, "agent", "Ann"))
            token = await store.write(lambda change: people.add_device(change, person, "x"))
            stays = await store.write(lambda change: rooms.make_room(change, person, "a", is_public=True))
            leaves = await store.write(lambda change: rooms.make_room(change, person, "b", is_public=True))
            await store.write(lambda change: rooms.leave(change, person, leaves))
            me = await house.recognise(token)
            assert (me.person, me.name, me.kind) == (person, "Ann", "agent")
            assert await house.conversations(person) == {stays: 0}
            with pytest.raises(Rejected):
                await house.recognise("nobody's")
        finally:
            store.close()

    asyncio.run(work())


def test_when_a_device_was_here_is_noted_but_not_all_the_time(tmp_path: Path) -> None:
    async def work() -> None:
        house = open_house(tmp_path, asyncio.ensure_future)
        store = house.hub.store
        now_ms = 1_000_000
        store.now_ms = lambda: now_ms

        async def seen_ms() -> int:
            return await store.read(lambda db: int(db.execute("SELECT seen_ms FROM device").fetchone()[0]))

        try:
            person = await store.write(lambda change: people.add_person(change, "user", "Ann"))
            token = await store.write(lambda change: people.add_device(change, person, "x"))
            for later_ms, noted_ms in ((10, 0), (people.SEEN_EVERY_MS, people.SEEN_EVERY_MS)):
                now_ms = 1_000_000 + later_ms
                await house.recognise(token)
                assert await seen_ms() == 1_000_000 + noted_ms
        finally:
            store.close()

    asyncio.run(work())
