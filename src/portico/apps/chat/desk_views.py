"""What an agent sees of a case beside its log: who else has it open, and what is known of its visitor.

    operations(desk, onlookers)
      desk.look {c?, writing?}    -> {looking: [{id, name, writing}]}; c: 0 or nothing for no case
      desk.details {c}            -> {via, files: [{id, name, type, size}], earlier: [{c, at, agent, score}]}

    st {c, looking}               to whoever has the case open, when that changes

Who looks is state, and no event: a page says again and again what it has open, and who says nothing more for a while,
or is not connected any more, looks no more. Files are named, not given: those have to be in a log that one may read.
"""

from collections.abc import Iterable
from functools import partial
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat import cases, frames
from portico.apps.chat.cases import Case
from portico.apps.chat.desk import Desk
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.operations import flag, myself
from portico.apps.chat.session import Operation, Session

LOOK_MS: Final = 40_000  # within which a page says again that it has a case open
WRITING_MS: Final = 6_000
MAX_FILES: Final = 50
_MAX_EARLIER: Final = 20


class _Look(NamedTuple):
    conversation: int
    name: str
    until_ms: int
    writing_until_ms: int


class Onlookers:
    """Which agent has which case open."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look] = {}

    def look(self, person: int, name: str, conversation: int, now_ms: int, *, is_writing: bool = False) -> set[int]:
        """Note what somebody has open, 0 for nothing; return the cases where something has changed by it."""
        before = self._looks.pop(person, None)
        if before is not None and before.until_ms <= now_ms:
            before = None
        if not conversation:
            return set() if before is None else {before.conversation}
        writing_until_ms = now_ms + WRITING_MS if is_writing else 0
        self._looks[person] = _Look(conversation, name, now_ms + LOOK_MS, writing_until_ms)
        if before is None:
            return {conversation}
        is_same = before.conversation == conversation and (before.writing_until_ms > now_ms) == is_writing
        return set() if is_same else {before.conversation, conversation}

    def at(self, conversation: int, now_ms: int, online: Iterable[int]) -> list[dict[str, Any]]:
        """Return who has a case open, by name, of those who are connected."""
        there = set(online)
        found = [
            {"id": person, "name": look.name, "writing": look.writing_until_ms > now_ms}
            for person, look in self._looks.items()
            if look.conversation == conversation and look.until_ms > now_ms and person in there
        ]
        return sorted(found, key=lambda one: (str(one["name"]), str(one["id"])))


def operations(desk: Desk, onlookers: Onlookers) -> dict[str, Operation]:
    """Return what can be asked, by name."""
    return {"desk.look": partial(_look, desk, onlookers), "desk.details": partial(_tell_details, desk)}


async def _look(desk: Desk, onlookers: Onlookers, session: Session, frame: Frame) -> dict[str, Any]:
    me, hub = myself(session), desk.hub
    conversation = number({"c": 0, **frame}, "c", least=0)
    is_writing = flag(frame, "writing", default=False)
    if conversation:
        await hub.store.read(lambda db: cases.find_to_serve(db, me.person, conversation))
    now_ms = hub.store.now_ms()
    for changed in onlookers.look(me.person, me.name, conversation, now_ms, is_writing=is_writing):
        there = onlookers.at(changed, now_ms, hub.readers)
        others = [one["id"] for one in there if one["id"] != me.person]
        hub.tell(others, frames.write("st", c=changed, looking=there))
    return {"looking": onlookers.at(conversation, now_ms, hub.readers) if conversation else []}


async def _tell_details(desk: Desk, session: Session, frame: Frame) -> dict[str, Any]:
    own, conversation = myself(session).person, number(frame, "c")
    return await desk.hub.store.read(lambda db: details(db, cases.find_to_serve(db, own, conversation)))


def details(db: Connection, case: Case) -> dict[str, Any]:
    """Return what is known of the visitor of a case: by which way they write, their files, what there was before."""
    row = db.execute(
        "SELECT via FROM event WHERE conversation = ? AND sender = ? AND kind = 'msg' ORDER BY seq DESC LIMIT 1",
        (case.conversation, case.visitor),
    ).fetchone()
    files = db.execute(
        "SELECT DISTINCT file.id, name, type, size FROM mention JOIN file ON file.id = mention.file "
        f"WHERE conversation = ? ORDER BY mention.seq DESC, file.id DESC LIMIT {MAX_FILES}",
        (case.conversation,),
    ).fetchall()
    earlier = db.execute(
        "SELECT desk_case.conversation, conversation.made_ms, person.name, score FROM desk_case "
        "JOIN conversation ON conversation.id = desk_case.conversation LEFT JOIN person ON person.id = agent "
        "WHERE visitor = ? AND queue = ? AND desk_case.conversation < ? "
        f"ORDER BY desk_case.conversation DESC LIMIT {_MAX_EARLIER}",
        (case.visitor, case.queue, case.conversation),
    ).fetchall()
    return {
        "via": None if row is None else row[0],
        "files": [dict(zip(("id", "name", "type", "size"), one, strict=True)) for one in files],
        "earlier": [dict(zip(("c", "at", "agent", "score"), one, strict=True)) for one in earlier],
    }
