"""The tables of the chat, and how a database comes to have them.

In: a connection to SQLite. Out: the same, with the tables of this version. `meta` has the schema's number and the
epoch, which is another one for every database and after every restore, so that a client never takes an older history
for the one it knows.

    meta                      key, value
    person, device            who there is, and with what they come in
    conversation, member      what is talked in, who sees which part of it
    event                     the log: dense `seq` in each conversation, assigned with its row, never reused
    found                     the words of messages, for the search; CJK characters stand apart in it
"""

import secrets
import sqlite3
from typing import Final

from portico.apps.chat.desk_schema import TABLES as DESK_TABLES
from portico.apps.chat.desk_schema import UPGRADE, is_old
from portico.apps.chat.more_schema import MORE_TABLES
from portico.apps.chat.note_schema import NOTE_TABLES
from portico.errors import ConfigError

VERSION: Final = 1

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'agent', 'admin', 'visitor', 'peer')),
    login TEXT UNIQUE,
    name TEXT NOT NULL,
    password TEXT,
    language TEXT NOT NULL DEFAULT '',
    is_disabled INTEGER NOT NULL DEFAULT 0,
    made_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE device (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person (id),
    token BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    ends_ms INTEGER,
    is_revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX device_of ON device (person);

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('direct', 'room', 'desk', 'staff')),
    title TEXT NOT NULL DEFAULT '',
    is_public INTEGER NOT NULL DEFAULT 0,
    parent INTEGER REFERENCES conversation (id),
    pair TEXT UNIQUE,
    head INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 1,
    made_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    person INTEGER NOT NULL REFERENCES person (id),
    role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'owner')),
    since INTEGER NOT NULL DEFAULT 1,
    until INTEGER,
    read INTEGER NOT NULL DEFAULT 0,
    got INTEGER NOT NULL DEFAULT 0,
    is_muted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_of ON member (person);

CREATE TABLE event (
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    sender INTEGER NOT NULL REFERENCES person (id),
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    ref INTEGER,
    cid TEXT,
    via TEXT NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_once ON event (sender, cid) WHERE cid IS NOT NULL;

CREATE VIRTUAL TABLE found USING fts5 (words);
"""


def prepare(connection: sqlite3.Connection) -> str:
    """Make the tables where there are none yet; return the epoch.

    connection: in autocommit mode. Raises ConfigError for a database of a newer version, or of another program.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        _create(connection)
    elif "meta" not in tables:
        raise ConfigError("the database has tables of another program; choose another file")
    values = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('version', 'epoch')"))
    if values.get("version") != str(VERSION):
        raise ConfigError(f"the database is of version {values.get('version')}, this program of version {VERSION}")
    if tables and "note" not in tables:  # made before there were notes
        connection.executescript(f"BEGIN;{NOTE_TABLES}COMMIT;")
    if "got" not in {row[1] for row in connection.execute("PRAGMA table_info(member)")}:
        connection.execute("ALTER TABLE member ADD COLUMN got INTEGER NOT NULL DEFAULT 0")
    if "device" not in {row[1] for row in connection.execute("PRAGMA table_info(link)")}:
        connection.execute("ALTER TABLE link ADD COLUMN device INTEGER")
    if "is_missed" not in {row[1] for row in connection.execute("PRAGMA table_info(desk_availability)")}:
        connection.execute("ALTER TABLE desk_availability ADD COLUMN is_missed INTEGER NOT NULL DEFAULT 0")
    if is_old(row[1] for row in connection.execute("PRAGMA table_info(desk_case)")):
        connection.executescript(UPGRADE)
    return str(values["epoch"])


def renew_epoch(connection: sqlite3.Connection) -> str:
    """Give the database another epoch, after a restore; return it."""
    epoch = secrets.token_hex(8)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    return epoch


def _create(connection: sqlite3.Connection) -> None:
    rows = [("version", str(VERSION)), ("epoch", secrets.token_hex(8)), ("secret", secrets.token_hex(32))]
    connection.executescript(f"BEGIN;{_TABLES}{MORE_TABLES}{DESK_TABLES}{NOTE_TABLES}COMMIT;")
    connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows)
