"""Ways in: by password, by one-time link, by making an account, as a visitor. Each ends in the token of a new device.

    sign_in(store, login, password, label)      -> token
    sign_up(store, name, login, password)       -> token, where that is allowed
    arrive(store, name, label)                  -> token of a visitor who is somebody else than anybody before
    first_link(store)                           -> link of the first admin, None once there is one
    make_link(change, person) ; follow(store, link, label) -> token

How often somebody may try is for `limits` and whoever calls.
"""

import hashlib
import secrets
from typing import Final

from portico.apps.chat import audit, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.passwords import check_password, hash_password, is_outdated, is_password
from portico.apps.chat.store import Store

LINK_MS: Final = 24 * 3_600_000
VISITOR_MS: Final = 180 * 24 * 3_600_000
FIRST_LOGIN: Final = "admin"
_WRONG: Final = "the login or the password is wrong"


async def sign_in(store: Store, login: str, password: str, label: str) -> str:
    """Return the token of a new device of whoever has a login and a password. Raises Rejected "auth"."""
    found = await store.read(lambda db: people.person_by_login(db, login))
    stored = found[1] if found is not None else ""
    if not await is_password(stored, password) or found is None:
        raise Rejected("auth", _WRONG)
    if found[0].is_disabled:
        raise Rejected("auth", "this account has been disabled")
    renewed = await hash_password(password) if is_outdated(stored) else stored

    def add(change: Change) -> str:
        if renewed != stored:
            set_hash(change, found[0].id, renewed)
        return people.add_device(change, found[0].id, label)

    return await store.write(add)


async def sign_up(store: Store, name: str, login: str, password: str) -> str:
    """Make an account and return the token of its first device.

    Raises Rejected: "forbidden" where the house does not allow it, "taken", "bad_name", "bad_login", "bad_password".
    """
    if not (await store.read(audit.settings))["signup"]:
        raise Rejected("forbidden", "accounts are made by an admin here")
    if not login:
        raise Rejected("bad_login", "an account has a login")
    stored = await hash_password(check_password(password))

    def add(change: Change) -> str:
        number = people.add_person(change, "user", name, login=login, password=stored)
        return people.add_device(change, number, "first")

    return await store.write(add)


async def arrive(store: Store, name: str, label: str, *, kind: str = "visitor") -> str:
    """Make a visitor and return the token, which is good for half a year. name: "" for one by number."""

    def add(change: Change) -> str:
        number = people.add_person(change, kind, name or "visitor")
        if not name:
            change.db.execute("UPDATE person SET name = ? WHERE id = ?", (f"{kind}-{number}", number))
        return people.add_device(change, number, label, ends_ms=change.now_ms + VISITOR_MS)

    return await store.write(add)


def set_hash(change: Change, person: int, stored: str) -> None:
    """Give a person the hash of another password."""
    change.db.execute("UPDATE person SET password = ? WHERE id = ?", (stored, person))


# One-time links


async def first_link(store: Store) -> str | None:
    """Return the one-time link of the first admin, who is made for it; None once an admin can sign in.

    A link that was made before and not used is good no more.
    """
    return await store.write(_first_link)


def _first_link(change: Change) -> str | None:
    rows = change.db.execute(
        "SELECT id, password IS NOT NULL OR EXISTS (SELECT 1 FROM device WHERE device.person = person.id "
        "AND NOT is_revoked) FROM person WHERE kind = 'admin' AND NOT is_disabled ORDER BY id"
    ).fetchall()
    if any(has_way_in for _, has_way_in in rows):
        return None
    number = rows[0][0] if rows else people.add_person(change, "admin", FIRST_LOGIN, login=FIRST_LOGIN)
    return make_link(change, number)


def make_link(change: Change, person: int) -> str:
    """Return what lets somebody in as a person, once, within a day; one that was made before is good no more."""
    people.person(change.db, person)
    change.db.execute("DELETE FROM link WHERE person = ? OR ends_ms <= ?", (person, change.now_ms))
    link = secrets.token_urlsafe(24)
    change.db.execute(
        "INSERT INTO link (token, person, ends_ms) VALUES (?, ?, ?)", (_digest(link), person, change.now_ms + LINK_MS)
    )
    return link


async def follow(store: Store, link: str, label: str) -> str:
    """Return the token of a new device of whom a link is for. Raises Rejected "auth"; nobody can follow it again."""

    def use(change: Change) -> str:
        row = change.db.execute(
            "UPDATE link SET used_ms = ? WHERE token = ? AND used_ms IS NULL AND ends_ms > ? RETURNING person",
            (change.now_ms, _digest(link), change.now_ms),
        ).fetchone()
        if row is None or people.person(change.db, row[0]).is_disabled:
            raise Rejected("auth", "this link has been used, or is too old; ask for another")
        return people.add_device(change, row[0], label)

    return await store.write(use)


def _digest(link: str) -> bytes:
    return hashlib.sha256(link.encode(errors="surrogatepass")).digest()
