"""Notes as clients ask for them: what an answer holds, who is told of what, and who is told nothing."""

from typing import Any

import pytest
from tests.apps.chat.asking import Asking, Somebody, asked, refusal

from portico.apps.chat.note_operations import OPEN_MS
from portico.apps.chat.notes import MAX_INSERTED


async def room_of(owner: Somebody, *others: Somebody) -> int:
    """Make a room with some people in it."""
    room = int((await owner.ask("room.make", title="Quay", public=True))["c"])
    for other in others:
        await other.ask("room.join", c=room)
        await other.heard(lambda frame: frame["t"] == "sync" and frame["c"] == room)
    await owner.heard(lambda frame: frame["t"] == "sync" and frame["c"] == room)
    return room


def notes(somebody: Somebody) -> list[dict[str, Any]]:
    """Return what somebody was told of notes."""
    return [frame["note"] for frame in somebody.wire.frames if frame["t"] == "st" and "note" in frame]


def is_edit(version: int) -> Any:
    return lambda frame: frame.get("note", {}).get("v") == version


@asked
async def test_a_note_is_written_by_two(house: Asking) -> None:
    ada, wei = await house.person(name="Ada"), await house.person(name="魏")
    room = await room_of(ada, wei)
    empty = await ada.ask("note.get", c=room)
    assert {key: empty[key] for key in ("v", "text", "by", "at", "here")} == {
        "v": 0,
        "text": "",
        "by": 0,
        "at": 0,
        "here": [ada.id],
    }
    await wei.ask("note.get", c=room)
    await ada.heard(lambda frame: frame.get("note") == {"here": [ada.id, wei.id]})
    done = await ada.ask("note.edit", c=room, v=0, edit=["低潮 9:00"], cid="a1")
    told = {"v": 1, "f": ada.id, "edit": ["低潮 9:00"], "cid": "a1", "at": house.now_ms}
    assert (done["v"], done["edits"], done["done"]) == (1, [told], True)
    assert (await wei.heard(is_edit(1)))["note"] == told
    late = await wei.ask("note.edit", c=room, v=0, edit=["！"], cid="w1", epoch=house.store.epoch)
    assert [one["edit"] for one in late["edits"]] == [["低潮 9:00"], [7, "！"]]
    assert (await ada.heard(is_edit(2)))["note"]["edit"] == [7, "！"]
    again = await ada.ask("note.get", c=room, have=1)
    assert ([one["v"] for one in again["edits"]], again["by"]) == ([2], wei.id)
    assert (await ada.ask("note.get", c=room))["text"] == "低潮 9:00！"


@asked
async def test_what_is_sent_again_is_done_once_and_told_once(house: Asking) -> None:
    ada, wei = await house.person(name="Ada"), await house.person(name="Wei")
    room = await room_of(ada, wei)
    await wei.ask("note.get", c=room)
    for _ in range(3):
        answer = await ada.ask("note.edit", c=room, v=0, edit=["tide"], cid="a1")
        assert answer["done"]
    for _ in range(2):
        assert (await ada.ask("note.append", c=room, text=" low\r\nwater ", cid="a2"))["v"] == 2
    await wei.heard(is_edit(2))
    assert [note["v"] for note in notes(wei) if "v" in note] == [1, 2]
    assert (await wei.ask("note.get", c=room))["text"] == "tide\nlow\nwater"


@asked
async def test_what_was_made_on_the_text_of_another_time_is_answered_with_the_text_of_now(house: Asking) -> None:
    ada = await house.person(name="Ada")
    room = await room_of(ada)
    await ada.ask("note.edit", c=room, v=0, edit=["tide"], cid="a1")
    for arguments in ({"v": 1, "epoch": "another"}, {"v": 7}):
        answer = await ada.ask("note.edit", c=room, edit=[4, "!"], cid="a2", **arguments)
        assert (answer["v"], answer["text"], answer["done"]) == (1, "tide", False)
    assert (await ada.ask("note.get", c=room, have=1, epoch="another"))["text"] == "tide"
    assert (await ada.ask("note.get", c=room, have=1, epoch=house.store.epoch))["edits"] == []


@asked
async def test_only_who_has_it_open_and_is_there_is_told(house: Asking) -> None:
    ada, wei, mira = [await house.person(name=name) for name in ("Ada", "Wei", "Mira")]
    room = await room_of(ada, wei, mira)
    await ada.ask("note.get", c=room)
    await wei.ask("note.get", c=room)
    await ada.ask("note.append", c=room, text="one")
    await wei.ask("note.close", c=room)
    await wei.ask("note.close", c=room)
    await ada.heard(lambda frame: frame.get("note") == {"here": [ada.id]})
    await ada.ask("note.append", c=room, text="two")
    assert [note["v"] for note in notes(wei) if "v" in note] == [1]
    assert notes(mira) == []
    house.now_ms += OPEN_MS
    other = await house.again(ada.id)
    await other.heard(lambda frame: frame["t"] == "sync" and frame["c"] == room)
    assert (await other.ask("note.get", c=room, open=False))["here"] == [ada.id]
    await other.ask("note.close", c=room)
    assert (await ada.ask("note.get", c=room))["here"] == [ada.id]
    house.now_ms += OPEN_MS + 1
    assert (await wei.ask("note.get", c=room))["here"] == [wei.id]
    ada.session.end()
    wei.session.end()
    assert (await mira.ask("note.get", c=room))["here"] == [mira.id]


@asked
async def test_who_has_left_sees_nothing_more(house: Asking) -> None:
    ada, wei = await house.person(name="Ada"), await house.person(name="Wei")
    room = await room_of(ada, wei)
    await wei.ask("note.edit", c=room, v=0, edit=["canary"], cid="w1")
    await wei.ask("note.get", c=room)
    await wei.ask("room.leave", c=room)
    await ada.ask("note.append", c=room, text="after")
    assert [note["v"] for note in notes(wei) if "v" in note] == []
    for work in (
        wei.ask("note.get", c=room),
        wei.ask("note.get", c=room, have=1),
        wei.ask("note.edit", c=room, v=1, edit=["x"], cid="w2"),
        wei.ask("note.edit", c=room, v=0, edit=["canary"], cid="w1"),
        wei.ask("note.edit", c=room, v=1, edit=["x"], cid="w3", epoch="another"),
        wei.ask("note.append", c=room, text="x"),
    ):
        assert await refusal(work) == "forbidden"
    await wei.ask("room.join", c=room)
    assert (await wei.ask("note.get", c=room))["text"] == "canary\nafter"


MISTAKES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("note.get", {}, "proto"),
    ("note.get", {"c": 99}, "forbidden"),
    ("note.get", {"have": -1}, "proto"),
    ("note.get", {"have": "1"}, "proto"),
    ("note.get", {"epoch": 7}, "proto"),
    ("note.get", {"open": 1}, "proto"),
    ("note.edit", {"edit": ["x"], "cid": "a"}, "proto"),
    ("note.edit", {"v": 0, "edit": ["x"]}, "bad_cid"),
    ("note.edit", {"v": 0, "edit": ["x"], "cid": "a" * 65}, "proto"),
    ("note.edit", {"v": 0, "edit": "x", "cid": "a"}, "bad_body"),
    ("note.edit", {"v": 0, "edit": [5, "x"], "cid": "a"}, "bad_ref"),
    ("note.edit", {"v": 0, "edit": ["x" * (MAX_INSERTED + 1)], "cid": "a"}, "too_big"),
    ("note.append", {"text": " \n"}, "empty"),
    ("note.append", {"text": 7}, "bad_body"),
    ("note.append", {"text": "a\0b"}, "bad_body"),
    ("note.close", {}, "proto"),
)


@pytest.mark.parametrize(("op", "arguments", "code"), MISTAKES)
@asked
async def test_mistakes(house: Asking, op: str, arguments: dict[str, Any], code: str) -> None:
    ada = await house.person(name="Ada")
    room = await room_of(ada)
    given = arguments if not arguments else {"c": room, **arguments}
    assert await refusal(ada.ask(op, **given)) == code
