"""What was said in a case, as text that its visitor can keep: in their language, at the clock of the queue.

In: a case. Out: lines.

    2026-01-05 20:00  * Waiting for an agent.
    2026-01-05 20:01  * Ann is here.
    2026-01-05 20:01  Vic: hello
                      and a second line of it

What is in it is what the visitor may read, found by the visitor's own membership: no note is ever in it. Edited
messages stand as they were edited last, deleted ones not at all. What stands behind a line feed is set in, so that
nobody's text begins a line as if it were somebody else's.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from sqlite3 import Connection
from typing import Any, Final

from portico.apps.chat import desk_router, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Event
from portico.apps.chat.hours import find_zone

MAX_LINES: Final = 2_000  # events, the last ones
LANGUAGES: Final = ("en", "zh")
_SET_IN: Final = "\n" + " " * 18
_PHRASES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": ("Waiting for an agent.", "正在等待客服接入。"),
    "returned": ("Waiting for another agent.", "正在为您接入其他客服。"),
    "snoozed": ("The desk will come back to this.", "客服稍后会继续跟进。"),
    "closed": ("The conversation is over.", "会话已结束。"),
    "assign": ("{who} is here.", "{who} 已接入。"),
    "transfer": ("Passed on to: {queue}.", "已转接至：{queue}。"),
    "rating": ("{who} gave {score} of 5.", "{who} 评价 {score} 分（满分 5 分）。"),
    "file": ("[file: {name}]", "[文件：{name}]"),
    "lost": ("[a file that is gone]", "[已失效的文件]"),
}

Body = Mapping[str, Any]


def write(db: Connection, case: Case) -> str:
    """Return a case as text, a line for each thing that happened; the last MAX_LINES events of it, "" for none."""
    found = _Transcript(db, case)
    return "".join(f"{line}\n" for line in map(found.line, found.events) if line)


class _Transcript:
    def __init__(self, db: Connection, case: Case) -> None:
        self.events = _events(db, case)
        self._db = db
        (language,) = db.execute("SELECT language FROM person WHERE id = ?", (case.visitor,)).fetchone()
        self._at = LANGUAGES.index(language) if language in LANGUAGES else 0
        self._edited = {event.ref: event.text for event in self.events if event.kind == "edit"}
        self._names: dict[int, str] = {}
        self._queues = {one.id: one for one in desk_router.queues(db)}
        self._zone = find_zone(self._queues[case.queue].hours.zone)

    def line(self, event: Event) -> str:
        """Return an event as a line, or several; "" for one that is not in it."""
        body = json.loads(event.body)
        tell = _TOLD.get(event.kind)
        told = tell(self, event, body) if tell is not None and body else ""
        if not told:
            return ""
        at = datetime.fromtimestamp(event.at_ms / 1000, self._zone)
        return f"{at:%Y-%m-%d %H:%M}  " + told.replace("\r\n", "\n").replace("\n", _SET_IN)

    def message(self, event: Event, body: Body) -> str:
        """Return what somebody said, with the names of the files in it."""
        text = self._edited.get(event.seq, body.get("text", ""))
        files = [self._file(number) for number in body.get("files", ())]
        return f"{self._name(event.sender)}: {' '.join(filter(None, (text, *files)))}"

    def assignment(self, event: Event, body: Body) -> str:
        """Return who answers from here on."""
        return self._say("assign", who=self._name(body["agent"]))

    def state(self, event: Event, body: Body) -> str:
        """Return what became of the case."""
        return self._say("returned" if body.get("why") in ("returned", "woken") else body["state"])

    def transfer(self, event: Event, body: Body) -> str:
        """Return where it went."""
        return self._say("transfer", queue=self._queues[body["queue"]].name) if "queue" in body else ""

    def rating(self, event: Event, body: Body) -> str:
        """Return what the visitor thought of it."""
        said = self._say("rating", who=self._name(event.sender), score=body["score"])
        return f"{said} {body['text']}".rstrip()

    def _file(self, number: int) -> str:
        row = self._db.execute("SELECT name FROM file WHERE id = ?", (number,)).fetchone()
        return self._phrase("lost") if row is None else self._phrase("file", name=row[0])

    def _name(self, person: int) -> str:
        if person not in self._names:
            self._names[person] = people.person(self._db, person).name
        return self._names[person]

    def _say(self, name: str, /, **values: object) -> str:
        return "* " + self._phrase(name, **values)

    def _phrase(self, name: str, /, **values: object) -> str:
        return _PHRASES[name][self._at].format(**values)


_TOLD: Final[Mapping[str, Callable[[_Transcript, Event, Body], str]]] = {
    "msg": _Transcript.message,
    "assign": _Transcript.assignment,
    "state": _Transcript.state,
    "transfer": _Transcript.transfer,
    "rating": _Transcript.rating,
}


def _events(db: Connection, case: Case) -> Sequence[Event]:
    """Return the last events of a case, as its visitor may read them."""
    found: list[Event] = []
    after = log.bounds_for(db, case.visitor, case.conversation)[1] - MAX_LINES
    while True:
        events = log.read_for(db, case.visitor, case.conversation, after).events
        if not events:
            return found
        found += events
        after = events[-1].seq
