"""`portico greet`, `reply`, `echo`, `time` and `temperature`: the ready services, a row each.

In: the words of a command. Out: a service of apps/services, hosted as everything else is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from portico.cli.group import Example, PageCommand
from portico.cli.hosting import PROCESS_ROWS, host
from portico.cli.offered import OfferedService
from portico.cli.options import collect, options_for
from portico.cli.places import open_places
from portico.cli.plan import plan_of
from portico.errors import UsageError
from portico.net.addresses import Kind
from portico.settings import Limits, Listen, Log, Processes, Service

if TYPE_CHECKING:
    from portico.server.service import Services

# Of the options of limits and of the log, those that a service has a use for.
_LIMITS = ("max-connections", "max-connections-per-address", "max-active", "min-rate", "rate-window", "drain")
_LOG = ("log-format", "log-file", "quiet")
_BOTH: tuple[Kind, ...] = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class Row:
    """One service.

    make: from the values of `own`, by name, and `encoding`, to services. kinds: what it is served over.
    own: its own parameters. arguments: of the help page, as `PageCommand` has them. settings: rows of Service it uses.
    """

    name: str
    make: Callable[..., "Services"]
    kinds: tuple[Kind, ...]
    own: Sequence[click.Parameter] = ()
    arguments: Sequence[tuple[str, str]] = ()
    settings: Sequence[str] = ("encoding", "idle-timeout")

    def command(self) -> PageCommand:
        """Make the command."""
        params = [
            *self.own,
            *options_for(Listen, self.name),
            *options_for(Service, self.name, self.settings),
            *options_for(Processes, self.name, PROCESS_ROWS),
            *options_for(Log, self.name, _LOG),
            *options_for(Limits, self.name, _LIMITS),
        ]
        examples = [
            Example(f"portico {self.name}{self._sample()}", f"{self.name}-example"),
            Example(f"portico {self.name}{self._sample()} --lan -p 9000", "service-example-lan"),
        ]
        return PageCommand(
            self.name,
            params=params,
            arguments=self.arguments,
            examples=examples,
            callback=self.run,
            config_for=self.name,
            own_title="own-options",
        )

    def _sample(self) -> str:
        return " 欢迎使用xx系统" if self.name == "greet" else ""

    def run(self, **params: Any) -> int:
        """Serve until stopped; return the exit code."""
        own = {parameter.name: params[parameter.name] for parameter in self.own}
        offer = OfferedService(self.name, self.make(encoding=collect(Service, params).encoding, **own))
        listen_to = collect(Listen, params)
        plan = plan_of(offer, params, is_lan_ours=not listen_to.bind)
        return host(plan, lambda: open_places(listen_to, kinds=self.kinds))


def _greet(text: str | None, encoding: str) -> "Services":
    from portico.apps import services
    from portico.server.service import Services

    if text is None:
        raise UsageError("there is no text; write portico greet TEXT")
    return Services(stream=services.greet(text, encoding=encoding))


def _reply(text: str, encoding: str) -> "Services":
    from portico.apps import services
    from portico.apps.services.reply import DEFAULT_TEXT
    from portico.server.service import Services

    return Services(stream=services.reply(text or DEFAULT_TEXT, encoding=encoding))


def _echo(encoding: str) -> "Services":
    from portico.apps import services
    from portico.server.service import Services

    return Services(*services.echo())


def _time(tz: str, encoding: str) -> "Services":
    from portico.apps import services
    from portico.server.service import Services

    return Services(*services.time(tz, encoding=encoding))


def _temperature(to: str, encoding: str) -> "Services":
    from portico.apps import services
    from portico.server.service import Services

    return Services(datagram=services.temperature(to, encoding=encoding))


greet = Row(
    "greet", _greet, ("tcp",), [click.Argument(["text"], required=False, metavar="TEXT")], [("TEXT", "greet-text")]
).command()
reply = Row(
    "reply", _reply, ("tcp",), [click.Argument(["text"], required=False, default="")], [("TEXT", "reply-text")]
).command()
echo = Row("echo", _echo, _BOTH, settings=("idle-timeout", "datagram-rate")).command()
time = Row(
    "time",
    _time,
    _BOTH,
    [click.Option(["--tz"], default="", metavar="ZONE", help="time-zone")],
    settings=("encoding", "datagram-rate"),
).command()
temperature = Row(
    "temperature",
    _temperature,
    ("udp",),
    [click.Option(["--to"], default="f", metavar="f|c", help="temperature-to")],
    settings=("encoding", "datagram-rate"),
).command()
