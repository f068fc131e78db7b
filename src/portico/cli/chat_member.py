"""Somebody who takes part in a chat from a terminal: frames in, lines out; lines in, frames out.

    joined -> hello with what is known already -> welcome -> me, and what was not acknowledged, under the same ids
    take      ev, sync -> lines in the order of the log; ack -> it is stored; nack -> why not
    typed     a message into the conversation that is open, or one of COMMANDS

In: texts of the server, lines of a person. Out: lines to show, made printable; frames. Nothing here waits or reads a
clock; `secrets` names messages, so that one that is sent twice is stored once.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from portico.apps.chat import frames
from portico.cli.words import Words
from portico.client.websocket import WebSocketLink
from portico.errors import excerpt
from portico.wire.lines import printable

GUESTS: Final = ("visitor", "peer")  # who talk to the desk
AT_FIRST: Final = 10  # events of a conversation that are shown when one comes in
_HISTORY: Final = 20
_MAX_HISTORY: Final = 200
_MAX_NAMES: Final = 500  # that are asked for at once

Frame = Mapping[str, Any]


class Conversation(NamedTuple):
    """One conversation as a person calls it."""

    number: int
    name: str


class Member:
    """See the module. show: takes lines for the person. on_end: called when the server wants no more of this device."""

    def __init__(self, token: str, words: Words, show: Callable[[str], None], on_end: Callable[[str], None]) -> None:
        self.conversations: dict[int, Conversation] = {}
        self.current: int | None = None
        self.names: dict[int, str] = {}
        self.outbox: dict[str, str] = {}
        self.unsent: list[str] = []  # lines, until it is known where they go
        self._answers: dict[int, Callable[[Frame], None]] = {}
        self._cursors: dict[int, int] = {}
        self._epoch = ""
        self._held: list[
            tuple[Frame, bool]
        ] = []  # events, until it is known who is in them; whether with their numbers
        self._kind = ""  # of person, until it is known
        self._me = 0
        self._nameless: set[int] = set()  # who has been asked for
        self._naming = 0  # the number of that question, 0 for none
        self._next = 0
        self._on_end = on_end
        self._own: dict[int, int] = {}  # the last message of one's own in each conversation
        self._pages: set[int] = set()
        self._show = show
        self._socket: WebSocketLink | None = None
        self._token = token
        self._words = words

    def _joined(self, names: Iterable[str]) -> str:
        return self._words("comma").join(names)

    @property
    def is_placed(self) -> bool:
        """Whether it is known where what is typed goes, if anywhere."""
        return bool(self._kind) and (self.current is not None or self._kind not in GUESTS)

    @property
    def is_asking(self) -> bool:
        """Whether something that was asked has no answer yet."""
        return bool(self._answers or self._pages)

    # the connection

    def joined(self, socket: WebSocketLink) -> None:
        """Say hello."""
        self._socket = socket
        have = {str(c): seq for c, seq in self._cursors.items()}
        socket.send(frames.write("hello", v=frames.VERSION, tok=self._token, epoch=self._epoch, have=have))

    def lost(self, why: str) -> None:
        """Say that nobody hears us for now."""
        if self._socket is not None:
            self._show(self._words("join-lost", why=f" ({printable(why)})" if why else ""))
        self._socket = None
        self._answers.clear()
        self._pages.clear()
        self._naming = 0
        self._show_held()

    def take(self, text: str) -> None:
        """Take a message of the server."""
        for line in text.split("\n"):
            frame = json.loads(line)
            listen = _LISTENERS.get(frame.get("t"))
            if listen is not None:
                listen(self, frame)

    def _say(self, kind: str, /, **members: Any) -> None:
        if self._socket is not None:
            self._socket.send(frames.write(kind, **members))

    def ask(self, op: str, answered: Callable[[Frame], None], /, **arguments: Any) -> None:
        """Ask for something; `answered` gets what comes, unless the connection is lost meanwhile."""
        self._next += 1
        self._answers[self._next] = answered
        self._say("ask", id=self._next, op=op, **arguments)

    # what the server says

    def _welcome(self, frame: Frame) -> None:
        if self._epoch and self._epoch != frame["epoch"]:
            self._cursors.clear()
        self._epoch, self._me = frame["epoch"], frame["me"]
        self.ask("me", self._learn)
        for waiting in self.outbox.values():
            if self._socket is not None:
                self._socket.send(waiting)

    def _know(self, answer: Frame) -> None:
        """Learn what one is in, and what people are called."""
        self.names |= {int(one): str(card["name"]) for one, card in answer["people"].items()}
        self.names[self._me] = str(answer["me"]["name"])
        for one in answer["conversations"]:
            if one["left"]:
                self.conversations.pop(one["c"], None)
            else:
                name = one["title"] or self._joined(self.names.get(other, f"#{other}") for other in one["others"])
                known = self.conversations.get(one["c"])
                self.conversations[one["c"]] = Conversation(one["c"], name or (known.name if known else f"#{one['c']}"))

    def _learn(self, answer: Frame) -> None:
        self._know(answer)
        if self.current is None and self.conversations:
            self._open(max(self.conversations))
        self._kind = answer["me"]["kind"]
        if self.current is None and self._kind in GUESTS:
            self.ask("desk.start", self._start)
        elif self.current is None and self.unsent:
            self.unsent.clear()
            self._show(self._words("join-nowhere"))
        self._show_held()

    def _start(self, answer: Frame) -> None:
        self.conversations[answer["c"]] = Conversation(answer["c"], self._words("join-desk"))
        self._open(answer["c"])

    def _open(self, number: int) -> None:
        self.current = number
        self._show(self._words("join-open", name=printable(self.conversations[number].name)))
        unsent, self.unsent = self.unsent, []
        for text in unsent:
            self._send(text)

    def _event(self, frame: Frame) -> None:
        self._cursors[frame["c"]] = frame["s"]
        self._show_events([frame])

    def _sync(self, frame: Frame) -> None:
        is_new = frame["c"] not in self._cursors
        events = frame["ev"]
        if frame.get("limited"):
            self._show(self._words("join-gap"))
        self._cursors[frame["c"]] = events[-1]["s"] if events else frame["head"]
        self._show_events(events[-AT_FIRST:] if is_new else events)

    def _show_events(self, events: Iterable[Frame], *, is_numbered: bool = False) -> None:
        for event in events:
            self._note_own(event)
            self._held.append((event, is_numbered))
        self._show_held()

    def _show_held(self) -> None:
        """Show what came, in its order, as soon as it is known who is in it; who is a stranger is asked for once."""
        if self._naming or not self._kind:
            return
        found = {one for event, _ in self._held for one in (event["f"], event["b"].get("person"))}
        strangers = sorted(one for one in found - self._nameless if isinstance(one, int) and one not in self.names)
        if strangers and self._socket is not None:
            self._nameless.update(strangers[:_MAX_NAMES])
            self.ask("people.get", self._named, ids=strangers[:_MAX_NAMES])
            self._naming = self._next
            return
        held, self._held = self._held, []
        for event, is_numbered in held:
            if line := self._line(event):
                self._show(f"#{event['s']} {line}" if is_numbered else line)

    def _named(self, answer: Frame) -> None:
        self._naming = 0
        self._status(answer)
        self._show_held()

    def _status(self, frame: Frame) -> None:
        """Learn what people are called, who may have changed it."""
        cards = frame.get("people", {}).items()
        self.names |= {int(one): str(card["name"]) for one, card in cards if "name" in card}

    def _note_own(self, event: Frame) -> None:
        """Note a message of one's own, and its end."""
        if event["f"] == self._me and event["k"] == "msg" and event["b"]:
            self._own[event["c"]] = max(event["s"], self._own.get(event["c"], 0))
        elif event["k"] == "del" and self._own.get(event["c"]) == event.get("ref"):
            del self._own[event["c"]]

    def _line(self, event: Frame) -> str:
        """Write an event as a line, "" for one that says nothing to a person."""
        body, kind = event["b"], event["k"]
        who = self.names.get(event["f"], f"#{event['f']}")
        when = time.strftime("%H:%M", time.localtime(event["at"] / 1000))
        where = self.conversations.get(event["c"])
        place = f" {printable(where.name)} ·" if where is not None and event["c"] != self.current else ""
        if kind == "edit" and not body:  # deleted since
            return ""
        if kind in ("msg", "edit"):
            mark = "" if kind == "msg" else f" {self._words('join-edited', n=event.get('ref'))}"
            lines = [printable(line) for line in self._said(body).split("\n")]
            return f"[{when}]{place} {printable(who)}:{mark} " + "\n    ".join(lines)
        if kind == "del":
            return f"[{when}]{place} {printable(who)}: {self._words('join-deleted', n=event.get('ref'))}"
        if kind in ("join", "leave"):
            person = self.names.get(body.get("person"), f"#{body.get('person')}")
            return f"[{when}]{place} {self._words(f'join-{kind}', name=printable(person))}"
        return ""

    def _said(self, body: Frame) -> str:
        """Return what is in a message: its text, and how many files the page shows."""
        if not body:
            return self._words("join-gone")
        count = len(body.get("files", ()))
        files = self._words("join-files", n=count) if count else ""
        return " ".join(filter(None, (str(body.get("text", "")), files)))

    def _ack(self, frame: Frame) -> None:
        sent = self.outbox.pop(frame["cid"], None)
        if sent is not None and json.loads(sent)["k"] == "msg":
            self._own[frame["c"]] = max(frame["s"], self._own.get(frame["c"], 0))

    def _nack(self, frame: Frame) -> None:
        if self.outbox.pop(frame.get("cid", ""), None) is not None:
            self._show(self._words("join-refused", why=printable(frame["why"])))

    def _ok(self, frame: Frame) -> None:
        answered = self._answers.pop(frame["id"], None)
        if answered is not None:
            answered(frame)

    def _error(self, frame: Frame) -> None:
        self._answers.pop(frame.get("id", 0), None)
        self._pages.discard(frame.get("id", 0))
        if self._naming and frame.get("id") == self._naming:
            self._named({})  # as numbers, then
        elif frame["code"] == "auth":
            self._on_end(printable(frame["why"]))
        else:
            self._show(self._words("join-refused", why=printable(frame["why"])))

    def _page(self, frame: Frame) -> None:
        self._pages.discard(frame["id"])
        self._show_events(frame["ev"], is_numbered=True)

    def _bye(self, frame: Frame) -> None:
        self._show(self._words("join-bye", why=printable(frame["why"])))

    # what the person types

    def typed(self, line: str) -> bool:
        """Do what a line says; return False for the end."""
        text = line.strip()
        if text in ("q", "/quit"):
            return False
        if not text.startswith("/"):
            if text:
                self._send(text)
            return True
        name, _, rest = text.partition(" ")
        command = COMMANDS.get(name)
        if command is None:
            self._show(self._words("join-no-command", name=excerpt(name)))
        else:
            command(self, rest.strip())
        return True

    def _send(self, text: str) -> None:
        if self.current is None:
            if not self._kind or self._kind in GUESTS:
                self.unsent.append(text)
            else:
                self._show(self._words("join-nowhere"))
            return
        self._append("msg", {"text": text})

    def _append(self, kind: str, body: Mapping[str, str], ref: int | None = None) -> None:
        """Send an event into the conversation that is open, now or when there is a connection again."""
        cid = f"t{secrets.token_hex(8)}"
        self.outbox[cid] = frames.write("send", cid=cid, c=self.current, k=kind, b=body, ref=ref)
        if self._socket is not None:
            self._socket.send(self.outbox[cid])
        else:
            self._show(self._words("join-waits"))

    def _list(self, rest: str) -> None:
        def learnt(answer: Frame) -> None:  # one may have been brought into a room meanwhile
            self._know(answer)
            self._show_list()

        if self._socket is None:
            self._show_list()
        else:
            self.ask("me", learnt)

    def _show_list(self) -> None:
        for one in self.conversations.values():
            self._show(f"{'*' if one.number == self.current else ' '} {one.number:4}  {printable(one.name)}")

    def _room(self, rest: str) -> None:
        def learnt(answer: Frame) -> None:  # one may have been brought into a room meanwhile
            self._know(answer)
            if not self._open_named(rest):
                lacks()

        def lacks() -> None:
            self._show(self._words("join-no-room", name=excerpt(rest)))

        if not self._open_named(rest):
            lacks() if self._socket is None else self.ask("me", learnt)

    def _open_named(self, text: str) -> bool:
        found = next((one for one in self.conversations.values() if text in (str(one.number), one.name)), None)
        if found is not None:
            self._open(found.number)
        return found is not None

    def _join(self, rest: str) -> None:
        def listed(answer: Frame) -> None:
            found = [one for one in answer["rooms"] if rest in (str(one["c"]), one["title"])]
            if not found:
                shown = self._joined(f"{one['title']} ({one['members']})" for one in answer["rooms"])
                self._show(self._words("join-rooms", names=printable(shown)))
                return
            room = Conversation(found[0]["c"], found[0]["title"])
            self.ask("room.join", lambda done: self._entered(room), c=room.number)

        self.ask("room.list", listed)

    def _entered(self, conversation: Conversation) -> None:
        self.conversations[conversation.number] = conversation
        self.ask("room.members", self._met, c=conversation.number)
        self._open(conversation.number)

    def _met(self, answer: Frame) -> None:
        self.names |= {one["id"]: one["name"] for one in answer["members"]}

    def _msg(self, rest: str) -> None:
        name, _, text = rest.partition(" ")

        def found(answer: Frame) -> None:
            people = [one for one in answer["people"] if name in (one["login"], one["name"])]
            if not people:
                self._show(self._words("join-nobody", name=excerpt(name)))
                return
            self.names[people[0]["id"]] = people[0]["name"]
            self.ask("direct", lambda done: opened(done, people[0]["name"]), person=people[0]["id"])

        def opened(answer: Frame, who: str) -> None:
            self.conversations[answer["c"]] = Conversation(answer["c"], who)
            self._open(answer["c"])
            if text.strip():
                self._send(text.strip())

        self.ask("people.find", found, text=name)

    def _who(self, rest: str) -> None:
        def met(answer: Frame) -> None:
            self._met(answer)
            people = (f"{one['name']}{' ●' if one['online'] else ''}" for one in answer["members"])
            self._show(printable(self._joined(people)))

        if self.current is not None:
            self.ask("room.members", met, c=self.current)

    def _history(self, rest: str) -> None:
        count = int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 4 else _HISTORY
        if self.current is not None:
            last = max(self._cursors.get(self.current, 0), self._own.get(self.current, 0))
            before, limit = last + 1, max(1, min(count, _MAX_HISTORY))
            self._next += 1
            self._pages.add(self._next)
            self._say("get", id=self._next, c=self.current, before=before, limit=limit)

    def _search(self, rest: str) -> None:
        def found(answer: Frame) -> None:
            if not answer["found"]:
                self._show(self._words("join-not-found"))
            events = [
                {"c": one["c"], "s": one["s"], "at": one["at"], "f": one["f"], "k": "msg", "b": {"text": one["text"]}}
                for one in answer["found"]
            ]
            self._show_events(events, is_numbered=True)

        if rest:
            self.ask("search", found, text=rest)

    def _note(self, rest: str) -> None:
        """Show the note that the open conversation shares, or add a line to it."""

        def shown(answer: Frame) -> None:
            self._show(self._words("join-note" if answer["text"] else "join-no-note"))
            for line in answer["text"].splitlines():
                self._show(f"  {printable(line)}")

        if self.current is None:
            self._show(self._words("join-nowhere"))
        elif rest:
            self.ask("note.append", lambda done: self._show(self._words("join-noted")), c=self.current, text=rest)
        else:
            self.ask("note.get", shown, c=self.current, open=False)

    def _edit(self, rest: str) -> None:
        number, text = self._numbered(rest)
        if number is None or not text:
            self._show(self._words("join-own"))
        else:
            self._append("edit", {"text": text}, number)

    def _delete(self, rest: str) -> None:
        number, text = self._numbered(rest)
        if number is None or text:
            self._show(self._words("join-own"))
        else:
            self._append("del", {}, number)

    def _numbered(self, rest: str) -> tuple[int | None, str]:
        """Return which message is meant, the last of one's own where no #N stands in front, and what follows."""
        word, _, text = rest.partition(" ")
        digits = word.removeprefix("#")
        if word != digits and digits.isascii() and digits.isdigit() and len(digits) < 16 and self.current is not None:
            return int(digits), text.strip()
        return self._own.get(self.current or 0), rest

    def _help(self, rest: str) -> None:
        for name in COMMANDS:
            self._show(f"{name:10} {self._words(f'join-help-{name[1:]}')}")
        self._show(f"{'q':10} {self._words('join-help-quit')}")


COMMANDS: Final[Mapping[str, Callable[[Member, str], None]]] = {
    "/list": Member._list,
    "/room": Member._room,
    "/join": Member._join,
    "/msg": Member._msg,
    "/who": Member._who,
    "/history": Member._history,
    "/search": Member._search,
    "/note": Member._note,
    "/edit": Member._edit,
    "/delete": Member._delete,
    "/help": Member._help,
}
_LISTENERS: Final[Mapping[str, Callable[[Member, Frame], None]]] = {
    "welcome": Member._welcome,
    "ev": Member._event,
    "sync": Member._sync,
    "page": Member._page,
    "ack": Member._ack,
    "nack": Member._nack,
    "ok": Member._ok,
    "reset": lambda member, frame: member._cursors.clear(),
    "err": Member._error,
    "st": Member._status,
    "bye": Member._bye,
    "ping": lambda member, frame: member._say("pong"),
}
