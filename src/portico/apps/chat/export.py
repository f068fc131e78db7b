"""Conversations as files to keep: JSON for programs, text for reading, HTML for printing.

    gather(db, person, conversation) -> Told       what the person can read of it, edits and deletions applied
    FORMS["json" | "text" | "html"](told..., zone, language) -> str

Only what the person can read is in it: it is read like everything else, by `log.read_for`. Times are in the zone of
whoever runs the export, and say it.
"""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat import frames, log, note_log, people, rooms
from portico.apps.chat.events import Event, Rejected
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.operations import myself
from portico.apps.chat.session import Operation, Session
from portico.apps.chat.wording import LANGUAGES, persons_in, phrase
from portico.apps.chat.wording import told as in_words

MAX_ASKED: Final = 5_000  # events of a conversation that a page can have at once; more is for the command line
_INVISIBLE: Final = {code: f"<U+{code:04X}>" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class Line(NamedTuple):
    """One thing that was said or happened. kind: of the event. text: "" where it was deleted, or is no message."""

    seq: int
    at_ms: int
    sender: int
    kind: str
    text: str
    files: tuple[str, ...] = ()
    is_edited: bool = False
    is_deleted: bool = False
    detail: Mapping[str, Any] = {}


class Told(NamedTuple):
    """A conversation as a person can read it. first: of what is kept; above 1, older things are gone.

    note: the shared one as it is now, "" for none, and for who has left.
    """

    conversation: int
    kind: str
    title: str
    first: int
    names: Mapping[int, str]
    lines: Sequence[Line]
    note: str = ""


def gather(db: Connection, person: int, conversation: int, *, most: int | None = None) -> Told:
    """Read a conversation as a person can.

    most: events, None for all. Raises Rejected: "forbidden" for one that the person has nothing to do with, "too_big".
    """
    first, head = log.bounds_for(db, person, conversation)
    if most is not None and head - first >= most:
        raise Rejected("too_big", f"over {most} events; who runs the server can export it all")
    kind, title = db.execute("SELECT kind, title FROM conversation WHERE id = ?", (conversation,)).fetchone()
    lines = _fold(db, _events(db, person, conversation))
    about = {one for line in lines for one in persons_in({"f": line.sender, "b": line.detail})}
    names = {one: _name(db, one) for one in sorted(about)}
    return Told(conversation, kind, title, first, names, lines, _note(db, person, conversation))


def _note(db: Connection, person: int, conversation: int) -> str:
    try:
        note_log.check_member(db, person, conversation)
    except Rejected:
        return ""
    return note_log.look(db, conversation).text or ""


def gather_all(db: Connection, person: int) -> Iterator[Told]:
    """Read everything that a person can, a conversation at a time."""
    for one in rooms.conversations_of(db, person):
        yield gather(db, person, one.id)


def _events(db: Connection, person: int, conversation: int) -> Iterator[Event]:
    after = 0
    while events := log.read_for(db, person, conversation, after).events:
        yield from events
        after = events[-1].seq


def _fold(db: Connection, events: Iterable[Event]) -> list[Line]:
    """Apply edits and deletions to what they are about; reactions are left out."""
    lines: dict[int, Line] = {}
    for event in events:
        target = lines.get(event.ref or 0)
        if event.kind == "edit" and target is not None:
            lines[target.seq] = target._replace(text=event.text or target.text, is_edited=True)
        elif event.kind == "del" and target is not None:
            lines[target.seq] = target._replace(text="", files=(), is_deleted=True)
        elif event.kind == "msg":
            lines[event.seq] = _message(db, event)
        elif event.kind not in ("edit", "del", "react"):
            detail = json.loads(event.body)
            lines[event.seq] = Line(event.seq, event.at_ms, event.sender, event.kind, "", detail=detail)
    return list(lines.values())


def _message(db: Connection, event: Event) -> Line:
    body = json.loads(event.body)
    rows = (db.execute("SELECT name FROM file WHERE id = ?", (one,)).fetchone() for one in body.get("files", ()))
    files = tuple(row[0] for row in rows if row is not None)
    line = Line(event.seq, event.at_ms, event.sender, event.kind, body.get("text", ""), files)
    return line._replace(is_deleted=event.body == "{}")


def _name(db: Connection, person: int) -> str:
    return people.person(db, person).name


# Forms


def as_json(told: Sequence[Told], zone: tzinfo | None, language: str) -> str:
    """Write conversations as one JSON document, which is in no language."""
    found = [
        {
            "conversation": one.conversation,
            "kind": one.kind,
            "title": one.title,
            "first": one.first,
            "people": one.names,
            "note": one.note,
            "lines": [
                {key: value for key, value in line._asdict().items() if value or key == "text"} for line in one.lines
            ],
        }
        for one in told
    ]
    return json.dumps({"portico.chat": 1, "conversations": found}, ensure_ascii=False, indent=1) + "\n"


def as_text(told: Sequence[Told], zone: tzinfo | None, language: str) -> str:
    """Write conversations as plain text, a line for each message.

    zone: of the times, None for this machine's own. language: "en" or "zh".
    """
    return "\n".join("\n".join([_title(one), "", *_text_lines(one, zone, language), ""]) for one in told)


def _text_lines(told: Told, zone: tzinfo | None, language: str) -> Iterator[str]:
    if told.first > 1:
        yield phrase("not_in_export", language)
    for line in told.lines:
        said = _said(told, line, language).replace("\n", "\n    ")
        yield f"[{_when(line, zone)}] {_safe(said)}"
    if told.note:
        yield f"\n{phrase('note_title', language)}\n"
        yield _safe(told.note)


def as_html(told: Sequence[Told], zone: tzinfo | None, language: str) -> str:
    """Write conversations as a page without scripts, to print or to keep."""
    parts = [_PAGE]
    for one in told:
        parts.append(f"<h2>{html.escape(_safe(_title(one)))}</h2>\n<dl>")
        for line in one.lines:
            said = html.escape(_safe(_said(one, line, language))).replace("\n", "<br>")
            parts.append(f"<dt>{_when(line, zone)}</dt><dd>{said}</dd>")
        parts.append("</dl>")
        if one.note:
            parts.append(f"<h3>{phrase('note_title', language)}</h3>\n<pre>{html.escape(_safe(one.note))}</pre>")
    return "\n".join([*parts, "</html>\n"])


_PAGE: Final = """<!doctype html>
<html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Portico</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#666}
dd{margin:0;overflow-wrap:anywhere}pre{white-space:pre-wrap;font:inherit}</style>"""


def _title(told: Told) -> str:
    return told.title or ", ".join(told.names.values()) or f"#{told.conversation}"


def _said(told: Told, line: Line, language: str) -> str:
    name = told.names[line.sender]
    if line.kind != "msg":
        event = {"k": line.kind, "f": line.sender, "b": line.detail, "ref": None}
        return in_words(event, told.names, language) or f"*** {name} · {line.kind}"
    files = "".join(f"\n<{file}>" for file in line.files)
    mark = phrase("gone" if line.is_deleted else "changed", language) if line.is_deleted or line.is_edited else ""
    return " ".join(filter(None, (f"{name}: {line.text}{files}", mark)))


def _when(line: Line, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(line.at_ms / 1000, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")


def _safe(text: str) -> str:
    """Return a text without what a terminal would obey, or what turns the order of letters."""
    return "".join(
        c if c in "\n\t" or c.isprintable() or c == "\u3000" else _INVISIBLE.get(ord(c), "\ufffd") for c in text
    )


FORMS: Final[Mapping[str, Callable[[Sequence[Told], tzinfo | None, str], str]]] = {
    "json": as_json,
    "text": as_text,
    "html": as_html,
}


# For pages


async def _export(session: Session, frame: Frame) -> Mapping[str, Any]:
    """Return a conversation as a text: `export {c, form} -> {text}`."""
    own, conversation, form = myself(session), number(frame, "c"), frames.text(frame, "form", most=8, default="text")
    if form not in FORMS:
        raise Rejected("proto", f"form is one of {', '.join(FORMS)}")
    told = await session.house.hub.store.read_long(lambda db: gather(db, own.person, conversation, most=MAX_ASKED))
    person = await session.house.hub.store.read(lambda db: people.person(db, own.person))
    return {"text": FORMS[form]([told], None, person.language or LANGUAGES[0])}


OPERATIONS: Final[Mapping[str, Operation]] = {"export": _export}
