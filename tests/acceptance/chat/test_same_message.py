"""Acceptance 5: a message that is sent again under its id is one row, and acknowledged alike each time: by every way
in, behind a restart, a day later."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.acceptance.chat import pace
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import Frame, FrameClient, Refused, json_client, socket_client
from tests.acceptance.chat.house import House
from tests.acceptance.chat.pace import Pace
from tests.acceptance.chat.process import Chat
from tests.acceptance.chat.text_clients import Program, program

TIMES = 50
ROWS = "SELECT count(*) FROM event WHERE cid = ?"


async def repeat(client: FrameClient, conversation: int, cid: str, breath: Pace) -> list[Frame]:
    """Send a message so often under one id; return what acknowledges it, but for whether it was there already."""
    acks = []
    for _ in range(TIMES):
        await breath.turn()
        acks.append(await client.say(conversation, "你好，一次就好", cid=cid))
    assert all(ack.pop("dup", False) is True for ack in acks[1:])
    acks[0].pop("dup", None)
    return acks


async def repeat_datagram(sender: Program, number: str, times: int = TIMES) -> list[str]:
    answers, breath = [], pace.guest()
    for _ in range(times):
        await breath.turn()
        answers.append(await sender.say(number, "你好，一次就好"))
    return answers


def the_one(found: Sequence[object]) -> object:
    """Return what all are alike to."""
    assert all(one == found[0] for one in found), found
    return found[0]


@acted(Chat)
async def test_fifty_times_by_each_way_and_behind_a_kill(chat: Chat) -> None:
    token = await chat.account("user", "Li")
    async with program(chat.door) as sender:
        async with socket_client(chat.door, token) as browser, json_client(chat.door, token) as lines:
            room = (await browser.ask("room.make", title="Hall", public=False))["c"]
            sent = asyncio.create_task(repeat_datagram(sender, "same"))
            breath = pace.member()
            known = the_one(await repeat(browser, room, "same", breath))
            assert the_one(await repeat(lines, room, "same", breath)) == known
            first = the_one(await repeat(lines, room, "other", breath))
            acknowledged = the_one(await sent)
        await chat.restart()
        async with socket_client(chat.door, token) as browser, json_client(chat.door, token) as lines:
            breath = pace.member()
            assert the_one(await repeat(lines, room, "same", breath)) == known
            assert the_one(await repeat(browser, room, "other", breath)) == first
            assert the_one(await repeat_datagram(sender, "same", 15)) == acknowledged
    assert chat.rows(ROWS, "same") == [(2,)]  # of two persons: a peer of UDP is somebody else
    assert chat.rows(ROWS, "other") == [(1,)]


@acted(House)
async def test_a_day_later_it_is_the_same_message_still(house: House) -> None:
    token = await house.account("user", "Li")
    async with program(house.door) as sender:
        async with socket_client(house.door, token) as browser:
            room = (await browser.ask("room.make", title="Hall", public=False))["c"]
            known = the_one(await repeat(browser, room, "same", Pace(1e3, 60)))
            acknowledged = await sender.say("7", "hello")
        await house.pass_time(86_400)
        async with socket_client(house.door, token) as browser, json_client(house.door, token) as lines:
            assert the_one(await repeat(browser, room, "same", Pace(1e3, 60))) == known
            await house.pass_time(60)  # for the limits, which have this clock too
            assert the_one(await repeat(lines, room, "same", Pace(1e3, 60))) == known
            assert await sender.say("7", "hello") == acknowledged
    assert await house.rows(ROWS, "same") == [(1,)]
    assert await house.rows(ROWS, "7") == [(1,)]


@acted(House)
async def test_whoever_is_one_person_by_three_ways_has_one_message_by_all_of_them(house: House) -> None:
    async with program(house.door) as sender:
        sender.send("/token")
        told = await sender.until(lambda text: "/token " in text)
        token = told.rpartition(" ")[2]
        acknowledged = await sender.say("7", "printer")
        case = (await house.rows("SELECT conversation, seq FROM event WHERE cid = '7'"))[0]
        async with socket_client(house.door, token) as browser, json_client(house.door, token) as lines:
            for client in (browser, lines):
                ack = await client.say(case[0], "printer", cid="7")
                assert (ack["s"], ack["dup"]) == (case[1], True)
        assert acknowledged == f"#7 ok {case[1]}"
    assert await house.rows(ROWS, "7") == [(1,)]


@acted(House)
async def test_the_same_id_at_once_by_many_connections_is_one_row(house: House) -> None:
    token = await house.account("user", "Li")
    async with (
        socket_client(house.door, token) as browser,
        socket_client(house.door, token) as other,
        json_client(house.door, token) as lines,
    ):
        room = (await browser.ask("room.make", title="Hall", public=False))["c"]
        acks = await asyncio.gather(
            *(one.say(room, "hello", cid=f"{n}") for n in range(15) for one in (browser, other, lines))
        )
        assert [ack.get("dup", False) for ack in acks].count(False) == 15
        assert len({ack["s"] for ack in acks}) == 15
        await browser.read_to(room, max(ack["s"] for ack in acks))
        assert len(browser.texts(room)) == 15


@acted(House)
async def test_an_id_that_named_something_else_is_refused(house: House) -> None:
    async with socket_client(house.door, await house.account("user", "Li")) as browser:
        room = (await browser.ask("room.make", title="Hall", public=False))["c"]
        await browser.say(room, "one", cid="same")
        with pytest.raises(Refused, match="cid_reuse"):
            await browser.say(room, "two", cid="same")
    async with program(house.door) as sender:
        assert (await sender.say("1", "one")).startswith("#1 ok ")
        assert await sender.say("1", "two") == "#1 no cid_reuse"
