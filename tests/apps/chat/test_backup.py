import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.apps.chat.asking import Asking, asked

from portico.apps.chat.backup import back_up, restore
from portico.apps.chat.house import DATABASE
from portico.apps.chat.retention import ERASED
from portico.apps.chat.store import Store
from portico.errors import ConfigError


def rows(folder: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return db.execute(statement).fetchall()


async def lively(house: Asking) -> int:
    """Let somebody talk, and upload a file; return who."""
    li = await house.person("user", "Li", login="li")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await house.write(
        "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, 'a', 'text/plain', 3, ?, 0)",
        "d" * 64,
        li.id,
    )
    place = house.folder / "files" / "dd" / ("d" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"abc")
    await li.send(room, "canary", files=[1])
    return li.id


@asked
async def test_a_backup_of_a_running_house_comes_back(house: Asking, tmp_path: Path) -> None:
    person = await lively(house)
    count = back_up(house.folder, tmp_path / "backup")
    li = await house.again(person)
    await li.send(1, "said behind the backup")
    assert count > 4096
    assert sorted(path.name for path in (tmp_path / "backup").rglob("*") if path.is_file()) == [DATABASE, "d" * 64]
    found = restore(tmp_path / "backup", tmp_path / "new")
    assert (found.erased, found.kept) == (0, None)
    assert found.epoch != house.store.epoch
    assert rows(tmp_path / "new", "SELECT body FROM event WHERE kind = 'msg'") == [('{"files":[1],"text":"canary"}',)]
    assert (tmp_path / "new" / "files" / "dd" / ("d" * 64)).read_bytes() == b"abc"
    store = Store(tmp_path / "new" / DATABASE)
    assert store.epoch == found.epoch
    store.close()


@asked
async def test_addresses_of_files_signed_before_are_void_behind_a_restore(house: Asking, tmp_path: Path) -> None:
    await lively(house)
    back_up(house.folder, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    read = "SELECT value FROM meta WHERE key = 'secret'"
    assert rows(tmp_path / "new", read) != await house.rows(read)


@asked
async def test_a_running_house_is_not_restored_over(house: Asking, tmp_path: Path) -> None:
    await lively(house)
    back_up(house.folder, tmp_path / "backup")
    with pytest.raises(ConfigError, match="is running"):
        restore(tmp_path / "backup", house.folder)
    assert await house.rows("SELECT count(*) FROM event") == [(2,)]


@asked
async def test_a_backup_brings_nobody_back_who_was_erased(house: Asking, tmp_path: Path) -> None:
    person = await lively(house)
    back_up(house.folder, tmp_path / "backup")
    await house.eraser.erase(person, person)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ERASED).write_text((house.folder / ERASED).read_text())
    found = restore(tmp_path / "backup", tmp_path / "other")
    assert found.erased == 1
    assert b"canary" not in (tmp_path / "other" / DATABASE).read_bytes()
    assert rows(tmp_path / "other", "SELECT login, is_disabled FROM person") == [(None, 1)]


def closed_house(folder: Path) -> str:
    """Make a house with one person, and close it; return the epoch."""
    folder.mkdir()
    store = Store(folder / DATABASE)
    store.close()
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("INSERT INTO person (kind, name, made_ms) VALUES ('user', 'Li', 5)")
        db.commit()
    return store.epoch


def test_a_closed_house_is_kept_beside_what_is_restored(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    back_up(tmp_path / "house", tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "house" / DATABASE)) as db:
        db.execute("UPDATE person SET name = 'changed'")
        db.execute("INSERT INTO erased (person, at_ms) VALUES (1, 7)")
        db.commit()
    found = restore(tmp_path / "backup", tmp_path / "house", now_ms=lambda: 77)
    assert rows(tmp_path / "house", "SELECT name FROM person") == [("erased-1",)]
    assert rows(tmp_path / "house", "SELECT * FROM erased") == [(1, 77)]
    assert found.kept is not None
    with closing(sqlite3.connect(found.kept)) as db:
        assert db.execute("SELECT name FROM person").fetchall() == [("changed",)]
    assert {path.name for path in (tmp_path / "house").iterdir()} == {DATABASE, found.kept.name}


def test_a_number_that_was_given_again_is_somebody_else(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    back_up(tmp_path / "house", tmp_path / "backup")
    (tmp_path / "house" / ERASED).write_text('{"person": 1, "made_ms": 4}\n')
    assert restore(tmp_path / "backup", tmp_path / "house").erased == 0


def test_a_damaged_house_is_replaced(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    back_up(tmp_path / "house", tmp_path / "backup")
    (tmp_path / "house" / DATABASE).write_bytes(b"this is no database " * 1000)
    restore(tmp_path / "backup", tmp_path / "house")
    assert rows(tmp_path / "house", "SELECT name FROM person") == [("Li",)]


@pytest.mark.parametrize("content", [b"", b"this is no database " * 1000])
def test_a_damaged_backup_leaves_the_house_as_it_was(tmp_path: Path, content: bytes) -> None:
    closed_house(tmp_path / "house")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / DATABASE).write_bytes(content)
    before = rows(tmp_path / "house", "SELECT * FROM meta")
    with pytest.raises(ConfigError):
        restore(tmp_path / "backup", tmp_path / "house")
    assert rows(tmp_path / "house", "SELECT * FROM meta") == before


def test_a_backup_of_a_newer_version(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    back_up(tmp_path / "house", tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "backup" / DATABASE)) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
        db.commit()
    with pytest.raises(ConfigError, match="version 99"):
        restore(tmp_path / "backup", tmp_path / "house")
    assert rows(tmp_path / "house", "SELECT name FROM person") == [("Li",)]


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    with pytest.raises(ConfigError, match="has no"):
        back_up(tmp_path / "nowhere", tmp_path / "backup")
    with pytest.raises(ConfigError, match="has no"):
        restore(tmp_path / "nowhere", tmp_path / "house")
    with pytest.raises(ConfigError, match="is there already"):
        back_up(tmp_path / "house", tmp_path / "house")
    (tmp_path / "a file").write_text("x")
    with pytest.raises(ConfigError, match="is there already"):
        back_up(tmp_path / "house", tmp_path / "a file")
    with pytest.raises(ConfigError, match="cannot be made"):
        back_up(tmp_path / "house", tmp_path / "a file" / "below")
    back_up(tmp_path / "house", tmp_path / "backup")
    with pytest.raises(ConfigError, match="cannot be restored"):
        restore(tmp_path / "backup", tmp_path / "a file")


def test_a_restore_over_files_that_are_there(tmp_path: Path) -> None:
    closed_house(tmp_path / "house")
    for content in ("first", "second"):
        place = tmp_path / "house" / "files" / "aa" / content
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        with closing(sqlite3.connect(tmp_path / "house" / DATABASE)) as db:
            db.execute(
                "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, 'a', 'text/plain', 1, 1, 0)",
                (content,),
            )
            db.commit()
    back_up(tmp_path / "house", tmp_path / "backup")
    (tmp_path / "house" / "files" / "aa" / "second").unlink()
    restore(tmp_path / "backup", tmp_path / "house")
    found = {path.name: path.read_text() for path in (tmp_path / "house" / "files" / "aa").iterdir()}
    assert found == {"first": "first", "second": "second"}


@asked
async def test_the_files_of_whoever_was_erased_do_not_come_back_either(house: Asking, tmp_path: Path) -> None:
    person = await lively(house)
    back_up(house.folder, tmp_path / "backup")
    await house.eraser.erase(person, person)
    await house.close()
    assert restore(tmp_path / "backup", house.folder).erased == 1
    assert list((house.folder / "files").glob("??/*")) == []
