"""Texts without numbers: what a connection has shown, against the store; and what the store itself must not have."""

import sqlite3
from collections.abc import Iterator

import pytest

from portico.apps.chat.events import Event
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_texts import GAP, Progress, Run, Stored, Texts, sent_s, stored_events, write_text

ME, OTHER, ROOM, FOREIGN = 3, 4, 7, 9
ACCOUNT = Account(ME, "token", (ROOM,))


def event(seq: int, text: str, sender: int = OTHER, c: int = ROOM, kind: str = "msg") -> Event:
    return Event(c, seq, 0, sender, kind, f'{{"text":"{text}"}}', None, f"cid {c}:{seq}", "ws")


STORED = [
    event(1, "", kind="join"),
    event(2, "a"),
    event(3, "b"),
    event(4, "mine", ME),
    event(5, "c"),
    event(6, "", kind="join"),
    event(7, "d"),
    event(1, "secret", c=FOREIGN),
]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE event (conversation, seq, at_ms, sender, kind, body, ref, cid, via)")
    connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", STORED)
    connection.execute("CREATE TABLE conversation (id, head)")
    connection.executemany("INSERT INTO conversation VALUES (?, ?)", [(ROOM, 7), (FOREIGN, 1)])
    connection.execute("CREATE TABLE member (conversation, person, read)")
    connection.execute("INSERT INTO member VALUES (?, ?, ?)", (ROOM, ME, 5))
    yield connection
    connection.close()


def run(*texts: str) -> Run:
    """Return a run of these texts; "-" is a gap that was announced."""
    return [GAP if text == "-" else hash(text) for text in texts]


@pytest.mark.parametrize(
    ("name", "shown", "after", "failed"),
    [
        ("everything, without one's own", run("a", "b", "c", "d"), 0, {}),
        ("everything", run("a", "b", "mine", "c", "d"), 0, {}),
        ("from somewhere on", run("c", "d"), None, {}),
        ("nothing", run(), 0, {}),
        ("one is missing", run("a", "c"), None, {"lost": 1}),
        ("the first one is missing", run("b"), 0, {"lost": 1}),
        ("a gap that was announced", run("a", "-", "c"), None, {}),
        ("one is missing behind a gap", run("-", "a", "c"), None, {"lost": 1}),
        ("again", run("a", "a"), None, {"duplicate": 1}),
        ("exchanged", run("b", "a"), None, {"reorder": 1}),
        ("of another room", run("a", "secret", "b"), None, {"foreign": 1}),
        ("of nobody", run("a", "x", "b"), None, {"altered": 1}),
    ],
)
def test_what_was_shown(name: str, shown: Run, after: int | None, failed: dict[str, int]) -> None:
    ledger = Ledger()
    Texts(ledger, STORED).check(1, ACCOUNT, shown, after=after)
    assert dict(ledger.failed) == failed, name


def test_a_text_that_is_stored_twice_is_a_fault() -> None:
    ledger = Ledger()
    Texts(ledger, [*STORED, event(8, "a")])
    assert dict(ledger.failed) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("acked", "failed"),
    [
        ({"cid 7:2": (ROOM, 2)}, {}),
        ({"cid 7:2": (ROOM, 3)}, {"lost": 1}),
        ({"gone": (ROOM, 2)}, {"lost": 1}),
    ],
)
def test_what_was_acknowledged_is_there(
    acked: dict[str, tuple[int, int]], failed: dict[str, int], db: sqlite3.Connection
) -> None:
    ledger = Ledger()
    Stored(ledger, db).check_acked(1, acked)
    assert dict(ledger.failed) == failed


def test_an_id_that_is_stored_twice_is_a_fault(db: sqlite3.Connection) -> None:
    db.execute("UPDATE event SET cid = 'same' WHERE seq IN (2, 3)")
    ledger = Ledger()
    Stored(ledger, db)
    assert dict(ledger.failed) == {"duplicate": 1}


def test_how_far_conversations_are(db: sqlite3.Connection) -> None:
    progress = Progress(db)
    assert progress.heads == {ROOM: 7, FOREIGN: 1}
    assert [progress.last_of_others(ROOM, person) for person in (ME, OTHER)] == [7, 4]
    assert progress.last_of_others(FOREIGN, OTHER) == 0
    assert progress.read(ROOM, ME) == 5
    assert (progress.text_at(ROOM, 7), progress.text_at(ROOM, 8)) == ("d", "")


def test_events_come_by_conversation_and_seq(db: sqlite3.Connection) -> None:
    assert list(stored_events(db)) == STORED


def test_a_text_has_in_it_when_it_was_sent() -> None:
    assert sent_s(write_text(3, 5, 12.5)) == 12.5
    assert sent_s(write_text(3, 5, None)) is None
    assert sent_s("12.5") is None
    assert write_text(3, 5, 12.5) != write_text(3, 6, 12.5) != write_text(4, 6, 12.5)
