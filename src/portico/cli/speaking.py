"""Talking to somebody who is no chat: what is typed goes there, what comes is shown, until one side has had enough.

    converse(party, typist)
      typist.run -> party.say       a line
      party.hear -> show            what comes
      party.end                     a pipe has no more: answers are still waited for

`letters.Letters` and `call.Call` are parties.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from portico.cli.typist import Ending, Typist

QUIT: Final = "q"

Show = Callable[[str], None]


class Party(Protocol):
    """The other side.

    heard_s: when something came last, as the loop counts. wait_s: how long a silence is the end of it, once there is
    nothing more to say; None where the other side ends by itself.
    """

    heard_s: float
    wait_s: float | None

    async def hear(self) -> None:
        """Show what comes, to the end. Raises Gone."""

    async def say(self, line: str) -> None:
        """Send a line. Raises Gone."""

    def end(self) -> None:
        """Have nothing more to say."""

    def close(self) -> None:
        """Leave."""


async def converse(party: Party, typist: Typist) -> None:
    """Talk until a line is `q`, Ctrl-D or Ctrl-C is pressed, or the other side is gone; the party is closed then.

    Raises Gone where the connection is lost.
    """

    async def take(line: str) -> bool:
        if line.strip() == QUIT:
            return False
        await party.say(line)
        return True

    hearing = asyncio.create_task(party.hear())
    typing = asyncio.create_task(typist.run(take))
    try:
        await asyncio.wait((hearing, typing), return_when=asyncio.FIRST_COMPLETED)
        # In a pipe `q` ends the questions, not the answers.
        if not hearing.done() and (typing.result() is Ending.OVER or not typist.has_terminal):
            party.end()
            await _rest(hearing, party)
        if hearing.done():
            hearing.result()
    finally:
        for task in (hearing, typing):
            task.cancel()
        await asyncio.gather(hearing, typing, return_exceptions=True)
        party.close()


async def _rest(hearing: "asyncio.Task[None]", party: Party) -> None:
    """Wait for the other side's end, or for its silence."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while not hearing.done():
        left_s = None if party.wait_s is None else max(party.heard_s, began_s) + party.wait_s - loop.time()
        if left_s is not None and left_s <= 0:
            return
        await asyncio.wait((hearing,), timeout=left_s)
