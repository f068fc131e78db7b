"""One connected client, whatever it speaks: requests in, frames out.

    take(requests)
      hello     who it is -> welcome, or reset; each of its conversations is entered, and synced by the hub
      send      store -> ack or nack; the order of sends is the order of the log
      get       a part of the log -> page
      mark      how far it has read, or has got -> st to the others
      typ       -> st to the others
      view      which conversation is open -> st with how many are there
      ask       an operation by its name -> ok or err

Nothing but hello is taken before hello. What a client may ask for is decided where it is done, by the log and by each
operation; here is only who asks.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat import frames, log
from portico.apps.chat.events import MAX_TEXT, Claim, Entry, Rejected, check
from portico.apps.chat.frames import Ask, Get, Hello, Mark, Pong, Request, Send, Typing, View
from portico.apps.chat.hub import Hub, Reader, Wire
from portico.apps.chat.presence import MAX_TOLD, Presence

Operation = Callable[["Session", frames.Frame], Awaitable[Mapping[str, Any]]]
AUTH: Final = "auth"


class Me(NamedTuple):
    """Who a session is. device: which of the person's devices."""

    person: int
    name: str
    kind: str
    device: int


class House(NamedTuple):
    """What all sessions share.

    recognise: finds out whose token it is; raises Rejected "auth". conversations: those of a person, with the last seq
    of each that it has read. operations: what `ask` can ask, by name. may: whether a person may do one more thing of a
    kind now; returns how many seconds to wait, 0 for yes. presence: who is told of as being here.
    """

    hub: Hub
    recognise: Callable[[str], Awaitable[Me]]
    conversations: Callable[[int], Awaitable[Mapping[int, int]]]
    operations: Mapping[str, Operation]
    may: Callable[[Me, str], float]
    presence: Presence


class Session:
    """See the module. via: what events say of how they came. me: None before hello."""

    def __init__(self, house: House, wire: Wire, via: str) -> None:
        self.house = house
        self.me: Me | None = None
        self.reader: Reader | None = None
        self._marks: dict[tuple[int, bool], Mark | None] = {}
        self._wire = wire
        self._via = via

    async def take(self, text: str) -> None:
        """Take one message of a client, with one frame or several. What is wrong with it is told the client."""
        try:
            requests = frames.parse(text)
        except Rejected as exc:
            self.say(frames.write_rejection("err", exc))
            return
        for request in requests:
            await self._take_one(request)

    def end(self) -> None:
        """Forget the client: its connection has ended."""
        if self.reader is not None:
            self.house.hub.leave(self.reader)
            self.reader = None

    def say(self, frame: str) -> None:
        """Send a frame."""
        if self.reader is not None:
            self.reader.say(frame)
        else:
            self._wire.send([frame])

    async def _take_one(self, request: Request) -> None:
        if isinstance(request, Hello):
            await self._greet(request)
        elif self.me is None:
            self.say(frames.write_rejection("err", Rejected(AUTH, "say hello first")))
        elif isinstance(request, Send):
            # Not awaited: the next one may share its commit, and is behind it in any case.
            self.house.hub.run(self._append(self.me, request.claim))
        elif isinstance(request, (Get, Ask)):
            self.house.hub.run(self._answer(self.me, request))
        elif isinstance(request, Mark):
            self._mark_soon(self.me, request)
        elif isinstance(request, Typing):
            if self._may_show(self.me):
                frame = frames.write("st", c=request.conversation, typ=self.me.person)
                self._pass_on(self.me, request.conversation, frame)
        elif isinstance(request, View):
            if self.reader is not None and self._may_show(self.me):
                self.house.presence.look(self.reader, request.conversation)
        else:
            assert isinstance(request, Pong), "the last of the kinds of requests"

    # hello

    async def _greet(self, hello: Hello) -> None:
        house = self.house
        if self.me is not None:
            self.say(frames.write_rejection("err", Rejected("proto", "hello has been said already")))
            return
        try:
            self.me = me = await house.recognise(hello.token)
        except Rejected as exc:
            self.say(frames.write_rejection("err", exc))
            return
        self.reader = Reader(house.hub, me.person, self._wire)
        house.hub.greet(self.reader)
        store = house.hub.store
        self.say(frames.write("welcome", epoch=store.epoch, me=me.person, now=store.now_ms(), max_text=MAX_TEXT))
        why = await self._unknown(me, hello)
        if why:
            self.say(frames.write("reset", why=why))
        read = await house.conversations(me.person)
        for conversation in read:
            have = None if why else hello.have.get(conversation)
            await house.hub.enter(self.reader, conversation, have, recent=hello.recent)
            self.say(frames.write("st", c=conversation, read={str(me.person): read[conversation]}))
        if not why:  # what happened until somebody was taken out, or left on another device, is still to be read
            for conversation in await store.read(lambda db: log.left_behind(db, me.person, hello.have)):
                await house.hub.enter(self.reader, conversation, hello.have[conversation])
        house.presence.come(self.reader, self._via)
        self.reader.pump()

    async def _unknown(self, me: Me, hello: Hello) -> str:
        """Return why what a client has is not of this log, "" where it is.

        epoch: a backup was restored. ahead: the last commits were lost, as --fast allows where the power fails; what
        the client has of them may be other events by now.
        """
        store = self.house.hub.store
        if hello.epoch not in ("", store.epoch):
            return "epoch"
        return "ahead" if await store.read(lambda db: log.is_ahead(db, me.person, hello.have)) else ""

    # the others

    async def _append(self, me: Me, claim: Claim) -> None:
        cid = claim.cid if isinstance(claim.cid, str) else None
        try:
            self._check_rate(me, "send")
            entry = check(claim, me.person, self._via)
            event, is_repeat = await self.house.hub.store.write(partial(_append, entry=entry))
        except Rejected as exc:
            self.say(frames.write_rejection("nack", exc, cid=cid, c=claim.conversation))
            return
        self.say(frames.write("ack", cid=cid, c=event.conversation, s=event.seq, at=event.at_ms, dup=is_repeat or None))

    async def _answer(self, me: Me, request: Get | Ask) -> None:
        try:
            if isinstance(request, Get):
                self._check_rate(me, "get")
                self.say(await self._page(me, request))
            else:
                self._check_rate(me, "ask")
                operation = self.house.operations.get(request.op)
                if operation is None:
                    raise Rejected("unknown_op", f"there is nothing called {request.op!r}")
                answer = await operation(self, request.arguments)
                self.say(frames.write("ok", id=request.number, **answer))
        except Rejected as exc:
            self.say(frames.write_rejection("err", exc, id=request.number))
        except Exception:  # the root of what a client asked for
            logging.getLogger("portico").exception("the chat failed on a request of person %d", me.person)
            failed = Rejected("failed", "this went wrong here, and has been noted")
            self.say(frames.write_rejection("err", failed, id=request.number))

    async def _page(self, me: Me, get: Get) -> str:
        def read(db: Connection) -> log.Span:
            if get.before is not None:
                return log.read_before(db, me.person, get.conversation, get.before, get.limit)
            return log.read_for(db, me.person, get.conversation, get.after or 0, get.limit)

        span = await self.house.hub.store.read(read)
        events = [frames.write_event(event) for event in span.events]
        return frames.write_events("page", events, id=get.number, c=get.conversation, first=span.first, head=span.head)

    def _mark_soon(self, me: Me, mark: Mark) -> None:
        """Note how far somebody is; while one note of a conversation is made, the furthest of the others waits."""
        key = (mark.conversation, mark.read is not None)
        is_under_way, waiting = key in self._marks, self._marks.get(key)
        if waiting is None or (mark.read or mark.got or 0) > (waiting.read or waiting.got or 0):
            self._marks[key] = mark
        if not is_under_way:
            self.house.hub.run(self._mark_all(me, key))

    async def _mark_all(self, me: Me, key: tuple[int, bool]) -> None:
        try:
            while (mark := self._marks.get(key)) is not None:
                self._marks[key] = None
                await self._mark(me, mark)
        finally:
            del self._marks[key]

    async def _mark(self, me: Me, mark: Mark) -> None:
        is_read = mark.read is not None
        note, seq = (log.mark, mark.read) if mark.read is not None else (log.mark_got, mark.got or 0)
        try:
            self._check_rate(me, "mark")
            seq = await self.house.hub.store.write(lambda change: note(change.db, me.person, mark.conversation, seq))
        except Rejected as exc:
            self.say(frames.write_rejection("err", exc, c=mark.conversation))
            return
        frame = frames.write("st", c=mark.conversation, **{"read" if is_read else "got": {str(me.person): seq}})
        self.house.hub.tell([me.person], frame)  # for the person's other devices
        self._pass_on(me, mark.conversation, frame)

    def _pass_on(self, me: Me, conversation: int, frame: str) -> None:
        """Tell the others in a conversation, if the sender is in it now; where very many are, nobody looks at it."""
        room = self.house.hub.rooms.get(conversation)
        seat = room.seats.get(me.person) if room is not None else None
        if room is not None and seat is not None and seat.until is None and len(room.seats) <= MAX_TOLD:
            there = [person for person, other in room.seats.items() if other.until is None and person != me.person]
            self.house.hub.tell(there, frame)

    def _may_show(self, me: Me) -> bool:
        """Tell whether something may be shown that nobody keeps; where it may not, nobody misses it."""
        try:
            return not self.house.may(me, "typ")
        except Rejected:
            return False

    def _check_rate(self, me: Me, kind: str) -> None:
        wait_s = self.house.may(me, kind)
        if wait_s:
            raise Rejected("rate", "too many at once; slow down", retry_s=wait_s)


def _append(change: log.Change, *, entry: Entry) -> log.Appended:
    return log.append(change, entry)
