"""`portico serve`: share a folder, a file, or several.

`run` is what every command that serves files comes to. The order matters: sockets are opened before the machinery is
loaded, so that a port in use is told at once, and a visitor who comes meanwhile waits in the kernel's queue.
"""

import gc
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from portico.cli.group import Example, PageCommand, words_of_environment
from portico.cli.options import collect, options_for
from portico.cli.places import Places, open_places
from portico.cli.screen import Screen
from portico.cli.shares import Share, parse_shares
from portico.net.listening import close
from portico.settings import Files, Limits, Listen, Log

_EXAMPLES = (
    Example("portico serve", "serve-example-here"),
    Example("portico serve --lan", "serve-example-lan"),
    Example("portico serve a=DIR b=DIR", "serve-example-several"),
    Example("portico serve talk.pdf -p 9000", "serve-example-file"),
)


def _serve(paths: tuple[str, ...], **params: Any) -> int:
    shares = parse_shares(paths)
    listen_to = collect(Listen, params)
    return run(shares, params, lambda: open_places(listen_to), is_lan_ours=not listen_to.bind)


def run(
    shares: tuple[Share, ...],
    params: Mapping[str, Any],
    open_sockets: Callable[[], Places],
    *,
    is_lan_ours: bool,
    announce: Callable[[Places], str] | None = None,
) -> int:
    """Serve until stopped. Returns the exit code.

    params: the values of the command's options, among them those of Files, Limits and Log.
    open_sockets: called once the settings are known to make sense. is_lan_ours: see `session.Plan`.
    announce: a line for the screen before all others, None for none.
    Raises UsageError and ConfigError, before anything is served.
    """
    files, limits, log = collect(Files, params), collect(Limits, params), collect(Log, params)
    screen = Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)
    places = open_sockets()
    try:
        import asyncio

        from portico.apps.files.web import event_loop
        from portico.cli.session import Plan, Session

        session = Session(
            Plan(shares, files, limits, log, is_lan_ours, _stdin()), places, screen, words_of_environment()
        )
        if announce is not None:
            screen.line(announce(places))
        gc.enable()
        gc.freeze()
        with asyncio.Runner(loop_factory=event_loop) as runner:
            return runner.run(session.run())
    finally:
        close(places.sockets)


def _stdin() -> int:
    """Return the descriptor of standard input, -1 where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # None under pythonw, or replaced, or closed
        return -1


command = PageCommand(
    "serve",
    params=[
        click.Argument(["paths"], nargs=-1, metavar="PATH"),
        *(option for group in (Listen, Files, Log, Limits) for option in options_for(group, "serve")),
    ],
    arguments=[("PATH ...", "serve-paths")],
    examples=_EXAMPLES,
    callback=_serve,
)
