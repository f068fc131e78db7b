"""People and the devices they come with, as SQL: accounts, visitors, tokens.

A device is known by its token: 256 random bits, of which the database has only the SHA-256. Whoever has it is the
person, until the device is revoked, its time is over, or the account is disabled. Passwords are hashed by `passwords`,
outside of any transaction, since that takes a tenth of a second.
"""

import hashlib
import secrets
from sqlite3 import Connection, IntegrityError
from typing import Final, NamedTuple

from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change

MAX_NAME: Final = 40
MAX_LOGIN: Final = 40
KINDS: Final = ("user", "agent", "admin", "visitor", "peer")
SEEN_EVERY_MS: Final = 60_000  # more often nobody wants to know when a device was here


class Person(NamedTuple):
    """Somebody. login: "" for who has none. kind: one of KINDS. language: "en", "zh", or "" where not known."""

    id: int
    kind: str
    login: str
    name: str
    language: str
    is_disabled: bool


class Known(NamedTuple):
    """Whose token it was. device: which of the person's devices. seen_ms: when it was last noted that it was here."""

    person: Person
    device: int
    seen_ms: int


def check_name(name: str) -> str:
    """Return a name as it may be shown. Raises Rejected for what is none."""
    cleaned = " ".join(name.split())
    if not 0 < len(cleaned) <= MAX_NAME or not cleaned.isprintable():
        raise Rejected("bad_name", f"a name has 1 to {MAX_NAME} printable characters")
    return cleaned


def check_login(login: str) -> str:
    """Return a login in its one form. Raises Rejected for what is none."""
    cleaned = login.strip().casefold()
    if not 0 < len(cleaned) <= MAX_LOGIN or any(not (c.isalnum() or c in "._-@") for c in cleaned):
        raise Rejected("bad_login", f"a login has 1 to {MAX_LOGIN} letters, digits and . _ - @")
    return cleaned


def add_person(change: Change, kind: str, name: str, *, login: str = "", password: str = "") -> int:
    """Make a person; return the id.

    kind: one of KINDS. password: its hash. Raises Rejected "taken" for a login that somebody has.
    """
    try:
        row = change.db.execute(
            "INSERT INTO person (kind, login, name, password, made_ms) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (kind, check_login(login) if login else None, check_name(name), password or None, change.now_ms),
        ).fetchone()
    except IntegrityError as exc:
        raise Rejected("taken", f"the login {login} is somebody else's; choose another") from exc
    return int(row[0])


def set_language(change: Change, number: int, language: str) -> None:
    """Note which language a person reads: "en", "zh", or "" where it is not known."""
    change.db.execute("UPDATE person SET language = ? WHERE id = ?", (language, number))


def person(db: Connection, number: int) -> Person:
    """Return a person. Raises Rejected "no_person"."""
    row = db.execute(f"SELECT {_COLUMNS} FROM person WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise Rejected("no_person", "there is no such person")
    return _person(row)


def person_by_login(db: Connection, login: str) -> tuple[Person, str] | None:
    """Return the person who has a login and the hash of the password, None where nobody has it."""
    row = db.execute(f"SELECT {_COLUMNS}, password FROM person WHERE login = ?", (login.strip().casefold(),)).fetchone()
    return None if row is None else (_person(row[:-1]), str(row[-1] or ""))


def add_device(change: Change, number: int, label: str, *, ends_ms: int | None = None) -> str:
    """Give a person another device; return its token, which is not to be had again."""
    token = secrets.token_urlsafe(32)
    change.db.execute(
        "INSERT INTO device (person, token, label, made_ms, seen_ms, ends_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (number, _digest(token), label[:80], change.now_ms, change.now_ms, ends_ms),
    )
    return token


def recognise(db: Connection, token: str, now_ms: int) -> Known:
    """Find out whose token it is. Raises Rejected "auth" for one that is nobody's, or nobody's any more."""
    row = db.execute(
        f"SELECT device.id, device.ends_ms, device.is_revoked, device.seen_ms, {_COLUMNS_OF_PERSON} "
        "FROM device JOIN person ON person.id = device.person WHERE token = ?",
        (_digest(token),),
    ).fetchone()
    if row is None or row[2] or (row[1] is not None and row[1] <= now_ms):
        raise Rejected("auth", "this device is not known here any more; sign in again")
    found = _person(row[4:])
    if found.is_disabled:
        raise Rejected("auth", "this account has been disabled")
    return Known(found, row[0], row[3])


def note_seen(change: Change, device: int) -> None:
    """Note that a device is here now, which people look at in the list of their devices."""
    change.db.execute("UPDATE device SET seen_ms = ? WHERE id = ?", (change.now_ms, device))


def revoke(change: Change, number: int, device: int) -> bool:
    """Revoke a device of a person; return whether there was one to revoke."""
    row = change.db.execute(
        "UPDATE device SET is_revoked = 1 WHERE id = ? AND person = ? AND NOT is_revoked RETURNING id",
        (device, number),
    ).fetchone()
    return row is not None


_COLUMNS: Final = "id, kind, login, name, language, is_disabled"
_COLUMNS_OF_PERSON: Final = ", ".join(f"person.{column}" for column in _COLUMNS.split(", "))


def _person(row: tuple[int, str, str | None, str, str, int]) -> Person:
    number, kind, login, name, language, is_disabled = row
    return Person(number, kind, login or "", name, language, bool(is_disabled))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
