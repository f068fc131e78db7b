"""The contact book of a person: names one has given to persons here, and to addresses elsewhere.

    contacts.add {name, person} or {name, address}      another one of the same name takes its place
    contacts.list {} -> {contacts: [{name, person?, address?}]}
    contacts.remove {name}

An address is one that `portico talk` can reach: udp://192.168.1.8:8081, tcp://..., ws://... Nobody sees another's book.
"""

from collections.abc import Mapping
from typing import Any, Final

from portico.apps.chat import frames, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.limits import STAFF
from portico.apps.chat.log import Change
from portico.apps.chat.operations import guarded, myself
from portico.apps.chat.session import Operation, Session
from portico.errors import UsageError
from portico.http.url import parse_url
from portico.net.addresses import parse_address

MAX_CONTACTS: Final = 500
MAX_ADDRESS: Final = 200
_BARE: Final = ("udp", "tcp")
_WEB: Final = ("ws", "wss", "http", "https")


def check_address(text: str) -> str:
    """Return an address that can be reached. Raises Rejected "bad_address" for what is none."""
    scheme, mark, _ = text.partition("://")
    try:
        if mark and scheme in _WEB:
            parse_url(text.replace("ws", "http", 1) if scheme.startswith("ws") else text)
            return text
        if mark and scheme in _BARE and parse_address(text).port:
            return text
    except UsageError as exc:
        raise Rejected("bad_address", str(exc)) from exc
    raise Rejected("bad_address", f"an address begins with {', '.join(f'{one}://' for one in (*_BARE, *_WEB))}")


async def add(session: Session, frame: Frame) -> Mapping[str, Any]:
    """Write a name into one's book, for a person here or for an address."""
    own, name = myself(session), people.check_name(frames.text(frame, "name", most=200))
    person = number(frame, "person") if "person" in frame else None
    address = check_address(frames.text(frame, "address", most=MAX_ADDRESS)) if "address" in frame else None
    if (person is None) == (address is None):
        raise Rejected("proto", "a contact has a person or an address")

    def write(change: Change) -> None:
        if person is not None:
            people.person(change.db, person)
        change.db.execute(
            "INSERT INTO contact (owner, name, address, person) VALUES (?, ?, ?, ?) ON CONFLICT (owner, name) "
            "DO UPDATE SET address = excluded.address, person = excluded.person",
            (own.person, name, address, person),
        )
        (count,) = change.db.execute("SELECT count(*) FROM contact WHERE owner = ?", (own.person,)).fetchone()
        if count > MAX_CONTACTS:
            raise Rejected("full", f"there are {MAX_CONTACTS} names in the book; remove one first")

    await session.house.hub.store.write(write)
    return {}


async def show(session: Session, frame: Frame) -> Mapping[str, Any]:
    """Return one's book, by name."""
    own = myself(session)
    rows = await session.house.hub.store.read(
        lambda db: db.execute(
            "SELECT name, person, address FROM contact WHERE owner = ? ORDER BY name", (own.person,)
        ).fetchall()
    )
    cards = [{"name": name, "person": person, "address": address} for name, person, address in rows]
    return {"contacts": [{key: value for key, value in card.items() if value is not None} for card in cards]}


async def remove(session: Session, frame: Frame) -> Mapping[str, Any]:
    """Take a name out of one's book."""
    own, name = myself(session), people.check_name(frames.text(frame, "name", most=200))

    def write(change: Change) -> None:
        row = change.db.execute(
            "DELETE FROM contact WHERE owner = ? AND name = ? RETURNING name", (own.person, name)
        ).fetchone()
        if row is None:
            raise Rejected("no_contact", "there is no such name in your book")

    await session.house.hub.store.write(write)
    return {}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "contacts.add": guarded(STAFF, add),
    "contacts.list": guarded(STAFF, show),
    "contacts.remove": guarded(STAFF, remove),
}
