"""The store: one SQLite file, written in groups.

    write(work)   -> next group: BEGIN, each work in a savepoint -> a thread: COMMIT -> events to `on_commit`, answers
    read(work)    -> at once, of what was committed before
    write_long, read_long: the same, all of it in a thread

Whatever is asked for while a commit is under way makes the next group, so that a slow disk makes larger groups and not
longer waits. An answer comes after its commit and never before: what was acknowledged is on the disk.

What is done in a moment is done in the loop, which waits for the disk in a thread only. Had a thread to do all of it,
it would let go of Python's lock, and wait to have it again, at each statement: with a busy loop beside it those are
milliseconds a message.

Invariants: `on_commit` sees every event of every conversation once, in the order of `seq`. The connection that writes
belongs to the loop, or from a COMMIT's beginning to its end to the thread.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Generic, NamedTuple, TypeVar

from portico.apps.chat import search
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
    """Something to be done, and who waits for it. is_long: a thread does it. trouble: why nothing could be stored."""

    __slots__ = ("answer", "events", "failure", "is_long", "trouble", "waiter", "work")

    def __init__(self, work: Callable[[Any], Answer], is_long: bool) -> None:
        self.work = work
        self.is_long = is_long
        self.waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.answer: Answer | None = None
        self.events: Sequence[Event] = ()
        self.failure: Exception | None = None
        self.trouble = ""


class _Group(NamedTuple):
    """Jobs of one transaction. is_begun: all is done but for the COMMIT."""

    jobs: list[_Job[Any]]
    is_begun: bool


class Store:
    """One database. Made and closed with no loop; `write` and `read` belong to one loop.

    path: of the file, which is made where there is none; its folder exists. is_fast: a commit does not wait for the
    disk, so that a power failure (not a crash) may cost the last ones.
    on_commit: called in the loop with the events of each commit. now_ms: milliseconds since 1970, replaced by tests.
    epoch: of the database. trouble: why nothing could be stored at the last attempt, "" where it could. Raises
    ConfigError for a file that is no database of ours.
    """

    def __init__(self, path: Path, *, is_fast: bool = False) -> None:
        self.on_commit: Callable[[Sequence[Event]], None] = lambda events: None
        self.now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self.trouble = ""
        self._path = path
        self._waiting: deque[_Job[Any]] = deque()
        self._is_writing = False
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._long_reads: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        try:
            self._writer = _connect(path, "NORMAL" if is_fast else "FULL")
            self.epoch = prepare(self._writer)
            self._reader, long_reader = _connect(path, "NORMAL"), _connect(path, "NORMAL")
        except sqlite3.Error as exc:
            raise ConfigError(f"{excerpt(str(path))} cannot be used as a database: {exc}") from exc
        for db in (self._reader, long_reader):
            db.execute("PRAGMA query_only = 1")
        self._threads = [
            threading.Thread(target=self._write_all, name="chat-writer"),
            threading.Thread(target=self._read_all, args=(long_reader,), name="chat-reader"),
        ]
        for thread in self._threads:
            thread.start()

    async def write(self, work: Write[Answer]) -> Answer:
        """Do something small that changes the database; return what it returned, once that is on the disk.

        Raises what it raised, which has undone its changes and nobody else's; Rejected "unavailable" where the disk
        does not take them.
        """
        return await self._queued(_Job(work, is_long=False))

    async def write_long(self, work: Write[Answer]) -> Answer:
        """Do something that changes the database and takes a while: as `write`, beside the loop."""
        return await self._queued(_Job(work, is_long=True))

    async def read(self, work: Read[Answer]) -> Answer:
        """Look up something that is soon found, after letting others have a turn; what was committed before is seen."""
        await asyncio.sleep(0)
        return work(self._reader)

    async def read_long(self, work: Read[Answer]) -> Answer:
        """Look up something that takes a while: as `read`, beside the loop."""
        job = _Job(work, is_long=True)
        self._long_reads.put(job)
        return await job.waiter

    def close(self) -> None:
        """End what is under way, then close the file. What has not begun is not done; nothing may be asked any more."""
        self._groups.put(None)
        self._long_reads.put(None)
        for thread in self._threads:
            thread.join()
        self._reader.close()

    # in the loop

    async def _queued(self, job: _Job[Answer]) -> Answer:
        self._waiting.append(job)
        if not self._is_writing:
            self._is_writing = True
            asyncio.get_running_loop().call_soon(self._go_on)
        return await job.waiter

    def _go_on(self) -> None:
        """Take the next group as far as its COMMIT, which the thread does; the thread does all where that may take."""
        self._is_writing = bool(self._waiting)
        if not self._waiting:
            return
        group = _take_group(self._waiting)
        is_begun = not group[0].is_long and _has_begun(self._writer)
        if is_begun and not self._attempt(group):
            self._land(group)
        else:
            self._groups.put(_Group(group, is_begun))

    def _attempt(self, group: list[_Job[Any]]) -> bool:
        """Do the work of a group, within a transaction; tell whether that can be committed."""
        try:
            for job in group:
                _attempt_one(self._writer, job, self.now_ms())
            for job in group:
                for event in job.events:
                    search.index(self._writer, event)
        except sqlite3.Error as exc:
            _give_up(self._writer, group, exc)
            return False
        return True

    def _land(self, group: list[_Job[Any]]) -> None:
        """Tell of a commit, and begin what has gathered meanwhile."""
        asyncio.get_running_loop().call_soon(self._go_on)
        self._note(group[0].trouble)
        events = [event for job in group for event in job.events]
        if events:
            self.on_commit(events)
        _answer(group)

    def _note(self, trouble: str) -> None:
        """Tell the operator when nothing can be stored any more, and when that is over."""
        log = logging.getLogger("portico")
        if trouble and not self.trouble:
            log.error("nothing can be stored in %s: %s; what people send is refused until it can", self._path, trouble)
        elif self.trouble and not trouble:
            log.warning("what people send is stored in %s again", self._path)
        self.trouble = trouble

    # in the threads

    def _write_all(self) -> None:
        db = self._writer
        while (found := self._groups.get()) is not None:
            group = found.jobs
            try:
                if not found.is_begun:
                    db.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")
                    db.execute("BEGIN IMMEDIATE")
                if found.is_begun or self._attempt(group):
                    db.execute("COMMIT")
            except sqlite3.Error as exc:
                _give_up(db, group, exc)
            _post(group, self._land)
        db.close()

    def _read_all(self, db: sqlite3.Connection) -> None:
        while (job := self._long_reads.get()) is not None:
            try:
                job.answer = job.work(db)
            except Exception as exc:  # the root of what somebody asked for
                job.failure = exc
            _post([job], _answer)
        db.close()


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, cached_statements=512, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA foreign_keys = 1")
    return db


def _take_group(waiting: deque[_Job[Any]]) -> list[_Job[Any]]:
    """Take what can be done together: one long job, or the small ones in front of the next long one."""
    group = [waiting.popleft()]
    while waiting and len(group) < MAX_GROUP and not group[0].is_long and not waiting[0].is_long:
        group.append(waiting.popleft())
    return group


def _has_begun(db: sqlite3.Connection) -> bool:
    """Begin a transaction if nobody else is in one, such as a command beside the server; do not wait for them."""
    try:
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.Error:  # the thread tries again, and finds out what is wrong
        return False
    return True


def _attempt_one(db: sqlite3.Connection, job: _Job[Any], now_ms: int) -> None:
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


def _give_up(db: sqlite3.Connection, group: list[_Job[Any]], exc: sqlite3.Error) -> None:
    """Undo a whole group."""
    if db.in_transaction:
        db.execute("ROLLBACK")
    for job in group:
        job.events = ()
        job.trouble = str(exc)
        job.failure = Rejected("unavailable", f"nothing can be stored now: {exc}", retry_s=5.0)


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
