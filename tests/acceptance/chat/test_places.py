"""Acceptance 8, first half: visitors by every way in are told their place in the queue, the right one at all times.

A model of the queue says what each visitor is to be told; nobody may be told anything else, not even for a moment.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import PATIENCE_S, Frame, SocketClient, become_visitor, socket_client
from tests.acceptance.chat.house import House
from tests.acceptance.chat.text_clients import Netcat, Program, netcat, program

STEPS = 120
_PLACE_EN = re.compile(r"you are number (\d+) in the queue")
_PLACE_ZH = re.compile(r"您排在第 (\d+) 位")


class Waiter:
    """A visitor who can wait. case: the conversation, 0 before there is one. wanted: the places by the model."""

    def __init__(self, house: House) -> None:
        self._behind = 0
        self._house = house
        self.case = 0
        self.wanted: list[int] = []

    async def ask_in(self) -> None:
        """Say something, so that somebody is wanted."""
        raise NotImplementedError

    async def close(self) -> None:
        """Want nobody any more."""
        raise NotImplementedError

    @property
    def shown(self) -> Sequence[Any]:
        """Return all that was shown."""
        raise NotImplementedError

    def place_in(self, shown: Any) -> int:
        """Return the place that something shown tells, 0 for none."""
        raise NotImplementedError

    async def come(self) -> None:
        """Wait in the queue from now on."""
        self._behind, self.wanted = len(self.shown), []
        [(newest,)] = await self._house.rows("SELECT coalesce(max(conversation), 0) FROM desk_case")
        await self.ask_in()
        await self._until("queued", newest)

    async def go(self) -> None:
        """Leave."""
        await self.close()
        await self._until("closed")

    async def _until(self, state: str, newest: int = 0) -> None:
        """Wait until the case is in a state; where there was none, it is the first behind the newest one."""
        which = "conversation = ?" if self.case else "conversation > ?"
        query = f"SELECT conversation FROM desk_case WHERE {which} AND state = ? ORDER BY 1 LIMIT 1"
        async with asyncio.timeout(PATIENCE_S):
            while not (rows := await self._house.rows(query, self.case or newest, state)):
                pass
        self.case = rows[0][0]

    @property
    def told(self) -> list[int]:
        """Return every place that it was told since it came; equal ones that follow each other once."""
        places = [place for one in self.shown[self._behind :] if (place := self.place_in(one))]
        return [place for number, place in enumerate(places) if not number or places[number - 1] != place]


class AtBrowser(Waiter):
    """By WebSocket."""

    def __init__(self, house: House, client: SocketClient) -> None:
        super().__init__(house)
        self._client = client

    async def ask_in(self) -> None:
        """Say something, so that somebody is wanted: a new conversation, where the last one is over."""
        self.case = (await self._client.ask("desk.start"))["c"]

    async def close(self) -> None:
        """Want nobody any more."""
        await self._client.ask("desk.close", c=self.case)

    @property
    def shown(self) -> Sequence[Frame]:
        """Return all that was shown."""
        return self._client.frames

    def place_in(self, shown: Frame) -> int:
        """Return the place that a frame tells."""
        desk = shown.get("desk", {})
        return desk["pos"] if shown["t"] == "st" and desk.get("state") == "queued" else 0


class AtTerminal(Waiter):
    """By netcat, in Chinese."""

    def __init__(self, house: House, client: Netcat) -> None:
        super().__init__(house)
        self._client = client

    async def ask_in(self) -> None:
        """Say something, so that somebody is wanted."""
        await self._client.type("在吗")

    async def close(self) -> None:
        """Want nobody any more."""
        await self._client.type("/close")

    @property
    def shown(self) -> Sequence[str]:
        """Return all that was shown."""
        return self._client.lines

    def place_in(self, shown: str) -> int:
        """Return the place that a line tells."""
        found = _PLACE_ZH.search(shown)
        return int(found[1]) if found is not None else 0


class AtProgram(Waiter):
    """By UDP, in English."""

    def __init__(self, house: House, client: Program) -> None:
        super().__init__(house)
        self._client = client

    async def ask_in(self) -> None:
        """Say something, so that somebody is wanted."""
        self._client.send("hello")

    async def close(self) -> None:
        """Want nobody any more."""
        self._client.send("/close")

    @property
    def shown(self) -> Sequence[str]:
        """Return all that was shown."""
        return self._client.datagrams

    def place_in(self, shown: str) -> int:
        """Return the place that a datagram tells."""
        found = _PLACE_EN.search(shown)
        return int(found[1]) if found is not None else 0


class Desk:
    """An agent, visitors, and the model: queue, in order; talking: to the agent; idle: neither."""

    def __init__(self, house: House, agent: SocketClient, visitors: list[Waiter]) -> None:
        self._agent = agent
        self._house = house
        self._visitors = visitors
        self.idle = list(visitors)
        self.queue: list[Waiter] = []
        self.talking: list[Waiter] = []

    async def settle(self) -> None:
        """Let the desk take its turn, and wait until everybody has been told of it, and of nothing else."""
        for place, waiter in enumerate(self.queue, 1):
            if waiter.wanted[-1:] != [place]:
                waiter.wanted.append(place)
        await self._house.pass_time(6)
        try:
            await self._house.until(lambda: all(waiter.told == waiter.wanted for waiter in self._visitors))
        except TimeoutError:
            raise AssertionError([(waiter.case, waiter.told, waiter.wanted) for waiter in self._visitors]) from None

    async def come(self, waiter: Waiter) -> None:
        """Have somebody wait, behind all others."""
        await waiter.come()
        self.idle.remove(waiter)
        self.queue.append(waiter)

    async def give_up(self, waiter: Waiter) -> None:
        """Have somebody leave the queue."""
        await waiter.go()
        self.queue.remove(waiter)
        self.idle.append(waiter)

    async def take(self, waiter: Waiter) -> None:
        """Have the agent take somebody, who need not be the first."""
        await self._agent.ask("desk.take", c=waiter.case, rev=await self._revision(waiter))
        self.queue.remove(waiter)
        self.talking.append(waiter)

    async def hand_back(self, waiter: Waiter) -> None:
        """Have the agent put somebody into the queue again, behind all others."""
        waiter._behind, waiter.wanted = len(waiter.shown), []
        await self._agent.ask("desk.transfer", c=waiter.case, rev=await self._revision(waiter), queue=1)
        self.talking.remove(waiter)
        self.queue.append(waiter)

    async def finish(self, waiter: Waiter) -> None:
        """Have the agent end a conversation."""
        await self._agent.ask("desk.close", c=waiter.case, rev=await self._revision(waiter))
        self.talking.remove(waiter)
        self.idle.append(waiter)

    async def _revision(self, waiter: Waiter) -> int:
        rows = await self._house.rows("SELECT revision FROM desk_case WHERE conversation = ?", waiter.case)
        return int(rows[0][0])


@acted(House)
async def test_everybody_is_told_the_right_place_at_all_times(house: House) -> None:
    chance = random.Random(8)
    async with AsyncExitStack() as open_all:
        enter, door = open_all.enter_async_context, house.door
        await house.write("UPDATE desk_queue SET is_pull = 1")
        agent = await enter(socket_client(door, await house.account("agent", "小王")))
        visitors: list[Waiter] = []
        for _ in range(2):
            visitors.append(AtBrowser(house, await enter(socket_client(door, await become_visitor(door)))))
            visitors.append(AtTerminal(house, await enter(netcat(door))))
            visitors.append(AtProgram(house, await enter(program(door))))
        desk = Desk(house, agent, visitors)
        acts: list[tuple[Callable[[Waiter], Awaitable[None]], list[Waiter]]] = [
            (desk.come, desk.idle),
            (desk.come, desk.idle),
            (desk.give_up, desk.queue),
            (desk.take, desk.queue),
            (desk.hand_back, desk.talking),
            (desk.finish, desk.talking),
        ]
        for _ in range(STEPS):
            act, candidates = chance.choice([(act, candidates) for act, candidates in acts if candidates])
            await act(chance.choice(candidates))
            await desk.settle()
