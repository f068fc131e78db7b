"""A turn of the desk: what is due at a moment is done, over a database in memory and a clock set by hand."""

import json
import sqlite3
from collections.abc import Iterator

import pytest

from portico.apps.chat import cases, desk_router, desk_settings, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.desk_router import OFFER_MS, Turn, View
from portico.apps.chat.events import Claim, check
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare

VIC, ZOE, ANN, BEN, BOSS = range(1, 6)
NOON_MS = 1_767_614_400_000  # 5 January 2026, 12:00 UTC, a Monday
CLOSED = {"week": {"mon": [["14:00", "15:00"]]}}


class Desk:
    """A database and a clock."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        prepare(self.db)
        self.now_ms = NOON_MS
        self.online = frozenset({ANN, BEN, BOSS})
        kinds = [("visitor", "Vic"), ("visitor", "Zoe"), ("agent", "Ann"), ("agent", "Ben"), ("admin", "Boss")]
        for kind, name in kinds:
            people.add_person(self.change, kind, name)

    @property
    def change(self) -> Change:
        return Change(self.db, self.now_ms, [])

    def start(self, visitor: int, *, queue: int | None = None) -> int:
        self.now_ms += 1
        return cases.start(self.change, visitor, queue=queue).conversation

    def say(self, person: int, conversation: int) -> None:
        log.append(self.change, check(Claim(conversation, "msg", {"text": "hello"}), person, "ws"))

    def turn(self, *, after_s: float = 0, gone: int = 0, heard: int = 0) -> Turn:
        self.now_ms += int(after_s * 1000)
        online = self.online - {gone}
        return desk_router.turn(self.change, View(online, frozenset({gone} - {0}), heard=frozenset({heard} - {0})))

    def case(self, conversation: int) -> Case:
        return cases.find(self.db, conversation)

    def available(self, **states: str) -> None:
        for name, state in states.items():
            desk_router.set_available(self.change, {"ann": ANN, "ben": BEN, "boss": BOSS}[name], state)

    def status(self, conversation: int) -> desk_router.Status:
        visitor, status = desk_router.statuses(self.db, self.now_ms, self.online, also=[conversation])[conversation]
        assert visitor in (VIC, ZOE)
        return status


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.db.close()


def test_nothing_happens_where_nobody_waits(desk: Desk) -> None:
    assert desk.turn() == Turn(frozenset({ANN, BEN, BOSS}), frozenset(), None)


def test_who_waits_is_offered_to_an_agent_who_is_there(desk: Desk) -> None:
    one = desk.start(VIC)
    turn = desk.turn()
    assert (desk.case(one).state, desk.case(one).offered) == ("offered", ANN)
    assert turn.due_ms == desk.case(one).due_ms == desk.now_ms + OFFER_MS
    two = desk.start(ZOE)
    desk.turn()
    assert desk.case(two).offered == BEN


@pytest.mark.parametrize(
    ("states", "online", "offered"),
    [
        ({}, {ANN, BEN, BOSS}, ANN),
        ({"ann": "busy"}, {ANN, BEN, BOSS}, BEN),
        ({"ann": "away", "ben": "busy"}, {ANN, BEN, BOSS}, None),
        ({"ann": "away", "ben": "busy", "boss": "available"}, {ANN, BEN, BOSS}, BOSS),
        ({"boss": "available"}, {BOSS}, BOSS),
        ({}, {BOSS}, None),
        ({}, set(), None),
    ],
)
def test_who_is_asked(desk: Desk, states: dict[str, str], online: set[int], offered: int | None) -> None:
    desk.available(**states)
    desk.online = frozenset(online)
    one = desk.start(VIC)
    desk.turn()
    assert desk.case(one).offered == offered


def test_an_offer_that_nobody_takes_goes_to_the_next_and_sets_the_agent_away(desk: Desk) -> None:
    one = desk.start(VIC)
    desk.turn()
    desk.turn(after_s=19.9)
    assert desk.case(one).offered == ANN
    desk.turn(after_s=0.1)
    assert desk.case(one).offered == BEN
    assert desk_router.staff(desk.db)[ANN] == "away"
    assert [desk_router.has_missed(desk.db, agent) for agent in (ANN, BEN)] == [True, False]
    desk.available(ann="away")
    assert not desk_router.has_missed(desk.db, ANN)
    turn = desk.turn(after_s=20)
    assert (desk.case(one).state, desk.case(one).offered, turn.due_ms) == ("queued", None, None)


def test_an_agent_is_asked_for_one_visitor_at_a_time_and_a_colleague_for_the_next(desk: Desk) -> None:
    desk.available(ben="away")
    one, two = desk.start(VIC), desk.start(ZOE)
    desk.turn()
    assert (desk.case(one).offered, desk.case(two).offered) == (ANN, None)
    desk.available(ben="available")
    desk.turn(after_s=1)
    assert (desk.case(one).offered, desk.case(two).offered) == (ANN, BEN)
    cases.refuse(desk.change, BEN, two)
    cases.accept(desk.change, ANN, one)
    desk.turn()
    assert desk.case(two).offered == ANN


def test_who_was_missed_is_in_front_and_offered_again_as_soon_as_the_agent_is_back(desk: Desk) -> None:
    desk.online = frozenset({ANN})
    missed = desk.start(VIC)
    desk.turn()
    newer = desk.start(ZOE)
    desk.turn(after_s=20)
    assert (desk.case(missed).offered, desk.case(newer).offered) == (None, None)
    assert desk.status(missed)["pos"] == 1
    desk.available(ann="available")
    desk.turn(after_s=1)
    assert (desk.case(missed).offered, desk.case(newer).offered) == (ANN, None)
    cases.accept(desk.change, ANN, missed)
    desk.turn()
    assert desk.case(newer).offered == ANN


def test_who_declined_is_asked_again_after_a_while(desk: Desk) -> None:
    desk.available(ben="away")
    one = desk.start(VIC)
    desk.turn()
    cases.refuse(desk.change, ANN, one)
    desk.turn()
    assert desk.case(one).state == "queued"
    desk.turn(after_s=119)
    assert desk.case(one).state == "queued"
    desk.turn(after_s=1)
    assert desk.case(one).offered == ANN


def test_a_transfer_that_nobody_takes_stays_where_it_is(desk: Desk) -> None:
    one = desk.start(VIC)
    case = cases.take(desk.change, ANN, one, 1)
    cases.transfer_to_agent(desk.change, ANN, case, BEN, due_ms=desk.now_ms + OFFER_MS)
    assert desk.turn(after_s=20).due_ms is None
    assert desk.case(one) == case
    assert desk_router.staff(desk.db)[BEN] == "available"


def test_visitors_of_an_agent_who_is_gone_wait_again_in_front(desk: Desk) -> None:
    asked, answered = desk.start(VIC), desk.start(ZOE)
    for one in (asked, answered):
        cases.take(desk.change, ANN, one, 1)
        desk.say(VIC if one == asked else ZOE, one)
    desk.say(ANN, answered)
    assert desk.turn().owners == {ANN}
    turn = desk.turn(gone=ANN)
    assert (desk.case(asked).state, desk.case(asked).offered, desk.case(asked).is_first) == ("offered", BEN, 1)
    assert (desk.case(answered).state, desk.case(answered).agent) == ("open", ANN)
    assert turn.owners == {ANN}
    desk.say(ZOE, answered)
    cases.accept(desk.change, BEN, asked)
    desk.turn(gone=ANN)
    assert desk.case(answered).offered == BEN


def test_a_visitor_whom_nobody_has_said_anything_to_waits_again_too(desk: Desk) -> None:
    one = desk.start(VIC)
    cases.take(desk.change, ANN, one, 1)
    desk.turn(gone=ANN)
    assert desk.case(one).offered == BEN


def test_a_message_opens_a_closed_case_again_and_goes_to_who_had_it(desk: Desk) -> None:
    desk.available(ann="away")
    one = desk.start(VIC)
    cases.close(desk.change, ANN, cases.take(desk.change, ANN, one, 1))
    assert desk_router.resting(desk.db) == [one]
    assert desk_router.unheard(desk.db) == []
    desk.turn(heard=one)
    assert desk.case(one).state == "closed"
    desk.say(VIC, one)
    assert desk_router.unheard(desk.db) == [one]
    desk.available(ann="available")
    desk.turn(heard=one)
    assert (desk.case(one).state, desk.case(one).offered) == ("offered", ANN)
    assert desk_router.resting(desk.db) == []
    desk.turn(heard=one)
    assert desk.case(one).state == "offered"


def test_outside_the_hours_nothing_is_offered_and_all_of_it_when_they_begin(desk: Desk) -> None:
    desk_settings.set_hours(desk.change, None, CLOSED)
    one = desk.start(VIC)
    desk.turn()
    assert desk.case(one).state == "queued"
    status = desk.status(one)
    assert (status["open"], status["opens"], status["pos"]) == (False, NOON_MS + 2 * 3_600_000, 1)
    desk.now_ms = NOON_MS + 2 * 3_600_000
    desk.turn()
    assert desk.case(one).offered == ANN
    assert desk.status(one)["open"] is True


def test_nothing_is_offered_from_a_queue_that_agents_take_from(desk: Desk) -> None:
    desk_settings.set_queue(desk.change, desk_settings.Setting(1, "desk", True, 4, "", ""), [])
    one = desk.start(VIC)
    desk.turn()
    assert desk.case(one).state == "queued"


def test_an_agent_is_offered_no_more_than_the_queue_gives_room_for(desk: Desk) -> None:
    desk_settings.set_queue(desk.change, desk_settings.Setting(1, "desk", False, 1, "", ""), [ANN])
    one, two = desk.start(VIC), desk.start(ZOE)
    desk.turn()
    assert (desk.case(one).offered, desk.case(two).offered) == (ANN, None)
    assert desk_router.load(desk.db) == {ANN: 1}
    cases.close(desk.change, ANN, cases.accept(desk.change, ANN, one))
    desk.turn()
    assert desk.case(two).offered == ANN


def test_what_visitors_are_told(desk: Desk) -> None:
    one, two = desk.start(VIC), desk.start(ZOE)
    expected = {"state": "queued", "pos": 2, "eta": None, "agent": None, "name": None, "open": True, "score": None}
    assert desk.status(two) == {**expected, "opens": None}
    desk.turn()
    assert desk.status(one)["state"] == "queued"
    taken = cases.take(desk.change, BEN, one, 1)
    assert (desk.status(one)["state"], desk.status(one)["name"], desk.status(one)["agent"]) == ("open", "Ben", BEN)
    assert (desk.status(one)["pos"], desk.status(two)["pos"]) == (None, 1)
    desk.now_ms += 120_000
    cases.close(desk.change, BEN, taken)
    # Two minutes it took, and two agents are there.
    assert (desk.status(two)["eta"], desk.status(one)["state"], desk.status(one)["agent"]) == (60, "closed", None)
    assert set(desk_router.statuses(desk.db, desk.now_ms, desk.online)) == {two}


def test_the_hours_of_a_queue_are_stored_as_json(desk: Desk) -> None:
    desk_settings.set_hours(desk.change, 1, CLOSED)
    (text,) = desk.db.execute("SELECT hours FROM desk_queue").fetchone()
    assert json.loads(text)["week"] == CLOSED["week"]
    assert desk_router.queue_of(desk.db, 1).hours.zone == "UTC"


def snooze(desk: Desk, *, hours: int = 1) -> int:
    """Have Ann put Vic off; return the conversation."""
    conversation = desk.start(VIC)
    cases.take(desk.change, ANN, conversation, 1)
    cases.snooze(desk.change, ANN, desk.case(conversation), desk.now_ms + hours * 3_600_000)
    return conversation


def test_a_case_that_was_put_off_comes_back_at_its_time_in_front_and_to_who_put_it_off(desk: Desk) -> None:
    put_off = snooze(desk)
    assert desk_router.load(desk.db) == {}
    turn = desk.turn(after_s=3_599)
    assert (desk.case(put_off).state, turn.due_ms) == ("snoozed", desk.now_ms + 1_000)
    status = desk.status(put_off)
    assert (status["state"], status["pos"], status["agent"]) == ("snoozed", None, None)
    desk.available(ann="busy", ben="busy")
    other = desk.start(ZOE)
    desk.turn(after_s=1)
    assert (desk.case(put_off).state, desk.case(put_off).queued_ms) == ("queued", desk.now_ms)
    assert (desk.status(put_off)["pos"], desk.status(other)["pos"]) == (1, 2)
    desk.available(ann="available", ben="available")
    desk.turn()
    assert (desk.case(put_off).offered, desk.case(other).offered) == (ANN, BEN)


def test_a_case_that_was_put_off_comes_back_when_its_visitor_says_something(desk: Desk) -> None:
    put_off = snooze(desk, hours=24)
    assert desk_router.resting(desk.db) == [put_off]
    desk.turn(heard=put_off)
    assert (desk.case(put_off).state, desk_router.unheard(desk.db)) == ("snoozed", [])
    desk.say(VIC, put_off)
    assert desk_router.unheard(desk.db) == [put_off]
    desk.turn(heard=put_off)
    assert (desk.case(put_off).state, desk.case(put_off).offered) == ("offered", ANN)
    desk.turn(heard=put_off)
    assert desk.case(put_off).state == "offered"


def test_what_matters_more_is_served_first(desk: Desk) -> None:
    desk.available(ann="busy", ben="busy")
    first, second = desk.start(VIC), desk.start(ZOE)
    cases.set_priority(desk.change, ANN, desk.case(second), 1)
    assert (desk.status(first)["pos"], desk.status(second)["pos"]) == (2, 1)
    desk_settings.set_queue(desk.change, desk_settings.Setting(1, "desk", False, 1, "", ""), [])
    desk.available(ann="available")
    desk.turn()
    assert (desk.case(first).offered, desk.case(second).offered) == (None, ANN)
