"""Texts that virtual users send, and what those have read of them who get texts and no numbers.

    write_text, sent_s      a text has in it who sent it, which one it is, and when
    Texts                   all messages of the store, found by their text
      check(run)            what one connection has shown: in the order of the store, each once, none left out

A `Run` is what was shown from somewhere on: the hash of each text, or GAP where it was said that some are not shown. A
person's own messages may be missing in it, because who has typed a line does not get it back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Final, NamedTuple

from portico.apps.chat.events import Event
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import Account

GAP: Final = None
Run = list[int | None]
_TEXT: Final = "你好，打印机坏了，哪位同事有空来看一下？ "
_OFFLINE: Final = "-"  # instead of the time, for what is written without a connection


def write_text(number: int, count: int, now_s: float | None) -> str:
    """Write a text. number: of the user. count: which of its texts. now_s: None where it does not leave at once."""
    return f"{_TEXT}{number} {count} {_OFFLINE if now_s is None else f'{now_s:.6f}'}"


def sent_s(text: str) -> float | None:
    """Return when a text was sent; None where it did not leave at once, or is none of `write_text`."""
    if not text.startswith(_TEXT):
        return None
    when = text.rpartition(" ")[2]
    return None if when == _OFFLINE else float(when)


class Place(NamedTuple):
    """Where a message stands."""

    conversation: int
    seq: int
    sender: int


class Texts:
    """See the module. places: of each text by its hash. A text that is stored twice is a fault."""

    def __init__(self, ledger: Ledger, events: Iterable[Event]) -> None:
        self.places: dict[int, Place] = {}
        self._ledger = ledger
        self._senders: dict[int, dict[int, int]] = {}
        for event in events:
            if event.kind != "msg":
                continue
            place = Place(event.conversation, event.seq, event.sender)
            known = self.places.setdefault(hash(event.text), place)
            if known != place:
                ledger.fault("duplicate", 0, f"the text at {place} is also at {known}")
            self._senders.setdefault(event.conversation, {})[event.seq] = event.sender

    def check(self, number: int, account: Account, run: Sequence[int | None], *, after: int | None = None) -> None:
        """Check what a user has read. after: what it had before, None where that is not known."""
        last: dict[int, int] = {} if after is None else dict.fromkeys(account.rooms, after)
        for item in run:
            if item is GAP:
                last.clear()
                continue
            place = self.places.get(item)
            if place is None:
                self._ledger.fault("altered", number, "a text that nobody has sent")
            elif place.conversation not in account.rooms:
                self._ledger.fault("foreign", number, f"a text of {place.conversation}:{place.seq}, where it is not in")
            else:
                self._follow(number, account, place, last)

    def _follow(self, number: int, account: Account, place: Place, last: dict[int, int]) -> None:
        c, seq, _ = place
        before = last.get(c)
        last[c] = seq
        if before is None:
            return
        if seq <= before:
            kind = "duplicate" if seq == before else "reorder"
            self._ledger.fault(kind, number, f"a text of {c}:{seq} after {c}:{before}")
            return
        senders = self._senders[c]
        missed = [
            between for between in range(before + 1, seq) if senders.get(between, account.person) != account.person
        ]
        if missed:
            self._ledger.fault("lost", number, f"after {c}:{before} came {c}:{seq}; {len(missed)} are between")


class Progress:
    """How far conversations are at one moment, as the database says. heads: of all."""

    def __init__(self, db: Connection) -> None:
        self.heads: Mapping[int, int] = dict(db.execute("SELECT id, head FROM conversation"))
        self._db = db

    def last_of_others(self, conversation: int, person: int) -> int:
        """Return the seq of the last message that somebody else has sent, 0 for none."""
        (seq,) = self._db.execute(
            "SELECT max(seq) FROM event WHERE conversation = ? AND kind = 'msg' AND sender <> ?", (conversation, person)
        ).fetchone()
        return seq or 0

    def text_at(self, conversation: int, seq: int) -> str:
        """Return the text of a message, "" where there is none."""
        row = self._db.execute(
            "SELECT json_extract(body, '$.text') FROM event WHERE conversation = ? AND seq = ?", (conversation, seq)
        ).fetchone()
        return "" if row is None else str(row[0])

    def read(self, conversation: int, person: int) -> int:
        """Return how far a person has read, as the server has noted it."""
        (seq,) = self._db.execute(
            "SELECT read FROM member WHERE conversation = ? AND person = ?", (conversation, person)
        ).fetchone()
        return int(seq)


class Stored:
    """What is in the database when all is over. places: of each id of a message."""

    def __init__(self, ledger: Ledger, db: Connection) -> None:
        self.places: Mapping[str, tuple[int, int]] = {
            cid: (c, seq) for cid, c, seq in db.execute("SELECT cid, conversation, seq FROM event")
        }
        self.texts = Texts(ledger, stored_events(db))
        self._ledger = ledger
        cids = Counter(cid for (cid,) in db.execute("SELECT cid FROM event WHERE kind = 'msg' AND cid IS NOT NULL"))
        for cid, count in cids.items():
            if count > 1:
                ledger.fault("duplicate", 0, f"{cid} is stored {count} times")

    def check_acked(self, number: int, acked: Mapping[str, tuple[int, int]]) -> None:
        """Check that what was acknowledged is there. acked: id to place."""
        for cid, place in acked.items():
            if self.places.get(cid) != place:
                self._ledger.fault("lost", number, f"{cid} was acknowledged as {place}, is {self.places.get(cid)}")


def stored_events(db: Connection) -> Iterable[Event]:
    """Return all events, by conversation and seq."""
    rows = db.execute("SELECT conversation, seq, at_ms, sender, kind, body, ref, cid, via FROM event ORDER BY 1, 2")
    return (Event(*row) for row in rows)
