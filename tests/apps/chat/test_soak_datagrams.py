"""A user over UDP: numbers, acknowledgements, and what it does in silence."""

import sqlite3
from collections.abc import Callable

import pytest

from portico.apps.chat.events import Event, dump
from portico.apps.chat.soak_datagrams import MAX_OUTBOX, DatagramUser
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import DATAGRAMS, Account
from portico.apps.chat.soak_texts import Progress, Stored, write_text

ME, OTHER, ROOM = 3, 4, 7
COMING = ["#have 0", "/token token"]


class Wire:
    """A socket that keeps what is sent on it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)


class Stage:
    """A user with a ledger, a clock, and what it wants to be called for later."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.later: list[Callable[[], None]] = []
        self.now_s = 100.0
        account = Account(ME, "token", (ROOM,), DATAGRAMS)
        self.user = DatagramUser(self.ledger, 1, account, lambda s, f: self.later.append(f), clock=lambda: self.now_s)
        self.wire = Wire()

    def join(self) -> list[str]:
        """Come in, and be welcome; return what was sent."""
        self.wire = Wire()
        self.user.joined(self.wire)
        self.user.take("*** You are soak 1.")
        self.user.take("#have ok")
        return self.taken()

    def taken(self) -> list[str]:
        sent, self.wire.sent = self.wire.sent, []
        return sent

    def wait(self, seconds: float) -> list[str]:
        """Let time pass, and what is due happen; return what was sent."""
        self.now_s += seconds
        due, self.later = self.later, []
        for one in due:
            one()
        return self.taken()

    @property
    def failed(self) -> dict[str, int]:
        return dict(self.ledger.failed)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_it_comes_in_by_its_token_and_asks_until_it_is_in(stage: Stage) -> None:
    stage.user.joined(stage.wire)
    assert stage.taken() == COMING
    assert stage.wait(0.3) == []
    assert stage.wait(0.8) == COMING
    stage.user.take("#have ok")  # of somebody else, before
    assert not stage.user.is_welcome
    stage.user.take("*** You are soak 1.")
    assert stage.taken() == ["#have 0"]
    stage.user.take("#s4 hi")
    assert not stage.user.send(ROOM)
    assert stage.wait(1.0) == ["#have 0"]
    stage.user.take("#have ok")
    assert stage.user.is_welcome
    stage.user.take("#s3 ho")
    assert (stage.user.last, stage.taken()) == (3, ["#s3 ok"])
    assert stage.wait(0.3) == []


def test_where_all_is_silent_it_says_what_it_has(stage: Stage) -> None:
    stage.join()
    stage.user.take("#s4 hi")
    stage.taken()
    assert stage.wait(1.0) == ["#have 4"]
    assert stage.wait(0.5) == []
    stage.user.take("#have ok")
    assert stage.wait(0.9) == []
    assert stage.wait(0.2) == ["#have 4"]
    stage.user.take("#have no no_conversation")  # a server that does not know it
    assert stage.wait(1.0) == COMING


def test_what_comes_is_taken_once_and_acknowledged_each_time(stage: Stage) -> None:
    stage.join()
    for datagram in ("#s4 a", "#s4 a", "#s9 b", "#s4 a", "*** something else"):
        stage.user.take(datagram)
    assert stage.taken() == ["#s4 ok", "#s4 ok", "#s9 ok", "#s4 ok"]
    assert stage.user.run == [hash("a"), hash("b")]
    figures = stage.ledger.of(DATAGRAMS)
    assert (figures.deliveries, figures.repeats, figures.arrivals.count) == (2, 2, 0)
    stage.user.take(f"#s10 {write_text(2, 1, 99.5)}")
    assert figures.arrivals.count == 1


def test_what_is_not_acknowledged_is_sent_again_under_its_id(stage: Stage) -> None:
    stage.join()
    assert [stage.user.send(ROOM) for _ in range(MAX_OUTBOX + 1)] == [True] * MAX_OUTBOX + [False]
    sent = stage.taken()
    for number in range(2, MAX_OUTBOX + 1):
        stage.user.take(f"#u1.{number} ok {number + 4}")
    assert stage.wait(1.0) == [sent[0], "#have 0"]
    stage.user.take("#u1.1 ok 5")
    stage.user.take("#u1.1 ok 5")
    assert stage.user.outbox == {}
    assert stage.user.acked["u1.1"] == (ROOM, 5)
    assert stage.ledger.of(DATAGRAMS).acked == MAX_OUTBOX
    assert stage.failed == {}
    stage.user.take("#u1.1 ok 6")
    assert stage.failed == {"duplicate": 1}


def test_what_may_not_be_sent_yet_is_sent_later_and_what_never_is_a_fault(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM)
    (sent,) = stage.taken()
    stage.user.take("#u1.1 no rate")
    assert sent in stage.wait(1.0)
    stage.user.take("#u1.1 no forbidden")
    assert stage.failed == {"refused": 1}
    assert stage.user.outbox == {}
    stage.user.take("#u1.1 no rate")  # of the first time
    assert sent not in stage.wait(1.0)


def test_a_socket_that_is_closed_is_not_its_own_any_more(stage: Stage) -> None:
    stage.join()
    old = stage.wire
    stage.join()
    stage.user.lost(old)
    assert stage.user.is_welcome
    stage.wait(0.1)
    assert len(stage.later) == 1  # the old one's clock has stopped
    stage.user.lost(stage.wire)
    assert not stage.user.is_welcome
    stage.user.take("#s4 a")
    assert stage.taken() == []
    assert stage.wait(5) == []


def database(*senders: int) -> sqlite3.Connection:
    """Return a store with a message of each, which is its number."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE event (conversation, seq, at_ms, sender, kind, body, ref, cid, via)")
    rows = [
        Event(ROOM, n, 0, who, "msg", dump({"text": str(n)}), None, f"u1.{n}", "udp")
        for n, who in enumerate(senders, 1)
    ]
    db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute("CREATE TABLE conversation (id, head)")
    db.execute("INSERT INTO conversation VALUES (?, ?)", (ROOM, len(senders)))
    return db


def test_settled_is_who_has_the_last_one_of_the_others(stage: Stage) -> None:
    db = database(OTHER, OTHER, ME)
    stage.join()
    stage.user.take("#s1 1")
    assert not stage.user.is_settled(Progress(db))
    assert stage.user.state(Progress(db)) == "has 1 of 3, and 0 not acknowledged"
    stage.user.take("#s2 2")
    assert stage.user.is_settled(Progress(db))
    stage.user.send(ROOM)
    assert not stage.user.is_settled(Progress(db))
    db.close()


@pytest.mark.parametrize(
    ("taken", "acked", "failed"),
    [((1, 2), {"u1.3": (ROOM, 3)}, {}), ((2,), {}, {"lost": 1}), ((1, 2), {"u1.9": (ROOM, 9)}, {"lost": 1})],
)
def test_all_is_compared_with_the_store(
    taken: tuple[int, ...], acked: dict[str, tuple[int, int]], failed: dict[str, int], stage: Stage
) -> None:
    db = database(OTHER, OTHER, ME)
    stage.join()
    for seq in taken:
        stage.user.take(f"#s{seq} {seq}")
    stage.user.acked.update(acked)
    stage.user.verify(Stored(stage.ledger, db))
    assert stage.failed == failed
    db.close()
