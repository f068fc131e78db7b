"""The reader that a soak stops: one virtual user in a process of its own, told what to do on standard input.

    {"port": 8000, "token": ..., "rooms": [...], "database": PATH}     it connects, again and again; answers {} once in
    {"heads": {"7": 341}}                                              it answers when it has them: {"faults": ...}

It keeps little of what comes in the kernel, so that a server soon notices that nothing is taken. Its end is that of its
standard input.
"""

import asyncio
import json
import socket
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, Final

from portico.apps.chat.soak_ledger import Ledger, compare
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_texts import stored_events
from portico.apps.chat.soak_user import User
from portico.apps.chat.soak_ways import Ports, Talking, Way, open_way
from portico.errors import Gone, Refused

_BUFFER: Final = 16 << 10  # bytes
_AGAIN_S: Final = 0.2
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 50.0


class Reader:
    """See the module. order: the first line. patience_s: how long `report` waits."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        account = Account(order["person"], order["token"], tuple(order["rooms"]))
        self.ledger = Ledger()
        self.user = User(self.ledger, 1, account, asyncio.get_running_loop().call_later)
        self.patience_s = _PATIENCE_S
        self._connections = 0
        self._database: str = order["database"]
        self._lost = asyncio.Event()
        self._ports = Ports(order["port"])

    async def keep_connected(self) -> None:
        """Connect, again and again, until cancelled."""
        while True:
            self._lost.clear()
            with suppress(OSError, Refused, Gone):
                way = await open_way(self.user, self._ports, self._on_lost)
                self._connections += 1
                _keep_little(way)
                await self._lost.wait()
            await asyncio.sleep(_AGAIN_S)

    def _on_lost(self, user: Talking) -> None:
        self._lost.set()

    async def welcome(self) -> None:
        """Wait until it is in."""
        while not self.user.is_welcome:  # noqa: ASYNC110 - a user tells nobody
            await asyncio.sleep(_LOOK_S)

    async def report(self, heads: Mapping[str, int]) -> dict[str, Any]:
        """Wait until it has so much of each conversation; return what it has found."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                while any(self.user.cursors.get(int(c), 0) < head for c, head in heads.items()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
        for c, head in heads.items():
            if self.user.cursors.get(int(c), 0) < head:
                self.ledger.fault("unsettled", 1, f"has {self.user.cursors.get(int(c), 0)} of {head} in {c}")
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
            compare(self.ledger, db, stored_events(db))
        faults = [(fault.kind, fault.detail) for fault in self.ledger.faults]
        return {"faults": faults, "syncs": self.user.syncs, "connections": self._connections}


def _keep_little(way: Way) -> None:
    way.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)


async def serve(lines: asyncio.StreamReader) -> None:
    """Do what the module says. lines: the orders."""
    reader = Reader(json.loads(await lines.readline()))
    connecting = asyncio.ensure_future(reader.keep_connected())
    try:
        await reader.welcome()
        print("{}", flush=True)
        if line := await lines.readline():
            print(json.dumps(await reader.report(json.loads(line)["heads"])), flush=True)
        await lines.read()
    finally:
        connecting.cancel()


async def _main() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    with suppress(ConnectionError):  # whoever gave the orders has been killed
        await serve(lines)


if __name__ == "__main__":
    asyncio.run(_main())
