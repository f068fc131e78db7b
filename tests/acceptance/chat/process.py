"""`portico chat` as a process of its own, on real ports: started, killed, started again on the same ones.

    async with Chat(folder) as chat:
        agent = await chat.account("agent", "小王")       its token
        async with socket_client(chat.door, agent) as client: ...

Whatever it writes to its log of errors fails the test at the end.
"""

import asyncio
import os
import re
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from tests.acceptance.chat.clients import PATIENCE_S, Door, post, socket_client
from tests.cli.running import environment

_FIRST = re.compile(r"http://localhost:(\d+)/#(\S+) ")  # as long as no admin has come in
_AGAIN = re.compile(r"http://localhost:(\d+)/()\n")
_TICKS = os.sysconf("SC_CLK_TCK")


class Chat:
    """See the module. door: its ports, known from the first start on. started_s: when the process was begun."""

    door: Door

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started_s = 0.0
        self._admin = ""
        self._link = ""
        self._errors = folder.with_name(f"{folder.name}.errors")
        self._process: asyncio.subprocess.Process | None = None
        self._ports = ("0", "0", "0")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(signal.SIGTERM)
        assert self._errors.read_text() == ""

    @property
    def process(self) -> asyncio.subprocess.Process:
        """Return the process."""
        assert self._process is not None, "started before"
        return self._process

    async def start(self) -> None:
        """Start it; return when its ports are known."""
        http, lines, udp = self._ports
        self.started_s = time.monotonic()
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "portico", "chat", "--data", str(self.folder), "--quiet"),
                *("-p", http, "--line-port", lines, "--udp-port", udp),
                env=environment(HOME=str(self.folder.parent)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        said, address = "", _AGAIN if self._admin else _FIRST
        async with asyncio.timeout(PATIENCE_S):
            while (link := address.search(said)) is None:
                piece = await self._process.stdout.read(4096)
                assert piece, said + self._errors.read_text()
                said += piece.decode()
        beside = [re.search(rf"{kind}://localhost:(\d+)", said) for kind in ("tcp", "udp")]
        assert all(beside), said
        self._ports = (link[1], *(found[1] for found in beside if found is not None))  # type: ignore[assignment]
        self.door = Door(*map(int, self._ports))
        self._link = link[2]

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            async with asyncio.timeout(PATIENCE_S):
                await self.process.communicate()

    async def restart(self) -> None:
        """Kill it as a power failure would, and start it again."""
        await self.end(signal.SIGKILL)
        await self.start()

    async def admin(self) -> str:
        """Return the token of the first admin, who has followed the link."""
        if not self._admin:
            self._admin = str((await post(self.door, "/api/link", {"token": self._link}))["token"])
        return self._admin

    async def account(self, kind: str, name: str) -> str:
        """Have the admin make an account; return the token of somebody who has followed the link to it."""
        async with socket_client(self.door, await self.admin()) as admin:
            made = await admin.ask("admin.people.add", kind=kind, name=name)
            link = await admin.ask("admin.link", person=made["person"])
        return str((await post(self.door, "/api/link", {"token": link["token"]}))["token"])

    def cpu_s(self) -> float:
        """Return how much processor time the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Look something up in the database, beside the running process."""
        with closing(sqlite3.connect(f"file:{self.folder}/chat.db?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()
