"""Acceptance 8, second half: outside the hours there is a form; what it says waits, and is answered the next day in the
same conversation, which a visitor finds again after the page was loaded anew; at netcat and by UDP as well."""

from datetime import datetime

import pytest
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import SocketClient, become_visitor, socket_client
from tests.acceptance.chat.house import MONDAY_NOON_MS, House
from tests.acceptance.chat.text_clients import netcat, program

HOURS = {"zone": "UTC", "week": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
HOUR_S = 3_600
TUESDAY_NINE_MS = MONDAY_NOON_MS + 21 * HOUR_S * 1000
# As a line of text has it, in the time of this machine.
OPENS = f"{datetime.fromtimestamp(TUESDAY_NINE_MS / 1000):%m-%d %H:%M}"
TEXT = "打印机坏了，请联系我"


async def close_for_the_night(house: House) -> None:
    """Have the admin set the hours; then it is Monday, 20:00."""
    async with socket_client(house.door, await house.account("admin", "Chen")) as admin:
        await admin.ask("desk.hours.set", hours=HOURS)
        await admin.ask("desk.queues.set", queue=1, name="desk", offline="Leave us a word")
    await house.pass_time(8 * HOUR_S)


async def answer(house: House, agent: SocketClient, text: str) -> int:
    """Have an agent take what is offered, and answer; return the conversation."""
    await house.pass_time(0)
    [item] = (await agent.ask("desk.list", tab="queue"))["items"]
    assert item["offered"]["id"] == agent.me
    await agent.ask("desk.accept", c=item["c"])
    await agent.read_to(item["c"], 3)
    await agent.say(item["c"], text)
    return int(item["c"])


@acted(House)
async def test_a_form_left_at_night_is_answered_the_next_day_in_the_same_conversation(house: House) -> None:
    await close_for_the_night(house)
    token = await become_visitor(house.door, lang="zh-CN")
    async with (
        socket_client(house.door, await house.account("agent", "小王")) as agent,
        socket_client(house.door, token) as visitor,
    ):
        await agent.ask("desk.available", state="available")
        found = await visitor.ask("desk.status")
        assert (found["open"], found["opens"], found["offline"]) == (False, TUESDAY_NINE_MS, "Leave us a word")
        left = await visitor.ask("desk.form", text=TEXT, name="王先生", contact="wang@example.com", cid="form-1")
        assert left["desk"]["open"] is False
        again = await visitor.ask("desk.form", text=TEXT, name="王先生", contact="wang@example.com", cid="form-1")
        assert (again["c"], again["s"]) == (left["c"], left["s"])
        await house.pass_time(HOUR_S)
        [item] = (await agent.ask("desk.list", tab="queue"))["items"]
        assert item["offered"] is None  # nobody is asked at night
    await house.pass_time(12 * HOUR_S + 60)
    async with socket_client(house.door, await house.account("agent", "Li")) as agent:
        await agent.ask("desk.available", state="available")
        assert await answer(house, agent, "修好了") == left["c"]
        assert agent.texts(left["c"], -agent.me) == [TEXT]
        async with socket_client(house.door, token, after=visitor) as reloaded:
            await reloaded.heard(lambda frame: "修好了" in str(frame.get("ev")))
            assert reloaded.texts(left["c"]) == [TEXT, "修好了"]
            assert [one["c"] for one in (await reloaded.ask("me"))["conversations"]] == [left["c"]]
            assert (await reloaded.ask("desk.status"))["open"] is True
            await reloaded.say(left["c"], "谢谢")
            await agent.heard(lambda frame: "谢谢" in str(frame))
    async with socket_client(house.door, token) as elsewhere:  # a page that has kept nothing but the token
        await elsewhere.heard(lambda frame: frame["t"] == "sync" and "谢谢" in str(frame))
        assert elsewhere.texts(left["c"]) == [TEXT, "修好了", "谢谢"]


@acted(House)
async def test_who_has_gone_is_answered_after_a_reload_at_any_time_of_the_week(house: House) -> None:
    await close_for_the_night(house)
    await house.pass_time(4 * 24 * HOUR_S)  # Friday, 20:00: it opens on Monday
    token = await become_visitor(house.door)
    async with socket_client(house.door, token) as visitor:
        found = await visitor.ask("desk.status")
        assert found["opens"] == TUESDAY_NINE_MS + 6 * 24 * HOUR_S * 1000
        left = await visitor.ask("desk.form", text=TEXT)
    await house.pass_time(61 * HOUR_S)
    async with socket_client(house.door, await house.account("agent", "小王")) as agent:
        await agent.ask("desk.available", state="available")
        assert await answer(house, agent, "好的") == left["c"]
        case = (await agent.ask("desk.list", tab="mine"))["items"][0]
        await agent.ask("desk.close", c=case["c"], rev=case["rev"])
    async with socket_client(house.door, token, after=visitor) as reloaded:
        await reloaded.heard(lambda frame: "closed" in str(frame.get("ev")))
        assert reloaded.texts(left["c"]) == [TEXT, "好的"]


@acted(House)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("my printer is broken", f"nobody is here now; the desk opens {OPENS}"),
        (TEXT, f"现在无人值班，{OPENS} 开始服务"),
    ],
)
async def test_at_netcat_one_is_told_when_it_opens_and_comes_back_by_the_token(
    house: House, text: str, told: str
) -> None:
    await close_for_the_night(house)
    async with netcat(house.door) as terminal:
        await terminal.type(text)
        await terminal.until(told)
        token = (await terminal.until("/token ")).rpartition(" ")[2]
    await house.pass_time(13 * HOUR_S + 60)
    async with socket_client(house.door, await house.account("agent", "小王")) as agent:
        await agent.ask("desk.available", state="available")
        await answer(house, agent, "修好了")
        async with netcat(house.door) as terminal:
            await terminal.type(f"/token {token}")
            assert (await terminal.until("修好了")).endswith("小王: 修好了")
            await terminal.type("谢谢")
            await agent.heard(lambda frame: "谢谢" in str(frame))


@acted(House)
async def test_by_udp_one_is_told_when_it_opens_and_answered_at_the_same_address(house: House) -> None:
    await close_for_the_night(house)
    async with (
        program(house.door) as sender,
        socket_client(house.door, await house.account("agent", "小王")) as agent,
    ):
        sender.send(TEXT)
        await sender.until(lambda line: f"现在无人值班，{OPENS} 开始服务" in line)
        await agent.ask("desk.available", state="available")
        await house.pass_time(13 * HOUR_S + 60)
        await answer(house, agent, "修好了")
        await sender.until(lambda line: line == "修好了")
