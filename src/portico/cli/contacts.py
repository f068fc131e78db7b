"""`portico contacts`: the names that `portico talk` knows, on this machine, for this user.

In: words. Out: the book as lines, `name TAB address` where no person reads them; exit code 0, 2 for a mistake.
"""

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from portico.cli.contact_book import ContactBook, book_path
from portico.cli.group import CommandGroup, Example, PageCommand, words_of_environment
from portico.cli.screen import Screen
from portico.server.access_log import width
from portico.wire.lines import printable

if TYPE_CHECKING:
    from portico.cli.help import Section
    from portico.cli.words import Words

DEFAULT: Final = "list"
COMMANDS: Final = {
    "list": "portico.cli.contacts:listing",
    "add": "portico.cli.contacts:adding",
    "remove": "portico.cli.contacts:removing",
}
_WRITTEN: Final = {"add": "add NAME ADDRESS", "remove": "remove NAME"}
_EXAMPLES: Final = (
    Example("portico contacts add 金老板 udp://192.168.1.8:8081", "contacts-example-udp"),
    Example("portico contacts add office http://wang@192.168.1.8:8000", "contacts-example-chat"),
    Example("portico talk 金老板", "contacts-example-talk"),
)


def _book() -> ContactBook:
    return ContactBook(book_path(os.environ))


def _screen() -> Screen:
    return Screen(sys.stdout.fileno(), sys.stdout.encoding or "utf-8", os.environ)


def _list() -> int:
    found, screen, words = _book().all(), _screen(), words_of_environment()
    if not screen.is_terminal:
        screen.write("".join(f"{printable(name)}\t{printable(address)}\n" for name, address in found).encode())
        return 0
    if not found:
        screen.line(f"  {words('contacts-none')}")
    columns = max((width(name) for name, _ in found), default=0)
    for name, address in found:
        screen.line(f"  {printable(name)}{' ' * (columns - width(name))}  {screen.paint(printable(address), 'dim')}")
    return 0


def _add(name: str, address: str) -> int:
    book, screen, words = _book(), _screen(), words_of_environment()
    before = book.add(name, address)
    contact = book.find(name)
    if contact is not None:  # nobody was faster
        screen.line(f"  {words('contacts-added', name=contact.name, address=contact.address)}")
    if before is not None and contact is not None and before != contact.address:
        screen.line(f"  {words('contacts-before', address=printable(before))}")
    return 0


def _remove(name: str) -> int:
    address = _book().remove(name)
    _screen().line(f"  {words_of_environment()('contacts-removed', name=printable(name), address=printable(address))}")
    return 0


class _ContactsCommand(PageCommand):
    """A command of this group: its page has the title of contacts, and no variables, since it has no options."""

    def __init__(self, name: str, arguments: list[tuple[str, str]], **attrs: Any) -> None:
        params: list[click.Parameter] = [click.Argument([left.lower()]) for left, _ in arguments]
        super().__init__(name, params=params, arguments=arguments, examples=_EXAMPLES, **attrs)
        self._settings_of = "contacts"

    def usage(self, ctx: click.Context) -> str:
        """Return how the command is written: nothing of it can be left out."""
        return " ".join([ctx.command_path, *(left for left, _ in self.arguments)])

    def _closing(self, words: "Words") -> str:
        return words("contacts-file")


class _ListCommand(_ContactsCommand):
    """The page of `portico contacts`: what can be done with the book."""

    def _option_sections(self, words: "Words") -> "list[Section]":
        from portico.cli.help import Section

        rows = [(f"contacts {_WRITTEN.get(name, name)}", words(f"contacts-{name}")) for name in COMMANDS]
        return [Section(words("titled", title=words("commands")), rows)]


listing = _ListCommand("contacts", [], callback=_list)
adding = _ContactsCommand("contacts-add", [("NAME", "contacts-name"), ("ADDRESS", "contacts-address")], callback=_add)
removing = _ContactsCommand("contacts-remove", [("NAME", "contacts-name")], callback=_remove)


class ContactsGroup(CommandGroup):
    """The commands below `portico contacts`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Have `list` stand where no command is named."""
        return super().parse_args(ctx, args or [DEFAULT])

    def get_help(self, ctx: click.Context) -> str:
        """Lay out the help page."""
        return listing.get_help(ctx)


command = ContactsGroup("contacts", COMMANDS, _EXAMPLES)
