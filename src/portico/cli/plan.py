"""What to serve and how, whatever it is: the values of a command's options, joined with an offer.

In: an offer and parameters. Out: a `Plan`, and from it a server and its log, in one process or in each worker alike.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from portico.cli.offer import Offer
from portico.cli.options import collect
from portico.cli.places import Places
from portico.cli.screen import Screen
from portico.settings import App, Limits, Log, Messages, Processes, Service, Trust

if TYPE_CHECKING:
    from portico.server.access_log import AccessLog
    from portico.server.embedded import Server
    from portico.server.exchange import Handler
    from portico.server.http import HttpServer
    from portico.server.service import Services
    from portico.server.service_log import ServiceLog
    from portico.server.services import ServiceServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to serve an offer.

    is_lan_ours: the `l` key may open and close addresses (no --bind). beside: sockets of other ports that are opened
    and closed with those; asked once they are open. keys_fd: where keys come from, if it is a
    terminal; -1 for nowhere. announce: makes a line for the screen before all others.
    """

    offer: Offer
    app: App = field(default_factory=App)
    service: Service = field(default_factory=Service)
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)
    messages: Messages = field(default_factory=Messages)
    trust: Trust = field(default_factory=Trust)
    processes: Processes = field(default_factory=Processes)
    is_lan_ours: bool = False
    keys_fd: int = -1
    announce: Callable[[Places], str] | None = None
    beside: Callable[[], Sequence[socket.socket]] = tuple


def plan_of(
    offer: Offer,
    params: Mapping[str, Any],
    *,
    is_lan_ours: bool,
    announce: Callable[[Places], str] | None = None,
) -> Plan:
    """Collect a plan from the values of a command's options; groups that a command lacks are at their defaults."""
    return Plan(
        offer=offer,
        app=collect(App, params),
        service=collect(Service, params),
        limits=collect(Limits, params),
        log=collect(Log, params),
        messages=collect(Messages, params),
        trust=collect(Trust, params),
        processes=collect(Processes, params),
        is_lan_ours=is_lan_ours,
        announce=announce,
    )


class Assembly(NamedTuple):
    """A server that is ready to open, and its log's end. lost: how many lines the log could not write."""

    server: "Server"
    lost: Callable[[], int]
    close_log: Callable[[], object]


def assemble(plan: Plan, screen: Screen, language: str, *, is_alone: bool) -> Assembly:
    """Open the offer, and make the log and the server for it.

    screen, is_alone: see `log.open_log`. Raises ConfigError and UsageError where one of them cannot be had.
    """
    from portico.cli.log import open_beside_log, open_log, open_service_log
    from portico.server.service import Services
    from portico.server.several import Joined, Several

    opened = plan.offer.open()
    if isinstance(opened, Services):
        service_log, close = open_service_log(plan.log, screen, language)
        lost = (lambda: 0) if service_log is None else (lambda: service_log.lost)
        return Assembly(service_server(plan, opened, service_log), lost, close)
    log, close = open_log(plan.log, screen, is_alone=is_alone)
    lost = (lambda: 0) if log is None else (lambda: log.lost)
    if isinstance(opened, Joined):
        beside_log, close_beside = open_beside_log(plan.log, screen, language)
        main, beside = http_server(plan, opened.handler, log), service_server(plan, opened.services, beside_log)
        opened.hand_over(beside)
        both = [one for one in (log, beside_log) if one is not None]
        return Assembly(
            Several(main, beside, opened.sockets),
            lambda: sum(one.lost for one in both),
            lambda: (close(), close_beside()),
        )
    return Assembly(http_server(plan, opened, log), lost, close)


def service_server(plan: Plan, services: "Services", log: "ServiceLog | None") -> "ServiceServer":
    """Make the server for services."""
    from portico.gateway.pool import Pool
    from portico.server.services import ServiceServer

    pool = Pool(max(plan.app.threads, 1), plan.app.max_threads)
    return ServiceServer(services, plan.limits, plan.service, log, pool=pool)


def http_server(plan: Plan, handler: "Handler", log: "AccessLog | None") -> "HttpServer":
    """Make the server for a handler. Raises UsageError for a proxy that is none."""
    from portico.server.http import HttpServer

    server = HttpServer(handler, plan.limits, log, messages=plan.messages)
    if plan.trust != Trust() or plan.log.request_id:
        from portico.server.preparing import preparation
        from portico.server.proxy_gate import gatekeeper

        server.prepare = preparation(plan.trust, plan.log)
        server.protocol = gatekeeper(server, plan.trust) or server.protocol
    return server
