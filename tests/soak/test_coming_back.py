"""Who comes back: after five seconds, after hours, past retention, behind a restored backup, behind a power failure.

The log knows no time, so that nobody has to wait here: what counts is how much was said meanwhile, and what of it is
kept. The clock is the house's, and is moved on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.apps.chat.asking import Asking, Somebody, asked

from portico.apps.chat import retention
from portico.apps.chat.backup import back_up, restore
from portico.apps.chat.hub import KEPT_AT_GAP, MAX_GAP

DAY_MS = 86_400_000


class Client:
    """What one device of somebody has: the texts by their places, and what was announced."""

    def __init__(self, token: str, person: int) -> None:
        self.announced: list[Mapping[str, Any]] = []
        self.epoch = ""
        self.have: dict[int, int] = {}
        self.person = person
        self.resets: list[str] = []
        self.texts: dict[int, str] = {}
        self.token = token

    async def come(self, house: Asking, room: int) -> Somebody:
        """Connect, and take what comes until it is not behind any more."""
        found = Somebody(house, self.person, self.token)
        have = {str(c): seq for c, seq in self.have.items()}
        hello = {"t": "hello", "v": 1, "tok": self.token, "epoch": self.epoch, "have": have}
        await found.session.take(json.dumps(hello))
        head = (await house.rows("SELECT head FROM conversation WHERE id = ?", room))[0][0]
        await found.heard(lambda frame: _last_of(frame, room) >= head)
        for frame in found.wire.frames:
            self._take(frame)
        return found

    def _take(self, frame: Mapping[str, Any]) -> None:
        if frame["t"] == "welcome":
            self.epoch = frame["epoch"]
        elif frame["t"] == "reset":
            self.resets.append(frame["why"])
            self.have.clear()
            self.texts.clear()
        elif frame["t"] in ("sync", "page"):
            if frame.get("limited"):
                self.announced.append({"first": frame["first"], "head": frame["head"]})
            for event in frame["ev"]:
                self._keep(event)
            self.have[frame["c"]] = max(self.have.get(frame["c"], 0), frame["head"])

    def _keep(self, event: Mapping[str, Any]) -> None:
        assert self.texts.setdefault(event["s"], event["b"].get("text", "")) == event["b"].get("text", "")

    async def fetch(self, found: Somebody, room: int, after: int) -> None:
        """Ask for what is missing, page by page."""
        number = 1_000
        while True:
            number += 1
            await found.session.take(json.dumps({"t": "get", "id": number, "c": room, "after": after}))
            page = await found.heard(lambda frame: frame.get("id") == number)  # noqa: B023 - it is awaited at once
            self._take(page)
            if not page["ev"] or page["ev"][-1]["s"] >= page["head"]:
                return
            after = page["ev"][-1]["s"]


def _last_of(frame: Mapping[str, Any], room: int) -> int:
    """Return how far a frame brings somebody in a room."""
    if frame["t"] != "sync" or frame["c"] != room:
        return 0
    return int(frame["ev"][-1]["s"] if frame["ev"] else frame["head"])


async def talking(house: Asking) -> tuple[Somebody, int, Client]:
    """Have somebody who writes into a room, and a client that has what was said in it and goes away."""
    writer, reader = await house.person(name="Wang"), await house.person(name="Li")
    room = (await writer.ask("room.make", title="Hall"))["c"]
    await writer.ask("room.invite", c=room, person=reader.id)
    await say(house, writer, room, 5)
    client = Client(reader.token, reader.id)
    (await client.come(house, room)).session.end()
    return writer, room, client


async def say(house: Asking, writer: Somebody, room: int, count: int) -> None:
    for number in range(count):
        house.now_s += 1  # for the limits
        await writer.send(room, f"{house.now_ms} {number}")


async def stored(house: Asking, room: int) -> dict[int, str]:
    rows = await house.rows(
        "SELECT seq, coalesce(json_extract(body, '$.text'), '') FROM event WHERE conversation = ? ORDER BY seq", room
    )
    return dict(rows)


@pytest.mark.parametrize(("name", "away_ms", "missed"), [("5 s", 5_000, 3), ("5 min", 300_000, 300)])
def test_who_was_away_gets_all_of_it(name: str, away_ms: int, missed: int, tmp_path: Path) -> None:
    @asked
    async def play(house: Asking) -> None:
        writer, room, client = await talking(house)
        house.now_ms += away_ms
        await say(house, writer, room, missed)
        await client.come(house, room)
        assert client.texts == await stored(house, room), name
        assert (client.announced, client.resets) == ([], [])

    play(tmp_path=tmp_path)


@asked
async def test_who_missed_very_much_is_told_so_and_can_fetch_it(house: Asking) -> None:
    writer, room, client = await talking(house)
    had = client.have[room]
    await say(house, writer, room, MAX_GAP + 10)
    found = await client.come(house, room)
    head = had + MAX_GAP + 10
    assert client.announced == [{"first": 1, "head": head}]
    assert sorted(client.texts)[-KEPT_AT_GAP - 1 :] == [had, *range(head - KEPT_AT_GAP + 1, head + 1)]
    await client.fetch(found, room, had)
    assert client.texts == await stored(house, room)


async def trimmed(house: Asking, before_ms: int) -> None:
    """Let go of what is older."""
    await house.store.write(lambda change: retention.trim(change, "room", before_ms))


@asked
async def test_who_was_away_longer_than_things_are_kept_is_told_of_the_gap(house: Asking) -> None:
    writer, room, client = await talking(house)
    had = client.have[room]
    house.now_ms += DAY_MS
    await say(house, writer, room, 20)
    house.now_ms += 30 * DAY_MS
    await say(house, writer, room, 10)
    await trimmed(house, house.now_ms - DAY_MS)
    first = had + 21
    await client.come(house, room)
    assert client.announced == [{"first": first, "head": first + 9}]
    kept = await stored(house, room)
    assert {seq: text for seq, text in client.texts.items() if seq > had} == {
        seq: text for seq, text in kept.items() if seq >= first
    }
    await say(house, writer, room, 1)
    await client.come(house, room)
    assert len(client.announced) == 1  # once
    assert client.texts[first + 10]


@asked
async def test_who_has_what_is_kept_is_told_of_no_gap(house: Asking) -> None:
    writer, room, client = await talking(house)
    house.now_ms += 30 * DAY_MS
    await say(house, writer, room, 10)
    await trimmed(house, house.now_ms - DAY_MS)
    await client.come(house, room)
    assert client.announced == []
    assert len(client.texts) == len(await stored(house, room))


@asked
async def test_where_nothing_is_kept_any_more_that_is_told_too(house: Asking) -> None:
    writer, room, client = await talking(house)
    had = client.have[room]
    await say(house, writer, room, 10)
    house.now_ms += 30 * DAY_MS
    await trimmed(house, house.now_ms)
    await client.come(house, room)
    assert client.announced == [{"first": had + 11, "head": had + 10}]
    await say(house, writer, room, 1)
    await client.come(house, room)
    assert client.texts[had + 11]
    assert len(client.announced) == 1


@asked
async def test_behind_a_restored_backup_nobody_keeps_what_is_no_more_true(house: Asking, tmp_path: Path) -> None:
    writer, room, client = await talking(house)
    saved = await stored(house, room)
    back_up(house.folder, tmp_path / "backup")
    house.now_ms += 1_000
    await say(house, writer, room, 7)
    await client.come(house, room)
    assert len(client.texts) == len(saved) + 7
    restore(tmp_path / "backup", tmp_path / "restored")
    again = Asking(tmp_path / "restored")
    try:
        found = await client.come(again, room)
        assert client.resets == ["epoch"]
        assert client.texts == saved
        other = Somebody(again, writer.id, writer.token)
        await other.enter()
        again.now_ms += 2_000
        await say(again, other, room, 1)
        new = await found.heard(lambda frame: frame["t"] == "ev" and frame["c"] == room)
        assert (new["s"], new["b"]["text"]) == (len(saved) + 1, f"{again.now_ms} 0")
    finally:
        await again.close()


@asked
async def test_whoever_has_more_than_a_power_failure_left_forgets_it(house: Asking, tmp_path: Path) -> None:
    writer, room, client = await talking(house)
    saved = await stored(house, room)
    await say(house, writer, room, 3)
    await client.come(house, room)
    # As --fast allows: the commits of the last second are gone, and the epoch is the same.
    await house.write("DELETE FROM event WHERE conversation = ? AND seq > ?", room, len(saved))
    await house.write("DELETE FROM found")
    await house.write("UPDATE conversation SET head = ? WHERE id = ?", len(saved), room)
    house.now_ms += 1_000
    await say(house, writer, room, 2)
    await client.come(house, room)
    assert client.resets == ["ahead"]
    assert client.texts == await stored(house, room)
