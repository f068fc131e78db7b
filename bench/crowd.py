"""Thousands of clients at once of a service that greets: all are connected before any of them reads.

Then each reads until the server has ended its side, and must have got the text whole.
"""

import select
import socket
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from errno import EINPROGRESS

from bench.process import CLIENT_CORES, Running, StartFailed, on_cores
from bench.talk import PER_ADDRESS

LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """One crowd. connected_s: until the last was connected; served_s: until the last had its text and the end.

    failures: what went wrong to how often; peak: bytes that the server's processes held at most since they started.
    """

    clients: int
    connected_s: float
    served_s: float
    cpu_s: float
    peak: int
    failures: Counter[str]


def begin_connecting(port: int, number: int) -> socket.socket:
    """Set out to connect as client `number`, each `PER_ADDRESS` of them from an address of their own."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.bind((f"127.0.1.{1 + number // PER_ADDRESS}", 0))
    if (error := connection.connect_ex(("127.0.0.1", port))) not in (0, EINPROGRESS):
        connection.close()
        raise OSError(error, "cannot connect")
    return connection


def wait_for(connections: dict[int, socket.socket], event: int, end: float) -> list[socket.socket]:
    """Return those on which nothing happened before the time `end`."""
    missing = dict(connections)
    with select.epoll() as poll:
        for connection in connections.values():
            poll.register(connection, event)
        while missing and (left := end - time.monotonic()) > 0:
            for number, _ in poll.poll(left):
                poll.unregister(number)
                del missing[number]
    return list(missing.values())


def read_all(connections: dict[int, socket.socket], expected: bytes, end: float) -> Counter[str]:
    """Read each until its end; return what went wrong, and how often."""
    failures: Counter[str] = Counter()
    received = dict.fromkeys(connections, b"")
    with select.epoll() as poll:
        for connection in connections.values():
            poll.register(connection, select.EPOLLIN)
        while received and (left := end - time.monotonic()) > 0:
            for number, _ in poll.poll(left):
                try:
                    piece = connections[number].recv(4096)
                except OSError as exc:
                    failures[type(exc).__name__] += 1
                else:
                    received[number] += piece
                    if piece:
                        continue
                    failures["another text"] += received[number] != expected
                poll.unregister(number)
                del received[number]
    failures.update("no end" if text else "silence" for text in received.values())
    return +failures


def gather(running: Running, clients: int, expected: bytes) -> Crowd:
    """Connect so many clients, then let all of them read. Raises StartFailed when some cannot connect in time."""
    end = time.monotonic() + LIMIT_S
    with ExitStack() as stack:
        stack.enter_context(on_cores(CLIENT_CORES))
        before, begin = running.cpu_s(), time.monotonic()
        opened = [stack.enter_context(begin_connecting(running.port, number)) for number in range(clients)]
        connections = {connection.fileno(): connection for connection in opened}
        late = wait_for(connections, select.EPOLLOUT, end)
        if late:
            raise StartFailed(f"{len(late)} of {clients} clients were not connected after {LIMIT_S:g} s")
        connected = time.monotonic()
        failures = read_all(connections, expected, end)
        served = time.monotonic()
        used, peak = running.cpu_s() - before, running.peak()
    return Crowd(clients, connected - begin, served - begin, used, peak, failures)
