"""Presence over real sockets: who comes, goes, flaps or vanishes; who is told, and who is not."""

import asyncio
from typing import Any

import pytest
from tests.apps.chat.asking import Asking, Somebody, asked
from tests.apps.chat.text_stage import TextStage
from tests.apps.chat.text_stage import acted as typed
from tests.apps.chat.web_stage import Client, WebStage, acted, hear, hello
from tests.net.silence import vanish
from tests.server.stage import PATIENCE_S

from portico.apps.chat import frames, people, rooms
from portico.apps.chat.hub import Seat
from portico.apps.chat.lines import LOST_S
from portico.apps.chat.log import Change
from portico.apps.chat.presence import LEASE_S, MAX_TOLD, TICK_S
from portico.apps.chat.websocket import MESSAGES
from portico.settings import Messages

SOON_S = 0.01
BOUND_S = 75


async def room(stage: WebStage, *members: int) -> int:
    def work(change: Change) -> int:
        number = rooms.make_room(change, members[0], "Lobby", is_public=False)
        for other in members[1:]:
            rooms.add_member(change, number, other, by=members[0])
        return number

    return await stage.store.write(work)


async def told(client: Client, member: str) -> dict[str, Any]:
    """Return the next `st` that has a member; what comes in the same message is about something else."""
    found: list[dict[str, Any]] = []
    while not found:
        found = [frame for frame in await hear(client) if frame["t"] == "st" and member in frame]
    return found[-1]


async def enter(stage: WebStage, client: Client, person: int) -> None:
    await client.send(hello(await stage.device(person)))
    await hear(client)


def test_nobody_is_shown_for_longer_than_promised() -> None:
    pings_s = MESSAGES.ws_ping_interval + MESSAGES.ws_ping_timeout
    assert max(pings_s, LOST_S, LEASE_S) + 2 * TICK_S <= BOUND_S


@acted()
async def test_who_comes_and_goes_is_told_to_those_who_share_a_conversation(stage: WebStage) -> None:
    stage.house.presence.tick_s = SOON_S
    li, wang, stranger = [await stage.person(name=name) for name in ("李", "王", "陌")]
    await room(stage, li, wang)
    async with stage.socket() as one, stage.socket() as third:
        await enter(stage, one, li)
        await enter(stage, third, stranger)
        for _ in range(2):  # and again after it was over
            async with stage.socket() as other:
                await enter(stage, other, wang)
                news = await told(one, "online")
                assert (news["online"], news["via"]) == ({str(wang): True}, {str(wang): ["ws"]})
            news = await told(one, "online")
            assert (news["online"], news["via"]) == ({str(wang): False}, {})
        await third.send(frames.write("ask", id=1, op="nothing"))
        heard = await hear(third)
        while heard[-1]["t"] != "err":
            heard += await hear(third)
        assert [frame["t"] for frame in heard] == ["err"]


@acted(is_open=False)
async def test_a_peer_that_vanished_is_not_here_for_long(stage: WebStage) -> None:
    stage.messages = Messages(ws_ping_interval=0.2, ws_ping_timeout=0.2)
    await stage.open()
    stage.house.presence.tick_s = SOON_S
    li, wang = await stage.person(name="李"), await stage.person(name="王")
    await room(stage, li, wang)
    async with stage.socket() as one:
        await enter(stage, one, li)
        async with stage.socket() as other:
            await enter(stage, other, wang)
            assert (await told(one, "online"))["online"] == {str(wang): True}
            vanish(other.transport.get_extra_info("socket"))
            assert (await told(one, "online"))["online"] == {str(wang): False}
            assert wang not in stage.house.hub.readers
            other.transport.abort()


@acted()
async def test_several_connections_are_one_person_with_several_ways(stage: WebStage) -> None:
    presence = stage.house.presence
    presence.tick_s = SOON_S
    li, wang = await stage.person(name="李"), await stage.person(name="王")
    await room(stage, li, wang)
    async with stage.socket() as one, stage.socket() as first:
        await enter(stage, one, li)
        await enter(stage, first, wang)
        await told(one, "online")
        async with stage.socket() as second:
            await enter(stage, second, wang)
            await stage.until(lambda: len(stage.house.hub.readers[wang]) == 2)
        await stage.until(lambda: len(stage.house.hub.readers[wang]) == 1)
        assert presence.card(wang) == {"online": True, "via": ("ws",)}
        await first.close()
        assert (await told(one, "online"))["online"] == {str(wang): False}  # and nothing between


@acted()
async def test_how_many_are_there_is_told_to_who_looks(stage: WebStage) -> None:
    stage.house.presence.tick_s = SOON_S
    li, wang = await stage.person(name="李"), await stage.person(name="王")
    number = await room(stage, li, wang)
    async with stage.socket() as one:
        await enter(stage, one, li)
        await one.send(frames.write("view", c=number))
        await counted(one, 1)
        async with stage.socket() as other:
            await enter(stage, other, wang)
            await counted(one, 2)
            await one.send(frames.write("view", c=0))
            await one.send(frames.write("view", c=number))
            await counted(one, 2)
            await one.send(frames.write("view", c=0))
            await stage.until(lambda: not stage.house.presence.is_looking(number))
        assert "here" not in await told(one, "online")
        await one.send(frames.write("view", c=number + 1))
        await one.send(frames.write("view", c=number))
        await counted(one, 1)


async def counted(client: Client, count: int) -> None:
    """Wait for a number of those who are here."""
    while (await told(client, "here"))["here"] != count:
        pass


async def _quiet(house: Asking, somebody: Somebody) -> list[dict[str, Any]]:
    """Return what somebody was told of presence, once a tick has passed for certain."""
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        while house.house.presence.is_busy:  # noqa: ASYNC110 - a timer, and no event, ends it
            await asyncio.sleep(SOON_S)
    await asyncio.sleep(0)  # what is said leaves at the end of the turn
    return [frame for frame in somebody.wire.frames if "online" in frame]


async def seated(house: Asking, conversation: int, count: int) -> None:
    """Wait until so many connections follow a conversation."""
    rooms = house.house.hub.rooms
    async with asyncio.timeout(PATIENCE_S):
        while conversation not in rooms or len(rooms[conversation].readers) < count:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)


@asked
async def test_in_a_large_room_nobody_is_named(house: Asking) -> None:
    house.house.presence.tick_s = SOON_S
    li, wang = await house.person(name="Li"), await house.person(name="Wang")
    number = (await li.ask("room.make", title="Hall", public=True))["c"]
    await wang.ask("room.join", c=number)
    await seated(house, number, 2)
    hall = house.house.hub.rooms[number]
    hall.seats.update({1000 + n: Seat(1) for n in range(MAX_TOLD)})
    await _quiet(house, li)
    li.wire.frames.clear()
    await li.session.take(frames.write("view", c=number))
    wang.session.end()
    assert await _quiet(house, li) == []
    assert [frame["here"] for frame in li.wire.frames if "here" in frame] == [2, 1]


@asked
async def test_who_has_left_a_room_is_nobodys_company(house: Asking) -> None:
    house.house.presence.tick_s = SOON_S
    li, wang, zhao = [await house.person(name=name) for name in ("Li", "Wang", "Zhao")]
    number = (await li.ask("room.make", title="Hall", public=True))["c"]
    for other in (wang, zhao):
        await other.ask("room.join", c=number)
    await seated(house, number, 3)
    await _quiet(house, li)
    await wang.ask("room.leave", c=number)
    for one in (li, wang, zhao):
        one.wire.frames.clear()
    phone = await house.again(wang.id)
    wang.session.end()
    phone.session.end()
    assert await _quiet(house, li) == []
    zhao.session.end()
    assert [frame["online"] for frame in await _quiet(house, li)] == [{str(zhao.id): False}]
    assert await _quiet(house, wang) == []


@asked
async def test_who_comes_back_at_once_has_not_been_away(house: Asking) -> None:
    house.house.presence.tick_s = SOON_S
    li, wang = await house.person(name="Li"), await house.person(name="Wang")
    await seated(house, (await li.ask("direct", person=wang.id))["c"], 2)
    await _quiet(house, li)
    li.wire.frames.clear()
    wang.session.end()
    again = await house.again(wang.id)
    assert await _quiet(house, li) == []
    again.session.end()
    again.session.end()
    assert [frame["online"] for frame in await _quiet(house, li)] == [{str(wang.id): False}]


class Deaf:
    """A wire without room."""

    def __init__(self, somebody: Somebody) -> None:
        self.has_room = False
        self.send = somebody.wire.send


@asked
async def test_who_takes_nothing_is_told_later_of_how_things_are_then(house: Asking) -> None:
    presence = house.house.presence
    presence.tick_s = SOON_S
    li, wang = await house.person(name="Li"), await house.person(name="Wang")
    await seated(house, (await li.ask("direct", person=wang.id))["c"], 2)
    await _quiet(house, li)
    reader = li.session.reader
    assert reader is not None
    li.wire.frames.clear()
    deaf = Deaf(li)
    reader.wire = deaf
    wang.session.end()
    async with asyncio.timeout(PATIENCE_S):
        while presence.ways(wang.id) or not presence.owes(reader):  # noqa: ASYNC110 - a timer, and no event, ends it
            await asyncio.sleep(SOON_S)
    assert [frame for frame in li.wire.frames if "online" in frame] == []
    deaf.has_room = True
    assert [frame["online"] for frame in await _quiet(house, li)] == [{str(wang.id): False}]


@asked
async def test_whoever_is_signed_out_while_saying_hello_is_not_counted(house: Asking) -> None:
    li = await house.person(name="Li")
    reader = li.session.reader
    assert reader is not None
    house.house.hub.leave(reader)
    house.house.presence.come(reader, "ws")
    assert house.house.presence.ways(li.id) == ()
    assert house.house.presence.count(99) == 0


@asked
async def test_a_person_alone_and_one_in_an_empty_place_are_told_to_nobody(house: Asking) -> None:
    house.house.presence.tick_s = SOON_S
    li = await house.person(name="Li")
    number = (await li.ask("room.make", title="Hall", public=True))["c"]
    await seated(house, number, 1)
    reader = li.session.reader
    assert reader is not None
    house.house.presence.hear(reader)  # which has a connection, and needs no lease
    li.session.end()
    assert number not in house.house.hub.rooms
    assert await _quiet(house, li) == []


@typed
async def test_a_peer_without_a_connection_is_here_by_lease(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    presence = stage.house.presence
    presence.tick_s, presence.lease_s = SOON_S, 0.3
    sender = stage.sender()
    sender.send("/name Box", "hello")
    await sender.until("Box")
    [(person,)] = await stage.rows("SELECT id FROM person WHERE kind = 'peer'")
    assert presence.card(person) == {"online": True, "via": ("udp",)}
    await stage.until(lambda: not presence.ways(person))
    assert person in stage.house.hub.readers  # what is said is sent to it all the same
    sender.send("/who")
    await stage.until(lambda: presence.ways(person) == ("udp",))


@pytest.mark.parametrize("kind", ["user", "visitor"])
@asked
async def test_a_card_says_how_somebody_is_here(house: Asking, kind: str) -> None:
    li = await house.person(name="Li")
    other = await house.person(kind, "Wang")
    number = (await li.ask("room.make", title="Hall", public=True))["c"]
    await li.ask("room.invite", c=number, person=other.id)
    answer = await li.ask("room.members", c=number)
    assert (answer["count"], answer["here"], answer["role"]) == (2, 2, "owner")
    assert [(card["name"], card["online"], card["via"], card["read"]) for card in answer["members"]] == [
        ("Li", True, ["ws"], 0),
        ("Wang", True, ["ws"], 0),
    ]
    other.session.end()
    answer = await li.ask("room.members", c=number, limit=1)
    assert (answer["count"], answer["here"], len(answer["members"])) == (2, 1, 1)
    assert (await house.store.read(lambda db: people.person(db, other.id))).name == "Wang"


@asked
async def test_when_many_go_at_once_everybody_is_told_of_everybody_in_portions(house: Asking) -> None:
    house.house.presence.tick_s = SOON_S
    li = await house.person(name="Li")
    others = [await house.person(name=f"{n}") for n in range(150)]  # over two portions
    numbers = [(await other.ask("direct", person=li.id))["c"] for other in others]
    await seated(house, numbers[-1], 2)
    await _quiet(house, li)
    for one in (li, *others):
        one.wire.frames.clear()
    for other in others[1:]:
        other.session.end()
    news = await _quiet(house, li)
    assert {person: state for frame in news for person, state in frame["online"].items()} == {
        str(other.id): False for other in others[1:]
    }
    assert len(news) > 1
    li.session.end()
    assert [frame["online"] for frame in await _quiet(house, others[0])] == [{str(li.id): False}]


@asked
async def test_who_was_shown_as_here_and_goes_within_the_second_is_told_to_have_gone(house: Asking) -> None:
    li, wang = await house.person(name="Li"), await house.person(name="Wang")
    await li.ask("direct", person=wang.id)
    house.house.presence.tick_s = SOON_S
    assert house.house.presence.card(wang.id)["online"]  # on somebody's page, before anybody was told
    wang.session.end()
    assert {str(wang.id): False} in [frame["online"] for frame in await _quiet(house, li)]
