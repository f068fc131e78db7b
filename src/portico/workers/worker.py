"""A worker's side of the control channel.

    link = WorkerLink.from_environment()     None: this process is no worker
    link.sockets()                           what to accept on, once the application is loaded
    link.watch(drain, cut)                   inside the loop: SIGTERM, SIGQUIT, the supervisor's death
    link.ready()                             taking connections now
    link.beat_with(stats)                    a sign of life each second, with figures
    link.draining() ... link.finished(cut)   the end
    link.failed(text)                        instead, where the start fails

Nothing here blocks the loop: a beat that the supervisor has no room for is left out.
"""

import asyncio
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

from portico.net.addresses import Address
from portico.net.listening import listen
from portico.workers.channel import MAX_REASON, Message, encode
from portico.workers.process import VARIABLE, Badge
from portico.workers.signals import shield

BEAT_S: Final = 1.0
_PATIENCE_S: Final = 1.0  # for last words; a living supervisor reads within milliseconds


class WorkerLink:
    """The tie between a worker and its supervisor. badge: see there.

    From the beginning the terminal's signals are no business of this process, and SIGABRT, which the supervisor sends
    where the loop stands still, writes the stacks of all threads to standard error.
    """

    def __init__(self, badge: Badge) -> None:
        self.number = badge.number
        self.generation = badge.generation
        self._descriptors = badge.sockets
        self._channel = socket.socket(fileno=badge.control)
        self._channel.set_inheritable(False)
        self._channel.setblocking(False)
        self._unsent = b""
        self._beating: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # set while the channel is read
        shield()
        with suppress(OSError, ValueError, AttributeError):  # standard error is closed or replaced
            faulthandler.enable()

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> "WorkerLink | None":
        """Take the badge out of the environment, lest what this process starts takes itself for a worker.

        Returns None where there is none. Raises UsageError for what is no badge, OSError for one of another process.
        """
        text = environ.pop(VARIABLE, None)
        return None if text is None else cls(Badge.of_text(text))

    def sockets(self) -> list[socket.socket]:
        """Return the listening sockets, non-blocking and not inheritable. The caller closes them; to be called once."""
        return [sock for number in self._descriptors for sock in listen(Address("fd", number=number))]

    def watch(self, drain: Callable[[], None], cut: Callable[[], None]) -> None:
        """Listen to the supervisor, in the running loop of the main thread.

        drain: called to end in order, perhaps more than once. cut: called to end now.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, drain)
        loop.add_signal_handler(signal.SIGQUIT, cut)
        loop.add_reader(self._channel.fileno(), self._read, drain)
        self._loop = loop

    def ready(self) -> None:
        """Say that this worker takes connections; those that it replaces will drain."""
        self._send({"is": "ready"})

    def beat_with(self, stats: Callable[[], Mapping[str, Any]]) -> None:
        """Beat now and each second from now on.

        stats: figures that JSON knows. `requests`, answered since the start, and `active`, under way, are looked at;
        `samples` is a snapshot as `server.samples` has it, which the supervisor adds to those of the others.
        """
        if not self._unsent:
            self._send({"is": "beat", "memory": resident_bytes(), "stats": stats()})
        self._push()
        self._beating = asyncio.get_running_loop().call_later(BEAT_S, self.beat_with, stats)

    def draining(self) -> None:
        """Say that this worker takes no connections any more; it goes on beating."""
        self._send({"is": "draining"})

    def finished(self, cut: int) -> None:
        """Say that all is done. cut: requests that were cut off at the deadline."""
        self._send({"is": "finished", "cut": cut}, patience_s=_PATIENCE_S)

    def failed(self, text: str) -> None:
        """Say why this worker cannot start; the supervisor shows it, once for all workers. It should exit then."""
        self._send({"is": "failed", "reason": text[:MAX_REASON]}, patience_s=_PATIENCE_S)

    def close(self) -> None:
        """Stop beating and close the channel."""
        if self._beating is not None:
            self._beating.cancel()
        self._unwatch()
        self._channel.close()

    def _read(self, drain: Callable[[], None]) -> None:
        try:
            data = self._channel.recv(1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # The supervisor is dead. Its sockets live on in us, but nobody would replace or stop us.
            self._unwatch()
            drain()

    def _unwatch(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._channel.fileno())

    def _send(self, message: Message, *, patience_s: float = 0.0) -> None:
        self._unsent += encode(message)
        self._push(patience_s)

    def _push(self, patience_s: float = 0.0) -> None:
        self._channel.settimeout(patience_s)
        try:
            while self._unsent:
                self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except (BlockingIOError, TimeoutError):
            pass  # the rest goes with the next message
        except OSError:
            self._unsent = b""  # the supervisor is dead, as `_read` will find
        finally:
            self._channel.settimeout(0.0)


def resident_bytes(proc: str = "/proc") -> int:
    """Return the memory that this process has in use; at its peak, on systems without /proc.

    proc: where the process file system is mounted.
    """
    try:
        with open(f"{proc}/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2) there and here
