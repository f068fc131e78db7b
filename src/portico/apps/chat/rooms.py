"""Rooms, direct conversations, and who is in them, as SQL.

Joining and leaving are events of the conversation, so that everybody sees them in their place, and the hub, which hears
of every event, knows who may read what follows.

    make_room, direct          a conversation
    join, invite, leave        members; who left still reads what was said until then
    conversations_of           what a person is in, with the heads and what was read
    members_of                 who is in it
"""

from sqlite3 import Connection
from typing import Final, NamedTuple

from portico.apps.chat.events import Entry, Rejected, dump
from portico.apps.chat.log import Change, membership, put

MAX_TITLE: Final = 60
MAX_MEMBERS: Final = 5_000


class Summary(NamedTuple):
    """A conversation in somebody's list. others: the persons of a direct one; empty for others."""

    id: int
    kind: str
    title: str
    is_public: bool
    head: int
    read: int
    is_muted: bool
    has_left: bool
    others: tuple[int, ...]


def check_title(title: str) -> str:
    """Return a title as it may be shown. Raises Rejected for what is none."""
    cleaned = " ".join(title.split())
    if not 0 < len(cleaned) <= MAX_TITLE or not cleaned.isprintable():
        raise Rejected("bad_title", f"a title has 1 to {MAX_TITLE} printable characters")
    return cleaned


def make_room(change: Change, owner: int, title: str, *, is_public: bool) -> int:
    """Make a room with one owner in it; return its id."""
    number = make_conversation(change, "room", title=check_title(title), is_public=is_public)
    add_member(change, number, owner, role="owner", by=owner)
    return number


def make_conversation(
    change: Change, kind: str, *, title: str = "", is_public: bool = False, parent: int | None = None
) -> int:
    """Make a conversation with nobody in it; return its id."""
    row = change.db.execute(
        "INSERT INTO conversation (kind, title, is_public, parent, made_ms) VALUES (?, ?, ?, ?, ?) RETURNING id",
        (kind, title, is_public, parent, change.now_ms),
    ).fetchone()
    return int(row[0])


def direct(change: Change, one: int, other: int) -> int:
    """Return the conversation of two persons, which is made where there is none yet."""
    if one == other:
        raise Rejected("bad_person", "a conversation with oneself is a private room; make one")
    pair = f"{min(one, other)}:{max(one, other)}"
    row = change.db.execute("SELECT id FROM conversation WHERE pair = ?", (pair,)).fetchone()
    if row is not None:
        return int(row[0])
    number = make_conversation(change, "direct")
    change.db.execute("UPDATE conversation SET pair = ? WHERE id = ?", (pair, number))
    for person in (one, other):
        add_member(change, number, person, by=one)
    return number


def add_member(change: Change, number: int, person: int, *, by: int, role: str = "member") -> None:
    """Put a person into a conversation, and say so in it. by: who did that. All of it may be read from now on."""
    change.db.execute(
        "INSERT INTO member (conversation, person, role) VALUES (?, ?, ?) "
        "ON CONFLICT (conversation, person) DO UPDATE SET until = NULL, role = excluded.role",
        (number, person, role),
    )
    put(change, Entry(number, by, "join", dump({"person": person}), via="server"))


def remove_member(change: Change, number: int, person: int, *, by: int) -> None:
    """Take a person out of a conversation, and say so; the person reads that, and nothing behind it."""
    event = put(change, Entry(number, by, "leave", dump({"person": person}), via="server"))
    change.db.execute("UPDATE member SET until = ? WHERE conversation = ? AND person = ?", (event.seq, number, person))


def join(change: Change, person: int, number: int) -> None:
    """Enter a public room, or one that one was in before. Raises Rejected "forbidden", "no_conversation"."""
    row = change.db.execute("SELECT kind, is_public FROM conversation WHERE id = ?", (number,)).fetchone()
    if row is None or row[0] != "room" or not row[1]:
        raise Rejected("no_conversation", "there is no public room of this number")
    member = membership(change.db, number, person)
    if member is not None and member.until is None:
        return
    add_member(change, number, person, by=person)


def invite(change: Change, by: int, number: int, person: int) -> None:
    """Bring somebody into a room that one is in. Raises Rejected."""
    _check_room(change.db, by, number)
    member = membership(change.db, number, person)
    if member is not None and member.until is None:
        return
    (count,) = change.db.execute(
        "SELECT count(*) FROM member WHERE conversation = ? AND until IS NULL", (number,)
    ).fetchone()
    if count >= MAX_MEMBERS:
        raise Rejected("full", f"{MAX_MEMBERS} are in this room already")
    add_member(change, number, person, by=by)


def leave(change: Change, person: int, number: int) -> None:
    """Leave a room. Raises Rejected."""
    _check_room(change.db, person, number)
    remove_member(change, number, person, by=person)
    _see_to_an_owner(change.db, number)


def _see_to_an_owner(db: Connection, number: int) -> None:
    """Where the last owner has left, make one of whoever is in the room: the person known here for the longest."""
    db.execute(
        "UPDATE member SET role = 'owner' WHERE conversation = :room AND person = "
        "(SELECT min(person) FROM member WHERE conversation = :room AND until IS NULL) AND NOT EXISTS "
        "(SELECT 1 FROM member WHERE conversation = :room AND until IS NULL AND role = 'owner')",
        {"room": number},
    )


def retitle(change: Change, person: int, number: int, title: str) -> None:
    """Give a room another title, and say so in it. Raises Rejected."""
    _check_room(change.db, person, number)
    cleaned = check_title(title)
    change.db.execute("UPDATE conversation SET title = ? WHERE id = ?", (cleaned, number))
    put(change, Entry(number, person, "title", dump({"title": cleaned}), via="server"))


def conversations_of(db: Connection, person: int) -> list[Summary]:
    """Return what a person is in, or was in, the most recently made last."""
    rows = db.execute(
        "SELECT id, kind, title, is_public, head, read, is_muted, until IS NOT NULL FROM member "
        "JOIN conversation ON conversation.id = member.conversation WHERE person = ? ORDER BY id",
        (person,),
    ).fetchall()
    return [_summary(db, person, row) for row in rows]


def _summary(db: Connection, person: int, row: tuple[int, str, str, int, int, int, int, int]) -> Summary:
    number, kind, title, is_public, head, read, is_muted, has_left = row
    others = _others(db, number, kind, person)
    return Summary(number, kind, title, bool(is_public), head, read, bool(is_muted), bool(has_left), others)


def members_of(db: Connection, number: int, limit: int) -> tuple[int, list[tuple[int, str, str, str, int, int]]]:
    """Return how many are in a conversation; and of the first by name: id, name, role, kind, what was read, and got."""
    (count,) = db.execute("SELECT count(*) FROM member WHERE conversation = ? AND until IS NULL", (number,)).fetchone()
    rows = db.execute(
        "SELECT person.id, name, role, kind, read, got FROM member JOIN person ON person.id = member.person "
        "WHERE conversation = ? AND until IS NULL ORDER BY name, person.id LIMIT ?",
        (number, limit),
    ).fetchall()
    return count, rows


def public_rooms(db: Connection, limit: int = 200) -> list[tuple[int, str, int]]:
    """Return id, title and number of members of the public rooms."""
    return db.execute(
        "SELECT id, title, (SELECT count(*) FROM member WHERE conversation = id AND until IS NULL) FROM conversation "
        "WHERE kind = 'room' AND is_public ORDER BY title LIMIT ?",
        (limit,),
    ).fetchall()


def _others(db: Connection, number: int, kind: str, person: int) -> tuple[int, ...]:
    if kind != "direct":
        return ()
    rows = db.execute("SELECT person FROM member WHERE conversation = ? AND person != ?", (number, person))
    return tuple(other for (other,) in rows)


def _check_room(db: Connection, person: int, number: int) -> None:
    member = membership(db, number, person)
    row = db.execute("SELECT kind FROM conversation WHERE id = ?", (number,)).fetchone()
    if member is None or member.until is not None or row is None or row[0] != "room":
        raise Rejected("forbidden", "you are not in a room of this number")
