"""The chat over WebSocket, with another program's client."""

import asyncio
import json
from collections.abc import Callable

import pytest
import websockets
from tests.apps.chat.web_stage import Client, WebStage, acted, hear, hear_end, hello
from tests.server.stage import LOOPS, PATIENCE_S

from portico.apps.chat import frames, people, rooms
from portico.apps.chat.events import Entry
from portico.apps.chat.log import Change, put
from portico.apps.chat.websocket import MAX_MESSAGE, MAX_UNSENT, Joiner, Terms
from portico.settings import Messages

BOTH = tuple(LOOPS)


async def room(stage: WebStage, *members: int) -> int:
    """Make a room with some persons in it."""

    def work(change: Change) -> int:
        number = rooms.make_room(change, members[0], "Lobby", is_public=False)
        for other in members[1:]:
            rooms.add_member(change, number, other, by=members[0])
        return number

    return await stage.store.write(work)


async def greeted(client: Client, token: str, **more: object) -> list[dict[str, object]]:
    """Say hello; return what came up to the first conversation's events."""
    await client.send(hello(token, **more))
    found = await hear(client)
    while not any(frame["t"] == "sync" for frame in found):
        found += await hear(client)
    return found


async def events(client: Client, last: int) -> list[int]:
    """Return the seqs of the events that come, pushed or not, up to one."""
    seqs: list[int] = []
    while not seqs or seqs[-1] < last:
        for frame in await hear(client):
            seqs += [event["s"] for event in frame.get("ev", ())] if frame["t"] == "sync" else []
            seqs += [frame["s"]] if frame["t"] == "ev" else []
    return seqs


@acted(loops=BOTH)
async def test_two_people_talk(stage: WebStage) -> None:
    li, wang = await stage.person(name="李雷"), await stage.person(name="王芳")
    number = await room(stage, li, wang)
    async with stage.socket() as one, stage.socket() as other:
        assert one.subprotocol == "portico.chat.v1"
        welcome = (await greeted(one, await stage.device(li)))[0]
        assert (welcome["t"], welcome["me"], welcome["epoch"]) == ("welcome", li, stage.store.epoch)
        await greeted(other, await stage.device(wang))
        await one.send(frames.write("send", c=number, cid="a1", b={"text": "你好"}))
        heard = {frame["t"]: frame for frame in await hear(one, 2)}
        assert heard["ack"]["s"] == 3
        assert [(e["t"], e["f"], e["b"]["text"]) for e in await hear(other)] == [("ev", li, "你好")]


@acted()
async def test_several_frames_in_one_message(stage: WebStage) -> None:
    person = await stage.person()
    async with stage.socket() as client:
        await client.send(hello(await stage.device(person)) + '\n{"t":"ask","id":7,"op":"nothing"}\n')
        assert [frame["t"] for frame in await hear(client, 2)] == ["welcome", "err"]


BEGINNINGS: dict[str, tuple[str | bytes, int, list[str]]] = {
    "binary": (b"\0\1", 1003, ["bye"]),
    "too long": ("x" * (MAX_MESSAGE + 1), 1009, []),
    "too long in UTF-8": ("你" * (MAX_MESSAGE // 2), 1009, []),
    "no JSON": ("hello", 4001, ["proto", "bye"]),
    "no object": ("[]", 4001, ["proto", "bye"]),
    "nothing": ("", 4001, ["bye"]),
    "something before hello": ('{"t":"ask","id":1,"op":"me"}', 4001, ["auth", "bye"]),
    "another version": ('{"t":"hello","v":2,"tok":"x"}', 4001, ["version", "bye"]),
    "no token": ('{"t":"hello","v":1}', 4001, ["proto", "bye"]),
    "a forged token": (hello("A" * 43), 4001, ["auth", "bye"]),
    "a token of nobody": (hello(""), 4001, ["auth", "bye"]),
    "a token that is no text": ('{"t":"hello","v":1,"tok":["x"]}', 4001, ["proto", "bye"]),
    "a very deep frame": ("[" * 60_000, 4001, ["proto", "bye"]),
    "many frames": ('{"t":"pong"}\n' * 65, 4001, ["proto", "bye"]),
}


@pytest.mark.parametrize("name", BEGINNINGS)
@acted()
async def test_who_does_not_say_hello_is_let_go(stage: WebStage, name: str) -> None:
    message, code, words = BEGINNINGS[name]
    async with stage.socket() as client:
        await client.send(message)
        found, ended, _ = await hear_end(client)
        assert ended == code
        assert [frame.get("code") if frame["t"] == "err" else frame["t"] for frame in found] == words
        await stage.until(lambda: not stage.server.websockets)
    assert stage.house.hub.readers == {}


@acted()
async def test_text_that_is_no_utf_8_ends_it(stage: WebStage) -> None:
    async with stage.socket() as client:
        await client.send(b'{"t":"hello","tok":"\xff"}', text=True)
        assert (await hear_end(client))[1] == 1007


@acted(is_open=False)
async def test_a_server_that_takes_more_does_not_make_the_chat_take_more(stage: WebStage) -> None:
    stage.messages = Messages()
    await stage.open()
    async with stage.socket() as client:
        await client.send("x" * (MAX_MESSAGE + 1))
        assert (await hear_end(client))[1] == 1009


@acted(loops=BOTH, is_open=False)
async def test_silence_is_not_waited_for(stage: WebStage) -> None:
    stage.terms = Terms(hello_s=0.01)
    await stage.open()
    async with stage.socket() as client:
        found, code, why = await hear_end(client)
    assert (code, why) == (4002, "no hello within 0.01 s")
    assert [(frame["t"], frame["code"]) for frame in found] == [("bye", 4002)]


async def revoked(stage: WebStage, person: int) -> str:
    token = await stage.device(person)
    await stage.store.write(lambda change: people.revoke(change, person, 1))
    return token


async def over(stage: WebStage, person: int) -> str:
    token = await stage.device(person, ends_ms=stage.now_ms + 10)
    stage.now_ms += 10
    return token


async def disabled(stage: WebStage, person: int) -> str:
    await stage.write("UPDATE person SET is_disabled = 1 WHERE id = ?", person)
    return await stage.device(person)


@pytest.mark.parametrize("spoil", [revoked, over, disabled])
@acted()
async def test_a_token_that_was_good_is_refused(stage: WebStage, spoil: Callable[..., "asyncio.Future[str]"]) -> None:
    token = await spoil(stage, await stage.person())
    async with stage.socket() as client:
        await client.send(hello(token))
        found, code, _ = await hear_end(client)
    assert (code, found[0]["code"]) == (4001, "auth")


@acted()
async def test_hello_is_said_once(stage: WebStage) -> None:
    li, wang = await stage.person(), await stage.person()
    token, other = await stage.device(li), await stage.device(wang)
    async with stage.socket() as client:
        await client.send(hello(token))
        assert (await hear(client))[0]["me"] == li
        await client.send(hello(other))
        assert [(frame["t"], frame["code"]) for frame in await hear(client)] == [("err", "proto")]
    await stage.until(lambda: stage.house.hub.readers == {})


@acted()
async def test_a_token_may_be_used_by_two_windows(stage: WebStage) -> None:
    token = await stage.device(await stage.person())
    async with stage.socket() as one, stage.socket() as other:
        for client in (one, other):
            await client.send(hello(token))
            assert (await hear(client))[0]["t"] == "welcome"


HALVES = {
    "in an id": '{"t":"send","c":1,"cid":"\\ud800","b":{"text":"x"}}',
    "in a text": '{"t":"send","c":1,"cid":"a","b":{"text":"\\ud800"}}',
    "in a kind": '{"t":"send","c":1,"cid":"a","k":"\\ud800","b":{"text":"x"}}',
    "in an operation": '{"t":"ask","id":1,"op":"\\ud800"}',
    "in a type": '{"t":"\\ud800"}',
}


@pytest.mark.parametrize("name", HALVES)
@acted()
async def test_half_of_a_character_after_hello(stage: WebStage, name: str) -> None:
    person = await stage.person()
    await room(stage, person)
    async with stage.socket() as client:
        await greeted(client, await stage.device(person))
        await client.send(HALVES[name])
        assert (await hear(client))[0]["t"] in ("nack", "err")
        await client.send('{"t":"ask","id":2,"op":"nothing"}')
        assert (await hear(client))[0]["id"] == 2


@acted(loops=BOTH)
async def test_who_does_not_read_costs_one_buffer_and_misses_nothing(stage: WebStage) -> None:
    li, wang = await stage.person(), await stage.person()
    number = await room(stage, li, wang)
    async with stage.socket() as lazy:
        await greeted(lazy, await stage.device(li))
        (reader,) = stage.house.hub.readers[li]
        lazy.transport.pause_reading()
        unsent: list[int] = []
        last = 3
        for _ in range(45):
            last = await fill(stage, number, wang, 20)
            unsent.append(reader.wire._unsent)  # type: ignore[attr-defined]
        assert not reader.wire.has_room
        assert max(unsent) < MAX_UNSENT + 200 * 8_300  # what was under way, and one reading of the log
        lazy.transport.resume_reading()
        assert await events(lazy, last) == list(range(3, last + 1))
        await fill(stage, number, wang, 1)
        assert await events(lazy, last + 1) == [last + 1]


async def fill(stage: WebStage, number: int, sender: int, count: int) -> int:
    """Say a lot; return the last seq."""

    def work(change: Change) -> int:
        return [
            put(change, Entry(number, sender, "msg", frames.write("", text="x" * 8_000))).seq for _ in range(count)
        ][-1]

    return await stage.store.write(work)


@acted(loops=BOTH, is_open=False)
async def test_who_takes_nothing_is_let_go_and_told_why(stage: WebStage) -> None:
    stage.terms = Terms(stall_s=0.05)
    await stage.open()
    li = await stage.person()
    number = await room(stage, li)
    async with stage.socket() as lazy:
        await greeted(lazy, await stage.device(li))
        (reader,) = stage.house.hub.readers[li]
        lazy.transport.pause_reading()
        while reader.wire.has_room:
            await fill(stage, number, li, 20)
        await stage.until(lambda: reader.wire._socket._codec.is_ending)  # type: ignore[attr-defined]
        lazy.transport.resume_reading()
        found, code, why = await hear_end(lazy)
    assert (code, why) == (4008, "nothing was taken for 0.05 s")
    assert found[-1]["t"] == "bye"


@acted()
async def test_the_server_says_that_it_stops(stage: WebStage) -> None:
    async with stage.socket() as client:
        await client.send(hello(await stage.device(await stage.person())))
        await hear(client)
        draining = asyncio.ensure_future(stage.server.drain(PATIENCE_S))
        assert (await hear_end(client))[1] == 1001
        await draining


@acted()
async def test_behind_a_farewell_the_connection_is_closed(stage: WebStage) -> None:
    person = await stage.person()
    async with stage.socket() as client:
        await client.send(hello(await stage.device(person)))
        await hear(client)
        await stage.until(lambda: stage.house.hub.readers)
        (reader,) = stage.house.hub.readers[person]
        reader.say(frames.write("bye", code=4003, why="请重新登录" * 20))
        reader.say(frames.write("ok", id=1))
        found, code, why = await hear_end(client)
    assert [frame["t"] for frame in found] == ["bye", "ok"]
    assert (code, why) == (4003, "请重新登录" * 8)
    await stage.until(lambda: not stage.house.hub.readers)
    reader.say("{}")  # nobody is there any more


@acted()
async def test_somebody_who_is_in_nothing_yet_is_brought_in(stage: WebStage) -> None:
    li, wang = await stage.person(), await stage.person()
    number = await room(stage, li)
    async with stage.socket() as client:
        await client.send(hello(await stage.device(wang)))
        await hear(client)
        await stage.until(lambda: wang in stage.house.hub.readers)
        await stage.store.write(lambda change: rooms.invite(change, li, number, wang))
        found = await hear(client)
        while "ev" not in found[-1]:  # its state may come first, where the invitation met the hello
            found = await hear(client)
        assert [event["k"] for event in found[-1]["ev"]] == ["join", "join"]


@acted(is_open=False)
async def test_who_goes_on_and_on_is_let_go(stage: WebStage) -> None:
    stage.terms = Terms(is_abusive=lambda me: me.name == "Mallory")
    await stage.open()
    async with stage.socket() as client:
        await client.send(hello(await stage.device(await stage.person(name="Mallory"))))
        await hear(client)
        await client.send('{"t":"pong"}')
        assert (await hear_end(client))[1] == 4009


@acted()
async def test_a_client_that_goes_is_forgotten(stage: WebStage) -> None:
    person = await stage.person()
    number = await room(stage, person)
    client = await websockets.connect(f"ws://{stage.place}/ws", subprotocols=["portico.chat.v1"], proxy=None)  # type: ignore[list-item]
    await greeted(client, await stage.device(person))
    client.transport.abort()
    await stage.until(lambda: not stage.house.hub.readers)
    assert number not in stage.house.hub.rooms


def test_equal_turns_of_two_readers_are_the_same_messages() -> None:
    joiner = Joiner()
    one, other = "1" * 10, "2" * 10
    first = joiner.join([one, other])
    assert first == ["1111111111\n2222222222"]
    assert joiner.join([one, other])[0] is first[0]
    assert joiner.join([other, one]) == ["2222222222\n1111111111"]
    assert joiner.join([one])[0] is one


def test_messages_are_of_bounded_size() -> None:
    turn = ["a" * 40_000, "b" * 20_000, "c" * 10_000, "d" * 100_000, "e"]
    joined = Joiner().join(turn)
    assert [message[0] for message in joined] == ["a", "c", "d", "e"]
    assert "\n".join(joined).split("\n") == turn


def test_a_farewell_is_recognised_as_it_is_written() -> None:
    assert json.loads(frames.write("bye", code=1, why="")) == {"t": "bye", "code": 1, "why": ""}
