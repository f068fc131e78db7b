from functools import partial

from tests.apps.chat.asking import Asking, asked, refusal

from portico.apps.chat import links, people
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change


async def redeem(house: Asking, link: str) -> int:
    return await house.store.write(lambda change: links.redeem(change, link))


async def make(house: Asking, person: int) -> str:
    return await house.store.write(lambda change: links.make_link(change, person))


@asked
async def test_the_first_link_makes_an_admin_and_is_good_once(house: Asking) -> None:
    link = await links.first_link(house.store)
    assert link is not None
    number = await redeem(house, link)
    (row,) = await house.rows("SELECT kind, login FROM person WHERE id = ?", number)
    assert row == ("admin", "admin")
    assert await refusal(redeem(house, link)) == "auth"


@asked
async def test_an_unused_first_link_gives_way_to_a_new_one(house: Asking) -> None:
    first, second = await links.first_link(house.store), await links.first_link(house.store)
    assert first is not None
    assert second is not None
    assert await refusal(redeem(house, first)) == "auth"
    number = await redeem(house, second)
    assert await house.rows("SELECT count(*) FROM person") == [(1,)]
    await house.again(number)
    assert await links.first_link(house.store) is None


@asked
async def test_an_admin_with_a_password_needs_no_first_link(house: Asking) -> None:
    await house.store.write(lambda change: people.add_person(change, "admin", "A", login="a", password="hash"))
    assert await links.first_link(house.store) is None


@asked
async def test_an_admin_whose_devices_are_all_revoked_gets_in_again(house: Asking) -> None:
    admin = await house.first_admin()
    await house.write("UPDATE device SET is_revoked = 1")
    link = await links.first_link(house.store)
    assert link is not None
    assert await redeem(house, link) == admin.id


@asked
async def test_the_login_of_the_first_admin_may_be_taken(house: Asking) -> None:
    await house.person("user", "Admin", login="admin")
    assert await links.first_link(house.store) is not None
    assert await house.rows("SELECT login FROM person WHERE kind = 'admin'") == [(None,)]


@asked
async def test_a_link_ends_after_a_day(house: Asking) -> None:
    li = await house.person()
    link = await make(house, li.id)
    house.now_ms += links.LIFE_MS
    assert await refusal(redeem(house, link)) == "auth"
    link = await make(house, li.id)
    house.now_ms += links.LIFE_MS - 1
    assert await redeem(house, link) == li.id


@asked
async def test_a_new_link_makes_the_older_one_void_and_no_one_elses(house: Asking) -> None:
    li, wang = await house.person("user", "Li"), await house.person("user", "Wang")
    old, others, new = await make(house, li.id), await make(house, wang.id), await make(house, li.id)
    assert await refusal(redeem(house, old)) == "auth"
    assert await redeem(house, new) == li.id
    assert await redeem(house, others) == wang.id


@asked
async def test_a_closed_account_has_no_link(house: Asking) -> None:
    li = await house.person()
    link = await make(house, li.id)
    await house.write("UPDATE person SET is_disabled = 1")
    assert await refusal(redeem(house, link)) == "auth"
    assert await refusal(make(house, li.id)) == "no_person"
    assert await refusal(make(house, 99)) == "no_person"


@asked
async def test_forged_links(house: Asking) -> None:
    await make(house, (await house.person()).id)
    for link in ("", "x", "' OR 1=1 --", "\ud800", "x" * 10_000):
        assert await refusal(redeem(house, link)) == "auth"


@asked
async def test_two_who_follow_one_link_at_once(house: Asking) -> None:
    link = await make(house, (await house.person()).id)

    def try_it(change: Change) -> list[bool]:
        found = []
        for _ in range(2):
            try:
                links.redeem(change, link)
                found.append(True)
            except Rejected:
                found.append(False)
        return found

    assert await house.store.write(partial(try_it)) == [True, False]


@asked
async def test_the_device_that_came_by_a_link_is_trusted_for_an_hour(house: Asking) -> None:
    li = await house.person("user", "Li", login="li", password="old password")
    link = await make(house, li.id)
    await redeem(house, link)
    here, other = await house.again(li.id), await house.again(li.id)
    await house.store.write(lambda change: links.trust(change, link, here.token))
    devices = [one.session.me.device for one in (here, other) if one.session.me is not None]

    async def trusted() -> list[bool]:
        now_ms = house.now_ms
        return await house.store.read(lambda db: [links.is_trusted(db, one, now_ms) for one in devices])

    assert await trusted() == [True, False]
    house.now_ms += links.TRUSTED_MS
    assert await trusted() == [False, False]


@asked
async def test_who_forgot_the_password_sets_another_by_a_link_once(house: Asking) -> None:
    li = await house.person("user", "Li", login="li", password="old password")
    link = await make(house, li.id)
    await redeem(house, link)
    here = await house.again(li.id)
    await house.store.write(lambda change: links.trust(change, link, here.token))
    assert (await here.ask("me"))["me"]["password"] is False
    assert await refusal(li.ask("me.set", password="new password")) == "auth"
    await here.ask("me.set", password="new password")
    assert await house.rows("SELECT detail FROM audit WHERE act = 'password.set'") == [("by a link",)]
    assert (await here.ask("me"))["me"]["password"] is True
    assert await refusal(here.ask("me.set", password="third password")) == "auth"
    await here.ask("me.set", password="third password", old="new password")
    assert await house.rows("SELECT detail FROM audit WHERE act = 'password.set'") == [("by a link",), ("",)]
