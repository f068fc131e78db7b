"""A database gets its tables once, knows its version, and has an epoch of its own."""

import sqlite3
from pathlib import Path

import pytest

from portico.apps.chat.schema import VERSION, prepare, renew_epoch
from portico.errors import ConfigError


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_tables_are_made_once(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        epoch = prepare(db)
        assert prepare(db) == epoch
    with connect(tmp_path / "b") as other:
        assert prepare(other) != epoch


def test_a_restore_has_another_epoch(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        epoch = prepare(db)
        renewed = renew_epoch(db)
        assert renewed != epoch
        assert prepare(db) == renewed


def test_the_database_of_another_program(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        db.execute("CREATE TABLE notes (text)")
        with pytest.raises(ConfigError, match="another program"):
            prepare(db)


def test_the_database_of_a_newer_version(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        prepare(db)
        db.execute("UPDATE meta SET value = ? WHERE key = 'version'", (str(VERSION + 1),))
        with pytest.raises(ConfigError, match=f"of version {VERSION + 1}, this program of version {VERSION}"):
            prepare(db)


def test_a_database_from_before_it_was_noted_what_has_arrived(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        prepare(db)
        db.execute("ALTER TABLE member DROP COLUMN got")
        prepare(db)
        assert "got" in {row[1] for row in db.execute("PRAGMA table_info(member)")}


def test_a_database_from_before_it_was_noted_who_came_by_a_link(tmp_path: Path) -> None:
    with connect(tmp_path / "a") as db:
        prepare(db)
        db.execute("ALTER TABLE link DROP COLUMN device")
        prepare(db)
        assert "device" in {row[1] for row in db.execute("PRAGMA table_info(link)")}
