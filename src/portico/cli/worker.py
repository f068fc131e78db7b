"""One worker: what a session is for a person, without banner, keys and totals, which are the supervisor's.

    work
      Offer.open            import the application: before anything is accepted
      _run                  Offer.start -> Server.open -> ready ... SIGTERM -> drain -> Offer.stop -> finished

In: an offer, and the badge in the environment. Out: the exit code, and messages to the supervisor.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from portico.apps.admin.sources import STATS_KEY, ServerSource
from portico.cli.group import full_text, words_of_environment
from portico.cli.log import report_to
from portico.cli.offer import Offer
from portico.cli.plan import Plan, assemble
from portico.cli.screen import Screen
from portico.errors import PorticoError
from portico.net.listening import close
from portico.server.embedded import Server, event_loop
from portico.server.tasks import to_the_end
from portico.workers.worker import WorkerLink

FAILED_CODE = 2
_GRACE_S = 2.0  # nobody waits for a worker that others have replaced, so those it accepted last have time to ask


def work(plan: Plan) -> int:
    """Serve as a worker until the supervisor says otherwise, or is no more. Returns the exit code."""
    link = WorkerLink.from_environment()
    assert link is not None, "only a worker gets here"
    try:
        return _worked(link, plan)
    except PorticoError as exc:
        link.failed(full_text(exc, words_of_environment()))
        return FAILED_CODE
    finally:
        plan.offer.close()
        link.close()


def _worked(link: WorkerLink, plan: Plan) -> int:
    screen = Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)
    reporting = report_to(screen)
    close_log: Callable[[], object] = int
    try:
        server, _, close_log = assemble(plan, screen, words_of_environment().language, is_alone=False)
        source = ServerSource(server) if plan.processes.admin else None
        if source is not None:
            plan.offer.watch(source.metrics)
        gc.enable()
        gc.freeze()
        with asyncio.Runner(loop_factory=event_loop) as runner:
            return runner.run(to_the_end(_run(link, plan.offer, server, source)))
    finally:
        reporting.close()
        close_log()


async def _run(link: WorkerLink, offer: Offer, server: Server, source: ServerSource | None) -> int:
    stopping = asyncio.Event()

    def cut() -> None:
        stopping.set()
        server.cut()

    link.watch(stopping.set, cut)
    sockets = link.sockets()
    try:
        await offer.start()
        await server.open(sockets)
        link.ready()
        link.beat_with(lambda: _figures(server, source))
        await stopping.wait()
        link.draining()
        lost = await server.drain(server.limits.drain, _GRACE_S)
        await offer.stop()
        link.finished(lost)
    finally:
        close(sockets)
        offer.close()  # while there is a loop: work for later, a better packed form, may be under way
    return 0


def _figures(server: Server, source: ServerSource | None) -> Mapping[str, Any]:
    """Return what a beat carries: what recycling looks at, and all the rest where somebody asked for it."""
    figures = {STATS_KEY: source.snapshot()} if source is not None else {}
    return {"requests": server.totals.requests, "active": server.active, **figures}
