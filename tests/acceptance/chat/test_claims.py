"""Acceptance 7: of agents who claim at once one wins and the others learn who; visitors of an agent who is gone wait
again, in front; whoever waits is offered as soon as there is room.

PORTICO_TEST_REAL_TIME=1 waits for an agent who is gone by the clock on the wall as well.
"""

import asyncio
import os
import random
import time
from contextlib import AsyncExitStack
from statistics import median

import pytest
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import Frame, Refused, SocketClient, become_visitor, socket_client
from tests.acceptance.chat.house import House
from tests.acceptance.chat.process import Chat
from tests.acceptance.chat.text_clients import netcat

from portico.apps.chat import cases, people
from portico.apps.chat.cases import Case

ROUNDS = 1_000
TICK_S = 5.0


async def waiting_case(house: House) -> Case:
    """Have a visitor wait who is somebody new."""
    return await house.premises.store.write(
        lambda change: cases.start(change, people.add_person(change, "visitor", "Visitor"))
    )


async def tried(client: SocketClient, op: str, case: Case) -> Frame | Refused:
    try:
        return await client.ask(op, c=case.conversation, rev=case.revision)
    except Refused as exc:
        return exc


@acted(House)
async def test_of_two_agents_who_claim_at_once_one_wins_and_the_other_is_told_who(house: House) -> None:
    chance = random.Random(7)
    async with AsyncExitStack() as open_all:
        agents = {}
        for name in ("小王", "Li"):
            client = await open_all.enter_async_context(socket_client(house.door, await house.account("agent", name)))
            await client.ask("desk.available", state="away")  # nobody is asked: both see who waits, and take
            agents[name] = client
        wins = dict.fromkeys(agents, 0)
        for _ in range(ROUNDS):
            case = await waiting_case(house)
            names = chance.sample(list(agents), 2)
            answers = await asyncio.gather(*(tried(agents[name], "desk.take", case) for name in names))
            won = {name: answer for name, answer in zip(names, answers, strict=True) if isinstance(answer, dict)}
            lost = [answer for answer in answers if isinstance(answer, Refused)]
            assert len(won) == len(lost) == 1
            [(winner, answer)] = won.items()
            assert (lost[0].code, lost[0].why) == ("taken", f"taken by {winner}")
            wins[winner] += 1
            house.now_ms += 1_000  # for the limits
            await agents[winner].ask("desk.close", c=case.conversation, rev=answer["rev"])
        assert min(wins.values()) > 0, wins
    rows = await house.rows("SELECT count(*) FROM event WHERE kind = 'assign' GROUP BY conversation")
    assert rows == [(1,)] * ROUNDS


@acted(House)
async def test_who_is_asked_and_who_takes_at_the_same_moment_do_not_both_get_the_visitor(house: House) -> None:
    async with AsyncExitStack() as open_all:
        tokens = [await house.account("agent", name) for name in ("小王", "Li")]
        agents = [await open_all.enter_async_context(socket_client(house.door, token)) for token in tokens]
        for client in agents:
            await client.ask("desk.available", state="available")
        for _ in range(100):
            case = await waiting_case(house)
            await house.pass_time(1)
            [(offered,)] = await house.rows("SELECT offered FROM desk_case WHERE conversation = ?", case.conversation)
            asked, other = sorted(agents, key=lambda client: client.me != offered)
            answers = await asyncio.gather(tried(asked, "desk.accept", case), tried(other, "desk.take", case))
            [(state, agent)] = await house.rows(
                "SELECT state, agent FROM desk_case WHERE conversation = ?", case.conversation
            )
            winner, loser = (0, 1) if agent == asked.me else (1, 0)
            assert state == "open"
            won, refused = answers[winner], answers[loser]
            assert isinstance(won, dict)
            assert isinstance(refused, Refused)
            assert refused.code == "taken"
            await (asked, other)[winner].ask("desk.close", c=case.conversation, rev=won["rev"])


@acted(House)
@pytest.mark.parametrize(("language", "told"), [("en", "*** taken by 小王"), ("zh", "*** 已由 小王 接待")])
async def test_at_netcat_too_one_is_told_who_was_first(house: House, language: str, told: str) -> None:
    case = await waiting_case(house)
    async with (
        socket_client(house.door, await house.account("agent", "小王")) as agent,
        netcat(house.door) as terminal,
    ):
        await terminal.type(f"/lang {language}", f"/token {await house.account('agent', 'Li')}", "/queue")
        await terminal.until(f"/take {case.conversation}")
        await agent.ask("desk.take", c=case.conversation, rev=case.revision)
        behind = len(terminal.lines)
        await terminal.type(f'/json on\n{{"t":"ask","id":1,"op":"desk.take","c":{case.conversation},"rev":1}}')
        await terminal.until('"taken"', behind=behind)


async def served(house: House, visitor: SocketClient, agent: SocketClient) -> int:
    """Have an agent take a visitor, who says something; return the conversation."""
    conversation: int = (await visitor.ask("desk.start"))["c"]
    await agent.ask("desk.take", c=conversation, rev=1)
    await visitor.say(conversation, "hello?")
    return conversation


async def states(house: House, conversation: int) -> list[str]:
    rows = await house.rows("SELECT state, offered FROM desk_case WHERE conversation = ?", conversation)
    return [state for state, _ in rows]


@acted(House)
async def test_a_visitor_whose_agent_is_cut_off_waits_again_within_75_seconds_and_not_before_60(house: House) -> None:
    token = await house.account("agent", "小王")
    async with socket_client(house.door, await become_visitor(house.door)) as visitor:
        async with socket_client(house.door, token) as agent:
            conversation = await served(house, visitor, agent)
            await house.pass_time(0)
            agent.reset()
            await house.until(lambda: agent.me not in house.premises.house.hub.readers)
            passed_s = 0.0
            while await states(house, conversation) == ["open"]:
                await house.pass_time(TICK_S)  # as often as the desk looks by itself
                passed_s += TICK_S
                assert passed_s <= 75
            assert passed_s >= 60
        event = await visitor.heard(
            lambda frame: frame["t"] == "ev" and frame["k"] == "state" and "returned" in str(frame)
        )
        assert event["b"] == {"state": "queued", "why": "returned"}
        told = await visitor.heard(lambda frame: frame["t"] == "st" and frame.get("desk", {}).get("pos") == 1)
        assert told["c"] == conversation


@acted(House)
async def test_an_agent_who_reloads_the_page_keeps_the_visitor(house: House) -> None:
    token = await house.account("agent", "小王")
    async with socket_client(house.door, await become_visitor(house.door)) as visitor:
        async with socket_client(house.door, token) as agent:
            conversation = await served(house, visitor, agent)
            agent.reset()
        await house.until(lambda: agent.me not in house.premises.house.hub.readers)
        for _ in range(11):
            await house.pass_time(TICK_S)
        async with socket_client(house.door, token, after=agent) as again:
            for _ in range(20):
                await house.pass_time(TICK_S)
            assert await states(house, conversation) == ["open"]
            await again.say(conversation, "here I am")
        await visitor.heard(lambda frame: "here I am" in str(frame))


@acted(House)
async def test_who_returns_to_the_queue_is_served_first_and_by_somebody_else(house: House) -> None:
    async with AsyncExitStack() as open_all:
        tokens = [await become_visitor(house.door) for _ in range(2)]
        first, second = [await open_all.enter_async_context(socket_client(house.door, token)) for token in tokens]
        async with socket_client(house.door, await house.account("agent", "小王")) as agent:
            conversation = await served(house, first, agent)
            await agent.ask("desk.available", state="away")
            await second.ask("desk.start")
            await house.pass_time(0)
            agent.reset()
        await house.until(lambda: agent.me not in house.premises.house.hub.readers)
        for _ in range(13):
            await house.pass_time(TICK_S)
        other = await open_all.enter_async_context(socket_client(house.door, await house.account("agent", "Li")))
        await other.ask("desk.list", tab="queue")
        await house.pass_time(0)
        items = (await other.ask("desk.list", tab="queue"))["items"]
        assert next(item["c"] for item in items if item["offered"]) == conversation


async def offered_to(agent: SocketClient, conversation: int) -> None:
    """Wait until an agent is offered a visitor."""
    while True:
        behind = len(agent.frames)
        items = (await agent.ask("desk.list", tab="queue"))["items"]
        if any(item["c"] == conversation and item["offered"] for item in items):
            return
        await agent.heard(lambda frame: frame.get("desk_list"), behind=behind)


@acted(Chat)
async def test_as_soon_as_there_is_room_the_next_one_is_offered(chat: Chat) -> None:
    agent_token = await chat.account("agent", "小王")
    async with AsyncExitStack() as open_all:
        enter = open_all.enter_async_context
        admin = await enter(socket_client(chat.door, await chat.admin()))
        await admin.ask("desk.queues.set", queue=1, name="desk", capacity=1)
        agent = await enter(socket_client(chat.door, agent_token))
        await agent.ask("desk.available", state="available")
        took_s = []
        current = (await (await enter(socket_client(chat.door, await become_visitor(chat.door)))).ask("desk.start"))[
            "c"
        ]
        for _ in range(5):
            await offered_to(agent, current)
            accepted = await agent.ask("desk.accept", c=current)
            visitor = await enter(socket_client(chat.door, await become_visitor(chat.door)))
            following = (await visitor.ask("desk.start"))["c"]
            await agent.ask("desk.close", c=current, rev=accepted["rev"])
            began_s = time.monotonic()
            await offered_to(agent, following)
            took_s.append(time.monotonic() - began_s)
            current = following
        assert median(took_s) < 1.0, took_s


@pytest.mark.skipif("PORTICO_TEST_REAL_TIME" not in os.environ, reason="takes more than a minute of real time")
@acted(Chat, longest_s=200)
async def test_by_the_clock_on_the_wall_a_visitor_waits_again_within_75_seconds(chat: Chat) -> None:
    token = await chat.account("agent", "小王")
    async with socket_client(chat.door, await become_visitor(chat.door)) as visitor:
        async with socket_client(chat.door, token) as agent:
            conversation = (await visitor.ask("desk.start"))["c"]
            await agent.ask("desk.take", c=conversation, rev=1)
            await visitor.say(conversation, "hello?")
            agent.reset()
            began_s = time.monotonic()
        async with asyncio.timeout(90):
            while not any("returned" in str(frame) for frame in visitor.frames):
                await visitor.ask("me")
                await asyncio.sleep(0.5)
        took_s = time.monotonic() - began_s
        print(f"requeued after {took_s:.1f} s")
        assert 60 <= took_s <= 75
