"""The tables of the desk; `schema` makes them with its own.

desk_queue          where visitors wait; hours: JSON as `hours` reads it, "" for always open
desk_member         which agents serve a queue; one with nobody named in it is served by all
desk_availability   whether an agent wants visitors now; nothing for one who never said so, and wants them; is_missed:
                    set away by an offer that ran out
desk_case           one conversation of a visitor, see `cases.Case`
desk_refusal        who declined an offer, and until when it is not made again
desk_canned         answers that are kept ready
"""

from collections.abc import Iterable
from typing import Final

_CASE: Final = """
CREATE TABLE desk_case (
    conversation INTEGER PRIMARY KEY REFERENCES conversation (id),
    staff INTEGER NOT NULL REFERENCES conversation (id),
    queue INTEGER NOT NULL REFERENCES desk_queue (id),
    visitor INTEGER NOT NULL REFERENCES person (id),
    state TEXT NOT NULL CHECK (state IN ('queued', 'offered', 'open', 'snoozed', 'closed')),
    revision INTEGER NOT NULL,
    agent INTEGER REFERENCES person (id),
    offered INTEGER REFERENCES person (id),
    due_ms INTEGER,
    is_first INTEGER NOT NULL,
    page TEXT NOT NULL,
    contact TEXT NOT NULL,
    queued_ms INTEGER NOT NULL,
    opened_ms INTEGER,
    closed_ms INTEGER,
    closed_seq INTEGER,
    score INTEGER,
    comment TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_CASE_INDEXES: Final = """
CREATE INDEX desk_case_at ON desk_case (state, queue, closed_ms);
CREATE INDEX desk_case_from ON desk_case (visitor);
CREATE INDEX desk_case_with ON desk_case (agent, opened_ms);
"""
TABLES: Final = f"""
CREATE TABLE desk_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    is_pull INTEGER NOT NULL DEFAULT 0,
    capacity INTEGER NOT NULL DEFAULT 4,
    greeting TEXT NOT NULL DEFAULT '',
    offline TEXT NOT NULL DEFAULT '',
    hours TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO desk_queue (name) VALUES ('desk');

CREATE TABLE desk_member (
    queue INTEGER NOT NULL REFERENCES desk_queue (id),
    person INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (queue, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE desk_availability (
    person INTEGER PRIMARY KEY REFERENCES person (id),
    state TEXT NOT NULL CHECK (state IN ('available', 'busy', 'away')),
    since_ms INTEGER NOT NULL,
    is_missed INTEGER NOT NULL DEFAULT 0
) STRICT;

{_CASE}{_CASE_INDEXES}
CREATE TABLE desk_refusal (
    conversation INTEGER NOT NULL REFERENCES desk_case (conversation),
    person INTEGER NOT NULL REFERENCES person (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE desk_canned (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    short TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
"""

# For databases made before cases had a priority, and could be put off: SQLite 3 changes no CHECK, so the table is made
# anew (https://www.sqlite.org/lang_altertable.html, 7). Other tables go on referring to it by its name.
UPGRADE: Final = f"""
PRAGMA foreign_keys = 0;
BEGIN;
{_CASE.replace("desk_case", "desk_case_made")}
INSERT INTO desk_case_made SELECT *, 0 FROM desk_case;
DROP TABLE desk_case;
ALTER TABLE desk_case_made RENAME TO desk_case;
{_CASE_INDEXES}
COMMIT;
PRAGMA foreign_keys = 1;
"""


def is_old(columns: Iterable[str]) -> bool:
    """Tell whether a database needs UPGRADE. columns: of desk_case."""
    return "priority" not in columns
