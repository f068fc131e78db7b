"""`portico connect`: talk to whatever speaks TCP, TLS, UDP or a unix socket, or wait for it.

In: an address, the two standard streams. Out: exit code 0 when the peer has ended, 1 where there is no connection or it
is lost, 2 for words that make no sense, 130 for Ctrl-C. On a terminal it is a conversation (`terminal`), elsewhere a
pipe (`passing`).
"""

import asyncio
import os
import ssl
from contextlib import closing
from typing import Any

import click

from portico.cli.group import Example, PageCommand, full_text, words_of_environment
from portico.cli.history import History, state_folder
from portico.cli.options import collect, options_for
from portico.cli.passing import DATAGRAM_WAIT_S, Manner, Passing
from portico.cli.screen import Screen
from portico.cli.talks import Talk, Waiting, connected, refuse_keeping_datagrams
from portico.cli.views import BothAsHex, LineView, TextView, View
from portico.cli.words import Words
from portico.errors import Gone, PeerError, PorticoError, Refused
from portico.net.addresses import Address, parse_address
from portico.settings.asking import Connect
from portico.wire.charset import find_charset

_FAILED_CODE = 1
_TERMINATED_CODE = 143
_INTERRUPTED_CODE = 130
_EXAMPLES = (
    Example("portico connect localhost:9000", "connect-example-tcp"),
    Example("portico connect tls://example.org:443 --crlf", "connect-example-tls"),
    Example("portico connect udp://localhost:9000", "connect-example-udp"),
    Example("portico connect :9000 --listen", "connect-example-listen"),
    Example("portico connect HOST:9000 < FILE", "connect-example-file"),
)


class Caller:
    """Whoever called the command: their streams, their language, and what they want."""

    def __init__(self, options: Connect, words: Words) -> None:
        self.options = options
        self.words = words
        self.is_typing = os.isatty(0) and os.isatty(1)
        self._screen = Screen(1, "utf-8", os.environ)
        self._remarks = Screen(2, "utf-8", os.environ)

    def remark(self, key: str, **values: object) -> None:
        """Say something beside the conversation."""
        self._remarks.line(self._remarks.paint(self.words(key, **values), "dim"))

    def complain(self, command: str, exc: PorticoError) -> None:
        """Say in one line what went wrong with the connection."""
        text = full_text(exc, self.words)
        if isinstance(exc.__cause__, ssl.SSLCertVerificationError):
            text += self.words("connect-insecure")
        self._remarks.line(f"{command}: {text}")

    def talk(self, talk: Talk) -> int:
        """Hold one conversation to its end; return the exit code. Raises Refused and Gone."""
        manner = self._manner(talk)
        if not self.is_typing:
            Passing(talk, manner, view=self._view(talk)).run()
            return 0
        from portico.cli.terminal import Conversation

        self.remark("connect-connected", peer=talk.peer)
        folder = state_folder(os.environ)
        history = History(os.path.join(folder, "connect-history") if folder else "")
        view = self._view(talk) or LineView(talk.charset)
        try:
            conversation = Conversation(talk, manner, view, painted=self._painted, history=history)
            code = asyncio.run(conversation.run())
        except asyncio.CancelledError:
            return _TERMINATED_CODE
        if not code:
            self.remark("connect-ended" if conversation.has_peer_ended else "connect-silent", peer=talk.peer)
        return code

    def _manner(self, talk: Talk) -> Manner:
        options = self.options
        wait_s = DATAGRAM_WAIT_S if options.wait is None and talk.is_datagrams else options.wait
        return Manner(has_crlf=options.crlf, wait_s=wait_s, is_kept=options.keep and not options.listen)

    def _view(self, talk: Talk) -> View | None:
        if self.options.hex:
            return BothAsHex()
        if self.is_typing:
            return LineView(talk.charset)
        return TextView(talk.charset) if os.isatty(1) else None

    def _painted(self, text: str) -> str:
        return "".join(
            self._screen.paint(line.removesuffix("\n"), "green" if self.options.hex and line[:1] == ">" else "cyan")
            + "\n"
            for line in text.splitlines(keepends=True)
        )


def _connect(text: str, **params: Any) -> int:
    options = collect(Connect, params)
    address = parse_address(text)
    find_charset(options.encoding)
    caller = Caller(options, words_of_environment())
    try:
        return _serve_peers(caller, address) if options.listen else _call(caller, address)
    except (Refused, Gone, PeerError) as exc:
        caller.complain(click.get_current_context().command_path, exc)
        return _FAILED_CODE


def _call(caller: Caller, address: Address) -> int:
    options = caller.options
    tls = None
    if address.kind == "tls":
        from portico.net.tls import client_context

        tls = client_context(
            verify=not options.insecure, ca_file=options.cacert, cert_file=options.cert, key_file=options.key
        )
    talk = connected(address, encoding=options.encoding, timeout_s=options.connect_timeout, tls=tls)
    with closing(talk):
        return caller.talk(talk)


def _serve_peers(caller: Caller, address: Address) -> int:
    """Wait for a peer, and with --keep for one after the other, until Ctrl-C."""
    if caller.options.keep:
        refuse_keeping_datagrams(address)
    waiting = Waiting(address, caller.options.encoding)
    code = 0
    with closing(waiting):
        is_first = True
        while is_first or (caller.options.keep and code != _INTERRUPTED_CODE):
            is_first = False
            caller.remark("connect-waiting", address=waiting.shown)
            with closing(waiting.accept()) as talk:
                if not caller.options.keep:
                    waiting.close()
                code = _one_of_many(caller, talk)
    return code


def _one_of_many(caller: Caller, talk: Talk) -> int:
    try:
        return caller.talk(talk)
    except Gone as exc:
        if not caller.options.keep:
            raise
        caller.complain(click.get_current_context().command_path, exc)
        return _FAILED_CODE


class _ConnectCommand(PageCommand):
    """The command's page has titles and variables of its own, though it reads no portico.toml."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self._settings_of = "connect"


command = _ConnectCommand(
    "connect",
    params=[click.Argument(["text"], metavar="ADDRESS"), *options_for(Connect, "connect")],
    arguments=[("ADDRESS", "connect-address")],
    needed="ADDRESS",
    examples=_EXAMPLES,
    callback=_connect,
)
