"""One connection to a service: its life, its deadlines, its accounts. What is said on it is the business of two others.

    connection_made -> Acceptor.admit -> begin           Conversation: the service is called, with its Stream
      data_received                                      Replies: each piece is answered at once
    ended -> our side ends -> Lingering                  nothing that was sent is lost by a reset

Deadlines, by the server's wheel: a connection on which nothing moves for `idle_timeout` is cut, and so is a peer that
takes less than `min_rate`. When the server stops, a connection that has been silent since is told that its input has
ended, so that the service comes to its own end; one on which something moves is told after a second's silence.
"""

import asyncio
import time
from typing import TYPE_CHECKING, cast

from portico.errors import UsageError
from portico.net.listening import pending_bytes
from portico.server.exchange import address_of
from portico.server.lingering import Lingering
from portico.server.peer import Peer

if TYPE_CHECKING:
    from portico.server.streams import StreamServer

_DRAIN_SILENCE_S = 1.0
LOST = "the peer closed the connection"
FAILED = "the service failed"
CUT = "cut off"


class ServedConnection(asyncio.Protocol):
    """One connection to a service; see the module, and `accepting.Connection` for some attributes.

    peer: who it is. note: a remark for the log. received, sent: bytes. moved_s: when something last did, by the
    server's clock. is_busy: the service has not ended. is_paused: the transport has more unsent bytes than it likes.
    is_lost: it is no more. has_ended: the peer has ended its side.
    """

    __slots__ = (
        "_began_s",
        "_is_cut",
        "_is_draining",
        "_is_output_ended",
        "_mark",
        "_moved_before",
        "address",
        "bucket",
        "has_ended",
        "is_busy",
        "is_lost",
        "is_paused",
        "moved_s",
        "note",
        "peer",
        "received",
        "sent",
        "server",
        "transport",
    )

    transport: asyncio.Transport
    is_fresh = False  # whoever says nothing when the server stops gets no time of grace

    def __init__(self, server: "StreamServer") -> None:
        self.server = server
        self._began_s = self.moved_s = 0.0
        self._is_cut = False
        self._is_draining = False
        self._is_output_ended = False
        self._mark = -1  # bytes taken when the window began in which the peer's rate is measured; -1: there is none
        self._moved_before = 0  # bytes both ways when the drain began
        self.address = ""
        self.bucket = -1
        self.has_ended = False
        self.is_busy = False
        self.is_lost = False
        self.is_paused = False
        self.note = ""
        self.peer: Peer
        self.received = 0
        self.sent = 0

    # what the two kinds differ in

    def begin(self) -> None:
        """Call the service, or make ready for the first piece."""
        raise NotImplementedError

    def end_input(self) -> None:
        """Tell the service that nothing more will come."""
        raise NotImplementedError

    def stop(self, why: str) -> None:
        """Tell the service that the connection is no more; it has not ended yet."""
        raise NotImplementedError

    # the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse when a limit on connections is reached."""
        server = self.server
        self.transport = cast(asyncio.Transport, transport)
        self.address = address_of(transport)
        self.peer = _peer(transport, self.address)
        _, refusal = server.admit(self)
        self._began_s = time.monotonic()
        self.moved_s = server.clock.now_s
        server.wheel.add(self, self.moved_s + (_DRAIN_SILENCE_S if self._is_draining else server.settings.idle_timeout))
        if server.log is not None:
            server.log.opened(self.peer)
            server.schedule_flush()
        if refusal:
            self.cut(refusal)
            self._account()
        else:
            self.is_busy = True
            self.begin()

    def eof_received(self) -> bool:
        """Tell the service; our side stays open until it is done."""
        self.has_ended = True
        self.end_input()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the service. exc: how the peer went, None where we cut it off at the end of the server's time."""
        self.is_lost = True
        if self.is_busy:
            self.stop(CUT if exc is None else LOST)
        else:
            self.server.dismiss(self)

    def pause_writing(self) -> None:
        """Measure how fast the peer takes."""
        self.is_paused = True
        self._mark = -1
        self.server.wheel.hasten(self, self.server.clock.now_s)

    def resume_writing(self) -> None:
        """Go on."""
        self.is_paused = False
        self.moved_s = self.server.clock.now_s

    # the end

    def ended(self, note: str = "") -> None:
        """Come to the end of the connection: the service is done with it. note: how that was, "" as it should be."""
        self.is_busy = False
        self.note = self.note or note
        self._account()
        if self.is_lost:
            self.server.dismiss(self)
        elif self.has_ended:
            self.transport.close()  # behind what was sent; the peer has nothing more to say
        elif not self.transport.is_closing():
            lingering = Lingering(self.server, self.transport, self.address, is_busy=self.is_paused)
            self.server.replace(self, lingering)
            lingering.begin()

    def cut(self, why: str) -> None:
        """Close now. why: for the log, and for the service."""
        self._is_cut = True
        self.note = self.note or why
        self.transport.abort()
        if self.is_busy:
            self.stop(why)

    def _account(self) -> None:
        server = self.server
        server.totals.requests += 1
        server.totals.bytes_sent += self.sent
        server.received_bytes += self.received
        if server.log is not None:
            duration_s = time.monotonic() - self._began_s
            server.log.closed(self.peer, received=self.received, sent=self.sent, duration_s=duration_s, note=self.note)
            server.schedule_flush()

    # for the service

    def write(self, data: bytes) -> None:
        """Send bytes. Raises UsageError behind `end_output`."""
        if self._is_output_ended:
            raise UsageError("this side of the stream has ended; nothing more can be sent")
        self.moved_s = self.server.clock.now_s
        self.sent += len(data)
        self.transport.write(data)

    def end_output(self) -> None:
        """End our side behind what was written."""
        if not self._is_output_ended and not self.transport.is_closing():
            self._is_output_ended = True
            try:
                self.transport.write_eof()
            except OSError:  # the peer has gone meanwhile, which asyncio's own loop lets us know in this way
                self.cut(LOST)

    def tell(self, text: str) -> None:
        """Write to the log."""
        if self.server.log is not None:
            self.server.log.told(self.peer, text)
            self.server.schedule_flush()

    # deadlines

    def drain(self) -> None:
        """Go on, but let a second's silence be the end."""
        self._is_draining = True
        self._moved_before = self.received + self.sent
        self.server.wheel.hasten(self, self.server.clock.now_s + _DRAIN_SILENCE_S)

    def end_idleness(self) -> None:
        """Tell the service that its input is over, if nothing has moved since `drain`."""
        if self.received + self.sent == self._moved_before and not pending_bytes(self._fileno()):
            self.end_input()

    def _fileno(self) -> int:
        sock = self.transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def check(self, now_s: float) -> float | None:
        """Cut a peer that takes too little or has been silent too long; return when to ask again."""
        if self.is_lost or self._is_cut:
            return None
        if self.is_paused:
            return self._check_rate(now_s)
        if self._is_draining:
            if now_s >= self.moved_s + _DRAIN_SILENCE_S:
                self.end_input()
            return now_s + _DRAIN_SILENCE_S
        idle_s = self.server.settings.idle_timeout
        if now_s < self.moved_s + idle_s:
            return self.moved_s + idle_s
        self.cut(f"silent for {idle_s:g} s")
        return None

    def _check_rate(self, now_s: float) -> float | None:
        limits = self.server.limits
        taken = self.sent - self.transport.get_write_buffer_size()
        if self._mark >= 0 and taken - self._mark < limits.min_rate * limits.rate_window:
            self.cut(f"takes less than {limits.min_rate} bytes a second")
            return None
        self._mark = taken
        return now_s + limits.rate_window


def _peer(transport: asyncio.BaseTransport, address: str) -> Peer:
    name = transport.get_extra_info("peername")
    return Peer(address, name[1] if isinstance(name, tuple) else 0)
