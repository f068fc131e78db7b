"""`portico talk`: talk to a contact, or to an address, whatever speaks there.

    _talk
      found             a name of the contact book, or an address -> where
      chat_join         http:// and ws://: a chat, as `portico chat join`
      letters, call     udp://, and tcp://, tls://, unix: -> speaking.converse

In: words, lines. Out: lines; exit code 0 at the end, 1 where there is no connection or it is lost, 2 for a mistake.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any, Final, NamedTuple

import click

from portico.cli import letters
from portico.cli.call import Call
from portico.cli.contact_book import Contact, ContactBook, book_path, parse_place
from portico.cli.group import Example, PageCommand, full_text, words_of_environment
from portico.cli.history import state_folder
from portico.cli.options import collect, options_for
from portico.cli.speaking import Party, converse
from portico.cli.typist import Typist, complain
from portico.cli.words import Words
from portico.errors import ConfigError, Gone, PeerError, Refused, UsageError, excerpt
from portico.http.url import Url
from portico.net.addresses import ALL_INTERFACES, Address, parse_address
from portico.settings.chatting import Talk
from portico.wire.charset import AUTO, find_charset
from portico.wire.lines import printable

_FAILED_CODE: Final = 1
_EXAMPLES: Final = (
    Example("portico talk 金老板", "talk-example"),
    Example("portico talk udp://192.168.1.8:8081 --listen 8082", "talk-example-udp"),
    Example("portico talk --listen 8081", "talk-example-listen"),
    Example("portico talk localhost:2323", "talk-example-tcp"),
    Example("portico talk http://192.168.1.8:8000 --login wang", "talk-example-chat"),
)


class Whom(NamedTuple):
    """Somebody to talk to. name: as the contact book has it, "" for who is in none. link: of a one-time link."""

    name: str
    place: Url | Address
    link: str = ""


def _contacts() -> list[Contact]:
    """Return the contacts, for their names alone: a book that cannot be read is no reason not to talk."""
    with suppress(ConfigError):
        return ContactBook(book_path(os.environ)).all()
    return []


def find_whom(text: str) -> Whom:
    """Return whom a name or an address means. Raises UsageError for what is neither, ConfigError for a bad book."""
    if not any(mark in text for mark in ":/"):  # which no name has
        found = ContactBook(book_path(os.environ)).find(text)
        if found is not None:
            return Whom(found.name, parse_place(found.address))
        if not text.isdigit():
            raise UsageError(f"there is no contact {excerpt(text)}; portico contacts add NAME ADDRESS adds one")
    return Whom("", parse_place(text), text.partition("#")[2] if "://" in text else "")


def listening_place(text: str) -> Address | None:
    """Return where to hear datagrams, None for "". A port alone means every interface. Raises UsageError."""
    if not text:
        return None
    bare = f"{ALL_INTERFACES}:{text}" if text.isascii() and text.isdigit() else text
    address = parse_address(bare, default_scheme="udp")
    if address.kind != "udp":
        raise UsageError(f"--listen is for UDP; to wait for a connection: portico connect {address} --listen")
    return address


def _check(settings: Talk, place: "Url | Address | None") -> None:
    """Raise UsageError for an option that means nothing where one talks to."""
    find_charset(settings.encoding)
    if place is None and not settings.listen:
        raise UsageError("nobody is named; write portico talk NAME, portico talk ADDRESS or portico talk --listen PORT")
    is_chat = isinstance(place, Url)
    if is_chat and (settings.listen or settings.encoding != AUTO or settings.wait is not None):
        raise UsageError("--listen, --encoding and --wait are for UDP and TCP; a chat needs none of them")
    if not is_chat and (settings.login or settings.name):
        raise UsageError("--login and --name are for a chat; its address begins with http:// or https://")
    if settings.listen and isinstance(place, Address) and place.kind != "udp":
        raise UsageError(f"--listen is for UDP; to wait for a connection: portico connect {settings.listen} --listen")


def _talk(whom: str | None, **params: Any) -> int:
    settings, words = collect(Talk, params), words_of_environment()
    found = None if whom is None else find_whom(whom)
    _check(settings, None if found is None else found.place)
    if found is not None and isinstance(found.place, Url):
        from portico.cli.chat_join import take_part

        user = found.place.userinfo.user if found.place.userinfo is not None else ""
        return take_part(found.place, link=found.link, login=settings.login or user, name=settings.name)
    folder = state_folder(os.environ)
    typist = Typist(history=os.path.join(folder, "talk-history") if folder else "")
    try:
        return asyncio.run(_Talking(settings, words, typist).run(found))
    except (Refused, Gone, PeerError) as exc:
        complain(f"{click.get_current_context().command_path}: {full_text(exc, words)}")
        return _FAILED_CODE


class _Talking:
    """One conversation, by UDP or over a connection."""

    def __init__(self, settings: Talk, words: Words, typist: Typist) -> None:
        self._settings = settings
        self._typist = typist
        self._words = words

    async def run(self, whom: Whom | None) -> int:
        """Talk to the end. Raises Refused, Gone, PeerError, ConfigError and UsageError."""
        place = whom.place if whom is not None else None
        assert not isinstance(place, Url), "a chat is joined"
        name = whom.name if whom is not None else ""
        if place is None or place.kind == "udp":
            party: Party = await self._letters(place, name)
        else:
            call = Call(self._typist.show, encoding=self._settings.encoding, wait_s=self._settings.wait)
            await call.open(place, timeout_s=self._settings.connect_timeout)
            party = call
        if self._typist.has_terminal and place is not None:
            shown = printable(f"{name} ({place})" if name else str(place))
            complain(self._words("talk-to", name=shown))
        await converse(party, self._typist)
        if self._typist.has_terminal:
            complain(self._words("talk-over"))
            return 0
        return _FAILED_CODE if isinstance(party, letters.Letters) and party.is_refused else 0

    async def _letters(self, place: Address | None, name: str) -> letters.Letters:
        settings = self._settings
        known = {one.name: found for one in _contacts() if isinstance(found := parse_place(one.address), Address)}
        names = letters.names_of(known)
        manner = letters.Manner(
            self._words, settings.encoding, names, letters.WAIT_S if settings.wait is None else settings.wait
        )
        listen_at = listening_place(settings.listen)
        party = await letters.opened(
            place, listen_at, show=self._typist.show, manner=manner, timeout_s=settings.connect_timeout
        )
        party.call_target(name)
        if listen_at is not None:
            complain(self._words("talk-hears", address=party.here))
        return party


class _TalkCommand(PageCommand):
    """The page has titles and variables of its own, though it reads no portico.toml."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self._settings_of = "talk"

    def usage(self, ctx: click.Context) -> str:
        """Return how the command is written: one word says whom."""
        return f"{ctx.command_path} [OPTIONS] [NAME | ADDRESS]"


def _options() -> list[click.Parameter]:
    found = options_for(Talk, "talk")
    for option in found:
        if option.name == "name":
            option.envvar = "PORTICO_TALK_NAME"  # PORTICO_NAME is what a chat of one's own is called
    return found


command = _TalkCommand(
    "talk",
    params=[click.Argument(["whom"], metavar="NAME|ADDRESS", required=False), *_options()],
    arguments=[("NAME", "talk-name"), ("ADDRESS", "talk-address")],
    examples=_EXAMPLES,
    callback=_talk,
)
