"""A virtual user that is sent frames: it resumes, keeps what was not acknowledged, and takes nothing on trust.

    joined(way) -> hello with what it has -> welcome -> what was not acknowledged, again, under the same ids
    take(text)     ev, sync    the next event of its conversation, or it is a fault
                   limited     too much was missed: it is fetched, page by page
                   ack, nack   what is sent is done, or is sent again when that is allowed
    send()         a message, with its time in it

In: what came over a way, whatever that speaks. Out: frames, and what is wrong into a `Ledger`.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from portico.apps.chat import frames
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_texts import Progress, Stored, sent_s, write_text

MAX_OUTBOX: Final = 40  # of messages that wait for an acknowledgement; a person would stop typing
_LATER: Final = ("rate", "unavailable")


class Way(Protocol):
    """A connection that frames can be sent on."""

    def send(self, frame: str) -> None:
        """Send a frame; nothing happens where the connection has gone."""
        ...


class Waiting(NamedTuple):
    """A message that was not acknowledged yet. sent_s: when, 0 where it was sent more than once."""

    frame: str
    sent_s: float


Later = Callable[[float, Callable[[], None]], object]


class User:
    """See the module.

    outbox: by the user's own ids, in order. acked: id to place. later: calls back after seconds. syncs: how often a
    part of the log came by itself, which is how somebody is served who was away, or too slow.
    """

    def __init__(self, ledger: Ledger, number: int, account: Account, later: Later) -> None:
        self.account = account
        self.acked: dict[str, tuple[int, int]] = {}
        self.cursors: dict[int, int] = {}
        self.is_welcome = False
        self.number = number
        self.outbox: dict[str, Waiting] = {}
        self.syncs = 0
        self.way: Way | None = None
        self._behind: dict[int, int] = {}  # conversation to the last seq that was passed over meanwhile
        self._epoch = ""
        self._figures = ledger.of(account.way)
        self._later = later
        self._ledger = ledger
        self._next = 0
        self._paged: dict[int, int] = {}  # conversation to the last seq that was fetched, and may still be pushed

    # its connection

    def joined(self, way: Way) -> None:
        """Say hello on a new connection."""
        self.way = way
        self.is_welcome = False
        self._behind.clear()
        self._paged.clear()
        have = {str(c): seq for c, seq in self.cursors.items()}
        way.send(frames.write("hello", v=frames.VERSION, tok=self.account.token, epoch=self._epoch, have=have))

    def lost(self, way: Way) -> None:
        """Hear that a connection has ended."""
        if way is self.way:
            self.way = None
            self.is_welcome = False

    # talking

    def send(self, conversation: int, *, more: str = "") -> bool:
        """Write a message, now or as soon as there is a connection; False where too many wait already.

        more: what its text begins with; its time is then not counted.
        """
        if len(self.outbox) >= MAX_OUTBOX:
            return False
        self._next += 1
        self._figures.sent += 1
        cid = f"u{self.number}.{self._next}"
        now_s = time.perf_counter()
        text = more + write_text(self.number, self._next, now_s if self.is_welcome else None)
        frame = frames.write("send", cid=cid, c=conversation, k="msg", b={"text": text})
        self.outbox[cid] = Waiting(frame, now_s if self.is_welcome else 0.0)
        if self.is_welcome and self.way is not None:
            self.way.send(frame)
        return True

    def is_settled(self, progress: Progress) -> bool:
        """Tell whether everything was acknowledged, and everything read."""
        return not self.outbox and all(self.cursors.get(c, 0) >= progress.heads[c] for c in self.account.rooms)

    def state(self, progress: Progress) -> str:
        """Say what is missing, for people."""
        cursors = {c: (self.cursors.get(c, 0), progress.heads[c]) for c in self.account.rooms}
        return f"has {cursors}, and {len(self.outbox)} not acknowledged"

    def verify(self, stored: Stored) -> None:
        """Check what was acknowledged; what was read has been compared already."""
        stored.check_acked(self.number, self.acked)

    # listening

    def take(self, text: str) -> None:
        """Take a message of the server, with one frame or several."""
        for line in text.split("\n"):
            frame = json.loads(line)
            listen = _LISTENERS.get(frame["t"])
            if listen is not None:
                listen(self, frame)

    def _welcome(self, frame: Mapping[str, Any]) -> None:
        if self._epoch and frame["epoch"] != self._epoch:
            self._ledger.fault("altered", self.number, "the database is another one than before")
        self._epoch = frame["epoch"]
        self.is_welcome = True
        for cid in list(self.outbox):
            self._repeat(cid)

    def _repeat(self, cid: str) -> None:
        """Send again what was not acknowledged, under its id."""
        if self.is_welcome and self.way is not None and cid in self.outbox:
            self.outbox[cid] = self.outbox[cid]._replace(sent_s=0.0)
            self.way.send(self.outbox[cid].frame)

    def _event(self, event: Mapping[str, Any]) -> None:
        """Take an event that was pushed: the next one, as long as nothing is being fetched."""
        c, seq = event["c"], event["s"]
        if c in self._behind:
            self._behind[c] = max(self._behind[c], seq)
        elif seq <= min(self._paged.get(c, 0), self.cursors.get(c, 0)):
            self._figures.repeats += 1
        elif self._is_next(c, seq):
            self._keep(event)

    def _is_next(self, c: int, seq: int) -> bool:
        cursor = self.cursors.get(c, 0)
        if c not in self.account.rooms:
            self._ledger.fault("foreign", self.number, f"event {c}:{seq} of a conversation that it is not in")
            return False
        if seq <= cursor:
            self._ledger.fault("duplicate", self.number, f"event {c}:{seq} again, after {c}:{cursor}")
        elif seq > cursor + 1:
            self._ledger.fault("reorder", self.number, f"event {c}:{seq} directly after {c}:{cursor}")
            self._behind[c] = seq
            self._fetch(c)
        return seq == cursor + 1

    def _keep(self, event: Mapping[str, Any]) -> None:
        self.cursors[event["c"]] = event["s"]
        self._ledger.take(self.number, event)
        self._figures.deliveries += 1
        if event["t"] == "ev" and event["k"] == "msg":
            when_s = sent_s(event["b"]["text"])
            if when_s is not None:
                self._ledger.arrived(self._figures, time.perf_counter() - when_s)

    def _sync(self, frame: Mapping[str, Any]) -> None:
        """Take what was missed. Where that was too much, fetch it."""
        c = frame["c"]
        self.syncs += 1
        if frame.get("limited") and c in self.account.rooms:
            self._ledger.limited += 1
            self._behind[c] = max(self._behind.get(c, 0), frame["head"])
            self._fetch(c)
        else:
            self._all(frame["ev"])

    def _all(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self._event({**event, "t": "sync"})  # as old as it may be: it does not count as an arrival

    def _fetch(self, c: int) -> None:
        if self.way is not None:
            self.way.send(frames.write("get", id=c, c=c, after=self.cursors.get(c, 0)))

    def _page(self, frame: Mapping[str, Any]) -> None:
        c = frame["c"]
        last = max(self._behind.pop(c, 0), frame["head"])
        self._all(frame["ev"])
        self._paged[c] = self.cursors.get(c, 0)
        if self.cursors.get(c, 0) < last:
            self._behind[c] = last
            self._fetch(c)

    def _ack(self, frame: Mapping[str, Any]) -> None:
        waiting = self.outbox.pop(frame["cid"], None)
        known = self.acked.setdefault(frame["cid"], (frame["c"], frame["s"]))
        if known != (frame["c"], frame["s"]):
            self._ledger.fault("duplicate", self.number, f"{frame['cid']} is {known} and {frame['c']}:{frame['s']}")
        self._figures.acked += waiting is not None
        if waiting is not None and waiting.sent_s:
            self._figures.acks.add(time.perf_counter() - waiting.sent_s)

    def _nack(self, frame: Mapping[str, Any]) -> None:
        cid = frame.get("cid", "")
        if frame["code"] in _LATER:
            self._later(frame.get("retry", 1.0), lambda: self._repeat(cid))
        else:
            self.outbox.pop(cid, None)
            self._ledger.fault("refused", self.number, f"{cid}: {frame['code']}: {frame['why']}")

    def _error(self, frame: Mapping[str, Any]) -> None:
        if frame["code"] in _LATER and "id" in frame:  # a page, whose number is its conversation's
            self._later(frame.get("retry", 1.0), lambda: self._fetch(frame["id"]))
        else:
            self._ledger.fault("refused", self.number, f"{frame['code']}: {frame['why']}")

    def _reset(self, frame: Mapping[str, Any]) -> None:
        self._ledger.fault("lost", self.number, f"told to forget what it has: {frame['why']}")

    def _ping(self, frame: Mapping[str, Any]) -> None:
        if self.way is not None:
            self.way.send(frames.write("pong"))

    def _bye(self, frame: Mapping[str, Any]) -> None:
        self._ledger.farewells[frame["code"]] += 1


_LISTENERS: Final[Mapping[str, Callable[[User, Mapping[str, Any]], None]]] = {
    "welcome": User._welcome,
    "ev": User._event,
    "sync": User._sync,
    "page": User._page,
    "ack": User._ack,
    "nack": User._nack,
    "err": User._error,
    "reset": User._reset,
    "ping": User._ping,
    "bye": User._bye,
}
