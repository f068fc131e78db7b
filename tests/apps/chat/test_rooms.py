"""Rooms, direct conversations, and who is in them."""

from collections.abc import Callable

import pytest
from tests.apps.chat.ledger import Ledger

from portico.apps.chat import log, rooms
from portico.apps.chat.events import Rejected


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def kinds(ledger: Ledger, room: int) -> list[str]:
    return [event.kind for event in ledger.events if event.conversation == room]


def test_a_room(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    room = rooms.make_room(ledger.change, one, " Tea  room ", is_public=True)
    rooms.join(ledger.change, other, room)
    rooms.join(ledger.change, other, room)
    rooms.invite(ledger.change, one, room, other)
    rooms.retitle(ledger.change, other, room, "Coffee")
    rooms.leave(ledger.change, other, room)
    rooms.join(ledger.change, other, room)
    assert kinds(ledger, room) == ["join", "join", "title", "leave", "join"]
    assert rooms.public_rooms(ledger.db) == [(room, "Coffee", 2)]
    [summary] = rooms.conversations_of(ledger.db, other)
    assert (summary.title, summary.is_public, summary.head, summary.has_left) == ("Coffee", True, 5, False)


def test_who_left_reads_until_then(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    room = ledger.room(one, other)
    rooms.leave(ledger.change, other, room)
    ledger.say(one, room, "about b")
    assert [event.kind for event in log.read_for(ledger.db, other, room, 0).events] == ["join", "join", "leave"]
    assert rooms.conversations_of(ledger.db, other)[0].has_left


def test_a_room_has_an_owner_for_as_long_as_anybody_is_there(ledger: Ledger) -> None:
    persons = [ledger.person(name) for name in "abc"]
    room = ledger.room(*persons)
    for leaver, heir in zip(persons, [*persons[1:], None], strict=True):
        rooms.leave(ledger.change, leaver, room)
        members = [log.membership(ledger.db, room, person) for person in persons]
        owners = [m.person for m in members if m is not None and m.until is None and m.role == "owner"]
        assert owners == ([heir] if heir else [])


def test_direct_conversations_are_one_for_two(ledger: Ledger) -> None:
    one, other, third = (ledger.person(name) for name in "abc")
    number = rooms.direct(ledger.change, one, other)
    assert rooms.direct(ledger.change, other, one) == number
    assert rooms.direct(ledger.change, one, third) != number
    assert rooms.conversations_of(ledger.db, one)[0].others == (other,)
    with pytest.raises(Rejected, match="a private room"):
        rooms.direct(ledger.change, one, one)


def test_who_may_not(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    private = ledger.room(one)
    direct = rooms.direct(ledger.change, one, other)
    attempts: tuple[Callable[[], None], ...] = (
        lambda: rooms.join(ledger.change, other, private),
        lambda: rooms.join(ledger.change, other, 99),
        lambda: rooms.join(ledger.change, one, direct),
        lambda: rooms.invite(ledger.change, other, private, other),
        lambda: rooms.leave(ledger.change, other, private),
        lambda: rooms.leave(ledger.change, one, direct),
        lambda: rooms.retitle(ledger.change, other, private, "mine"),
    )
    for forbidden in attempts:
        with pytest.raises(Rejected) as caught:
            forbidden()
        assert caught.value.code in ("forbidden", "no_conversation")
    for title in ("", "x" * 61, "a\x07"):
        with pytest.raises(Rejected) as caught:
            rooms.make_room(ledger.change, one, title, is_public=False)
        assert caught.value.code == "bad_title"


def test_a_room_is_full_some_day(ledger: Ledger) -> None:
    one, other = ledger.person("a"), ledger.person("b")
    room = ledger.room(one)
    ledger.db.executemany(
        "INSERT INTO person (kind, name, made_ms) VALUES ('user', ?, 0)", [(f"p{n}",) for n in range(rooms.MAX_MEMBERS)]
    )
    ledger.db.execute(
        "INSERT OR IGNORE INTO member (conversation, person) SELECT ?, id FROM person WHERE name LIKE 'p%'", (room,)
    )
    with pytest.raises(Rejected) as caught:
        rooms.invite(ledger.change, one, room, other)
    assert caught.value.code == "full"
