"""Sockets that systemd opened for us: LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES in, named sockets out.

sd_listen_fds(3): they are the descriptors from 3 on. The variables are taken out of the environment, so that what this
process starts does not take them for its own.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final, NamedTuple

from portico.errors import ConfigError, UsageError, excerpt
from portico.net.addresses import Address
from portico.net.listening import listen

FIRST_DESCRIPTOR: Final = 3
_MOST: Final = 1024
_VARIABLES: Final = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


class Activated(NamedTuple):
    """A socket from systemd. name: its FileDescriptorName=, by default the name of the socket unit; "" for none."""

    name: str
    socket: socket.socket


def activated_sockets(
    environ: MutableMapping[str, str] = os.environ, *, pid: int | None = None, first: int = FIRST_DESCRIPTOR
) -> list[Activated]:
    """Take over what systemd passed, once: the variables are gone afterwards.

    pid: of this process, unless given. first: the first descriptor.
    Returns non-blocking listening sockets, in systemd's order; none where nothing was passed, or to another process.
    Raises ConfigError for what is no listening stream socket, and for variables that make no sense.
    """
    count, for_pid, names, _ = [environ.pop(name, "") for name in _VARIABLES]
    if not count or for_pid != str(os.getpid() if pid is None else pid):
        return []
    if not (count.isascii() and count.isdigit() and len(count) < 5 and int(count) <= _MOST):
        raise ConfigError(f"LISTEN_FDS={excerpt(count)} is not a number up to {_MOST}")
    named = [*names.split(":"), *[""] * int(count)]
    numbers = range(first, first + int(count))
    return [
        Activated(name, listen(Address("fd", number=number))[0]) for number, name in zip(numbers, named, strict=False)
    ]


def sockets_named(activated: list[Activated], name: str) -> list[socket.socket]:
    """Return those of one name. Raises UsageError, with the names there are, where there is none."""
    found = [entry.socket for entry in activated if entry.name == name]
    if not found:
        there = ", ".join(dict.fromkeys(entry.name for entry in activated)) or "none at all"
        raise UsageError(f"systemd passed no socket called {excerpt(name)}; it passed {there}")
    return found
