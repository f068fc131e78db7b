"""One worker's process as the supervisor has it: a command in, a process with a control channel out.

The command is started, never forked, so that a worker reads code and settings anew, and no thread or lock of the
supervisor is copied into it. What the worker has to know stands in the environment as a `Badge`; sockets are inherited
under their own numbers. Invariant: after `close` nothing of the worker is left here, neither process nor descriptor.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from portico.errors import Refused, UsageError, excerpt
from portico.workers.channel import Inbox, Message
from portico.workers.signals import name_of, shielded

VARIABLE: Final = "PORTICO_WORKER"
_PIECE: Final = 64 << 10
# They speak to the supervisor: a worker that told systemd it is ready would speak for a process that it is not.
_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


class Badge(NamedTuple):
    """What a worker knows of itself.

    control, sockets: inherited descriptors. number: of its seat, from 1. generation: grows with each reload.
    """

    control: int
    sockets: tuple[int, ...]
    number: int
    generation: int

    def as_text(self) -> str:
        """Return it as the environment carries it."""
        return json.dumps(self._asdict())

    @classmethod
    def of_text(cls, text: str) -> "Badge":
        """Read what `as_text` wrote. Raises UsageError for anything else."""
        try:
            found = json.loads(text)
            badge = cls(found["control"], tuple(found["sockets"]), found["number"], found["generation"])
        except (ValueError, TypeError, LookupError) as exc:
            raise UsageError(f"{VARIABLE}={excerpt(text)} is no worker's badge; unset it") from exc
        if not all(type(number) is int for number in (badge.control, *badge.sockets, badge.number, badge.generation)):
            raise UsageError(f"{VARIABLE}={excerpt(text)} is no worker's badge; unset it")
        return badge


def own_command() -> list[str]:
    """Return the command line that this very program was started with, for another of its kind."""
    return [sys.executable, *sys.orig_argv[1:]]


class WorkerProcess:
    """A running worker. Made by `spawn`; the caller reaps it with `poll` and then calls `close`."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._inbox = Inbox()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the worker has something to say."""
        return self._control.fileno()

    def receive(self) -> list[Message] | None:
        """Return what has come from the worker; None at the end of the channel.

        Raises Refused for what is no message; the channel cannot be used any more then.
        """
        try:
            data = self._control.recv(_PIECE)
        except BlockingIOError:
            return []
        except OSError:  # reset: the worker died with something unread
            return None
        return self._inbox.feed(data) if data else None

    def last_words(self) -> list[Message]:
        """Return what an ended worker has left in the channel."""
        said: list[Message] = []
        try:
            while messages := self.receive():
                said += messages
        except Refused:
            pass  # it is dead; how it ended says more than half a message
        return said

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if the process has ended."""
        self._process.send_signal(number)

    def poll(self) -> str | None:
        """Return how the process ended, None while it runs; it is reaped with that."""
        code = self._process.poll()
        if code is None:
            return None
        return f"exit code {code}" if code >= 0 else name_of(-code)

    def close(self) -> None:
        """Close the channel; kill and reap the process if it still runs."""
        self._control.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def spawn(command: Sequence[str], sockets: Sequence[socket.socket], *, number: int, generation: int) -> WorkerProcess:
    """Start a worker. Raises OSError where the system refuses.

    command: program and words. sockets: listening ones, which the worker inherits.
    number, generation: see `Badge`.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            ours.setblocking(False)
            descriptors = tuple(sock.fileno() for sock in sockets)
            badge = Badge(theirs.fileno(), descriptors, number, generation)
            with shielded():
                process = subprocess.Popen(
                    command, env=environment_for(os.environ, badge), pass_fds=(*descriptors, theirs.fileno())
                )
        except OSError:
            ours.close()
            raise
    return WorkerProcess(process, ours)


def environment_for(ours: Mapping[str, str], badge: Badge) -> dict[str, str]:
    """Return a worker's environment: ours, with its badge and without what systemd meant for us alone."""
    kept = {name: value for name, value in ours.items() if name not in _NOT_INHERITED}
    return kept | {VARIABLE: badge.as_text()}
