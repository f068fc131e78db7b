"""The supervisor's side of `--workers`: its banner, what it says meanwhile, its exit code.

In: an offer that is not opened here, open sockets, a screen. Out: the exit code of `workers.supervisor.Supervisor`.
"""

import asyncio
import gc
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from portico.apps.admin.listener import open_pages
from portico.apps.admin.sources import FleetSource
from portico.cli import banner
from portico.cli.group import words_of_environment
from portico.cli.offer import Offer
from portico.cli.places import Places, links_of
from portico.cli.plan import Plan
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.net.listening import address_of
from portico.settings import Processes
from portico.workers.events import ROUTINE, Event
from portico.workers.process import own_command
from portico.workers.supervisor import Supervisor
from portico.workers.watch import changes, check_watching, roots_of
from portico.workers.worker import BEAT_S


def supervise(plan: Plan, places: Places, screen: Screen, *, command: Sequence[str] = ()) -> int:
    """Keep workers running until told to stop; the caller closes the sockets. Returns the exit code.

    command: what starts a worker, as a rule this process's own command line.

    0 after an orderly end, 3 where no worker could start, 130 after a second Ctrl-C.
    """
    words = words_of_environment()

    def tell(event: Event) -> None:
        if event.kind not in ROUTINE:
            screen.line(f"  {event.text(words.language)}")

    def greet() -> None:
        screen.line("\n".join(greeting(plan.offer, plan.processes.workers or 1, places, words, screen)))

    if plan.processes.reload:
        check_watching(roots_of(plan.processes.reload_dir))
    supervisor = Supervisor(
        command or own_command(), places.sockets, processes=plan.processes, drain_s=plan.limits.drain, on_event=tell
    )
    gc.enable()
    return asyncio.run(_run(supervisor, greet, plan.processes, places.admin))


async def _run(
    supervisor: Supervisor, greet: Callable[[], None], processes: Processes, admin: Sequence[socket.socket]
) -> int:
    source = FleetSource(supervisor)
    pages = await open_pages(admin, source) if admin else None
    works = [_look(source)] if admin else []
    if processes.reload:
        works.append(_reload(supervisor, processes.reload_dir))
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await supervisor.run(greet)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if pages is not None:
            await pages.drain(0)


async def _look(source: FleetSource) -> None:
    """Note what workers have counted while they are there."""
    while True:
        source.look()
        await asyncio.sleep(BEAT_S)


async def _reload(supervisor: Supervisor, folders: Sequence[str]) -> None:
    async for changed in changes(folders):
        supervisor.reload(changed)


def greeting(offer: Offer, workers: int, places: Places, words: Words, screen: Screen) -> list[str]:
    """Return the banner: what is served, by how many, and where."""
    lines = offer.greeting(words, screen, workers)
    if places.moved is not None:
        lines.append(banner.moved_line(places.moved, address_of(places.sockets[0]).port, words))
    links = links_of(places.sockets, offer.path, is_http=offer.is_for_browsers)
    lines += ["", *banner.link_lines(links, words(offer.lan_words), screen), ""]
    return [*lines, *(f"  {screen.paint(line, 'yellow')}" for line in offer.warnings(words))]
