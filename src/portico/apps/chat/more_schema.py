"""The tables beside the log: files, contacts, blocks, settings, one-time links, and what was done by whom.

    file, mention             what was uploaded; which messages of its uploader hold it, kept by triggers of the log
    contact                   the contact book of a person
    block                     who is kept out, and until when
    audit                     what was done to people and rooms, and by whom
    setting                   what an admin has set, as JSON
    link                      one-time links, by the SHA-256 of their token; the device that came in by one
    erased                    persons of whom nothing may come back, not even from a backup

A mention is made only for a file that the sender of the message has uploaded: who writes another's number into a
message gains nothing by it.
"""

from typing import Final

MORE_TABLES: Final = """
CREATE TABLE file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    uploader INTEGER NOT NULL REFERENCES person (id),
    made_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX file_of ON file (digest);

CREATE TABLE mention (
    file INTEGER NOT NULL REFERENCES file (id),
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (file, conversation, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX mention_in ON mention (conversation, seq);

CREATE TRIGGER mention_made AFTER INSERT ON event
WHEN new.kind = 'msg' AND instr(new.body, '"files"') BEGIN
    INSERT OR IGNORE INTO mention (file, conversation, seq)
    SELECT file.id, new.conversation, new.seq FROM json_each(new.body, '$.files') AS one
    JOIN file ON file.id = one.value WHERE file.uploader = new.sender;
END;
CREATE TRIGGER mention_gone AFTER UPDATE OF body ON event WHEN new.body = '{}' BEGIN
    DELETE FROM mention WHERE conversation = new.conversation AND seq = new.seq;
END;
CREATE INDEX event_about ON event (conversation, ref) WHERE ref IS NOT NULL;

CREATE TABLE contact (
    owner INTEGER NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    address TEXT,
    person INTEGER REFERENCES person (id),
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'address')),
    value TEXT NOT NULL,
    until_ms INTEGER,
    by_person INTEGER NOT NULL REFERENCES person (id),
    why TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    UNIQUE (kind, value)
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    token BLOB PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES person (id),
    ends_ms INTEGER NOT NULL,
    used_ms INTEGER,
    device INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE erased (person INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
"""
