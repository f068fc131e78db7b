"""A reader in a process of its own, which is stopped and goes on by turns; and what that costs the others.

    Stopping.start     the process: `soak_reader`, which resumes and checks as any virtual user
    Stopping.run       it runs, it is stopped (SIGSTOP), it goes on (SIGCONT)
    Stopping.settle    it has to have everything, and to have seen nothing that must not be

Two users write long texts into a room that they have with the reader, so that what the kernel keeps for it is full
soon. In: arrivals that the ledger counts. Out: a `Stopped`, with those of the time in which it was stopped for itself.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from portico.apps.chat.house import DATABASE
from portico.apps.chat.soak_ledger import Durations, Ledger
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_texts import Progress
from portico.apps.chat.soak_user import User

_LONG: Final = "长" * 7_000
_LONG_EVERY_S: Final = 0.1
_READY_S: Final = 30.0
_SETTLE_S: Final = 60.0


class Stopped(NamedTuple):
    """What came of it. times: how often it was stopped. syncs: how often it was served from the log. connections: that
    it has had. running, stopped: arrivals at the others while it was."""

    times: int
    syncs: int
    connections: int
    running: Durations
    stopped: Durations


class Stopping:
    """See the module. aside: the room that two users have with the reader, and the two. stop_s: for how long."""

    def __init__(
        self, folder: Path, account: Account, aside: tuple[int, Sequence[User]], ledger: Ledger, *, stop_s: float
    ) -> None:
        self._account = account
        self._database = folder / DATABASE
        self._is_stopped = False
        self._ledger = ledger
        self._process: asyncio.subprocess.Process | None = None
        self._room, self._talkers = aside
        self._stop_s = stop_s
        self.result = Stopped(0, 0, 0, Durations(), Durations())

    async def start(self, port: int) -> None:
        """Start the reader; return when it is there."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "portico.apps.chat.soak_reader"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        person, token, rooms, _ = self._account
        await self._tell(port=port, person=person, token=token, rooms=rooms, database=str(self._database))
        await self._hear(_READY_S)

    async def run(self) -> None:
        """Stop it and let it go on, by turns, until cancelled."""
        talking = asyncio.ensure_future(self._talk())
        try:
            while True:
                self._ledger.watch = self.result.running
                await asyncio.sleep(self._stop_s)
                self._signal(signal.SIGSTOP)
                self.result = self.result._replace(times=self.result.times + 1)
                self._ledger.watch = self.result.stopped
                await asyncio.sleep(self._stop_s)
                self.go_on()
        finally:
            self._ledger.watch = None
            talking.cancel()

    async def _talk(self) -> None:
        """Fill what is kept for the reader. The texts have no time in them that is counted."""
        while True:
            for user in self._talkers:
                user.send(self._room, more=_LONG)
                await asyncio.sleep(_LONG_EVERY_S)

    def go_on(self) -> None:
        """Let it run."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def settle(self, progress: Progress) -> None:
        """Wait for the reader to have everything; take what it has found."""
        await self._tell(heads={c: progress.heads[c] for c in self._account.rooms})
        answer = await self._hear(_SETTLE_S)
        self.result = self.result._replace(syncs=answer["syncs"], connections=answer["connections"])
        for kind, detail in answer["faults"]:
            self._ledger.fault(kind, 0, f"the reader that was stopped: {detail}")

    async def end(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _tell(self, **members: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(members).encode() + b"\n")
        with suppress(ConnectionError):  # it has ended, and will not answer
            await self._process.stdin.drain()

    async def _hear(self, patience_s: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(patience_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            self._ledger.fault("unsettled", 0, "the reader that was stopped does not answer")
            return {"syncs": 0, "connections": 0, "faults": []}
        found: dict[str, Any] = json.loads(line)
        return found
