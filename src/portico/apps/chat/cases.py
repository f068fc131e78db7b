"""Cases: the conversations of visitors with the desk, and every way in which one changes, as SQL.

    queued -> offered -> open -> closed        offered: one agent has until due_ms to accept
       ^---------'---------'-------'           refused, returned, transferred to a queue, reopened
       '------- snoozed <--'                   put off: until due_ms, or until the visitor says something

A case has two logs. What the visitor reads:

    state     {"state": "queued" | "snoozed" | "closed", "why": "started" | "returned" | "reopened" | "transferred" |
              "woken"}
    assign    {"agent": id}: open, with that agent; "from": who had it, where it was handed over
    transfer  {"queue": id}
    rating    {"score": 1..5, "text": ...}

And what only the staff reads, a conversation of its own: notes as `msg`; `state` {"state": "offered" | "refused",
"agent": id, "why": "declined" | "expired"}; `transfer` {"agent": id} before such an offer; `snooze` {"until": ms};
`priority` {"priority": number}. Each change of the row and its event are one transaction.

Invariants: nobody but staff is ever a member of `Case.staff`; at most one agent is a member of the conversation, the
one who has the case; `revision` counts the changes of who has it, so that of two agents who claim it one learns of the
other.
"""

from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat import log, people, rooms
from portico.apps.chat.events import Claim, Entry, Event, Rejected, check, dump
from portico.apps.chat.log import Appended, Change

STAFF: Final = ("agent", "admin")
REFUSED_MS: Final = 120_000  # for which somebody is not asked again
MAX_PAGE: Final = 500
MAX_CONTACT: Final = 200
MAX_COMMENT: Final = 1_000
MAX_SNOOZE_MS: Final = 92 * 86_400_000
PRIORITIES: Final = (-1, 0, 1, 2)  # low, normal, high, urgent
VIA: Final = "desk"


class Case(NamedTuple):
    """One case. agent: who has it while it is open, otherwise who had it last. offered: who is asked to take it.

    is_first: goes in front of the queue. closed_seq: of the event that closed it, or put it off, last. due_ms: when an
    offer ends, or a case that was put off comes back.
    """

    conversation: int
    staff: int
    queue: int
    visitor: int
    state: str
    revision: int
    agent: int | None
    offered: int | None
    due_ms: int | None
    is_first: int
    page: str
    contact: str
    queued_ms: int
    opened_ms: int | None
    closed_ms: int | None
    closed_seq: int | None
    score: int | None
    comment: str
    priority: int


COLUMNS: Final = ", ".join(Case._fields)
_SET: Final = ", ".join(f"{name} = :{name}" for name in Case._fields if name != "conversation")


# Finding


def find(db: Connection, conversation: int) -> Case:
    """Return a case. Raises Rejected "no_case"."""
    row = db.execute(f"SELECT {COLUMNS} FROM desk_case WHERE conversation = ?", (conversation,)).fetchone()
    if row is None:
        raise _no_case()
    return Case(*row)


def find_for(db: Connection, person: int, conversation: int) -> Case:
    """Return a case to its visitor, or to somebody who serves its queue; to others it is not there."""
    case = find(db, conversation)
    return case if case.visitor == person else find_to_serve(db, person, conversation)


def find_to_serve(db: Connection, person: int, conversation: int) -> Case:
    """Return a case to staff who serve its queue, have it, or are asked to take it. Raises Rejected "no_case"."""
    case = find(db, conversation)
    is_theirs = person in (case.agent, case.offered) and is_staff(db, person)
    if not is_theirs and not serves(db, person, case.queue):
        raise _no_case()
    return case


def is_staff(db: Connection, person: int) -> bool:
    """Tell whether a person is an agent or an admin."""
    row = db.execute("SELECT kind FROM person WHERE id = ? AND NOT is_disabled", (person,)).fetchone()
    return row is not None and row[0] in STAFF


def serves(db: Connection, person: int, queue: int) -> bool:
    """Tell whether a person serves a queue: admins all, agents those they are named in and those that name nobody."""
    if not is_staff(db, person):
        return False
    named = {name for (name,) in db.execute("SELECT person FROM desk_member WHERE queue = ?", (queue,))}
    return not named or person in named or people.person(db, person).kind == "admin"


def check_staff(db: Connection, person: int) -> None:
    """Raise Rejected "forbidden" for whoever is no agent."""
    if not is_staff(db, person):
        raise Rejected("forbidden", "this is for the agents of the desk")


def unfinished(db: Connection, visitor: int) -> Case | None:
    """Return a visitor's last case that is not closed, None where there is none."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM desk_case WHERE visitor = ? AND state != 'closed' ORDER BY conversation DESC LIMIT 1",
        (visitor,),
    ).fetchone()
    return None if row is None else Case(*row)


def find_queue(db: Connection, queue: int | None) -> int:
    """Return the number of a queue, of the first for None. Raises Rejected "no_queue"."""
    query = "SELECT id FROM desk_queue WHERE id = coalesce(?, id) ORDER BY id LIMIT 1"
    row = db.execute(query, (queue,)).fetchone()
    if row is None:
        raise Rejected("no_queue", "there is no such queue")
    return int(row[0])


def _no_case() -> Rejected:
    return Rejected("no_case", "there is no visitor's conversation of this number")


# The visitor's side


def start(change: Change, visitor: int, *, queue: int | None = None, page: str = "", contact: str = "") -> Case:
    """Make a case that waits in a queue; return it, or the one that the visitor has and that is not closed.

    queue: None for the first one. page: where the visitor came from. Raises Rejected "no_queue", "forbidden".
    """
    known = unfinished(change.db, visitor)
    if known is not None:
        return _write(change, known._replace(contact=contact or known.contact, page=page or known.page))
    who = people.person(change.db, visitor)
    if who.kind in STAFF:
        raise Rejected("forbidden", "agents answer at the desk; they do not ask there")
    number = find_queue(change.db, queue)
    conversation = rooms.make_conversation(change, "desk", title=who.name)
    staff = rooms.make_conversation(change, "staff", title=who.name, parent=conversation)
    now_ms = change.now_ms
    empty = (None, None, None, 0, page, contact, now_ms, None, None, None, None, "", 0)
    case = Case(conversation, staff, number, visitor, "queued", 1, *empty)
    marks = ", ".join("?" * len(case))
    change.db.execute(f"INSERT INTO desk_case ({COLUMNS}) VALUES ({marks})", case)
    rooms.add_member(change, conversation, visitor, by=visitor)
    _tell(change, conversation, "state", visitor, state="queued", why="started")
    return case


def rename(change: Change, visitor: int, name: str) -> None:
    """Give a visitor the name that was entered in a form. Raises Rejected "bad_name"."""
    change.db.execute(
        "UPDATE person SET name = ? WHERE id = ? AND kind = 'visitor'", (people.check_name(name), visitor)
    )


def rate(change: Change, visitor: int, conversation: int, score: int, comment: str = "") -> Case:
    """Rate a closed case, 1 to 5; the last rating counts. Raises Rejected."""
    case = find(change.db, conversation)
    if case.visitor != visitor:
        raise _no_case()
    if not 1 <= score <= 5 or len(comment) > MAX_COMMENT:
        raise Rejected("bad_rating", f"a rating is 1 to 5, with at most {MAX_COMMENT} characters beside it")
    if case.state != "closed":
        raise Rejected("not_closed", "a conversation is rated when it is over")
    if (case.score, case.comment) == (score, comment):
        return case
    _tell(change, conversation, "rating", visitor, score=score, text=comment)
    return _write(change, case._replace(score=score, comment=comment))


# The agents' side


def take(change: Change, agent: int, conversation: int, revision: int) -> Case:
    """Claim a case that waits. revision: of the case as the agent saw it.

    Raises Rejected: "taken" says by whom, "stale" for a case that has changed, "closed", "no_case".
    """
    case = find_to_serve(change.db, agent, conversation)
    if case.state == "open" and case.agent == agent:
        return case
    _check_is_free(change.db, case)
    check_revision(case, revision)
    return _give(change, case, agent)


def offer(change: Change, case: Case, agent: int, *, due_ms: int) -> Case:
    """Ask an agent to take a case. One that is open stays with who has it until then."""
    _tell(change, case.staff, "state", agent, state="offered", agent=agent)
    state = "open" if case.state == "open" else "offered"
    return _write(change, case._replace(state=state, offered=agent, due_ms=due_ms))


def accept(change: Change, agent: int, conversation: int) -> Case:
    """Take the case that one was asked to take. Raises Rejected: "taken" says by whom, "not_offered", "no_case"."""
    case = find_to_serve(change.db, agent, conversation)
    if case.state == "open" and case.agent == agent:
        return case
    if case.offered != agent:
        _check_is_free(change.db, case)
        raise Rejected("not_offered", "the offer is over; the visitor is still in the queue")
    return _give(change, case, agent)


def refuse(change: Change, agent: int, conversation: int) -> Case:
    """Let an offer pass; who did is not asked again for a while. Raises Rejected "not_offered", "no_case"."""
    case = find_to_serve(change.db, agent, conversation)
    if case.offered != agent:
        raise Rejected("not_offered", "the offer is over")
    return withdraw(change, case, why="declined")


def withdraw(change: Change, case: Case, *, why: str) -> Case:
    """End the offer of a case, which there is.

    why: declined, and not asked for again for a while; expired: who has not looked is asked again when back.
    """
    agent = case.offered or 0
    if why == "declined":
        change.db.execute(
            "INSERT OR REPLACE INTO desk_refusal (conversation, person, until_ms) VALUES (?, ?, ?)",
            (case.conversation, agent, change.now_ms + REFUSED_MS),
        )
    _tell(change, case.staff, "state", agent, state="refused", agent=agent, why=why)
    state = "open" if case.state == "open" else "queued"
    return _write(change, case._replace(state=state, offered=None, due_ms=None))


def transfer_to_agent(change: Change, by: int, case: Case, to: int, *, due_ms: int) -> Case:
    """Ask a colleague to take an open case over; until then it stays where it is. Raises Rejected "bad_person"."""
    if to == case.agent or not is_staff(change.db, to):
        raise Rejected("bad_person", "a case goes to another agent")
    _tell(change, case.staff, "transfer", by, agent=to)
    return offer(change, case, to, due_ms=due_ms)


def transfer_to_queue(change: Change, by: int, case: Case, queue: int) -> Case:
    """Put an open case into a queue, where it waits. Raises Rejected "no_queue"."""
    number = find_queue(change.db, queue)
    _tell(change, case.conversation, "transfer", by, queue=number)
    return requeue(change, case._replace(queue=number), by, why="transferred")


def requeue(change: Change, case: Case, by: int, *, why: str) -> Case:
    """Have a case wait again.

    why: returned (its agent has gone: in front, as long as ever), woken (in front, from now), reopened, transferred.
    """
    _tell(change, case.conversation, "state", by, state="queued", why=why)
    _clear(change, case, by, keep=None)
    is_first = why in ("returned", "woken")
    queued_ms = case.queued_ms if why == "returned" else change.now_ms
    changed = case._replace(state="queued", is_first=int(is_first), queued_ms=queued_ms, offered=None, due_ms=None)
    return _write(change, changed._replace(revision=case.revision + 1))


def snooze(change: Change, agent: int, case: Case, until_ms: int) -> Case:
    """Put an open case off: it waits again, in front, at a time, or as soon as its visitor says something.

    Whoever puts it off is asked first when it comes back. Raises Rejected "bad_until".
    """
    if not change.now_ms < until_ms <= change.now_ms + MAX_SNOOZE_MS:
        raise Rejected("bad_until", f"a case is put off for at most {MAX_SNOOZE_MS // 86_400_000} days from now")
    _tell(change, case.staff, "snooze", agent, until=until_ms)
    event = _tell(change, case.conversation, "state", agent, state="snoozed")
    _clear(change, case, agent, keep=None)
    changed = case._replace(state="snoozed", agent=agent, offered=None, due_ms=until_ms, is_first=0)
    return _write(change, changed._replace(closed_seq=event.seq, revision=case.revision + 1))


def set_priority(change: Change, agent: int, case: Case, priority: int) -> Case:
    """Say how much a case matters: before whom it is served. Raises Rejected "bad_priority"."""
    if priority not in PRIORITIES:
        raise Rejected("bad_priority", f"a priority is one of {', '.join(map(str, PRIORITIES))}")
    if priority == case.priority:
        return case
    _tell(change, case.staff, "priority", agent, priority=priority)
    return _write(change, case._replace(priority=priority))


def close(change: Change, by: int, case: Case) -> Case:
    """End a case; its agent leaves it. A message of the visitor opens it again."""
    event = _tell(change, case.conversation, "state", by, state="closed")
    _clear(change, case, by, keep=None)
    changed = case._replace(state="closed", offered=None, due_ms=None, is_first=0)
    ended = changed._replace(closed_ms=change.now_ms, closed_seq=event.seq, revision=case.revision + 1)
    return _write(change, ended)


def reopen(change: Change, by: int, case: Case) -> Case:
    """Open a closed case again: for an agent, who has it then, or for its visitor, who waits. Raises Rejected."""
    if case.state != "closed":
        raise Rejected("not_closed", "the conversation is not over")
    if by == case.visitor:
        return requeue(change, case, by, why="reopened")
    return _give(change, case, by)


def dismiss(change: Change, agent: int) -> None:
    """Take somebody who is no agent any more out of the desk: visitors wait again, and no log of theirs can be read."""
    db = change.db
    for row in db.execute(f"SELECT {COLUMNS} FROM desk_case WHERE offered = ?", (agent,)).fetchall():
        withdraw(change, Case(*row), why="declined")
    for row in db.execute(f"SELECT {COLUMNS} FROM desk_case WHERE state = 'open' AND agent = ?", (agent,)).fetchall():
        requeue(change, Case(*row), agent, why="returned")
    db.execute(
        "DELETE FROM member WHERE person = :who AND conversation IN "
        "(SELECT staff FROM desk_case UNION SELECT conversation FROM desk_case WHERE visitor != :who)",
        {"who": agent},
    )


def note(change: Change, agent: int, case: Case, text: str, *, cid: str | None = None) -> Appended:
    """Write something that only the staff reads. cid: see `log.append`. Raises Rejected."""
    _enter(change, case.staff, agent)
    return log.append(change, check(Claim(case.staff, "msg", {"text": text}, None, cid), agent, VIA))


def check_revision(case: Case, revision: int) -> None:
    """Raise Rejected "stale" where somebody has decided something since."""
    if case.revision != revision:
        raise Rejected("stale", "the conversation has changed meanwhile; look at it again")


def _check_is_free(db: Connection, case: Case) -> None:
    if case.state == "closed":
        raise Rejected("closed", "the conversation is over; reopen it")
    if case.state == "open" and case.agent is not None:
        raise Rejected("taken", f"taken by {people.person(db, case.agent).name}")


# Steps


def _give(change: Change, case: Case, agent: int) -> Case:
    """Have an agent have a case, and nobody else."""
    _enter(change, case.conversation, agent)
    _enter(change, case.staff, agent)
    origin = {"from": case.agent} if case.state == "open" else {}
    _tell(change, case.conversation, "assign", agent, agent=agent, **origin)
    _clear(change, case, agent, keep=agent)
    changed = case._replace(state="open", agent=agent, offered=None, due_ms=None, is_first=0)
    return _write(change, changed._replace(opened_ms=change.now_ms, revision=case.revision + 1))


def _enter(change: Change, conversation: int, agent: int) -> None:
    member = log.membership(change.db, conversation, agent)
    if member is None or member.until is not None:
        rooms.add_member(change, conversation, agent, by=agent)


def _clear(change: Change, case: Case, by: int, *, keep: int | None) -> None:
    """Take the staff out of both logs, but for one, and forget who refused the case."""
    for conversation in (case.conversation, case.staff):
        members = change.db.execute(
            "SELECT person FROM member WHERE conversation = ? AND until IS NULL AND person NOT IN (?, ?)",
            (conversation, case.visitor, keep or 0),
        ).fetchall()
        for (person,) in members:
            rooms.remove_member(change, conversation, person, by=person if conversation == case.staff else by)
    change.db.execute("DELETE FROM desk_refusal WHERE conversation = ?", (case.conversation,))


def _tell(change: Change, conversation: int, kind: str, by: int, **body: Any) -> Event:
    return log.put(change, Entry(conversation, by, kind, dump(body), via=VIA))


def _write(change: Change, case: Case) -> Case:
    change.db.execute(f"UPDATE desk_case SET {_SET} WHERE conversation = :conversation", case._asdict())
    return case
