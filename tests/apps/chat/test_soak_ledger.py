"""What virtual users have seen: compared with one another and with the store; and how long things took."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from portico.apps.chat.events import Event
from portico.apps.chat.soak_ledger import MAX_FAULTS, Durations, Figures, Ledger, compare


def seen(c: int, seq: int, text: str, sender: int = 1) -> dict[str, Any]:
    """Return an event as a frame has it."""
    return {"t": "ev", "c": c, "s": seq, "f": sender, "k": "msg", "b": {"text": text}}


def stored(c: int, seq: int, text: str, sender: int = 1) -> Event:
    return Event(c, seq, 0, sender, "msg", f'{{"text":"{text}"}}', None, None, "ws")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE conversation (id INTEGER, head INTEGER)")
    connection.executemany("INSERT INTO conversation VALUES (?, ?)", [(1, 3), (2, 1)])
    yield connection
    connection.close()


STORED = [stored(1, 1, "a"), stored(1, 2, "b"), stored(1, 3, "c"), stored(2, 1, "d")]


def test_what_all_have_seen_is_what_is_stored(db: sqlite3.Connection) -> None:
    ledger = Ledger()
    for user in (1, 2):
        for event in (seen(1, 1, "a"), seen(1, 2, "b"), seen(1, 3, "c"), seen(2, 1, "d")):
            ledger.take(user, event)
    compare(ledger, db, STORED)
    assert ledger.faults == []


def test_events_without_a_text_are_compared_too(db: sqlite3.Connection) -> None:
    ledger = Ledger()
    ledger.take(1, {"t": "ev", "c": 2, "s": 1, "f": 1, "k": "join", "b": {"person": 1}})
    compare(ledger, db, [*STORED[:3], Event(2, 1, 0, 1, "join", '{"person":1}', None, None, "server")])
    assert ledger.faults == []


def test_two_users_who_see_another_event_in_one_place_are_noticed() -> None:
    ledger = Ledger()
    ledger.take(1, seen(1, 1, "a"))
    ledger.take(2, seen(1, 1, "another"))
    assert dict(ledger.failed) == {"altered": 1}
    assert ledger.faults[0].user == 2


def test_who_sees_a_later_event_first_fills_nothing_in(db: sqlite3.Connection) -> None:
    ledger = Ledger()
    ledger.take(1, seen(1, 3, "c"))
    ledger.take(2, seen(1, 1, "a"))
    compare(ledger, db, STORED)
    assert ledger.faults == []


@pytest.mark.parametrize(
    ("name", "events", "kinds"),
    [
        ("an event that is another one", [stored(1, 1, "x"), *STORED[1:]], {"altered": 1}),
        ("an event that is gone from the middle", [STORED[0], *STORED[2:]], {"lost": 1}),
        ("a sender that is another one", [stored(1, 1, "a", sender=2), *STORED[1:]], {"altered": 1}),
        # seen, and behind the last one of the conversation, whose head says otherwise
        ("the last event", [*STORED[:2], STORED[3]], {"lost": 2}),
        ("a whole conversation", STORED[:3], {"lost": 2}),
    ],
)
def test_what_the_store_has_lost_or_altered_is_noticed(
    name: str, events: list[Event], kinds: dict[str, int], db: sqlite3.Connection
) -> None:
    ledger = Ledger()
    for event in (seen(1, 1, "a"), seen(1, 2, "b"), seen(1, 3, "c"), seen(2, 1, "d")):
        ledger.take(1, event)
    compare(ledger, db, events)
    assert dict(ledger.failed) == kinds, name


def test_faults_are_all_counted_and_the_first_are_kept() -> None:
    ledger = Ledger()
    for number in range(MAX_FAULTS + 5):
        ledger.fault("lost", number, "")
    assert ledger.failed["lost"] == MAX_FAULTS + 5
    assert len(ledger.faults) == MAX_FAULTS


def test_shares_of_durations() -> None:
    durations = Durations()
    assert durations.share_s(0.5) == 0.0
    for milliseconds in range(1, 101):
        durations.add(milliseconds / 1000 + 0.000_05)
    durations.add(3.5)
    assert durations.count == 101
    assert durations.share_s(0.5) == pytest.approx(0.050_1)
    assert durations.share_s(0.99) == pytest.approx(0.100_1)
    assert durations.share_s(1) == 4.0


def test_a_clock_that_goes_back_is_no_duration() -> None:
    durations = Durations()
    durations.add(-1.0)
    assert durations.share_s(1) == pytest.approx(0.000_1)


def test_figures_of_all_ways_are_added_up() -> None:
    ledger = Ledger()
    for way, count in (("a", 1), ("b", 2)):
        figures = ledger.of(way)
        figures.sent += count
        figures.users += 1
        figures.acks.add(count)
        ledger.arrived(figures, 10.0 * count)
    total = ledger.total
    assert (total.sent, total.users, total.acks.count, total.arrivals.count) == (3, 2, 2, 2)
    assert [total.arrivals.share_s(share) for share in (0.5, 1)] == [11.0, 21.0]
    assert [ledger.of("a").sent, ledger.of("c").sent] == [1, 0]
    assert isinstance(ledger.of("a"), Figures)


def test_arrivals_are_watched_for_a_while() -> None:
    ledger = Ledger()
    figures = ledger.of("a")
    ledger.arrived(figures, 0.1)
    ledger.watch = watched = Durations()
    ledger.arrived(figures, 0.1)
    ledger.watch = None
    ledger.arrived(figures, 0.1)
    assert (figures.arrivals.count, watched.count) == (3, 1)
