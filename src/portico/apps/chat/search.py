"""The search: which messages hold some words, Chinese ones of any length included.

The tokenizer of FTS5 takes a run of Chinese characters for one word, and its trigrams find nothing shorter than three.
So each such character is set apart on its way in, and a word that is searched for is a phrase of its characters.
"""

import re
import sqlite3
from typing import Final

MAX_WORDS: Final = 16
MAX_FOUND: Final = 100
SEQ_BITS: Final = 32
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1

# Han, kana and hangul, which are written without spaces between words, or whose words are short.
_CJK_CLASS: Final = "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"
_CJK: Final = re.compile(f"({_CJK_CLASS})")
_CJK_RUNS: Final = re.compile(f"({_CJK_CLASS}+)")
_WORD: Final = re.compile(r"\w+")


def remember(db: sqlite3.Connection, conversation: int, seq: int, text: str) -> None:
    """Make a message's text findable."""
    if text:
        db.execute("INSERT INTO found (rowid, words) VALUES (?, ?)", (row_of(conversation, seq), _apart(text)))


def forget(db: sqlite3.Connection, conversation: int, seq: int) -> None:
    """Take a message's text out of the search."""
    db.execute("DELETE FROM found WHERE rowid = ?", (row_of(conversation, seq),))


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
    return _CJK.sub(r" \1 ", text)


def _query(text: str) -> str:
    """Return a query of phrases: each word of the text, Chinese ones character by character, all of them needed."""
    phrases = []
    for word in _WORD.findall(text)[:MAX_WORDS]:
        for part in filter(None, _CJK_RUNS.split(word)):
            phrases.append('"' + " ".join(_apart(part).split()) + '"')
    return " ".join(dict.fromkeys(phrases))
