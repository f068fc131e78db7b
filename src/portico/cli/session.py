"""One run of a server in a terminal: from open sockets to the line of totals.

    Session.run
      Server.open             accept
      _greet                  banner: what, where
      _start_survey           counts beside the server, then _surveyed
      Keyboard.open           o l q ?, then _pressed
      (Ctrl-C, SIGTERM)       _interrupted, _terminated
      _finish                 drain, or cut at a second Ctrl-C; totals

In: a Plan, sockets, a screen. Out: the exit code. Whatever happens, the terminal is given back.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf

from portico.cli import banner
from portico.cli.browser import open_browser
from portico.cli.keys import Keyboard
from portico.cli.log import report_to
from portico.cli.offer import Survey
from portico.cli.places import Links, Places, links_of, open_lan
from portico.cli.plan import Plan, assemble
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.net.addresses import Address
from portico.net.closing import refuse_new
from portico.net.listening import address_of, close, listen
from portico.server.http import HttpServer
from portico.workers.notify import Notifier

# The first request should not share the interpreter with the survey.
_SURVEY_DELAY_S = 0.2
_CUT_CODE = 130


class Session:
    """A server, its screen and its keys. Made before the loop runs, so that mistakes are reported without one.

    places: sockets; this object closes them. output: where the access log goes, unless to a file; None for the screen.
    Raises ConfigError for an offer or a log file that cannot be opened.
    """

    def __init__(
        self, plan: Plan, places: Places, screen: Screen, words: Words, *, output: Screen | None = None
    ) -> None:
        self._plan = plan
        self._screen = screen
        self._words = words
        self._moved = places.moved
        self._sockets = list(places.sockets)
        self._beside = list(plan.beside())
        self._lan_sockets = self._on_lan(self._sockets)
        self._lan_beside = self._on_lan(self._beside)
        self._offer = plan.offer
        made = assemble(plan, output or screen, words.language, is_alone=plan.offer.is_silent)
        self._server, self._lost, self._close_log = made
        has_keys = screen.is_terminal and plan.offer.is_for_browsers
        self._keyboard = Keyboard.at(plan.keys_fd, self._pressed) if has_keys else None
        self._stopping = asyncio.Event()
        self._is_cut = False
        self._admin_sockets = places.admin
        self._pages: HttpServer | None = None
        self._notifier = Notifier.from_environment()
        self._began_s = time.monotonic()

    async def run(self) -> int:
        """Serve until told to stop. Returns the exit code: 0, or 130 after a second Ctrl-C."""
        loop, reporting = asyncio.get_running_loop(), report_to(self._screen)
        with suppress(NotImplementedError):  # Windows: Ctrl-C cancels this task instead
            loop.add_signal_handler(signal.SIGINT, self._interrupted)
            loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup(1) has it ignored
                loop.add_signal_handler(signal.SIGHUP, self._stopping.set)
        try:
            await self._open_pages()
            if not await self._has_started():
                return _CUT_CODE if self._is_cut else 0
            await self._serve()
            return await self._finish()
        finally:
            if self._keyboard is not None:
                self._keyboard.close()
            close([*self._sockets, *self._beside, *self._lan_beside])
            self._offer.close()
            self._close_log()
            self._notifier.close()
            reporting.close()

    async def _open_pages(self) -> None:
        """Serve the operator's pages where they were asked for, before all else: they say that we are starting."""
        if self._admin_sockets:
            from portico.apps.admin.listener import open_pages
            from portico.apps.admin.sources import ServerSource

            source = ServerSource(self._server)
            self._offer.watch(source.metrics)
            self._pages = await open_pages(self._admin_sockets, source)

    async def _has_started(self) -> bool:
        """Start what is offered; False where someone wants to stop before it is ready."""
        starting = asyncio.ensure_future(self._offer.start())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.wait((starting,))
        return not starting.cancelled() and starting.result() is None

    async def _serve(self) -> None:
        await self._server.open(self._sockets)
        self._notifier.ready()
        self._beat()
        self._greet()
        survey = asyncio.get_running_loop().call_later(_SURVEY_DELAY_S, self._start_survey)
        if self._keyboard is not None:
            self._keyboard.open()
        await self._stopping.wait()
        self._notifier.stopping()
        survey.cancel()

    def _beat(self) -> None:
        """Show systemd's watchdog that the loop turns, for as long as it does."""
        if self._notifier.interval_s < inf:
            self._notifier.beat(time.monotonic())
            asyncio.get_running_loop().call_later(self._notifier.interval_s / 2, self._beat)

    # the start

    def _greet(self) -> None:
        screen, words = self._screen, self._words
        lines = self._offer.greeting(words, screen, None)
        if self._moved is not None:
            lines.append(banner.moved_line(self._moved, address_of(self._sockets[0]).port, words))
        lines += ["", *self._where(), ""]
        if self._keyboard is not None:
            lines += [f"  {screen.paint(words('keys'), 'dim')}", ""]
        lines += [f"  {screen.paint(line, 'yellow')}" for line in self._offer.warnings(words)]
        screen.line("\n".join(lines))

    def _where(self) -> list[str]:
        links = self._links()
        lines = banner.link_lines(links, self._words(self._offer.lan_words), self._screen)
        if links.lan:
            code = banner.qr_lines(links.lan[0][0], self._screen) if self._keyboard is not None else []
            return [*lines, "", *code] if code else lines
        if self._plan.is_lan_ours:
            lines.append(f"     {self._words('lan-off-key' if self._keyboard is not None else 'lan-off')}")
        return lines

    def _links(self) -> Links:
        return links_of(self._sockets, self._offer.path, is_http=self._offer.is_for_browsers)

    # the survey

    def _start_survey(self) -> None:
        survey, loop = self._offer.survey(self._words, self._screen), asyncio.get_running_loop()
        if survey is not None:
            threading.Thread(target=self._survey, args=(survey, loop), name="survey", daemon=True).start()

    def _survey(self, survey: Survey, loop: asyncio.AbstractEventLoop) -> None:
        lines = survey(self._stopping.is_set)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._surveyed, lines)

    def _surveyed(self, lines: list[str]) -> None:
        if lines and not self._stopping.is_set():
            self._screen.line("\n".join(lines))

    # keys

    def _pressed(self, key: str) -> None:
        action = self._actions().get(key)
        if action is not None and not self._stopping.is_set():
            action()

    def _actions(self) -> dict[str, Callable[[], object]]:
        return {"o": self._open_browser, "l": self._toggle_lan, "q": self._show_qr, "?": self._show_help}

    def _open_browser(self) -> None:
        link = self._links().own[0] if self._links().own else self._links().lan[0][0]
        key = "no-browser" if open_browser(link, os.environ) is None else "opening"
        self._screen.line(f"  {self._words(key, url=link)}")

    def _show_qr(self) -> None:
        links = self._links()
        code = banner.qr_lines(links.lan[0][0], self._screen) if links.lan else [f"  {self._words('qr-lan')}"]
        self._screen.line("\n".join(code))

    def _show_help(self) -> None:
        self._screen.line(
            "\n".join(f"  {self._words(key)}" for key in ("help-o", "help-l", "help-q", "help-?", "help-c"))
        )

    def _toggle_lan(self) -> None:
        if not self._plan.is_lan_ours:
            self._screen.line(f"  {self._words('lan-bind')}")
            return
        try:
            self._close_lan() if self._lan_sockets else self._open_lan()
        except ConfigError as exc:
            self._screen.line(f"  {exc}")

    def _open_lan(self) -> None:
        self._lan_sockets, self._lan_beside = self._opened_on_lan()
        if not self._lan_sockets:
            self._screen.line(f"  {self._words('lan-none')}")
            return
        self._sockets += self._lan_sockets
        self._accept([*self._lan_sockets, *self._lan_beside])
        beside = [link for link, _ in links_of(self._lan_beside, is_http=False).lan]
        lines = [f"  {self._words('chat-beside', link=link)}" for link in beside]
        self._screen.line("\n".join(["", *self._where(), *lines, ""]))

    def _opened_on_lan(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """Return sockets for HTTP and for what is beside it, all of them or none. Raises ConfigError."""
        ports = dict.fromkeys((address.kind, address.port) for address in map(address_of, self._beside))
        opened = open_lan(address_of(self._sockets[0]).port)
        beside: list[socket.socket] = []
        try:
            for kind, port in ports if opened else ():
                beside += open_lan(port, kind)
        except ConfigError:
            close([*opened, *beside])
            raise
        return opened, beside

    def _on_lan(self, sockets: Iterable[socket.socket]) -> list[socket.socket]:
        """Return those that the `l` key closes."""
        return [sock for sock in sockets if links_of([sock]).lan] if self._plan.is_lan_ours else []

    def _close_lan(self) -> None:
        port = address_of(self._sockets[0]).port
        places = [address_of(sock) for sock in self._beside]
        closed = [*self._lan_sockets, *self._lan_beside]
        self._server.close(closed)
        close(closed)
        self._sockets = [sock for sock in self._sockets if sock not in closed]
        self._beside = [sock for sock in self._beside if sock not in closed]
        self._lan_sockets, self._lan_beside = [], []
        if not self._sockets:
            # --lan had opened every interface with one socket, loopback with them.
            self._sockets = listen(Address("tcp", host="localhost", port=port))
            self._beside = [more for place in places for more in listen(place._replace(host="localhost"))]
            self._accept([*self._sockets, *self._beside])
        self._screen.line(f"  {self._words('lan-closed')}")

    def _accept(self, sockets: list[socket.socket]) -> None:
        self._opening = asyncio.ensure_future(self._server.open(sockets))

    # the end

    def _interrupted(self) -> None:
        if self._stopping.is_set():
            self._is_cut = True
            self._server.cut()
        self._stopping.set()

    async def _finish(self) -> int:
        screen, words = self._screen, self._words
        if screen.is_terminal:
            screen.write(b"\r\x1b[K")  # the ^C that the terminal echoed
        if self._server.active:
            screen.line(f"  {words('draining', n=self._server.active)}")
        await asyncio.sleep(refuse_new(self._sockets))
        cut = await self._server.drain(self._plan.limits.drain)
        await self._offer.stop()
        if self._pages is not None:
            await self._pages.drain(0)
        totals = self._server.totals
        if cut:
            screen.line(f"  {words('cut', n=cut)}")
        if self._lost():
            screen.line(f"  {words('lost', n=self._lost())}")
        screen.line(banner.totals_line(totals, self._offer.counted, time.monotonic() - self._began_s, words))
        return _CUT_CODE if self._is_cut else 0
