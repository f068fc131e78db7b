"""What an admin can ask: people, one-time links, blocks, settings, and what was done. A table, name to function.

    Admin(limits, eraser).operations()

    admin.people.list {text?, kind?, after?}    without whom has been erased
    admin.people.add {name, kind, login?, password?} -> {person}
    admin.people.set {person, kind?, name?, login?, password?, disabled?}
    admin.people.remove {person}                closes the account and erases what the person wrote
    admin.link {person} -> {token}              one-time; for a new password, or the first way in
    admin.blocks.list / add {kind, value, minutes?, why?} / remove {block}
    admin.settings.get / set {values}           admin.audit {before?}

That somebody is an admin is looked up in the transaction that does it. Each act leaves a row, with its actor. The last
admin stays one.
"""

from collections.abc import Callable, Mapping
from sqlite3 import Connection, IntegrityError
from typing import Any, Final, TypeVar

from portico.apps.chat import audit, cases, frames, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.limits import Limits, check_block
from portico.apps.chat.links import make_link
from portico.apps.chat.log import Change
from portico.apps.chat.operations import flag, guarded, myself, sign_out
from portico.apps.chat.passwords import MAX_PASSWORD, hash_password
from portico.apps.chat.retention import Eraser
from portico.apps.chat.session import Operation, Session
from portico.errors import UsageError

Answer = Mapping[str, Any]
Found = TypeVar("Found")
_ADMIN: Final = "admin"
_MADE: Final = ("user", "agent", "admin")
_PAGE: Final = 200
MAX_BLOCKS: Final = 5_000
MAX_MINUTES: Final = 10 * 366 * 24 * 60


class Admin:
    """The operations of admins. limits: what takes blocks, and refuses who was signed out."""

    def __init__(self, limits: Limits, eraser: Eraser) -> None:
        self._limits = limits
        self._eraser = eraser

    def operations(self) -> dict[str, Operation]:
        """Return the table."""
        found: dict[str, Operation] = {
            "admin.people.list": _list_people,
            "admin.people.add": _add_person,
            "admin.people.set": self._set_person,
            "admin.people.remove": self._remove_person,
            "admin.link": _link,
            "admin.blocks.list": _list_blocks,
            "admin.blocks.add": self._add_block,
            "admin.blocks.remove": self._remove_block,
            "admin.settings.get": _get_settings,
            "admin.settings.set": _set_settings,
            "admin.audit": _list_acts,
        }
        return {name: guarded(frozenset({_ADMIN}), operation) for name, operation in found.items()}

    async def _set_person(self, session: Session, frame: Frame) -> Answer:
        number_of, hashed = number(frame, "person"), await _hashed(frame)
        wanted = {
            "kind": _kind(frame) if "kind" in frame else None,
            "name": people.check_name(frames.text(frame, "name", most=200)) if "name" in frame else None,
            "login": people.check_login(frames.text(frame, "login", most=200)) if "login" in frame else None,
            "password": hashed or None,
            "is_disabled": flag(frame, "disabled") if "disabled" in frame else None,
        }
        changed = {column: value for column, value in wanted.items() if value is not None}

        def write(change: Change) -> people.Person:
            before = people.person(change.db, number_of)
            if change.db.execute("SELECT 1 FROM erased WHERE person = ?", (number_of,)).fetchone():
                raise Rejected("no_person", "this person has been erased; add somebody new")
            if before.kind not in _MADE and "kind" in changed:
                raise Rejected("forbidden", "a guest stays a guest; make an account instead")
            for column, value in changed.items():
                _set_column(change, number_of, column, value)
            if before.kind in cases.STAFF and not cases.is_staff(change.db, number_of):
                cases.dismiss(change, number_of)
            _check_admins(change.db)
            told = [f"{column}={value}" for column, value in changed.items() if column in ("kind", "is_disabled")]
            audit.note(change, myself(session).person, "person.set", number_of, ", ".join(told or changed))
            if hashed:  # whoever knew the old one is out
                change.db.execute("UPDATE device SET is_revoked = 1 WHERE person = ?", (number_of,))
            return people.person(change.db, number_of)

        after = await _write(session, write)
        if changed.keys() & {"kind", "is_disabled", "password"}:
            await self._let_go(session, after, is_revoked=bool(hashed))
        return {}

    async def _let_go(self, session: Session, person: people.Person, *, is_revoked: bool) -> None:
        """End what a person is connected with, so that it says hello as who it is now."""
        self._limits.change_kind(person.id, "" if person.is_disabled else person.kind)
        if is_revoked:
            rows = await session.house.hub.store.read(
                lambda db: db.execute("SELECT id FROM device WHERE person = ? AND is_revoked", (person.id,)).fetchall()
            )
            for (device,) in rows:
                self._limits.end_device(device)
        sign_out(session, person.id)

    async def _remove_person(self, session: Session, frame: Frame) -> Answer:
        own, person = myself(session).person, number(frame, "person")
        if own == person:
            raise Rejected("forbidden", "another admin can remove you")
        await _read(session, lambda db: people.person(db, person))
        await self._eraser.erase(person, own)
        self._limits.change_kind(person, "")
        sign_out(session, person)
        session.house.hub.tell(list(session.house.hub.readers), frames.write("st", erased=person))
        return {}

    async def _add_block(self, session: Session, frame: Frame) -> Answer:
        own, kind = myself(session).person, frames.text(frame, "kind", most=10)
        minutes = number(frame, "minutes") if "minutes" in frame else None
        why = frames.text(frame, "why", most=200, default="")
        try:
            value = check_block(kind, frames.text(frame, "value", most=60))
        except UsageError as exc:
            raise Rejected("bad_block", str(exc)) from exc
        if kind == "person" and int(value) == own:
            raise Rejected("bad_block", "this is you")
        if minutes is not None and minutes > MAX_MINUTES:
            raise Rejected("proto", f"minutes is a whole number up to {MAX_MINUTES}; leave it out for ever")

        def write(change: Change) -> int | None:
            until_ms = None if minutes is None else change.now_ms + minutes * 60_000
            (count,) = change.db.execute("SELECT count(*) FROM block").fetchone()
            if count >= MAX_BLOCKS:
                raise Rejected("full", f"there are {MAX_BLOCKS} blocks; remove some, or block whole networks")
            change.db.execute(
                "INSERT INTO block (kind, value, until_ms, by_person, why, made_ms) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, value) DO UPDATE SET until_ms = excluded.until_ms, why = excluded.why, "
                "by_person = excluded.by_person, made_ms = excluded.made_ms",
                (kind, value, until_ms, own, why, change.now_ms),
            )
            audit.note(change, own, "block.add", f"{kind} {value}", why)
            return until_ms

        until_ms = await _write(session, write)
        self._limits.keep_out(kind, value, until_ms)
        if kind == "person":
            sign_out(session, int(value))
        return {}

    async def _remove_block(self, session: Session, frame: Frame) -> Answer:
        own, block = myself(session).person, number(frame, "block")

        def write(change: Change) -> tuple[str, str]:
            row = change.db.execute("DELETE FROM block WHERE id = ? RETURNING kind, value", (block,)).fetchone()
            if row is None:
                raise Rejected("no_block", "there is no such block any more")
            audit.note(change, own, "block.remove", f"{row[0]} {row[1]}")
            return row[0], row[1]

        self._limits.let_in(*await _write(session, write))
        return {}


async def _read(session: Session, work: Callable[[Connection], Found]) -> Found:
    own = myself(session).person

    def read(db: Connection) -> Found:
        _check_admin(db, own)
        return work(db)

    return await session.house.hub.store.read(read)


async def _write(session: Session, work: Callable[[Change], Found]) -> Found:
    own = myself(session).person

    def write(change: Change) -> Found:
        _check_admin(change.db, own)
        return work(change)

    return await session.house.hub.store.write(write)


def _check_admin(db: Connection, person: int) -> None:
    found = people.person(db, person)
    if found.kind != _ADMIN or found.is_disabled:
        raise Rejected("forbidden", "this is for admins")


def _check_admins(db: Connection) -> None:
    row = db.execute("SELECT 1 FROM person WHERE kind = 'admin' AND NOT is_disabled LIMIT 1").fetchone()
    if row is None:
        raise Rejected("last_admin", "somebody has to stay an admin; make another one first")


def _kind(frame: Frame) -> str:
    kind = frames.text(frame, "kind", most=10)
    if kind not in _MADE:
        raise Rejected("bad_kind", f"an account is of kind {', '.join(_MADE)}")
    return kind


async def _hashed(frame: Frame) -> str:
    """Return the hash of a password in a frame, "" for none."""
    if not frame.get("password"):
        return ""
    return await hash_password(frames.text(frame, "password", most=MAX_PASSWORD))


def _set_column(change: Change, person: int, column: str, value: object) -> None:
    try:
        change.db.execute(f"UPDATE person SET {column} = ? WHERE id = ?", (value, person))
    except IntegrityError as exc:
        raise Rejected("taken", f"the login {value} is somebody else's; choose another") from exc


# People


async def _list_people(session: Session, frame: Frame) -> Answer:
    text = frames.text(frame, "text", most=people.MAX_NAME, default="").strip()
    kind = frames.text(frame, "kind", most=10, default="")
    after = number(frame, "after", least=0) if "after" in frame else 0
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await _read(
        session,
        lambda db: db.execute(
            "SELECT id, name, coalesce(login, ''), kind, is_disabled, made_ms, password IS NOT NULL, "
            "(SELECT max(seen_ms) FROM device WHERE device.person = person.id) FROM person WHERE id > ? "
            "AND id NOT IN (SELECT person FROM erased) "
            "AND (? = '' OR kind = ?) AND (name LIKE ? ESCAPE '\\' OR login LIKE ? ESCAPE '\\') ORDER BY id LIMIT ?",
            (after, kind, kind, f"%{escaped}%", f"%{escaped}%", _PAGE),
        ).fetchall(),
    )
    names = ("id", "name", "login", "kind", "disabled", "made", "password", "seen")
    presence = session.house.presence
    cards = [dict(zip(names, row, strict=True)) | {"online": bool(presence.ways(row[0]))} for row in rows]
    return {
        "people": [card | {"disabled": bool(card["disabled"]), "password": bool(card["password"])} for card in cards]
    }


async def _add_person(session: Session, frame: Frame) -> Answer:
    kind, name = _kind(frame), frames.text(frame, "name", most=200)
    login, hashed = frames.text(frame, "login", most=200, default=""), await _hashed(frame)

    def write(change: Change) -> int:
        made = people.add_person(change, kind, name, login=login, password=hashed)
        audit.note(change, myself(session).person, "person.add", made, kind)
        return made

    return {"person": await _write(session, write)}


async def _link(session: Session, frame: Frame) -> Answer:
    person = number(frame, "person")

    def write(change: Change) -> str:
        if people.person(change.db, person).kind not in _MADE:
            raise Rejected("forbidden", "a guest has no account to sign in to")
        audit.note(change, myself(session).person, "link.make", person)
        return make_link(change, person)

    return {"token": await _write(session, write)}


# Blocks, settings, acts


async def _list_blocks(session: Session, frame: Frame) -> Answer:
    rows = await _read(
        session,
        lambda db: db.execute(
            "SELECT id, kind, value, until_ms, by_person, why, made_ms FROM block ORDER BY id DESC"
        ).fetchall(),
    )
    names = ("id", "kind", "value", "until", "by", "why", "at")
    return {"blocks": [dict(zip(names, row, strict=True)) for row in rows]}


async def _get_settings(session: Session, frame: Frame) -> Answer:
    return {"values": await _read(session, audit.settings)}


async def _set_settings(session: Session, frame: Frame) -> Answer:
    values = frame.get("values")
    if not isinstance(values, dict):
        raise Rejected("proto", "values is an object of settings")

    def write(change: Change) -> None:
        for key, value in values.items():
            audit.set_setting(change, myself(session).person, key, value)

    await _write(session, write)
    return {}


async def _list_acts(session: Session, frame: Frame) -> Answer:
    before = number(frame, "before") if "before" in frame else None
    rows = await _read(session, lambda db: audit.acts(db, before))
    return {
        "acts": [
            {"id": row.id, "at": row.at_ms, "by": row.actor, "act": row.act, "target": row.target, "detail": row.detail}
            for row in rows
        ]
    }
