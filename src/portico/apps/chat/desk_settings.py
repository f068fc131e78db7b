"""What operators set at the desk, as SQL: queues, who serves them, their hours; and answers that are kept ready.

In an answer `{{visitor.name}}` stands for the visitor's name; so do visitor.page, agent.name and queue.name for theirs.
"""

import re
from collections.abc import Mapping
from sqlite3 import Connection, IntegrityError
from typing import Any, Final, NamedTuple

from portico.apps.chat import cases, desk_router
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Rejected, check_text, dump
from portico.apps.chat.hours import next_opening, read_hours, write_hours
from portico.apps.chat.log import Change
from portico.apps.chat.people import check_name, person

MAX_CAPACITY: Final = 100
MAX_CANNED: Final = 500
MAX_SHORT: Final = 32
MAX_WELCOME: Final = 500
_PLACE: Final = re.compile(r"\{\{\s*([a-z]{1,16}\.[a-z]{1,16})\s*\}\}")


class Setting(NamedTuple):
    """A queue as it is to be. number: None for a new one. is_pull: nothing is offered, agents take."""

    number: int | None
    name: str
    is_pull: bool
    capacity: int
    greeting: str
    offline: str


def list_queues(db: Connection) -> list[dict[str, Any]]:
    """Return all queues. agents: who serves each by name, empty for all of them."""
    return [
        {
            "id": one.id,
            "name": one.name,
            "pull": one.is_pull,
            "capacity": one.capacity,
            "greeting": one.greeting,
            "offline": one.offline,
            "agents": [number for (number,) in db.execute(_NAMED, (one.id,))],
        }
        for one in desk_router.queues(db)
    ]


_NAMED: Final = "SELECT person FROM desk_member WHERE queue = ? ORDER BY person"


def describe(db: Connection, queue: int | None, now_ms: int) -> dict[str, Any]:
    """Return what a queue, the first for None, says of itself to who comes: open, opens, greeting, offline.

    opens: when it does, None where it is open, or stays closed. Raises Rejected "no_queue".
    """
    one = desk_router.queue_of(db, cases.find_queue(db, queue))
    opens_ms = next_opening(one.hours, now_ms)
    is_open = opens_ms == now_ms
    return {
        "open": is_open,
        "opens": None if is_open else opens_ms,
        "greeting": one.greeting,
        "offline": one.offline,
    }


def set_queue(change: Change, setting: Setting, agents: list[int]) -> int:
    """Make or change a queue; return its number.

    agents: who serves it, empty for all. Raises Rejected "bad_queue", "bad_person", "no_queue", "taken".
    """
    db, name = change.db, check_name(setting.name)
    if not 1 <= setting.capacity <= MAX_CAPACITY:
        raise Rejected("bad_queue", f"an agent has room for 1 to {MAX_CAPACITY} visitors at once")
    welcome, offline = (_short_text(text) for text in (setting.greeting, setting.offline))
    values = (name, int(setting.is_pull), setting.capacity, welcome, offline)
    try:
        if setting.number is None:
            query = "INSERT INTO desk_queue (name, is_pull, capacity, greeting, offline) VALUES (?, ?, ?, ?, ?)"
            number = int(db.execute(f"{query} RETURNING id", values).fetchone()[0])
        else:
            number = cases.find_queue(db, setting.number)
            query = "UPDATE desk_queue SET name = ?, is_pull = ?, capacity = ?, greeting = ?, offline = ? WHERE id = ?"
            db.execute(query, (*values, number))
    except IntegrityError as exc:
        raise Rejected("taken", f"there is a queue called {name} already") from exc
    if not all(cases.is_staff(db, one) for one in agents):
        raise Rejected("bad_person", "a queue is served by agents")
    db.execute("DELETE FROM desk_member WHERE queue = ?", (number,))
    db.executemany("INSERT INTO desk_member (queue, person) VALUES (?, ?)", [(number, one) for one in agents])
    return number


def get_hours(db: Connection, queue: int | None) -> dict[str, Any]:
    """Return the opening hours of a queue, of the first for None. Raises Rejected "no_queue"."""
    return write_hours(desk_router.queue_of(db, cases.find_queue(db, queue)).hours)


def set_hours(change: Change, queue: int | None, hours: object) -> None:
    """Set the opening hours of a queue. hours: see `read_hours`. Raises Rejected "bad_hours", "no_queue"."""
    number, text = cases.find_queue(change.db, queue), dump(write_hours(read_hours(hours)))
    change.db.execute("UPDATE desk_queue SET hours = ? WHERE id = ?", (text, number))


# Canned answers


def list_canned(db: Connection, values: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the answers kept ready. values: see `values_of`; where they are given, "filled" is the text with them."""
    rows = db.execute("SELECT id, short, title, text FROM desk_canned ORDER BY short").fetchall()
    found = [dict(zip(("id", "short", "title", "text"), row, strict=True)) for row in rows]
    return found if values is None else [{**one, "filled": fill(one["text"], values)} for one in found]


def set_canned(change: Change, number: int | None, short: str, title: str, text: str) -> int:
    """Keep an answer ready, or change one; return its number.

    short: what it is picked by. Raises Rejected "bad_canned", "taken", "full".
    """
    cleaned = short.strip().lstrip("/")
    if not 0 < len(cleaned) <= MAX_SHORT or not cleaned.isprintable() or " " in cleaned:
        raise Rejected("bad_canned", f"a shortcut has 1 to {MAX_SHORT} characters and no space")
    values = (cleaned, check_name(title), check_text(text))
    if not values[-1]:
        raise Rejected("bad_canned", "there is nothing in the answer")
    (count,) = change.db.execute("SELECT count(*) FROM desk_canned").fetchone()
    if number is None and count >= MAX_CANNED:
        raise Rejected("full", f"{MAX_CANNED} answers are kept ready already; remove one")
    try:
        if number is None:
            query = "INSERT INTO desk_canned (short, title, text) VALUES (?, ?, ?) RETURNING id"
            row = change.db.execute(query, values).fetchone()
        else:
            query = "UPDATE desk_canned SET short = ?, title = ?, text = ? WHERE id = ? RETURNING id"
            row = change.db.execute(query, (*values, number)).fetchone()
    except IntegrityError as exc:
        raise Rejected("taken", f"/{cleaned} is another answer's; choose another shortcut") from exc
    if row is None:
        raise Rejected("bad_canned", "there is no such answer")
    return int(row[0])


def remove_canned(change: Change, number: int) -> None:
    """Keep an answer no more. Raises Rejected "bad_canned"."""
    row = change.db.execute("DELETE FROM desk_canned WHERE id = ? RETURNING id", (number,)).fetchone()
    if row is None:
        raise Rejected("bad_canned", "there is no such answer")


def values_of(db: Connection, case: Case, agent: int) -> dict[str, str]:
    """Return what the places in an answer stand for in a case."""
    return {
        "visitor.name": person(db, case.visitor).name,
        "visitor.page": case.page,
        "agent.name": person(db, agent).name,
        "queue.name": desk_router.queue_of(db, case.queue).name,
    }


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in the places of a text, once: a value is not looked at again. Unknown places stay as they are."""
    return _PLACE.sub(lambda match: values.get(match[1], match[0]), text)


def _short_text(text: str) -> str:
    cleaned = check_text(text)
    if len(cleaned) > MAX_WELCOME:
        raise Rejected("bad_queue", f"a greeting has at most {MAX_WELCOME} characters")
    return cleaned
