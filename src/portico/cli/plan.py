"""What to serve and how, whatever it is: the values of a command's options, joined with an offer.

In: an offer and parameters. Out: a `Plan`, and from it an `HttpServer`, in one process or in each worker alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portico.cli.offer import Offer
from portico.cli.options import collect
from portico.cli.places import Places
from portico.settings import Limits, Log, Messages, Processes, Trust

if TYPE_CHECKING:
    from portico.server.access_log import AccessLog
    from portico.server.http import HttpServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to serve an offer.

    is_lan_ours: the `l` key may open and close addresses (no --bind). keys_fd: where keys come from, if it is a
    terminal; -1 for nowhere. announce: makes a line for the screen before all others.
    """

    offer: Offer
    limits: Limits = field(default_factory=Limits)
    log: Log = field(default_factory=Log)
    messages: Messages = field(default_factory=Messages)
    trust: Trust = field(default_factory=Trust)
    processes: Processes = field(default_factory=Processes)
    is_lan_ours: bool = False
    keys_fd: int = -1
    announce: Callable[[Places], str] | None = None


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
        limits=collect(Limits, params),
        log=collect(Log, params),
        messages=collect(Messages, params),
        trust=collect(Trust, params),
        processes=collect(Processes, params),
        is_lan_ours=is_lan_ours,
        announce=announce,
    )


def open_server(plan: Plan, log: "AccessLog | None") -> "HttpServer":
    """Open the offer and make the server for it. Raises ConfigError where it cannot be had."""
    from portico.server.http import HttpServer

    server = HttpServer(plan.offer.open(), plan.limits, log, messages=plan.messages)
    if plan.trust != Trust() or plan.log.request_id:
        from portico.server.preparing import preparation
        from portico.server.proxy_gate import gatekeeper

        server.prepare = preparation(plan.trust, plan.log)
        server.protocol = gatekeeper(server, plan.trust) or server.protocol
    return server
