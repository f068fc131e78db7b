"""What is read from the desk: lists for agents, figures. SQL, and nothing that changes anything.

Whoever serves a queue sees that its cases are there, with the last line of each, and may read them as text; see
`transcript`.
"""

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from statistics import median
from typing import Any, Final

from portico.apps.chat import cases, desk_router
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Rejected

MAX_ITEMS: Final = 200
_EXCERPT: Final = 120
_DAY_MS: Final = 86_400_000
_EARLIER: Final = 5
_MAX_CASES: Final = 5_000  # that figures are made from

# What is in each list, and in which order. ":me" is who asks; whose queue is no business of theirs is left out behind.
_TABS: Final = {
    "mine": "(state IN ('open', 'snoozed') AND agent = :me) OR offered = :me "
    "ORDER BY state = 'snoozed', opened_ms, conversation",
    "queue": "state IN ('queued', 'offered') ORDER BY priority DESC, is_first DESC, queued_ms, conversation",
    "all": "state != 'closed' ORDER BY queued_ms, conversation",
    "closed": "state = 'closed' ORDER BY closed_ms DESC, conversation DESC",
}


def items(db: Connection, agent: int, tab: str) -> list[dict[str, Any]]:
    """Return one of the lists of an agent, at most MAX_ITEMS cases. Raises Rejected "bad_tab"."""
    if tab not in _TABS:
        raise Rejected("bad_tab", f"the lists are {', '.join(_TABS)}")
    served = ", ".join(str(one.id) for one in desk_router.queues(db) if cases.serves(db, agent, one.id)) or "0"
    condition, order, rest = _TABS[tab].partition(" ORDER BY")
    rows = db.execute(
        f"SELECT {cases.COLUMNS} FROM desk_case WHERE ({condition}) "
        f"AND (queue IN ({served}) OR agent = :me OR offered = :me){order}{rest} LIMIT {MAX_ITEMS}",
        {"me": agent},
    ).fetchall()
    return [item(db, Case(*row)) for row in rows]


def item(db: Connection, case: Case) -> dict[str, Any]:
    """Return a case as lists show it. staff: the conversation with its notes."""
    (head,) = db.execute("SELECT head FROM conversation WHERE id = ?", (case.conversation,)).fetchone()
    return {
        "c": case.conversation,
        "staff": case.staff,
        "state": case.state,
        "rev": case.revision,
        "queue": case.queue,
        "visitor": _person(db, case.visitor),
        "agent": _person(db, case.agent),
        "offered": _person(db, case.offered),
        "due": case.due_ms,
        "since": case.closed_ms if case.state == "closed" else case.queued_ms,
        "first": bool(case.is_first),
        "priority": case.priority,
        "page": case.page,
        "contact": case.contact,
        "score": case.score,
        "comment": case.comment,
        "head": head,
        "last": _last(db, case),
        "earlier": _earlier(db, case),
    }


def figures(db: Connection, agent: int, now_ms: int, online: frozenset[int]) -> dict[str, Any]:
    """Return the figures of the queues that an agent serves: now, and of the cases of the last 24 hours.

    Times are whole seconds, None where there is nothing to tell them from.
    """
    served = [one for one in desk_router.queues(db) if cases.serves(db, agent, one.id)]
    recent = _recent(db, now_ms - _DAY_MS)
    waiting = _waiting_since(db)
    return {
        "queues": [
            {
                "id": one.id,
                "name": one.name,
                "waiting": len(waiting.get(one.id, ())),
                "longest_s": max(((now_ms - since) // 1000 for since in waiting.get(one.id, ())), default=None),
                "day": _day(db, [case for case in recent if case.queue == one.id]),
            }
            for one in served
        ],
        "agents": agents(db, online),
    }


def agents(db: Connection, online: frozenset[int]) -> list[dict[str, Any]]:
    """Return all agents, with whether they are there, want visitors, and how many they have."""
    loads = desk_router.load(db)
    return [
        {**_person(db, number), "online": number in online, "available": state, "load": loads.get(number, 0)}
        for number, state in desk_router.staff(db).items()
    ]


def _person(db: Connection, number: int | None) -> Any:
    row = db.execute("SELECT id, name, language FROM person WHERE id = ?", (number,)).fetchone()
    return None if row is None else dict(zip(("id", "name", "lang"), row, strict=True))


def _last(db: Connection, case: Case) -> dict[str, Any] | None:
    row = db.execute(
        "SELECT seq, at_ms, sender, body FROM event WHERE conversation = ? AND kind = 'msg' AND body != '{}' "
        "ORDER BY seq DESC LIMIT 1",
        (case.conversation,),
    ).fetchone()
    if row is None:
        return None
    return {"s": row[0], "at": row[1], "f": row[2], "text": json.loads(row[3])["text"][:_EXCERPT]}


def _earlier(db: Connection, case: Case) -> list[int]:
    rows = db.execute(
        "SELECT conversation FROM desk_case WHERE visitor = ? AND queue = ? AND conversation < ? "
        "ORDER BY conversation DESC LIMIT ?",
        (case.visitor, case.queue, case.conversation, _EARLIER),
    )
    return [conversation for (conversation,) in rows]


def _waiting_since(db: Connection) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, since in db.execute("SELECT queue, queued_ms FROM desk_case WHERE state IN ('queued', 'offered')"):
        found.setdefault(number, []).append(since)
    return found


def _recent(db: Connection, since_ms: int) -> list[Case]:
    columns = ", ".join(f"desk_case.{name}" for name in Case._fields)
    rows = db.execute(
        f"SELECT {columns} FROM desk_case JOIN conversation ON id = desk_case.conversation WHERE made_ms >= ? "
        "ORDER BY desk_case.conversation DESC LIMIT ?",
        (since_ms, _MAX_CASES),
    )
    return [Case(*row) for row in rows]


def _day(db: Connection, found: Sequence[Case]) -> dict[str, Any]:
    """Return the figures of some cases. missed: closed without any agent."""
    closed = [case for case in found if case.closed_ms is not None]
    replies = sorted(filter(None, (_first_reply_ms(db, case) for case in found)))
    scores = [case.score for case in found if case.score is not None]
    return {
        "started": len(found),
        "answered": len(replies),
        "missed": sum(case.opened_ms is None for case in closed),
        "reply_p50_s": _seconds(replies, 0.5),
        "reply_p90_s": _seconds(replies, 0.9),
        "handled_s": _median_s((case.closed_ms or 0) - case.opened_ms for case in closed if case.opened_ms is not None),
        "ratings": len(scores),
        "rating": round(sum(scores) / len(scores), 2) if scores else None,
    }


def _first_reply_ms(db: Connection, case: Case) -> int | None:
    """Return how long a visitor waited for the first answer, None where there is none."""
    row = db.execute(
        "SELECT min(at_ms) - made_ms FROM event JOIN conversation ON id = event.conversation "
        "WHERE event.conversation = ? AND event.kind = 'msg' AND sender != ?",
        (case.conversation, case.visitor),
    ).fetchone()
    return None if row is None or row[0] is None else max(1, int(row[0]))


def _seconds(ordered_ms: Sequence[int], share: float) -> int | None:
    """Return the value at a share of an ordered list, in seconds: the nearest rank."""
    return round(ordered_ms[round(share * (len(ordered_ms) - 1))] / 1000) if ordered_ms else None


def _median_s(values_ms: Iterable[int]) -> int | None:
    found = list(values_ms)
    return round(median(found) / 1000) if found else None
