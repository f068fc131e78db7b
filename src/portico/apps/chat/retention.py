"""How long things are kept, and how a person is forgotten.

    tidy(store, files)            nightly: what is older than the settings say, and files that are in no message
      trim                        messages: bodies and search words go, places stay, `first` moves
    Eraser.erase(person, actor)   all that a person wrote and uploaded, name and login, at once
      erase                       the same as SQL, for a backup that is restored as well

The log stays dense: what goes is its content. Who was away longer than things are kept is told of the gap by `first`.
Whom to forget is noted in a file beside the database too, so that a backup brings nobody back even if the database that
knew it is lost.
"""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Final, NamedTuple

from portico.apps.chat import audit, note_log, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.files import Files, unused
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change
from portico.apps.chat.search import SEQ_BITS, row_of
from portico.apps.chat.store import Store

ERASED: Final = "erased.jsonl"
DAY_MS: Final = 24 * 3_600_000
_BUSY_S: Final = 2.0
MAX_TRIMMED: Final = 2_000  # events of one change, so that nobody's message waits long behind it
_SETTING_OF: Final = {
    "room": "keep_room_days",
    "direct": "keep_direct_days",
    "desk": "keep_desk_days",
    "staff": "keep_desk_days",
}


class Tidied(NamedTuple):
    """What went. events: bodies that were emptied. files: from the disk."""

    events: int
    files: int


def trim(change: Change, kind: str, before_ms: int) -> int:
    """Empty the oldest events of all conversations of a kind; return how many, 0 when nothing is left to do.

    before_ms: since 1970; what is as old as that, or younger, stays. At most about MAX_TRIMMED go at a time.
    """
    count = 0
    rows = change.db.execute(
        "SELECT conversation.id, first, head FROM conversation JOIN event "
        "ON event.conversation = conversation.id AND event.seq = first "
        "WHERE conversation.kind = ? AND at_ms < ? LIMIT 100",
        (kind, before_ms),
    )
    for conversation, first, head in rows.fetchall():
        count += _trim_one(change.db, conversation, (first, min(head, first + MAX_TRIMMED - 1)), before_ms)
        if count >= MAX_TRIMMED:
            break
    return count


def _trim_one(db: Connection, conversation: int, span: tuple[int, int], before_ms: int) -> int:
    first, last = span
    (kept,) = db.execute(
        "SELECT min(seq) FROM event WHERE conversation = ? AND seq BETWEEN ? AND ? AND at_ms >= ?",
        (conversation, first, last, before_ms),
    ).fetchone()
    end = kept if kept is not None else last + 1
    db.execute(
        "UPDATE event SET body = '{}' WHERE conversation = ? AND seq BETWEEN ? AND ?", (conversation, first, end - 1)
    )
    rows = (row_of(conversation, first), row_of(conversation, end - 1))
    db.execute("DELETE FROM found WHERE rowid BETWEEN ? AND ?", rows)
    db.execute("UPDATE conversation SET first = ? WHERE id = ?", (end, conversation))
    return int(end - first)


async def tidy(store: Store, files: Files) -> Tidied:
    """Let go of what is older than the settings say, of used links, ended blocks, and files in no message."""
    wanted = await store.read(audit.settings)
    now_ms, events = store.now_ms(), 0
    for kind, setting in _SETTING_OF.items():
        days = int(wanted[setting])
        while days and (count := await store.write_long(_trimming(kind, now_ms - days * DAY_MS))):
            events += count
        if days:
            await store.write_long(_forgetting_edits(kind, now_ms - days * DAY_MS))
    if events:
        await store.write_long(lambda change: forget_words(change.db))
    desk_days = int(wanted["keep_desk_days"])
    if desk_days:
        await store.write_long(lambda change: _trim_cases(change, now_ms - desk_days * DAY_MS))
    audit_days = int(wanted["keep_audit_days"])
    await store.write(lambda change: _tidy_rows(change, now_ms - audit_days * DAY_MS if audit_days else 0))
    return Tidied(events, await files.sweep())


def _trimming(kind: str, before_ms: int) -> Callable[[Change], int]:
    return lambda change: trim(change, kind, before_ms)


def _forgetting_edits(kind: str, before_ms: int) -> Callable[[Change], None]:
    return lambda change: note_log.forget_edits(change, kind, before_ms)


def _trim_cases(change: Change, before_ms: int) -> None:
    """Forget what visitors left with cases that were closed before; how they ended still counts in the figures."""
    change.db.execute(
        "UPDATE desk_case SET page = '', contact = '', comment = '' WHERE state = 'closed' AND closed_ms < ? "
        "AND (page != '' OR contact != '' OR comment != '')",
        (before_ms,),
    )


def _tidy_rows(change: Change, audit_before_ms: int) -> None:
    change.db.execute("DELETE FROM audit WHERE at_ms < ?", (audit_before_ms,))
    change.db.execute("DELETE FROM link WHERE ends_ms <= ? OR used_ms IS NOT NULL", (change.now_ms,))
    change.db.execute("DELETE FROM block WHERE until_ms <= ?", (change.now_ms,))


async def keep_tidy(
    store: Store, files: Files, *, pause: Callable[[float], Awaitable[object]] = asyncio.sleep, every_s: float = 86_400
) -> None:
    """Tidy at once and then daily, until cancelled; where the disk takes nothing, the next time will do."""
    while True:
        try:
            await tidy(store, files)
        except (Rejected, OSError):
            pass
        await pause(every_s)


# Forgetting a person


def erase(change: Change, person: int, actor: int) -> list[str]:
    """Empty all that a person wrote, and close the account; return the digests of files that nobody has any more.

    actor: who has it done. Raises Rejected "no_person". Who joined, and when, stays in the log without a name.
    """
    db = change.db
    people.person(db, person)
    db.execute("PRAGMA secure_delete = 1")  # with zeros over it, from now on
    db.execute(
        f"DELETE FROM found WHERE rowid IN (SELECT conversation << {SEQ_BITS} | seq FROM event WHERE sender = ?)",
        (person,),
    )
    db.execute("UPDATE event SET body = '{}' WHERE sender = ? AND kind IN ('msg', 'edit')", (person,))
    db.execute(
        "UPDATE event SET body = json_set(body, '$.on', json('false')) WHERE sender = ? AND kind = 'react'", (person,)
    )
    digests = {digest for (digest,) in db.execute("SELECT digest FROM file WHERE uploader = ?", (person,))}
    db.execute("DELETE FROM mention WHERE file IN (SELECT id FROM file WHERE uploader = ?)", (person,))
    for statement in _FORGOTTEN:
        db.execute(statement, (person,))
    note_log.forget_person(change, person)
    forget_words(db)
    db.execute("INSERT OR REPLACE INTO erased (person, at_ms) VALUES (?, ?)", (person, change.now_ms))
    audit.note(change, actor, "person.erase", person)
    return unused(db, digests)


def forget_words(db: Connection) -> None:
    """Take the words of deleted messages out of the search for good: FTS5 keeps them until it merges its segments."""
    db.execute("INSERT INTO found (found) VALUES ('optimize')")


_FORGOTTEN: Final = (
    "DELETE FROM file WHERE uploader = ?",
    "DELETE FROM contact WHERE owner = ?",
    "DELETE FROM contact WHERE person = ?",
    "DELETE FROM link WHERE person = ?",
    "UPDATE event SET body = json_set(body, '$.text', '') WHERE sender = ? AND kind = 'rating' AND body != '{}'",
    # The conversations of a visitor with the desk bear the visitor's name.
    "UPDATE conversation SET title = 'erased-' || visitor FROM desk_case "
    "WHERE conversation.id IN (desk_case.conversation, desk_case.staff) AND visitor = ?",
    "UPDATE desk_case SET page = '', contact = '', comment = '' WHERE visitor = ?",
    "UPDATE device SET is_revoked = 1, label = '' WHERE person = ?",
    "UPDATE person SET login = NULL, password = NULL, language = '', is_disabled = 1, name = 'erased-' || id "
    "WHERE id = ?",
)


class Eraser:
    """Forgets persons. folder: of the house, where the list of them is kept."""

    def __init__(self, store: Store, files: Files, folder: Path) -> None:
        self._store = store
        self._files = files
        self._database = folder / DATABASE
        self._list = folder / ERASED

    async def erase(self, person: int, actor: int) -> None:
        """Forget a person. Raises Rejected "no_person", "unavailable"."""

        def read(db: Connection) -> int:
            people.person(db, person)
            (made_ms,) = db.execute("SELECT made_ms FROM person WHERE id = ?", (person,)).fetchone()
            return int(made_ms)

        made_ms = await self._store.read(read)
        # Before the database, so that there is no moment at which a restored backup would not know.
        try:
            await asyncio.to_thread(_add_to_list, self._list, person, made_ms)
        except OSError as exc:
            raise Rejected("unavailable", f"the list of the erased cannot be written: {exc.strerror}") from exc
        digests = await self._store.write_long(lambda change: erase(change, person, actor))
        await self._files.remove(digests)
        await asyncio.to_thread(_empty_journal, self._database)


def _empty_journal(database: Path) -> None:
    """Take what was written before out of the journal, where it stands until something is written over it.

    Where somebody reads for so long that it cannot be done now, it is done at the latest when the chat stops.
    """
    with closing(sqlite3.connect(database, timeout=_BUSY_S)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _add_to_list(path: Path, person: int, made_ms: int) -> None:
    with path.open("a") as target:
        target.write(json.dumps({"person": person, "made_ms": made_ms}) + "\n")


def read_list(path: Path) -> set[tuple[int, int]]:
    """Return whom to forget: number and time of making of each. path: of ERASED; where it is not, nobody.

    A number alone does not do: after a restore the same number may be given to somebody else.
    """
    found = set()
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return set()
    for line in lines:
        try:
            row = json.loads(line)
            found.add((int(row["person"]), int(row["made_ms"])))
        except (ValueError, KeyError, TypeError):  # the last line of a machine that went off
            continue
    return found
