"""Acceptance 10: whatever happened while a client was away is there when it comes back: edits, deletions, assignment,
closing, joining and leaving; by WebSocket, by frames over TCP, at netcat, by UDP."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import (
    FrameClient,
    Refused,
    SocketClient,
    become_visitor,
    json_client,
    socket_client,
)
from tests.acceptance.chat.house import House
from tests.acceptance.chat.text_clients import netcat, program

Connect = Callable[..., AbstractAsyncContextManager[FrameClient]]
WAYS = pytest.mark.parametrize("connect", [socket_client, json_client], ids=["websocket", "tcp"])
ENDS = pytest.mark.parametrize("is_cut", [False, True], ids=["closed", "cut"])


async def kept(house: House, conversation: int, behind: int) -> list[dict[str, Any]]:
    """Return what the database has of a conversation, as frames have it."""
    query = "SELECT seq, kind, sender, ref, body FROM event WHERE conversation = ? AND seq > ? ORDER BY seq"
    rows = await house.rows(query, conversation, behind)
    return [
        {"s": seq, "k": kind, "f": sender, "b": json.loads(body), **({"ref": ref} if ref else {})}
        for seq, kind, sender, ref, body in rows
    ]


def told(client: FrameClient, conversation: int, behind: int) -> list[dict[str, Any]]:
    """Return what a client knows of a conversation, likewise."""
    names = ("s", "k", "f", "b", "ref")
    return [{name: one[name] for name in names if name in one} for one in client.logs[conversation][behind:]]


async def leave(client: FrameClient, *, is_cut: bool) -> None:
    """Be away from now on."""
    if is_cut:
        client.reset()
    else:
        await client.close()


@acted(House)
@WAYS
@ENDS
async def test_a_visitor_who_was_away_has_all_that_happened(house: House, connect: Connect, is_cut: bool) -> None:
    door = house.door
    async with (
        socket_client(door, await house.account("agent", "小王")) as agent,
        socket_client(door, await house.account("agent", "Li")) as other,
    ):
        async with connect(door, await become_visitor(door)) as visitor:
            c = (await visitor.ask("desk.start"))["c"]
            await visitor.say(c, "hello")
            rev = (await agent.ask("desk.take", c=c, rev=1))["rev"]
            first = (await agent.say(c, "frist"))["s"]
            second = (await agent.say(c, "wrong window, sorry"))["s"]
            await visitor.read_to(c, second)
            await leave(visitor, is_cut=is_cut)
        await agent.say(c, "first", k="edit", ref=first)
        await agent.say(c, "", k="del", ref=second, b={})
        await agent.say(c, "", k="react", ref=first, b={"mark": "👍", "on": True})
        await agent.ask("desk.transfer", c=c, rev=rev, to=other.me)
        rev = (await other.ask("desk.accept", c=c))["rev"]
        await other.say(c, "I am Li")
        await other.ask("desk.close", c=c, rev=rev)
        async with connect(door, visitor.token, after=visitor) as again:
            closed = [one["s"] for one in await kept(house, c, second) if one["b"].get("state") == "closed"]
            await again.read_to(c, closed[0])
            expected = await kept(house, c, second)
            await again.read_to(c, expected[-1]["s"])
            assert told(again, c, second) == expected
            kinds = [one["k"] for one in expected]
            assert kinds[:3] == ["edit", "del", "react"]
            assert {"assign", "msg", "state"} <= set(kinds)
        async with connect(door, visitor.token) as anew:
            await anew.read_to(c, expected[-1]["s"])
            assert told(anew, c, 0) == await kept(house, c, 0)
            assert anew.logs[c][second - 1]["b"] == {}  # what was deleted is nowhere any more


@acted(House)
@WAYS
@ENDS
async def test_an_agent_who_was_away_has_what_the_visitor_did(house: House, connect: Connect, is_cut: bool) -> None:
    door = house.door
    async with socket_client(door, await become_visitor(door)) as visitor:
        c = (await visitor.ask("desk.start"))["c"]
        first = (await visitor.say(c, "hallo"))["s"]
        async with connect(door, await house.account("agent", "小王")) as agent:
            await agent.ask("desk.take", c=c, rev=1)
            head = (await agent.say(c, "yes?"))["s"]
            await agent.read_to(c, head)
            await leave(agent, is_cut=is_cut)
        await visitor.say(c, "hello", k="edit", ref=first)
        await visitor.say(c, "the printer")
        await visitor.ask("desk.close", c=c)
        async with connect(door, agent.token, after=agent) as again:
            await again.heard(lambda frame: "closed" in str(frame.get("ev")))
            log = again.logs[c]
            assert told(again, c, 0) == (await kept(house, c, 0))[: len(log)]
            assert [one["k"] for one in log[head:]] == ["edit", "msg", "state", "leave"]


@acted(House)
@WAYS
async def test_a_member_of_a_room_who_was_away_has_who_came_and_went(house: House, connect: Connect) -> None:
    door = house.door
    async with (
        socket_client(door, await house.account("user", "Li")) as li,
        socket_client(door, await house.account("user", "Zhou")) as zhou,
    ):
        room = (await li.ask("room.make", title="Hall", public=True))["c"]
        async with connect(door, await house.account("user", "Wang")) as wang:
            await wang.ask("room.join", c=room)
            head = (await li.say(room, "hello"))["s"]
            await wang.read_to(room, head)
        await zhou.ask("room.join", c=room)
        sent = await zhou.say(room, "me too")
        await zhou.say(room, "", k="del", ref=sent["s"], b={})
        await li.ask("room.title", c=room, title="Tower")
        await zhou.ask("room.leave", c=room)
        async with connect(door, wang.token, after=wang) as again:
            await again.read_to(room, head + 5)
            assert told(again, room, head) == await kept(house, room, head)
            assert [one["k"] for one in again.logs[room][head:]] == ["join", "msg", "del", "title", "leave"]


@acted(House)
async def test_who_was_taken_out_while_away_reads_up_to_that_and_no_further(house: House) -> None:
    door = house.door
    async with socket_client(door, await house.account("user", "Li")) as li:
        room = (await li.ask("room.make", title="Hall", public=False))["c"]
        async with socket_client(door, await house.account("user", "Wang")) as wang:
            await li.ask("room.invite", c=room, person=wang.me)
            await li.ask("room.members", c=room)
            await wang.read_to(room, 2)
        await li.say(room, "still for all")
        await li.ask("room.remove", c=room, person=wang.me)
        await li.say(room, "without Wang")
        async with socket_client(door, wang.token, after=wang) as again:
            await again.ask("me")
            await again.tell(t="get", id=7, c=room, after=0)
            page = await again.heard(lambda frame: frame["t"] == "page")
            assert "still for all" in str(page)
            assert "without Wang" not in str(again.frames)
            with pytest.raises(Refused, match="forbidden"):
                await again.say(room, "hello?")


@acted(House)
async def test_at_netcat_and_by_udp_too_one_is_told_what_was_missed(house: House) -> None:
    door = house.door
    async with socket_client(door, await house.account("agent", "小王")) as agent, program(door) as sender:
        async with netcat(door) as terminal:
            await terminal.type("hello")
            token = (await terminal.until("/token ")).rpartition(" ")[2]
            c = await serve(house, agent)
            first = (await agent.say(c, "frist"))["s"]
            await terminal.until("frist")
        assert (await sender.say("1", "hello")).startswith("#1 ok")
        other = await serve(house, agent)
        await agent.say(c, "first", k="edit", ref=first)
        await agent.say(c, "are you there?")
        numbered = (await agent.say(other, "to you"))["s"]
        await sender.until(lambda text: text == f"#s{numbered} to you")
        async with netcat(door) as terminal:
            await terminal.type(f"/token {token}")
            await terminal.until(f"小王 has changed #{first}: first")
            await terminal.until("小王: are you there?")
        behind = len(sender.datagrams)
        sender.send(f"#have {numbered - 1}")  # a program that was started anew
        await sender.until(lambda text: text == f"#s{numbered} to you", behind=behind)


async def serve(house: House, agent: SocketClient) -> int:
    """Have an agent take the only visitor who waits; return the conversation."""
    await house.pass_time(1)
    [item] = (await agent.ask("desk.list", tab="queue"))["items"]
    await agent.ask("desk.take", c=item["c"], rev=item["rev"])
    return int(item["c"])
