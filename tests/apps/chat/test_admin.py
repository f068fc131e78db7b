import pytest
from tests.apps.chat.asking import Asking, Somebody, asked, refusal

from portico.apps.chat import cases, links
from portico.apps.chat.log import Change
from portico.apps.chat.passwords import is_password

OPERATIONS: tuple[tuple[str, dict[str, object]], ...] = (
    ("admin.people.list", {}),
    ("admin.people.add", {"kind": "admin", "name": "Mallory"}),
    ("admin.people.set", {"person": 1, "name": "Mallory"}),
    ("admin.people.remove", {"person": 1}),
    ("admin.link", {"person": 1}),
    ("admin.blocks.list", {}),
    ("admin.blocks.add", {"kind": "person", "value": "1"}),
    ("admin.blocks.remove", {"block": 1}),
    ("admin.settings.get", {}),
    ("admin.settings.set", {"values": {"signup": True}}),
    ("admin.audit", {}),
)


async def hashed(house: Asking, number: int) -> str:
    return str((await house.rows("SELECT password FROM person WHERE id = ?", number))[0][0])


@pytest.mark.parametrize(("op", "arguments"), OPERATIONS)
@asked
async def test_nobody_else_may(house: Asking, op: str, arguments: dict[str, object]) -> None:
    boss = await house.first_admin()
    for kind in ("user", "agent", "visitor", "peer"):
        assert await refusal((await house.person(kind)).ask(op, **arguments)) == "forbidden"
    other = await house.person("admin", "Was an admin")
    await house.write("UPDATE person SET kind = 'user' WHERE id = ?", other.id)  # the session has not heard of it
    assert await refusal(other.ask(op, **arguments)) == "forbidden"
    assert (await boss.ask("admin.audit"))["acts"] == []


@asked
async def test_an_account_with_a_password_and_one_with_a_link(house: Asking) -> None:
    boss = await house.first_admin()
    made = (await boss.ask("admin.people.add", kind="agent", name="王", login="Wang", password="a password"))["person"]
    assert await is_password(await hashed(house, made), "a password")
    other = (await boss.ask("admin.people.add", kind="user", name="Li", login="li"))["person"]
    token = (await boss.ask("admin.link", person=other))["token"]
    assert await house.store.write(lambda change: links.redeem(change, token)) == other
    cards = (await boss.ask("admin.people.list"))["people"]
    assert [(card["login"], card["kind"], card["password"], card["disabled"]) for card in cards] == [
        ("admin", "admin", False, False),
        ("wang", "agent", True, False),
        ("li", "user", False, False),
    ]
    assert [card["id"] for card in (await boss.ask("admin.people.list", text="wan"))["people"]] == [made]
    assert [card["id"] for card in (await boss.ask("admin.people.list", kind="user"))["people"]] == [other]
    assert [card["id"] for card in (await boss.ask("admin.people.list", after=made))["people"]] == [other]
    assert (await boss.ask("admin.people.list", text="%"))["people"] == []


MISTAKES: tuple[tuple[str, dict[str, object], str], ...] = (
    ("admin.people.add", {"kind": "visitor", "name": "x"}, "bad_kind"),
    ("admin.people.add", {"kind": "user", "name": "\x1b"}, "bad_name"),
    ("admin.people.add", {"kind": "user", "name": "x", "login": "admin"}, "taken"),
    ("admin.people.add", {"kind": "user", "name": "x", "login": "a b"}, "bad_login"),
    ("admin.people.add", {"kind": "user", "name": "x", "login": "x", "password": "short"}, "bad_password"),
    ("admin.people.set", {"person": 99, "name": "x"}, "no_person"),
    ("admin.people.set", {"person": 2, "login": "admin"}, "taken"),
    ("admin.people.set", {"person": 3, "kind": "admin"}, "forbidden"),
    ("admin.people.set", {"person": 1, "kind": "user"}, "last_admin"),
    ("admin.people.set", {"person": 1, "disabled": True}, "last_admin"),
    ("admin.people.set", {"person": 2, "disabled": "yes"}, "proto"),
    ("admin.people.remove", {"person": 1}, "forbidden"),
    ("admin.people.remove", {"person": 99}, "no_person"),
    ("admin.link", {"person": 99}, "no_person"),
    ("admin.link", {"person": 3}, "forbidden"),
    ("admin.blocks.add", {"kind": "address", "value": "nowhere"}, "bad_block"),
    ("admin.blocks.add", {"kind": "person", "value": "1"}, "bad_block"),
    ("admin.blocks.add", {"kind": "address", "value": "10.0.0.1", "minutes": 1 << 40}, "proto"),
    ("admin.blocks.remove", {"block": 99}, "no_block"),
    ("admin.settings.set", {"values": []}, "proto"),
    ("admin.settings.set", {"values": {"nothing": 1}}, "bad_setting"),
    ("admin.settings.set", {"values": {"signup": 1}}, "bad_setting"),
    ("admin.settings.set", {"values": {"max_file_mib": True}}, "bad_setting"),
    ("admin.settings.set", {"values": {"max_file_mib": 0}}, "bad_setting"),
    ("admin.settings.set", {"values": {"title": "x" * 61}}, "bad_setting"),
    ("admin.settings.set", {"values": {"title": "\x1b"}}, "bad_setting"),
)


@pytest.mark.parametrize(("op", "arguments", "code"), MISTAKES)
@asked
async def test_mistakes_change_nothing(house: Asking, op: str, arguments: dict[str, object], code: str) -> None:
    boss = await house.first_admin()
    await house.person("user", "User")
    await house.person("visitor", "Guest")
    assert await refusal(boss.ask(op, **arguments)) == code
    assert (await boss.ask("admin.audit"))["acts"] == []
    assert await refusal(house.person("user", "again", login="admin")) == "taken"


async def talking(house: Asking) -> tuple[Somebody, Somebody, int]:
    """Return an admin and a user who are in a room, and the room."""
    boss, li = await house.first_admin(), await house.person("user", "Li", login="li", password="old password")
    room = (await boss.ask("room.make", title="Hall", public=True))["c"]
    await li.ask("room.join", c=room)
    return await house.again(boss.id), await house.again(li.id), room


@asked
async def test_a_new_kind_counts_from_the_next_hello(house: Asking) -> None:
    boss, li, _ = await talking(house)
    await boss.ask("admin.people.set", person=li.id, kind="agent", name="Li 4")
    assert (await li.heard(lambda frame: frame["t"] == "bye"))["code"] == 4003
    assert await refusal(li.ask("me")) == "auth"
    again = await house.again(li.id)
    expected = {"id": li.id, "name": "Li 4", "kind": "agent", "login": "li", "lang": "", "password": True}
    assert (await again.ask("me"))["me"] == expected


@asked
async def test_a_closed_account_hears_nothing_more_and_may_be_opened_again(house: Asking) -> None:
    boss, li, room = await talking(house)
    await boss.ask("admin.people.set", person=li.id, disabled=True)
    await boss.send(room, "secret")
    assert await refusal(li.send(room, "I am here")) == "auth"
    assert "secret" not in str(li.wire.frames)
    assert await refusal(boss.ask("admin.link", person=li.id)) == "no_person"
    await boss.ask("admin.people.set", person=li.id, disabled=False)
    again = await house.again(li.id)
    assert await again.send(room, "I am back")


@asked
async def test_a_password_that_an_admin_sets_ends_all_devices(house: Asking) -> None:
    boss, li, _ = await talking(house)
    await boss.ask("admin.people.set", person=li.id, password="new password", login="lisi")
    assert await refusal(li.ask("me")) == "auth"
    await li.session.take("{}")
    assert await is_password(await hashed(house, li.id), "new password")
    assert await house.rows("SELECT count(*) FROM device WHERE person = ? AND NOT is_revoked", li.id) == [(0,)]
    assert "new password" not in str((await boss.ask("admin.audit"))["acts"])


@asked
async def test_whoever_is_removed_is_gone_and_the_others_are_told(house: Asking) -> None:
    boss, li, room = await talking(house)
    await li.send(room, "my secret")
    await boss.ask("admin.people.remove", person=li.id)
    assert await refusal(li.ask("me")) == "auth"
    assert (await boss.heard(lambda frame: "erased" in frame))["erased"] == li.id
    assert (await boss.ask("search", text="secret"))["found"] == []
    assert (await boss.ask("admin.audit"))["acts"][0]["act"] == "person.erase"
    assert li.id not in [card["id"] for card in (await boss.ask("admin.people.list"))["people"]]
    assert await refusal(boss.ask("admin.people.set", person=li.id, disabled=False)) == "no_person"


@asked
async def test_a_blocked_person_and_a_blocked_network(house: Asking) -> None:
    boss, li, room = await talking(house)
    await boss.ask("admin.blocks.add", kind="person", value=str(li.id), minutes=10, why="spam")
    await boss.ask("admin.blocks.add", kind="address", value="203.0.113.9/24")
    assert await refusal(li.send(room, "more spam")) == "blocked"
    assert house.limits.is_blocked("203.0.113.200")
    network, person = (await boss.ask("admin.blocks.list"))["blocks"]
    assert (person["value"], person["until"], person["why"]) == (str(li.id), house.now_ms + 600_000, "spam")
    assert (network["value"], network["until"], network["by"]) == ("203.0.113.0/24", None, boss.id)
    await boss.ask("admin.blocks.add", kind="address", value="203.0.113.0/24", why="again")
    assert len((await boss.ask("admin.blocks.list"))["blocks"]) == 2
    await boss.ask("admin.blocks.remove", block=network["id"])
    assert not house.limits.is_blocked("203.0.113.200")
    house.now_ms += 600_000
    assert await (await house.again(li.id)).send(room, "sorry")
    acts = [act["act"] for act in (await boss.ask("admin.audit"))["acts"]]
    assert acts == ["block.remove", "block.add", "block.add", "block.add"]


@asked
async def test_blocks_are_there_after_a_restart(house: Asking) -> None:
    boss = await house.first_admin()
    await boss.ask("admin.blocks.add", kind="address", value="203.0.113.0/24")
    house.limits.load([])
    assert not house.limits.is_blocked("203.0.113.1")
    house.limits.load(await house.rows("SELECT kind, value, until_ms FROM block"))
    assert house.limits.is_blocked("203.0.113.1")


@asked
async def test_blocks_have_an_end(house: Asking) -> None:
    boss = await house.first_admin()
    await house.write(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO block "
        "(kind, value, by_person, why, made_ms) SELECT 'person', i + 100, 1, '', 0 FROM n"
    )
    assert await refusal(boss.ask("admin.blocks.add", kind="address", value="10.0.0.1")) == "full"


@asked
async def test_settings(house: Asking) -> None:
    boss = await house.first_admin()
    before = (await boss.ask("admin.settings.get"))["values"]
    assert (before["title"], before["signup"], before["max_file_mib"], before["keep_room_days"]) == ("", False, 25, 0)
    await boss.ask("admin.settings.set", values={"title": "前台", "signup": True, "max_file_mib": 5})
    after = (await boss.ask("admin.settings.get"))["values"]
    assert after == before | {"title": "前台", "signup": True, "max_file_mib": 5}
    assert await refusal(boss.ask("admin.settings.set", values={"title": "x", "nothing": 1})) == "bad_setting"
    assert (await boss.ask("admin.settings.get"))["values"] == after


@asked
async def test_acts_come_a_page_at_a_time(house: Asking) -> None:
    boss = await house.first_admin()
    for number in range(3):
        await boss.ask("admin.settings.set", values={"title": f"title {number}"})
    acts = (await boss.ask("admin.audit"))["acts"]
    assert [act["detail"] for act in acts] == ['"title 2"', '"title 1"', '"title 0"']
    assert acts[0]["by"] == boss.id
    assert acts[0]["at"] == house.now_ms
    assert [act["id"] for act in (await boss.ask("admin.audit", before=acts[0]["id"]))["acts"]] == [
        act["id"] for act in acts[1:]
    ]


@pytest.mark.parametrize("change", [{"kind": "user"}, {"disabled": True}])
@asked
async def test_whoever_is_no_agent_any_more_is_out_of_the_desk(house: Asking, change: dict[str, object]) -> None:
    boss, ann, visitor = await house.first_admin(), await house.person("agent"), await house.person("visitor")

    def write(change: Change) -> cases.Case:
        case = cases.start(change, visitor.id)
        return cases.take(change, ann.id, case.conversation, case.revision)

    case = await house.store.write(write)
    await boss.ask("admin.people.set", person=ann.id, **change)
    assert await house.rows("SELECT 1 FROM member WHERE person = ?", ann.id) == []
    assert await house.rows("SELECT state FROM desk_case WHERE conversation = ?", case.conversation) == [("queued",)]
