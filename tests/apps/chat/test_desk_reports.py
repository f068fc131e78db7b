"""Lists and figures of the desk, over a database in memory and a clock set by hand."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from portico.apps.chat import cases, desk_reports, desk_settings, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Claim, Rejected, check
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare

VIC, ZOE, ANN, BEN, BOSS = range(1, 6)
NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC
ONLINE = frozenset({ANN})


class Desk:
    """A database and a clock."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        prepare(self.db)
        self.now_ms = NOON_MS
        kinds = [("visitor", "Vic"), ("visitor", "Zoe"), ("agent", "Ann"), ("agent", "Ben"), ("admin", "Boss")]
        for kind, name in kinds:
            people.add_person(self.change, kind, name)
        desk_settings.set_queue(self.change, desk_settings.Setting(None, "sales", False, 4, "", ""), [BEN])

    @property
    def change(self) -> Change:
        return Change(self.db, self.now_ms, [])

    def start(self, visitor: int, *, queue: int = 1) -> Case:
        self.now_ms += 1_000
        return cases.start(self.change, visitor, queue=queue, page="https://shop.example/")

    def take(self, agent: int, case: Case) -> Case:
        return cases.take(self.change, agent, case.conversation, case.revision)

    def say(self, person: int, case: Case, text: str, *, kind: str = "msg", ref: int | None = None) -> int:
        body: dict[str, Any] = {} if kind == "del" else {"text": text}
        if kind == "react":
            body = {"mark": text}
        claim = Claim(case.conversation, kind, body, ref)
        return log.append(self.change, check(claim, person, "ws")).event.seq

    def list_of(self, agent: int, tab: str) -> list[int]:
        return [one["c"] for one in desk_reports.items(self.db, agent, tab)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.db.close()


def test_lists(desk: Desk) -> None:
    mine, offered, gone = (desk.start(one) for one in (VIC, ZOE, people.add_person(desk.change, "visitor", "Joe")))
    waiting = desk.start(people.add_person(desk.change, "visitor", "Moe"))
    sales = desk.start(people.add_person(desk.change, "visitor", "Sal"), queue=2)
    desk.take(ANN, mine)
    cases.offer(desk.change, offered, ANN, due_ms=desk.now_ms)
    cases.close(desk.change, BOSS, gone)
    numbers = [one.conversation for one in (mine, offered, waiting, sales, gone)]
    one, two, three, four, five = numbers
    assert desk.list_of(ANN, "mine") == [two, one]
    assert desk.list_of(ANN, "queue") == [two, three]
    assert desk.list_of(ANN, "all") == [one, two, three]
    assert desk.list_of(ANN, "closed") == [five]
    assert desk.list_of(BEN, "mine") == []
    assert desk.list_of(BEN, "all") == [one, two, three, four]
    assert desk.list_of(BOSS, "queue") == [two, three, four]
    assert desk.list_of(VIC, "all") == []
    with pytest.raises(Rejected, match="the lists are mine, queue, all, closed"):
        desk.list_of(ANN, "others")


def test_a_case_in_a_list(desk: Desk) -> None:
    earlier = desk.start(VIC)
    cases.close(desk.change, VIC, earlier)
    case = desk.take(ANN, desk.start(VIC))
    assert desk_reports.item(desk.db, case)["last"] is None
    desk.say(VIC, case, "a" * 200)
    deleted = desk.say(ANN, case, "oops")
    desk.say(ANN, case, "", kind="del", ref=deleted)
    cases.transfer_to_agent(desk.change, ANN, case, BEN, due_ms=9)
    (item,) = desk_reports.items(desk.db, ANN, "mine")
    assert item["last"] == {"s": 5, "at": desk.now_ms, "f": VIC, "text": "a" * 120}
    assert (item["visitor"], item["agent"]) == (
        {"id": VIC, "name": "Vic", "lang": ""},
        {"id": ANN, "name": "Ann", "lang": ""},
    )
    assert (item["offered"]["name"], item["due"], item["earlier"]) == ("Ben", 9, [earlier.conversation])
    assert (item["state"], item["rev"], item["head"], item["since"]) == ("open", 2, 7, case.queued_ms)
    assert (item["page"], item["staff"], item["first"], item["score"]) == (
        "https://shop.example/",
        case.staff,
        False,
        None,
    )
    (closed,) = [one for one in desk_reports.items(desk.db, ANN, "closed")]
    assert closed["since"] == desk.db.execute("SELECT max(closed_ms) FROM desk_case").fetchone()[0]


def test_figures_of_a_day(desk: Desk) -> None:
    old = desk.start(VIC)
    cases.close(desk.change, VIC, old)
    desk.now_ms += 90_000_000
    answered, missed, waiting = desk.start(VIC), desk.start(ZOE), None
    cases.close(desk.change, ANN, missed)
    desk.now_ms = answered.queued_ms + 30_000
    case = desk.take(ANN, answered)
    desk.say(ANN, case, "hello")
    desk.now_ms += 300_000
    cases.close(desk.change, ANN, case)
    cases.rate(desk.change, VIC, case.conversation, 4)
    waiting = desk.start(ZOE)
    desk.now_ms += 61_000
    desk.take(ANN, desk.start(VIC))
    found = desk_reports.figures(desk.db, ANN, desk.now_ms, ONLINE)
    (queue,) = found["queues"]
    assert (queue["name"], queue["waiting"], queue["longest_s"]) == (
        "desk",
        1,
        (desk.now_ms - waiting.queued_ms) // 1000,
    )
    assert queue["day"] == {
        "started": 4,
        "answered": 1,
        "missed": 1,
        "reply_p50_s": 30,
        "reply_p90_s": 30,
        "handled_s": 300,
        "ratings": 1,
        "rating": 4.0,
    }
    assert found["agents"] == [
        {"id": ANN, "name": "Ann", "lang": "", "online": True, "available": "available", "load": 1},
        {"id": BEN, "name": "Ben", "lang": "", "online": False, "available": "available", "load": 0},
        {"id": BOSS, "name": "Boss", "lang": "", "online": False, "available": "away", "load": 0},
    ]


def test_figures_of_nothing_are_none(desk: Desk) -> None:
    (desk_queue, sales) = desk_reports.figures(desk.db, BOSS, desk.now_ms, frozenset())["queues"]
    nothing = dict.fromkeys(["reply_p50_s", "reply_p90_s", "handled_s", "rating"])
    assert desk_queue["day"] == {"started": 0, "answered": 0, "missed": 0, "ratings": 0, **nothing}
    assert (sales["name"], sales["waiting"], sales["longest_s"]) == ("sales", 0, None)


def test_first_replies_are_ranked(desk: Desk) -> None:
    for number in range(1, 12):
        case = desk.take(ANN, desk.start(people.add_person(desk.change, "visitor", f"V{number}")))
        desk.now_ms += number * 10_000
        desk.say(ANN, case, "hello")
    (queue,) = desk_reports.figures(desk.db, ANN, desk.now_ms, ONLINE)["queues"]
    assert (queue["day"]["reply_p50_s"], queue["day"]["reply_p90_s"]) == (60, 100)
