"""What every command that serves comes to: one process with a session, or a supervisor and its workers.

    host
      worker.work             this process is a worker: PORTICO_WORKER is in its environment
      places.open_places      sockets, the pid file, then another user
      supervision.supervise   --workers, --reload
      session.Session.run     one process, as a rule

The order matters: sockets are opened before the machinery is loaded and the application imported, so that a port in use
is told at once, and a visitor who comes meanwhile waits in the kernel's queue.
"""

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from portico.cli.group import words_of_environment
from portico.cli.places import Places
from portico.cli.plan import Plan
from portico.cli.screen import Screen
from portico.net.listening import address_of, close
from portico.settings import Limits, Log, Processes

# Of the options of processes, those that mean something whatever is served.
PROCESS_ROWS = (
    *("workers", "start-timeout", "stuck-timeout"),
    *("recycle-requests", "recycle-after", "recycle-memory"),
    *("pid-file", "user", "group", "admin"),
)
_OWN_DESCRIPTORS = 64  # of listeners, logs, files being sent and the machinery itself
# As in workers.process, which a single process does not load.
_WORKER_VARIABLE = "PORTICO_WORKER"


def host(plan: Plan, open_sockets: Callable[[], Places]) -> int:
    """Serve until stopped. Returns the exit code.

    open_sockets: called once, and not at all in a worker, which inherits them.
    Raises UsageError and ConfigError, before anything is served.
    """
    if _WORKER_VARIABLE in os.environ:
        from portico.cli.worker import work

        return work(plan)
    plan = replace(plan, limits=fitting(plan.limits))
    output = Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)
    # What a program reads has no banner in it.
    screen = (
        Screen(sys.stderr.fileno(), sys.stderr.encoding, os.environ) if _is_for_programs(plan.log, output) else output
    )
    with _placed(plan.processes, open_sockets) as places:
        if plan.announce is not None:
            screen.line(plan.announce(places))
        if plan.processes.workers or plan.processes.reload:
            from portico.cli.supervision import supervise

            return supervise(plan, places, screen)
        return _serve_here(plan, places, screen, output)


def fitting(limits: Limits) -> Limits:
    """Return limits whose connections this process can hold: each is a descriptor.

    The soft limit is raised to the hard one first, which is what it is there for; where that is not enough, there are
    fewer connections, and the next ones are refused in good order rather than left in the queue.
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return limits
    wanted = limits.max_connections + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    return replace(limits, max_connections=max(soft - _OWN_DESCRIPTORS, 1))


def _is_for_programs(log: Log, output: Screen) -> bool:
    """Tell whether some program reads the access log from standard output, which then has to have nothing else."""
    return log.log_format != Log().log_format and not (log.quiet or log.log_file or output.is_terminal)


@contextmanager
def _placed(processes: Processes, open_sockets: Callable[[], Places]) -> Iterator[Places]:
    """Open the sockets and write the pid file as the user that was, then become the one that serves."""
    with _opened(processes.admin, open_sockets) as places:
        if processes.user or processes.group or processes.pid_file:
            with _owned(processes, [*places.sockets, *places.admin]):
                yield places
        else:
            yield places


@contextmanager
def _opened(admin: str, open_sockets: Callable[[], Places]) -> Iterator[Places]:
    places = open_sockets()
    try:
        if admin:
            from portico.apps.admin.listener import open_sockets as open_admin

            places = places._replace(admin=open_admin(admin))
        yield places
    finally:
        close([*places.sockets, *places.admin])


@contextmanager
def _owned(processes: Processes, sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Hold the pid file, and be the user that was asked for; both are looked at before anything changes."""
    from portico.workers.identity import assume, find_identity, hand_over
    from portico.workers.pid_file import PidFile

    identity = find_identity(processes.user, processes.group)
    pid_file = PidFile(processes.pid_file) if processes.pid_file else None
    try:
        if pid_file is not None:
            pid_file.claim()
        if identity is not None:
            paths = [address_of(sock).path for sock in sockets] + [pid_file.path if pid_file else ""]
            for path in filter(_is_file, paths):
                hand_over(path, identity)
            assume(identity)
        yield
    finally:
        if pid_file is not None:
            pid_file.release()


def _is_file(path: str) -> bool:
    return path[:1] not in ("", "@")


def _serve_here(plan: Plan, places: Places, screen: Screen, output: Screen) -> int:
    import asyncio

    from portico.cli.session import Session
    from portico.server.embedded import event_loop
    from portico.server.tasks import to_the_end

    session = Session(replace(plan, keys_fd=_stdin()), places, screen, words_of_environment(), output=output)
    gc.enable()
    gc.freeze()
    with asyncio.Runner(loop_factory=event_loop) as runner:
        return runner.run(to_the_end(session.run()))


def _stdin() -> int:
    """Return the descriptor of standard input, -1 where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # None under pythonw, or replaced, or closed
        return -1
