"""The store: one SQLite file, one thread that writes it in groups, one that reads.

    write(work) -> queue -> writer: BEGIN, each work in a savepoint, COMMIT -> loop: events to `on_commit`, then answers
    read(work)  -> queue -> reader: what was committed before

Whatever is queued while a commit is under way makes the next group, so that a slow disk makes larger groups and not
longer waits. An answer comes after its commit and never before: what was acknowledged is on the disk.

Invariant: `on_commit` sees every event of every conversation once, in the order of `seq`.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from portico.apps.chat.events import Event, Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare
from portico.errors import ConfigError, excerpt

MAX_GROUP: Final = 256
_BUSY_S: Final = 5.0

Answer = TypeVar("Answer")
Write = Callable[[Change], Answer]
Read = Callable[[sqlite3.Connection], Answer]


class _Job(Generic[Answer]):
    """Something to be done in a thread, and who waits for it."""

    __slots__ = ("answer", "events", "failure", "waiter", "work")

    def __init__(self, work: Callable[[Any], Answer], waiter: "asyncio.Future[Answer]") -> None:
        self.work = work
        self.waiter = waiter
        self.answer: Answer | None = None
        self.events: Sequence[Event] = ()
        self.failure: Exception | None = None


class Store:
    """One database. Made and closed with no loop; `write` and `read` belong to one loop.

    path: of the file, which is made where there is none; its folder exists. is_fast: a commit does not wait for the
    disk, so that a power failure (not a crash) may cost the last ones.
    on_commit: called in the loop with the events of each commit. now_ms: milliseconds since 1970, replaced by tests.
    epoch: of the database. Raises ConfigError for a file that is no database of ours.
    """

    def __init__(self, path: Path, *, is_fast: bool = False) -> None:
        self.on_commit: Callable[[Sequence[Event]], None] = lambda events: None
        self.now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self._writes: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._reads: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        try:
            writer = _connect(path, "NORMAL" if is_fast else "FULL")
            self.epoch = prepare(writer)
            reader = _connect(path, "NORMAL")
            reader.execute("PRAGMA query_only = 1")
        except sqlite3.Error as exc:
            raise ConfigError(f"{excerpt(str(path))} cannot be used as a database: {exc}") from exc
        self._threads = [
            threading.Thread(target=self._write_all, args=(writer,), name="chat-writer"),
            threading.Thread(target=self._read_all, args=(reader,), name="chat-reader"),
        ]
        for thread in self._threads:
            thread.start()

    async def write(self, work: Write[Answer]) -> Answer:
        """Do something that changes the database; return what it returned, once that is on the disk.

        Raises what it raised, which has undone its changes and nobody else's; Rejected "unavailable" where the disk
        does not take them.
        """
        return await self._ask(self._writes, work)

    async def read(self, work: Read[Answer]) -> Answer:
        """Look something up; what was committed before is seen."""
        return await self._ask(self._reads, work)

    def close(self) -> None:
        """Do what is queued, then close the file. Nothing may be asked any more."""
        self._writes.put(None)
        self._reads.put(None)
        for thread in self._threads:
            thread.join()

    async def _ask(self, queue: "SimpleQueue[_Job[Any] | None]", work: Callable[[Any], Answer]) -> Answer:
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue.put(_Job(work, waiter))
        return await waiter

    # the writer's thread

    def _write_all(self, db: sqlite3.Connection) -> None:
        is_last = False
        while not is_last:
            group, is_last = _take_group(self._writes)
            if group:
                self._commit(db, group)
        db.close()

    def _commit(self, db: sqlite3.Connection, group: list[_Job[Any]]) -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
            for job in group:
                _attempt(db, job, self.now_ms())
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            if db.in_transaction:
                db.execute("ROLLBACK")
            for job in group:
                job.events = ()
                job.failure = Rejected("unavailable", f"nothing can be stored now: {exc}", retry_s=5.0)
        _post(group, self._land)

    def _land(self, group: list[_Job[Any]]) -> None:
        """Tell of a commit, in the loop."""
        events = [event for job in group for event in job.events]
        if events:
            self.on_commit(events)
        _answer(group)

    # the reader's thread

    def _read_all(self, db: sqlite3.Connection) -> None:
        is_last = False
        while not is_last:
            group, is_last = _take_group(self._reads)
            for job in group:
                try:
                    job.answer = job.work(db)
                except Exception as exc:  # the root of what somebody asked for
                    job.failure = exc
            if group:
                _post(group, _answer)
        db.close()


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA foreign_keys = 1")
    return db


def _take_group(queue: "SimpleQueue[_Job[Any] | None]") -> tuple[list[_Job[Any]], bool]:
    """Wait for a job; return it with those behind it, and whether it was the end."""
    group: list[_Job[Any]] = []
    while len(group) < MAX_GROUP and (not group or not queue.empty()):
        job = queue.get()
        if job is None:
            return group, True
        group.append(job)
    return group, False


def _attempt(db: sqlite3.Connection, job: _Job[Any], now_ms: int) -> None:
    change = Change(db, now_ms, [])
    db.execute("SAVEPOINT job")
    try:
        job.answer = job.work(change)
    except sqlite3.OperationalError:  # the disk, or the file: this is everybody's trouble
        raise
    except Exception as exc:  # the root of what somebody asked for
        db.execute("ROLLBACK TO job")
        job.failure = exc
    else:
        job.events = change.events
    db.execute("RELEASE job")


def _post(group: list[_Job[Any]], land: Callable[[list[_Job[Any]]], None]) -> None:
    try:
        group[0].waiter.get_loop().call_soon_threadsafe(land, group)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _answer(group: list[_Job[Any]]) -> None:
    for job in group:
        if job.waiter.done():  # cancelled meanwhile
            continue
        if job.failure is not None:
            job.waiter.set_exception(job.failure)
        else:
            job.waiter.set_result(job.answer)
