"""A user at netcat: what it types, and what it makes of what it reads."""

import sqlite3
from collections.abc import Callable

import pytest

from portico.apps.chat.events import Event, dump
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_lines import MAX_OUTBOX, LineUser
from portico.apps.chat.soak_plan import GBK_LINES, LINES, Account
from portico.apps.chat.soak_texts import GAP, Progress, Stored, write_text

ME, OTHER, ROOM = 3, 4, 7


class Wire:
    """A connection that keeps what is typed on it."""

    def __init__(self) -> None:
        self.typed: list[str] = []

    def send(self, line: str) -> None:
        self.typed.append(line)


class Stage:
    """A user with a ledger."""

    def __init__(self, way: str = LINES) -> None:
        self.ledger = Ledger()
        later: Callable[[float, Callable[[], None]], object] = lambda s, f: None  # noqa: E731
        self.user = LineUser(self.ledger, 1, Account(ME, "token", (ROOM,), way), later)
        self.wire = Wire()

    def join(self) -> list[str]:
        """Connect, and be welcome; return what was typed."""
        self.wire = Wire()
        self.user.joined(self.wire)
        self.read("*** You are soak 1.")
        return self.taken()

    def taken(self) -> list[str]:
        typed, self.wire.typed = self.wire.typed, []
        return typed

    def read(self, *lines: str) -> None:
        for line in lines:
            self.user.take(line)

    @property
    def failed(self) -> dict[str, int]:
        return dict(self.ledger.failed)


def database(*events: tuple[int, str], read: int = 0) -> sqlite3.Connection:
    """Return a store with messages in it. events: sender and text of each."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE event (conversation, seq, at_ms, sender, kind, body, ref, cid, via)")
    rows = [
        Event(ROOM, n, 0, who, "msg", dump({"text": text}), None, None, "tcp")
        for n, (who, text) in enumerate(events, 1)
    ]
    db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute("CREATE TABLE conversation (id, head)")
    db.execute("INSERT INTO conversation VALUES (?, ?)", (ROOM, len(events)))
    db.execute("CREATE TABLE member (conversation, person, read)")
    db.execute("INSERT INTO member VALUES (?, ?, ?)", (ROOM, ME, read))
    return db


@pytest.mark.parametrize(
    ("way", "typed"),
    [(LINES, ["/lang en", "/token token"]), (GBK_LINES, ["/encoding gbk", "/lang en", "/token token"])],
)
def test_it_comes_in_by_its_token(way: str, typed: list[str]) -> None:
    stage = Stage(way)
    assert not stage.user.is_welcome
    assert not stage.user.send(ROOM)
    assert stage.join() == typed
    assert stage.user.is_welcome


def test_a_line_is_done_with_its_tick() -> None:
    stage = Stage()
    stage.join()
    assert [stage.user.send(ROOM) for _ in range(MAX_OUTBOX + 1)] == [True] * MAX_OUTBOX + [False]
    first, second, *_ = stage.taken()
    stage.read("[12:00] ✓ #4", "[12:00] √ #6 → room 0")
    assert stage.user.acked == {hash(first): (ROOM, 4), hash(second): (ROOM, 6)}
    assert len(stage.user.outbox) == MAX_OUTBOX - 2
    figures = stage.ledger.of(LINES)
    assert (figures.sent, figures.acked, figures.acks.count) == (MAX_OUTBOX, 2, 2)
    assert stage.failed == {}


def test_a_tick_for_nothing_is_a_fault() -> None:
    stage = Stage()
    stage.join()
    stage.read("[12:00] ✓ #4")
    assert stage.failed == {"duplicate": 1}


def test_a_line_without_a_tick_is_not_typed_again() -> None:
    stage = Stage()
    stage.join()
    stage.user.send(ROOM)
    stage.taken()
    stage.user.lost(object())
    assert stage.user.outbox
    stage.user.lost(stage.wire)
    assert not stage.user.is_welcome
    assert stage.join()[-1] == "/token token"
    assert stage.user.outbox == {}


def test_what_is_shown_is_kept_for_each_connection() -> None:
    stage = Stage()
    stage.join()
    stage.read("[12:00] soak 7: a", "[12:00] (room 0) soak 8: b: c")
    stage.read("[12:00] *** soak 9 has joined", "*** 5 earlier lines, /history")
    stage.join()
    live = write_text(7, 1, 1e9)
    stage.read(f"[12:00] soak 7: {live}", f"[12:00] soak 7: {write_text(7, 2, 1.0)}")
    assert stage.user.runs[0] == [hash("a"), hash("b: c"), GAP]
    assert stage.user.runs[1][0] == hash(live)
    assert stage.ledger.of(LINES).deliveries == 4
    assert stage.ledger.of(LINES).arrivals.count == 1  # the other was sent before the connection was there


@pytest.mark.parametrize(
    ("name", "shown", "read", "is_settled"),
    [
        ("the last one of the others was shown", ["a", "b"], 0, True),
        ("it was not", ["a"], 0, False),
        ("it was read before", ["a"], 2, True),
    ],
)
def test_settled_is_who_has_read_the_last_one(name: str, shown: list[str], read: int, is_settled: bool) -> None:
    stage = Stage()
    stage.join()
    stage.read(*(f"[12:00] soak 7: {text}" for text in shown))
    db = database((OTHER, "a"), (OTHER, "b"), (ME, "mine"), read=read)
    assert stage.user.is_settled(Progress(db)) is is_settled, name
    stage.user.send(ROOM)
    assert not stage.user.is_settled(Progress(db))
    assert stage.user.state(Progress(db)) == "is in, and has 1 lines without a tick"
    stage.user.lost(stage.wire)
    assert not stage.user.is_settled(Progress(db))
    assert stage.user.state(Progress(db)) == "is out, and has 0 lines without a tick"
    db.close()


def test_all_is_compared_with_the_store() -> None:
    stage = Stage()
    stage.join()
    stage.user.send(ROOM)
    (mine,) = stage.taken()
    stage.read("[12:00] soak 7: a", "[12:00] ✓ #2", "[12:00] soak 7: b")
    db = database((OTHER, "a"), (ME, mine), (OTHER, "b"))
    stage.user.verify(Stored(stage.ledger, db))
    assert stage.failed == {}
    db.execute("UPDATE event SET seq = 9 WHERE seq = 2")
    db.execute("DELETE FROM event WHERE seq = 1")
    stage.user.verify(Stored(stage.ledger, db))
    assert stage.failed == {"lost": 1, "altered": 1}
    db.close()
