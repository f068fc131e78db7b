"""A virtual user at netcat: what a person would type, and what a person would read.

    joined(way) -> /encoding, /lang, /token
    take(line)     [12:00] soak 7: text     a message of somebody else's
                   [12:00] ✓ #12            the oldest line that was typed is on the disk
                   *** 37 earlier lines     a gap that is announced

A person who types a line and loses the connection before the tick does not know whether it has arrived, and does not
type it again: it is stored once, or not at all. Every line that is shown is kept as a hash, and compared at the end.
"""

import re
import time
from typing import Final, Protocol

from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import GBK_LINES, Account
from portico.apps.chat.soak_texts import GAP, Progress, Run, Stored, sent_s, write_text
from portico.apps.chat.soak_user import Later, Waiting

MAX_OUTBOX: Final = 5  # a person who types looks at what comes back
_TICKED: Final = re.compile(r"\[\d\d:\d\d\] [✓√] #(\d+)")
_SAID: Final = re.compile(r"\[\d\d:\d\d\] (?:\([^)]*\) )?[^:]+: (.*)")
_EARLIER: Final = re.compile(r"\*\*\* (\d+) earlier lines")
_WELCOME: Final = "*** You are "


class Typing(Protocol):
    """A connection that lines can be typed on."""

    def send(self, line: str) -> None:
        """Send a line; nothing happens where the connection has gone."""
        ...


class LineUser:
    """See the module. outbox: lines that were typed on this connection and not ticked, in order. runs: what was shown.

    acked: hash of a line to its place, for those that were ticked.
    """

    def __init__(self, ledger: Ledger, number: int, account: Account, later: Later) -> None:
        self.account = account
        self.acked: dict[int, tuple[int, int]] = {}
        self.is_welcome = False
        self.number = number
        self.outbox: dict[str, Waiting] = {}
        self.runs: list[Run] = []
        self.way: Typing | None = None
        self._figures = ledger.of(account.way)
        self._ledger = ledger
        self._next = 0
        self._last = 0  # hash of the last text that was shown
        self._since_s = 0.0  # when it was welcome; what was sent before has waited for that

    # its connection

    def joined(self, way: Typing) -> None:
        """Come in on a new connection."""
        self.way = way
        self.is_welcome = False
        self.runs.append([])
        first = ["/encoding gbk"] if self.account.way == GBK_LINES else []
        for line in (*first, "/lang en", f"/token {self.account.token}"):
            way.send(line)

    def lost(self, way: object) -> None:
        """Hear that a connection has ended: what was not ticked may be stored, or not."""
        if way is self.way:
            self.way = None
            self.is_welcome = False
            self.outbox.clear()

    # talking

    def send(self, conversation: int) -> bool:
        """Type a line; False where there is no connection, or too many wait already."""
        if not self.is_welcome or self.way is None or len(self.outbox) >= MAX_OUTBOX:
            return False
        self._next += 1
        self._figures.sent += 1
        now_s = time.perf_counter()
        text = write_text(self.number, self._next, now_s)
        self.outbox[text] = Waiting(text, now_s)
        self.way.send(text)
        return True

    def is_settled(self, progress: Progress) -> bool:
        """Tell whether every line was ticked, and the last one of the others shown, or read before this connection."""
        (room,) = self.account.rooms
        last = progress.last_of_others(room, self.account.person)
        is_read = progress.read(room, self.account.person) >= last or self._last == hash(progress.text_at(room, last))
        return self.is_welcome and not self.outbox and is_read

    def state(self, progress: Progress) -> str:
        """Say what is missing, for people."""
        return f"is {'in' if self.is_welcome else 'out'}, and has {len(self.outbox)} lines without a tick"

    def verify(self, stored: Stored) -> None:
        """Check what was ticked, and what was shown on each connection."""
        for digest, place in self.acked.items():
            found = stored.texts.places.get(digest)
            if found is None or found[:2] != place:
                self._ledger.fault("lost", self.number, f"a line was ticked as {place}, is {found}")
        for run in self.runs:
            stored.texts.check(self.number, self.account, run)

    # reading

    def take(self, line: str) -> None:
        """Read a line of the server."""
        if (found := _TICKED.match(line)) is not None:
            self._ticked(int(found[1]))
        elif (found := _SAID.fullmatch(line)) is not None:
            self._said(found[1])
        elif _EARLIER.match(line) is not None:
            self.runs[-1].append(GAP)
        elif line.startswith(_WELCOME):
            self.is_welcome = True
            self._since_s = time.perf_counter()

    def _ticked(self, seq: int) -> None:
        if not self.outbox:
            self._ledger.fault("duplicate", self.number, f"a tick #{seq} for nothing")
            return
        text, waiting = next(iter(self.outbox.items()))
        del self.outbox[text]
        self.acked[hash(text)] = (self.account.rooms[0], seq)
        self._figures.acked += 1
        self._figures.acks.add(time.perf_counter() - waiting.sent_s)

    def _said(self, text: str) -> None:
        self._last = hash(text)
        self.runs[-1].append(self._last)
        self._figures.deliveries += 1
        when_s = sent_s(text)
        if when_s is not None and self.is_welcome and when_s > self._since_s:
            self._ledger.arrived(self._figures, time.perf_counter() - when_s)
