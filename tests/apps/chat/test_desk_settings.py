"""Queues, hours and canned answers, as operators set them."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat import cases, desk_settings, people
from portico.apps.chat.desk_settings import Setting, fill
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare

VIC, ANN = 1, 2


@pytest.fixture
def change() -> Iterator[Change]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    prepare(db)
    made = Change(db, 1_000, [])
    people.add_person(made, "visitor", "Vic")
    people.add_person(made, "agent", "Ann")
    yield made
    db.close()


def code(work: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as caught:
        work()
    return caught.value.code


def test_queues(change: Change) -> None:
    first = {"id": 1, "name": "desk", "pull": False, "capacity": 4, "greeting": "", "offline": "", "agents": []}
    assert desk_settings.list_queues(change.db) == [first]
    made = desk_settings.set_queue(change, Setting(None, " 售前  咨询 ", True, 2, "您好", "稍后回复"), [ANN])
    second = {"id": made, "name": "售前 咨询", "pull": True, "capacity": 2, "greeting": "您好", "offline": "稍后回复"}
    assert desk_settings.list_queues(change.db) == [first, {**second, "agents": [ANN]}]
    assert desk_settings.set_queue(change, Setting(made, "sales", False, 9, "", ""), []) == made
    assert desk_settings.list_queues(change.db)[1]["agents"] == []
    assert cases.find_queue(change.db, made) == made


BAD = [
    (Setting(None, "desk", False, 4, "", ""), [], "taken"),
    (Setting(None, " ", False, 4, "", ""), [], "bad_name"),
    (Setting(None, "a", False, 0, "", ""), [], "bad_queue"),
    (Setting(None, "a", False, 101, "", ""), [], "bad_queue"),
    (Setting(None, "a", False, 4, "x" * 501, ""), [], "bad_queue"),
    (Setting(None, "a", False, 4, "", "a\0b"), [], "bad_body"),
    (Setting(9, "a", False, 4, "", ""), [], "no_queue"),
    (Setting(None, "a", False, 4, "", ""), [VIC], "bad_person"),
    (Setting(None, "a", False, 4, "", ""), [99], "bad_person"),
]


@pytest.mark.parametrize(("setting", "agents", "why"), BAD)
def test_what_is_no_queue(change: Change, setting: Setting, agents: list[int], why: str) -> None:
    assert code(lambda: desk_settings.set_queue(change, setting, agents)) == why


def test_hours(change: Change) -> None:
    assert desk_settings.get_hours(change.db, None)["zone"] == "UTC"
    hours = {"zone": "Asia/Shanghai", "week": {"mon": [["09:00", "18:00"]]}, "days": {}}
    desk_settings.set_hours(change, 1, hours)
    assert desk_settings.get_hours(change.db, 1) == hours
    assert code(lambda: desk_settings.set_hours(change, 9, hours)) == "no_queue"
    assert code(lambda: desk_settings.set_hours(change, 1, {"zone": "nowhere"})) == "bad_hours"
    desk_settings.set_hours(change, 1, None)
    assert desk_settings.get_hours(change.db, 1)["week"]["sun"] == [["00:00", "24:00"]]


def test_canned_answers(change: Change) -> None:
    hello = desk_settings.set_canned(change, None, "/hi", "Greeting", "Hello {{visitor.name}}, I am {{agent.name}}.")
    bye = desk_settings.set_canned(change, None, "bye", "Farewell", "再见")
    listed = desk_settings.list_canned(change.db)
    assert [one["short"] for one in listed] == ["bye", "hi"]
    assert "filled" not in listed[0]
    case = cases.start(change, VIC, page="https://shop.example/")
    values = desk_settings.values_of(change.db, case, ANN)
    assert values["visitor.page"] == "https://shop.example/"
    assert values["queue.name"] == "desk"
    filled = {one["id"]: one["filled"] for one in desk_settings.list_canned(change.db, values)}
    assert filled == {hello: "Hello Vic, I am Ann.", bye: "再见"}
    assert desk_settings.set_canned(change, bye, "bye", "Farewell", "回见") == bye
    desk_settings.remove_canned(change, hello)
    assert [one["text"] for one in desk_settings.list_canned(change.db)] == ["回见"]
    assert code(lambda: desk_settings.remove_canned(change, hello)) == "bad_canned"


@pytest.mark.parametrize(
    ("short", "title", "text", "why"),
    [
        ("", "t", "x", "bad_canned"),
        ("a b", "t", "x", "bad_canned"),
        ("a\tb", "t", "x", "bad_canned"),
        ("x" * 33, "t", "x", "bad_canned"),
        ("a", "", "x", "bad_name"),
        ("a", "t", " ", "bad_canned"),
        ("a", "t", "x" * 8_193, "too_big"),
        ("kept", "t", "x", "taken"),
    ],
)
def test_what_is_no_canned_answer(change: Change, short: str, title: str, text: str, why: str) -> None:
    desk_settings.set_canned(change, None, "kept", "Kept", "kept")
    assert code(lambda: desk_settings.set_canned(change, None, short, title, text)) == why
    assert code(lambda: desk_settings.set_canned(change, 99, "b", "t", "x")) == "bad_canned"


def test_only_so_many_are_kept(change: Change) -> None:
    for number in range(desk_settings.MAX_CANNED):
        desk_settings.set_canned(change, None, f"s{number}", "t", "x")
    assert code(lambda: desk_settings.set_canned(change, None, "more", "t", "x")) == "full"
    assert desk_settings.set_canned(change, 1, "more", "t", "x") == 1


FILLED = [
    ("{{visitor.name}}", {"visitor.name": "小明"}, "小明"),
    ("{{ visitor.name }}!", {"visitor.name": "小明"}, "小明!"),
    ("{{visitor.age}} {{x}} {visitor.name}", {"visitor.name": "小明"}, "{{visitor.age}} {{x}} {visitor.name}"),
    ("{{visitor.name}}", {"visitor.name": "{{agent.name}}", "agent.name": "Ann"}, "{{agent.name}}"),
    ("{{visitor.name}}", {"visitor.name": r"\1\g<0>"}, r"\1\g<0>"),
]


@pytest.mark.parametrize(("text", "values", "filled"), FILLED)
def test_fill(text: str, values: dict[str, str], filled: str) -> None:
    assert fill(text, values) == filled


@given(st.text())
def test_a_text_without_places_stays_as_it_is(text: str) -> None:
    assert fill(text, {}) == text


def test_what_a_queue_says_of_itself(change: Change) -> None:
    setting = Setting(None, "sales", False, 2, "Hello", "Closed")
    number = desk_settings.set_queue(change, setting, [])
    found = desk_settings.describe(change.db, number, 1_000)
    assert found == {"open": True, "opens": None, "greeting": "Hello", "offline": "Closed"}
    desk_settings.set_hours(change, number, {"zone": "UTC", "days": {"2030-01-01": [["09:00", "12:00"]]}})
    closed = desk_settings.describe(change.db, number, 1_893_452_400_000)
    assert (closed["open"], closed["opens"]) == (False, 1_893_488_400_000)
    assert desk_settings.describe(change.db, None, 1_000)["greeting"] == ""
    with pytest.raises(Rejected, match="no such queue"):
        desk_settings.describe(change.db, 99, 1_000)
