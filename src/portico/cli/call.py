"""Talking over a connection: TCP, TLS or a unix socket, lines both ways.

    Call.open       connect
    Call.hear       lines as they come, and the beginning of one when nothing follows for a moment (`login: `)
    Call.say        a line

In: lines. Out: lines that are safe on a terminal. The other side's end is the end of it all.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from portico.cli.speaking import Show
from portico.cli.views import LineView
from portico.errors import Gone
from portico.net.addresses import Address
from portico.net.connecting import connect_async
from portico.wire.charset import AUTO, Charset
from portico.wire.lines import printable

_SILENCE_S: Final = 0.15
_PIECE: Final = 64 * 1024


class Call:
    """See the module. show: takes lines. encoding: of the text. wait_s: see `speaking.Party`.

    Raises UsageError for an unknown charset.
    """

    def __init__(self, show: Show, *, encoding: str = AUTO, wait_s: float | None = None) -> None:
        self.heard_s = 0.0
        self.wait_s = wait_s
        self._charset = Charset(encoding)
        self._peer = ""
        self._reader: asyncio.StreamReader
        self._show = show
        self._view = LineView(self._charset)
        self._writer: asyncio.StreamWriter

    async def open(self, place: Address, *, timeout_s: float) -> None:
        """Connect. timeout_s: for that alone. Raises Refused, Gone and PeerError where there is no connection."""
        self._peer = str(place)
        sock = await connect_async(place, timeout_s=timeout_s)
        if place.kind != "tls":
            self._reader, self._writer = await asyncio.open_connection(sock=sock)
            return
        from portico.net.tls import client_context, explain_tls

        try:
            async with asyncio.timeout(timeout_s):
                self._reader, self._writer = await asyncio.open_connection(
                    sock=sock, ssl=client_context(), server_hostname=place.host.partition("%")[0]
                )
        except OSError as exc:
            sock.close()
            raise explain_tls(exc, self._peer.removeprefix("tls://")) from exc

    async def hear(self) -> None:
        """Show what comes, to the other side's end. Raises Gone."""
        with self._translated():
            while data := await self._piece():
                self.heard_s = asyncio.get_running_loop().time()
                self._tell(self._view.received(data))
        self._tell(self._view.rest())

    async def _piece(self) -> bytes:
        reading = asyncio.ensure_future(self._reader.read(_PIECE))
        try:
            if self._view.is_holding:
                await asyncio.wait((reading,), timeout=_SILENCE_S)
                if not reading.done():
                    self._tell(self._view.rest())
            return await reading
        finally:
            reading.cancel()

    def _tell(self, text: str) -> None:
        if text:
            self._show(text.removesuffix("\n"))

    async def say(self, line: str) -> None:
        """Send a line; wait while the other side is slow. Raises Gone."""
        with self._translated():
            self._writer.write(self._charset.encode(f"{line}\n"))
            await self._writer.drain()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            why = printable(exc.strerror or str(exc)).lower()
            raise Gone(f"the connection to {self._peer} is lost: {why}") from exc

    def end(self) -> None:
        """Send an end, where there is such a thing: TLS ends both sides at once."""
        with suppress(OSError):  # it is closed
            if self._writer.can_write_eof():
                self._writer.write_eof()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()
