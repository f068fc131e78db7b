"""`portico chat`: serve the chat, and the commands beside that, a row each.

In: words. Out: a command of the group. Where the first word names none of them, `serve` is meant, so that
`portico chat --lan` is enough.
"""

from typing import TYPE_CHECKING, Any, Final

import click

from portico.cli.group import CommandGroup, Example, PageCommand
from portico.cli.hosting import host
from portico.cli.options import collect, options_for
from portico.settings import Limits, Listen, Log, Processes, Service, Trust
from portico.settings.chatting import Chat

if TYPE_CHECKING:
    from portico.cli.help import Section
    from portico.cli.plan import Plan
    from portico.cli.words import Words

DEFAULT: Final = "serve"
# A chat is one process: of the options of processes those that mean something for one.
_PROCESSES: Final = ("pid-file", "user", "group", "admin")
_IDLE_S: Final = 7_200.0  # somebody at netcat who only reads
_EXAMPLES: Final = (
    Example("portico chat", "chat-example"),
    Example("portico chat --lan", "chat-example-lan"),
    Example("portico chat --data DIR -p 9000", "chat-example-data"),
)
COMMANDS: Final = {
    "serve": "portico.cli.chat:serve",
    "join": "portico.cli.chat_join",
    "doctor": "portico.cli.chat_care:doctor",
    "export": "portico.cli.chat_care:export",
    "backup": "portico.cli.chat_care:backup",
    "restore": "portico.cli.chat_care:restore",
    "soak": "portico.cli.chat_soak",
}


def _plan(params: dict[str, Any]) -> "Plan":
    from dataclasses import replace

    from portico.apps.chat.premises import MESSAGES
    from portico.cli.chat_offer import OfferedChat
    from portico.cli.plan import plan_of

    listen_to = collect(Listen, params)
    service = replace(collect(Service, params), idle_timeout=_IDLE_S)
    offer = OfferedChat(collect(Chat, params), listen_to, service.encoding)
    plan = plan_of(offer, params, is_lan_ours=not listen_to.bind)
    return replace(plan, messages=MESSAGES, service=service, beside=offer.beside)


def _serve(**params: Any) -> int:
    from portico.cli.chat_offer import OfferedChat

    plan = _plan(params)
    assert isinstance(plan.offer, OfferedChat)
    return host(plan, plan.offer.open_places)


class _ServeCommand(PageCommand):
    """The page of `portico chat`: how to serve, behind the commands that there are beside it."""

    def _option_sections(self, words: "Words") -> "list[Section]":
        from portico.cli.help import Section

        rows = [(f"chat {name}", words(f"chat-{name}")) for name in COMMANDS if name != DEFAULT]
        return [Section(words("titled", title=words("commands")), rows), *super()._option_sections(words)]


serve = _ServeCommand(
    "chat",
    params=[
        *options_for(Chat, "chat"),
        *options_for(Listen, "chat"),
        *options_for(Service, "chat", ("encoding",)),
        *options_for(Processes, "chat", _PROCESSES),
        *(option for group in (Trust, Log, Limits) for option in options_for(group, "chat")),
    ],
    arguments=[],
    examples=_EXAMPLES,
    callback=_serve,
    config_for="chat",
)


class ChatGroup(CommandGroup):
    """The commands below `portico chat`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Have `serve` stand where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """Lay out the help page: how to serve, and which commands there are beside."""
        return serve.get_help(ctx)


command = ChatGroup("chat", COMMANDS, _EXAMPLES)
