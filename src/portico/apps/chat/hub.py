"""The hub: who is connected, and how what is committed reaches them.

    Store.on_commit -> Hub.publish -> Room -> Reader.push           an event is written once, whoever gets it
                                               flush                once a turn of the loop: one message a reader
    Reader.pump                                                     what push could not do, from the log

A reader has a cursor in each conversation: the last seq that was handed to it. An event that follows it is pushed; one
that does not, because the reader is new, or slow, or has been away, is left to the pump, which reads the log from the
cursor on for as long as the connection has room. So there is one way to be behind, whatever the reason, and what a
reader gets is the log: in order, without holes and without repeats.

Invariants: a reader's memory is bounded by its wire's room and one read of the log; nobody waits for another's wire;
what a person may not read is neither pushed (`Room.allows`) nor pumped (`log.read_for`).
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from sqlite3 import Connection
from typing import Final, NamedTuple, Protocol

from portico.apps.chat import frames, log
from portico.apps.chat.events import Event, Rejected
from portico.apps.chat.store import Store

MAX_QUEUED: Final = 256  # frames of one turn
MAX_GAP: Final = 1_000  # events; whoever lags further behind gets the last ones, and is told
KEPT_AT_GAP: Final = 100


class Wire(Protocol):
    """The way out to one client, whatever it speaks."""

    @property
    def has_room(self) -> bool:
        """Whether what is sent now will leave soon; `Reader.pump` is called when it is so again."""
        ...

    def send(self, messages: Sequence[str]) -> None:
        """Send frames, in one message or several; never waits, never raises."""
        ...


class Seat(NamedTuple):
    """What of a conversation a person may read: from `since`, up to `until` where it is not None."""

    since: int
    until: int | None = None

    def allows(self, seq: int) -> bool:
        """Tell whether an event may be read, by the rule of `log.can_read`."""
        return self.since <= seq and (self.until is None or seq <= self.until)


class Room:
    """A conversation in which somebody is connected. seats: of those persons. head: the last seq committed."""

    __slots__ = ("head", "readers", "seats")

    def __init__(self, head: int) -> None:
        self.head = head
        self.readers: set[Reader] = set()
        self.seats: dict[int, Seat] = {}


class Reader:
    """One connection of one person. cursors: conversation to the last seq handed over."""

    __slots__ = ("_hub", "_is_pumping", "cursors", "lagging", "person", "queue", "wire")

    def __init__(self, hub: "Hub", person: int, wire: Wire) -> None:
        self._hub = hub
        self._is_pumping = False
        self.cursors: dict[int, int] = {}
        self.lagging: set[int] = set()
        self.person = person
        self.queue: list[str] = []
        self.wire = wire

    def push(self, conversation: int, seq: int, frame: str) -> None:
        """Hand over an event if it is the next one and there is room; otherwise leave it to the pump."""
        if self.cursors[conversation] == seq - 1 and len(self.queue) < MAX_QUEUED and self.wire.has_room:
            self.cursors[conversation] = seq
            self.say(frame)
        else:
            self.lagging.add(conversation)
            self.pump()

    def say(self, frame: str) -> None:
        """Send a frame with the others of this turn."""
        if not self.queue:
            self._hub.flush_soon(self)
        self.queue.append(frame)

    def flush(self) -> None:
        """Send what has gathered."""
        queue, self.queue = self.queue, []
        if queue:
            self.wire.send(queue)

    def pump(self) -> None:
        """Catch up from the log, as far as there is room."""
        if self.lagging and not self._is_pumping and self.wire.has_room:
            self._is_pumping = True
            self._hub.run(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while self.lagging and self.wire.has_room:
                conversation = min(self.lagging)
                self.flush()
                await self._hub.bring(self, conversation)
        finally:
            self._is_pumping = False


class Hub:
    """All rooms and readers of one process. Belongs to one loop.

    run: starts a coroutine that may wait, and keeps it. on_leave: told of each reader whose connection has ended, while
    it is still known.
    """

    def __init__(self, store: Store, run: Callable[..., object]) -> None:
        self.run = run
        self.store = store
        self.rooms: dict[int, Room] = {}
        self.readers: dict[int, set[Reader]] = {}
        self.on_leave: Callable[[Reader], None] = lambda reader: None
        self._full: list[Reader] = []
        store.on_commit = self.publish

    # who is there

    async def enter(self, reader: Reader, conversation: int, have: int | None, *, recent: int | None = None) -> None:
        """Have a reader follow a conversation, if it does not yet. have: the last seq that it has, None for nothing.

        recent: with how many events it begins where it has nothing, None for all.
        Where what follows it is not kept any more, the reader is told so, as of any other gap.
        Raises Rejected for a person who has nothing to do with the conversation.
        """
        member, first, head = await self.store.read(lambda db: _looked_up(db, reader.person, conversation))
        if conversation in reader.cursors:  # joined while it said hello, it was brought in from two sides
            return
        room = self.rooms.setdefault(conversation, Room(head))
        room.head = max(room.head, head)
        room.seats[reader.person] = Seat(member.since, member.until)
        room.readers.add(reader)
        latest = first - 1 if recent is None else max(first - 1, head - recent)
        reader.cursors[conversation] = have or latest
        reader.lagging.add(conversation)

    def rewind(self, reader: Reader, conversation: int, have: int) -> None:
        """Hand a reader once more what is behind `have` in a conversation that it follows."""
        reader.cursors[conversation] = have
        reader.lagging.add(conversation)
        reader.pump()

    def greet(self, reader: Reader) -> None:
        """Count a reader in: from now on it is told what concerns its person."""
        self.readers.setdefault(reader.person, set()).add(reader)

    def leave(self, reader: Reader) -> None:
        """Forget a reader whose connection has ended."""
        self.on_leave(reader)
        for conversation in list(reader.cursors):
            self.dismiss(reader, conversation)
        others = self.readers.get(reader.person, set())
        others.discard(reader)
        if not others:
            self.readers.pop(reader.person, None)

    def dismiss(self, reader: Reader, conversation: int) -> None:
        """Have a reader follow a conversation no more."""
        reader.cursors.pop(conversation, None)
        reader.lagging.discard(conversation)
        room = self.rooms.get(conversation)
        if room is None:
            return
        room.readers.discard(reader)
        if not any(other.person == reader.person for other in room.readers):
            room.seats.pop(reader.person, None)
        if not room.readers:
            del self.rooms[conversation]

    # what happens

    def publish(self, events: Sequence[Event]) -> None:
        """Hand committed events to whoever is there and may read them."""
        for event in events:
            if event.kind == "join":
                self._seat(event)
            room = self.rooms.get(event.conversation)
            if room is None:
                continue
            room.head = event.seq
            frame = frames.write_event(event)
            for reader in list(room.readers):
                if room.seats[reader.person].allows(event.seq):
                    reader.push(event.conversation, event.seq, frame)
            if event.kind == "leave":
                self._unseat(room, event)

    def _seat(self, event: Event) -> None:
        """Have whoever joins follow, on every connection."""
        body = json.loads(event.body)
        room = self.rooms.get(event.conversation)
        if room is not None and body["person"] in room.seats:  # came back, and may read on
            room.seats[body["person"]] = Seat(room.seats[body["person"]].since)
        for reader in self.readers.get(body["person"], ()):
            if event.conversation not in reader.cursors:
                self.run(self._follow(reader, event.conversation))

    async def _follow(self, reader: Reader, conversation: int) -> None:
        try:
            await self.enter(reader, conversation, None)
        except Rejected:  # left again meanwhile
            return
        reader.pump()

    def _unseat(self, room: Room, event: Event) -> None:
        """Whoever has left reads what was said until then."""
        person = json.loads(event.body)["person"]
        if person in room.seats:
            room.seats[person] = Seat(room.seats[person].since, event.seq)

    def tell(self, persons: Iterable[int], frame: str) -> None:
        """Send something that is no event to every connection of some persons; who has no room misses it."""
        for person in persons:
            for reader in self.readers.get(person, ()):
                if reader.wire.has_room and len(reader.queue) < MAX_QUEUED:
                    reader.say(frame)

    async def bring(self, reader: Reader, conversation: int) -> None:
        """Hand a reader the next events of a conversation from the log, or the last ones where too many are missing."""
        cursor = reader.cursors.get(conversation)
        if cursor is None:
            reader.lagging.discard(conversation)
            return
        try:
            span, is_limited = await self.store.read(lambda db: _span(db, reader.person, conversation, cursor))
        except Rejected:
            self.dismiss(reader, conversation)
            return
        if reader.cursors.get(conversation) != cursor:  # it left, or came anew, meanwhile
            return
        events = [frames.write_event(event) for event in span.events]
        last = span.events[-1].seq if span.events else max(cursor, span.head)
        reader.cursors[conversation] = last
        room = self.rooms.get(conversation)
        if last >= span.head and (room is None or last >= room.head or not room.seats[reader.person].allows(last + 1)):
            reader.lagging.discard(conversation)
        bounds = {"first": span.first, "head": span.head, "limited": is_limited or None}
        reader.say(frames.write_events("sync", events, c=conversation, **bounds))

    def flush_soon(self, reader: Reader) -> None:
        """Send a reader's frames at the end of this turn of the loop."""
        if not self._full:
            asyncio.get_running_loop().call_soon(self._flush)
        self._full.append(reader)

    def _flush(self) -> None:
        full, self._full = self._full, []
        for reader in full:
            reader.flush()


def _looked_up(db: Connection, person: int, conversation: int) -> tuple[log.Membership, int, int]:
    first, head = log.bounds_for(db, person, conversation)
    member = log.membership(db, conversation, person)
    assert member is not None, "bounds_for has refused those who are none"
    return member, first, head


def _span(db: Connection, person: int, conversation: int, cursor: int) -> tuple[log.Span, bool]:
    span = log.read_for(db, person, conversation, cursor)
    is_cut = cursor + 1 < span.first
    if span.head - max(cursor, span.first - 1) > MAX_GAP:
        return log.read_for(db, person, conversation, span.head - KEPT_AT_GAP), True
    return span, is_cut
