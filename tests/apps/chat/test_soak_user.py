"""One virtual user: what it sends, what it takes, and what it notices."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import WEBSOCKET, Account
from portico.apps.chat.soak_texts import Progress, Stored
from portico.apps.chat.soak_user import MAX_OUTBOX, User

ROOM, OTHER, FOREIGN = 7, 8, 9


class Wire:
    """A connection that keeps what is sent on it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, frame: str) -> None:
        self.sent.append(json.loads(frame))

    def taken(self) -> list[dict[str, Any]]:
        """Return what was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


class Stage:
    """A user with a ledger, and what it wants to be called for later."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.user = User(self.ledger, 1, Account(3, "token", (ROOM, OTHER)), lambda s, f: self.later.append((s, f)))
        self.wire = Wire()

    def join(self, epoch: str = "e") -> dict[str, Any]:
        """Connect, and be welcome; return the hello."""
        self.wire = Wire()
        self.user.joined(self.wire)
        (hello,) = self.wire.taken()
        self.say({"t": "welcome", "epoch": epoch, "me": 3, "now": 0, "max_text": 8192})
        return hello

    def say(self, *frames: dict[str, Any]) -> None:
        """Have the server say something."""
        self.user.take("\n".join(json.dumps(frame) for frame in frames))

    @property
    def failed(self) -> dict[str, int]:
        return dict(self.ledger.failed)


def event(seq: int, c: int = ROOM) -> dict[str, Any]:
    return {"t": "ev", "c": c, "s": seq, "at": 0, "f": 3, "k": "msg", "b": {"text": f"{seq} -"}, "via": "ws"}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_hello_says_what_it_has(stage: Stage) -> None:
    assert stage.join() == {"t": "hello", "v": 1, "tok": "token", "epoch": "", "have": {}}
    stage.say(event(1), event(2), event(1, OTHER))
    hello = stage.join()
    assert hello["have"] == {str(ROOM): 2, str(OTHER): 1}
    assert hello["epoch"] == "e"
    assert stage.failed == {}


@pytest.mark.parametrize(
    ("name", "frames", "failed"),
    [
        ("in order", [event(1), event(2), event(1, OTHER)], {}),
        ("again", [event(1), event(1)], {"duplicate": 1}),
        ("an older one", [event(1), event(2), event(1)], {"duplicate": 1}),
        ("a hole", [event(2)], {"reorder": 1}),
        ("exchanged", [event(2), event(1)], {"reorder": 1}),
        ("somebody else's", [event(1, FOREIGN)], {"foreign": 1}),
        ("missed ones", [{"t": "sync", "c": ROOM, "ev": [event(1), event(2)], "first": 1, "head": 2}, event(3)], {}),
        ("missed ones with a hole", [{"t": "sync", "c": ROOM, "ev": [event(1), event(3)], "head": 3}], {"reorder": 1}),
        ("told to forget", [{"t": "reset", "why": "epoch"}], {"lost": 1}),
        ("an error", [{"t": "err", "code": "proto", "why": "no"}], {"refused": 1}),
        ("what is no event", [{"t": "st", "c": ROOM, "typ": 4}, {"t": "bye", "code": 4008, "why": "slow"}], {}),
    ],
)
def test_events_come_in_their_order_or_are_faults(
    name: str, frames: list[dict[str, Any]], failed: dict[str, int], stage: Stage
) -> None:
    stage.join()
    stage.say(*frames)
    assert stage.failed == failed, name


def test_another_database_is_a_fault(stage: Stage) -> None:
    stage.join("one")
    stage.join("one")
    assert stage.failed == {}
    stage.join("another")
    assert stage.failed == {"altered": 1}


def test_a_gap_that_is_announced_is_fetched_page_by_page(stage: Stage) -> None:
    stage.join()
    stage.say({"t": "sync", "c": ROOM, "ev": [event(9)], "first": 1, "head": 9, "limited": True})
    assert stage.wire.taken() == [{"t": "get", "id": ROOM, "c": ROOM, "after": 0}]
    stage.say(event(10))  # meanwhile; it will be fetched
    stage.say({"t": "page", "id": ROOM, "c": ROOM, "ev": [event(seq) for seq in range(1, 7)], "first": 1, "head": 9})
    assert stage.wire.taken() == [{"t": "get", "id": ROOM, "c": ROOM, "after": 6}]
    stage.say({"t": "page", "id": ROOM, "c": ROOM, "ev": [event(seq) for seq in range(7, 11)], "first": 1, "head": 10})
    stage.say(event(11))
    assert stage.wire.taken() == []
    assert stage.user.cursors == {ROOM: 11}
    assert stage.failed == {}
    assert stage.ledger.limited == 1


def test_what_was_fetched_may_be_pushed_once_more_on_that_connection(stage: Stage) -> None:
    stage.join()
    stage.say({"t": "sync", "c": ROOM, "ev": [], "first": 1, "head": 2, "limited": True})
    stage.say({"t": "page", "id": ROOM, "c": ROOM, "ev": [event(1), event(2), event(3)], "first": 1, "head": 3})
    stage.say(event(3), event(4))
    assert stage.failed == {}
    assert stage.ledger.of(WEBSOCKET).repeats == 1
    stage.say(event(4))
    assert stage.failed == {"duplicate": 1}
    stage.join()
    stage.say(event(3))
    assert stage.failed == {"duplicate": 2}


def test_a_page_that_is_refused_for_now_is_asked_for_again(stage: Stage) -> None:
    stage.join()
    stage.say({"t": "sync", "c": ROOM, "ev": [], "first": 1, "head": 2, "limited": True})
    stage.say({"t": "err", "id": ROOM, "code": "rate", "why": "slow down", "retry": 0.5})
    stage.wire.taken()
    ((seconds, again),) = stage.later
    again()
    assert seconds == 0.5
    assert stage.wire.taken() == [{"t": "get", "id": ROOM, "c": ROOM, "after": 0}]
    assert stage.failed == {}


def test_what_is_not_acknowledged_is_sent_again_under_its_id(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM)
    (first,) = stage.wire.taken()
    stage.user.lost(stage.wire)
    stage.user.send(OTHER)  # without a connection
    stage.join()
    again, other = stage.wire.taken()
    assert again == first
    assert other["c"] == OTHER
    stage.say({"t": "ack", "cid": again["cid"], "c": ROOM, "s": 5, "at": 0, "dup": True})
    stage.say({"t": "ack", "cid": other["cid"], "c": OTHER, "s": 1, "at": 0})
    assert stage.user.outbox == {}
    assert stage.user.acked == {again["cid"]: (ROOM, 5), other["cid"]: (OTHER, 1)}
    assert stage.ledger.total.acks.count == 0  # neither was sent once, and acknowledged on the same connection
    assert stage.failed == {}


def test_an_id_that_stands_in_two_places_is_a_fault(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM)
    (sent,) = stage.wire.taken()
    stage.say(*({"t": "ack", "cid": sent["cid"], "c": ROOM, "s": seq, "at": 0} for seq in (5, 6)))
    assert stage.failed == {"duplicate": 1}


def test_times_of_what_is_sent_once_are_counted(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM)
    (sent,) = stage.wire.taken()
    stage.say({"t": "ack", "cid": sent["cid"], "c": ROOM, "s": 1, "at": 0}, {**event(1), "b": sent["b"]})
    figures = stage.ledger.of(WEBSOCKET)
    assert figures.acks.count == figures.arrivals.count == figures.sent == figures.acked == 1


def test_what_may_not_be_sent_yet_is_sent_later_and_what_never_is_a_fault(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM)
    (sent,) = stage.wire.taken()
    stage.say({"t": "nack", "cid": sent["cid"], "c": ROOM, "code": "rate", "why": "slow down", "retry": 2})
    ((seconds, again),) = stage.later
    again()
    assert seconds == 2
    assert stage.wire.taken() == [sent]
    stage.say({"t": "nack", "cid": sent["cid"], "c": ROOM, "code": "forbidden", "why": "no"})
    assert stage.failed == {"refused": 1}
    assert stage.user.outbox == {}
    again()
    assert stage.wire.taken() == []


def test_who_has_too_much_unsent_stops_writing(stage: Stage) -> None:
    assert all(stage.user.send(ROOM) for _ in range(MAX_OUTBOX))
    assert not stage.user.send(ROOM)


def test_an_old_connection_that_ends_is_not_the_users_any_more(stage: Stage) -> None:
    stage.join()
    old = stage.wire
    stage.join()
    stage.user.lost(old)
    assert stage.user.is_welcome
    stage.user.lost(stage.wire)
    assert not stage.user.is_welcome


def test_a_sign_of_life_is_answered(stage: Stage) -> None:
    stage.join()
    stage.say({"t": "ping"})
    assert stage.wire.taken() == [{"t": "pong"}]
    stage.user.lost(stage.wire)
    stage.say({"t": "ping"}, event(2))
    assert stage.wire.taken() == []


def test_a_text_may_begin_with_more(stage: Stage) -> None:
    stage.join()
    stage.user.send(ROOM, more="long " * 100)
    (sent,) = stage.wire.taken()
    assert sent["b"]["text"].startswith("long long ")
    stage.say({**event(1), "b": sent["b"]})
    assert stage.ledger.of(WEBSOCKET).arrivals.count == 0


def progress(**heads: int) -> Progress:
    """Return how far conversations are; a name is a letter and a number."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE conversation (id INTEGER, head INTEGER)")
    db.executemany("INSERT INTO conversation VALUES (?, ?)", [(int(name[1:]), head) for name, head in heads.items()])
    found = Progress(db)
    db.close()
    return found


def test_settled_is_who_has_everything_and_is_acknowledged(stage: Stage) -> None:
    stage.join()
    stage.say(event(1), event(1, OTHER))
    assert stage.user.is_settled(progress(c7=1, c8=1, c9=5))
    assert not stage.user.is_settled(progress(c7=2, c8=1))
    stage.user.send(ROOM)
    assert not stage.user.is_settled(progress(c7=1, c8=1))
    assert stage.user.state(progress(c7=1, c8=2)) == "has {7: (1, 1), 8: (1, 2)}, and 1 not acknowledged"


def test_what_was_acknowledged_has_to_be_stored(stage: Stage) -> None:
    stage.user.acked["u1.1"] = (ROOM, 1)
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE event (conversation, seq, at_ms, sender, kind, body, ref, cid, via)")
    stage.user.verify(Stored(stage.ledger, db))
    db.close()
    assert stage.failed == {"lost": 1}
