"""What is broken under a soak, one after the other: BREAKS.

    kill      SIGKILL to the server, and another one in its place
    restart   the server ends in good order, and another one begins
    reset     connections are gone at once, with what was under way
    stall     users read nothing for a while
    forget    users go on elsewhere; their old connections stay, half open
    away      users have no connection for a while, and write on

In: the ways that are open. Out: which break was next, so often each.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from portico.apps.chat.soak_plan import Wanted
from portico.apps.chat.soak_ways import Way

_SHARE: Final = 0.1  # of the users at a time
AWAY_S: Final = 5.0


class Server(Protocol):
    """What can be killed."""

    async def start(self) -> None:
        """Start it; return when it takes connections."""
        ...

    async def kill(self) -> None:
        """End it at once."""
        ...

    async def stop(self) -> None:
        """End it in good order."""
        ...


class Breaks:
    """See the module. count: how often each. away: until when users are to stay away, by number, on the loop's clock.

    ways: of all users, by number. say: told what happens, in a word and a number.
    """

    def __init__(
        self, wanted: Wanted, server: Server, ways: Mapping[int, Way], say: Callable[[str, int], None]
    ) -> None:
        self.away: dict[int, float] = {}
        self.count: Counter[str] = Counter()
        self._chance = random.Random(wanted.seed)
        self._pause_s = wanted.pause_s
        self._say = say
        self._server = server
        self._ways = ways
        # Where kills are what is wanted, there is one other break between two of them.
        self._order = _KILLING if wanted.kills else tuple(BREAKS)

    async def run(self) -> None:
        """Break something, again and again, until cancelled. A server that is being restarted is not disturbed."""
        while True:
            await asyncio.sleep(self._pause_s)
            name = self._order[self.count.total() % len(self._order)]
            self.count[name] += 1
            self._say(name, self.count[name])
            await asyncio.shield(asyncio.ensure_future(BREAKS[name](self)))

    def _some(self) -> list[Way]:
        ways = list(self._ways.values())
        return self._chance.sample(ways, max(1, int(len(ways) * _SHARE))) if ways else []

    async def _kill(self) -> None:
        await self._server.kill()
        await self._server.start()

    async def _restart(self) -> None:
        await self._server.stop()
        await self._server.start()

    async def _reset(self) -> None:
        for way in self._some():
            way.reset()

    async def _stall(self) -> None:
        for way in self._some():
            way.stall(self._pause_s * 2)

    async def _forget(self) -> None:
        for way in self._some():
            way.forget(self._pause_s * 2)

    async def _away(self) -> None:
        back_s = asyncio.get_running_loop().time() + AWAY_S
        for way in self._some():
            if way.user is not None:
                self.away[way.user.number] = back_s
            way.reset()


BREAKS: Final[Mapping[str, Callable[[Breaks], Awaitable[None]]]] = {
    "reset": Breaks._reset,
    "kill": Breaks._kill,
    "stall": Breaks._stall,
    "forget": Breaks._forget,
    "away": Breaks._away,
    "restart": Breaks._restart,
}
_KILLING: Final = ("kill", "reset", "kill", "stall", "kill", "forget", "kill", "away", "kill", "restart")
