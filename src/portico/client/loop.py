"""The network of an event loop: asyncio's own or uvloop. Loaded by AsyncClient alone.

In: a running loop; out: Lines whose waiting suspends the task. Any wait may be cancelled: the watch on the socket ends
with it, and whoever holds the Line closes it.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

from portico.client.network import READ, WRITE, Line, SocketLine, Turnstile
from portico.net.addresses import Address
from portico.net.connecting import connect_async

_T = TypeVar("_T")


class _Watch:
    """Waits for one socket on whatever loop is running."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def wait(self, events: int, timeout_s: float) -> int:
        """Wait for READ, WRITE or both; return what is possible, 0 when the time is over."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        alarm = loop.call_later(timeout_s, _settle, future, 0)
        if events & READ:
            loop.add_reader(self._sock, _settle, future, READ)
        if events & WRITE:
            loop.add_writer(self._sock, _settle, future, WRITE)
        try:
            return await future
        finally:
            alarm.cancel()
            if self._sock.fileno() >= 0:  # another task may have closed it
                if events & READ:
                    loop.remove_reader(self._sock)
                if events & WRITE:
                    loop.remove_writer(self._sock)


def _settle(future: asyncio.Future[int], event: int) -> None:
    if not future.done():
        future.set_result(event)


class _Places:
    """A Turnstile for tasks."""

    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)

    async def enter(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._free.acquire()
        except TimeoutError:
            return False

    def leave(self) -> None:
        self._free.release()


class LoopNetwork:
    """The network of tasks."""

    async def connect(self, address: Address, timeout_s: float) -> Line:
        """Connect without holding up the loop."""
        sock = await connect_async(address, timeout_s=timeout_s)
        return SocketLine(sock, _Watch(sock).wait, str(address))

    def turnstile(self, places: int) -> Turnstile:
        """Make a turnstile for tasks."""
        return _Places(places)

    async def call(self, function: Callable[[], _T]) -> _T:
        """Call it in a thread of the loop's pool.

        Cancelling waits for it all the same: it may write to a descriptor that the caller closes next.
        """
        future = asyncio.get_running_loop().run_in_executor(None, function)
        try:
            return await asyncio.shield(future)
        finally:
            if not future.done():
                await asyncio.wait([future])
                future.exception()  # nobody asks for it any more
