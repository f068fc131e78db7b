"""What `ask` can ask of oneself, of people, rooms, the search and one's devices: a table, name to function.

    operations(limits)            all of the chat's own; the desk brings more
    Session -> operation(session, frame) -> members of the answer

Who may is in the table, by kind of person, and checked again in the database where it is about power over others.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from sqlite3 import Connection
from typing import Any, Final

from portico.apps.chat import audit, frames, links, log, people, rooms
from portico.apps.chat.events import Rejected
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.limits import STAFF, Limits
from portico.apps.chat.log import Change
from portico.apps.chat.passwords import MAX_PASSWORD, check_password, hash_password, is_password
from portico.apps.chat.search import file_names, search
from portico.apps.chat.session import Me, Operation, Session

Answer = Mapping[str, Any]
MAX_IDS: Final = 500
MAX_PEOPLE: Final = 2_000
SIGNED_OUT: Final = 4003
NO_GUESTS: Final = "guests may not enter rooms here; an administrator can allow it"
NOT_FOR_YOU: Final = "this is not for you to do"
LANGUAGES: Final = ("", "en", "zh")


# Arguments


def flag(frame: Frame, name: str, *, default: bool | None = None) -> bool:
    """Return true or false of a frame. Raises Rejected where it has neither. default: None for none."""
    value = frame.get(name, default)
    if not isinstance(value, bool):
        raise Rejected("proto", f"{name} is true or false")
    return value


def numbers(frame: Frame, name: str) -> list[int]:
    """Return a list of ids of a frame, each once. Raises Rejected where it has none, or too many."""
    value = frame.get(name)
    if not isinstance(value, list) or len(value) > MAX_IDS:
        raise Rejected("proto", f"{name} is a list of at most {MAX_IDS} numbers")
    return list(dict.fromkeys(number({name: one}, name) for one in value))


def myself(session: Session) -> Me:
    """Return who asks: nobody asks before hello."""
    assert session.me is not None, "Session takes nothing before hello"
    return session.me


def is_allowed(name: str, kind: str, *, are_guests_welcome: bool) -> bool:
    """Tell whether a kind of people may ask for an operation of the table; of others it is not known here.

    are_guests_welcome: to the public rooms.
    """
    if name in _OF_ROOMS and kind not in STAFF and not are_guests_welcome:
        return False
    return kind in _MAY.get(name, _ANYBODY)


def guarded(kinds: frozenset[str], operation: Operation) -> Operation:
    """Return an operation that only some kinds of people may ask for."""

    async def ask(session: Session, frame: Frame) -> Answer:
        if myself(session).kind not in kinds:
            raise Rejected("forbidden", NOT_FOR_YOU)
        return await operation(session, frame)

    return ask


# Oneself


async def me(session: Session, frame: Frame) -> Answer:
    """Say who one is, what one is in, and who else is there."""
    own = myself(session)

    def read(db: Connection) -> Answer:
        found = people.person(db, own.person)
        conversations = [
            {
                "c": one.id,
                "kind": one.kind,
                "title": one.title,
                "public": one.is_public,
                "head": one.head,
                "read": one.read,
                "muted": one.is_muted,
                "left": one.has_left,
                "others": one.others,
            }
            for one in rooms.conversations_of(db, own.person)
        ]
        card = {"id": found.id, "name": found.name, "kind": found.kind, "login": found.login, "lang": found.language}
        (has_password,) = db.execute("SELECT password IS NOT NULL FROM person WHERE id = ?", (own.person,)).fetchone()
        is_trusted = links.is_trusted(db, own.device, session.house.hub.store.now_ms())
        card["password"] = bool(has_password) and not is_trusted  # whether a new one asks for it
        return {"me": card, "conversations": conversations, "people": _companions(db, own.person)}

    may = [name for name in session.house.operations if own.kind in _MAY.get(name, _ANYBODY)]
    found, presence = await session.house.hub.store.read(read), session.house.presence
    cards = {one: {**card, **presence.card(int(one))} for one, card in found["people"].items()}
    return {**found, "people": cards, "op": may}


def _companions(db: Connection, person: int) -> dict[str, Answer]:
    """Return whom a person is in a conversation with."""
    rows = db.execute(
        "SELECT DISTINCT person.id, person.name, person.kind FROM member AS own "
        "JOIN conversation ON conversation.id = own.conversation "
        "JOIN member AS other ON other.conversation = own.conversation JOIN person ON person.id = other.person "
        "WHERE own.person = ? AND (own.until IS NULL OR conversation.kind = 'direct') LIMIT ?",
        (person, MAX_PEOPLE),
    )
    return {str(one): {"name": name, "kind": kind} for one, name, kind in rows}


async def set_me(session: Session, frame: Frame) -> Answer:
    """Change one's name, language or password."""
    own, store = myself(session), session.house.hub.store
    name = people.check_name(frames.text(frame, "name", most=200)) if "name" in frame else None
    language = frames.text(frame, "lang", most=8) if "lang" in frame else None
    if language is not None and language not in LANGUAGES:
        raise Rejected("bad_language", "the pages speak en and zh")
    stored = await _new_hash(session, frame) if "password" in frame else None

    def write(change: Change) -> None:
        for column, value in (("name", name), ("language", language), ("password", stored)):
            if value is not None:
                change.db.execute(f"UPDATE person SET {column} = ? WHERE id = ?", (value, own.person))
        if stored is not None:
            is_by_link = links.is_trusted(change.db, own.device, change.now_ms)
            links.end_trust(change, own.device)
            audit.note(change, own.person, "password.set", own.person, "by a link" if is_by_link else "")

    await store.write(write)
    if name is not None:
        session.me = own._replace(name=name)
        others = await store.read(lambda db: [int(one) for one in _companions(db, own.person)])
        session.house.hub.tell(others, frames.write("st", people={str(own.person): {"name": name, "kind": own.kind}}))
    return {}


async def _new_hash(session: Session, frame: Frame) -> str:
    """Return the hash of a new password, if the old one is known, there is none, or the device came by a link."""
    own = myself(session)
    password = check_password(frames.text(frame, "password", most=MAX_PASSWORD))
    old = frames.text(frame, "old", most=MAX_PASSWORD, default="")

    store = session.house.hub.store

    def read(db: Connection) -> tuple[str | None, str | None, bool]:
        row = db.execute("SELECT login, password FROM person WHERE id = ?", (own.person,)).fetchone()
        return row[0], row[1], links.is_trusted(db, own.device, store.now_ms())

    login, stored, is_trusted = await store.read(read)
    if not login:
        raise Rejected("forbidden", "only an account with a login has a password")
    if stored and not is_trusted and not await is_password(stored, old):
        raise Rejected("auth", "the old password is wrong")
    return await hash_password(password)


# People


async def get_people(session: Session, frame: Frame) -> Answer:
    """Say who some persons are. Guests are told only of those they talk with."""
    ids, own = numbers(frame, "ids"), myself(session)

    def read(db: Connection) -> dict[str, Any]:
        marks = ", ".join("?" * len(ids))
        rows = db.execute(f"SELECT id, name, kind FROM person WHERE id IN ({marks})", ids).fetchall()
        known = _companions(db, own.person) if own.kind not in STAFF else None
        return {
            str(one): {"name": name, "kind": kind} for one, name, kind in rows if known is None or str(one) in known
        }

    found = await session.house.hub.store.read(read)
    presence = session.house.presence
    return {"people": {one: {**card, **presence.card(int(one))} for one, card in found.items()}}


async def find_people(session: Session, frame: Frame) -> Answer:
    """Find people by a part of the name or the login. Visitors are found by those who serve them."""
    text = frames.text(frame, "text", most=people.MAX_NAME).strip()
    is_serving = myself(session).kind in _SERVING
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

    def read(db: Connection) -> list[tuple[int, str, str | None, str]]:
        return db.execute(
            "SELECT id, name, login, kind FROM person WHERE NOT is_disabled "
            "AND (? OR kind IN ('user', 'agent', 'admin')) AND (name LIKE ? ESCAPE '\\' OR login LIKE ? ESCAPE '\\') "
            "ORDER BY name, id LIMIT 50",
            (is_serving, f"%{escaped}%", f"%{escaped}%"),
        ).fetchall()

    found = await session.house.hub.store.read(read)
    presence = session.house.presence
    cards = [
        {"id": one, "name": name, "login": login or "", "kind": kind, **presence.card(one)}
        for one, name, login, kind in found
    ]
    return {"people": cards}


# Rooms


async def make_room(session: Session, frame: Frame) -> Answer:
    """Make a room and be its owner."""
    title, is_public = frames.text(frame, "title", most=200), flag(frame, "public", default=False)
    owner = myself(session).person
    made = await session.house.hub.store.write(
        lambda change: rooms.make_room(change, owner, title, is_public=is_public)
    )
    return {"c": made}


async def list_rooms(session: Session, frame: Frame) -> Answer:
    """List the public rooms."""
    await _check_guest(session)
    found = await session.house.hub.store.read(rooms.public_rooms)
    return {"rooms": [{"c": one, "title": title, "members": count} for one, title, count in found]}


async def join_room(session: Session, frame: Frame) -> Answer:
    """Enter a public room."""
    conversation, own = number(frame, "c"), myself(session)
    await _check_guest(session)
    await session.house.hub.store.write(lambda change: rooms.join(change, own.person, conversation))
    return {}


async def _check_guest(session: Session) -> None:
    if myself(session).kind not in STAFF and not (await session.house.hub.store.read(audit.settings))["guests"]:
        raise Rejected("forbidden", NO_GUESTS)


async def invite(session: Session, frame: Frame) -> Answer:
    """Bring somebody into a room that one is in."""
    own, conversation, person = myself(session), number(frame, "c"), number(frame, "person")

    def write(change: Change) -> None:
        if people.person(change.db, person).is_disabled:
            raise Rejected("no_person", "there is no such person any more")
        rooms.invite(change, own.person, conversation, person)

    await session.house.hub.store.write(write)
    return {}


async def leave_room(session: Session, frame: Frame) -> Answer:
    """Leave a room."""
    conversation, own = number(frame, "c"), myself(session)
    await session.house.hub.store.write(lambda change: rooms.leave(change, own.person, conversation))
    return {}


async def remove_from_room(session: Session, frame: Frame) -> Answer:
    """Take somebody out of a room that one owns."""
    own, conversation, person = myself(session), number(frame, "c"), number(frame, "person")

    def write(change: Change) -> None:
        mine = log.membership(change.db, conversation, own.person)
        other = log.membership(change.db, conversation, person)
        (kind,) = change.db.execute("SELECT kind FROM conversation WHERE id = ?", (conversation,)).fetchone() or ("",)
        if kind != "room" or mine is None or mine.until is not None or mine.role != "owner":
            raise Rejected("forbidden", "only an owner of the room can do that")
        if other is None or other.until is not None:
            raise Rejected("no_person", "there is no such person in the room")
        rooms.remove_member(change, conversation, person, by=own.person)
        audit.note(change, own.person, "room.remove", conversation, str(person))

    await session.house.hub.store.write(write)
    return {}


async def retitle(session: Session, frame: Frame) -> Answer:
    """Give a room another title."""
    own, conversation, title = myself(session), number(frame, "c"), frames.text(frame, "title", most=200)
    await session.house.hub.store.write(lambda change: rooms.retitle(change, own.person, conversation, title))
    return {}


async def list_members(session: Session, frame: Frame) -> Answer:
    """List who is in a conversation that one is in and how far each has read; say how many they are."""
    own, conversation = myself(session), number(frame, "c")
    limit = min(number(frame, "limit"), rooms.MAX_MEMBERS) if "limit" in frame else rooms.MAX_MEMBERS

    def read(db: Connection) -> tuple[str, int, list[tuple[int, str, str, str, int, int]]]:
        mine = log.membership(db, conversation, own.person)
        if mine is None or mine.until is not None:
            raise Rejected("forbidden", "you are not in this conversation")
        return (mine.role, *rooms.members_of(db, conversation, limit))

    role, count, found = await session.house.hub.store.read(read)
    presence = session.house.presence
    cards = [
        {"id": one, "name": name, "role": theirs, "kind": kind, "read": read, "got": got, **presence.card(one)}
        for one, name, theirs, kind, read, got in found
    ]
    return {"members": cards, "count": count, "here": presence.count(conversation), "role": role}


async def direct(session: Session, frame: Frame) -> Answer:
    """Return the conversation with one other person."""
    own, other = myself(session), number(frame, "person")

    def write(change: Change) -> int:
        found = people.person(change.db, other)
        if found.is_disabled or (found.kind not in STAFF and own.kind not in _SERVING):
            raise Rejected("no_person", "there is no such person to talk with")
        return rooms.direct(change, own.person, other)

    return {"c": await session.house.hub.store.write(write)}


async def mute(session: Session, frame: Frame) -> Answer:
    """Be told nothing of a conversation, or be told again."""
    own, conversation, is_on = myself(session), number(frame, "c"), flag(frame, "on")

    def write(change: Change) -> None:
        if log.membership(change.db, conversation, own.person) is None:
            raise Rejected("forbidden", "you are not in this conversation")
        change.db.execute(
            "UPDATE member SET is_muted = ? WHERE conversation = ? AND person = ?", (is_on, conversation, own.person)
        )

    await session.house.hub.store.write(write)
    return {}


# Searching


async def find_text(session: Session, frame: Frame) -> Answer:
    """Find messages that one may read by words in them."""
    own, text = myself(session), frames.text(frame, "text", most=200)

    def read(db: Connection) -> list[dict[str, Any]]:
        found = [_found(db, own.person, *place) for place in search(db, own.person, text)]
        return [one for one in found if one is not None]

    return {"found": await session.house.hub.store.read_long(read)}


def _found(db: Connection, person: int, conversation: int, seq: int) -> dict[str, Any] | None:
    """Return a message as it reads now, None for one that the person may not read."""
    if not log.can_read(db, person, conversation, seq):
        return None
    at_ms, sender, body = db.execute(
        "SELECT at_ms, sender, body FROM event WHERE conversation = ? AND seq = ?", (conversation, seq)
    ).fetchone()
    _, head = log.bounds_for(db, person, conversation)
    edit = db.execute(
        # Named, since SQLite takes one column of the key for more than two of the index.
        "SELECT body FROM event INDEXED BY event_about WHERE conversation = ? AND ref = ? AND kind = 'edit' "
        "AND seq <= ? ORDER BY seq DESC LIMIT 1",
        (conversation, seq, head),
    ).fetchone()
    text = json.loads(edit[0] if edit is not None else body).get("text", "")
    names = file_names(db, conversation, seq) if '"files"' in body else []
    text = " ".join(filter(None, (text, *names)))
    return {"c": conversation, "s": seq, "at": at_ms, "f": sender, "text": text}


# Devices


async def list_devices(session: Session, frame: Frame) -> Answer:
    """List what one is signed in with."""
    own, store = myself(session), session.house.hub.store

    def read(db: Connection) -> list[tuple[int, str, int, int]]:
        return db.execute(
            "SELECT id, label, made_ms, seen_ms FROM device WHERE person = ? AND NOT is_revoked "
            "AND (ends_ms IS NULL OR ends_ms > ?) ORDER BY id DESC LIMIT 100",
            (own.person, store.now_ms()),
        ).fetchall()

    found = await store.read(read)
    return {
        "devices": [
            {"device": one, "label": label, "made": made_ms, "seen": seen_ms, "this": one == own.device}
            for one, label, made_ms, seen_ms in found
        ]
    }


async def revoke_device(limits: Limits, session: Session, frame: Frame) -> Answer:
    """Sign a device of one's own out, and close its connections."""
    own, device = myself(session), number(frame, "device")

    def write(change: Change) -> None:
        if not people.revoke(change, own.person, device):
            raise Rejected("no_device", "there is no such device, or it is signed out already")
        audit.note(change, own.person, "device.revoke", device)

    await session.house.hub.store.write(write)
    limits.end_device(device)
    sign_out(session, own.person, but_this=device != own.device)
    return {}


def sign_out(session: Session, person: int, *, but_this: bool = False) -> None:
    """Have every connection of a person say hello again. but_this: the session that asks may stay.

    A reader does not know its device; those that are still welcome come back and miss nothing. A wire closes
    behind `bye`.
    """
    hub = session.house.hub
    for reader in list(hub.readers.get(person, ())):
        if but_this and reader is session.reader:
            continue
        reader.say(frames.write("bye", code=SIGNED_OUT, why="signed out here; say hello again"))
        hub.leave(reader)


# The table

_ANYBODY: Final = frozenset(people.KINDS)
_SERVING: Final = frozenset({"agent", "admin"})

_OF_ROOMS: Final = frozenset({"room.list", "room.join"})

_ROWS: Final[Mapping[str, tuple[frozenset[str], Callable[[Session, Frame], Awaitable[Answer]]]]] = {
    "me": (_ANYBODY, me),
    "me.set": (_ANYBODY, set_me),
    "people.get": (_ANYBODY, get_people),
    "people.find": (STAFF, find_people),
    "devices.list": (_ANYBODY, list_devices),
    "room.make": (STAFF, make_room),
    "room.list": (_ANYBODY, list_rooms),
    "room.join": (_ANYBODY, join_room),
    "room.invite": (STAFF, invite),
    "room.leave": (_ANYBODY, leave_room),
    "room.remove": (STAFF, remove_from_room),
    "room.title": (STAFF, retitle),
    "room.members": (_ANYBODY, list_members),
    "direct": (STAFF, direct),
    "search": (_ANYBODY, find_text),
    "mute": (_ANYBODY, mute),
}
_MAY: Final[dict[str, frozenset[str]]] = {name: kinds for name, (kinds, _) in _ROWS.items()}


def operations(limits: Limits) -> dict[str, Operation]:
    """Return the table, name to operation, for `House`. limits: what sessions of revoked devices are refused by."""
    found = {name: guarded(kinds, operation) for name, (kinds, operation) in _ROWS.items()}
    return {**found, "devices.revoke": partial(revoke_device, limits)}
