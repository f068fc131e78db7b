"""Figures of a server at work, of its threads, and of workers that come and go."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import pytest
from tests.server.stage import Gate, Stage, get

from portico.apps.admin.sources import STATS_KEY, FleetSource, ServerSource, watch_pool
from portico.gateway.pool import Pool
from portico.http.message import Response
from portico.server.exchange import Exchange
from portico.server.metrics import Metrics
from portico.server.samples import FAMILIES, family_of


async def test_a_server_at_work(stage: Stage) -> None:
    gate = Gate()

    async def slow(exchange: Exchange) -> None:
        await gate.passed()
        exchange.respond(Response(404, (), b"12345"))

    source = ServerSource(await stage.serve(slow, max_active=1))
    assert source.is_ready
    first, second = await stage.accepted(), await stage.accepted()
    await first.send(get("/"))
    await stage.until(lambda: gate.is_reached)
    await second.send(get("/"))
    await stage.until(lambda: source.snapshot()["portico_requests_waiting"])
    found = source.snapshot()
    assert (found["portico_connections"], found["portico_requests_in_flight"]) == (2, 2)
    assert found['portico_requests_total{code="4xx"}'] == found["portico_websockets"] == 0
    gate.open()
    await first.read_head()
    await second.read_head()
    found = source.snapshot()
    assert found['portico_requests_total{code="4xx"}'] == found["portico_request_duration_seconds_count"] == 2
    assert found["portico_sent_body_bytes_total"] == 10
    assert found["portico_requests_waiting"] == found["portico_log_lines_lost_total"] == 0
    assert {family_of(name)[0] for name in found} <= set(FAMILIES)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(b"nonsense\r\n\r\n", "malformed"), (get("/crash"), "failed")],
)
async def test_what_was_dropped(stage: Stage, sent: bytes, reason: str) -> None:
    def crash(exchange: Exchange) -> None:
        raise OSError("no disk")

    source = ServerSource(await stage.serve(crash))
    peer = await stage.connect()
    await peer.send(sent)
    await peer.read_head()
    assert source.snapshot()[f'portico_drops_total{{reason="{reason}"}}'] == 1


async def test_a_server_is_ready_until_it_begins_to_stop(stage: Stage) -> None:
    server = await stage.serve(lambda exchange: exchange.respond(Response(200)))
    server.log = None
    source = ServerSource(server)
    assert source.is_ready
    await server.drain(1)
    assert not source.is_ready
    assert source.snapshot()["portico_log_lines_lost_total"] == 0


def test_threads() -> None:
    metrics = Metrics()
    watch_pool(metrics, Pool(4, 8))
    found = metrics.snapshot()
    names = ("portico_threads", "portico_threads_busy", "portico_thread_jobs_waiting")
    assert [found[name] for name in (*names, "portico_thread_wait_seconds_total")] == [0, 0, 0, 0]
    assert {family_of(name)[0] for name in found} <= set(FAMILIES)


class Phase(Enum):
    """As workers have them."""

    STARTING = "starting"
    READY = "ready"


class Worker(NamedTuple):
    """One worker."""

    pid: int
    phase: Phase
    stats: Mapping[str, Any]
    generation: int = 1


class Fleet:
    """A supervisor's view."""

    is_ready = True

    def __init__(self) -> None:
        self.workers: list[Worker] = []

    def states(self) -> list[Worker]:
        """Return all workers."""
        return self.workers


COUNTED = 'portico_requests_total{code="2xx"}'


def test_workers_that_come_and_go() -> None:
    def stats(counted: int) -> dict[str, Any]:
        return {"active": 1, STATS_KEY: {COUNTED: counted, "portico_connections": 2}}

    fleet = Fleet()
    source = FleetSource(fleet)
    assert source.is_ready
    fleet.workers = [Worker(10, Phase.READY, stats(5)), Worker(11, Phase.STARTING, {})]
    found = source.snapshot()
    assert (found[COUNTED], found["portico_connections"]) == (5, 2)
    assert [found[f'portico_workers{{state="{state}"}}'] for state in ("starting", "ready", "draining")] == [1, 1, 0]
    fleet.workers = [Worker(10, Phase.READY, stats(7)), Worker(11, Phase.READY, stats(1))]
    source.look()
    fleet.workers = [Worker(11, Phase.READY, stats(2))]
    found = source.snapshot()
    assert (found[COUNTED], found["portico_connections"]) == (9, 2)
    fleet.workers = []
    assert source.snapshot()[COUNTED] == 9
