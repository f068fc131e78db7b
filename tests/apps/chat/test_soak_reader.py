"""The reader in a process of its own, in this one: what it answers when it has everything, and when it has not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.apps.chat.web_stage import WebStage, acted

from portico.apps.chat import rooms, soak_reader
from portico.apps.chat.events import Claim, check
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import append
from portico.apps.chat.soak_ways import Way


async def ordered(stage: WebStage, folder: Path) -> tuple[dict[str, Any], int, int]:
    """Return the order of a reader that is in a room, the room, and who wrote there."""
    writer, person = await stage.person(), await stage.person()
    room = await stage.store.write(lambda change: rooms.make_room(change, writer, "room", is_public=False))
    await stage.store.write(lambda change: rooms.add_member(change, room, person, by=writer))
    await say(stage, room, writer)
    port = int(stage.place.rpartition(":")[2])
    order = {"port": port, "person": person, "token": await stage.device(person), "rooms": [room]}
    return {**order, "database": str(folder / DATABASE)}, room, writer


async def say(stage: WebStage, room: int, person: int) -> None:
    entry = check(Claim(room, "msg", {"text": "hi"}), person, "ws")
    await stage.store.write(lambda change: append(change, entry))


@acted()
async def test_it_has_everything_and_comes_back_when_it_is_cut(stage: WebStage) -> None:
    order, room, writer = await ordered(stage, stage.folder)
    reader = soak_reader.Reader(order)
    connecting = asyncio.ensure_future(reader.keep_connected())
    async with asyncio.timeout(10):
        await reader.welcome()
        found = await reader.report({str(room): 3})
        assert found == {"faults": [], "syncs": 1, "connections": 1}
        assert isinstance(reader.user.way, Way)
        reader.user.way.reset()
        await say(stage, room, writer)
        found = await reader.report({str(room): 4})
    assert found == {"faults": [], "syncs": 2, "connections": 2}
    connecting.cancel()


@acted()
async def test_what_it_does_not_get_is_a_fault(stage: WebStage) -> None:
    order, room, _ = await ordered(stage, stage.folder)
    reader = soak_reader.Reader(order)
    reader.patience_s = 0.01
    assert await reader.report({str(room): 3}) == {
        "faults": [("unsettled", f"has 0 of 3 in {room}")],
        "syncs": 0,
        "connections": 0,
    }


@acted()
async def test_it_is_told_what_to_do_in_lines(stage: WebStage, capsys: pytest.CaptureFixture[str]) -> None:
    order, room, _ = await ordered(stage, stage.folder)
    lines = asyncio.StreamReader()
    lines.feed_data(b"%s\n%s\n" % (json.dumps(order).encode(), json.dumps({"heads": {room: 3}}).encode()))
    lines.feed_eof()
    async with asyncio.timeout(10):
        await soak_reader.serve(lines)
    welcome, report = capsys.readouterr().out.splitlines()
    assert json.loads(welcome) == {}
    assert json.loads(report)["faults"] == []


@acted()
async def test_whoever_ends_before_asks_for_nothing(stage: WebStage, capsys: pytest.CaptureFixture[str]) -> None:
    order, _, _ = await ordered(stage, stage.folder)
    lines = asyncio.StreamReader()
    lines.feed_data(json.dumps(order).encode() + b"\n")
    lines.feed_eof()
    async with asyncio.timeout(10):
        await soak_reader.serve(lines)
    assert capsys.readouterr().out == "{}\n"
