"""The end of a connection whose peer may still be sending (RFC 9112 9.6).

Our side is closed behind the answer; what still comes is read and dropped for a while, since closing at once would make
the kernel answer it with a reset, which takes the answer from the peer as well. Until the peer has been silent for 2 s,
30 s in all (Apache's practice), and only while it keeps to the least rate. What it sends beyond 64 MiB stays in the
kernel.
"""

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.server.accepting import Acceptor

SILENCE_S = 2.0
LINGER_S = 30.0
LINGER_BYTES = 64 << 20


class Lingering(asyncio.Protocol):
    """What listens to a transport that is being closed.

    address: the peer's. bucket: the wheel's. is_busy: the kernel does not have all of our answer yet; time
    is counted from when it does. received: bytes dropped.
    """

    is_fresh = False

    __slots__ = ("_began_s", "_heard_s", "_moved", "_server", "address", "bucket", "is_busy", "received", "transport")

    def __init__(self, server: "Acceptor[Any]", transport: asyncio.Transport, address: str, *, is_busy: bool) -> None:
        self._server = server
        self._began_s = self._heard_s = server.clock.now_s
        self._moved = 0
        self.address = address
        self.bucket = -1
        self.is_busy = is_busy
        self.received = 0
        self.transport = transport

    def begin(self) -> None:
        """Take the transport over."""
        transport = self.transport
        self._server.wheel.add(self, self._heard_s + self._server.limits.rate_window)
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=0)  # tells us when the kernel has all of the answer
        if transport.can_write_eof():
            try:
                transport.write_eof()
            except OSError:  # the peer has gone meanwhile, which asyncio's own loop lets us know in this way
                transport.abort()
                return
        if not self.is_busy:
            self.resume_writing()

    def pause_writing(self) -> None:
        """Wait until the peer has taken the answer."""
        self.is_busy = True

    def resume_writing(self) -> None:
        """Begin to count."""
        self.is_busy = False
        self._began_s = self._heard_s = self._server.clock.now_s
        self.transport.resume_reading()
        self._server.wheel.hasten(self, self._heard_s + SILENCE_S)

    def data_received(self, data: bytes) -> None:
        """Drop it."""
        self._heard_s = self._server.clock.now_s
        self.received += len(data)
        if self.received > LINGER_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Close: the peer has nothing more to say."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Be counted out. exc: how the peer went, which changes nothing."""
        self._server.dismiss(self)

    def drain(self) -> None:
        """Do nothing: it ends by itself."""

    def end_idleness(self) -> None:
        """Close, unless the answer is still on its way."""
        if not self.is_busy:
            self.transport.close()

    def check(self, now_s: float) -> float:
        """Cut a peer that does not stop, or does not read."""
        limits = self._server.limits
        if self.is_busy:
            unsent = self.transport.get_write_buffer_size()
            if self._moved and self._moved - unsent < limits.min_rate * limits.rate_window:
                self.transport.abort()
            self._moved = unsent
            return now_s + limits.rate_window
        lingered_s = now_s - self._began_s
        is_dripping = lingered_s >= SILENCE_S and self.received < lingered_s * limits.min_rate
        due_s = min(self._heard_s + SILENCE_S, self._began_s + LINGER_S)
        if is_dripping or now_s >= due_s:
            self.transport.abort()
            return now_s + SILENCE_S
        return due_s
