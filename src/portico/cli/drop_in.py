"""`python -m portico [PORT]`: what `python -m http.server` is called with, and what it means.

PORT, --bind, --directory and --protocol are those of Python 3.14; every interface is bound as it does. The options of
`portico serve` that say what is served, and how, can be added.
"""

from dataclasses import replace
from typing import Any

import click

from portico.cli.group import Example, PageCommand
from portico.cli.hosting import host
from portico.cli.options import collect, options_for
from portico.cli.places import Places, open_places
from portico.cli.plan import plan_of
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.errors import UsageError, excerpt
from portico.net.addresses import ALL_INTERFACES, Address, url
from portico.net.listening import address_of
from portico.settings import Files, Limits, Listen, Log, options_of, parse_value

_PROTOCOLS = ("HTTP/1.0", "HTTP/1.1")
# HTTP/1.0 keeps no connection: the shortest wait for a next request that the limits allow.
_SHORTEST_WAIT_S = 0.1
_EXAMPLES = (
    Example("python -m portico 8000", "module"),
    Example("python -m portico serve --help", "module-commands"),
)


def _serve(port: str | None, bind: str | None, directory: str, protocol: str, cgi: bool, **params: Any) -> int:
    if cgi:
        raise UsageError("--cgi is refused: no CGI script is run; leave it out to serve the files")
    if protocol not in _PROTOCOLS:
        raise UsageError(f"--protocol {excerpt(protocol)} is not one of {', '.join(_PROTOCOLS)}")
    if protocol == "HTTP/1.0":
        params["keep_alive_timeout"] = _SHORTEST_WAIT_S
    listen_to = replace(Listen(), port=_parse_port(port), bind=(_bound(bind),))
    offer = SharedFiles((Share("", directory),), collect(Files, params))
    plan = plan_of(offer, params, is_lan_ours=False, announce=_announcement)
    return host(plan, lambda: open_places(listen_to))


def _parse_port(text: str | None) -> int | None:
    row = next(row for row in options_of(Listen) if row.name == "port")
    try:
        return None if text is None else int(parse_value(row, text))
    except UsageError as exc:
        raise UsageError(f"{exc}; PORT is a number, 0 to 65535, or the first word a command: serve") from exc


def _bound(host: str | None) -> str:
    # An empty host and the two wildcards mean what they mean there: every interface.
    if host in (None, "", "::"):
        return ALL_INTERFACES
    return f"[{host}]" if ":" in str(host) and not str(host).startswith("[") else str(host)


def _announcement(places: Places) -> str:
    """Return the line that `python -m http.server` begins with; programs that start it look for that."""
    address = address_of(places.sockets[0])
    host = "0.0.0.0" if address.host == ALL_INTERFACES else address.host
    shown = url(Address("tcp", host=host, port=address.port)).replace("localhost", host)
    return f"Serving HTTP on {host} port {address.port} ({shown}) ..."


command = PageCommand(
    "module",
    params=[
        click.Argument(["port"], required=False),
        click.Option(["-b", "--bind"], metavar="ADDRESS", help="module-bind"),
        click.Option(["-d", "--directory"], metavar="DIR", default=".", help="module-directory"),
        click.Option(["-p", "--protocol"], metavar="VERSION", default="HTTP/1.1", help="module-protocol"),
        click.Option(["--cgi"], is_flag=True, hidden=True),
        *(option for group in (Files, Log, Limits) for option in options_for(group, "serve")),
    ],
    arguments=[("PORT", "module-port")],
    examples=_EXAMPLES,
    callback=_serve,
)
