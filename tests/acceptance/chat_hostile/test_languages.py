"""Every text of the chat is there in English and in Chinese: of the pages, of the lines, of the commands."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

import pytest

import portico.apps.chat
from portico.apps.chat import commands, wording
from portico.cli.words import TEXTS

CHAT = Path(portico.apps.chat.__file__).parent
PAGE = CHAT / "page"
_STRING = r'"((?:[^"\\]|\\.)*)"'
_ROW = re.compile(rf'^\s*"?([A-Za-z_][\w.]*)"?:\s*\[\s*{_STRING},\s*{_STRING},?\s*\]', re.MULTILINE)
_ONE = re.compile(rf'^\s*"?([A-Za-z_][\w.]*)"?:\s*\[\s*{_STRING},?\s*\]', re.MULTILINE)
_ASKED = re.compile(rf"\btext\({_STRING}[,)]")
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_PLACE = re.compile(r"\{(\w+)\}")
# What is said by a word for programs where the words are the language's own already.
SAID_SO = frozenset({"no_place", "nowhere", "which", "nobody"})


# What only a faulty program is told, or what is said in lines alone: a page has no words of its own for it.
OF_PROGRAMS = frozenset({"bad_cid", "bad_language", "bad_priority", "bad_state", "bad_tab", "bad_type", "cid_reuse"})
OF_PROGRAMS |= {"no_block", "proto", "unknown_kind", "unknown_op", "unknown_type", "version"}


def tables() -> Iterator[tuple[str, str, str, str]]:
    """Yield file, key, English and Chinese of every row of the pages' tables."""
    for path in sorted(PAGE.rglob("texts*.js")):
        for key, english, chinese in _ROW.findall(path.read_text()):
            yield str(path.relative_to(PAGE)), key, english, chinese


def fits(english: str, chinese: str) -> bool:
    """Tell whether two texts can be one text in both languages."""
    is_said = (
        bool(_CHINESE.search(chinese))
        or english.upper() == chinese.upper()
        or not re.search("[A-Za-z]{3}", _PLACE.sub("", english))
    )
    return bool(english and chinese and is_said and not _CHINESE.search(english))


def test_the_tables_of_the_pages_are_read_as_they_are() -> None:
    rows = list(tables())
    assert len(rows) > 200
    assert {file for file, *_ in rows} >= {"texts.js", "texts-desk.js", "texts-messenger.js", "widget/texts.js"}
    assert not [found for path in PAGE.rglob("texts*.js") for found in _ONE.findall(path.read_text())]


def test_every_text_of_the_pages_is_there_in_both_languages() -> None:
    wrong = [(file, key) for file, key, english, chinese in tables() if not fits(english, chinese)]
    assert wrong == []
    places = [
        (file, key)
        for file, key, english, chinese in tables()
        if not (found := set(_PLACE.findall(english))) <= set(_PLACE.findall(chinese)) and found
    ]
    assert places == []


def test_every_text_that_a_page_asks_for_is_in_a_table() -> None:
    known = {key for _, key, _, _ in tables()}
    asked = {key for path in PAGE.rglob("*.js") for key in _ASKED.findall(path.read_text()) if not key.endswith(".")}
    assert len(asked) > 100
    assert sorted(asked - known) == []


def pairs() -> Iterable[tuple[str, str, str]]:
    """Yield name, English and Chinese of what there is beside the pages."""
    for name, (english, chinese) in wording._PHRASES.items():
        yield f"phrase {name}", english, chinese
    for name, command in commands.COMMANDS.items():
        yield f"/{name}", *command.help
    for name, text in TEXTS.items():
        if name.startswith("chat") or name.startswith("join"):
            yield name, text.en, text.zh


@pytest.mark.parametrize(("english", "chinese"), [pytest.param(*texts, id=name) for name, *texts in pairs()])
def test_every_other_text_is_there_in_both_languages_with_the_same_places(english: str, chinese: str) -> None:
    assert fits(english, chinese)
    found = [{place for _, place, _, _ in Formatter().parse(text) if place} for text in (english, chinese)]
    assert found[0] == found[1]


def test_every_refusal_has_a_reason_in_chinese() -> None:
    codes = {code for path in CHAT.rglob("*.py") for code in re.findall(r'Rejected\(\s*"([a-z_]+)"', path.read_text())}
    assert len(codes) > 40
    assert sorted(codes - set(wording._REASONS_ZH) - SAID_SO) == []


def test_every_refusal_that_a_person_can_cause_is_said_by_the_pages() -> None:
    codes = {code for path in CHAT.rglob("*.py") for code in re.findall(r'Rejected\(\s*"([a-z_]+)"', path.read_text())}
    said = {key.removeprefix("error.") for _, key, _, _ in tables() if key.startswith("error.")}
    assert sorted(codes - said - OF_PROGRAMS - SAID_SO) == []
