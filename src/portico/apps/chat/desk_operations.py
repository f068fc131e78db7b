"""What `ask` can ask of the desk: a table, name to function, as `operations` has it for the rest of the chat.

    operations(desk)              the table, for one desk
    Session -> operation(session, frame) -> members of the answer

    visitors    desk.status {c?} desk.start {queue?,name?,page?} desk.form {text,name?,contact?,page?,queue?,cid?}
                desk.rate {c,score,text?} desk.close {c} desk.reopen {c} desk.transcript {c}
    agents      desk.list {tab} desk.take {c,rev} desk.accept desk.decline {c} desk.transfer {c,rev, to | queue}
                desk.snooze {c,rev,until} desk.priority {c,priority}
                desk.close {c,rev} desk.reopen {c} desk.note {c,text,cid?} desk.transcript {c} desk.available {state?}
                desk.agents desk.stats desk.queues.list
                desk.canned.list {c?} desk.canned.set {canned?,short,title?,text} desk.canned.remove {canned}
    admins      desk.queues.set {queue?,name,pull?,capacity?,greeting?,offline?,agents?}
                desk.hours.get {queue?} desk.hours.set {queue?,hours}

Who may is decided in the database, in the transaction of what is asked for.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from sqlite3 import Connection
from typing import Any, Final

from portico.apps.chat import audit, cases, desk_reports, desk_router, desk_settings, frames, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.desk import Desk
from portico.apps.chat.events import MAX_CID, MAX_TEXT, Claim, Rejected, check
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.log import Change
from portico.apps.chat.operations import flag, myself, numbers
from portico.apps.chat.session import Operation, Session
from portico.apps.chat.transcript import write as write_transcript

Answer = Mapping[str, Any]
DeskOperation = Callable[[Desk, Session, Frame], Awaitable[Answer]]
_MAX_ADDRESS: Final = 4_000  # that is taken; the first cases.MAX_PAGE characters are kept
_MAX_WORD: Final = 200


def operations(desk: Desk) -> dict[str, Operation]:
    """Return what can be asked of a desk, by name."""
    return {name: partial(operation, desk) for name, operation in OPERATIONS.items()}


# Visitors


async def status(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Say whether the desk is open; and how a case of one's own stands: `c`, or else the last that is not closed."""
    own, now_ms, online = myself(session).person, desk.hub.store.now_ms(), frozenset(desk.hub.readers)
    asked = _optional(frame, "c")
    queue = _optional(frame, "queue")

    def read(db: Connection) -> Answer:
        case = cases.unfinished(db, own) if asked is None else cases.find_for(db, own, asked)
        number = case.queue if case is not None else cases.find_queue(db, queue)
        ready = [agent for agent, state in desk_router.staff(db).items() if agent in online and state == "available"]
        there = sum(cases.serves(db, agent, number) for agent in ready)
        found = desk_settings.describe(db, number, now_ms)
        return {**found, "queue": number, "agents": there, **_standing(db, case, now_ms, online)}

    return await desk.hub.store.read(read)


async def start(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Wait for an agent: in the conversation that is not over, or in a new one."""
    own = myself(session).person
    name, page = _name(frame), _page(frame)
    queue = _optional(frame, "queue")
    await _check_start(desk, session)

    def write(change: Change) -> Answer:
        if name is not None:
            cases.rename(change, own, name)
        case = cases.start(change, own, queue=queue, page=page)
        return {"c": case.conversation, **_standing(change.db, case, change.now_ms, frozenset(desk.hub.readers))}

    return await desk.hub.store.write(write)


async def form(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Leave a message, outside the hours as well: it waits in the queue and is answered in the same conversation."""
    own, cid = myself(session).person, _cid(frame)
    text = frames.text(frame, "text", most=MAX_TEXT)
    contact, name, page = _line(frame, "contact", most=cases.MAX_CONTACT), _name(frame), _page(frame)
    queue = _optional(frame, "queue")
    await _check_start(desk, session)

    def write(change: Change) -> Answer:
        if name is not None:
            cases.rename(change, own, name)
        case = cases.start(change, own, queue=queue, page=page, contact=contact)
        entry = check(Claim(case.conversation, "msg", {"text": text}, None, cid), own, cases.VIA)
        event, _ = log.append(change, entry)
        return {"c": case.conversation, "s": event.seq, **_standing(change.db, case, change.now_ms, frozenset())}

    return await desk.hub.store.write(write)


async def _check_start(desk: Desk, session: Session) -> None:
    """Raise Rejected "rate" for one new conversation after the other: each of them is somebody's work."""
    me = myself(session)
    if await desk.hub.store.read(lambda db: cases.unfinished(db, me.person)) is None:
        wait_s = session.house.may(me, "start")
        if wait_s:
            raise Rejected("rate", "too many conversations; go on with the last one", retry_s=wait_s)


async def rate(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Say how it was."""
    own, conversation, score = myself(session).person, number(frame, "c"), number(frame, "score")
    comment = _line(frame, "text", most=cases.MAX_COMMENT)
    await desk.hub.store.write(lambda change: cases.rate(change, own, conversation, score, comment))
    return {}


def _standing(db: Connection, case: Case | None, now_ms: int, online: frozenset[int]) -> Answer:
    if case is None:
        return {}
    known = desk_router.statuses(db, now_ms, online, also=[case.conversation])
    return {"c": case.conversation, "desk": known[case.conversation][1]}


# Agents


async def list_cases(desk: Desk, session: Session, frame: Frame) -> Answer:
    """List cases: one's own, those that wait, all, those closed. missed: one is away for an offer that ran out."""
    own, tab = myself(session).person, frames.text(frame, "tab", most=16, default="mine")

    def read(db: Connection) -> Answer:
        cases.check_staff(db, own)
        standing = {"available": desk_router.staff(db)[own], "missed": desk_router.has_missed(db, own)}
        return {"items": desk_reports.items(db, own, tab), **standing}

    found = await desk.hub.store.read(read)
    desk.greet(own)
    return found


async def take(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Claim a case."""
    conversation, revision = number(frame, "c"), number(frame, "rev", least=0)
    return await _change(desk, lambda change: cases.take(change, myself(session).person, conversation, revision))


async def accept(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Take what one is offered."""
    conversation = number(frame, "c")
    return await _change(desk, lambda change: cases.accept(change, myself(session).person, conversation))


async def decline(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Do not take what one is offered."""
    conversation = number(frame, "c")
    return await _change(desk, lambda change: cases.refuse(change, myself(session).person, conversation))


async def transfer(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Hand a case on: to an agent, who is asked first, or to a queue."""
    own, conversation, revision = myself(session).person, number(frame, "c"), number(frame, "rev", least=0)
    to, queue = _optional(frame, "to"), _optional(frame, "queue")
    if (to is None) == (queue is None):
        raise Rejected("proto", "a transfer is either to an agent or to a queue")
    if to is not None and to not in desk.hub.readers:
        raise Rejected("not_here", "the colleague is not connected; choose another, or a queue")

    def write(change: Change) -> Case:
        case = _owned(change.db, own, conversation)
        cases.check_revision(case, revision)
        if queue is not None:
            return cases.transfer_to_queue(change, own, case, queue)
        return cases.transfer_to_agent(change, own, case, to or 0, due_ms=change.now_ms + desk_router.OFFER_MS)

    return await _change(desk, write)


async def close(desk: Desk, session: Session, frame: Frame) -> Answer:
    """End a case: its agent, anybody who serves the queue where nobody has it, or its visitor."""
    own, conversation = myself(session).person, number(frame, "c")
    revision = _optional(frame, "rev")

    def write(change: Change) -> Case:
        case = cases.find_for(change.db, own, conversation)
        if case.state == "closed":
            return case
        if case.visitor != own:
            if case.state == "open":
                _owned(change.db, own, conversation)
            cases.check_revision(case, -1 if revision is None else revision)
        return cases.close(change, own, case)

    return await _change(desk, write)


async def snooze(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Put a case off until a time, in milliseconds since 1970, or until its visitor says something."""
    own, conversation, until_ms = myself(session).person, number(frame, "c"), number(frame, "until")
    revision = number(frame, "rev", least=0)

    def write(change: Change) -> Case:
        case = _owned(change.db, own, conversation)
        cases.check_revision(case, revision)
        return cases.snooze(change, own, case, until_ms)

    return await _change(desk, write)


async def prioritise(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Say how much a case matters."""
    own, conversation, priority = myself(session).person, number(frame, "c"), frame.get("priority")
    if not isinstance(priority, int):
        raise Rejected("bad_priority", "a priority is a number")

    def write(change: Change) -> Case:
        return cases.set_priority(change, own, cases.find_to_serve(change.db, own, conversation), priority)

    return await _change(desk, write)


async def reopen(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Go on with a case that is over."""
    own, conversation = myself(session).person, number(frame, "c")
    return await _change(desk, lambda change: cases.reopen(change, own, cases.find_for(change.db, own, conversation)))


async def note(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Write down what only the staff reads."""
    own, conversation, cid = myself(session).person, number(frame, "c"), _cid(frame)
    text = frames.text(frame, "text", most=MAX_TEXT)

    def write(change: Change) -> Answer:
        case = cases.find_to_serve(change.db, own, conversation)
        event, is_repeat = cases.note(change, own, case, text, cid=cid)
        return {"c": case.staff, "s": event.seq, "at": event.at_ms, "dup": is_repeat}

    return await desk.hub.store.write(write)


async def transcript(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Return what was said, as text, in the language of the visitor."""
    own, conversation = myself(session).person, number(frame, "c")
    text = await desk.hub.store.read_long(lambda db: write_transcript(db, cases.find_for(db, own, conversation)))
    return {"text": text}


async def available(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Say, or only ask, whether one wants visitors."""
    own = myself(session).person
    state = frames.text(frame, "state", most=16) if "state" in frame else None
    if state is not None and state not in desk_router.AVAILABILITY:
        raise Rejected("bad_state", f"one is {', '.join(desk_router.AVAILABILITY)}")

    def write(change: Change) -> str:
        cases.check_staff(change.db, own)
        if state is not None:
            desk_router.set_available(change, own, state)
        return desk_router.staff(change.db)[own]

    found = await desk.hub.store.write(write)
    if state is not None:
        desk.wake()
    return {"state": found}


async def list_agents(desk: Desk, session: Session, frame: Frame) -> Answer:
    """List all agents."""
    return await _read_as_staff(desk, session, lambda db: {"agents": desk_reports.agents(db, _online(desk))})


async def stats(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Return the figures of the queues that one serves."""
    own, now_ms = myself(session).person, desk.hub.store.now_ms()
    return await _read_as_staff(desk, session, lambda db: desk_reports.figures(db, own, now_ms, _online(desk)))


async def list_canned(desk: Desk, session: Session, frame: Frame) -> Answer:
    """List the answers that are kept ready; with `c`, filled in for that case too."""
    own, conversation = myself(session).person, _optional(frame, "c")

    def read(db: Connection) -> Answer:
        case = None if conversation is None else cases.find_to_serve(db, own, conversation)
        values = None if case is None else desk_settings.values_of(db, case, own)
        return {"canned": desk_settings.list_canned(db, values)}

    return await _read_as_staff(desk, session, read)


async def set_canned(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Keep an answer ready, or change one."""
    own, which = myself(session).person, _optional(frame, "canned")
    short = frames.text(frame, "short", most=_MAX_WORD)
    text = frames.text(frame, "text", most=MAX_TEXT)
    title = frames.text(frame, "title", most=_MAX_WORD, default="") or short

    def write(change: Change) -> Answer:
        cases.check_staff(change.db, own)
        return {"canned": desk_settings.set_canned(change, which, short, title, text)}

    return await desk.hub.store.write(write)


async def remove_canned(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Keep an answer no more."""
    own, which = myself(session).person, number(frame, "canned")

    def write(change: Change) -> Answer:
        cases.check_staff(change.db, own)
        desk_settings.remove_canned(change, which)
        return {}

    return await desk.hub.store.write(write)


async def list_queues(desk: Desk, session: Session, frame: Frame) -> Answer:
    """List all queues."""
    return await _read_as_staff(desk, session, lambda db: {"queues": desk_settings.list_queues(db)})


# Admins


async def set_queue(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Make a queue, or change one."""
    own = myself(session).person
    setting = desk_settings.Setting(
        _optional(frame, "queue"),
        frames.text(frame, "name", most=_MAX_WORD),
        flag(frame, "pull", default=False),
        number({"capacity": 4, **frame}, "capacity"),
        frames.text(frame, "greeting", most=MAX_TEXT, default=""),
        frames.text(frame, "offline", most=MAX_TEXT, default=""),
    )
    agents = numbers({"agents": [], **frame}, "agents")

    def write(change: Change) -> Answer:
        _check_admin(change.db, own)
        queue = desk_settings.set_queue(change, setting, agents)
        audit.note(change, own, "desk.queue", queue, setting.name)
        return {"queue": queue}

    found = await desk.hub.store.write(write)
    desk.wake()
    return found


async def get_hours(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Return the opening hours of a queue."""
    queue = _optional(frame, "queue")
    return await _read_as_staff(desk, session, lambda db: {"hours": desk_settings.get_hours(db, queue)})


async def set_hours(desk: Desk, session: Session, frame: Frame) -> Answer:
    """Set the opening hours of a queue."""
    own, queue = myself(session).person, _optional(frame, "queue")

    def write(change: Change) -> Answer:
        _check_admin(change.db, own)
        desk_settings.set_hours(change, queue, frame.get("hours"))
        audit.note(change, own, "desk.hours", queue or "")
        return {"hours": desk_settings.get_hours(change.db, queue)}

    found = await desk.hub.store.write(write)
    desk.wake()
    return found


OPERATIONS: Final[dict[str, DeskOperation]] = {
    "desk.status": status,
    "desk.start": start,
    "desk.form": form,
    "desk.rate": rate,
    "desk.list": list_cases,
    "desk.take": take,
    "desk.accept": accept,
    "desk.decline": decline,
    "desk.transfer": transfer,
    "desk.close": close,
    "desk.snooze": snooze,
    "desk.priority": prioritise,
    "desk.reopen": reopen,
    "desk.note": note,
    "desk.transcript": transcript,
    "desk.available": available,
    "desk.agents": list_agents,
    "desk.stats": stats,
    "desk.canned.list": list_canned,
    "desk.canned.set": set_canned,
    "desk.canned.remove": remove_canned,
    "desk.queues.list": list_queues,
    "desk.queues.set": set_queue,
    "desk.hours.get": get_hours,
    "desk.hours.set": set_hours,
}


# Steps


async def _change(desk: Desk, work: Callable[[Change], Case]) -> Answer:
    """Change a case; return how it stands now."""
    case = await desk.hub.store.write(work)
    return {"c": case.conversation, "state": case.state, "rev": case.revision}


async def _read_as_staff(desk: Desk, session: Session, work: Callable[[Connection], Answer]) -> Answer:
    own = myself(session).person

    def read(db: Connection) -> Answer:
        cases.check_staff(db, own)
        return work(db)

    return await desk.hub.store.read_long(read)


def _owned(db: Connection, person: int, conversation: int) -> Case:
    """Return an open case to who has it, or to an admin. Raises Rejected "not_yours", "no_case"."""
    case = cases.find_to_serve(db, person, conversation)
    if case.state != "open":
        raise Rejected("not_yours", "nobody has this conversation; take it first")
    if case.agent != person and people.person(db, person).kind != "admin":
        raise Rejected("not_yours", f"{people.person(db, case.agent or 0).name} has this conversation")
    return case


def _check_admin(db: Connection, person: int) -> None:
    cases.check_staff(db, person)
    if people.person(db, person).kind != "admin":
        raise Rejected("forbidden", "this is for admins to do")


def _online(desk: Desk) -> frozenset[int]:
    return frozenset(desk.hub.readers)


def _optional(frame: Frame, name: str) -> int | None:
    return None if frame.get(name) is None else number(frame, name)


def _cid(frame: Frame) -> str | None:
    return frames.text(frame, "cid", most=MAX_CID) if "cid" in frame else None


def _name(frame: Frame) -> str | None:
    """Return the name that a visitor has entered, None for none."""
    return frames.text(frame, "name", most=_MAX_WORD, default="").strip() or None


def _line(frame: Frame, name: str, *, most: int) -> str:
    """Return a text of one line, "" for none. Raises Rejected for what cannot be shown."""
    line = " ".join(frames.text(frame, name, most=most, default="").split())
    if not line.isprintable():
        raise Rejected("bad_body", f"{name} has characters that are none")
    return line


def _page(frame: Frame) -> str:
    """Return where a visitor came from: an address of the web, for agents to open; "" for everything else."""
    page = _line(frame, "page", most=_MAX_ADDRESS)
    return page[: cases.MAX_PAGE] if page.startswith(("http://", "https://")) else ""
