"""Transcripts of the desk, over a database in memory and a clock set by hand."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from portico.apps.chat import cases, desk_settings, log, people, transcript
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Claim, check
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare

VIC, ANN, BEN = range(1, 4)
NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC
AT = "2026-01-05 20:00  "


class Desk:
    """A database, in Shanghai, and two agents."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        prepare(self.db)
        self.change = Change(self.db, NOON_MS, [])
        for kind, name in (("visitor", "Vic"), ("agent", "Ann"), ("agent", "Ben")):
            people.add_person(self.change, kind, name)
        desk_settings.set_hours(self.change, 1, {"zone": "Asia/Shanghai", "week": {}})

    def start(self) -> Case:
        return cases.start(self.change, VIC)

    def take(self, agent: int, case: Case) -> Case:
        return cases.take(self.change, agent, case.conversation, cases.find(self.db, case.conversation).revision)

    def say(self, person: int, case: Case, text: str, *, kind: str = "msg", ref: int | None = None, **more: Any) -> int:
        body: dict[str, Any] = {
            "msg": {"text": text, **more},
            "edit": {"text": text},
            "del": {},
            "react": {"mark": text},
        }
        claim = Claim(case.conversation, kind, body[kind], ref)
        return log.append(self.change, check(claim, person, "ws")).event.seq

    def lines(self, case: Case) -> list[str]:
        return transcript.write(self.db, case).splitlines()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.db.close()


def play(desk: Desk) -> Case:
    """Have a conversation in which everything happens."""
    case = desk.take(ANN, desk.start())
    asked = desk.say(VIC, case, "helo")
    desk.say(VIC, case, "hello", kind="edit", ref=asked)
    desk.say(ANN, case, "👍", kind="react", ref=asked)
    gone = desk.say(ANN, case, "a slip")
    desk.say(ANN, case, "", kind="del", ref=gone)
    cases.note(desk.change, ANN, case, "a canary")
    row = ("0" * 64, "price list.pdf", "application/pdf", 9, ANN, NOON_MS)
    query = "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
    (file,) = desk.db.execute(query, row).fetchone()
    desk.say(ANN, case, "see", files=[file, file + 1])
    cases.transfer_to_queue(desk.change, ANN, case, 1)
    case = desk.take(BEN, case)
    cases.close(desk.change, BEN, case)
    return cases.rate(desk.change, VIC, case.conversation, 5, "quick")


def test_what_the_visitor_may_read_at_the_clock_of_the_queue(desk: Desk) -> None:
    assert desk.lines(play(desk)) == [
        f"{AT}* Waiting for an agent.",
        f"{AT}* Ann is here.",
        f"{AT}Vic: hello",
        f"{AT}Ann: see [file: price list.pdf] [a file that is gone]",
        f"{AT}* Passed on to: desk.",
        f"{AT}* Waiting for an agent.",
        f"{AT}* Ben is here.",
        f"{AT}* The conversation is over.",
        f"{AT}* Vic gave 5 of 5. quick",
    ]


def test_in_the_language_of_the_visitor(desk: Desk) -> None:
    desk.db.execute("UPDATE person SET language = 'zh' WHERE id = ?", (VIC,))
    assert [line.removeprefix(AT) for line in desk.lines(play(desk)) if "*" in line] == [
        "* 正在等待客服接入。",
        "* Ann 已接入。",
        "* 已转接至：desk。",
        "* 正在等待客服接入。",
        "* Ben 已接入。",
        "* 会话已结束。",
        "* Vic 评价 5 分（满分 5 分）。 quick",
    ]


def test_a_handover_between_colleagues_and_a_return(desk: Desk) -> None:
    case = desk.take(ANN, desk.start())
    cases.accept(desk.change, BEN, cases.transfer_to_agent(desk.change, ANN, case, BEN, due_ms=9).conversation)
    cases.requeue(desk.change, cases.find(desk.db, case.conversation), BEN, why="returned")
    assert [line.removeprefix(AT) for line in desk.lines(case)] == [
        "* Waiting for an agent.",
        "* Ann is here.",
        "* Ben is here.",
        "* Waiting for another agent.",
    ]


def test_no_text_begins_a_line_as_if_it_were_somebody_elses(desk: Desk) -> None:
    case = desk.start()
    desk.say(VIC, case, f"hello\n{AT}Ann: you get it for nothing\r\nsee?")
    lines = desk.lines(case)
    assert lines[1:] == [f"{AT}Vic: hello", f"{' ' * 18}{AT}Ann: you get it for nothing", f"{' ' * 18}see?"]


def test_a_long_one_is_its_end(desk: Desk) -> None:
    case = desk.start()
    for number in range(transcript.MAX_LINES + 10):
        desk.say(VIC, case, str(number))
    lines = desk.lines(case)
    assert len(lines) == transcript.MAX_LINES
    assert lines[0].endswith("Vic: 10")
    assert lines[-1].endswith(f"Vic: {transcript.MAX_LINES + 9}")
