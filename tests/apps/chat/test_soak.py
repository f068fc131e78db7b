"""A whole soak, small and in this process: with a good server, and with servers that lose, repeat or alter."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from portico.apps.chat.house import DATABASE
from portico.apps.chat.premises import MESSAGES, Premises
from portico.apps.chat.soak import Report, Soak, Usage
from portico.apps.chat.soak_breaks import BREAKS
from portico.apps.chat.soak_plan import DATAGRAMS, FRAMES, GBK_LINES, LINES, WEBSOCKET, Shares, Wanted
from portico.apps.chat.soak_ways import Ports
from portico.errors import ConfigError
from portico.net.addresses import Address, Kind
from portico.net.listening import address_of, listen
from portico.server.http import HttpServer
from portico.server.service import Services
from portico.server.services import ServiceServer
from portico.server.several import Several
from portico.settings import Limits, Service


class Stage:
    """A `Keeper` whose server is in this process. tamper: done to the database when it is stopped at last."""

    def __init__(self, folder: Path, tamper: str = "") -> None:
        self.ports = Ports(0)
        self.starts = 0
        self._folder = folder
        self._premises: Premises | None = None
        self._server: Several | None = None
        self._tamper = tamper

    async def start(self) -> None:
        self.starts += 1
        kinds: tuple[tuple[Kind, int], ...] = (("tcp", self.ports.http), ("tcp", self.ports.lines))
        http, lines = (listen(Address(kind, host="127.0.0.1", port=port)) for kind, port in kinds)
        datagrams = listen(Address("udp", host="127.0.0.1", port=self.ports.datagrams))
        self.ports = Ports(*(address_of(socks[0]).port for socks in (http, lines, datagrams)))
        self._premises = premises = Premises(self._folder, is_fast=True)
        await premises.start()
        service = ServiceServer(Services(premises.lines, premises.letters.service), Limits(), Service())
        premises.letters.post = service.send
        self._server = Several(HttpServer(premises.handler, Limits(), messages=MESSAGES), service, lines + datagrams)
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


def test_a_good_server_loses_nothing_on_any_way(tmp_path: Path) -> None:
    report, stage, said = soaked(tmp_path, Wanted(users=10, seconds=1, rate=60, room=5, shares=Shares(20, 40, 20)))
    assert report.ledger.faults == []
    assert report.is_good
    total, ways = report.ledger.total, report.ledger.ways
    assert total.sent == total.acked > 30
    assert (total.users, total.connections, stage.starts, said) == (10, 10, 1, ["connected"])
    assert set(ways) == {WEBSOCKET, FRAMES, LINES, GBK_LINES, DATAGRAMS}
    assert {name for name, figures in ways.items() if not figures.deliveries or not figures.arrivals.count} == set()
    assert report.memory[0] == 1 << 20
    assert report.stopped is None


def test_nor_one_that_is_killed_while_connections_break(tmp_path: Path) -> None:
    wanted = Wanted(users=10, seconds=4, rate=60, room=5, shares=Shares(20, 40, 20), pause_s=0.3)
    report, stage, said = soaked(tmp_path, wanted)
    assert report.ledger.faults == []
    by_way = report.ledger.ways
    assert {name: (by_way[name].sent, by_way[name].acked) for name in (WEBSOCKET, FRAMES, DATAGRAMS)} == {
        name: (by_way[name].sent, by_way[name].sent) for name in (WEBSOCKET, FRAMES, DATAGRAMS)
    }
    assert set(BREAKS) <= set(report.breaks) <= set(said)
    assert stage.starts >= 3
    assert report.ledger.total.connections > 10


def test_so_many_kills_take_as_long_as_they_take(tmp_path: Path) -> None:
    report, stage, _ = soaked(tmp_path, Wanted(users=6, seconds=0.1, rate=40, room=3, pause_s=0.1, kills=3))
    assert report.ledger.faults == []
    assert report.breaks["kill"] == 3
    assert stage.starts == 4


def test_a_reader_that_is_stopped_has_everything_in_the_end(tmp_path: Path) -> None:
    report, _, _ = soaked(tmp_path, Wanted(users=6, seconds=5, rate=20, room=6, stop_s=2))
    assert report.ledger.faults == []
    assert report.stopped is not None
    assert report.stopped.times >= 1
    assert report.stopped.syncs >= 2  # one for each of its conversations when it came
    assert report.stopped.running.count > 0 < report.stopped.stopped.count


def test_a_reader_to_whom_nobody_writes_cannot_be_stopped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two users on WebSockets"):
        soaked(tmp_path, Wanted(users=6, seconds=1, rate=20, room=6, shares=Shares(100), stop_s=2))


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
