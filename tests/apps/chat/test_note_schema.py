"""The tables of the notes are in every database, in one that was made before there were notes as well."""

import re
import sqlite3

from portico.apps.chat.note_schema import NOTE_TABLES
from portico.apps.chat.schema import prepare


def tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_a_new_database_has_the_tables_and_an_older_one_gets_them() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    epoch = prepare(db)
    named = set(re.findall(r"CREATE TABLE (\w+)", NOTE_TABLES))
    assert named == {"note", "note_edit"}
    assert named <= tables(db)
    for name in ("note_edit", "note"):
        db.execute(f"DROP TABLE {name}")
    assert prepare(db) == epoch
    assert named <= tables(db)
    db.close()
