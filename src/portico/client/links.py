"""Connections to talk over: to anything that speaks TCP, TLS, unix sockets or UDP, for a thread that may wait.

    with tcp("localhost:9000") as link:              with udp("localhost:9000") as link:
        link.send("hello\\n")                            print(link.ask("%H:%M"))
        print(link.read_line())

In: an address, bytes or text. Out: bytes or text. One thread may send while another receives; text is in the charset
that the peer writes (`wire/charset.py`), unless `encoding` says which. What fails is one line: Refused where nobody
listens or the certificate is not trusted, Gone where the peer has left or is silent, PeerError for a line without end.
"""

import errno
import math
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from portico.errors import Gone, PeerError, PorticoError, Refused, UsageError
from portico.net.addresses import ALL_INTERFACES, Address, Kind, parse_address
from portico.net.connecting import connect
from portico.wire.charset import AUTO, Charset

if TYPE_CHECKING:
    import ssl

MAX_LINE: Final = 1024 * 1024
MAX_DATAGRAM: Final = 65_507  # RFC 768 in IPv4: 65 535 less the two headers
_CONNECT_S: Final = 10.0
_PIECE: Final = 64 * 1024


def tcp(
    address: str | Address,
    *,
    encoding: str = AUTO,
    timeout_s: float | None = 10.0,
    tls: "ssl.SSLContext | None" = None,
) -> "Link":
    """Connect to a server of streams.

    address: as "localhost:9000", "tls://box.local:443", "unix:/run/x.sock", "fd:3".
    encoding: the charset of text both ways; "auto" is UTF-8 until the peer's own text says GB18030.
    timeout_s: for connecting, and for every later wait; None waits for ever, save for connecting, which has 10 s.
    tls: what to speak TLS with, as `net.tls.client_context` makes it; None for the system's trust where the address
        says tls://, and for none of it elsewhere.
    Returns a connection, which the caller closes. Raises UsageError for what is no such address or charset, Refused
    and Gone where it cannot be reached.
    """
    place = _place(address, "tcp")
    if place.kind == "udp":
        raise UsageError(f"{place} is UDP, which has no connections; use udp()")
    charset = Charset(encoding)
    deadline_s = time.monotonic() + (timeout_s or _CONNECT_S)
    sock = connect(place, timeout_s=timeout_s or _CONNECT_S)
    if tls is not None or place.kind == "tls":
        sock = _secured(sock, place, tls, deadline_s)
    return Link(sock, peer=str(place), charset=charset, timeout_s=timeout_s)


def udp(address: str | Address, *, encoding: str = AUTO, timeout_s: float | None = 10.0) -> "DatagramLink":
    """Make a socket for one peer's datagrams.

    address: as "localhost:9000", with udp:// before it or not. encoding, timeout_s: see `tcp`.
    Returns a link, which the caller closes. Raises UsageError for what is no such address, Refused for an unknown host.
    """
    place = _place(address, "udp")
    if place.kind != "udp":
        raise UsageError(f"{place} is not UDP; use tcp(), or write udp://HOST:PORT")
    charset = Charset(encoding)
    sock = connect(place, timeout_s=timeout_s or _CONNECT_S)
    return DatagramLink(sock, peer=str(place), charset=charset, timeout_s=timeout_s)


def _place(address: str | Address, scheme: Kind) -> Address:
    """Return where to connect to: where every interface is meant, this machine is."""
    place = parse_address(address, default_scheme=scheme) if isinstance(address, str) else address
    return place._replace(host="localhost") if place.host == ALL_INTERFACES else place


def _secured(sock: socket.socket, place: Address, context: "ssl.SSLContext | None", deadline_s: float) -> socket.socket:
    """Speak TLS over a socket from now on; it is closed where that fails."""
    from portico.net.tls import client_context, explain_tls

    try:
        sock = (context or client_context()).wrap_socket(
            sock,
            server_hostname=place.host.partition("%")[0] or "localhost",
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        sock.settimeout(max(0.001, deadline_s - time.monotonic()))
        sock.do_handshake()
    except BaseException as exc:
        sock.close()
        if isinstance(exc, OSError):
            raise explain_tls(exc, str(place).removeprefix("tls://")) from exc
        raise
    return sock


class _Socket:
    """A connected socket with deadlines; what fails on it becomes Gone or Refused.

    peer: who is at the other end, as people write it. charset: of the conversation's text.
    timeout_s: for each wait, None for none; may be changed at any time.
    """

    def __init__(
        self, sock: socket.socket, *, peer: str, charset: Charset | None = None, timeout_s: float | None = 10.0
    ) -> None:
        self.peer = peer
        self.charset = charset or Charset()
        self.timeout_s = timeout_s
        self._sock = sock
        self._is_aborted = False
        sock.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 once it is closed."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close it. A second time does nothing."""
        self._sock.close()

    def abort(self) -> None:
        """End both ways at once: a thread that waits here returns, or fails. The object is still to be closed."""
        self._is_aborted = True
        with suppress(OSError):  # it is closed, or the peer was faster
            # Not TLS's own shutdown, which would forget the TLS beneath a thread that uses it.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def is_heard(self, within_s: float) -> bool:
        """Wait until there is something to receive, or the end; tell whether there was in time. 0 looks and goes on."""
        return self._is_ready(select.POLLIN, within_s)

    def _wait(self, event: int, timeout_s: float | None) -> None:
        if self._is_ready(event, timeout_s):
            return
        if event == select.POLLOUT:
            raise Gone(f"nothing was taken by {self.peer} within {timeout_s:g} s")
        raise Gone(f"no answer from {self.peer} within {timeout_s:g} s")

    def _is_ready(self, event: int, timeout_s: float | None) -> bool:
        poll = select.poll()
        poll.register(self._sock, event)
        # Rounded up: a deadline that is nearly over is waited for, not looked at a thousand times.
        return bool(poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))

    def _encoded(self, data: bytes | str) -> bytes:
        return self.charset.encode(data) if isinstance(data, str) else data

    def _lost(self, exc: OSError) -> PorticoError:
        if exc.errno == errno.ECONNREFUSED:
            return Refused(f"nothing listens on {self.peer}; check the port, or start the server")
        why = (exc.strerror or "it is closed").lower()
        return Gone(f"the connection to {self.peer} is lost: {why}")


class Link(_Socket):
    """A stream to one peer and back. Made by `tcp`, or from any connected socket, which then is this object's."""

    def __init__(
        self, sock: socket.socket, *, peer: str, charset: Charset | None = None, timeout_s: float | None = 10.0
    ) -> None:
        super().__init__(sock, peer=peer, charset=charset, timeout_s=timeout_s)
        self._held = bytearray()  # received, and not yet asked for
        self._scanned = 0  # so much of it has no line feed
        # OpenSSL may not be called by two threads at once for the same connection.
        self._turn = threading.Lock()

    @property
    def is_tls(self) -> bool:
        """Whether TLS is spoken."""
        return hasattr(self._sock, "selected_alpn_protocol")

    def is_heard(self, within_s: float) -> bool:
        """Wait until there is something to receive, or the end; tell whether there was in time. 0 looks and goes on."""
        pending = getattr(self._sock, "pending", None)
        return bool(self._held) or (pending is not None and pending() > 0) or super().is_heard(within_s)

    def send(self, data: bytes | str) -> None:
        """Send all of it, and wait while the peer is slow. Text goes in the charset of the conversation."""
        left = memoryview(self._encoded(data))
        while left:
            sent = self._try("send", left)
            left = left[sent if isinstance(sent, int) else 0 :]

    def receive(self, limit: int = _PIECE) -> bytes:
        """Wait for bytes; return up to `limit` of them, b"" once the peer has ended its side."""
        if self._held:
            data = bytes(self._held[:limit])
            del self._held[:limit]
            self._scanned = 0
            return data
        return self._receive(limit)

    def receive_text(self, limit: int = _PIECE) -> str:
        """Wait for text; return what has come, "" once the peer has ended its side.

        A character that is cut in two waits for its rest. limit: of bytes.
        """
        while True:
            data = self.receive(limit)
            text = self.charset.decode(data, final=not data)
            if text or not data:
                return text

    def read_line(self) -> str | None:
        """Wait for a line; return it without its end, LF or CRLF; None once the peer has ended its side.

        The last line needs no end. Raises PeerError for one of more than a megabyte.
        """
        while (end := self._held.find(b"\n", self._scanned)) < 0:
            self._scanned = len(self._held)
            if self._scanned > MAX_LINE:
                raise PeerError(400, f"{self.peer} sends a line of more than {MAX_LINE} bytes; use receive()")
            data = self._receive(_PIECE)
            if not data:
                end = len(self._held)
                break
            self._held += data
        if not self._held:
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._scanned = 0
        return self.charset.decode(line.removesuffix(b"\r"), final=True)

    def lines(self) -> Iterator[str]:
        """Yield the peer's lines, without their ends, until it ends its side."""
        while (line := self.read_line()) is not None:
            yield line

    def end(self) -> None:
        """End our side: the peer sees the end of what we send, and may still answer.

        In TLS nothing is said before `close`: many servers take its farewell for the end of both sides (RFC 8446 6.1).
        """
        if not self.is_tls:
            with suppress(OSError):  # the peer has gone: then both sides have ended
                self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection; in TLS with its farewell, if that needs no waiting. A second time does nothing."""
        if self.is_tls and self.fileno() >= 0:
            with suppress(OSError, ValueError):  # it has been lost
                self._sock.unwrap()  # type: ignore[attr-defined]
        super().close()

    def _receive(self, limit: int) -> bytes:
        data = self._try("recv", limit)
        return data if isinstance(data, bytes) else b""

    def _try(self, operation: str, argument: memoryview | int) -> bytes | int:
        """Receive or send as soon as that can be done."""
        event = select.POLLIN if operation == "recv" else select.POLLOUT
        while True:
            try:
                with self._turn:
                    found: bytes | int = getattr(self._sock, operation)(argument)
                    return found
            except BlockingIOError:
                needed = event
            except OSError as exc:
                needed = self._needed(exc)
                if not needed:
                    return b""
            self._wait(needed, self.timeout_s)

    def _needed(self, exc: OSError) -> int:
        """Return what TLS has to wait for, 0 where the peer has said farewell. Raises Gone where the connection is."""
        if self.is_tls:
            import ssl

            if isinstance(exc, ssl.SSLZeroReturnError):
                return 0
            if isinstance(exc, ssl.SSLWantReadError | ssl.SSLWantWriteError):
                return select.POLLIN if isinstance(exc, ssl.SSLWantReadError) else select.POLLOUT
            if isinstance(exc, ssl.SSLEOFError):
                raise Gone(f"the connection to {self.peer} was cut: it ended without TLS's farewell") from exc
        raise self._lost(exc) from exc


class DatagramLink(_Socket):
    """Datagrams to one peer and back. Made by `udp`."""

    def send(self, data: bytes | str) -> None:
        """Send one datagram, empty ones too. Raises UsageError for one that is too large, Refused if nobody listens."""
        encoded = self._encoded(data)
        while True:
            try:
                self._sock.send(encoded)
            except BlockingIOError:
                self._wait(select.POLLOUT, self.timeout_s)
            except OSError as exc:
                if exc.errno == errno.EMSGSIZE:
                    raise UsageError(
                        f"a datagram of {len(encoded)} bytes is too large; {MAX_DATAGRAM} are the most"
                    ) from exc
                raise self._lost(exc) from exc
            else:
                return

    def receive(self, limit: int = MAX_DATAGRAM) -> bytes:
        """Wait for a datagram; return up to `limit` bytes of it. Raises Gone where none comes in time."""
        return self._receive(limit, self.timeout_s)

    def receive_text(self) -> str:
        """Wait for a datagram; return its text."""
        return self.charset.decode(self.receive(), final=True)

    def ask(self, question: bytes | str, *, tries: int = 3) -> str:
        """Send a question and return the answer's text.

        Datagrams are lost now and then: the question is sent again, `tries` times in all, each wait twice as long as
        the one before, `timeout_s` together. What had come before the question is dropped.
        Raises Gone where no answer comes, Refused where nobody listens.
        """
        while self.is_heard(0):
            self._receive(MAX_DATAGRAM, 0)
        shares = (1 << tries) - 1
        for attempt in range(tries):
            self.send(question)
            if self._is_ready(select.POLLIN, None if self.timeout_s is None else self.timeout_s / shares * 2**attempt):
                return self.receive_text()
        raise Gone(f"no answer from {self.peer} within {self.timeout_s or 0:g} s, asked {tries} times")

    def _receive(self, limit: int, timeout_s: float | None) -> bytes:
        while True:
            try:
                return self._sock.recv(limit)
            except BlockingIOError:
                if self._is_aborted:  # poll says that there is something, recv that there is not
                    return b""
                self._wait(select.POLLIN, timeout_s)
            except OSError as exc:
                raise self._lost(exc) from exc
