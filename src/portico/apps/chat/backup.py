"""Backups of a house, made while it runs, and the way back.

    back_up(folder, target)       a folder with the database as it was at one moment, and the files
    restore(source, folder)       the house is closed; what was there before is kept beside it

A restored database has another epoch, so that clients take nothing for known that it does not know, and other secrets.
Who was erased since the backup was made is erased again, before anybody can read it.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import time_ns
from typing import Final, NamedTuple

from portico.apps.chat.files import FOLDER
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change
from portico.apps.chat.retention import ERASED, erase, read_list
from portico.apps.chat.schema import prepare, renew_epoch
from portico.errors import ConfigError, excerpt

_BEFORE: Final = ".before-restore"


class Restored(NamedTuple):
    """What was done. erased: persons who were in the backup and had to go again. kept: where the old database is."""

    epoch: str
    erased: int
    kept: Path | None


def back_up(folder: Path, target: Path) -> int:
    """Copy a house, which may be running, into a folder that is not there yet or empty; return the bytes in it.

    May take as long as the disk needs; in a thread, as a rule. Raises ConfigError where one of them cannot be used.
    """
    database = folder / DATABASE
    if not database.is_file():
        raise ConfigError(f"{excerpt(str(folder))} has no {DATABASE}; name the folder that the chat was started with")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{excerpt(str(target))} is there already; name a new folder")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy_database(database, target / DATABASE)
        # After the database: what its rows name was there before it.
        _copy_files(folder / FOLDER, target / FOLDER)
    except (OSError, sqlite3.Error) as exc:
        raise ConfigError(f"the backup cannot be made: {exc}") from exc
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as db, closing(sqlite3.connect(target)) as copy:
        db.backup(copy)  # in one step: in several, each commit meanwhile would begin it anew
        copy.execute("PRAGMA journal_mode = DELETE")
    _settle(target)


def _copy_files(source: Path, target: Path, wanted: set[str] | None = None) -> None:
    """Copy files that are not there yet. wanted: their digests, None for all."""
    for place in sorted(source.glob("??/*")):
        copy = target / place.parent.name / place.name
        if copy.exists() or (wanted is not None and place.name not in wanted):
            continue
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = copy.with_suffix(".partial")
        try:
            shutil.copyfile(place, partial)
        except FileNotFoundError:  # swept meanwhile: no message names it
            continue
        partial.replace(copy)


def restore(source: Path, folder: Path, *, now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000) -> Restored:
    """Put a backup into the folder of a house that is closed.

    Raises ConfigError: for what is no backup of this version, for a house that is running, for a disk that is full. In
    each of these cases the house is as it was.
    """
    database = folder / DATABASE
    if not (source / DATABASE).is_file():
        raise ConfigError(f"{excerpt(str(source))} has no {DATABASE} in it; name the folder of a backup")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        erased = read_list(folder / ERASED)
        if database.is_file():
            erased |= _close_down(database)
        fresh = folder / f"{DATABASE}.restoring"
        fresh.unlink(missing_ok=True)
        shutil.copyfile(source / DATABASE, fresh)
        epoch, count = _renew(fresh, erased, now_ms())
        # What the erased had uploaded is in the backup, and stays there.
        _copy_files(source / FOLDER, folder / FOLDER, _digests(fresh))
        kept = _set_aside(database)
        fresh.replace(database)
    except (OSError, sqlite3.Error) as exc:
        raise ConfigError(f"the backup cannot be restored: {exc}") from exc
    return Restored(epoch, count, kept)


def _close_down(database: Path) -> set[tuple[int, int]]:
    """Return whom the present database has erased, and leave no journal beside it. Raises ConfigError if it is used."""
    try:
        with closing(sqlite3.connect(database, timeout=0.5, isolation_level=None)) as db:
            rows = db.execute(
                "SELECT person.id, made_ms FROM erased JOIN person ON person.id = erased.person"
            ).fetchall()
            db.execute("PRAGMA journal_mode = DELETE")  # which everybody else who has it open does not allow
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise ConfigError("the chat is running; stop it first, then restore") from exc
        return set()  # of another version, or damaged: what is restored takes its place
    except sqlite3.DatabaseError:
        return set()
    return {(person, made_ms) for person, made_ms in rows}


def _renew(fresh: Path, erased: set[tuple[int, int]], now_ms: int) -> tuple[str, int]:
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables == (0,) or db.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise ConfigError("the backup is damaged, or empty; take an older one")
        prepare(db)
        db.execute("BEGIN IMMEDIATE")
        epoch = renew_epoch(db)
        db.execute("UPDATE meta SET value = ? WHERE key = 'secret'", (secrets.token_hex(32),))
        present = set(db.execute("SELECT id, made_ms FROM person")) & erased
        for person, _ in sorted(present):
            erase(Change(db, now_ms, []), person, person)
        db.execute("COMMIT")
        db.execute("VACUUM")  # what was erased is not in free pages either
    _settle(fresh)
    return epoch, len(present)


def _digests(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as db:
        return {digest for (digest,) in db.execute("SELECT digest FROM file")}


def _set_aside(database: Path) -> Path | None:
    if not database.exists():
        return None
    kept = database.with_name(database.name + _BEFORE)
    database.replace(kept)
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    return kept


def _settle(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
