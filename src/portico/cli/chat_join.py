"""`portico chat join`: take part from a terminal, or from a script, over WebSocket.

    _signed_in      a token that is remembered, a one-time link, a password, or none: a visitor of the desk
    Joining.run     connected, again and again -> Member; lines of a Typist, until their end

In a pipe a line waits until the one before it has had its answer, so that `/join lobby` and the text behind it go
together; at a terminal nothing waits.

In: the URL of a chat. Out: exit code 0 at the end, 1 where one is not let in or something could not be sent.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import click

from portico.apps.chat.site import SOCKET
from portico.apps.chat.websocket import SUBPROTOCOL
from portico.cli import own_file
from portico.cli.chat_member import COMMANDS, Member
from portico.cli.group import Example, PageCommand, words_of_environment
from portico.cli.history import state_folder
from portico.cli.typist import Typist, complain
from portico.cli.words import Words
from portico.client.websocket import WebSocketLink, connect
from portico.errors import Gone, PeerError, Refused, UsageError
from portico.http.url import Url, parse_url

_FAILED_CODE: Final = 1
_SOONEST_S: Final = 0.5
_LATEST_S: Final = 15.0
_FAREWELL_S: Final = 10.0
_PASSWORD: Final = "PORTICO_CHAT_PASSWORD"


class Tokens:
    """Tokens of chats that one was in, in a file for its owner's eyes. path: "" for none."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _read(self) -> dict[str, str]:
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def find(self, key: str) -> str:
        """Return the token for a chat and a login, "" where there is none."""
        return str(self._read().get(key, ""))

    def keep(self, key: str, token: str) -> None:
        """Remember a token; "" forgets it."""
        if not self._path:
            return
        found = {name: value for name, value in (self._read() | {key: token}).items() if value}
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)
            own_file.replace(self._path, json.dumps(found).encode())


def _post(url: Url, path: str, **body: str) -> str:
    """Ask for a token. Raises UsageError with what the chat says where it gives none; Refused, Gone."""
    from portico import client

    answer = client.post(f"{url.scheme}://{url.authority}{path}", json=body)
    try:
        found = answer.json()
    except PeerError:
        found = None
    if not isinstance(found, dict) or answer.status >= 400 or "token" not in found:
        why = found.get("why") if isinstance(found, dict) else None
        raise UsageError(str(why or f"there is no chat at {url.scheme}://{url.authority}"))
    return str(found["token"])


def _signed_in(url: Url, link: str, login: str, name: str) -> str:
    """Return a token, by what the person has given."""
    if link:
        return _post(url, "/api/link", token=link)
    if not login:
        return _post(url, "/api/visitor", **({"name": name} if name else {}))
    password = os.environ.get(_PASSWORD)
    if password is None:
        words = words_of_environment()
        if not sys.stdin.isatty():  # what stands there are messages
            raise UsageError(words("join-no-password", name=login, variable=_PASSWORD))
        password = click.prompt(words("join-password", name=login), hide_input=True, err=True)
    return _post(url, "/api/signin", login=login, password=str(password))


class Joining:
    """One person at one chat. Made in the loop. typist: None for the standard streams."""

    def __init__(self, url: Url, token: str, words: Words, typist: Typist | None = None) -> None:
        self.refusal = ""
        self._ended = asyncio.Event()
        self._is_over = False
        self._lost = asyncio.Event()
        self._news = asyncio.Event()  # from the server
        self._url = url
        self._typist = typist or Typist(history=_history(), names=self.names)
        self.member = Member(token, words, self._typist.show, self._refused)
        self._socket: WebSocketLink | None = None

    def _refused(self, why: str) -> None:
        self.refusal = why
        self._ended.set()
        self._news.set()

    # a Party, so that the loop of connections hears of the end too

    def joined(self, socket: WebSocketLink) -> None:
        """Hand on."""
        self.member.joined(socket)

    def lost(self, why: str) -> None:
        """Hand on, unless it is our own end; try again."""
        if not self._is_over:
            self.member.lost(why)
        self._lost.set()
        self._news.set()

    def take(self, message: str | bytes) -> None:
        """Hand on; what is no text is not for us."""
        if isinstance(message, str):
            self.member.take(message)
        self._news.set()

    async def run(self) -> int:
        """Talk until the person, or the pipe, ends. Returns the exit code."""
        connecting = asyncio.ensure_future(self._keep_connected())
        typing = asyncio.ensure_future(self._type())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((connecting, typing, ended), return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
            if typing.done():
                typing.result()
            await self._finish()
        finally:
            self._is_over = True
            for task in (connecting, typing, ended):
                task.cancel()
            await asyncio.gather(connecting, typing, ended, return_exceptions=True)
            if self._socket is not None:
                self._socket.close()
        return _FAILED_CODE if self.refusal or self._waiting else 0

    @property
    def _waiting(self) -> int:
        return len(self.member.outbox) + len(self.member.unsent)

    async def _finish(self) -> None:
        """Wait for what was typed to be acknowledged, and for what was asked to be answered."""
        await self._until(lambda: not self._waiting and (self._typist.has_terminal or not self.member.is_asking))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while not (self.refusal or is_so()):
                    self._news.clear()
                    await self._news.wait()

    async def _keep_connected(self) -> None:
        url, wait_s = replace(self._url, target=SOCKET), _SOONEST_S
        while True:
            self._lost.clear()
            try:
                self._socket = await connect(lambda: WebSocketLink(self, url, subprotocols=(SUBPROTOCOL,)), url)
                await self._lost.wait()
                wait_s = _SOONEST_S
            except (Gone, Refused):
                pass
            self._socket = None
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LATEST_S)

    # typing

    async def _type(self) -> None:
        await self._typist.run(self._take)

    async def _take(self, line: str) -> bool:
        if not self._typist.has_terminal:
            is_command = line.startswith("/")
            await self._until(lambda: self.member.is_placed and not self.member.is_asking)
            await self._until(lambda: not (is_command and self._waiting))  # which may be about what was said last
        return self.member.typed(line)

    def names(self) -> Iterable[str]:
        """Return what Tab completes: commands, people and conversations."""
        return [*COMMANDS, *self.member.names.values(), *(one.name for one in self.member.conversations.values())]


def _history() -> str:
    folder = state_folder(os.environ)
    return os.path.join(folder, "chat-history") if folder else ""


def _join(text: str, login: str, name: str) -> int:
    address, _, link = text.partition("#")
    return take_part(parse_url(address), link=link, login=login, name=name)


def take_part(url: Url, *, link: str = "", login: str = "", name: str = "") -> int:
    """Take part in the chat of a URL, to the end; return the exit code.

    link: what stands behind the # of a one-time link. login: "" for a visitor of the desk. name: of a visitor.
    Raises UsageError where one is not let in, or nobody is there.
    """
    words, folder = words_of_environment(), state_folder(os.environ)
    tokens = Tokens(os.path.join(folder, "chat-tokens.json") if folder else "")
    key = f"{url.scheme}://{url.authority} {login}"
    token = "" if link else tokens.find(key)
    try:
        if not token:
            token = _signed_in(url, link, login, name)
            tokens.keep(key, token)
        return asyncio.run(_run(url, token, words, tokens, key))
    except (Refused, PeerError) as exc:
        raise UsageError(str(exc)) from exc


async def _run(url: Url, token: str, words: Words, tokens: Tokens, key: str) -> int:
    joining = Joining(url, token, words)
    code = await joining.run()
    if joining.refusal:
        tokens.keep(key, "")
        complain(joining.refusal)
    elif code:
        complain(words("join-unsent", n=len(joining.member.outbox) + len(joining.member.unsent)))
    return code


class _JoinCommand(PageCommand):
    """The page has the title and the variables of the chat."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self._settings_of = "chat"


command = _JoinCommand(
    "chat-join",
    params=[
        click.Argument(["text"], metavar="URL"),
        click.Option(["--login"], metavar="NAME", default="", help="join-login"),
        click.Option(["--name"], metavar="NAME", default="", help="join-name"),
    ],
    arguments=[("URL", "join-url")],
    needed="URL",
    examples=[
        Example("portico chat join http://192.168.1.8:8000 --login wang", "join-example"),
        Example("portico chat join http://192.168.1.8:8000", "join-example-visitor"),
    ],
    callback=_join,
    own_title="own-options",
)
