"""The tables of the desk are in every new database, with one queue to begin with."""

import re
import sqlite3

from portico.apps.chat import cases, desk_router, people
from portico.apps.chat.cases import Case
from portico.apps.chat.desk_schema import TABLES
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare


def test_a_new_database_has_the_tables_and_a_queue() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    prepare(db)
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    named = re.findall(r"CREATE TABLE (\w+)", TABLES)
    assert len(named) == 6
    assert set(named) <= there
    assert db.execute("SELECT id, name, hours FROM desk_queue").fetchall() == [(1, "desk", "")]
    columns = [row[1] for row in db.execute("PRAGMA table_info (desk_case)")]
    assert sorted(columns) == sorted(Case._fields)
    db.close()


def test_a_database_of_before_keeps_its_cases() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    prepare(db)
    person = people.add_person(Change(db, 1, []), "visitor", "Vic")
    known = cases.start(Change(db, 1, []), person)
    db.execute(
        "INSERT INTO desk_refusal (conversation, person, until_ms) VALUES (?, ?, 9)", (known.conversation, person)
    )
    desk_router.set_available(Change(db, 1, []), person, "away", is_missed=True)
    db.execute("ALTER TABLE desk_availability DROP COLUMN is_missed")
    db.execute("DROP INDEX desk_case_at")
    db.execute("ALTER TABLE desk_case DROP COLUMN priority")
    prepare(db)
    assert cases.find(db, known.conversation) == known
    assert not desk_router.has_missed(db, person)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    snoozed = "UPDATE desk_case SET state = 'snoozed'"
    assert db.execute(snoozed).rowcount == 1
    (sql,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'desk_refusal'").fetchone()
    assert "REFERENCES desk_case (conversation)" in sql
    indexes = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    assert {"desk_case_at", "desk_case_from", "desk_case_with"} <= indexes
    db.close()
