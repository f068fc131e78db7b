"""The log of all conversations, as SQL: append, read, and the one rule of who may read what.

Every function does one thing within the transaction it is in; `store` gives it a `Change` to write with, or a
connection to read from. Nothing here waits for anybody, knows a socket, or reads a clock.

Invariants
- In a conversation `seq` runs from 1 without holes, in the order of commits; `head` is the last one.
- (sender, cid) names one event for ever: appending it again changes nothing and returns the first one.
- Nobody reads an event for which `can_read` says no; every way to read ends in `read_for` or `can_read`.
"""

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Final, NamedTuple

from portico.apps.chat.events import Entry, Event, Rejected

MAX_READ: Final = 200
_COLUMNS: Final = "conversation, seq, at_ms, sender, kind, body, ref, cid, via"
_ABOUT_A_MESSAGE: Final = frozenset({"edit", "del", "react"})
_MAY_MODERATE: Final = "owner"


class Change(NamedTuple):
    """One transaction, or a part of it that succeeds or fails by itself.

    now_ms: when it happens, since 1970. events: what it has appended, in order; they are made findable (`search.index`)
    before the commit, and whoever listens hears of them after it.
    """

    db: Connection
    now_ms: int
    events: list[Event]


class Appended(NamedTuple):
    """An event in its place. is_repeat: it was there already, from another time that it was sent."""

    event: Event
    is_repeat: bool


class Span(NamedTuple):
    """A part of a conversation. first, head: of the whole, as far as it is kept and may be read."""

    events: list[Event]
    first: int
    head: int


class Membership(NamedTuple):
    """What one person has to do with one conversation. until: None for a member now."""

    conversation: int
    person: int
    role: str
    since: int
    until: int | None
    read: int


# Appending


def append(change: Change, entry: Entry) -> Appended:
    """Append what a member sends.

    Raises Rejected: "forbidden" for somebody who is no member, "cid_reuse" for an id that named something else,
    "bad_ref" for what is not there or is no message, "not_yours" for somebody else's message.
    """
    db = change.db
    known = _repeated(db, entry)
    if known is not None:
        return Appended(known, True)
    member = membership(db, entry.conversation, entry.sender)
    if member is None or member.until is not None:
        raise Rejected("forbidden", "you are not in this conversation")
    if entry.kind in _ABOUT_A_MESSAGE:
        _check_target(db, entry, member)
    elif entry.ref is not None and not _is_readable(db, entry.sender, _event(db, entry.conversation, entry.ref)):
        raise Rejected("bad_ref", "the message that it replies to is not there")
    return Appended(put(change, entry), False)


def put(change: Change, entry: Entry) -> Event:
    """Append an event, whoever sends it: for the server's own, and for what has been checked."""
    db = change.db
    row = db.execute(
        "UPDATE conversation SET head = head + 1 WHERE id = ? RETURNING head", (entry.conversation,)
    ).fetchone()
    if row is None:
        raise Rejected("no_conversation", "there is no such conversation")
    event = Event(entry.conversation, row[0], change.now_ms, *entry[1:])
    db.execute(f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", event)
    if event.kind == "del" and event.ref is not None:
        _empty(db, event.conversation, event.ref)
    change.events.append(event)
    return event


def _repeated(db: Connection, entry: Entry) -> Event | None:
    if entry.cid is None:
        return None
    row = db.execute(f"SELECT {_COLUMNS} FROM event WHERE sender = ? AND cid = ?", (entry.sender, entry.cid)).fetchone()
    if row is None:
        return None
    event = Event(*row)
    is_same = (event.conversation, event.kind, event.ref) == (entry.conversation, entry.kind, entry.ref)
    # A message may have been emptied since by a deletion; its id still names it.
    if not is_same or event.body not in (entry.body, "{}"):
        raise Rejected("cid_reuse", "this id names another message already; choose a new one")
    return event


def _check_target(db: Connection, entry: Entry, member: Membership) -> None:
    target = _event(db, entry.conversation, entry.ref or 0)
    if target is None or not _is_readable(db, entry.sender, target) or target.kind != "msg" or target.body == "{}":
        raise Rejected("bad_ref", "the message is not there, or has been deleted")
    is_own = target.sender == entry.sender
    if entry.kind == "edit" and not is_own:
        raise Rejected("not_yours", "only who wrote a message can change it")
    if entry.kind == "del" and not is_own and member.role != _MAY_MODERATE:
        raise Rejected("not_yours", "only who wrote a message, or an owner of the room, can delete it")


def _is_readable(db: Connection, person: int, event: Event | None) -> bool:
    return event is not None and can_read(db, person, event.conversation, event.seq)


def _empty(db: Connection, conversation: int, seq: int) -> None:
    """Take the body of a message, and of every change to it, out of the log; their places stay."""
    db.execute("UPDATE event SET body = '{}' WHERE conversation = ? AND seq = ?", (conversation, seq))
    db.execute("UPDATE event SET body = '{}' WHERE conversation = ? AND ref = ? AND kind = 'edit'", (conversation, seq))


# Reading


def membership(db: Connection, conversation: int, person: int) -> Membership | None:
    """Return what a person has to do with a conversation, None for nothing."""
    row = db.execute(
        "SELECT conversation, person, role, since, until, read FROM member WHERE conversation = ? AND person = ?",
        (conversation, person),
    ).fetchone()
    return None if row is None else Membership(*row)


def can_read(db: Connection, person: int, conversation: int, seq: int) -> bool:
    """Tell whether a person may read an event: the one rule of access."""
    member = membership(db, conversation, person)
    return member is not None and member.since <= seq and (member.until is None or seq <= member.until)


def read_for(db: Connection, person: int, conversation: int, after: int, limit: int = MAX_READ) -> Span:
    """Return what a person may read of a conversation behind `after`, at most `limit` events, oldest first.

    Raises Rejected "forbidden" for somebody who never was a member.
    """
    first, head = bounds_for(db, person, conversation)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM event WHERE conversation = ? AND seq > ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
        (conversation, after, first, head, min(limit, MAX_READ)),
    )
    return Span([Event(*row) for row in rows], first, head)


def read_before(db: Connection, person: int, conversation: int, before: int, limit: int = MAX_READ) -> Span:
    """Return what a person may read in front of `before`: the last `limit` events, oldest first."""
    first, head = bounds_for(db, person, conversation)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM event WHERE conversation = ? AND seq < ? AND seq BETWEEN ? AND ? "
        "ORDER BY seq DESC LIMIT ?",
        (conversation, before, first, head, min(limit, MAX_READ)),
    )
    return Span([Event(*row) for row in rows][::-1], first, head)


def bounds_for(db: Connection, person: int, conversation: int) -> tuple[int, int]:
    """Return the first and the last seq that a person may read; the last is below the first where there is none."""
    member = membership(db, conversation, person)
    row = db.execute("SELECT first, head FROM conversation WHERE id = ?", (conversation,)).fetchone()
    if member is None or row is None:
        raise Rejected("forbidden", "you are not in this conversation")
    first, head = row
    return max(first, member.since), head if member.until is None else min(head, member.until)


def is_ahead(db: Connection, person: int, have: Mapping[int, int]) -> bool:
    """Tell whether a person has more of a conversation than there is: the database is older than it was.

    have: conversation to the last seq; what the person never was in does not count.
    """
    rows = db.execute(
        "SELECT id, head FROM member JOIN conversation ON conversation.id = member.conversation WHERE person = ?",
        (person,),
    )
    return any(have.get(conversation, 0) > head for conversation, head in rows)


def left_behind(db: Connection, person: int, have: Mapping[int, int]) -> list[int]:
    """Return the conversations that a person has left, and not yet read to where that was.

    have: conversation to the last seq; what is not in it is of no interest any more.
    """
    rows = db.execute("SELECT conversation, until FROM member WHERE person = ? AND until IS NOT NULL", (person,))
    return [conversation for conversation, until in rows if have.get(conversation, until) < until]


def _event(db: Connection, conversation: int, seq: int) -> Event | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM event WHERE conversation = ? AND seq = ?", (conversation, seq)).fetchone()
    return None if row is None else Event(*row)


# State, which is no event: the last value counts


def mark(db: Connection, person: int, conversation: int, read: int) -> int:
    """Note how far a member has read, and so has got; it never goes back. Returns how far that is now."""
    _, head = bounds_for(db, person, conversation)
    row = db.execute(
        "UPDATE member SET read = max(read, :seq), got = max(got, read, :seq) "
        "WHERE conversation = :place AND person = :person RETURNING read",
        {"seq": min(read, head), "place": conversation, "person": person},
    ).fetchone()
    return int(row[0])


def mark_got(db: Connection, person: int, conversation: int, got: int) -> int:
    """Note what has arrived at a member, read or not; it never goes back. Returns how far that is now."""
    _, head = bounds_for(db, person, conversation)
    row = db.execute(
        "UPDATE member SET got = max(got, read, ?) WHERE conversation = ? AND person = ? RETURNING got",
        (min(got, head), conversation, person),
    ).fetchone()
    return int(row[0])
