"""The offer of `portico chat`: pages, WebSockets and the rest of the ways in, one database behind them.

    open_places     HTTP as everywhere, and beside it a port for lines and one for UDP
    open            the database, and with it what may fail
    start           the first admin's link; from then on everybody can come

In: the settings of the command. Out: what a session serves; every socket and the database are closed in the end.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from portico.cli.offer import Survey
from portico.cli.places import Links, Places, links_of, open_places
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.net.addresses import ALL_INTERFACES, Kind, parse_address
from portico.net.listening import close, listen, listen_free
from portico.settings import Listen
from portico.settings.chatting import Chat

if TYPE_CHECKING:
    from portico.apps.chat.premises import Premises
    from portico.server.exchange import Handler
    from portico.server.metrics import Metrics
    from portico.server.services import ServiceServer
    from portico.server.several import Joined

LINE_PORT: Final = 2323
UDP_PORT: Final = 2324
# A minute of silence, then a question every 15 s; and as long for what we have sent. Longer than `lines.Patience` gives
# somebody who does not read, since that one can be told.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 105_000}


def data_folder(given: str, environ: Mapping[str, str]) -> Path:
    """Return where a chat keeps its data: what was given, or a place of this user (XDG Base Directory).

    Raises ConfigError where nothing says so.
    """
    if given:
        return Path(given).absolute()
    data, home = environ.get("XDG_DATA_HOME", ""), environ.get("HOME", "")
    if os.path.isabs(data):
        return Path(data, "portico", "chat")
    if os.path.isabs(home):
        return Path(home, ".local", "share", "portico", "chat")
    raise ConfigError("nothing says where your data is kept (HOME is not set); choose a folder with --data DIR")


class OfferedChat:
    """See `offer.Offer`."""

    path = ""
    lan_words = "lan-on-app"
    is_silent = True
    is_for_browsers = True
    counted = "requests"

    def __init__(self, settings: Chat, listen_to: Listen, encoding: str) -> None:
        self._encoding = encoding
        self._settings = settings
        self._listen_to = listen_to
        self._beside: list[socket.socket] = []
        self._link: str | None = None
        self._places: Places | None = None
        self._premises: Premises | None = None
        self.folder = data_folder(settings.data, os.environ)

    def open_places(self) -> Places:
        """Open every socket, or none. Raises as `places.open_places`."""
        places = open_places(self._listen_to)
        try:
            self._open_beside()
        except BaseException:
            close([*places.sockets, *self._beside])
            raise
        self._places = places
        return places

    def beside(self) -> list[socket.socket]:
        """Return the sockets of lines and UDP."""
        return list(self._beside)

    def _open_beside(self) -> None:
        settings, host = self._settings, host_beside(self._listen_to)
        wanted: tuple[tuple[bool, Kind, int | None, int], ...] = (
            (settings.lines, "tcp", settings.line_port, LINE_PORT),
            (settings.datagrams, "udp", settings.udp_port, UDP_PORT),
        )
        for is_wanted, kind, port, usual in wanted:
            if is_wanted:
                address = parse_address(host, default_port=usual if port is None else port, default_scheme=kind)
                self._beside += listen_free(address) if port is None else listen(address)
        for sock in self._beside:
            if sock.type == socket.SOCK_STREAM:
                _look_after(sock)

    def greeting(self, words: Words, screen: Screen, workers: int | None) -> list[str]:
        """Say what the chat is called, where its data is, and how to come in without a browser."""
        from portico import __version__
        from portico.cli import banner

        title = self._premises.title if self._premises is not None else ""
        lines = banner.greeting(__version__, words("chat-runs", what=title), [], words, screen)
        lines.append("  " + screen.paint(words("chat-data", where=self.folder), "dim"))
        links = links_of(self._beside, is_http=False)
        for link in [*(link for link, _ in links.lan), *links.own]:
            lines.append("  " + screen.paint(words("chat-beside", link=link), "dim"))
        return lines

    def warnings(self, words: Words) -> list[str]:
        """Show the first admin's link. At a socket file alone nobody but a proxy knows what stands in front of it."""
        if self._link is None:
            return []
        links = links_of(self._places.sockets) if self._places is not None else Links([], [])
        shown = [link for link in [*links.own, *(link for link, _ in links.lan)] if link.startswith("http")]
        if not shown:
            return [words("chat-first-proxied", link=f"/#{self._link}")]
        return [words("chat-first", link=f"{shown[0]}#{self._link}")]

    def survey(self, words: Words, screen: Screen) -> Survey | None:
        """Find out nothing more."""
        return None

    def open(self) -> "Handler | Joined":
        """Open the database."""
        from portico.apps.chat.premises import Premises
        from portico.server.service import Services
        from portico.server.several import Joined

        settings = self._settings
        premises = Premises(self.folder, title=settings.name, encoding=self._encoding, is_fast=settings.fast)
        self._premises = premises
        services = Services(
            premises.lines if settings.lines else None, premises.letters.service if settings.datagrams else None
        )
        if services == Services():
            return premises.handler

        def hand_over(server: "ServiceServer") -> None:
            premises.letters.post = server.send

        return Joined(premises.handler, services, self._beside, hand_over)

    def watch(self, metrics: "Metrics") -> None:
        """Add how many are there, and how many wait."""
        premises = self._premises
        if premises is not None:
            metrics.watch("portico_chat_people", lambda: len(premises.house.hub.readers))
            metrics.watch("portico_chat_unable", lambda: int(bool(premises.store.trouble)))
            metrics.watch("portico_chat_waiting", lambda: premises.desk.waiting)

    async def start(self) -> None:
        """Read what was set, and make the first admin's link where nobody can sign in yet."""
        assert self._premises is not None, "opened before"
        await self._premises.start()
        self._link = await self._premises.first_link()

    async def stop(self) -> None:
        """Let end what was asked last."""
        assert self._premises is not None, "opened before"
        await self._premises.stop()

    def close(self) -> None:
        """Close the database, and the sockets of lines and UDP."""
        if self._premises is not None:
            self._premises.close()
        close(self._beside)


def _look_after(sock: socket.socket) -> None:
    """Have the kernel find out about peers that have gone without a word; it hands this on to accepted connections."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not every system has all of them
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def host_beside(listen_to: Listen) -> str:
    """Return where lines and UDP are taken: with HTTP, as far as that has a host."""
    if listen_to.lan:
        return ALL_INTERFACES
    hosts = [address.host for text in listen_to.bind if (address := parse_address(text, default_port=1)).host]
    return hosts[0] if hosts else "localhost"
