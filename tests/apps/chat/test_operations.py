import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.apps.chat.asking import Asking, asked, refusal

from portico.apps.chat.events import Rejected
from portico.apps.chat.operations import flag, numbers


@asked
async def test_me_says_who_one_is_and_with_whom(house: Asking) -> None:
    li = await house.person("user", "Li", login="Li")
    wang = await house.person("agent", "王")
    stranger = await house.person("user", "Stranger")
    room = (await li.ask("room.make", title=" The  hall ", public=True))["c"]
    await wang.ask("room.join", c=room)
    talk = (await wang.ask("direct", person=li.id))["c"]
    answer = await li.ask("me")
    assert answer["me"] == {"id": li.id, "name": "Li", "kind": "user", "login": "li", "lang": "", "password": False}
    hall, direct = answer["conversations"]
    assert hall == {
        "c": room,
        "kind": "room",
        "title": "The hall",
        "public": True,
        "head": 2,
        "read": 0,
        "muted": False,
        "left": False,
        "others": [],
    }
    assert (direct["c"], direct["kind"], direct["others"]) == (talk, "direct", [wang.id])
    assert answer["people"] == {
        str(li.id): {"name": "Li", "kind": "user", "online": True, "via": ["ws"]},
        str(wang.id): {"name": "王", "kind": "agent", "online": True, "via": ["ws"]},
    }
    assert str(stranger.id) not in answer["people"]


@asked
async def test_me_names_what_one_may_ask(house: Asking) -> None:
    offered = {kind: set((await (await house.person(kind)).ask("me"))["op"]) for kind in ("visitor", "user", "admin")}
    assert "people.find" not in offered["visitor"]
    assert "people.find" in offered["user"]
    assert {"me.set", "search", "devices.revoke"} <= offered["visitor"] <= offered["admin"]


@asked
async def test_a_new_name_is_told_to_those_one_talks_with(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    wang = await house.again(wang.id)
    await li.ask("me.set", name="  李  四 ", lang="zh")
    expected = {"id": li.id, "name": "李 四", "kind": "user", "login": "", "lang": "zh", "password": False}
    assert (await li.ask("me"))["me"] == expected
    told = await wang.heard(lambda frame: frame["t"] == "st" and "people" in frame)
    assert told["people"] == {str(li.id): {"name": "李 四", "kind": "user"}}


@asked
async def test_a_new_password_wants_the_old_one(house: Asking) -> None:
    li = await house.person("user", "Li", login="li", password="old password")
    guest = await house.person("visitor", "Guest")
    assert await refusal(li.ask("me.set", password="new password")) == "auth"
    assert await refusal(li.ask("me.set", password="new password", old="not this")) == "auth"
    assert await refusal(li.ask("me.set", password="short", old="old password")) == "bad_password"
    assert await refusal(guest.ask("me.set", password="new password")) == "forbidden"
    await li.ask("me.set", password="new password", old="old password")
    assert await refusal(li.ask("me.set", password="third password", old="old password")) == "auth"
    await li.ask("me.set", password="third password", old="new password")


@asked
async def test_whoever_came_by_a_link_sets_a_first_password_without_an_old_one(house: Asking) -> None:
    admin = await house.first_admin()
    await admin.ask("me.set", password="my first password")
    assert await refusal(admin.ask("me.set", password="another password")) == "auth"


MISTAKES: tuple[tuple[str, dict[str, object], str], ...] = (
    ("me.set", {"name": ""}, "bad_name"),
    ("me.set", {"name": "a\x1b[31mb"}, "bad_name"),
    ("me.set", {"name": 7}, "proto"),
    ("me.set", {"lang": "fr"}, "bad_language"),
    ("people.get", {}, "proto"),
    ("people.get", {"ids": [0]}, "proto"),
    ("people.get", {"ids": ["1 OR 1=1"]}, "proto"),
    ("people.get", {"ids": list(range(1, 600))}, "proto"),
    ("people.find", {"text": "x" * 41}, "proto"),
    ("room.make", {"title": "", "public": True}, "bad_title"),
    ("room.make", {"title": "Hall", "public": 1}, "proto"),
    ("room.join", {"c": 99}, "no_conversation"),
    ("room.join", {}, "proto"),
    ("room.invite", {"c": 99, "person": 1}, "forbidden"),
    ("room.invite", {"c": 99, "person": 99}, "no_person"),
    ("room.leave", {"c": 99}, "forbidden"),
    ("room.remove", {"c": 99, "person": 1}, "forbidden"),
    ("room.title", {"c": 99, "title": "Hall"}, "forbidden"),
    ("room.members", {"c": 99}, "forbidden"),
    ("direct", {"person": 99}, "no_person"),
    ("direct", {"person": 1}, "bad_person"),
    ("mute", {"c": 99, "on": True}, "forbidden"),
    ("mute", {"c": 99, "on": "yes"}, "proto"),
    ("search", {"text": "x" * 201}, "proto"),
    ("devices.revoke", {"device": 99}, "no_device"),
    ("no.such", {}, "unknown_op"),
)


@pytest.mark.parametrize(("op", "arguments", "code"), MISTAKES)
@asked
async def test_mistakes(house: Asking, op: str, arguments: dict[str, object], code: str) -> None:
    li = await house.person()
    assert li.id == 1
    assert await refusal(li.ask(op, **arguments)) == code


@asked
async def test_people_are_found_by_name_and_login_and_nothing_is_a_pattern(house: Asking) -> None:
    li = await house.person("user", "李四", login="lisi")
    await house.person("user", "100%")
    await house.person("visitor", "李客人")
    agent = await house.person("agent", "Agent")

    async def found(text: str) -> list[str]:
        return [card["name"] for card in (await li.ask("people.find", text=text))["people"]]

    assert await found("李") == ["李四"]
    assert await found("LIS") == ["李四"]
    assert await found("%") == ["100%"]
    assert await found("_") == []
    assert await found("\\") == []
    assert await found("' OR 1 --") == []
    served = [card["name"] for card in (await agent.ask("people.find", text="李"))["people"]]
    assert served == ["李四", "李客人"]


@asked
async def test_a_guest_learns_only_of_those_it_talks_with(house: Asking) -> None:
    guest, agent = await house.person("visitor", "Guest"), await house.person("agent", "Agent")
    await house.person("user", "Secret")
    assert (await guest.ask("people.get", ids=[1, 2, 3]))["people"] == {}
    await agent.ask("direct", person=guest.id)
    assert (await guest.ask("people.get", ids=[1, 2, 3, 3]))["people"].keys() == {"1", "2"}
    assert (await agent.ask("people.get", ids=[1, 2, 3, 77]))["people"].keys() == {"1", "2", "3"}
    assert await refusal(guest.ask("people.find", text="S")) == "forbidden"
    assert await refusal(guest.ask("direct", person=agent.id)) == "forbidden"


@asked
async def test_users_do_not_write_to_guests(house: Asking) -> None:
    guest, user = await house.person("visitor", "Guest"), await house.person("user", "User")
    assert await refusal(user.ask("direct", person=guest.id)) == "no_person"


@asked
async def test_guests_enter_rooms_where_the_house_allows_it(house: Asking) -> None:
    guest, admin = await house.person("visitor", "Guest"), await house.person("admin", "Admin")
    room = (await admin.ask("room.make", title="Hall", public=True))["c"]
    assert await refusal(guest.ask("room.list")) == "forbidden"
    assert await refusal(guest.ask("room.join", c=room)) == "forbidden"
    await admin.ask("admin.settings.set", values={"guests": True})
    assert (await guest.ask("room.list"))["rooms"] == [{"c": room, "title": "Hall", "members": 1}]
    await guest.ask("room.join", c=room)
    assert await refusal(guest.ask("room.title", c=room, title="Mine")) == "forbidden"


@asked
async def test_a_private_room_is_entered_by_invitation_and_left(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall"))["c"]
    assert await refusal(wang.ask("room.join", c=room)) == "no_conversation"
    assert (await wang.ask("room.list"))["rooms"] == []
    assert await refusal(wang.ask("room.invite", c=room, person=wang.id)) == "forbidden"
    await li.ask("room.invite", c=room, person=wang.id)
    await wang.ask("room.title", c=room, title="Our hall")
    cards = (await wang.ask("room.members", c=room))["members"]
    assert [(card["name"], card["role"]) for card in cards] == [("Li", "owner"), ("Wang", "member")]
    await wang.ask("room.leave", c=room)
    assert await refusal(wang.ask("room.members", c=room)) == "forbidden"
    (left,) = (await wang.ask("me"))["conversations"]
    assert (left["title"], left["left"]) == ("Our hall", True)


@asked
async def test_an_owner_takes_somebody_out_and_it_is_noted(house: Asking) -> None:
    li, wang, admin = await house.person("user", "Li"), await house.person("user", "Wang"), await house.person("admin")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    assert await refusal(wang.ask("room.remove", c=room, person=li.id)) == "forbidden"
    assert await refusal(li.ask("room.remove", c=room, person=admin.id)) == "no_person"
    await li.ask("room.remove", c=room, person=wang.id)
    assert await refusal(wang.send(room, "still here?")) == "forbidden"
    (act,) = (await admin.ask("admin.audit"))["acts"]
    assert (act["act"], act["by"], act["target"], act["detail"]) == ("room.remove", li.id, str(room), str(wang.id))


@asked
async def test_a_closed_account_is_not_brought_in(house: Asking) -> None:
    li, gone = await house.person("user", "Li"), await house.person("user", "Gone")
    room = (await li.ask("room.make", title="Hall"))["c"]
    await house.write("UPDATE person SET is_disabled = 1 WHERE id = ?", gone.id)
    assert await refusal(li.ask("room.invite", c=room, person=gone.id)) == "no_person"
    assert await refusal(li.ask("direct", person=gone.id)) == "no_person"


@asked
async def test_a_search_finds_messages_as_they_read_now(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    first = await li.send(room, "打印机坏了")
    await li.send(room, "打印机修好了", kind="edit", ref=first)
    second = await li.send(room, "打印纸")
    found = (await li.ask("search", text="打印"))["found"]
    assert {(one["c"], one["s"], one["f"], one["text"]) for one in found} == {
        (room, second, li.id, "打印纸"),
        (room, first, li.id, "打印机修好了"),
    }
    assert (await wang.ask("search", text="打印"))["found"] == []
    for text in ('"', "打印 AND", "NEAR(", "words:*", ""):
        assert isinstance((await li.ask("search", text=text))["found"], list)


@asked
async def test_muting_is_ones_own_business(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=room)
    await li.ask("mute", c=room, on=True)
    assert [(await one.ask("me"))["conversations"][0]["muted"] for one in (li, wang)] == [True, False]
    await li.ask("mute", c=room, on=False)
    assert not (await li.ask("me"))["conversations"][0]["muted"]


@asked
async def test_a_revoked_device_hears_and_asks_nothing_more(house: Asking) -> None:
    here = await house.person("user", "Li")
    await here.ask("room.make", title="Hall", public=True)
    here.session.end()
    here, there = await house.again(here.id), await house.again(here.id)
    wang = await house.person("user", "Wang")
    await wang.ask("room.join", c=1)
    devices = (await here.ask("devices.list"))["devices"]
    assert [one["this"] for one in devices] == [False, True, False]
    lost = devices[0]["device"]
    assert await refusal(wang.ask("devices.revoke", device=lost)) == "no_device"
    await here.ask("devices.revoke", device=lost)
    assert (await there.heard(lambda frame: frame["t"] == "bye"))["code"] == 4003
    await wang.send(1, "secret")
    await here.heard(lambda frame: frame["t"] == "ev" and frame["b"].get("text") == "secret")
    assert not any("secret" in str(frame) for frame in there.wire.frames)
    assert await refusal(there.ask("me")) == "auth"
    assert await refusal(there.send(1, "I am still here")) == "auth"
    assert [one["device"] for one in (await here.ask("devices.list"))["devices"]] == [
        one["device"] for one in devices[1:]
    ]
    assert await refusal(here.ask("devices.revoke", device=lost)) == "no_device"


@given(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.one_of(st.integers(), st.text(), st.booleans()))))
def test_numbers_are_ids_or_refused(value: object) -> None:
    is_good = isinstance(value, list) and all(type(one) is int and 0 < one < 1 << 53 for one in value)
    if is_good:
        assert numbers({"ids": value}, "ids") == list(dict.fromkeys(value))  # type: ignore[call-overload]
    else:
        with pytest.raises(Rejected):
            numbers({"ids": value}, "ids")


def test_a_flag_is_a_boolean() -> None:
    assert flag({"on": False}, "on") is False
    assert flag({}, "on", default=True) is True
    for value in (0, 1, "true", None):
        with pytest.raises(Rejected):
            flag({"on": value}, "on")


@asked
async def test_a_message_is_found_by_the_names_of_its_files_until_it_is_deleted(house: Asking) -> None:
    li = await house.person("user", "Li")
    room = (await li.ask("room.make", title="Hall", public=True))["c"]
    await house.write(
        "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES ('', '讲义.txt', 'text/plain', 1, ?, 0)",
        li.id,
    )
    seq = await li.send(room, "", files=[1])

    async def found(words: str) -> list[str]:
        return [one["text"] for one in (await li.ask("search", text=words))["found"]]

    assert await found("讲义") == ["讲义.txt"]
    await li.send(room, "第三课", kind="edit", ref=seq)
    assert await found("讲义 第三课") == ["第三课 讲义.txt"]
    await li.send(room, "", kind="del", ref=seq)
    assert await found("讲义") == []
    assert await house.rows("SELECT count(*) FROM found") == [(0,)]
