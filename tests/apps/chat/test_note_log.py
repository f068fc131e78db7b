"""Notes in the database: one order, ids that count for ever, histories that are let go of, and who may see what."""

import sqlite3
from collections.abc import Iterator

import pytest

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.note_log import (
    KEPT_EDITS,
    MAX_SENT,
    TEXT_EVERY,
    TOLD_EVERY_MS,
    Made,
    Outcome,
    Wanted,
    append,
    check_member,
    edit,
    forget_edits,
    forget_person,
    look,
)
from portico.apps.chat.notes import MAX_INSERTED, MAX_NOTE
from portico.apps.chat.schema import prepare

NOW_MS = 1_800_000_000_000
ADA, WEI, MIRA = 1, 2, 3
ROOM = 1


class Book:
    """A database with a room, in which Ada and Wei are."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        prepare(self.db)
        self.now_ms = NOW_MS
        for name in ("Ada", "Wei", "Mira"):
            people.add_person(self.change(), "user", name)
        rooms.make_room(self.change(), ADA, "Quay", is_public=True)
        rooms.join(self.change(), WEI, ROOM)

    def change(self) -> Change:
        """Begin something."""
        return Change(self.db, self.now_ms, [])

    def edit(self, person: int, version: int, *parts: int | str, cid: str | None = None) -> Outcome:
        """Have somebody edit the note of the room."""
        return edit(self.change(), person, Wanted(ROOM, version, parts, cid))

    def made(self, person: int, version: int, *parts: int | str, cid: str | None = None) -> Made:
        """Have somebody edit the note, which is done."""
        made = self.edit(person, version, *parts, cid=cid).made
        assert made is not None
        return made

    @property
    def text(self) -> str:
        """The note of the room."""
        text = look(self.db, ROOM).text
        assert text is not None
        return text


@pytest.fixture
def book() -> Iterator[Book]:
    made = Book()
    yield made
    made.db.close()


def refused(book: Book, person: int, wanted: Wanted) -> str:
    with pytest.raises(Rejected) as caught:
        edit(book.change(), person, wanted)
    return caught.value.code


# Editing


def test_a_note_is_empty_until_somebody_writes(book: Book) -> None:
    assert look(book.db, ROOM) == (0, (), "", 0, 0)
    assert book.edit(ADA, 0, "tide", cid="a") == Outcome(Made(1, NOW_MS, ADA, "a", ("tide",)))
    assert look(book.db, ROOM) == (1, (), "tide", ADA, NOW_MS)
    assert look(book.db, ROOM, 0) == (1, [Made(1, NOW_MS, ADA, "a", ("tide",))], None, ADA, NOW_MS)
    assert look(book.db, ROOM, 1) == (1, [], None, ADA, NOW_MS)


def test_what_was_made_on_an_older_text_finds_its_place(book: Book) -> None:
    book.made(ADA, 0, "low water")
    book.made(ADA, 1, "the ")
    assert book.made(WEI, 1, 9, " at nine").edit == (13, " at nine")
    assert book.text == "the low water at nine"
    book.made(WEI, 3, -4)
    assert book.made(ADA, 3, -4).edit == ()
    assert book.text == "low water at nine"


def test_at_one_place_the_person_counts_and_not_who_came_first(book: Book) -> None:
    for first, second in ((ADA, WEI), (WEI, ADA)):
        version = look(book.db, ROOM).version
        book.made(first, version, f"{first}")
        book.made(second, version, f"{second}")
    assert book.text == "1212"
    book.made(ADA, 4, "a")
    book.made(ADA, 4, "b")
    assert book.text == "ab1212"


def test_an_id_names_one_edit_for_ever(book: Book) -> None:
    first = book.made(ADA, 0, "a", cid="one")
    assert book.edit(ADA, 0, "a", cid="one") == Outcome(first, True)
    assert book.edit(ADA, 1, "something else", cid="one") == Outcome(first, True)
    book.made(WEI, 1, "b", cid="one")
    other = rooms.direct(book.change(), ADA, WEI)
    assert refused(book, ADA, Wanted(other, 0, ("c",), "one")) == "cid_reuse"
    for version in range(2, KEPT_EDITS + TEXT_EVERY * 2):
        book.made(ADA, version, "a")
    again = book.edit(ADA, 0, "a", cid="one")
    assert again.is_repeat
    assert again.made == first._replace(edit=())


@pytest.mark.parametrize(
    ("person", "wanted", "code"),
    [
        (MIRA, Wanted(ROOM, 0, ("a",)), "forbidden"),
        (ADA, Wanted(99, 0, ("a",)), "forbidden"),
        (ADA, Wanted(ROOM, 0, (5, "a")), "bad_ref"),
        (ADA, Wanted(ROOM, 0, (-1,)), "bad_ref"),
        (ADA, Wanted(ROOM, 1, (5, "a")), "bad_ref"),
    ],
)
def test_what_is_refused(book: Book, person: int, wanted: Wanted, code: str) -> None:
    book.made(WEI, 0, "tide")
    assert refused(book, person, wanted) == code
    assert book.text == "tide"


def test_a_text_has_an_end(book: Book) -> None:
    for version in range(MAX_NOTE // MAX_INSERTED):
        book.made(ADA, version, "潮" * MAX_INSERTED)
    version = MAX_NOTE // MAX_INSERTED
    assert refused(book, WEI, Wanted(ROOM, version, ("!",))) == "too_big"
    book.made(WEI, version, "!", -1)
    assert len(book.text) == MAX_NOTE


def test_of_the_future_and_of_long_ago_is_nothing_done(book: Book) -> None:
    for version in range(KEPT_EDITS + TEXT_EVERY * 2):
        book.made(ADA, version, "a")
    first = book.db.execute("SELECT first FROM note").fetchone()[0]
    assert book.edit(ADA, 9_999, "b").made is None
    assert book.edit(ADA, first - 2, "b").made is None
    assert look(book.db, ROOM, first - 2).text == book.text
    assert look(book.db, ROOM, 9_999).text == book.text
    assert len(look(book.db, ROOM, first - 1).edits) >= KEPT_EDITS
    assert book.edit(ADA, first - 1, "b").made is not None


def test_many_long_edits_are_told_as_a_text(book: Book) -> None:
    for version in range(0, 2 * (MAX_SENT // MAX_INSERTED + 1), 2):
        book.made(ADA, version, "a" * MAX_INSERTED)
        book.made(ADA, version + 1, -MAX_INSERTED)
    assert look(book.db, ROOM, 0).text == ""
    assert look(book.db, ROOM, 4).text is None


def test_a_line_goes_under_the_text(book: Book) -> None:
    for line in ("one", "two\n", "三"):
        outcome = append(book.change(), WEI, ROOM, line, cid=line)
        assert append(book.change(), WEI, ROOM, line, cid=line) == Outcome(outcome.made, True)
    assert book.text == "one\ntwo\n三"
    with pytest.raises(Rejected):
        append(book.change(), MIRA, ROOM, "four")


def test_the_conversation_hears_of_a_note_at_most_once_an_hour(book: Book) -> None:
    told: list[int] = []
    for person, after_ms in ((ADA, 0), (WEI, 1), (ADA, TOLD_EVERY_MS - 2), (WEI, 1)):
        book.now_ms += after_ms
        change = book.change()
        edit(change, person, Wanted(ROOM, look(book.db, ROOM).version, ("a",)))
        told += [event.sender for event in change.events if event.kind == "note"]
    assert told == [ADA, WEI]


# Who may see it


def test_only_members_of_rooms_and_of_direct_conversations_see_a_note(book: Book) -> None:
    change = book.change()
    talk = rooms.direct(change, ADA, MIRA)
    desk = rooms.make_conversation(change, "desk")
    rooms.add_member(change, desk, ADA, by=ADA)
    check_member(book.db, ADA, ROOM)
    check_member(book.db, MIRA, talk)
    rooms.leave(change, WEI, ROOM)
    for person, conversation in ((WEI, ROOM), (MIRA, ROOM), (WEI, talk), (ADA, desk), (ADA, 99)):
        with pytest.raises(Rejected, match="not in"):
            check_member(book.db, person, conversation)
    rooms.join(change, WEI, ROOM)
    check_member(book.db, WEI, ROOM)


# Forgetting


def test_old_edits_go_with_the_messages_and_the_text_stays(book: Book) -> None:
    book.made(ADA, 0, "old words ")
    book.now_ms += 1_000
    book.made(WEI, 1, -4)
    forget_edits(book.change(), "direct", book.now_ms + 1)
    assert book.edit(WEI, 0, "x").made is not None
    forget_edits(book.change(), "room", NOW_MS + 1)
    forget_edits(book.change(), "room", NOW_MS + 1)
    assert book.db.execute("SELECT version FROM note_edit WHERE edit = ''").fetchall() == [(1,)]
    assert book.edit(ADA, 0, "x").made is None
    assert book.edit(ADA, 1, "y").made is not None
    assert book.text == "ywords x"


def test_what_a_person_wrote_goes_out_of_every_note_and_of_what_is_kept(book: Book) -> None:
    talk = rooms.direct(book.change(), WEI, MIRA)
    edit(book.change(), WEI, Wanted(talk, 0, ("canary 秘密",)))
    edit(book.change(), WEI, Wanted(talk, 1, (-9,)))
    book.made(ADA, 0, "Low water at nine.")
    book.made(WEI, 1, 4, "canary 秘密 ")
    book.made(ADA, 2, 20, "(at five) ")
    change = book.change()
    forget_person(change, WEI)
    assert change.events == []
    assert book.text == "Low water (at five) at nine."
    assert look(book.db, talk).text == ""
    whole = "\n".join(book.db.iterdump())
    assert "canary" not in whole
    assert "秘密" not in whole
    assert book.edit(ADA, 3, "x").made is None
    assert book.made(ADA, look(book.db, ROOM).version, "x", cid="x").version == 5
