"""The search finds words, Chinese ones of any length, and takes nothing for a query language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.chat.ledger import Ledger

from portico.apps.chat.search import MAX_WORDS, search

TEXT = "三楼的打印机坏了, the printer is broken; Tel. 0571-8888"


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("打印", True),
        ("印机", True),
        ("机", True),
        ("打印机坏了", True),
        ("三楼 坏了", True),
        ("printer", True),
        ("PRINTER 打印", True),
        ("8888", True),
        ("打坏", False),
        ("机印", False),
        ("print", False),
        ("printer works", False),
        ("", False),
        ("  ", False),
        ('"', False),
        ("*", False),
        ('printer" OR "x', False),
        ("printer AND broken", False),
        ("printer OR nothing", False),
        ("NEAR(printer broken)", False),
        ("words:printer", False),
        ("printer*", True),
        ("^printer", True),
        ("-printer", True),
        ("'; DROP TABLE found; --", False),
    ],
)
def test_words(words: str, is_found: bool) -> None:
    ledger = Ledger()
    one = ledger.person("a")
    room = ledger.room(one)
    seq = ledger.say(one, room, TEXT).event.seq
    assert search(ledger.db, one, words) == ([(room, seq)] if is_found else [])


def test_the_newest_come_first_and_not_all() -> None:
    ledger = Ledger()
    one = ledger.person("a")
    room = ledger.room(one)
    seqs = [ledger.say(one, room, f"word {number}").event.seq for number in range(5)]
    assert search(ledger.db, one, "word", 3) == [(room, seq) for seq in seqs[:1:-1]]


def test_what_others_say_among_themselves_is_not_found() -> None:
    ledger = Ledger()
    one, other = ledger.person("a"), ledger.person("b")
    ledger.say(one, ledger.room(one), "secret 秘密")
    assert search(ledger.db, other, "secret") == search(ledger.db, other, "秘密") == []


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_words_are_words(words: str) -> None:
    ledger = Ledger()
    one = ledger.person("a")
    ledger.say(one, ledger.room(one), "x")
    search(ledger.db, one, words)
    search(ledger.db, one, f"{words} " * (MAX_WORDS + 1))
