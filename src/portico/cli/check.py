"""`portico check`: what `portico run` would do with the same words, without doing it.

In: the words of `run`. Out: a table of every value and where it comes from, then the application, imported; exit code
0, or 2 and what is wrong.
"""

import os
from collections.abc import Iterator
from typing import Any

import click

from portico.cli.group import CONFIG, Example, PageCommand, words_of_environment
from portico.cli.hosted import HostedApp
from portico.cli.options import SettingOption, collect, written
from portico.cli.places import check_http, wanted
from portico.cli.plan import http_server, plan_of, service_server
from portico.cli.run import composition, parameters
from portico.cli.words import Words
from portico.server.service import Services
from portico.settings import Listen, Processes

_EXAMPLES = (Example("portico check", "check-example"),)
_NAME, _VALUE = 30, 28


def _check(reference: str | None, **params: Any) -> int:
    ctx, words = click.get_current_context(), words_of_environment()
    for line in table(ctx, words):
        click.echo(line)
    listen_to = collect(Listen, params)
    wanted(listen_to, also=("udp",))
    offer = HostedApp(composition(reference, params))
    plan = plan_of(offer, params, is_lan_ours=False)
    _look_at(plan.processes)
    try:
        opened = offer.open()
        if isinstance(opened, Services):
            service_server(plan, opened, None)
        else:
            for place in wanted(listen_to, also=("udp",)):
                check_http(place.addresses)
            http_server(plan, opened, None)
        assert offer.loaded is not None
        loaded = offer.loaded
        kind = "WSGI" if loaded.interface == "wsgi" else words(loaded.interface)
        click.echo(f"\n{words('check-good', what=f'{loaded.name} ({kind})')}")
    finally:
        offer.close()
    return 0


def _look_at(processes: Processes) -> None:
    """Raise what `run` would, for the values that only it uses; nothing is opened, nobody becomes another user."""
    from portico.apps.admin.handler import admin_address
    from portico.workers.identity import find_identity
    from portico.workers.watch import check_watching, roots_of

    if processes.admin:
        admin_address(processes.admin)
    if processes.user or processes.group:
        find_identity(processes.user, processes.group)
    if processes.reload:
        check_watching(roots_of(processes.reload_dir))


def table(ctx: click.Context, words: Words) -> Iterator[str]:
    """Yield a line for each option under the title of its group: name, value, origin."""
    group = ""
    for param in ctx.command.params:
        if not isinstance(param, SettingOption):
            continue
        if param.group != group:
            group = param.group
            yield from ([""] if group != "Listen" else [])
            yield words("titled", title=words(group))
        found = ctx.params.get(param.name or "")
        shown = written(param.row, param.row.default if found in (None, ()) else found)
        yield f"  {param.row.name:{_NAME}}{shown or '-':{_VALUE}}{origin(ctx, param, words)}".rstrip()


def origin(ctx: click.Context, param: SettingOption, words: Words) -> str:
    """Say where the value of an option comes from."""
    source = ctx.get_parameter_source(param.name or "")
    if source is click.core.ParameterSource.COMMANDLINE:
        return words("origin-line")
    if source is click.core.ParameterSource.ENVIRONMENT:
        names = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())
        return words("origin-environment", name=next(filter(os.environ.get, names), ""))
    if source is click.core.ParameterSource.DEFAULT_MAP:
        return str(ctx.meta[CONFIG].origins[param.row.attribute])
    return words("origin-default")


command = PageCommand(
    "check",
    params=list(parameters()),
    arguments=[("APP", "run-app")],
    examples=_EXAMPLES,
    callback=_check,
    config_for="run",
)
