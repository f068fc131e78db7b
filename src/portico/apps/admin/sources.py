"""Where the operator's figures come from: the server of one process, or the workers of many.

ServerSource(server)          counts from now on
FleetSource(supervisor)       adds up what the workers' beats say
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from portico.server.embedded import Server
from portico.server.metrics import Metrics
from portico.server.samples import Ledger, Snapshot, sample

STATS_KEY: Final = "figures"  # where a worker's beat carries its snapshot


class ServerSource:
    """The figures of one server, which begins to count by this."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.metrics = metrics = server.metrics = Metrics()
        for name, read in server.figures().items():
            metrics.watch(name, read)

    @property
    def is_ready(self) -> bool:
        """Whether connections are accepted."""
        return self._server.is_taking

    def snapshot(self) -> Snapshot:
        """Return all figures as they are now."""
        return self.metrics.snapshot()


class Pool(Protocol):
    """Threads, as the WSGI gateway has them."""

    @property
    def size(self) -> int: ...

    @property
    def busy(self) -> int: ...

    @property
    def waiting(self) -> int: ...

    @property
    def wait_s(self) -> float: ...


def watch_pool(metrics: Metrics, pool: Pool) -> None:
    """Count a pool's threads among the figures."""
    metrics.watch("portico_threads", lambda: pool.size)
    metrics.watch("portico_threads_busy", lambda: pool.busy)
    metrics.watch("portico_thread_jobs_waiting", lambda: pool.waiting)
    metrics.watch("portico_thread_wait_seconds_total", lambda: pool.wait_s)


class Phase(Protocol):
    """A state, as `enum` has it."""

    @property
    def value(self) -> str: ...


class Worker(Protocol):
    """One worker. stats: what its last beat said; under STATS_KEY, its snapshot."""

    @property
    def pid(self) -> int: ...

    @property
    def generation(self) -> int: ...

    @property
    def phase(self) -> Phase: ...

    @property
    def stats(self) -> Mapping[str, Any]: ...


class Fleet(Protocol):
    """All workers, as their supervisor sees them."""

    @property
    def is_ready(self) -> bool: ...

    def states(self) -> Sequence[Worker]: ...


_STATES: Final = ("starting", "ready", "draining")


class FleetSource:
    """The figures of all workers, up to their last beats. `look` now and then, or what a worker counted may be lost."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ledger = Ledger()
        self._known: set[int] = set()

    @property
    def is_ready(self) -> bool:
        """Whether one worker at least takes requests."""
        return self._fleet.is_ready

    def look(self) -> None:
        """Take note of who is there and what they have counted."""
        workers = self._fleet.states()
        for worker in workers:
            if STATS_KEY in worker.stats:
                self._ledger.report(worker.pid, worker.stats[STATS_KEY])
        present = {worker.pid for worker in workers}
        for pid in self._known - present:
            self._ledger.retire(pid)
        self._known = present

    def snapshot(self) -> Snapshot:
        """Return all figures."""
        self.look()
        phases = [worker.phase.value for worker in self._fleet.states()]
        states = {sample("portico_workers", state=state): float(phases.count(state)) for state in _STATES}
        return self._ledger.snapshot() | states
