"""The supervisor's side of `--workers`: its banner, what it says meanwhile, its exit code.

In: an offer that is not opened here, open sockets, a screen. Out: the exit code of `workers.supervisor.Supervisor`.
"""

import asyncio
import gc

from portico.cli import banner
from portico.cli.group import words_of_environment
from portico.cli.hosting import Hosting
from portico.cli.offer import Offer
from portico.cli.places import Places, links_of
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.net.listening import address_of
from portico.workers.events import ROUTINE, Event
from portico.workers.process import own_command
from portico.workers.supervisor import Supervisor


def supervise(offer: Offer, how: Hosting, places: Places, screen: Screen) -> int:
    """Keep workers running until told to stop; the caller closes the sockets. Returns the exit code.

    0 after an orderly end, 3 where no worker could start, 130 after a second Ctrl-C.
    """
    words = words_of_environment()

    def tell(event: Event) -> None:
        if event.kind not in ROUTINE:
            screen.line(f"  {event.text(words.language)}")

    screen.line("\n".join(greeting(offer, how.processes.workers or 1, places, words, screen)))
    supervisor = Supervisor(
        own_command(), places.sockets, processes=how.processes, drain_s=how.limits.drain, on_event=tell
    )
    gc.enable()
    return asyncio.run(supervisor.run())


def greeting(offer: Offer, workers: int, places: Places, words: Words, screen: Screen) -> list[str]:
    """Return the banner: what is served, by how many, and where."""
    lines = offer.greeting(words, screen, workers)
    if places.moved is not None:
        lines.append(banner.moved_line(places.moved, address_of(places.sockets[0]).port, words))
    links = links_of(places.sockets, offer.path)
    lines += ["", *banner.link_lines(links, words(offer.lan_words), screen), ""]
    return [*lines, *(f"  {screen.paint(line, 'yellow')}" for line in offer.warnings(words))]
