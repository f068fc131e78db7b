import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat.schema import prepare

FILE = "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES ('', 'a', 'text/plain', 1, ?, 1)"
EVENT = "INSERT INTO event VALUES (1, ?, 1, ?, ?, ?, NULL, NULL, 'ws')"


def opened() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    prepare(db)
    for name in ("Li", "Wang"):
        db.execute("INSERT INTO person (kind, name, made_ms) VALUES ('user', ?, 1)", (name,))
    db.execute("INSERT INTO conversation (kind, made_ms) VALUES ('room', 1)")
    for uploader in (1, 1, 2):
        db.execute(FILE, (uploader,))
    return db


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A database with two persons: Li has uploaded files 1 and 2, Wang file 3."""
    found = opened()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("sender", "kind", "body", "mentions"),
    [
        (1, "msg", '{"files":[1,2],"text":""}', [1, 2]),
        (1, "msg", '{"files":[1,1],"text":""}', [1]),
        (1, "msg", '{"files":[3],"text":""}', []),  # another's
        (1, "msg", '{"files":[3,1,99],"text":""}', [1]),
        (2, "msg", '{"files":[3],"text":""}', [3]),
        (1, "msg", '{"text":"\\"files\\":[1]"}', []),
        (1, "msg", '{"text":"[1]"}', []),
        (1, "edit", '{"files":[1],"text":""}', []),
    ],
)
def test_mentions(db: sqlite3.Connection, sender: int, kind: str, body: str, mentions: list[int]) -> None:
    db.execute(EVENT, (1, sender, kind, body))
    assert [row[0] for row in db.execute("SELECT file FROM mention WHERE seq = 1 ORDER BY file")] == mentions


def test_a_mention_goes_with_the_body(db: sqlite3.Connection) -> None:
    for seq in (1, 2):
        db.execute(EVENT, (seq, 1, "msg", '{"files":[1],"text":""}'))
    db.execute("UPDATE event SET body = '{}' WHERE seq = 1")
    assert db.execute("SELECT file, seq FROM mention").fetchall() == [(1, 2)]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.lists(st.integers(1, 4), max_size=4)), max_size=8))
def test_nobody_mentions_anothers_file(messages: list[tuple[int, list[int]]]) -> None:
    db = opened()
    for seq, (sender, files) in enumerate(messages, 1):
        db.execute(EVENT, (seq, sender, "msg", f'{{"files":{files},"text":""}}'))
    found = set(db.execute("SELECT file, seq FROM mention"))
    owners = {1: 1, 2: 1, 3: 2}
    assert found == {
        (f, seq) for seq, (sender, files) in enumerate(messages, 1) for f in files if owners.get(f) == sender
    }
    db.close()


def test_events_about_another_are_found_by_an_index(db: sqlite3.Connection) -> None:
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT body FROM event INDEXED BY event_about WHERE conversation = 1 AND ref = 5 "
        "AND seq <= 9 ORDER BY seq DESC LIMIT 1"
    ).fetchall()
    assert [row[-1] for row in plan] == ["SEARCH event USING INDEX event_about (conversation=? AND ref=? AND seq<?)"]
