"""What the HTTP client asks of a network, and the network of a thread that may wait.

    Network     connects, and lets so many in at once          BlockingNetwork here, LoopNetwork in loop.py
      Line      one connection: bytes in, bytes out            SocketLine here, TlsLine over any line in secure.py
        Wait    the only thing that differs: how one waits     Poll, Select here, a future of the event loop in loop.py

The client is written once, as coroutines. On a BlockingNetwork they never suspend, so `run` is all that a thread needs;
no event loop is loaded. Sockets are non-blocking on both; each operation has its own deadline.
"""

import select
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from portico.errors import Gone
from portico.net.addresses import Address
from portico.net.connecting import connect

READ: Final = 1
WRITE: Final = 2
_T = TypeVar("_T")

Wait = Callable[[int, float], Awaitable[int]]
"""Wait for READ, WRITE or both, at most so many seconds; return what is possible now, 0 when the time is over."""


class Line(Protocol):
    """A connection that bytes go through. Used by one thread or task at a time; whoever holds it closes it.

    Everything that fails is a Gone: the other side closed, or stayed silent longer than `timeout_s`.
    """

    async def receive(self, limit: int, timeout_s: float) -> bytes:
        """Wait for bytes; return up to `limit` of them, b"" once the other side has ended."""
        ...

    async def receive_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Wait for bytes, and put them into a buffer; return how many, 0 once the other side has ended."""
        ...

    def receive_now(self, limit: int) -> bytes | None:
        """Return what has come already, None where nothing has; b"" once the other side has ended or is lost."""
        ...

    async def is_heard(self, timeout_s: float) -> bool:
        """Wait until the other side says something, or ends; tell whether it did in time."""
        ...

    async def push(self, data: memoryview, timeout_s: float) -> int:
        """Send some of the data, at least one byte of it; return how much is under way.

        0 where the other side has said something before anything could be sent: listen, then push the same again.
        """
        ...

    def push_now(self, data: memoryview) -> None:
        """Send what goes without waiting, and give up the rest: a farewell."""
        ...

    def close(self) -> None:
        """Close the connection. A second time does nothing."""
        ...


class Turnstile(Protocol):
    """Lets a limited number in."""

    async def enter(self, timeout_s: float) -> bool:
        """Wait for a free place; tell whether there was one in time."""
        ...

    def leave(self) -> None:
        """Free the place."""
        ...


class Network(Protocol):
    """Where connections come from."""

    async def connect(self, address: Address, timeout_s: float) -> Line:
        """Connect. Raises Refused or Gone in one line where that fails."""
        ...

    def turnstile(self, places: int) -> Turnstile:
        """Make a turnstile with so many places."""
        ...

    async def call(self, function: Callable[[], _T]) -> _T:
        """Call a function that may wait for a disk."""
        ...


class SocketLine:
    """A connected, non-blocking socket as a Line.

    peer: the other end's address as people write it, for messages.
    """

    __slots__ = ("_peer", "_sock", "_wait")

    def __init__(self, sock: socket.socket, wait: Wait, peer: str) -> None:
        self._sock = sock
        self._wait = wait
        self._peer = peer

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 once it is closed."""
        return self._sock.fileno()

    async def receive(self, limit: int, timeout_s: float) -> bytes:
        """Wait for bytes; return up to `limit` of them, b"" once the other side has ended."""
        while True:
            try:
                return self._sock.recv(limit)
            except BlockingIOError:
                await self._wait_to_read(timeout_s)
            except OSError as exc:
                raise self._lost(exc) from exc

    async def receive_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Wait for bytes, and put them into a buffer; return how many, 0 once the other side has ended."""
        while True:
            try:
                return self._sock.recv_into(buffer)
            except BlockingIOError:
                await self._wait_to_read(timeout_s)
            except OSError as exc:
                raise self._lost(exc) from exc

    def receive_now(self, limit: int) -> bytes | None:
        """Return what has come already, None where nothing has; b"" once the other side has ended or is lost."""
        try:
            return self._sock.recv(limit)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    async def is_heard(self, timeout_s: float) -> bool:
        """Wait until the other side says something, or ends; tell whether it did in time."""
        return bool(await self._wait(READ, timeout_s))

    async def push(self, data: memoryview, timeout_s: float) -> int:
        """Send some of the data; 0 where the other side has said something first."""
        while True:
            try:
                return self._sock.send(data)
            except BlockingIOError:
                ready = await self._wait(READ | WRITE, timeout_s)
            except OSError as exc:
                raise self._lost(exc) from exc
            if not ready:
                raise Gone(f"{self._peer} took nothing of what was sent for {timeout_s:g} s")
            if not ready & WRITE:
                return 0

    def push_now(self, data: memoryview) -> None:
        """Send what goes without waiting, and give up the rest."""
        with suppress(OSError):
            self._sock.send(data)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    async def _wait_to_read(self, timeout_s: float) -> None:
        if not await self._wait(READ, timeout_s):
            raise Gone(f"{self._peer} sent nothing for {timeout_s:g} s")

    def _lost(self, exc: OSError) -> Gone:
        return Gone(f"the connection to {self._peer} is lost: {(exc.strerror or 'it is closed').lower()}")


class Poll:
    """Waits for one socket by `poll`; a coroutine that never suspends."""

    __slots__ = ("_fd", "_mask", "_masks", "_poll")

    def __init__(self, sock: socket.socket) -> None:
        self._fd = sock.fileno()
        self._mask = select.POLLIN
        self._masks = {READ: select.POLLIN, WRITE: select.POLLOUT, READ | WRITE: select.POLLIN | select.POLLOUT}
        self._poll = select.poll()
        self._poll.register(self._fd, self._mask)

    async def wait(self, events: int, timeout_s: float) -> int:
        """Wait for READ, WRITE or both; an error or a hang-up counts as all that was asked for."""
        mask = self._masks[events]
        if mask != self._mask:
            self._poll.modify(self._fd, mask)
            self._mask = mask
        found = self._poll.poll(timeout_s * 1000)
        if not found:
            return 0
        ready = found[0][1]
        if ready & ~(select.POLLIN | select.POLLOUT):
            return events
        return (READ if ready & select.POLLIN else 0) | (WRITE if ready & select.POLLOUT else 0)


class Select:
    """Waits for one socket by `select`, where the system has no `poll`: on Windows."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def wait(self, events: int, timeout_s: float) -> int:
        """Wait for READ, WRITE or both. A connection that fails is told of as an exception there."""
        sock = self._sock
        reading, writing = [sock] if events & READ else [], [sock] if events & WRITE else []
        readable, writable, failed = select.select(reading, writing, [sock], timeout_s)
        return events if failed else (READ if readable else 0) | (WRITE if writable else 0)


_WAITER: Final = Poll if hasattr(select, "poll") else Select


class _Places:
    """A Turnstile for threads."""

    def __init__(self, places: int) -> None:
        self._free = threading.Semaphore(places)

    async def enter(self, timeout_s: float) -> bool:
        return self._free.acquire(timeout=timeout_s)

    def leave(self) -> None:
        self._free.release()


class BlockingNetwork:
    """The network of threads that may wait. Its coroutines never suspend."""

    async def connect(self, address: Address, timeout_s: float) -> Line:
        """Connect, and wait for it."""
        sock = connect(address, timeout_s=timeout_s)
        sock.setblocking(False)
        return SocketLine(sock, _WAITER(sock).wait, str(address))

    def turnstile(self, places: int) -> Turnstile:
        """Make a turnstile for threads."""
        return _Places(places)

    async def call(self, function: Callable[[], _T]) -> _T:
        """Call it here and now."""
        return function()


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never suspends; return what it returns, raise what it raises.

    Raises RuntimeError for one that does suspend: it was written for an event loop.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a coroutine of an event loop was run without one; use AsyncClient for it")
