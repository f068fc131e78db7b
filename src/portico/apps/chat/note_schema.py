"""The tables of the shared notes.

    note          one for each conversation that has one: the text as it was at some version, and who wrote what of it
    note_edit     every edit, in order; the oldest are emptied, their places and ids stay

In: nothing. Out: SQL. A database that was made before there were notes gets the tables when it is opened.
"""

from typing import Final

NOTE_TABLES: Final = """
CREATE TABLE note (
    conversation INTEGER PRIMARY KEY REFERENCES conversation (id),
    version INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 1,
    kept INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL DEFAULT '',
    runs TEXT NOT NULL DEFAULT '[]',
    told_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE note_edit (
    conversation INTEGER NOT NULL REFERENCES note (conversation),
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    person INTEGER NOT NULL REFERENCES person (id),
    cid TEXT,
    edit TEXT NOT NULL,
    PRIMARY KEY (conversation, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX note_edit_once ON note_edit (person, cid) WHERE cid IS NOT NULL;
"""
