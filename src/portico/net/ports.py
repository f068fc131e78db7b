"""Who holds a port: a port number in, the name and pid of a process out, from Linux's /proc.

/proc/net/{tcp,udp}{,6} map a port to the inode of a socket, /proc/PID/fd maps an inode to a process. A process of
another user, or in another container, shows its port and hides its descriptors: then nothing is known. Nothing here
raises, because it serves to explain an error that has happened already.
"""

import os
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

_TABLES: Final = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_LISTENING: Final = "0A"  # TCP_LISTEN in Linux's include/net/tcp_states.h
_NAME_LENGTH: Final = 40


class Holder(NamedTuple):
    """A process that holds a port. name: its command, printable. pid: its number."""

    name: str
    pid: int

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def holder(port: int, kind: Literal["tcp", "udp"] = "tcp", *, proc: str = "/proc") -> Holder | None:
    """Find the process that holds a port of this machine; one that listens goes before one that is connected.

    proc: where the process file system is mounted.
    Returns the lowest pid where several share the socket (a supervisor before its workers), or None where nobody
    holds the port, it cannot be known, or the system has no /proc.
    """
    rows = [row for table in _TABLES[kind] for row in _rows(f"{proc}/net/{table}", port)]
    inodes = {inode for state, inode in rows if state == _LISTENING} or {inode for _, inode in rows}
    return _owner({f"socket:[{inode}]" for inode in inodes - {"0"}}, proc) if rows else None


def _rows(path: str, port: int) -> Iterator[tuple[str, str]]:
    """Yield the state and the inode of each socket at a local port."""
    suffix = f":{port:04X}"
    try:
        with open(path, encoding="ascii", errors="replace") as table:
            for line in table:
                columns = line.split()
                if len(columns) > 9 and columns[1].endswith(suffix):
                    yield columns[3], columns[9]
    except OSError:
        return


def _owner(links: set[str], proc: str) -> Holder | None:
    try:
        pids = sorted(int(name) for name in os.listdir(proc) if name.isdecimal())
    except OSError:
        return None
    for pid in pids:
        if any(link in links for link in _links(f"{proc}/{pid}/fd")):
            return Holder(_name(f"{proc}/{pid}/comm"), pid)
    return None


def _links(folder: str) -> Iterator[str]:
    """Yield what each open descriptor of a process stands for; nothing where that may not be read."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:  # closed meanwhile
            continue


def _name(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as comm:
            name = comm.read(_NAME_LENGTH).rstrip("\n")
    except OSError:
        name = ""
    # A process may call itself anything, control characters included.
    return "".join(letter if letter.isprintable() else "?" for letter in name) or "a process"
