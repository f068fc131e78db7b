"""Coming in and going out."""

from typing import Any

import pytest
from tests.apps.chat.web_stage import WebStage, acted, hear, hear_end, hello

from portico.apps.chat import links, people
from portico.apps.chat.entrance import Caller, Entrance, Gate
from portico.apps.chat.events import Rejected
from portico.apps.chat.passwords import hash_password, is_password

ME = Caller("203.0.113.7", "Firefox")
PASSWORD = "correct horse"


def entrance(stage: WebStage, **more: Any) -> Entrance:
    gate = Gate(is_password, stage.limits.may_from, hash_password, links.redeem)
    return Entrance(stage.house, gate._replace(**more))


async def account(stage: WebStage) -> int:
    return await stage.person(name="李雷", login="li", password=await hash_password(PASSWORD))


async def refused(attempt: Any) -> tuple[str, str]:
    """Return the word and the line of what is refused."""
    with pytest.raises(Rejected) as caught:
        await attempt
    return caught.value.code, str(caught.value)


@acted()
async def test_a_login_and_a_password(stage: WebStage) -> None:
    person = await account(stage)
    answer = await entrance(stage).sign_in({"login": " LI ", "password": PASSWORD}, ME)
    assert answer["me"] == {"id": person, "name": "李雷", "kind": "user", "login": "li", "lang": ""}
    assert (await stage.house.recognise(answer["token"])).person == person
    rows = await stage.store.read(lambda db: db.execute("SELECT label, ends_ms FROM device").fetchall())
    assert rows == [("Firefox", None)]


@acted()
async def test_a_sign_in_that_fails_says_the_same_whatever_was_wrong(stage: WebStage) -> None:
    await account(stage)
    await stage.person(name="Nobody's", login="bare")
    closed = await stage.person(name="Closed", login="closed", password=await hash_password(PASSWORD))
    await stage.write("UPDATE person SET is_disabled = 1 WHERE id = ?", closed)
    door = entrance(stage)
    for login, password in [("li", "wrong horse"), ("lee", PASSWORD), ("bare", ""), ("closed", PASSWORD), ("", "")]:
        found = await refused(door.sign_in({"login": login, "password": password}, ME))
        assert found == ("auth", "the login or the password is wrong")


@pytest.mark.parametrize(
    "body",
    [{}, {"login": "li"}, {"login": "li", "password": 1}, {"login": ["li"], "password": ""}, {"login": "l" * 201}],
)
@acted()
async def test_what_is_no_sign_in(stage: WebStage, body: dict[str, Any]) -> None:
    assert (await refused(entrance(stage).sign_in(body, ME)))[0] == "proto"


@acted()
async def test_guessing_is_slowed_down_by_address_and_by_login(stage: WebStage) -> None:
    door, wrong = entrance(stage), {"login": "li", "password": "guess"}
    codes = [(await refused(door.sign_in(wrong, ME)))[0] for _ in range(11)]
    assert codes == ["auth"] * 10 + ["rate"]
    other = Caller("198.51.100.1", "")
    assert (await refused(door.sign_in(wrong, other)))[0] == "rate"  # the login is what is guessed at
    assert (await refused(door.sign_in({"login": "wang", "password": "guess"}, other)))[0] == "auth"


@acted()
async def test_a_link_is_good_once(stage: WebStage) -> None:
    person = await stage.person("admin", "Admin")
    link = await stage.store.write(lambda change: links.make_link(change, person))
    door = entrance(stage)
    answer = await door.use_link({"token": link}, ME)
    assert answer["me"]["id"] == person
    known = await stage.store.read(lambda db: people.recognise(db, answer["token"], stage.store.now_ms()))
    assert await stage.store.read(lambda db: links.is_trusted(db, known.device, stage.store.now_ms()))
    assert (await refused(door.use_link({"token": link}, ME)))[0] == "auth"
    assert (await refused(door.use_link({"token": "forged"}, ME)))[0] == "auth"
    assert (await refused(entrance(stage, redeem=None).use_link({"token": link}, ME)))[0] == "not_offered"


@acted()
async def test_an_account_of_ones_own(stage: WebStage) -> None:
    door = entrance(stage)
    body = {"login": "Wang", "password": PASSWORD, "name": "王芳", "lang": "zh-CN"}
    answer = await door.sign_up(body, ME)
    assert (answer["me"]["login"], answer["me"]["name"], answer["me"]["lang"]) == ("wang", "王芳", "zh")
    assert (await door.sign_in(body, ME))["me"] == answer["me"]
    assert (await refused(door.sign_up(body, ME)))[0] == "taken"


SIGN_UPS = [
    ("a short password", {"password": "short"}, "bad_password"),
    ("no login", {"login": ""}, "bad_login"),
    ("a login with blanks", {"login": "a b"}, "bad_login"),
    ("no name", {"name": " "}, "bad_name"),
    ("a name with an escape", {"name": "\x1b[31mred"}, "bad_name"),
    ("a name that turns the line round", {"name": "a\u202eb"}, "bad_name"),
]


@pytest.mark.parametrize(("change", "code"), [case[1:] for case in SIGN_UPS], ids=[case[0] for case in SIGN_UPS])
@acted()
async def test_an_account_that_cannot_be(stage: WebStage, change: dict[str, str], code: str) -> None:
    body = {"login": "wang", "password": PASSWORD, "name": "Wang"} | change
    assert (await refused(entrance(stage).sign_up(body, ME)))[0] == code
    assert await stage.store.read(lambda db: people.person_by_login(db, "wang")) is None


@acted()
async def test_nobody_signs_up_where_accounts_are_given(stage: WebStage) -> None:
    assert (await refused(entrance(stage, hash_password=None).sign_up({}, ME)))[0] == "not_offered"


VISITORS = [
    ({}, "Visitor", ""),
    ({"lang": "zh-CN"}, "访客", "zh"),
    ({"lang": "fr"}, "Visitor", ""),
    ({"name": "  Ann  ", "lang": "en"}, "Ann", "en"),
    ({"name": "<b>x</b>"}, "<b>x</b>", ""),
]


@pytest.mark.parametrize(("body", "name", "language"), VISITORS)
@acted()
async def test_a_visitor(stage: WebStage, body: dict[str, str], name: str, language: str) -> None:
    answer = await entrance(stage).visit(body, ME)
    assert (answer["me"]["kind"], answer["me"]["name"], answer["me"]["lang"]) == ("visitor", name, language)
    stage.now_ms += 179 * 86_400_000
    await stage.house.recognise(answer["token"])
    stage.now_ms += 86_400_000
    assert (await refused(stage.house.recognise(answer["token"])))[0] == "auth"


@acted()
async def test_visitors_do_not_come_in_floods(stage: WebStage) -> None:
    door = entrance(stage)
    while not stage.limits.may_from(ME.address, "visitor"):
        await door.visit({}, ME)
    assert (await refused(door.visit({}, ME)))[0] == "rate"
    await door.visit({}, Caller("198.51.100.1", ""))


@acted()
async def test_who_signs_out_is_known_no_more_on_this_device(stage: WebStage) -> None:
    person = await account(stage)
    door = entrance(stage)
    token, other = await stage.device(person), await stage.device(person)
    async with stage.socket() as client:
        await client.send(hello(token))
        await hear(client)
        await stage.until(lambda: stage.house.hub.readers)
        assert await door.sign_out(await stage.house.recognise(token)) == {}
        assert (await hear_end(client))[1] == 4003
    assert stage.house.hub.readers == {}
    assert (await refused(stage.house.recognise(token)))[0] == "auth"
    assert (await stage.house.recognise(other)).person == person


@acted()
async def test_a_session_whose_wire_is_slow_is_signed_out_at_once_as_well(stage: WebStage) -> None:
    door = entrance(stage, end_device=stage.limits.end_device)
    me = await stage.house.recognise(await stage.device(await account(stage)))
    assert stage.house.may(me, "send") == 0.0
    await door.sign_out(me)
    with pytest.raises(Rejected) as caught:
        stage.house.may(me, "send")
    assert caught.value.code == "auth"
