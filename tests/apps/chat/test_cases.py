"""Cases: every way in which one changes, as tables over a database in memory."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.apps.chat import cases, log, people
from portico.apps.chat.cases import Case
from portico.apps.chat.events import Claim, Rejected, check
from portico.apps.chat.log import Change
from portico.apps.chat.schema import prepare

VISITOR, OTHER, ANN, BEN, BOSS, USER = range(1, 7)


def make() -> Change:
    """Return a database with two visitors, two agents, an admin and a user."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA foreign_keys = 1")
    prepare(db)
    change = Change(db, 1_000, [])
    kinds = [("visitor", "Vic"), ("visitor", "Zoe"), ("agent", "Ann"), ("agent", "Ben"), ("admin", "Boss")]
    for kind, name in [*kinds, ("user", "Uma")]:
        people.add_person(change, kind, name)
    return change


@pytest.fixture
def change() -> Iterator[Change]:
    made = make()
    yield made
    made.db.close()


def said(change: Change, conversation: int) -> list[tuple[str, int, dict[str, Any]]]:
    """Return kind, sender and body of what happened in a conversation."""
    return [(one.kind, one.sender, json.loads(one.body)) for one in change.events if one.conversation == conversation]


def members(change: Change, conversation: int) -> set[int]:
    query = "SELECT person FROM member WHERE conversation = ? AND until IS NULL"
    return {person for (person,) in change.db.execute(query, (conversation,))}


def say(change: Change, person: int, conversation: int, text: str) -> None:
    log.append(change, check(Claim(conversation, "msg", {"text": text}), person, "ws"))


def refused(work: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        work()
    return caught.value.code, str(caught.value)


def test_a_case_begins_in_the_queue(change: Change) -> None:
    case = cases.start(change, VISITOR, page="https://shop.example/")
    assert case == cases.find(change.db, case.conversation)
    assert (case.state, case.queue, case.revision, case.queued_ms) == ("queued", 1, 1, 1_000)
    assert said(change, case.conversation)[1:] == [("state", VISITOR, {"state": "queued", "why": "started"})]
    assert members(change, case.conversation) == {VISITOR}
    assert members(change, case.staff) == set()


def test_a_visitor_has_one_case_at_a_time(change: Change) -> None:
    case = cases.start(change, VISITOR)
    again = cases.start(change, VISITOR, contact="vic@example.org")
    assert again == case._replace(contact="vic@example.org")
    assert cases.start(change, VISITOR) == again
    cases.close(change, VISITOR, again)
    assert cases.unfinished(change.db, VISITOR) is None
    assert cases.start(change, VISITOR).conversation != case.conversation


def test_who_and_where_a_case_is_not_begun(change: Change) -> None:
    assert refused(lambda: cases.start(change, ANN))[0] == "forbidden"
    assert refused(lambda: cases.start(change, VISITOR, queue=9))[0] == "no_queue"
    assert refused(lambda: cases.start(change, 99))[0] == "no_person"


def test_one_agent_takes_a_case_and_the_other_learns_who(change: Change) -> None:
    case = cases.start(change, VISITOR)
    taken = cases.take(change, ANN, case.conversation, 1)
    assert (taken.state, taken.agent, taken.revision, taken.opened_ms) == ("open", ANN, 2, 1_000)
    assert refused(lambda: cases.take(change, BEN, case.conversation, 1)) == ("taken", "taken by Ann")
    assert cases.take(change, ANN, case.conversation, 1) == taken
    assert ("assign", ANN, {"agent": ANN}) in said(change, case.conversation)
    assert members(change, case.conversation) == {VISITOR, ANN}
    assert members(change, case.staff) == {ANN}


def test_what_cannot_be_taken(change: Change) -> None:
    case = cases.start(change, VISITOR)
    number = case.conversation
    assert refused(lambda: cases.take(change, OTHER, number, 1))[0] == "no_case"
    assert refused(lambda: cases.take(change, USER, number, 1))[0] == "no_case"
    assert refused(lambda: cases.take(change, ANN, 99, 1))[0] == "no_case"
    assert refused(lambda: cases.take(change, ANN, case.staff, 1))[0] == "no_case"
    assert refused(lambda: cases.take(change, ANN, number, 7))[0] == "stale"
    cases.close(change, VISITOR, case)
    assert refused(lambda: cases.take(change, ANN, number, 2))[0] == "closed"


def test_an_offer_is_accepted(change: Change) -> None:
    case = cases.offer(change, cases.start(change, VISITOR), ANN, due_ms=21_000)
    assert (case.state, case.offered, case.due_ms, case.revision) == ("offered", ANN, 21_000, 1)
    assert said(change, case.staff) == [("state", ANN, {"state": "offered", "agent": ANN})]
    assert refused(lambda: cases.accept(change, BEN, case.conversation))[0] == "not_offered"
    taken = cases.accept(change, ANN, case.conversation)
    assert (taken.state, taken.agent, taken.offered, taken.due_ms) == ("open", ANN, None, None)
    assert cases.accept(change, ANN, case.conversation) == taken
    assert refused(lambda: cases.accept(change, BEN, case.conversation)) == ("taken", "taken by Ann")


def test_an_offer_does_not_keep_others_from_taking(change: Change) -> None:
    case = cases.offer(change, cases.start(change, VISITOR), ANN, due_ms=21_000)
    cases.take(change, BEN, case.conversation, 1)
    assert refused(lambda: cases.accept(change, ANN, case.conversation)) == ("taken", "taken by Ben")
    assert refused(lambda: cases.refuse(change, ANN, case.conversation))[0] == "not_offered"


def test_an_offer_is_declined(change: Change) -> None:
    case = cases.offer(change, cases.start(change, VISITOR), ANN, due_ms=21_000)
    assert refused(lambda: cases.refuse(change, OTHER, case.conversation))[0] == "no_case"
    waiting = cases.refuse(change, ANN, case.conversation)
    assert (waiting.state, waiting.offered, waiting.queued_ms) == ("queued", None, case.queued_ms)
    assert said(change, case.staff)[-1] == ("state", ANN, {"state": "refused", "agent": ANN, "why": "declined"})
    assert change.db.execute("SELECT * FROM desk_refusal").fetchall() == [(case.conversation, ANN, 121_000)]
    cases.take(change, BEN, case.conversation, 1)
    assert change.db.execute("SELECT * FROM desk_refusal").fetchall() == []


def test_a_transfer_stays_with_its_agent_until_the_colleague_accepts(change: Change) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    assert refused(lambda: cases.transfer_to_agent(change, ANN, case, ANN, due_ms=1))[0] == "bad_person"
    assert refused(lambda: cases.transfer_to_agent(change, ANN, case, USER, due_ms=1))[0] == "bad_person"
    offered = cases.transfer_to_agent(change, ANN, case, BEN, due_ms=21_000)
    assert (offered.state, offered.agent, offered.offered) == ("open", ANN, BEN)
    assert members(change, case.conversation) == {VISITOR, ANN}
    assert cases.refuse(change, BEN, case.conversation) == case
    cases.transfer_to_agent(change, ANN, case, BEN, due_ms=21_000)
    assert cases.accept(change, BEN, case.conversation).agent == BEN
    assert ("assign", BEN, {"agent": BEN, "from": ANN}) in said(change, case.conversation)
    assert members(change, case.conversation) == {VISITOR, BEN}
    assert members(change, case.staff) == {BEN}


def test_a_transfer_to_a_queue_is_immediate(change: Change) -> None:
    change.db.execute("INSERT INTO desk_queue (name) VALUES ('sales')")
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    assert refused(lambda: cases.transfer_to_queue(change, ANN, case, 9))[0] == "no_queue"
    waiting = cases.transfer_to_queue(change, ANN, case, 2)
    assert (waiting.state, waiting.queue, waiting.agent, waiting.revision) == ("queued", 2, ANN, 3)
    assert said(change, case.conversation)[-3:-1] == [
        ("transfer", ANN, {"queue": 2}),
        ("state", ANN, {"state": "queued", "why": "transferred"}),
    ]
    assert members(change, case.conversation) == {VISITOR}


def test_a_returned_visitor_is_in_front_and_has_waited_all_the_time(change: Change) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    later = change._replace(now_ms=90_000)
    again = cases.requeue(later, case, ANN, why="returned")
    assert (again.is_first, again.queued_ms, again.state) == (1, 1_000, "queued")
    moved = cases.requeue(later, cases.take(later, BEN, case.conversation, again.revision), BEN, why="reopened")
    assert (moved.is_first, moved.queued_ms) == (0, 90_000)


def test_closing_and_opening_again(change: Change) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    assert refused(lambda: cases.reopen(change, ANN, case))[0] == "not_closed"
    closed = cases.close(change, ANN, case)
    assert (closed.state, closed.closed_ms, closed.revision, closed.agent) == ("closed", 1_000, 3, ANN)
    assert said(change, case.conversation)[-2] == ("state", ANN, {"state": "closed"})
    assert members(change, case.conversation) == {VISITOR}
    waiting = cases.reopen(change, VISITOR, closed)
    assert (waiting.state, waiting.revision) == ("queued", 4)
    opened = cases.reopen(change, BEN, cases.close(change, VISITOR, waiting))
    assert (opened.state, opened.agent) == ("open", BEN)
    assert members(change, case.conversation) == {VISITOR, BEN}


def test_a_case_is_put_off_and_its_visitor_is_told_no_more_than_that(change: Change) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    put_off = cases.snooze(change, ANN, case, 61_000)
    assert (put_off.state, put_off.agent, put_off.due_ms, put_off.revision) == ("snoozed", ANN, 61_000, 3)
    kind, _, body = [row for row in said(change, case.conversation) if row[0] == "state"][-1]
    assert (kind, body) == ("state", {"state": "snoozed"})
    assert ("snooze", ANN, {"until": 61_000}) in said(change, case.staff)
    assert members(change, case.conversation) == {VISITOR}
    assert cases.unfinished(change.db, VISITOR) == put_off
    waiting = cases.requeue(change, put_off, ANN, why="woken")
    assert (waiting.state, waiting.is_first, waiting.queued_ms, waiting.due_ms) == ("queued", 1, change.now_ms, None)
    again = cases.snooze(change, BEN, cases.take(change, BEN, case.conversation, waiting.revision), 61_000)
    assert cases.take(change, ANN, case.conversation, again.revision).agent == ANN


@pytest.mark.parametrize("until_ms", [0, 1_000, 1_001 + cases.MAX_SNOOZE_MS])
def test_until_when_a_case_is_not_put_off(change: Change, until_ms: int) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    assert refused(lambda: cases.snooze(change, ANN, case, until_ms))[0] == "bad_until"
    assert cases.find(change.db, case.conversation) == case


def test_how_much_a_case_matters_is_for_the_staff_to_read(change: Change) -> None:
    case = cases.start(change, VISITOR)
    before = said(change, case.conversation)
    urgent = cases.set_priority(change, ANN, case, 2)
    assert urgent == case._replace(priority=2)
    assert cases.set_priority(change, ANN, urgent, 2) == urgent
    assert said(change, case.staff) == [("priority", ANN, {"priority": 2})]
    assert said(change, case.conversation) == before
    assert refused(lambda: cases.set_priority(change, ANN, urgent, 3))[0] == "bad_priority"


def test_rating(change: Change) -> None:
    case = cases.start(change, VISITOR)
    number = case.conversation
    assert refused(lambda: cases.rate(change, VISITOR, number, 5))[0] == "not_closed"
    cases.close(change, VISITOR, case)
    assert refused(lambda: cases.rate(change, OTHER, number, 5))[0] == "no_case"
    for score, comment in ((0, ""), (6, ""), (5, "x" * 1_001)):
        assert refused(lambda score=score, comment=comment: cases.rate(change, VISITOR, number, score, comment)) == (  # type: ignore[misc]
            "bad_rating",
            "a rating is 1 to 5, with at most 1000 characters beside it",
        )
    cases.rate(change, VISITOR, number, 2, "slow")
    assert said(change, number)[-1] == ("rating", VISITOR, {"score": 2, "text": "slow"})
    count = len(change.events)
    cases.rate(change, VISITOR, number, 2, "slow")
    assert len(change.events) == count
    assert cases.rate(change, VISITOR, number, 4).score == 4


def test_notes_are_in_a_log_of_the_staff(change: Change) -> None:
    case = cases.start(change, VISITOR)
    note = cases.note(change, BEN, case, "a regular", cid="n1")
    assert note.event.conversation == case.staff
    assert cases.note(change, BEN, case, "a regular", cid="n1") == note._replace(is_repeat=True)
    assert "a regular" not in str(said(change, case.conversation))
    assert refused(lambda: log.read_for(change.db, VISITOR, case.staff, 0))[0] == "forbidden"
    taken = cases.take(change, ANN, case.conversation, 1)
    assert members(change, case.staff) == {ANN}
    assert [one.text for one in log.read_for(change.db, ANN, case.staff, 0).events if one.kind == "msg"] == [
        "a regular"
    ]
    assert refused(lambda: cases.note(change, ANN, taken, " "))[0] == "empty"


SERVES = [
    ((), {ANN, BEN, BOSS}),
    ((BEN,), {BEN, BOSS}),
    ((ANN, BEN), {ANN, BEN, BOSS}),
]


@pytest.mark.parametrize(("named", "serving"), SERVES)
def test_who_serves_a_queue(change: Change, named: tuple[int, ...], serving: set[int]) -> None:
    change.db.executemany("INSERT INTO desk_member (queue, person) VALUES (1, ?)", [(one,) for one in named])
    assert {one for one in range(99) if cases.serves(change.db, one, 1)} == serving


def test_an_agent_of_another_queue_sees_a_case_only_when_asked_to_take_it(change: Change) -> None:
    change.db.execute("INSERT INTO desk_member (queue, person) VALUES (1, ?)", (ANN,))
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    assert refused(lambda: cases.find_for(change.db, BEN, case.conversation))[0] == "no_case"
    cases.transfer_to_agent(change, ANN, case, BEN, due_ms=21_000)
    assert cases.find_for(change.db, BEN, case.conversation).offered == BEN
    assert cases.accept(change, BEN, case.conversation).agent == BEN
    assert cases.find_to_serve(change.db, BEN, case.conversation).agent == BEN


def test_a_disabled_agent_is_none(change: Change) -> None:
    case = cases.take(change, ANN, cases.start(change, VISITOR).conversation, 1)
    cases.check_staff(change.db, ANN)
    change.db.execute("UPDATE person SET is_disabled = 1 WHERE id = ?", (ANN,))
    assert refused(lambda: cases.check_staff(change.db, ANN))[0] == "forbidden"
    assert refused(lambda: cases.find_to_serve(change.db, ANN, case.conversation))[0] == "no_case"


def test_only_visitors_are_renamed_by_a_form(change: Change) -> None:
    cases.rename(change, VISITOR, " 小  明 ")
    cases.rename(change, USER, "Somebody")
    names = [people.person(change.db, one).name for one in (VISITOR, USER)]
    assert names == ["小 明", "Uma"]
    assert refused(lambda: cases.rename(change, VISITOR, " "))[0] == "bad_name"


STEP = st.tuples(
    st.sampled_from(["take", "accept", "refuse", "offer", "to", "queue", "close", "reopen", "note", "say"]),
    st.sampled_from([VISITOR, OTHER, ANN, BEN, BOSS]),
    st.integers(0, 2),
)


def _attempt(change: Change, case: Case, step: tuple[str, int, int]) -> None:
    what, who, slip = step
    number, revision = case.conversation, case.revision - slip
    table: dict[str, Callable[[], object]] = {
        "take": lambda: cases.take(change, who, number, revision),
        "accept": lambda: cases.accept(change, who, number),
        "refuse": lambda: cases.refuse(change, who, number),
        "offer": lambda: cases.offer(change, case, who, due_ms=1) if case.state == "queued" and who > OTHER else None,
        "to": lambda: (
            cases.transfer_to_agent(change, case.agent or 0, case, who, due_ms=1) if case.state == "open" else None
        ),
        "queue": lambda: cases.transfer_to_queue(change, case.agent or 0, case, 1) if case.state == "open" else None,
        "close": lambda: cases.close(change, who, case) if who != OTHER and case.state != "closed" else None,
        "reopen": lambda: cases.reopen(change, who, case) if who != OTHER else None,
        "note": lambda: cases.note(change, who, cases.find_to_serve(change.db, who, number), "canary"),
        "say": lambda: say(change, who, number, f"by {who}"),
    }
    try:
        table[what]()
    except Rejected:
        return


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_whatever_happens_a_case_has_one_agent_and_the_visitor_never_reads_the_staff(
    steps: list[tuple[str, int, int]],
) -> None:
    change = make()
    try:
        started = cases.start(change, VISITOR)
        for step in steps:
            before = cases.find(change.db, started.conversation)
            _attempt(change, before, step)
            case = cases.find(change.db, started.conversation)
            there = members(change, case.conversation)
            assert there == ({VISITOR, case.agent} if case.state == "open" else {VISITOR})
            assert members(change, case.staff) <= {ANN, BEN, BOSS}
            assert (case.offered is None) == (case.due_ms is None)
            assert case.revision >= before.revision
            is_same = (case.state == "open") == (before.state == "open")
            assert case.revision > before.revision or (is_same and case.agent == before.agent)
        events = log.read_for(change.db, VISITOR, started.conversation, 0).events
        assert all("canary" not in one.body and one.sender != OTHER for one in events)
        for one in (VISITOR, OTHER):
            assert log.membership(change.db, started.staff, one) is None
    finally:
        change.db.close()


def test_whoever_is_no_agent_any_more_has_no_case_and_reads_none(change: Change) -> None:
    mine, asked = cases.start(change, VISITOR), cases.start(change, OTHER)
    cases.take(change, ANN, mine.conversation, mine.revision)
    cases.note(change, ANN, mine, "does not pay")
    cases.offer(change, asked, ANN, due_ms=9_000)
    change.db.execute("UPDATE person SET kind = 'user' WHERE id = ?", (ANN,))
    cases.dismiss(change, ANN)
    found = [cases.find(change.db, one.conversation) for one in (mine, asked)]
    assert [(one.state, one.offered, one.is_first) for one in found] == [("queued", None, 1), ("queued", None, 0)]
    assert said(change, mine.conversation)[-2][2] == {"state": "queued", "why": "returned"}
    for conversation in (mine.conversation, mine.staff):
        assert not log.can_read(change.db, ANN, conversation, 1)
    assert log.can_read(change.db, VISITOR, mine.conversation, 1)


def test_whoever_is_no_agent_any_more_keeps_what_was_asked_as_a_visitor(change: Change) -> None:
    own = cases.start(change, USER)
    change.db.execute("UPDATE person SET kind = 'agent' WHERE id = ?", (USER,))
    cases.take(change, USER, own.conversation, own.revision)
    cases.dismiss(change, USER)
    assert log.can_read(change.db, USER, own.conversation, 1)
    assert not log.can_read(change.db, USER, own.staff, 1)
