"""The search: which messages hold some words, Chinese ones of any length included.

The tokenizer of FTS5 takes a run of Chinese characters for one word, and its trigrams find nothing shorter than three.
So each such character is set apart on its way in, and a word that is searched for is a phrase of its characters.
"""

import re
import sqlite3
from typing import Final

from portico.apps.chat.events import Event

MAX_WORDS: Final = 16
MAX_FOUND: Final = 100
SEQ_BITS: Final = 32
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1

# Han, kana and hangul, which are written without spaces between words, or whose words are short.
_CJK_CLASS: Final = "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"
_APART: Final = re.compile(f"{_CJK_CLASS}|[^{_CJK_CLASS[1:]}+")
_CJK_RUNS: Final = re.compile(f"({_CJK_CLASS}+)")
_WORD: Final = re.compile(r"\w+")


def index(db: sqlite3.Connection, event: Event) -> None:
    """Make a message findable, by its text as it is now and the names of its files: not any more where it was deleted.

    Called for the events of a whole group, after its last savepoint: FTS5 writes out all it has gathered at the end of
    each savepoint that it knows of, which took longer than the message itself.
    """
    if event.kind == "msg":
        names = file_names(db, event.conversation, event.seq) if '"files"' in event.body else []
        _remember(db, row_of(event.conversation, event.seq), " ".join((event.text, *names)))
    elif event.kind in ("edit", "del") and event.ref is not None:
        row = row_of(event.conversation, event.ref)
        db.execute("DELETE FROM found WHERE rowid = ?", (row,))
        names = file_names(db, event.conversation, event.ref)  # none any more of what was deleted
        _remember(db, row, " ".join((event.text, *names)))


def file_names(db: sqlite3.Connection, conversation: int, seq: int) -> list[str]:
    """Return what the files of a message are called."""
    rows = db.execute(
        "SELECT name FROM mention JOIN file ON file.id = mention.file WHERE conversation = ? AND seq = ? "
        "ORDER BY file.id",
        (conversation, seq),
    )
    return [name for (name,) in rows]


def _remember(db: sqlite3.Connection, row: int, text: str) -> None:
    if text.strip():
        db.execute("INSERT INTO found (rowid, words) VALUES (?, ?)", (row, _apart(text)))


def row_of(conversation: int, seq: int) -> int:
    """Return the row of a message: both of its numbers in one, so that it is found without an index."""
    return conversation << SEQ_BITS | seq


def search(db: sqlite3.Connection, person: int, text: str, limit: int = MAX_FOUND) -> list[tuple[int, int]]:
    """Return conversation and seq of the messages that hold all words of a text, the newest first.

    text: a person's own words; nothing in it is taken for a query language. Only what the person may read is found.
    """
    query = _query(text)
    if not query:
        return []
    rows = db.execute(
        "SELECT event.conversation, event.seq FROM found "
        f"JOIN event ON event.conversation = found.rowid >> {SEQ_BITS} AND event.seq = found.rowid & {_SEQ_MASK} "
        "JOIN member ON member.conversation = event.conversation "
        "WHERE found MATCH ? AND member.person = ? AND event.seq >= member.since "
        "AND (member.until IS NULL OR event.seq <= member.until) "
        "ORDER BY event.at_ms DESC, event.conversation DESC, event.seq DESC LIMIT ?",
        (query, person, min(limit, MAX_FOUND)),
    )
    return [(conversation, seq) for conversation, seq in rows]


def _apart(text: str) -> str:
    return " ".join(_APART.findall(text))


def _query(text: str) -> str:
    """Return a query of phrases: each word of the text, Chinese ones character by character, all of them needed."""
    phrases = []
    for word in _WORD.findall(text)[:MAX_WORDS]:
        for part in filter(None, _CJK_RUNS.split(word)):
            phrases.append('"' + " ".join(_apart(part).split()) + '"')
    return " ".join(dict.fromkeys(phrases))
