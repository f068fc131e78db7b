"""One turn of the desk, as SQL around the decisions of `queue`: what has become due is done, in one transaction.

    turn
      messages in resting cases     the case, closed or put off, waits again
      cases put off until now       they wait again
      offers that nobody took       the agent is set away, the visitor waits on
      agents who are gone           cases whose visitor wrote last wait again, in front
      queue.route                   offers
    statuses                          what each waiting visitor is told: position, estimate, when the desk opens

In: who is connected, and for how long somebody is not. Out: whom to tell what. `desk` asks for a turn on every cause.
"""

import json
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat import cases, queue
from portico.apps.chat.cases import Case
from portico.apps.chat.hours import Hours, is_open, next_opening, read_hours
from portico.apps.chat.log import Change

OFFER_MS: Final = 20_000
AVAILABILITY: Final = ("available", "busy", "away")
_HANDLED: Final = 50  # recent cases that an estimate is made from
_WAITING: Final = "('queued', 'offered')"
_RESTING: Final = "('closed', 'snoozed')"

Status = Mapping[str, Any]


class View(NamedTuple):
    """What the database does not know. online: who is connected. gone: agents who have not been for too long.

    heard: resting cases in which something was said.
    """

    online: frozenset[int]
    gone: frozenset[int] = frozenset()
    heard: frozenset[int] = frozenset()


class Turn(NamedTuple):
    """What a turn has found. staff: all agents. owners: those with open cases. due_ms: when something is due."""

    staff: frozenset[int]
    owners: frozenset[int]
    due_ms: int | None


class Queue(NamedTuple):
    """One queue as operators have set it. is_pull: nothing is offered, agents take."""

    id: int
    name: str
    is_pull: bool
    capacity: int
    greeting: str
    offline: str
    hours: Hours


def queues(db: Connection) -> list[Queue]:
    """Return all queues."""
    rows = db.execute("SELECT id, name, is_pull, capacity, greeting, offline, hours FROM desk_queue ORDER BY id")
    return [_queue(*row) for row in rows]


def queue_of(db: Connection, number: int) -> Queue:
    """Return a queue, which there is."""
    return next(one for one in queues(db) if one.id == number)


def turn(change: Change, view: View) -> Turn:
    """Do what is due; see the module."""
    db = change.db
    for conversation in sorted(view.heard):
        _reopen(change, conversation)
    for case in _cases(db, "state = 'snoozed' AND due_ms <= ?", change.now_ms):
        cases.requeue(change, case, case.agent or case.visitor, why="woken")
    for case in _cases(db, "offered IS NOT NULL AND due_ms <= ?", change.now_ms):
        _expire(change, case)
    for agent in sorted(view.gone):
        _return_from(change, agent)
    agents = [agent for agent in _agents(db, view.online) if agent.load < max(agent.capacities.values(), default=0)]
    for offer in queue.route(_offerable(db, change.now_ms), agents) if agents else ():
        cases.offer(change, cases.find(db, offer.conversation), offer.agent, due_ms=change.now_ms + OFFER_MS)
    owners = frozenset(agent for (agent,) in db.execute("SELECT agent FROM desk_case WHERE state = 'open'"))
    (due_ms,) = db.execute("SELECT min(due_ms) FROM desk_case WHERE state IN ('offered', 'open', 'snoozed')").fetchone()
    return Turn(frozenset(staff(db)), owners, due_ms)


def resting(db: Connection) -> list[int]:
    """Return the cases that are closed or put off: what their visitors say is a cause."""
    rows = db.execute(f"SELECT conversation FROM desk_case WHERE state IN {_RESTING}")
    return [conversation for (conversation,) in rows]


def unheard(db: Connection) -> list[int]:
    """Return the resting cases in which the visitor has said something since: what was not heard before a restart."""
    rows = db.execute(
        f"SELECT conversation FROM desk_case AS one WHERE state IN {_RESTING} AND EXISTS (SELECT 1 FROM event "
        "WHERE event.conversation = one.conversation AND seq > closed_seq AND sender = visitor AND kind = 'msg')"
    )
    return [conversation for (conversation,) in rows]


def staff(db: Connection) -> dict[int, str]:
    """Return all agents, each with its availability: admins want no visitors until they say so."""
    rows = db.execute(
        "SELECT id, coalesce(state, CASE kind WHEN 'agent' THEN 'available' ELSE 'away' END) FROM person "
        "LEFT JOIN desk_availability ON person = id WHERE kind IN ('agent', 'admin') AND NOT is_disabled"
    )
    return dict(rows.fetchall())


def set_available(change: Change, agent: int, state: str, *, is_missed: bool = False) -> None:
    """Note whether an agent wants visitors. state: one of AVAILABILITY. is_missed: decided by an offer that ran out."""
    change.db.execute(
        "INSERT OR REPLACE INTO desk_availability (person, state, since_ms, is_missed) VALUES (?, ?, ?, ?)",
        (agent, state, change.now_ms, is_missed),
    )


def has_missed(db: Connection, agent: int) -> bool:
    """Tell whether an agent is away for an offer that ran out, and has not said anything about it since."""
    row = db.execute("SELECT is_missed FROM desk_availability WHERE person = ?", (agent,)).fetchone()
    return row is not None and bool(row[0])


def statuses(
    db: Connection, now_ms: int, online: frozenset[int], *, also: Iterable[int] = ()
) -> dict[int, tuple[int, Status]]:
    """Return each conversation that waits, and some others, with its visitor and what that one is told."""
    waiting = _cases(db, f"state IN {_WAITING}")
    places = queue.positions(_waiting(case) for case in waiting)
    others = [cases.find(db, conversation) for conversation in also if conversation not in places]
    ready = [agent for agent, state in staff(db).items() if state == "available" and agent in online]
    paces = {one.id: _pace(db, one, ready, now_ms) for one in queues(db)}
    return {
        case.conversation: (case.visitor, _status(db, case, places.get(case.conversation), paces[case.queue]))
        for case in [*waiting, *others]
    }


def load(db: Connection) -> dict[int, int]:
    """Return how many cases each agent has, those offered included."""
    rows = db.execute(
        "SELECT who, count(*) FROM (SELECT agent AS who FROM desk_case WHERE state = 'open' UNION ALL "
        "SELECT offered FROM desk_case WHERE state IN ('offered', 'open') AND offered IS NOT NULL) GROUP BY who"
    )
    return dict(rows.fetchall())


# What is due


def _reopen(change: Change, conversation: int) -> None:
    case = cases.find(change.db, conversation)
    said = change.db.execute(
        "SELECT 1 FROM event WHERE conversation = ? AND seq > ? AND sender = ? AND kind = 'msg'",
        (conversation, case.closed_seq, case.visitor),
    ).fetchone()
    if said is None:
        return
    if case.state == "closed":
        cases.reopen(change, case.visitor, case)
    elif case.state == "snoozed":
        cases.requeue(change, case, case.visitor, why="woken")


def _expire(change: Change, case: Case) -> None:
    cases.withdraw(change, case, why="expired")
    if case.state == "offered" and case.offered:  # whoever does not answer one visitor is not sent the next
        set_available(change, case.offered, "away", is_missed=True)


def _return_from(change: Change, agent: int) -> None:
    for case in _cases(change.db, "state = 'open' AND agent = ?", agent):
        row = change.db.execute(
            "SELECT sender FROM event WHERE conversation = ? AND kind = 'msg' ORDER BY seq DESC LIMIT 1",
            (case.conversation,),
        ).fetchone()
        if row is None or row[0] == case.visitor:
            cases.requeue(change, case, agent, why="returned")


def _queue(*row: Any) -> Queue:
    number, name, is_pull, capacity, greeting, offline, hours = row
    return Queue(number, name, bool(is_pull), capacity, greeting, offline, read_hours(json.loads(hours or "null")))


# The picture that decisions are made from


def _cases(db: Connection, condition: str, *values: int) -> list[Case]:
    rows = db.execute(f"SELECT {cases.COLUMNS} FROM desk_case WHERE {condition} ORDER BY conversation", values)
    return [Case(*row) for row in rows]


def _waiting(case: Case, refused: frozenset[int] = frozenset()) -> queue.Waiting:
    place = (case.conversation, case.queue, bool(case.is_first), case.queued_ms)
    return queue.Waiting(*place, previous=case.agent, refused=refused, priority=case.priority)


def _offerable(db: Connection, now_ms: int) -> list[queue.Waiting]:
    """Return who waits where something is offered now."""
    pushing = {one.id for one in queues(db) if not one.is_pull and is_open(one.hours, now_ms)}
    refused: dict[int, set[int]] = {}
    for conversation, person in db.execute(
        "SELECT conversation, person FROM desk_refusal WHERE until_ms > ?", (now_ms,)
    ):
        refused.setdefault(conversation, set()).add(person)
    waiting = [case for case in _cases(db, "state = 'queued'") if case.queue in pushing]
    return [_waiting(case, frozenset(refused.get(case.conversation, ()))) for case in waiting]


def _agents(db: Connection, online: frozenset[int]) -> list[queue.Agent]:
    loads, served = load(db), "SELECT coalesce(max(opened_ms), 0) FROM desk_case WHERE agent = ?"
    asked = {person for (person,) in db.execute("SELECT offered FROM desk_case WHERE offered IS NOT NULL")}
    found = []
    for person, state in staff(db).items():
        if state == "available" and person in online:
            capacities = {one.id: one.capacity for one in queues(db) if cases.serves(db, person, one.id)}
            (served_ms,) = db.execute(served, (person,)).fetchone()
            found.append(queue.Agent(person, capacities, loads.get(person, 0), served_ms, person in asked))
    return found


class _Pace(NamedTuple):
    """How fast a queue moves. handled_ms: how long recent cases took. agents: how many serve it now.

    opens_ms: when it opens, None for one that is open, or stays closed.
    """

    handled_ms: list[int]
    agents: int
    is_open: bool
    opens_ms: int | None


def _pace(db: Connection, one: Queue, ready: Iterable[int], now_ms: int) -> _Pace:
    rows = db.execute(
        "SELECT closed_ms - opened_ms FROM desk_case WHERE state = 'closed' AND queue = ? AND opened_ms IS NOT NULL "
        f"ORDER BY closed_ms DESC LIMIT {_HANDLED}",
        (one.id,),
    )
    agents = sum(cases.serves(db, person, one.id) for person in ready)
    opens_ms = next_opening(one.hours, now_ms)
    is_now = opens_ms == now_ms
    return _Pace([took for (took,) in rows], agents, is_now, None if is_now else opens_ms)


def _status(db: Connection, case: Case, place: int | None, pace: _Pace) -> Status:
    name = None
    if case.state == "open":
        (name,) = db.execute("SELECT name FROM person WHERE id = ?", (case.agent,)).fetchone()
    return {
        "state": "queued" if case.state == "offered" else case.state,
        "pos": place,
        "eta": None if place is None else queue.estimate_s(place, pace.handled_ms, pace.agents),
        "agent": case.agent if case.state == "open" else None,
        "name": name,
        "open": pace.is_open,
        "opens": pace.opens_ms,
        "score": case.score,
    }
