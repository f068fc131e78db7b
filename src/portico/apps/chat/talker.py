"""A person behind a plain text transport: who it is, where what is typed goes, and how what happens reads.

    TCP lines, UDP text
      commands.obey -> Talker.say | ask | move_to ...       what is typed
      Session, Hub -> Wire -> Talker.read -> lines          what happens

Who has said nothing yet is nobody: no row is made for a port scan. The first text makes a visitor of the desk, where
there is one. In: lines and names as people type them. Out: what the session and the store are asked, and lines to show.

Invariant: what is typed goes to one conversation, which is named by the line or was chosen before; a name that fits
two of them goes to neither.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from sqlite3 import Connection
from typing import Any, Final, NamedTuple, TypeVar

from portico.apps.chat import cases, frames, log, people, rooms
from portico.apps.chat.entrance import Caller, Entrance
from portico.apps.chat.events import Claim, Event, Rejected, check
from portico.apps.chat.hub import Wire
from portico.apps.chat.session import House, Me, Session
from portico.apps.chat.wording import Frame, lines_of, parse_event, persons_in, phrase, reason

MAX_NAMES: Final = 2_000
LOOK_BACK: Final = 2_000  # events, among which one's own last message is looked for
MAX_OWN: Final = 2_000  # messages of which the hub has not told yet
_STEPS: Final = 20
STAFF: Final = frozenset({"agent", "admin"})
GUESTS: Final = frozenset({"visitor", "peer"})
# Kinds of events that say what another one says better, by kind of conversation.
_UNTOLD: Final = {
    "desk": frozenset({"join", "leave"}),
    "staff": frozenset({"join", "leave", "state", "transfer"}),
}
_GUEST_NAMES: Final = {"en": "guest", "zh": "访客"}
_MINUTE_S: Final = 60


Answer = TypeVar("Answer")


class Manner(NamedTuple):
    """How a transport treats people.

    at_first: how many lines are shown of a conversation that somebody comes back to; the others are asked for.
    has_ticks: whether a message that is on the disk is confirmed by a line. reads_by_writing: whether who writes has
    read what was there.
    """

    at_first: int = 20
    has_ticks: bool = True
    reads_by_writing: bool = True


class Setting(NamedTuple):
    """What the talkers of one service share. zone: of the times that are shown, None for this machine's own.

    is_abusive: whether somebody has gone on too long with what is refused.
    """

    house: House
    entrance: Entrance
    via: str
    zone: tzinfo | None = None
    manner: Manner = Manner()
    is_abusive: Callable[[Me], bool] = lambda me: False


class Place(NamedTuple):
    """A conversation as a person calls it. other: whom it is with, None for a room."""

    conversation: int
    kind: str
    label: str
    other: int | None
    head: int
    read: int


class Talker:
    """See the module.

    caller: where the person is. show: takes lines for the person, in order with what happens.
    language: "en" until the person writes Chinese, or says otherwise. current: where text goes that names nobody.
    token: of the device, "" before there is one. keeps_device: whether it is to be known after the connection.
    status: of the visitor at the desk, as told last.
    """

    def __init__(self, setting: Setting, wire: Wire, caller: Caller, show: Callable[..., None]) -> None:
        self.caller = caller
        self.current: int | None = None
        self.is_ended = False
        self.keeps_device = True
        self.language = "en"
        self.session = Session(setting.house, wire, setting.via)
        self.setting = setting
        self.show = show
        self.status: Frame = {}
        self.token = ""
        self._announced: set[tuple[int, int]] = set()
        self._is_language_chosen = False
        self._names: dict[int, str] = {}
        self._own: set[tuple[int, int]] = set()
        self._places: dict[int, Place] = {}
        self._shown: dict[int, int] = {}
        self._wire = wire

    # who it is

    @property
    def me(self) -> Me | None:
        """Who it is, None for somebody who has said nothing yet."""
        return self.session.me

    @property
    def has_desk(self) -> bool:
        """Whether there is a desk to talk to."""
        return "desk.start" in self.setting.house.operations

    def check_in(self) -> None:
        """Raise Rejected for an address that connects too often, or is blocked."""
        self.setting.entrance.check_rate(self.caller.address, "connect")

    async def enter(self, token: str) -> Me:
        """Come in by a token; whoever it was before leaves. Raises Rejected "auth"."""
        house = self.setting.house
        me = await house.recognise(token)
        found = {place.conversation: place for place in await self._read(partial(_places, me=me))}
        self.end()
        self.session = Session(house, self._wire, self.setting.via)
        self.token, self._places, self._own, self.keeps_device = token, found, set(), True
        at_first = self.setting.manner.at_first
        have = {str(c): max(place.read, place.head - at_first) for c, place in found.items()}
        for c, place in found.items():
            if place.head - at_first > place.read:
                self.tell("earlier", count=place.head - at_first - place.read)
            self._shown[c] = have[str(c)]
        self.current = next(iter(found)) if len(found) == 1 else self._last_case(me)
        await self.session.take(frames.write("hello", v=frames.VERSION, tok=token, have=have))
        person = await self._read(lambda db: people.person(db, me.person))
        if person.language and not self._is_language_chosen:
            self.language = person.language
        return me

    def _last_case(self, me: Me) -> int | None:
        own = [place.conversation for place in self._places.values() if place.kind == "desk" and me.kind in GUESTS]
        return max(own, default=None)

    async def sign_in(self, login: str, password: str) -> Me:
        """Come in by login and password. Raises Rejected."""
        answer = await self.setting.entrance.sign_in({"login": login, "password": password}, self.caller)
        me = await self.enter(answer["token"])
        self.keeps_device = False
        return me

    async def visit(self) -> Me:
        """Be a visitor, if nobody yet. Raises Rejected "rate"."""
        if self.me is not None:
            return self.me
        answer = await self.setting.entrance.visit({"lang": self.language}, self.caller)
        number = answer["me"]["id"]
        name = f"{_GUEST_NAMES[self.language]}-{number}"
        await self._write(lambda change: cases.rename(change, number, name))
        me = await self.enter(answer["token"])
        self.tell("you_are", name=name)
        self.tell("come_back", token=self.token)
        return me

    def end(self) -> None:
        """Be nobody: the connection has ended, or somebody else comes.

        A device that was made for a password, and whose token nobody has seen, is forgotten.
        """
        me = self.me
        self.session.end()
        if me is not None and not self.keeps_device:
            self.setting.house.hub.run(self._forget(me))

    async def _forget(self, me: Me) -> None:
        with suppress(Rejected):  # the disk takes nothing now; the list of devices shows it
            await self._write(lambda change: people.revoke(change, me.person, me.device))

    def choose_language(self, language: str) -> None:
        """Be spoken to in a language from now on."""
        self.language, self._is_language_chosen = language, True

    def notice(self, text: str) -> None:
        """Take note of what is written: who writes Chinese is answered in it."""
        if not self._is_language_chosen and any("\u4e00" <= character <= "\u9fff" for character in text):
            self.choose_language("zh")

    def tell(self, name: str, /, **values: object) -> None:
        """Show a phrase of the server's own."""
        self.show("*** " + phrase(name, self.language, **values))

    def complain(self, exc: Rejected) -> None:
        """Show why something is not done."""
        why = reason(exc.code, str(exc), self.language)
        if exc.retry_s is None:
            self.show(f"*** {why}")
        else:
            self.tell("too_soon", why=why, wait_s=max(1, round(exc.retry_s)))

    # what is asked

    async def ask(self, op: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Ask for an operation by its name. Raises Rejected."""
        me = await self.visit()
        operation = self.setting.house.operations.get(op)
        if operation is None:
            raise Rejected("unknown_op", f"there is nothing called {op} here")
        self._check_rate(me, "ask")
        return await operation(self.session, arguments)

    async def say(self, text: str, conversation: int | None = None, *, cid: str | None = None) -> Event:
        """Append a message; return it once it is on the disk.

        conversation: None for the current one; a visitor who has none gets one at the desk. cid: the person's own name
        for it, None for one that is made. Raises Rejected.
        """
        me = await self.visit()
        target = conversation or self.current or await self._start_case()
        event = await self._append(me, Claim(target, "msg", {"text": text}, None, cid or secrets.token_hex(8)))
        if self.setting.manner.reads_by_writing:
            await self.mark(event.conversation, event.seq)
        return event

    async def amend(self, kind: str, body: Mapping[str, str], number: int | None) -> Event:
        """Change or delete a message of the current conversation; return the event that does.

        kind: "edit", or "del". number: of the message, None for the person's own last one. Raises Rejected.
        """
        me, place = await self.visit(), await self.place("")
        found = number if number is not None else await self._read(partial(_last_own, place=place, person=me.person))
        if found is None:
            raise Rejected("bad_ref", "there is no message of yours")
        return await self._append(me, Claim(place.conversation, kind, body, found, secrets.token_hex(8)))

    async def _append(self, me: Me, claim: Claim) -> Event:
        self._check_rate(me, "send")
        entry = check(claim, me.person, self.setting.via)

        def append(change: log.Change) -> Event:
            event, is_repeat = log.append(change, entry)
            if not is_repeat and len(self._own) < MAX_OWN:
                # Noted before the commit, so that the hub's own word of it finds it noted.
                self._own.add((event.conversation, event.seq))
            return event

        return await self._write(append)

    async def mark(self, conversation: int, read: int) -> None:
        """Note how far the person has read."""
        await self.session.take(frames.write("mark", c=conversation, read=read))

    async def _start_case(self) -> int:
        if not self.has_desk or (self.me is not None and self.me.kind not in GUESTS):
            raise Rejected("nowhere", phrase("nowhere", self.language))
        answer = await self.ask("desk.start")
        self.current = int(answer["c"])
        await self.follow(self.current)
        return self.current

    async def follow(self, conversation: int) -> None:
        """Wait until what has been said is shown, in a conversation that the person has come into a moment ago."""
        reader = self.session.reader
        for _ in range(_STEPS):  # the hub has been told of the join, and reads before these reads
            is_behind = reader is not None and (conversation not in reader.cursors or conversation in reader.lagging)
            if reader is None or not is_behind or not self._wire.has_room:
                break
            await self._read(lambda db: None)
        if reader is not None:
            reader.flush()

    def _check_rate(self, me: Me, kind: str) -> None:
        wait_s = self.setting.house.may(me, kind)
        if wait_s:
            raise Rejected("rate", "too many at once; slow down", retry_s=wait_s)

    # where it goes

    async def places(self) -> list[Place]:
        """Return the conversations that the person is in, with the names that they are called by."""
        me = self.me
        if me is None:
            return []
        found = await self._read(partial(_places, me=me))
        self._places = {place.conversation: place for place in found}
        return found

    async def find(self, name: str) -> Place | None:
        """Return the conversation of a name or of a number, None for none. Raises Rejected for a name of several."""
        places, wanted = await self.places(), name.strip().removeprefix("#")
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 16:
            return next((place for place in places if place.conversation == int(wanted)), None)
        fitting = [place for place in places if place.label.casefold() == wanted.casefold() and place.kind != "staff"]
        # Of the same visitor the last conversation is meant.
        newest = {place.other or -place.conversation: place for place in fitting}
        if len(newest) > 1:
            numbers = [place.conversation for place in newest.values()]
            listed = ", ".join(f"#{number}" for number in numbers)
            raise Rejected("which", phrase("which", self.language, name=wanted, numbers=listed, first=numbers[0]))
        return next(iter(newest.values()), None)

    async def place(self, name: str) -> Place:
        """Return the conversation of a name or a number, the current one for "". Raises Rejected."""
        if name:
            found = await self.find(name)
        else:
            found = next((place for place in await self.places() if place.conversation == self.current), None)
        if found is None:
            word = "no_place" if name else "nowhere"
            raise Rejected("no_place", phrase(word, self.language, name=name))
        return found

    def label_of(self, conversation: int) -> str:
        """Return what a conversation is called, its number where that is not known."""
        place = self._places.get(conversation)
        return self._label(place) if place is not None else f"#{conversation}"

    def _label(self, place: Place) -> str:
        if place.kind == "staff":
            return phrase("notes", self.language, name=place.label)
        if place.kind == "desk" and self.me is not None and place.other == self.me.person:
            return phrase("desk", self.language)
        return place.label

    # what happens

    async def read(self, frame: str) -> list[str]:
        """Return what the session or the hub says as lines."""
        return await self.read_frame(parse_event(frame))

    async def read_frame(self, frame: Frame) -> list[str]:
        """Return what the session or the hub says as lines. frame: as JSON has it."""
        reader = _READERS.get(frame["t"])
        return await reader(self, frame) if reader is not None else []

    def is_news(self, event: Frame) -> bool:
        """Tell whether an event was not typed here. Asked once for each."""
        place = (event["c"], event["s"])
        if place in self._own:
            self._own.discard(place)
            return False
        return True

    async def names_of(self, persons: Iterable[int]) -> Mapping[int, str]:
        """Return the names of persons who are in what the person reads."""
        missing = [person for person in persons if person not in self._names]
        if missing:
            if len(self._names) > MAX_NAMES:
                self._names.clear()
            marks = ", ".join("?" * len(missing))
            query = f"SELECT id, name FROM person WHERE id IN ({marks})"
            self._names.update(await self._read(lambda db: db.execute(query, missing).fetchall()))
        return self._names

    async def event_lines(self, event: Frame) -> list[str]:
        """Return an event as lines; the conversation is named where it is not the one that text goes to."""
        names = {**await self.names_of(persons_in(event))}
        conversation = event["c"]
        if conversation not in self._places:
            await self.places()
        place = self._places.get(conversation)
        is_untold = place is not None and event["k"] in _UNTOLD.get(place.kind, ())
        if is_untold or (event["k"] == "leave" and self._is_mine(event)):
            return []
        is_plain = conversation == self.current or (place is not None and place.other == event["f"])
        where = "" if is_plain and (place is None or place.kind != "staff") else self.label_of(conversation)
        return lines_of(event, names, self.language, zone=self.setting.zone, where=where)

    def _is_mine(self, event: Frame) -> bool:
        return self.me is not None and event["f"] == event["b"].get("person") == self.me.person

    async def _event(self, frame: Frame) -> list[str]:
        self._shown[frame["c"]] = frame["s"]
        if frame["k"] == "state":
            self.status = {}
        return await self.event_lines(frame) if self.is_news(frame) else []

    async def _sync(self, frame: Frame) -> list[str]:
        lines = []
        shown = self._shown.get(frame["c"], 0)
        if frame.get("limited"):
            next_seq = frame["ev"][0]["s"] if frame["ev"] else frame["head"] + 1
            count = next_seq - max(shown, frame["first"] - 1) - 1
            lines.append("*** " + phrase("earlier" if count else "not_kept", self.language, count=count))
        for event in frame["ev"]:
            lines += await self._event(event)
        return lines

    async def _state(self, frame: Frame) -> list[str]:
        self._names.update({int(person): card["name"] for person, card in frame.get("people", {}).items()})
        if frame.get("desk_list"):
            return await self._waiting()
        status = frame.get("desk")
        if status is None or status == self.status:
            return []
        self.status = status
        return self.status_lines()

    def status_lines(self) -> list[str]:
        """Return where a visitor is in the queue, nothing for one who does not wait."""
        status = self.status
        if status.get("state") != "queued":
            return []
        if not status.get("open", True) and status.get("opens"):
            return ["*** " + phrase("opens", self.language, when=_moment(status["opens"], self.setting.zone))]
        if not status.get("pos"):
            return []
        minutes = -(-status["eta"] // _MINUTE_S) if status.get("eta") else None
        word = "place" if minutes is None else "place_eta"
        return ["*** " + phrase(word, self.language, pos=status["pos"], minutes=minutes)]

    async def waiting(self) -> list[Mapping[str, Any]]:
        """Return the cases that an agent may take: those in the queue, and those that a colleague hands on.

        Raises Rejected.
        """
        mine = (await self.ask("desk.list", tab="mine"))["items"]
        handed = [item for item in mine if item["state"] == "open" and self.is_asked(item)]
        return handed + list((await self.ask("desk.list", tab="queue"))["items"])

    def is_asked(self, item: Mapping[str, Any]) -> bool:
        """Tell whether it is this agent who is asked to take a case."""
        return self.me is not None and item["offered"] is not None and item["offered"]["id"] == self.me.person

    async def _waiting(self) -> list[str]:
        """Return who waits and has not been told of, to an agent."""
        if self.me is None or self.me.kind not in STAFF:
            return []
        try:
            items = await self.waiting()
        except Rejected:  # asked too often: the next change tells
            return []
        fresh = [item for item in items if (item["c"], item["rev"]) not in self._announced]
        self._announced = {(item["c"], item["rev"]) for item in items}
        return [f"*** {self.waiting_line(item)}" for item in fresh]

    def waiting_line(self, item: Mapping[str, Any]) -> str:
        """Return a visitor who waits as a line. item: as desk.list has it."""
        last = (item.get("last") or {}).get("text", "")
        word = "waits_text" if last else "waits"
        text = last.replace("\n", " ")
        return phrase(word, self.language, number=item["c"], name=item["visitor"]["name"], text=text)

    async def _error(self, frame: Frame) -> list[str]:
        return ["*** " + reason(frame["code"], frame["why"], self.language)]

    async def _bye(self, frame: Frame) -> list[str]:
        self.is_ended = True
        return [f"*** {frame['why']}"]

    # the store

    async def _read(self, work: Callable[[Connection], Answer]) -> Answer:
        return await self.setting.house.hub.store.read(work)

    async def _write(self, work: Callable[[log.Change], Answer]) -> Answer:
        return await self.setting.house.hub.store.write(work)


_READERS: Final = {
    "ev": Talker._event,
    "sync": Talker._sync,
    "st": Talker._state,
    "err": Talker._error,
    "bye": Talker._bye,
}


def _moment(at_ms: int, zone: tzinfo | None) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%m-%d %H:%M}"


def _places(db: Connection, *, me: Me) -> list[Place]:
    found = []
    for one in rooms.conversations_of(db, me.person):
        if one.has_left:
            continue
        other, label = _called(db, one, me)
        found.append(Place(one.id, one.kind, label, other, one.head, one.read))
    return found


def _last_own(db: Connection, *, place: Place, person: int) -> int | None:
    """Return the number of a person's last message in a conversation, None where it is long ago, or there is none."""
    row = db.execute(
        "SELECT seq FROM event WHERE conversation = ? AND seq > ? AND sender = ? AND kind = 'msg' AND body != '{}' "
        "ORDER BY seq DESC LIMIT 1",
        (place.conversation, place.head - LOOK_BACK, person),
    ).fetchone()
    return None if row is None else int(row[0])


def _called(db: Connection, one: rooms.Summary, me: Me) -> tuple[int | None, str]:
    """Return whom a conversation is with, and what it is called: by a visitor's name, the other's, or its title."""
    other = one.others[0] if one.others else None
    if one.kind in ("desk", "staff"):
        row = db.execute("SELECT visitor FROM desk_case WHERE ? IN (conversation, staff)", (one.id,)).fetchone()
        other = None if row is None else int(row[0])
    return other, one.title if other is None else people.person(db, other).name
