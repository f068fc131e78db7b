"""The tables of the desk are in every new database, with one queue to begin with."""

import re
import sqlite3

from portico.apps.chat.cases import Case
from portico.apps.chat.desk_schema import TABLES
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
