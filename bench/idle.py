"""Memory of idle keep-alive connections: each asks once, gets its answer, and stays."""

import resource
import selectors
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.process import Running, StartFailed, serving
from bench.rounds import place_for, say
from bench.servers import Server
from bench.talk import dial

CONNECTIONS = 10_000
BATCH = 200


@dataclass(frozen=True, slots=True)
class Idle:
    """What idle connections cost one server. bytes_each: of resident memory; connections: how many there were."""

    connections: int
    bytes_each: float


def raise_file_limit() -> int:
    """Let this process, and what it starts, open as many files as the system allows; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def ask(connections: list[socket.socket], request: bytes, least: int) -> None:
    """Send a request on every connection and read each answer whole. Raises StartFailed when one hangs up."""
    missing = dict.fromkeys(connections, least)
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        while missing:
            events = selector.select(20)
            if not events:
                raise StartFailed(f"{len(missing)} of {len(connections)} connections got no answer")
            for key, _ in events:
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65536)
                if not data:
                    raise StartFailed("connections are closed, not kept")
                missing[key.fileobj] -= len(data)
                if missing[key.fileobj] <= 0:
                    selector.unregister(key.fileobj)
                    del missing[key.fileobj]


def measure_idle(running: Running, count: int) -> Idle:
    """Open `count` connections that ask once and idle; return what they cost."""
    path = f"{running.server.prefix}/1k.bin"
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n\r\n".encode()
    with ExitStack() as stack:
        first = [stack.enter_context(dial(running.port, count)) for _ in range(20)]
        ask(first, request, 1024)
        ask(first, request, 1024)  # a server that keeps no connection ends here
        before = running.memory().resident
        held: list[socket.socket] = []
        while len(held) < count - len(first):
            size = min(BATCH, count - len(first) - len(held))
            batch = [stack.enter_context(dial(running.port, len(held) + i)) for i in range(size)]
            ask(batch, request, 1024)
            held += batch
        ask(held[:: max(1, len(held) // 100)], request, 1024)  # they are kept, not only accepted
        return Idle(len(held), (running.memory().resident - before) / len(held))


def run_idle(servers: Iterable[Server], site: Path, work: Path) -> tuple[dict[str, Idle], dict[str, str]]:
    """Measure every server; return the results, and for those without one the reason."""
    count = min(CONNECTIONS, raise_file_limit() - 200)
    found: dict[str, Idle] = {}
    absent: dict[str, str] = {}
    for server in servers:
        try:
            with serving(server, place_for(server, site, work), "/1k.bin") as running:
                found[server.name] = measure_idle(running, count)
            say(f"  idle        {server.name:<12} {found[server.name].bytes_each / 1024:.2f} KiB a connection")
        except (StartFailed, OSError) as exc:
            absent[server.name] = str(exc)
            say(f"  idle        {server.name}: {exc}")
    return found, absent
