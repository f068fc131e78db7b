import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.apps.chat.asking import NOW_MS, Asking, asked, refusal

from portico.apps.chat import cases, log
from portico.apps.chat.cases import Case
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change
from portico.apps.chat.retention import DAY_MS, ERASED, MAX_TRIMMED, Tidied, keep_tidy, read_list, tidy, trim

FILE = "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, 'a', 'text/plain', 1, ?, ?)"


async def hall(house: Asking, *texts: str) -> tuple[int, int]:
    """Return a person and a room in which the person has said something, a day apart."""
    li = await house.person("user", "Li")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    for text in texts:
        await li.send(room, text)
        house.now_ms += DAY_MS
        house.now_s += 86_400
    return li.id, int(room)


async def read(house: Asking, person: int, room: int, after: int = 0) -> tuple[list[str], int, int]:
    span = await house.store.read(lambda db: log.read_for(db, person, room, after))
    return [event.text for event in span.events], span.first, span.head


async def keep(house: Asking, **days: int) -> None:
    for key, value in days.items():
        await house.write("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", key, str(value))


@asked
async def test_what_is_older_goes_and_the_places_stay(house: Asking) -> None:
    person, room = await hall(house, "one", "two", "three")
    await keep(house, keep_room_days=2)
    assert await tidy(house.store, house.files) == Tidied(2, 0)
    assert await read(house, person, room) == (["two", "three"], 3, 4)
    rows = await house.rows("SELECT seq, body FROM event WHERE conversation = ? ORDER BY seq", room)
    assert [seq for seq, _ in rows] == [1, 2, 3, 4]
    assert [body for _, body in rows[:2]] == ["{}", "{}"]
    li = await house.again(person)
    assert [one["text"] for one in (await li.ask("search", text="one"))["found"]] == []
    assert [one["text"] for one in (await li.ask("search", text="two"))["found"]] == ["two"]
    assert await tidy(house.store, house.files) == Tidied(0, 0)


@asked
async def test_everything_may_go_and_the_count_goes_on(house: Asking) -> None:
    person, room = await hall(house, "one", "two")
    house.now_ms += 10 * DAY_MS
    await keep(house, keep_room_days=1)
    await tidy(house.store, house.files)
    assert await read(house, person, room) == ([], 4, 3)
    li = await house.again(person)
    assert await li.send(room, "three") == 4
    assert await read(house, person, room) == (["three"], 4, 4)


@asked
async def test_nothing_goes_where_nothing_is_set_nor_of_another_kind(house: Asking) -> None:
    person, room = await hall(house, "one", "two")
    await keep(house, keep_direct_days=1, keep_desk_days=1)
    assert await tidy(house.store, house.files) == Tidied(0, 0)
    assert (await read(house, person, room))[1] == 1


@asked
async def test_a_long_conversation_goes_in_parts(house: Asking) -> None:
    person, room = await hall(house)
    await house.write(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= ?) INSERT INTO event "
        "(conversation, seq, at_ms, sender, kind, body, via) SELECT ?, i, 5, ?, 'msg', '{\"text\":\"x\"}', 'ws' FROM n",
        MAX_TRIMMED + 9,
        room,
        person,
    )
    await house.write("UPDATE conversation SET head = ? WHERE id = ?", MAX_TRIMMED + 10, room)
    await house.write("UPDATE event SET at_ms = 5")
    counts = [await house.store.write(lambda change: trim(change, "room", NOW_MS)) for _ in range(3)]
    assert counts == [MAX_TRIMMED, 10, 0]


@asked
async def test_many_conversations_go_in_parts(house: Asking) -> None:
    li = await house.person()
    for number in range(3):
        await li.ask("room.make", title=f"Room {number}")
    assert await house.store.write(lambda change: trim(change, "room", NOW_MS + 1)) == 3


@asked
async def test_a_file_goes_with_the_last_message_that_has_it(house: Asking) -> None:
    person, room = await hall(house)
    await house.write(FILE, "d" * 64, person, house.now_ms)
    place = house.folder / "files" / "dd" / ("d" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    await (await house.again(person)).send(room, "", files=[1])
    house.now_ms += 2 * DAY_MS
    assert await tidy(house.store, house.files) == Tidied(0, 0)
    await keep(house, keep_room_days=1)
    assert await tidy(house.store, house.files) == Tidied(2, 1)
    assert not place.exists()


@asked
async def test_ended_blocks_used_links_and_old_acts_go(house: Asking) -> None:
    boss = await house.first_admin()
    await boss.ask("admin.blocks.add", kind="address", value="10.0.0.1", minutes=5)
    await boss.ask("admin.blocks.add", kind="address", value="10.0.0.2")
    await boss.ask("admin.link", person=boss.id)
    house.now_ms += 3 * DAY_MS
    await boss.ask("admin.settings.set", values={"keep_audit_days": 2})
    await tidy(house.store, house.files)
    assert await house.rows("SELECT value FROM block") == [("10.0.0.2/32",)]
    assert await house.rows("SELECT count(*) FROM link") == [(0,)]
    assert await house.rows("SELECT act FROM audit") == [("setting.set",)]


@asked
async def test_tidying_comes_back_daily_and_survives_a_full_disk(house: Asking) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            await house.write("INSERT INTO setting (key, value) VALUES ('keep_room_days', '1')")
        if len(waits) == 2:  # something that cannot be removed stands for a disk that does not take it
            await house.write(FILE, "e" * 64, 1, 0)
            (house.folder / "files" / "ee" / ("e" * 64)).mkdir(parents=True)
        if len(waits) == 3:
            raise asyncio.CancelledError

    person, room = await hall(house, "one", "two", "three")
    with pytest.raises(asyncio.CancelledError):
        await keep_tidy(house.store, house.files, pause=pause)
    assert waits == [86_400] * 3
    assert (await read(house, person, room))[0] == ["three"]


# Erasing


@asked
async def test_nothing_of_whoever_is_erased_is_left(house: Asking) -> None:
    li = await house.person("user", "李四canary", login="canary", password="a password")
    wang = await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    first = await li.send(room, "canary one")
    await li.send(room, "canary two", kind="edit", ref=first)
    theirs = await wang.send(room, "what I say stays")
    await li.send(room, "👍", kind="react", ref=theirs)
    await li.ask("contacts.add", name="canary", person=wang.id)
    await wang.ask("contacts.add", name="canary Li", person=li.id)
    await house.write(FILE, "d" * 64, li.id, house.now_ms)
    await li.send(room, "", files=[1])
    place = house.folder / "files" / "dd" / ("d" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"canary")
    await house.eraser.erase(li.id, wang.id)
    dump = str(await house.rows("SELECT * FROM event"))
    for table in ("person", "found", "file", "contact", "device", "mention"):
        dump += str(await house.rows(f"SELECT * FROM {table}"))
    assert "canary" not in dump
    assert "what I say stays" in dump
    assert '"on":false' in dump
    assert not place.exists()
    assert (await read(house, wang.id, room))[2] == 7
    assert await house.rows("SELECT is_disabled, login, password FROM person WHERE id = ?", li.id) == [(1, None, None)]
    assert await house.rows("SELECT person FROM erased") == [(li.id,)]


@asked
async def test_not_even_the_bytes_of_the_database_have_it(house: Asking) -> None:
    li = await house.person("user", "Li")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    seq = await li.send(room, "canary")
    await li.send(room, "another bird", kind="edit", ref=seq)
    await house.eraser.erase(li.id, li.id)
    for path in house.folder.glob(f"{DATABASE}*"):
        content = path.read_bytes()
        assert b"canary" not in content, path
        assert b"bird" not in content, path


@asked
async def test_somebody_who_reads_for_long_keeps_nobody_waiting_for_ever(house: Asking) -> None:
    li = await house.person("user", "Li")
    with closing(sqlite3.connect(house.folder / DATABASE)) as db:
        db.execute("BEGIN")
        db.execute("SELECT * FROM person").fetchall()
        await house.eraser.erase(li.id, li.id)
    assert await house.rows("SELECT name FROM person WHERE id = ?", li.id) == [(f"erased-{li.id}",)]


def rated(visitor: int, *, at_ms: int) -> Callable[[Change], Case]:
    """Return what makes a case that was closed and rated at a time."""

    def write(change: Change) -> Case:
        then = change._replace(now_ms=at_ms)
        case = cases.start(then, visitor, page="https://canary.example/", contact="canary@example.org")
        cases.close(then, visitor, case)
        return cases.rate(then, visitor, case.conversation, 2, "canary comment")

    return write


@asked
async def test_nothing_of_a_visitor_is_left_at_the_desk(house: Asking) -> None:
    boss, ann, ben = await house.first_admin(), await house.person("visitor", "canary"), await house.person("visitor")
    gone, kept = [await house.store.write(rated(one.id, at_ms=NOW_MS)) for one in (ann, ben)]
    await house.eraser.erase(ann.id, boss.id)
    dump = ""
    for table, column in (("event", "conversation"), ("conversation", "id"), ("desk_case", "conversation")):
        query = f"SELECT * FROM {table} WHERE {column} IN (?, ?)"
        dump += str(await house.rows(query, gone.conversation, gone.staff))
        assert "canary" in str(await house.rows(f"SELECT * FROM {table}")) or table == "conversation"
    assert "canary" not in dump
    assert '{"score":2,"text":""}' in dump
    titles = await house.rows("SELECT title FROM conversation WHERE id IN (?, ?)", gone.conversation, kept.staff)
    assert titles == [(f"erased-{ann.id}",), ("Li",)]


@asked
async def test_what_visitors_left_with_a_case_goes_with_what_was_said(house: Asking) -> None:
    ann = await house.person("visitor", "Ann")
    old = await house.store.write(rated(ann.id, at_ms=NOW_MS - 3 * DAY_MS))
    new = await house.store.write(rated(ann.id, at_ms=NOW_MS - DAY_MS))
    await keep(house, keep_desk_days=2)
    await tidy(house.store, house.files)
    rows = await house.rows("SELECT conversation, page || contact || comment, score FROM desk_case")
    assert rows == [
        (old.conversation, "", 2),
        (new.conversation, "https://canary.example/canary@example.orgcanary comment", 2),
    ]


@asked
async def test_a_file_that_another_has_too_stays(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    for one in (li, wang):
        await house.write(FILE, "d" * 64, one.id, house.now_ms)
    place = house.folder / "files" / "dd" / ("d" * 64)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"the same")
    await house.eraser.erase(li.id, wang.id)
    assert place.exists()
    await house.eraser.erase(wang.id, wang.id)
    assert not place.exists()


@asked
async def test_whom_to_forget_is_written_beside_the_database(house: Asking) -> None:
    li = await house.person()
    assert await refusal(house.eraser.erase(99, 1)) == "no_person"
    assert read_list(house.folder / ERASED) == set()
    await house.eraser.erase(li.id, 1)
    assert read_list(house.folder / ERASED) == {(li.id, NOW_MS)}
    other = await house.person("user", "Other")
    (house.folder / ERASED).unlink()
    (house.folder / ERASED).mkdir()
    assert await refusal(house.eraser.erase(other.id, 1)) == "unavailable"
    assert await house.rows("SELECT name FROM person WHERE id = ?", other.id) == [("Other",)]


def test_a_list_whose_last_line_was_cut(tmp_path: Path) -> None:
    path = tmp_path / ERASED
    path.write_text('{"person": 1, "made_ms": 5}\n[]\n{"person": 3}\nnonsense\n{"person": 2, "ma')
    assert read_list(path) == {(1, 5)}
