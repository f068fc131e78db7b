"""What is broken, in which order, and who is left alone."""

import asyncio
from collections.abc import Callable

import pytest

from portico.apps.chat.soak_breaks import BREAKS, Breaks
from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_lines import LineUser
from portico.apps.chat.soak_plan import LINES, Account, Wanted
from portico.apps.chat.soak_ways import Way


class Server:
    """Something that can be killed, and writes that down."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def start(self) -> None:
        self.log.append("start")

    async def kill(self) -> None:
        self.log.append("kill")

    async def stop(self) -> None:
        self.log.append("stop")


class Broken(Way):
    """A way that writes down what happens to it."""

    def __init__(self, number: int, log: list[str]) -> None:
        user = LineUser(Ledger(), number, Account(number, "token", (7,), LINES), lambda s, f: None)
        super().__init__(user, lambda user: None)
        self._log = log

    def reset(self) -> None:
        self._log.append("reset")

    def stall(self, seconds: float) -> None:
        self._log.append(f"stall {seconds:g}")

    def forget(self, seconds: float) -> None:
        self._log.append(f"forget {seconds:g}")


def broken(count: int, *, kills: int = 0, ways: int = 20) -> tuple[Breaks, Server, list[str]]:
    """Let so many breaks happen; return what did."""
    server = Server()
    said: list[str] = []
    wanted = Wanted(users=ways, seconds=1, rate=1, room=2, pause_s=0.01, kills=kills)

    async def run() -> Breaks:
        done = asyncio.Event()

        def say(what: str, number: int) -> None:
            said.append(f"{what} {number}")
            if len(said) == count:
                done.set()

        breaks = Breaks(wanted, server, {n: Broken(n, server.log) for n in range(1, ways + 1)}, say)
        running = asyncio.ensure_future(breaks.run())
        async with asyncio.timeout(10):
            await done.wait()
        await asyncio.sleep(0)
        running.cancel()
        return breaks

    return asyncio.run(run()), server, said


def test_each_break_has_its_turn_and_a_tenth_of_the_users_is_met() -> None:
    breaks, server, said = broken(len(BREAKS))
    assert said == [f"{name} 1" for name in BREAKS]
    assert server.log[:11] == [
        *["reset"] * 2,
        "kill",
        "start",
        *["stall 0.02"] * 2,
        *["forget 0.02"] * 2,
        *["reset"] * 2,
        "stop",
    ]
    assert dict(breaks.count) == dict.fromkeys(BREAKS, 1)
    assert len(breaks.away) == 2


def test_where_kills_are_wanted_every_second_break_is_one() -> None:
    breaks, _, said = broken(10, kills=5)
    assert [word.split()[0] for word in said[::2]] == ["kill"] * 5
    assert breaks.count["kill"] == 5


@pytest.mark.parametrize("name", ["reset", "stall", "forget", "away"])
def test_where_nobody_is_nothing_breaks(name: str) -> None:
    breaks, server, _ = broken(len(BREAKS), ways=0)
    assert breaks.count[name] == 1
    assert server.log[:3] == ["kill", "start", "stop"]


def test_who_was_forgotten_is_not_kept_away() -> None:
    log: list[str] = []
    way = Broken(1, log)
    way.user = None

    async def run() -> Breaks:
        wanted = Wanted(users=1, seconds=1, rate=1, room=2, pause_s=0.01)
        say: Callable[[str, int], None] = lambda what, n: None  # noqa: E731
        breaks = Breaks(wanted, Server(), {1: way}, say)
        await BREAKS["away"](breaks)
        return breaks

    assert asyncio.run(run()).away == {}
    assert log == ["reset"]
