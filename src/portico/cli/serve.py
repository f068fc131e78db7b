"""`portico serve`: share a folder, a file, or several."""

from typing import Any

import click

from portico.cli.group import Example, PageCommand
from portico.cli.hosting import PROCESS_ROWS, host
from portico.cli.options import collect, options_for
from portico.cli.places import open_places
from portico.cli.plan import plan_of
from portico.cli.shared import SharedFiles
from portico.cli.shares import parse_shares
from portico.settings import Files, Limits, Listen, Log, Processes, Trust

_EXAMPLES = (
    Example("portico serve", "serve-example-here"),
    Example("portico serve --lan", "serve-example-lan"),
    Example("portico serve a=DIR b=DIR", "serve-example-several"),
    Example("portico serve talk.pdf -p 9000", "serve-example-file"),
)


def _serve(paths: tuple[str, ...], **params: Any) -> int:
    offer = SharedFiles(parse_shares(paths), collect(Files, params))
    listen_to = collect(Listen, params)
    return host(plan_of(offer, params, is_lan_ours=not listen_to.bind), lambda: open_places(listen_to))


command = PageCommand(
    "serve",
    params=[
        click.Argument(["paths"], nargs=-1, metavar="PATH"),
        *(option for group in (Listen, Files) for option in options_for(group, "serve")),
        *options_for(Processes, "serve", PROCESS_ROWS),
        *(option for group in (Trust, Log, Limits) for option in options_for(group, "serve")),
    ],
    arguments=[("PATH ...", "serve-paths")],
    examples=_EXAMPLES,
    callback=_serve,
    config_for="serve",
)
