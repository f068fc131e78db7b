"""Talking: what is typed is said, what comes is heard, and either side may end it."""

import asyncio
import os
from collections.abc import Callable

import pytest
from tests.cli.running import DEADLINE_S

from portico.cli.speaking import converse
from portico.cli.typist import Ending, Take, Typist
from portico.errors import Gone


class Peer:
    """A party that answers what the test says, and ends when it hears `bye` or an end."""

    def __init__(self, wait_s: float | None = None, *, fault: Exception | None = None) -> None:
        self.heard_s = 0.0
        self.wait_s = wait_s
        self.events: list[str] = []
        self.over = asyncio.Event()
        self._fault = fault
        self.on_end: Callable[[], object] = self.over.set

    async def hear(self) -> None:
        await self.over.wait()
        if self._fault is not None:
            raise self._fault

    async def say(self, line: str) -> None:
        self.events.append(line)
        if line == "bye":
            self.over.set()
            await asyncio.Event().wait()

    def end(self) -> None:
        self.events.append("<end>")
        self.on_end()

    def close(self) -> None:
        self.events.append("<close>")


class Script(Typist):
    """A person who types lines, and then waits for ever, or leaves."""

    def __init__(self, *lines: str, ending: Ending | None = None, has_terminal: bool = True) -> None:
        super().__init__(has_terminal=has_terminal)
        self._lines = lines
        self._ending = ending

    async def run(self, take: Take) -> Ending:
        for line in self._lines:
            if not await take(line):
                return Ending.QUIT
        if self._ending is None:
            await asyncio.Event().wait()
        return self._ending or Ending.OVER


def hold(peer: Callable[[], Peer], typist: Callable[[], Typist]) -> list[str]:
    async def run() -> list[str]:
        one = peer()
        async with asyncio.timeout(DEADLINE_S):
            await converse(one, typist())
        return one.events

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "peer", "typist", "events"),
    [
        ("q ends it at a terminal", Peer, lambda: Script("hi", " q "), ["hi", "<close>"]),
        ("so do keys", Peer, lambda: Script("hi", ending=Ending.QUIT), ["hi", "<close>"]),
        ("so does the other side", Peer, lambda: Script("hi", "bye"), ["hi", "bye", "<close>"]),
        (
            "in a pipe the answers are waited for",
            Peer,
            lambda: Script("hi", "q", has_terminal=False),
            ["hi", "<end>", "<close>"],
        ),
        (
            "at the end of a pipe too",
            Peer,
            lambda: Script("hi", ending=Ending.OVER, has_terminal=False),
            ["hi", "<end>", "<close>"],
        ),
    ],
)
def test_ends(name: str, peer: Callable[[], Peer], typist: Callable[[], Typist], events: list[str]) -> None:
    assert hold(peer, typist) == events, name


def test_a_silence_is_the_end_where_nobody_says_one() -> None:
    def silent() -> Peer:
        peer = Peer(0.05)

        def answer() -> None:
            peer.heard_s = asyncio.get_running_loop().time()

        peer.on_end = answer
        return peer

    assert hold(silent, lambda: Script("hi", ending=Ending.OVER, has_terminal=False)) == ["hi", "<end>", "<close>"]


def test_a_loss_is_told() -> None:
    def lost() -> Peer:
        return Peer(fault=Gone("lost"))

    with pytest.raises(Gone, match="lost"):
        hold(lost, lambda: Script("bye"))


def test_a_pipe_that_is_waited_for_leaves_with_the_conversation() -> None:
    source, target = os.pipe()
    try:
        os.write(target, b"bye\n")
        assert hold(Peer, lambda: Typist(source=source, has_terminal=False)) == ["bye", "<close>"]
    finally:
        os.close(source)
        os.close(target)
