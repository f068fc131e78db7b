"""What virtual users have seen, compared as it comes and again with the store at the end.

    Ledger.take       an event that a user was given: the same as everybody else's, and as the store's
    Ledger.fault      something that must not happen
    compare           all of it against the database, when everything has settled
    Figures           how much, and how long it took, for the users of one way
    Durations         how long things took, in memory that does not grow

In: events as frames have them. Out: faults, and figures. Who gets texts without numbers is checked by `soak_texts`, at
the end. One hash stands for each event, so that an hour fits.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from portico.apps.chat.events import Event

MAX_FAULTS: Final = 1_000  # that are kept; all are counted
_STEP_S: Final = 0.000_1
_FINE: Final = 20_000  # steps, two seconds; beyond, seconds


class Fault(NamedTuple):
    """Something that must not happen. kind: one of KINDS. user: the number of who saw it, 0 for nobody."""

    kind: str
    user: int
    detail: str


KINDS: Final = ("lost", "duplicate", "reorder", "foreign", "altered", "refused", "unsettled")


class Durations:
    """Durations in seconds, counted in steps of a tenth of a millisecond; beyond two seconds, of one second."""

    def __init__(self) -> None:
        self.count = 0
        self._fine = array("Q", bytes(8 * _FINE))
        self._coarse: Counter[int] = Counter()

    def add(self, duration_s: float) -> None:
        """Count one."""
        self.count += 1
        step = int(duration_s / _STEP_S)
        if step < _FINE:
            self._fine[max(step, 0)] += 1
        else:
            self._coarse[int(duration_s)] += 1

    def share_s(self, share: float) -> float:
        """Return how long it took at most in a share of the cases, as 0.99; 0 where there were none."""
        left = max(1, round(self.count * share))
        for step, count in enumerate(self._fine):
            left -= count
            if left <= 0:
                return (step + 1) * _STEP_S if self.count else 0.0
        for second in sorted(self._coarse):
            left -= self._coarse[second]
            if left <= 0:
                return second + 1.0
        return 0.0

    def include(self, other: "Durations") -> None:
        """Count those of another as well."""
        self.count += other.count
        for step, count in enumerate(other._fine):
            self._fine[step] += count
        self._coarse += other._coarse


class Figures:
    """What came of the users of one way.

    acks: from sending to the acknowledgement. arrivals: from sending to whoever was there. deliveries: events that
    stand in their place with somebody. repeats: what came again and was dropped, where the way allows that.
    """

    def __init__(self) -> None:
        self.acked = 0
        self.acks = Durations()
        self.arrivals = Durations()
        self.connections = 0
        self.deliveries = 0
        self.repeats = 0
        self.sent = 0
        self.users = 0

    def include(self, other: "Figures") -> None:
        """Count those of another way as well."""
        self.acks.include(other.acks)
        self.arrivals.include(other.arrivals)
        for name in ("acked", "connections", "deliveries", "repeats", "sent", "users"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Ledger:
    """See the module.

    faults: the first of them. failed: all, by kind. farewells: codes of `bye`, how often each. ways: figures of each.
    watch: where arrivals are counted too, None for nowhere.
    """

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()
        self.farewells: Counter[int] = Counter()
        self.faults: list[Fault] = []
        self.limited = 0
        self.seen: dict[int, list[int]] = {}
        self.watch: Durations | None = None
        self.ways: dict[str, Figures] = {}

    def of(self, way: str) -> Figures:
        """Return the figures of one way."""
        return self.ways.setdefault(way, Figures())

    @property
    def total(self) -> Figures:
        """The figures of all ways."""
        total = Figures()
        for figures in self.ways.values():
            total.include(figures)
        return total

    def arrived(self, figures: Figures, duration_s: float) -> None:
        """Count how long a message has taken to somebody who was there."""
        figures.arrivals.add(duration_s)
        if self.watch is not None:
            self.watch.add(duration_s)

    def fault(self, kind: str, user: int, detail: str) -> None:
        """Note what must not happen."""
        self.failed[kind] += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(kind, user, detail))

    def take(self, user: int, event: Mapping[str, Any]) -> None:
        """Take an event that stands in its place with the user; whoever saw its place first has it to compare with."""
        seen, seq = self.seen.setdefault(event["c"], []), event["s"]
        digest = hash((event["f"], event["k"], event["b"].get("text")))
        if seq == len(seen) + 1:
            seen.append(digest)
        elif seq > len(seen):  # nobody has seen those in front of it, which are checked against the store
            seen += [0] * (seq - 1 - len(seen))
            seen.append(digest)
        elif seen[seq - 1] == 0:
            seen[seq - 1] = digest
        elif seen[seq - 1] != digest:
            self.fault("altered", user, f"event {event['c']}:{seq} is another one than others have got")


def compare(ledger: Ledger, db: Connection, events: Iterable[Event]) -> None:
    """Compare what was seen with the store. events: all of it, by conversation and seq."""
    last: dict[int, int] = {}
    for event in events:
        c, seq = event.conversation, event.seq
        if seq != last.get(c, 0) + 1:
            ledger.fault("lost", 0, f"the store has no event between {c}:{last.get(c, 0)} and {c}:{seq}")
        last[c] = seq
        seen = ledger.seen.get(c, [])
        digest = hash((event.sender, event.kind, event.text if '"text"' in event.body else None))
        if seq <= len(seen) and seen[seq - 1] not in (0, digest):
            ledger.fault("altered", 0, f"event {c}:{seq} is another one in the store")
    for c, seen in ledger.seen.items():
        if len(seen) > last.get(c, 0):
            ledger.fault("lost", 0, f"events {c}:{last.get(c, 0) + 1} to {c}:{len(seen)} were seen, and are not stored")
    heads = dict(db.execute("SELECT id, head FROM conversation"))
    for c, head in heads.items():
        if head != last.get(c, 0):
            ledger.fault("lost", 0, f"conversation {c} ends at {head}, its events at {last.get(c, 0)}")
