"""A virtual user over UDP, in the way that is acknowledged.

    joined(way) -> #have 0, which says that it numbers; /token, until that is answered
                -> #have 12, until that is answered; what comes before that answer is not taken
    take(text)     #s12 text       the next one: taken, and acknowledged; an older one: acknowledged
                   #u3.7 ok 13     what was sent is on the disk
    tick()         what was not acknowledged, again, under the same id; where all is silent, #have 12

In: datagrams, which may be lost, repeated and, with their connection, forgotten. Out: datagrams.
"""

import re
import time
from collections.abc import Callable
from typing import Final, Protocol

from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_texts import Progress, Run, Stored, sent_s, write_text
from portico.apps.chat.soak_user import Later, Waiting

MAX_OUTBOX: Final = 5
TICK_S: Final = 0.25
AGAIN_S: Final = 1.0
_GIVEN: Final = re.compile(r"#s(\d+) (.*)", re.DOTALL)
_ANSWERED: Final = re.compile(r"#(u[0-9.]+) (ok|no) (\w+)")
_WELCOME: Final = "*** You are "
_RESUMED: Final = "#have ok"
_UNKNOWN: Final = "#have no no_conversation"
_LATER: Final = ("rate", "unavailable")


class Posting(Protocol):
    """A socket that datagrams can be sent on."""

    def send(self, text: str) -> None:
        """Send a datagram; nothing happens where the socket has gone."""
        ...


class DatagramUser:
    """See the module. last: seq of the last text that was taken. run: all of them, as hashes. clock: as the texts."""

    def __init__(
        self,
        ledger: Ledger,
        number: int,
        account: Account,
        later: Later,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.account = account
        self.acked: dict[str, tuple[int, int]] = {}
        self.is_welcome = False
        self.last = 0
        self.number = number
        self.outbox: dict[str, Waiting] = {}
        self.run: Run = []
        self.way: Posting | None = None
        self._asked_s = 0.0
        self._clock = clock
        self._figures = ledger.of(account.way)
        self._heard_s = 0.0
        self._is_known = False
        self._later = later
        self._ledger = ledger
        self._next = 0

    # its socket

    def joined(self, way: Posting) -> None:
        """Come in from a new socket."""
        self.way = way
        self.is_welcome = self._is_known = False
        self._come_in()
        self._later(TICK_S, lambda: self._tick(way))

    def lost(self, way: object) -> None:
        """Hear that a socket is closed."""
        if way is self.way:
            self.way = None
            self.is_welcome = self._is_known = False

    def _come_in(self) -> None:
        if self._is_known:
            self._say(f"#have {self.last}")
        else:
            self._say("#have 0")
            self._say(f"/token {self.account.token}")
        self._asked_s = self._clock()

    def _say(self, text: str) -> None:
        if self.way is not None:
            self.way.send(text)

    def _tick(self, way: Posting) -> None:
        if way is not self.way:
            return
        now_s = self._clock()
        if not self.is_welcome:
            if now_s - self._asked_s >= AGAIN_S:
                self._come_in()
        else:
            for cid in [cid for cid, waiting in self.outbox.items() if now_s - waiting.sent_s >= AGAIN_S]:
                self._repeat(cid)
            if now_s - max(self._heard_s, self._asked_s) >= AGAIN_S:
                self._asked_s = now_s
                self._say(f"#have {self.last}")
        self._later(TICK_S, lambda: self._tick(way))

    # talking

    def send(self, conversation: int) -> bool:
        """Send a message; False where there is no connection, or too many wait already."""
        if not self.is_welcome or len(self.outbox) >= MAX_OUTBOX:
            return False
        self._next += 1
        self._figures.sent += 1
        cid, now_s = f"u{self.number}.{self._next}", self._clock()
        self.outbox[cid] = Waiting(f"#{cid} {write_text(self.number, self._next, now_s)}", now_s)
        self._say(self.outbox[cid].frame)
        return True

    def _repeat(self, cid: str) -> None:
        """Send again what was not acknowledged, under its id."""
        if cid in self.outbox:
            self.outbox[cid] = self.outbox[cid]._replace(sent_s=self._clock())
            self._say(self.outbox[cid].frame)

    def is_settled(self, progress: Progress) -> bool:
        """Tell whether everything was acknowledged, and the last message of the others taken."""
        (room,) = self.account.rooms
        return not self.outbox and self.last >= progress.last_of_others(room, self.account.person)

    def state(self, progress: Progress) -> str:
        """Say what is missing, for people."""
        (room,) = self.account.rooms
        return f"has {self.last} of {progress.heads[room]}, and {len(self.outbox)} not acknowledged"

    def verify(self, stored: Stored) -> None:
        """Check what was acknowledged, and what was taken, from the beginning."""
        stored.check_acked(self.number, self.acked)
        stored.texts.check(self.number, self.account, self.run, after=0)

    # listening

    def take(self, text: str) -> None:
        """Take a datagram."""
        self._heard_s = self._clock()
        if (found := _GIVEN.fullmatch(text)) is not None:
            self._given(int(found[1]), found[2])
        elif (found := _ANSWERED.fullmatch(text)) is not None:
            self._answered(found[1], found[2] == "ok", found[3])
        elif text.startswith(_WELCOME) and not self._is_known:
            self._is_known = True
            self._come_in()
        elif text == _RESUMED and self._is_known:
            self.is_welcome = True
        elif text == _UNKNOWN:
            self.is_welcome = self._is_known = False

    def _given(self, seq: int, text: str) -> None:
        if not self.is_welcome:  # from where the server believes it to be
            return
        self._say(f"#s{seq} ok")
        if seq <= self.last:
            self._figures.repeats += 1
            return
        self.last = seq
        self.run.append(hash(text))
        self._figures.deliveries += 1
        when_s = sent_s(text)
        if when_s is not None:
            self._ledger.arrived(self._figures, self._clock() - when_s)

    def _answered(self, cid: str, is_ok: bool, word: str) -> None:
        if not is_ok and word in _LATER:
            self._later(AGAIN_S, lambda: self._repeat(cid))
            return
        waiting = self.outbox.pop(cid, None)
        if not is_ok:
            self._ledger.fault("refused", self.number, f"{cid}: {word}")
            return
        place = (self.account.rooms[0], int(word))
        known = self.acked.setdefault(cid, place)
        if known != place:
            self._ledger.fault("duplicate", self.number, f"{cid} is {known} and {place}")
        if waiting is not None:
            self._figures.acked += 1
            self._figures.acks.add(self._heard_s - waiting.sent_s)
