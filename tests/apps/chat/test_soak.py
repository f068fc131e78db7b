"""A whole soak, small and in this process: with a good server, and with servers that lose, repeat or alter."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from portico.apps.chat.house import DATABASE
from portico.apps.chat.premises import MESSAGES, Premises
from portico.apps.chat.soak import Report, Soak, Usage, Wanted, populate
from portico.net.addresses import Address
from portico.net.listening import address_of, listen
from portico.server.http import HttpServer
from portico.server.service import Services
from portico.server.services import ServiceServer
from portico.server.several import Several
from portico.settings import Limits, Service


class Stage:
    """A `Keeper` whose server is in this process. tamper: done to the database when it is stopped at last."""

    def __init__(self, folder: Path, tamper: str = "") -> None:
        self.line_port = self.port = 0
        self.starts = 0
        self._folder = folder
        self._premises: Premises | None = None
        self._server: Several | None = None
        self._tamper = tamper

    async def start(self) -> None:
        self.starts += 1
        http = listen(Address("tcp", host="127.0.0.1", port=self.port))
        lines = listen(Address("tcp", host="127.0.0.1", port=self.line_port))
        self.port, self.line_port = address_of(http[0]).port, address_of(lines[0]).port
        self._premises = premises = Premises(self._folder, is_fast=True)
        await premises.start()
        service = ServiceServer(Services(premises.lines), Limits(), Service())
        self._server = Several(HttpServer(premises.handler, Limits(), messages=MESSAGES), service, lines)
        await self._server.open(http)

    async def _end(self, timeout_s: float) -> None:
        if self._server is not None and self._premises is not None:
            await self._server.drain(timeout_s, 0)
            await self._premises.stop()
            self._premises.close()
        self._server = None

    async def kill(self) -> None:
        assert self._server is not None
        self._server.cut()
        await self._end(0)

    async def stop(self) -> None:
        await self._end(1)
        if self._tamper:
            with closing(sqlite3.connect(self._folder / DATABASE)) as db:
                db.executescript(self._tamper)

    def usage(self) -> Usage:
        return Usage(1 << 20, 0.5)


def soaked(folder: Path, wanted: Wanted, tamper: str = "") -> tuple[Report, Stage, list[str]]:
    said: list[str] = []
    stage = Stage(folder, tamper)
    run: Callable[[], Soak] = lambda: Soak(wanted, stage, folder, say=lambda what, n: said.append(what))  # noqa: E731

    async def visit() -> Report:
        return await run().run()

    return asyncio.run(visit()), stage, said


def test_a_good_server_loses_nothing(tmp_path: Path) -> None:
    report, stage, said = soaked(tmp_path, Wanted(users=6, seconds=1, rate=40, room=3, lines=50))
    assert report.ledger.faults == []
    assert report.is_good
    assert report.sent == report.acked > 20
    assert report.ledger.arrivals.count >= report.sent
    assert (report.connections, stage.starts, said) == (6, 1, ["connected"])
    assert report.memory[0] == 1 << 20


def test_nor_one_that_is_killed_while_connections_break(tmp_path: Path) -> None:
    report, stage, said = soaked(tmp_path, Wanted(users=6, seconds=3, rate=40, room=3, lines=50, pause_s=0.3))
    assert report.ledger.faults == []
    assert report.sent == report.acked
    assert {"reset", "kill", "stall", "forget", "restart"} <= set(report.breaks) <= set(said)
    assert stage.starts >= 3
    assert report.connections > 6


@pytest.mark.parametrize(
    ("name", "tamper", "kind"),
    [
        ("a message that is gone", "DELETE FROM event WHERE kind = 'msg' AND conversation = 1 AND seq = 4", "lost"),
        ("a message that is another", "UPDATE event SET body = '{\"text\":\"x\"}' WHERE kind = 'msg'", "altered"),
        ("an id that is in two places", "DROP INDEX event_once; UPDATE event SET cid = 'u1.1'", "duplicate"),
        ("a head that is not the last one's", "UPDATE conversation SET head = head + 1", "lost"),
    ],
)
def test_a_server_that_loses_or_alters_is_found_out(name: str, tamper: str, kind: str, tmp_path: Path) -> None:
    report, _, _ = soaked(tmp_path, Wanted(users=3, seconds=1, rate=40, room=3), tamper)
    assert not report.is_good, name
    assert report.ledger.failed[kind] > 0, name


def test_everybody_is_in_two_rooms_with_others(tmp_path: Path) -> None:
    accounts = asyncio.run(populate(tmp_path, Wanted(users=10, seconds=1, rate=1, room=4)))
    assert len({account.token for account in accounts}) == 10
    assert {len(account.rooms) for account in accounts} == {2}
    members = [room for account in accounts for room in account.rooms]
    assert all(members.count(room) >= 2 for room in set(members))
