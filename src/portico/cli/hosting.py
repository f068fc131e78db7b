"""What every command that serves comes to: one process with a session, or a supervisor and its workers.

    host
      worker.work             this process is a worker: PORTICO_WORKER is in its environment
      supervision.supervise   --workers, --reload
      session.Session.run     one process, as a rule

The order matters: sockets are opened before the machinery is loaded and the application imported, so that a port in use
is told at once, and a visitor who comes meanwhile waits in the kernel's queue.
"""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portico.cli.group import words_of_environment
from portico.cli.offer import Offer
from portico.cli.options import collect
from portico.cli.places import Places
from portico.cli.screen import Screen
from portico.net.listening import close
from portico.settings import Limits, Log, Messages, Processes

# As in workers.process, which a single process does not load.
_WORKER_VARIABLE = "PORTICO_WORKER"


@dataclass(frozen=True, slots=True)
class Hosting:
    """How to serve, whatever it is.

    is_lan_ours: the `l` key may open and close addresses (no --bind).
    announce: makes a line for the screen before all others.
    """

    limits: Limits
    log: Log
    messages: Messages
    processes: Processes
    is_lan_ours: bool
    announce: Callable[[Places], str] | None = None


def hosting(
    params: Mapping[str, Any], *, is_lan_ours: bool, announce: Callable[[Places], str] | None = None
) -> Hosting:
    """Collect it from the values of a command's options."""
    limits, log = collect(Limits, params), collect(Log, params)
    return Hosting(limits, log, collect(Messages, params), collect(Processes, params), is_lan_ours, announce)


def host(offer: Offer, how: Hosting, open_sockets: Callable[[], Places]) -> int:
    """Serve until stopped. Returns the exit code.

    open_sockets: called once, and not at all in a worker, which inherits them.
    Raises UsageError and ConfigError, before anything is served.
    """
    if _WORKER_VARIABLE in os.environ:
        from portico.cli.worker import work

        return work(offer, how)
    screen = Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)
    places = open_sockets()
    try:
        if how.announce is not None:
            screen.line(how.announce(places))
        if how.processes.workers or how.processes.reload:
            from portico.cli.supervision import supervise

            return supervise(offer, how, places, screen)
        return _serve_here(offer, how, places, screen)
    finally:
        close(places.sockets)


def _serve_here(offer: Offer, how: Hosting, places: Places, screen: Screen) -> int:
    import asyncio

    from portico.apps.files.web import event_loop
    from portico.cli.session import Plan, Session

    plan = Plan(offer, how.limits, how.log, how.messages, how.is_lan_ours, _stdin())
    session = Session(plan, places, screen, words_of_environment())
    gc.enable()
    gc.freeze()
    with asyncio.Runner(loop_factory=event_loop) as runner:
        return runner.run(session.run())


def _stdin() -> int:
    """Return the descriptor of standard input, -1 where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # None under pythonw, or replaced, or closed
        return -1
