"""Who is on which way, and who sits with whom."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from portico.apps.chat.soak_plan import (
    DATAGRAMS,
    FRAMES,
    GBK_LINES,
    LINES,
    WEBSOCKET,
    Shares,
    Wanted,
    add_reader,
    populate,
    way_of,
)


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        (Shares(), {WEBSOCKET: 100}),
        (Shares(100), {FRAMES: 100}),
        (Shares(20, 30, 10), {WEBSOCKET: 40, FRAMES: 20, DATAGRAMS: 10, "lines": 30}),
    ],
)
def test_users_are_shared_out(shares: Shares, counts: dict[str, int]) -> None:
    found = Counter(way_of(number, shares) for number in range(1, 101))
    found["lines"] = found.pop(LINES, 0) + found.pop(GBK_LINES, 0)
    assert +found == counts


def test_a_few_users_are_on_all_ways() -> None:
    ways = {way_of(number, Shares(20, 40, 20)) for number in range(1, 11)}
    assert ways == {WEBSOCKET, FRAMES, LINES, GBK_LINES, DATAGRAMS}


def test_everybody_with_frames_is_in_two_rooms_with_others_and_who_has_text_in_one(tmp_path: Path) -> None:
    wanted = Wanted(users=20, seconds=1, rate=1, room=5, shares=Shares(20, 40, 20))
    accounts = asyncio.run(populate(tmp_path, wanted))
    assert len({account.token for account in accounts}) == 20
    rooms = {account.way: {len(one.rooms) for one in accounts if one.way == account.way} for account in accounts}
    assert rooms == {WEBSOCKET: {2}, FRAMES: {2}, LINES: {1}, GBK_LINES: {1}, DATAGRAMS: {1}}
    members = Counter(room for account in accounts for room in account.rooms)
    assert sum(count >= 2 for count in members.values()) >= 4


def test_rooms_of_nobody_are_not_made(tmp_path: Path) -> None:
    accounts = asyncio.run(populate(tmp_path, Wanted(users=4, seconds=1, rate=1, room=2, shares=Shares(lines=100))))
    assert sorted(account.rooms for account in accounts) == [(1,), (1,), (2,), (2,)]


def test_a_reader_is_where_two_users_are_and_with_both_of_them_alone(tmp_path: Path) -> None:
    accounts = asyncio.run(populate(tmp_path, Wanted(users=4, seconds=1, rate=1, room=4)))
    reader, aside = asyncio.run(add_reader(tmp_path, accounts[:2]))
    assert reader.rooms == (*accounts[0].rooms, aside)
    assert all(aside not in account.rooms for account in accounts)
