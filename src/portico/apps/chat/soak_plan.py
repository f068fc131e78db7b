"""What a soak is to do, and the people and rooms that it does it with.

    populate(folder, wanted)      people, devices and rooms, written into the database before the server starts

Who gets frames is in two rooms, with others in each. Who gets text is in one, as netcat and a program over UDP are as a
rule: what is typed then goes there, and what is read needs no name in front. Users of all ways sit in the same rooms.
"""

from pathlib import Path
from typing import Final, NamedTuple

from portico.apps.chat import people, rooms
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change
from portico.apps.chat.store import Store

WEBSOCKET: Final = "websocket"
FRAMES: Final = "tcp frames"
LINES: Final = "tcp lines utf-8"
GBK_LINES: Final = "tcp lines gbk"
DATAGRAMS: Final = "udp"
_ONE_ROOM: Final = frozenset({LINES, GBK_LINES, DATAGRAMS})
_STRIDE: Final = 37  # without a factor in common with 100: a few users are spread over the ways as many are


class Shares(NamedTuple):
    """How many of a hundred users are on which way; the others are on WebSockets. lines: half of them in GBK."""

    frames: int = 0
    lines: int = 0
    datagrams: int = 0


class Wanted(NamedTuple):
    """What is to be done.

    rate: messages a second, of all. room: how many are in each room. pause_s: between two breaks, 0 for none.
    kills: how often the server is killed at least, however long that takes. seed: of what is chosen by chance.
    stop_s: for how long a reader is stopped, and then runs, by turns; 0 for never.
    """

    users: int
    seconds: float
    rate: float
    room: int
    shares: Shares = Shares()
    pause_s: float = 0.0
    kills: int = 0
    seed: int = 1
    stop_s: float = 0.0


class Account(NamedTuple):
    """Who a virtual user is. rooms: the conversations that it is in, and no others. way: how it comes in."""

    person: int
    token: str
    rooms: tuple[int, ...]
    way: str = WEBSOCKET


def way_of(number: int, shares: Shares) -> str:
    """Return by which way a user comes in."""
    place = number * _STRIDE % 100
    if place < shares.frames:
        return FRAMES
    if place < shares.frames + shares.lines:
        return GBK_LINES if number % 2 else LINES
    return DATAGRAMS if place < sum(shares) else WEBSOCKET


async def populate(folder: Path, wanted: Wanted) -> list[Account]:
    """Make the people of a run, and the rooms that they are in."""

    def write(change: Change) -> list[Account]:
        count, size = wanted.users, min(wanted.room, wanted.users)
        ways = [way_of(number, wanted.shares) for number in range(1, count + 1)]
        persons = [_person(change, number, way) for number, way in enumerate(ways, 1)]
        tokens = [people.add_device(change, person, "soak") for person in persons]
        groups = -(-count // size)
        made: list[list[int]] = [[] for _ in persons]
        for group in range(groups):
            near, far = range(group * size, min(count, (group + 1) * size)), range(group, count, groups)
            # Where there is one group, the other room would be the same one again.
            for members in (list(near), [n for n in far if ways[n] not in _ONE_ROOM and groups > 1]):
                if not members:
                    continue
                room = rooms.make_room(change, persons[members[0]], f"room {group}", is_public=False)
                made[members[0]].append(room)
                for n in members[1:]:
                    rooms.add_member(change, room, persons[n], by=persons[members[0]])
                    made[n].append(room)
        return [Account(*one) for one in zip(persons, tokens, map(tuple, made), ways, strict=True)]

    store = Store(folder / DATABASE, is_fast=True)
    try:
        return await store.write(write)
    finally:
        store.close()


async def add_reader(folder: Path, companions: list[Account]) -> tuple[Account, int]:
    """Make somebody who only reads, in the rooms of two users and in another one with both of them.

    companions: the two, each in the same rooms. Returns the reader, and the room that they have to themselves.
    """
    one, other = companions

    def write(change: Change) -> tuple[Account, int]:
        person = people.add_person(change, "user", "soak reader")
        aside = rooms.make_room(change, one.person, "aside", is_public=False)
        for member in (other.person, person):
            rooms.add_member(change, aside, member, by=one.person)
        for room in one.rooms:
            rooms.add_member(change, room, person, by=one.person)
        token = people.add_device(change, person, "soak")
        return Account(person, token, (*one.rooms, aside)), aside

    store = Store(folder / DATABASE, is_fast=True)
    try:
        return await store.write(write)
    finally:
        store.close()


def _person(change: Change, number: int, way: str) -> int:
    return people.add_person(change, "peer" if way == DATAGRAMS else "user", f"soak {number}")
