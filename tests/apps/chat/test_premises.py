"""The whole chat as servers are given it: opened, started, stopped, closed."""

import asyncio
from pathlib import Path

import pytest

from portico.apps.chat import audit
from portico.apps.chat.premises import DEFAULT_TITLE, Premises
from portico.errors import ConfigError


def test_the_first_link_is_there_until_an_admin_has_come_in(tmp_path: Path) -> None:
    async def visit() -> None:
        premises = Premises(tmp_path)
        await premises.start()
        assert await premises.first_link()
        admin = await premises.store.read(lambda db: db.execute("SELECT id FROM person").fetchone())
        await premises.store.write(
            lambda change: change.db.execute("UPDATE person SET password = 'hash' WHERE id = ?", admin)
        )
        assert await premises.first_link() is None
        await premises.stop()
        premises.close()
        premises.close()

    asyncio.run(visit())


@pytest.mark.parametrize(
    ("given", "stored", "shown"), [("", "", DEFAULT_TITLE), ("", "三号店", "三号店"), ("here", "三号店", "here")]
)
def test_its_title_is_the_given_one_or_the_stored_one(tmp_path: Path, given: str, stored: str, shown: str) -> None:
    async def visit() -> str:
        premises = Premises(tmp_path, title=given, is_fast=True)
        if stored:
            await premises.store.write(lambda change: audit.set_setting(change, 0, "title", stored))
        await premises.start()
        await premises.stop()
        premises.close()
        return premises.title

    assert asyncio.run(visit()) == shown


def test_what_is_under_way_at_the_end_is_waited_for(tmp_path: Path) -> None:
    async def visit() -> list[str]:
        premises = Premises(tmp_path)
        await premises.start()
        done: list[str] = []

        async def store() -> None:
            await premises.store.write(lambda change: None)
            done.append("stored")

        premises.house.hub.run(store())
        await premises.stop()
        premises.close()
        return done

    assert asyncio.run(visit()) == ["stored"]


def test_one_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    premises = Premises(tmp_path)
    asyncio.run(premises.stop())
    premises.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be made"):
        Premises(tmp_path / "file" / "below")


def test_everything_that_can_be_asked_is_asked_here(tmp_path: Path) -> None:
    premises = Premises(tmp_path)
    premises.close()
    asked = {"me", "room.make", "contacts.add", "export", "files.get", "admin.link", "desk.start"}
    assert asked <= set(premises.house.operations)
