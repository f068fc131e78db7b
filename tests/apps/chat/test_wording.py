"""How events and phrases read: tables, in both languages."""

import string
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from portico.apps.chat import wording
from portico.apps.chat.wording import clock, lines_of, parse_event, persons_in, phrase, plain_text, reason

NAMES = {1: "Wang", 2: "Li"}
NOON_MS = 1_767_614_400_000


def event(kind: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"t": "ev", "c": 1, "s": 9, "at": NOON_MS, "f": 1, "k": kind, "b": body, "via": "ws", **more}


CASES = [
    ("a message", event("msg", {"text": "hello"}), ["[12:00] Wang: hello"]),
    ("lines", event("msg", {"text": "a\r\nb\nc"}), ["[12:00] Wang: a", "        b", "        c"]),
    ("a deleted one", event("msg", {}), ["[12:00] Wang: (deleted)"]),
    ("files", event("msg", {"text": "", "files": [1, 2]}), ["[12:00] Wang: (2 files, which the page shows)"]),
    ("both", event("msg", {"text": "see", "files": [1]}), ["[12:00] Wang: see (1 files, which the page shows)"]),
    ("an edit", event("edit", {"text": "better"}, ref=3), ["[12:00] *** Wang has changed #3: better"]),
    ("a deleted edit", event("edit", {}, ref=3), []),
    ("a deletion", event("del", {}, ref=3), ["[12:00] *** Wang has deleted #3"]),
    ("a mark", event("react", {"mark": "+1", "on": True}, ref=3), ["[12:00] *** Wang +1 on #3"]),
    ("no mark", event("react", {"mark": "+1", "on": False}, ref=3), ["[12:00] *** Wang takes +1 on #3 back"]),
    ("a join", event("join", {"person": 1, "since": 1}), ["[12:00] *** Wang has joined"]),
    ("brought", event("join", {"person": 2, "since": 1}), ["[12:00] *** Wang has brought Li in"]),
    ("gone", event("leave", {"person": 1}), ["[12:00] *** Wang has left"]),
    ("taken out", event("leave", {"person": 2}), ["[12:00] *** Wang has taken Li out"]),
    ("a title", event("title", {"title": "den"}), ["[12:00] *** Wang calls this now: den"]),
    ("a shared note", event("note", {}), ["[12:00] *** Wang has changed the shared note, /note shows it"]),
    (
        "waiting",
        event("state", {"state": "queued", "why": "started"}),
        ["[12:00] *** waiting for somebody who answers"],
    ),
    ("offered", event("state", {"state": "offered", "agent": 2}), ["[12:00] *** Li is asked to take over"]),
    ("refused", event("state", {"state": "refused", "agent": 2}), ["[12:00] *** Li did not take over"]),
    ("assigned", event("assign", {"agent": 2}), ["[12:00] *** Li answers now"]),
    ("taken over", event("assign", {"agent": 1, "from": 2}), ["[12:00] *** Wang has taken over"]),
    ("asked over", event("transfer", {"agent": 2}), []),
    ("another queue", event("transfer", {"queue": 2}), ["[12:00] *** passed on to another queue"]),
    ("rated", event("rating", {"score": 4, "text": "good"}), ["[12:00] *** Wang rates 4/5 good"]),
    ("rated mutely", event("rating", {"score": 4, "text": ""}), ["[12:00] *** Wang rates 4/5"]),
    ("unknown", event("future", {}), []),
]


@pytest.mark.parametrize(("found", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_events_as_lines(found: dict[str, Any], lines: list[str]) -> None:
    assert persons_in(found) <= set(NAMES)
    assert lines_of(found, NAMES, "en", zone=UTC) == lines
    assert len(lines_of(found, NAMES, "zh", zone=UTC)) == len(lines)


def test_where_it_was_said() -> None:
    found = event("msg", {"text": "hello"})
    assert lines_of(found, NAMES, "en", zone=UTC, where="den") == ["[12:00] (den) Wang: hello"]


def test_persons_are_whoever_is_named() -> None:
    assert persons_in(event("join", {"person": 2})) == {1, 2}
    assert persons_in(event("assign", {"agent": 3})) == {1, 3}


def test_only_the_text() -> None:
    assert plain_text(event("msg", {"text": "hello"})) == "hello"
    assert plain_text(event("msg", {})) == ""
    assert plain_text(event("edit", {"text": "hello"})) == ""
    assert parse_event('{"t":"st"}') == {"t": "st"}


def test_the_clock_of_a_place() -> None:
    assert clock(NOON_MS, timezone(timedelta(hours=8))) == "20:00"
    assert len(clock(NOON_MS, None)) == 5


@pytest.mark.parametrize("name", list(wording._PHRASES))
def test_phrases_name_the_same_values_in_each_language(name: str) -> None:
    english, chinese = (
        {field for _, field, _, _ in string.Formatter().parse(text) if field} for text in wording._PHRASES[name]
    )
    assert english == chinese
    values = dict.fromkeys(english, "x")
    assert phrase(name, "en", **values)
    assert phrase(name, "zh", **values) != phrase(name, "en", **values)


def test_reasons() -> None:
    assert reason("rate", "too many", "en") == "too many"
    assert reason("rate", "too many", "zh") == "太快了，请慢一点"
    assert reason("other", "something else", "zh") == "something else"


def test_who_has_taken_a_visitor_is_said_in_both_languages() -> None:
    assert reason("taken", "taken by Wang", "en") == "taken by Wang"
    assert reason("taken", "taken by Wang", "zh") == "已由 Wang 接待"
    assert reason("taken", "the login li is somebody else's; choose another", "zh") == "已被他人占用或接待"
