"""The shared notes as SQL: one dense order of edits for each, a text, and the one rule of who may see it.

    edit(change, person, wanted)      put an edit behind the last one -> Outcome
    look(db, conversation, have)      what somebody lacks -> Missing: edits, or the whole text
    forget_person(change, person)     what a person wrote goes out of every note

Invariants
- The version of a note is the number of its edits; there is no hole in them.
- (person, cid) names one edit for ever: sending it again changes nothing.
- Only who is a member now sees a note; who has left sees nothing of it, not even what was there before.
- The edits from `first` on are kept as they were; `text` is the note at the version `kept`, and first <= kept + 1.
"""

import json
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Final, NamedTuple

from portico.apps.chat.events import Entry, Rejected
from portico.apps.chat.log import Change, membership, put
from portico.apps.chat.notes import MAX_NOTE, Edit, Run, apply, credit, growth, reach, transform, without

KEPT_EDITS: Final = 5_000
TEXT_EVERY: Final = 50  # edits between two texts that are stored whole
MAX_SENT: Final = 100_000  # characters of edits; where more are missing, the text itself is shorter
TOLD_EVERY_MS: Final = 3_600_000
_KINDS: Final = frozenset({"room", "direct"})


class Wanted(NamedTuple):
    """An edit that a member wants. version: of the text that it was made on."""

    conversation: int
    version: int
    edit: Edit
    cid: str | None = None


class Made(NamedTuple):
    """An edit in its place."""

    version: int
    at_ms: int
    person: int
    cid: str | None
    edit: Edit


class Missing(NamedTuple):
    """What somebody lacks of a note. version: the last. text: the whole of it, None where the edits do.

    person, at_ms: who made the last edit, and when; 0 for nobody.
    """

    version: int
    edits: Sequence[Made]
    text: str | None
    person: int = 0
    at_ms: int = 0


class Outcome(NamedTuple):
    """What became of a wanted edit. made: where it is now, None for one that is too old to be transformed.

    is_repeat: it was there already, and `made` has no parts any more if it was long ago.
    """

    made: Made | None
    is_repeat: bool = False


class _Row(NamedTuple):
    version: int
    length: int
    first: int
    kept: int
    text: str
    runs: str
    told_ms: int


_NO_ROW: Final = _Row(0, 0, 1, 0, "", "[]", 0)


# Reading


def check_member(db: Connection, person: int, conversation: int) -> None:
    """Raise Rejected "forbidden" for who may not see the note of a conversation, or where there is none."""
    member = membership(db, conversation, person)
    row = db.execute("SELECT kind FROM conversation WHERE id = ?", (conversation,)).fetchone()
    if member is None or member.until is not None or row[0] not in _KINDS:
        raise Rejected("forbidden", "you are not in a room or a conversation of this number")


def look(db: Connection, conversation: int, have: int | None = None) -> Missing:
    """Return what is missing behind the version `have`, None for one who has nothing."""
    row = _row(db, conversation)
    last = _edits(db, conversation, row.version - 1)
    who = (last[0].person, last[0].at_ms) if last else (0, 0)
    if have is not None and row.first - 1 <= have <= row.version:
        edits = _edits(db, conversation, have)
        if sum(len(part) for one in edits for part in one.edit if isinstance(part, str)) <= MAX_SENT:
            return Missing(row.version, edits, None, *who)
    return Missing(row.version, (), _whole(db, conversation, row)[0], *who)


def _row(db: Connection, conversation: int) -> _Row:
    row = db.execute(
        "SELECT version, length, first, kept, text, runs, told_ms FROM note WHERE conversation = ?", (conversation,)
    ).fetchone()
    return _NO_ROW if row is None else _Row(*row)


def _edits(db: Connection, conversation: int, after: int) -> list[Made]:
    rows = db.execute(
        "SELECT version, at_ms, person, cid, edit FROM note_edit WHERE conversation = ? AND version > ? "
        "ORDER BY version",
        (conversation, after),
    )
    return [_made(row) for row in rows]


def _made(row: tuple[int, int, int, str | None, str]) -> Made:
    return Made(*row[:4], tuple(json.loads(row[4] or "[]")))


def _whole(db: Connection, conversation: int, row: _Row) -> tuple[str, list[Run]]:
    """Return the text, and who wrote what of it."""
    text, runs = row.text, [(person, length) for person, length in json.loads(row.runs)]
    for made in _edits(db, conversation, row.kept):
        text, runs = apply(text, made.edit), credit(runs, made.edit, made.person)
    return text, runs


# Writing


def edit(change: Change, person: int, wanted: Wanted) -> Outcome:
    """Put an edit behind the last one, transformed over what came since it was made.

    Raises Rejected: "forbidden", "bad_ref" for one that reaches behind the text, "too_big" for a text that would be too
    long, "cid_reuse".
    """
    db = change.db
    check_member(db, person, wanted.conversation)
    known = _repeated(db, person, wanted)
    if known is not None:
        return Outcome(known, True)
    row = _row(db, wanted.conversation)
    if not row.first - 1 <= wanted.version <= row.version:
        return Outcome(None)
    since = _edits(db, wanted.conversation, wanted.version)
    if reach(wanted.edit) > row.length - sum(growth(one.edit) for one in since):
        raise Rejected("bad_ref", "the edit reaches behind the end of the text")
    moved = wanted.edit
    for one in since:
        moved = transform(moved, one.edit, is_first=person < one.person)
    return Outcome(_put(change, person, wanted._replace(version=row.version, edit=moved), row))


def append(change: Change, person: int, conversation: int, line: str, *, cid: str | None = None) -> Outcome:
    """Put a line under the text. Raises Rejected, as `edit` does."""
    check_member(change.db, person, conversation)
    row = _row(change.db, conversation)
    text, _ = _whole(change.db, conversation, row)
    begin = "\n" if text and not text.endswith("\n") else ""
    parts = (row.length, begin + line) if row.length else (line,)
    return edit(change, person, Wanted(conversation, row.version, parts, cid))


def _repeated(db: Connection, person: int, wanted: Wanted) -> Made | None:
    if wanted.cid is None:
        return None
    row = db.execute(
        "SELECT version, at_ms, person, cid, edit, conversation FROM note_edit WHERE person = ? AND cid = ?",
        (person, wanted.cid),
    ).fetchone()
    if row is None:
        return None
    if row[5] != wanted.conversation:
        raise Rejected("cid_reuse", "this id names another edit already; choose a new one")
    return _made(row[:5])


def _put(change: Change, person: int, wanted: Wanted, row: _Row) -> Made:
    db, conversation = change.db, wanted.conversation
    length = row.length + growth(wanted.edit)
    if length > max(MAX_NOTE, row.length):
        raise Rejected("too_big", f"the note would have {length} characters; {MAX_NOTE} are allowed")
    made = Made(row.version + 1, change.now_ms, person, wanted.cid, wanted.edit)
    db.execute("INSERT OR IGNORE INTO note (conversation) VALUES (?)", (conversation,))
    db.execute("UPDATE note SET version = ?, length = ? WHERE conversation = ?", (made.version, length, conversation))
    written = json.dumps(made.edit, ensure_ascii=False, separators=(",", ":"))
    db.execute(
        "INSERT INTO note_edit (conversation, version, at_ms, person, cid, edit) VALUES (?, ?, ?, ?, ?, ?)",
        (conversation, made.version, made.at_ms, person, made.cid, written),
    )
    if made.version - row.kept >= TEXT_EVERY:
        _keep(db, conversation, first=max(row.first, made.version - KEPT_EDITS + 1))
    if change.now_ms - row.told_ms >= TOLD_EVERY_MS:
        db.execute("UPDATE note SET told_ms = ? WHERE conversation = ?", (change.now_ms, conversation))
        put(change, Entry(conversation, person, "note", "{}", via="server"))
    return made


def _keep(db: Connection, conversation: int, *, first: int) -> None:
    """Store the text whole, and empty the edits in front of `first`."""
    row = _row(db, conversation)
    text, runs = _whole(db, conversation, row)
    db.execute(
        "UPDATE note SET first = ?, kept = version, text = ?, runs = ? WHERE conversation = ?",
        (first, text, json.dumps(runs), conversation),
    )
    db.execute(
        "UPDATE note_edit SET edit = '' WHERE conversation = ? AND version BETWEEN ? AND ?",
        (conversation, row.first, first - 1),
    )


# Forgetting


def forget_edits(change: Change, kind: str, before_ms: int) -> None:
    """Empty the edits of a kind of conversations that are older; the texts stay as they are now."""
    rows = change.db.execute(
        "SELECT note.conversation, max(note_edit.version) FROM note JOIN conversation ON id = note.conversation "
        "JOIN note_edit ON note_edit.conversation = note.conversation AND note_edit.version >= note.first "
        "WHERE kind = ? AND at_ms < ? GROUP BY note.conversation",
        (kind, before_ms),
    )
    for conversation, last in rows.fetchall():
        _keep(change.db, conversation, first=last + 1)


def forget_person(change: Change, person: int) -> None:
    """Take what a person wrote out of every note, and out of what is kept of its edits."""
    db = change.db
    rows = db.execute("SELECT DISTINCT conversation FROM note_edit WHERE person = ?", (person,))
    for (conversation,) in rows.fetchall():
        row = _row(db, conversation)
        gone = without(_whole(db, conversation, row)[1], person)
        if gone:
            made = _put(change, person, Wanted(conversation, row.version, gone), row._replace(told_ms=change.now_ms))
            row = row._replace(version=made.version)
        _keep(db, conversation, first=row.version + 1)
