"""The log: dense, idempotent, and read by nobody who may not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.chat.ledger import Ledger

from portico.apps.chat import log, rooms
from portico.apps.chat.events import Entry, Rejected
from portico.apps.chat.search import search


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def rejected(code: str) -> "pytest.RaisesExc[Rejected]":
    return pytest.raises(Rejected, check=lambda exc: exc.code == code)


def texts(span: log.Span) -> list[str]:
    return [event.text for event in span.events if event.kind == "msg"]


def test_events_are_numbered_without_holes(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    first, second = ledger.room(one, other), ledger.room(other, one)
    for number in range(5):
        ledger.say(one, first, f"{number}")
        ledger.say(other, second, f"{number}")
    for room in (first, second):
        assert [event.seq for event in log.read_for(ledger.db, one, room, 0).events] == list(range(1, 8))
    assert [event for event in ledger.events if event.conversation == first][-1].seq == 7


def test_the_same_id_is_the_same_event(ledger: Ledger) -> None:
    one = ledger.person("a")
    room, other_room = ledger.room(one), ledger.room(one)
    first = ledger.say(one, room, "hello", cid="x")
    again = [ledger.say(one, room, "hello", cid="x") for _ in range(50)]
    assert {appended.event for appended in again} == {first.event}
    assert all(appended.is_repeat for appended in again)
    assert texts(log.read_for(ledger.db, one, room, 0)) == ["hello"]
    with rejected("cid_reuse"):
        ledger.say(one, room, "another", cid="x")
    with rejected("cid_reuse"):
        ledger.say(one, other_room, "hello", cid="x")
    ledger.do(one, room, "del", first.event.seq)
    assert ledger.say(one, room, "hello", cid="x").is_repeat


def test_an_id_is_its_senders_own(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    room = ledger.room(one, other)
    assert not ledger.say(one, room, "1", cid="x").is_repeat
    assert not ledger.say(other, room, "2", cid="x").is_repeat


def test_only_members_append(ledger: Ledger) -> None:
    one, other, stranger = (ledger.person(name) for name in "abc")
    room = ledger.room(one, other)
    with rejected("forbidden"):
        ledger.say(stranger, room, "let me in")
    rooms.leave(ledger.change, other, room)
    with rejected("forbidden"):
        ledger.say(other, room, "still here")
    with rejected("no_conversation"):
        log.put(ledger.change, Entry(99, one, "msg", "{}"))


def test_what_is_changed_and_deleted(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    room = ledger.room(one, other)
    seq = ledger.say(other, room, "打印机 secret").event.seq
    with rejected("not_yours"):
        ledger.do(one, room, "edit", seq, text="mine now")
    ledger.do(other, room, "edit", seq, text="复印机 secret")
    assert search(ledger.db, one, "打印") == []
    assert search(ledger.db, one, "复印") == [(room, seq)]
    ledger.do(other, room, "react", seq, mark="👍")
    ledger.do(one, room, "del", seq)  # the owner of the room may
    assert search(ledger.db, one, "复印") == []
    assert "secret" not in json.dumps(log.read_for(ledger.db, one, room, 0).events)
    for kind, body in (("edit", {"text": "back"}), ("del", {}), ("react", {"mark": "x"})):
        with rejected("bad_ref"):
            ledger.do(other, room, kind, seq, **body)
    with rejected("bad_ref"):
        ledger.do(other, room, "edit", 1, text="a join is no message")
    with rejected("bad_ref"):
        ledger.say(other, room, "about nothing", ref=999)
    mine = ledger.say(one, room, "mine").event.seq
    with rejected("not_yours"):
        ledger.do(other, room, "del", mine)


def test_pages(ledger: Ledger) -> None:
    one = ledger.person("a")
    room = ledger.room(one)
    for number in range(300):
        ledger.say(one, room, f"{number}")
    newest = log.read_before(ledger.db, one, room, 302)
    assert len(newest.events) == log.MAX_READ
    assert [event.seq for event in newest.events] == list(range(102, 302))
    assert (newest.first, newest.head) == (1, 301)
    assert [event.seq for event in log.read_for(ledger.db, one, room, 299, 10).events] == [300, 301]
    assert log.read_for(ledger.db, one, room, 5_000).events == []


def test_what_has_arrived_is_noted_beside_what_was_read(ledger: Ledger) -> None:
    one = ledger.person("a")
    room = ledger.room(one)
    ledger.say(one, room, "1")
    ledger.say(one, room, "2")
    assert log.mark_got(ledger.db, one, room, 2) == 2
    assert log.mark(ledger.db, one, room, 1) == 1
    assert log.mark_got(ledger.db, one, room, 1) == 2
    assert log.mark_got(ledger.db, one, room, 99) == 3
    with rejected("forbidden"):
        log.mark_got(ledger.db, ledger.person("b"), room, 1)


def test_how_far_one_has_read_never_goes_back(ledger: Ledger) -> None:
    one = ledger.person("a")
    room = ledger.room(one)
    ledger.say(one, room, "1")
    assert log.mark(ledger.db, one, room, 1) == 1
    assert log.mark(ledger.db, one, room, 99) == 2
    assert log.mark(ledger.db, one, room, 1) == 2
    assert log.mark_got(ledger.db, one, room, 1) == 2
    with rejected("forbidden"):
        log.mark(ledger.db, ledger.person("b"), room, 1)


def test_what_one_has_left_is_to_be_read_up_to_that(ledger: Ledger) -> None:
    one, two = ledger.person("a"), ledger.person("b")
    rooms_left = [ledger.room(one, is_public=True) for _ in range(3)]
    for room in rooms_left:
        rooms.join(ledger.change, two, room)
        ledger.say(one, room, "hello")
        rooms.leave(ledger.change, two, room)
    first, second, third = rooms_left
    assert log.left_behind(ledger.db, two, {first: 2, second: 4, 99: 1}) == [first]
    assert log.left_behind(ledger.db, two, {third: 0}) == [third]
    assert log.left_behind(ledger.db, one, {first: 2}) == []


# Who comes, goes and speaks, in any order: nobody reads what `can_read` denies.
acts = st.lists(st.tuples(st.sampled_from(["say", "join", "leave"]), st.integers(0, 3)), max_size=40)


@given(acts)
def test_no_way_to_read_shows_what_may_not_be_read(played: list[tuple[str, int]]) -> None:
    ledger = Ledger()
    persons = [ledger.person(name) for name in "abcd"]
    room = ledger.room(persons[0], is_public=True)
    for act, index in played:
        try:
            if act == "say":
                ledger.say(persons[index], room, f"word by {index}")
            elif act == "join":
                rooms.join(ledger.change, persons[index], room)
            elif index:
                rooms.leave(ledger.change, persons[index], room)
        except Rejected:
            continue
    head = ledger.events[-1].seq
    for person in persons:
        allowed = {seq for seq in range(1, head + 1) if log.can_read(ledger.db, person, room, seq)}
        found = {seq for _, seq in search(ledger.db, person, "word")}
        if log.membership(ledger.db, room, person) is None:
            assert not allowed
            assert not found
            with rejected("forbidden"):
                log.read_for(ledger.db, person, room, 0)
            continue
        forwards = {event.seq for event in log.read_for(ledger.db, person, room, 0).events}
        backwards = {event.seq for event in log.read_before(ledger.db, person, room, head + 1).events}
        assert forwards == backwards == allowed
        assert found <= allowed
