"""One-time links: what lets somebody in as a person, once, within a day.

    first_link(store)           of the first admin; None once an admin has a way in
    make_link(change, person)   of anybody, for an admin to hand over
    redeem(change, link)        whose it is, and nobody's from then on
    trust(change, link, token)  the device that came by it may set a password, once
    is_trusted(db, device, now_ms)

The database has only the SHA-256 of a link. A new link of a person makes the older ones void. A link is for
who has no password, or has forgotten it: the device that comes by it is asked for no old one, for an hour.
"""

import hashlib
import secrets
from sqlite3 import Connection
from typing import Final

from portico.apps.chat import people
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.store import Store

LIFE_MS: Final = 24 * 3_600_000
TRUSTED_MS: Final = 3_600_000
FIRST_LOGIN: Final = "admin"


async def first_link(store: Store) -> str | None:
    """Return the one-time link of the first admin, who is made for it; None once an admin has a way in."""
    return await store.write(_first_link)


def _first_link(change: Change) -> str | None:
    rows = change.db.execute(
        "SELECT id, password IS NOT NULL OR EXISTS (SELECT 1 FROM device WHERE device.person = person.id "
        "AND NOT is_revoked) FROM person WHERE kind = 'admin' AND NOT is_disabled ORDER BY id"
    ).fetchall()
    if any(has_way_in for _, has_way_in in rows):
        return None
    if rows:
        return make_link(change, rows[0][0])
    is_taken = people.person_by_login(change.db, FIRST_LOGIN) is not None
    return make_link(change, people.add_person(change, "admin", FIRST_LOGIN, login="" if is_taken else FIRST_LOGIN))


def make_link(change: Change, person: int) -> str:
    """Return the link of a person. Raises Rejected "no_person"."""
    if people.person(change.db, person).is_disabled:
        raise Rejected("no_person", "this account is closed; open it again first")
    change.db.execute("DELETE FROM link WHERE person = ? OR ends_ms <= ?", (person, change.now_ms))
    link = secrets.token_urlsafe(24)
    change.db.execute(
        "INSERT INTO link (token, person, ends_ms) VALUES (?, ?, ?)", (_digest(link), person, change.now_ms + LIFE_MS)
    )
    return link


def redeem(change: Change, link: str) -> int:
    """Return whose link it is. Raises Rejected "auth" for one that is nobody's, was used, or is too old."""
    row = change.db.execute(
        "UPDATE link SET used_ms = ? WHERE token = ? AND used_ms IS NULL AND ends_ms > ? RETURNING person",
        (change.now_ms, _digest(link), change.now_ms),
    ).fetchone()
    if row is None or people.person(change.db, row[0]).is_disabled:
        raise Rejected("auth", "this link has been used, or is too old; ask for another")
    return int(row[0])


def trust(change: Change, link: str, token: str) -> None:
    """Note which device has come in by a link. token: of the device."""
    change.db.execute(
        "UPDATE link SET device = (SELECT id FROM device WHERE token = ?) WHERE token = ?",
        (_digest(token), _digest(link)),
    )


def is_trusted(db: Connection, device: int, now_ms: int) -> bool:
    """Tell whether a device may set a password without the old one."""
    row = db.execute("SELECT 1 FROM link WHERE device = ? AND used_ms > ?", (device, now_ms - TRUSTED_MS)).fetchone()
    return row is not None


def end_trust(change: Change, device: int) -> None:
    """Have a device ask for the old password like any other."""
    change.db.execute("UPDATE link SET device = NULL WHERE device = ?", (device,))


def _digest(link: str) -> bytes:
    return hashlib.sha256(link.encode(errors="surrogatepass")).digest()
