"""TLS over any Line, for both networks alike: `ssl.MemoryBIO` in the middle, no socket (RFC 8446).

In: a Line, an SSLContext, the name that the certificate has to be for. Out: a Line of what is inside. So TLS goes
through a proxy, or inside another TLS, in the same way as over a socket.

Invariant: an end without TLS's own farewell (close_notify) is an error, never an end: someone may have cut it.
"""

import ssl
from contextlib import suppress
from typing import Final, cast

from portico.client.network import Line
from portico.errors import Gone
from portico.net.tls import explain_tls

_RECORDS: Final = 64 * 1024  # read from the line below at once
_PLAIN: Final = 64 * 1024  # encrypted at once


class TlsLine:
    """What is said inside TLS. Made by `start_tls`."""

    __slots__ = ("_host", "_incoming", "_line", "_object", "_outgoing", "_taken", "_unsent")

    def __init__(self, line: Line, context: ssl.SSLContext, host: str) -> None:
        self._line = line
        self._host = host
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = memoryview(b"")  # encrypted, and not taken by the line below
        self._taken = 0  # how much of what is pushed is in `_unsent`

    def describe(self) -> str:
        """Say in one line what was agreed on: the version, the cipher, and whom the certificate is for."""
        cipher = self._object.cipher()
        certificate = self._object.getpeercert() or {}
        pairs = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
        names = [value for kind, value in pairs if kind in ("DNS", "IP Address")]
        until = certificate.get("notAfter")
        parts = [str(self._object.version()), cipher[0] if cipher else ""]
        if names:
            parts.append(f"certificate for {', '.join(names)} until {until}")
        return ", ".join(filter(None, parts))

    async def shake_hands(self, timeout_s: float) -> None:
        """Agree on keys, and check the certificate. Raises Refused or Gone in one line where that fails."""
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(timeout_s)
                await self._fill(timeout_s)
            except OSError as exc:
                with suppress(Gone):
                    await self._flush(timeout_s)  # our alert: it tells the server's log why
                raise explain_tls(exc, self._host) from exc
            else:
                await self._flush(timeout_s)
                return

    async def receive(self, limit: int, timeout_s: float) -> bytes:
        """Wait for bytes; return up to `limit` of them, b"" once the other side has said farewell."""
        while (data := self._read(limit)) is None:
            await self._fill(timeout_s)
        return data

    async def receive_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Wait for bytes, and put them into a buffer; return how many, 0 after the farewell."""
        while not (count := self._read_into(buffer)):
            if count == 0:
                return 0
            await self._fill(timeout_s)
        return count

    def receive_now(self, limit: int) -> bytes | None:
        """Return what has come already, None where nothing has; b"" once the other side has ended or is lost."""
        try:
            while (data := self._read(limit)) is None:
                records = self._line.receive_now(_RECORDS)
                if records is None:
                    return None
                self._feed(records)
        except Gone:
            return b""
        return data

    async def is_heard(self, timeout_s: float) -> bool:
        """Wait until the other side says something, or ends; tell whether it did in time."""
        return bool(self._object.pending() or self._incoming.pending) or await self._line.is_heard(timeout_s)

    async def push(self, data: memoryview, timeout_s: float) -> int:
        """Send some of the data; 0 where the other side has said something first.

        What is encrypted cannot be taken back: after a 0 the same data is pushed again, as the contract says.
        """
        if not self._taken:
            try:
                self._taken = self._object.write(data[:_PLAIN])
            except OSError as exc:
                raise explain_tls(exc, self._host) from exc
        self._collect()
        while self._unsent:
            count = await self._line.push(self._unsent, timeout_s)
            if not count:
                return 0
            self._unsent = self._unsent[count:]
        taken, self._taken = self._taken, 0
        return taken

    def close(self) -> None:
        """Say farewell where that needs no waiting, and close the line below."""
        with suppress(OSError):
            self._object.unwrap()
        self._give_up_rest()
        self._line.close()

    def push_now(self, data: memoryview) -> None:
        """Send what goes without waiting, and give up the rest."""
        with suppress(OSError):
            self._object.write(data)
        self._give_up_rest()

    def _give_up_rest(self) -> None:
        self._collect()
        self._line.push_now(self._unsent)
        self._unsent = memoryview(b"")

    def _read(self, limit: int) -> bytes | None:
        """Return decrypted bytes, None where more records are needed, b"" after the farewell."""
        try:
            return self._object.read(limit)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except OSError as exc:
            raise self._cut(exc) from exc

    def _read_into(self, buffer: memoryview) -> int | None:
        """Fill a buffer from all records that are there: `read` takes one at a time."""
        filled = 0
        try:
            while filled < len(buffer):
                count = int(self._object.read(len(buffer) - filled, buffer[filled:]))
                if not count:
                    break
                filled += count
        except ssl.SSLWantReadError:
            return filled or None
        except OSError as exc:
            if not filled and not isinstance(exc, ssl.SSLZeroReturnError):
                raise self._cut(exc) from exc
        return filled

    def _cut(self, exc: OSError) -> Gone:
        if isinstance(exc, ssl.SSLEOFError):
            return Gone(f"the connection to {self._host} was cut: it ended without TLS's farewell")
        return Gone(f"TLS with {self._host} broke: {explain_tls(exc, self._host)}")

    async def _fill(self, timeout_s: float) -> None:
        self._collect()
        if self._unsent and not self._taken:  # an answer to a change of keys
            await self._flush(timeout_s)
        self._feed(await self._line.receive(_RECORDS, timeout_s))

    def _feed(self, records: bytes) -> None:
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()

    def _collect(self) -> None:
        if self._outgoing.pending:
            self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())

    async def _flush(self, timeout_s: float) -> None:
        self._collect()
        while self._unsent:
            count = await self._line.push(self._unsent, timeout_s)
            if not count:
                return  # it speaks before it listens, as it may; the rest follows later
            self._unsent = self._unsent[count:]


async def start_tls(line: Line, context: ssl.SSLContext, host: str, timeout_s: float) -> TlsLine:
    """Speak TLS over a line from now on.

    host: whom the certificate has to be for: a name or an IP address. The line is closed where this fails.
    timeout_s: for each step of it. Raises Refused or Gone in one line.
    """
    try:
        tls = TlsLine(line, context, host)
        await tls.shake_hands(timeout_s)
    except BaseException:
        line.close()
        raise
    return tls
