"""What `ask` can ask of the shared note of a room or of two persons, and who is told of its edits.

    note.get {c, have?, epoch?, open?} -> {v, edits | text, by, at, here}
    note.edit {c, v, edit, cid, epoch?} -> {v, edits | text, done}      edits: all behind v, one's own among them
    note.append {c, text, cid?} -> {v}                                  a line under the text
    note.close {c} -> {}                                                be told no more

    st {c, note: {v, f, edit, cid, at}}  to whoever has it open: an edit
    st {c, note: {here: [persons]}}      to whoever has it open: who that is

Edits are lists as `notes` has them; each one in an answer is {v, f, edit, cid, at}. Who gets a note is told of its
edits from then on, unless `open` is false. `epoch` is the one that the client's
text is of: what was made on the text of a database that has been restored since is answered with the text of now. A
client whose version is not the one in front of the next edit asks for what is between; so a frame that is lost costs
nothing. Who has a note open asks again now and then, and is forgotten when that does not happen for OPEN_MS.
"""

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any, Final

from portico.apps.chat import frames, note_log
from portico.apps.chat.events import MAX_CID, Rejected, check_text
from portico.apps.chat.frames import Frame, number
from portico.apps.chat.hub import MAX_QUEUED, Hub, Reader
from portico.apps.chat.log import Change
from portico.apps.chat.note_log import Made, Missing, Outcome, Wanted
from portico.apps.chat.notes import read_edit
from portico.apps.chat.operations import flag, myself
from portico.apps.chat.session import Operation, Session

Answer = Mapping[str, Any]
OPEN_MS: Final = 100_000


class Notes:
    """Who has which note open, in one process. Belongs to one loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._open: dict[int, dict[Reader, int]] = {}  # by conversation; each with when it last asked, in ms

    def operations(self) -> dict[str, Operation]:
        """Return what can be asked, by name."""
        return {
            "note.get": self.get,
            "note.edit": self.edit,
            "note.append": self.append,
            "note.close": self.close,
        }

    async def get(self, session: Session, frame: Frame) -> Answer:
        """Return what one lacks of a note, and count one in."""
        reader, is_open = session.reader, flag(frame, "open", default=True)
        own, conversation = myself(session).person, number(frame, "c")
        have = number(frame, "have", least=0) if "have" in frame else None
        have = have if self._is_of_now(frame) else None

        def read(db: Connection) -> Missing:
            note_log.check_member(db, own, conversation)
            return note_log.look(db, conversation, have)

        missing = await self._hub.store.read(read)
        if is_open and reader is not None:
            self._note_open(conversation, reader)
        return {**_written(missing), "here": self._here(conversation)}

    async def edit(self, session: Session, frame: Frame) -> Answer:
        """Change a note. An edit that is too old is not done; the text in the answer tells what it is to be made on."""
        own, version = myself(session).person, number(frame, "v", least=0)
        wanted = Wanted(number(frame, "c"), version, read_edit(frame.get("edit")), _cid(frame))
        if wanted.cid is None:
            raise Rejected("bad_cid", "an edit has an id of your own, so that it is done once")
        is_of_now = self._is_of_now(frame)

        def write(change: Change) -> tuple[Outcome, Missing]:
            if is_of_now:
                outcome = note_log.edit(change, own, wanted)
            else:
                note_log.check_member(change.db, own, wanted.conversation)
                outcome = Outcome(None)
            have = version if is_of_now else None
            return outcome, note_log.look(change.db, wanted.conversation, have)

        outcome, missing = await self._hub.store.write(write)
        self._tell(wanted.conversation, outcome)
        return {**_written(missing), "done": outcome.made is not None}

    async def append(self, session: Session, frame: Frame) -> Answer:
        """Put a line under the text of a note."""
        own, conversation, cid = myself(session).person, number(frame, "c"), _cid(frame)
        line = check_text(frame.get("text")).replace("\r\n", "\n").replace("\r", "\n")
        if not line:
            raise Rejected("empty", "there is nothing in the line")
        outcome = await self._hub.store.write(lambda change: note_log.append(change, own, conversation, line, cid=cid))
        self._tell(conversation, outcome)
        return {"v": outcome.made.version if outcome.made is not None else None}

    async def close(self, session: Session, frame: Frame) -> Answer:
        """Be told no more."""
        conversation = number(frame, "c")
        if session.reader is not None and self._open.get(conversation, {}).pop(session.reader, None) is not None:
            self._tell_here(conversation)
        return {}

    def _is_of_now(self, frame: Frame) -> bool:
        return frames.text(frame, "epoch", most=64, default="") in ("", self._hub.store.epoch)

    # who is told

    def _note_open(self, conversation: int, reader: Reader) -> None:
        before = self._here(conversation)
        self._open.setdefault(conversation, {})[reader] = self._hub.store.now_ms()
        if reader.person not in before:
            self._tell_here(conversation)

    def _readers(self, conversation: int) -> list[Reader]:
        """Return who has a note open, may see it and is connected; forget the others."""
        since_ms = self._hub.store.now_ms() - OPEN_MS
        there = {
            reader: asked_ms
            for reader, asked_ms in self._open.get(conversation, {}).items()
            if asked_ms >= since_ms and self._is_there(reader, conversation)
        }
        self._open[conversation] = there
        if not there:
            del self._open[conversation]
        return list(there)

    def _is_there(self, reader: Reader, conversation: int) -> bool:
        room = self._hub.rooms.get(conversation)
        seat = room.seats.get(reader.person) if room is not None and reader in room.readers else None
        return seat is not None and seat.until is None

    def _here(self, conversation: int) -> list[int]:
        return sorted({reader.person for reader in self._readers(conversation)})

    def _tell(self, conversation: int, outcome: Outcome) -> None:
        if outcome.made is not None and not outcome.is_repeat:
            self._say(conversation, _edit(outcome.made))

    def _tell_here(self, conversation: int) -> None:
        self._say(conversation, {"here": self._here(conversation)})

    def _say(self, conversation: int, note: Mapping[str, Any]) -> None:
        """Tell whoever has a note open; who has no room misses it, and asks."""
        told = frames.write("st", c=conversation, note=note)
        for reader in self._readers(conversation):
            if reader.wire.has_room and len(reader.queue) < MAX_QUEUED:
                reader.say(told)


def _written(missing: Missing) -> dict[str, Any]:
    known = {"text": missing.text} if missing.text is not None else {"edits": [_edit(one) for one in missing.edits]}
    return {"v": missing.version, **known, "by": missing.person, "at": missing.at_ms}


def _edit(made: Made) -> dict[str, Any]:
    return {"v": made.version, "f": made.person, "edit": made.edit, "cid": made.cid, "at": made.at_ms}


def _cid(frame: Frame) -> str | None:
    return frames.text(frame, "cid", most=MAX_CID) if frame.get("cid") is not None else None
