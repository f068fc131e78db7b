import json
from datetime import UTC, timedelta, timezone

import pytest
from tests.apps.chat.asking import Asking, asked, refusal

from portico.apps.chat.export import FORMS, MAX_ASKED, gather, gather_all


async def talk(house: Asking) -> tuple[int, int, int]:
    """Return two persons and a room in which something of each kind has happened."""
    li, wang = await house.person("user", "Li"), await house.person("user", "王<b>")
    room = (await li.ask("room.make", title="The hall", public=True))["c"]
    first = await li.send(room, "hello <script>alert(1)</script>")
    await wang.ask("room.join", c=room)
    second = await wang.send(room, "第一行\n第二行\x1b[31m\u202e")
    await li.send(room, "hello & good bye", kind="edit", ref=first)
    gone = await wang.send(room, "my secret")
    await wang.send(room, "", kind="del", ref=gone)
    await li.send(room, "👍", kind="react", ref=second)
    await house.write(
        "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES ('', '猫.png', 'image/png', 1, ?, 0)",
        wang.id,
    )
    await wang.send(room, "", files=[1, 2])
    await li.ask("room.title", c=room, title="Our hall")
    return li.id, wang.id, int(room)


@asked
async def test_as_text(house: Asking) -> None:
    li, _, room = await talk(house)
    told = await house.store.read(lambda db: gather(db, li, room))
    lines = FORMS["text"]([told], UTC, "en").splitlines()
    assert lines == [
        "Our hall",
        "",
        "[2027-01-15 08:00:00 +0000] *** Li has joined",
        "[2027-01-15 08:00:00 +0000] Li: hello & good bye (edited)",
        "[2027-01-15 08:00:00 +0000] *** 王<b> has joined",
        "[2027-01-15 08:00:00 +0000] 王<b>: 第一行",
        "    第二行\ufffd[31m<U+202E>",
        "[2027-01-15 08:00:00 +0000] 王<b>:  (deleted)",
        "[2027-01-15 08:00:00 +0000] 王<b>: ",
        "    <猫.png>",
        "[2027-01-15 08:00:00 +0000] *** Li calls this now: Our hall",
    ]


@asked
async def test_in_chinese(house: Asking) -> None:
    li, _, room = await talk(house)
    again = await house.again(li)
    await again.ask("note.append", c=room, text="低潮")
    told = await house.store.read(lambda db: gather(db, li, room))
    text = FORMS["text"]([told], timezone(timedelta(hours=8)), "zh")
    assert "[2027-01-15 16:00:00 +0800] *** Li 加入了" in text
    assert "Li: hello & good bye （已编辑）" in text
    assert "王<b>:  （已删除）" in text
    assert "共享笔记\n\n低潮" in text
    assert "<h3>共享笔记</h3>" in FORMS["html"]([told], UTC, "zh")
    await again.ask("me.set", lang="zh")
    assert "加入了" in (await again.ask("export", c=room))["text"]


@asked
async def test_as_html_nothing_is_markup(house: Asking) -> None:
    li, _, room = await talk(house)
    await (await house.again(li)).send(room, "<img src=x onerror=alert(1)>")
    told = await house.store.read(lambda db: gather(db, li, room))
    page = FORMS["html"]([told], UTC, "en")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<b>" not in page
    assert "第一行<br>第二行" in page
    assert "default-src 'none'" in page
    assert "\x1b" not in page


@asked
async def test_as_json(house: Asking) -> None:
    li, wang, room = await talk(house)
    told = await house.store.read(lambda db: gather(db, li, room))
    (found,) = json.loads(FORMS["json"]([told], UTC, "en"))["conversations"]
    assert (found["conversation"], found["kind"], found["title"], found["first"]) == (room, "room", "Our hall", 1)
    assert found["people"] == {str(li): "Li", str(wang): "王<b>"}
    assert [line["text"] for line in found["lines"] if line["kind"] == "msg"] == [
        "hello & good bye",
        "第一行\n第二行\x1b[31m\u202e",
        "",
        "",
    ]
    assert next(line for line in found["lines"] if line.get("is_deleted"))["sender"] == wang
    assert "my secret" not in json.dumps(found)


@asked
async def test_only_what_the_person_can_read_is_in_it(house: Asking) -> None:
    li, wang, zhao = [await house.person("user", name) for name in ("Li", "Wang", "Zhao")]
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await li.send(room, "before")
    await wang.ask("room.join", c=room)
    await wang.ask("room.leave", c=room)
    await li.send(room, "canary")
    await (await house.again(li.id)).ask("direct", person=zhao.id)
    told = list(await house.store.read(lambda db: list(gather_all(db, wang.id))))
    assert [one.conversation for one in told] == [room]
    text = FORMS["text"](told, UTC, "en")
    assert "before" in text
    assert "canary" not in text
    assert await refusal(zhao.ask("export", c=room)) == "forbidden"
    assert "canary" not in (await wang.ask("export", c=room))["text"]
    assert "canary" in (await li.ask("export", c=room, form="html"))["text"]


@asked
async def test_the_shared_note_is_in_it_for_members(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="The hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    await wang.ask("room.leave", c=room)
    await li.ask("note.append", c=room, text="low water\n<b>canary</b>\x1b[31m")
    told = await house.store.read(lambda db: gather(db, li.id, room))
    lines = FORMS["text"]([told], UTC, "en").splitlines()
    assert lines[-6:-4] == ["[2027-01-15 08:00:00 +0000] *** Li has changed the shared note, /note shows it", ""]
    assert lines[-4:] == ["Shared note", "", "low water", "<b>canary</b>\ufffd[31m"]
    assert "<pre>low water\n&lt;b&gt;canary&lt;/b&gt;\ufffd[31m</pre>" in FORMS["html"]([told], UTC, "en")
    assert json.loads(FORMS["json"]([told], UTC, "en"))["conversations"][0]["note"].startswith("low water")
    left = await house.store.read(lambda db: gather(db, wang.id, room))
    assert all("canary" not in form([left], UTC, "en") for form in FORMS.values())


@asked
async def test_a_direct_conversation_is_called_by_its_people(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("direct", person=wang.id))["c"]
    assert (await li.ask("export", c=room))["text"].startswith("Li, Wang\n")


@asked
async def test_what_is_not_kept_any_more_is_said(house: Asking) -> None:
    li, _, room = await talk(house)
    await house.write("UPDATE conversation SET first = 4 WHERE id = ?", room)
    told = await house.store.read(lambda db: gather(db, li, room))
    text = FORMS["text"]([told], UTC, "en")
    assert "(what was here before is not kept any more)" in text
    assert "hello" not in text


@asked
async def test_an_empty_conversation_and_one_with_everything_gone(house: Asking) -> None:
    li, _, room = await talk(house)
    await house.write("UPDATE conversation SET first = head + 1, title = '' WHERE id = ?", room)
    told = await house.store.read(lambda db: gather(db, li, room))
    assert list(told.lines) == []
    assert FORMS["text"]([told], UTC, "en").startswith(f"#{room}\n")


@pytest.mark.parametrize(("arguments", "code"), [({"c": 1, "form": "exe"}, "proto"), ({"c": 9}, "forbidden")])
@asked
async def test_mistakes(house: Asking, arguments: dict[str, object], code: str) -> None:
    li, _, _ = await talk(house)
    assert await refusal((await house.again(li)).ask("export", **arguments)) == code


@asked
async def test_more_than_a_page_takes(house: Asking) -> None:
    li, _, room = await talk(house)
    await house.write("UPDATE conversation SET head = ? WHERE id = ?", MAX_ASKED + 1, room)
    assert await refusal((await house.again(li)).ask("export", c=room)) == "too_big"
