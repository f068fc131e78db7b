"""`portico run`: run a WSGI or ASGI application, or a service."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from portico.cli.group import CONFIG, Example, PageCommand
from portico.cli.hosted import Composition, HostedApp
from portico.cli.hosting import PROCESS_ROWS, host
from portico.cli.mounts import parse_static
from portico.cli.options import collect, options_for
from portico.cli.places import open_places
from portico.cli.plan import plan_of
from portico.gateway.reference import parse_reference
from portico.settings import App, Files, Limits, Listen, Log, Messages, Processes, Service, Trust

_EXAMPLES = (
    Example("portico run", "run-example-found"),
    Example("portico run main:app", "run-example-named"),
    Example("portico run main:app --workers 4", "run-example-workers"),
    Example("portico run 'main:create_app()' --reload", "run-example-reload"),
    Example("portico run main:app --static /static=public", "run-example-static"),
    Example("portico run main:clock --bind udp://:9000", "run-example-service"),
)
# Of the options of files, those that a folder beside an application has a use for.
_FILES = ("links", "hidden", "cors", "compress")


def parameters() -> Iterator[click.Parameter]:
    """Yield the parameters of `run`, and of `check`, which reads them alike."""
    yield click.Argument(["reference"], required=False, metavar="APP")
    yield from options_for(Listen, "run")
    yield from options_for(App, "run")
    yield from options_for(Files, "run", _FILES)
    yield from options_for(Trust, "run")
    yield from options_for(Processes, "run", (*PROCESS_ROWS, "reload", "reload-dir"))
    yield from options_for(Log, "run")
    yield from options_for(Limits, "run")
    yield from options_for(Messages, "run")
    yield from options_for(Service, "run")


def composition(reference: str | None, params: Mapping[str, Any]) -> Composition:
    """Collect what is to be run; look for an application where none is named.

    Raises UsageError and ConfigError for settings that make no sense, and where no application, or more than one, is
    found.
    """
    app = collect(App, params)
    files = replace(collect(Files, params), production=True, listing=False)
    config = click.get_current_context().meta.get(CONFIG)
    mounts = [*parse_static(app.static), *(config.mounts if config is not None else ())]
    why = ""
    if reference is None:
        from portico.cli.discovery import discover

        found = discover(app.app_dir or ".", os.environ)
        reference, why = found.reference, found.where
    parse_reference(reference)
    workers, drain_s = collect(Processes, params).workers, collect(Limits, params).drain
    return Composition(reference, app, files, mounts, why, drain_s, (workers or 1) > 1)


def _run(reference: str | None, **params: Any) -> int:
    offer = HostedApp(composition(reference, params))
    listen_to = collect(Listen, params)
    # With workers nobody here opens the application; whoever writes a scheme means a service.
    is_service = collect(App, params).interface in ("stream", "datagram")
    has_scheme = any(place.startswith(("tcp://", "udp://")) for place in listen_to.bind)
    offer.is_for_browsers = not (is_service or has_scheme)
    return host(plan_of(offer, params, is_lan_ours=not listen_to.bind), lambda: open_places(listen_to, also=("udp",)))


command = PageCommand(
    "run",
    params=list(parameters()),
    arguments=[("APP", "run-app")],
    examples=_EXAMPLES,
    callback=_run,
    config_for="run",
)
