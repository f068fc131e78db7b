"""Presence: who is here, told to those who talk with them; state, never an event.

    Session -> come, Hub.leave -> _part        a connection more, or one less
    Session -> look                            which conversation somebody has in front of them
    _tick, a second after something is new     what is new by then, one frame a reader; a lot of it in small portions
      st online {person: true} via {person: [how]}     to whoever shares a conversation of at most MAX_TOLD people here
      st c here                                        how many are here, to whoever looks at that conversation

Nobody is here without a connection. One whose peer vanished ends by the layer below (a WebSocket by its pings, TCP by
its probes); a peer over UDP has no connection and is here for LEASE_S after each datagram, however long it is still
written to. Who goes and comes back within a second has not been away. A reader that takes nothing is told when it does,
of how things stand then, so that what is owed to it is a set of people and no longer.
"""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from portico.apps.chat import frames
from portico.apps.chat.hub import MAX_QUEUED, Hub, Reader, Room

TICK_S: Final = 1.0
LEASE_S: Final = 60.0
MAX_TOLD: Final = 64  # people here, in one conversation; where more are, only their number is told
LEASED: Final = frozenset({"udp"})  # transports without a connection
# When everybody comes back at once, the loop has other things to do, too: so many changes and so many frames at a time.
_CHANGES: Final = 64
_FRAMES: Final = 64
_PAUSE_S: Final = 0.02

Ways = tuple[str, ...]


class Presence:
    """See the module. Belongs to the loop of its hub. tick_s, lease_s: replaced by tests."""

    def __init__(self, hub: Hub, *, tick_s: float = TICK_S, lease_s: float = LEASE_S) -> None:
        self.lease_s = lease_s
        self.tick_s = tick_s
        self._changed: dict[int, set[int]] = {}  # person to conversations that they have left by going away
        self._counted: set[int] = set()  # conversations in which there are more, or fewer
        self._hub = hub
        self._leases: dict[Reader, float] = {}  # to when they end, in seconds of the loop
        self._looking: dict[Reader, tuple[int, int]] = {}  # to the conversation, and the number that was told last
        self._owed: dict[Reader, set[int]] = {}  # of whom a reader is still to be told
        self._timer: asyncio.TimerHandle | None = None
        self._shown: set[int] = set()  # people of whom a card has said what has not been told yet
        self._told: dict[int, Ways] = {}
        self._via: dict[Reader, str] = {}
        hub.on_leave = self._part

    # what is asked

    def ways(self, person: int) -> Ways:
        """Return how a person is here: the names of the transports, none for somebody who is not."""
        readers = self._hub.readers.get(person, ())
        return tuple(sorted({self._via[reader] for reader in readers if self._is_live(reader)}))

    def card(self, person: int) -> Mapping[str, object]:
        """Return what a card of a person says of it: online, and via where somebody is."""
        ways = self.ways(person)
        if ways != self._told.get(person, ()):
            self._shown.add(person)
        return {"online": True, "via": ways} if ways else {"online": False}

    def _is_live(self, reader: Reader) -> bool:
        via = self._via.get(reader)
        return via is not None and (via not in LEASED or reader in self._leases)

    @property
    def is_busy(self) -> bool:
        """Whether there is something new to tell of."""
        return self._timer is not None

    def owes(self, reader: Reader) -> bool:
        """Tell whether a reader has yet to take what is new."""
        return reader in self._owed

    def is_looking(self, conversation: int) -> bool:
        """Tell whether anybody has a conversation in front of them."""
        return any(conversation == one for one, _ in self._looking.values())

    def count(self, conversation: int) -> int:
        """Return how many people of a conversation are here."""
        room = self._hub.rooms.get(conversation)
        return 0 if room is None else sum(1 for person in _present(room) if self.ways(person))

    # what happens

    def come(self, reader: Reader, via: str) -> None:
        """Count a connection in, which the hub has greeted and which follows its conversations now."""
        if reader not in self._hub.readers.get(reader.person, ()):  # signed out while it said hello
            return
        self._via[reader] = via
        if via in LEASED:
            self.hear(reader)
        self._change(reader.person)

    def hear(self, reader: Reader) -> None:
        """Note a sign of life of a peer that has no connection: it is here for a while."""
        if self._via.get(reader) in LEASED:
            if reader not in self._leases:
                self._change(reader.person)
            self._leases[reader] = asyncio.get_running_loop().time() + self.lease_s

    def look(self, reader: Reader, conversation: int) -> None:
        """Note which conversation somebody has in front of them, and tell how many are there. 0: none."""
        if conversation in reader.cursors:
            self._tell_count(reader, conversation)
        else:
            self._looking.pop(reader, None)

    def _part(self, reader: Reader) -> None:
        if self._via.pop(reader, None) is None:
            return
        self._leases.pop(reader, None)
        self._looking.pop(reader, None)
        self._owed.pop(reader, None)
        rooms = self._hub.rooms
        self._change(reader.person, [c for c in reader.cursors if rooms[c].seats[reader.person].until is None])

    def _change(self, person: int, places: Iterable[int] = ()) -> None:
        self._changed.setdefault(person, set()).update(places)
        self._tick_soon()

    # what is told

    def _tick_soon(self, within_s: float | None = None) -> None:
        if self._timer is None:
            pause_s = self.tick_s if within_s is None else min(within_s, self.tick_s)
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        for reader in [reader for reader, ends_s in self._leases.items() if ends_s <= now_s]:
            del self._leases[reader]
            self._changed.setdefault(reader.person, set())
        for person in list(self._changed)[:_CHANGES]:
            self._announce(person, self._changed.pop(person))
        self._pay()
        looked_at = {conversation for conversation, _ in self._looking.values()}
        counts = {conversation: self.count(conversation) for conversation in self._counted & looked_at}
        self._counted.clear()
        for reader, (conversation, last) in self._looking.items():
            if counts.get(conversation, last) != last and _has_room(reader):
                self._tell_count(reader, conversation)
        if self._changed or any(map(_has_room, self._owed)):
            self._tick_soon(_PAUSE_S)
        elif self._owed or self._leases:
            self._tick_soon()

    def _announce(self, person: int, left: set[int]) -> None:
        """Note for everybody who is concerned that a person is here now, or is not, where that is new."""
        ways = self.ways(person)
        if ways == self._told.get(person, ()) and person not in self._shown:
            return
        self._shown.discard(person)
        if ways:
            self._told[person] = ways
        else:
            self._told.pop(person, None)
        readers = self._hub.readers.get(person, ())
        for conversation in left.union(*(reader.cursors for reader in readers)):
            room = self._hub.rooms.get(conversation)
            if room is None:
                continue
            self._counted.add(conversation)
            if len(room.seats) <= MAX_TOLD:
                self._owe(room, person)

    def _owe(self, room: Room, person: int) -> None:
        seat = room.seats.get(person)
        if seat is not None and seat.until is not None:  # has left, and is nobody's company here
            return
        for reader in room.readers:
            if reader.person != person and room.seats[reader.person].until is None:
                self._owed.setdefault(reader, set()).add(person)

    def _pay(self) -> None:
        for reader in list(islice(filter(_has_room, self._owed), _FRAMES)):
            found = {str(person): self.ways(person) for person in sorted(self._owed.pop(reader))}
            online = {person: bool(ways) for person, ways in found.items()}
            reader.say(frames.write("st", online=online, via={one: ways for one, ways in found.items() if ways}))

    def _tell_count(self, reader: Reader, conversation: int) -> None:
        count = self.count(conversation)
        self._looking[reader] = conversation, count
        reader.say(frames.write("st", c=conversation, here=count))


def _present(room: Room) -> list[int]:
    return [person for person, seat in room.seats.items() if seat.until is None]


def _has_room(reader: Reader) -> bool:
    return reader.wire.has_room and len(reader.queue) < MAX_QUEUED
