"""Memory of idle connections: each asks once, gets its answer, and stays."""

import resource
import selectors
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.process import Running, StartFailed, serving
from bench.questions import Question, get, say_line
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What each connection asks before it idles. least: bytes of the answer; question: shows that the server is up."""

    app: str
    request: Callable[[Running], bytes]
    least: int
    question: Callable[[Server], Question]


def request_file(running: Running) -> bytes:
    return f"GET {running.server.prefix}/1k.bin HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n\r\n".encode()


FILE = Asked("", request_file, 1024, lambda server: get(server.prefix + "/1k.bin"))
ECHO = Asked("echo", lambda running: b"x" * 64, 64, lambda server: say_line)


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


def measure_idle(running: Running, count: int, asked: Asked) -> Idle:
    """Open `count` connections that ask once and idle; return what they cost."""
    request, least = asked.request(running), asked.least
    with ExitStack() as stack:
        first = [stack.enter_context(dial(running.port, count)) for _ in range(20)]
        ask(first, request, least)
        ask(first, request, least)  # a server that keeps no connection ends here
        before = running.memory().resident
        held: list[socket.socket] = []
        while len(held) < count - len(first):
            size = min(BATCH, count - len(first) - len(held))
            batch = [stack.enter_context(dial(running.port, len(held) + i)) for i in range(size)]
            ask(batch, request, least)
            held += batch
        ask(held[:: max(1, len(held) // 100)], request, least)  # they are kept, not only accepted
        return Idle(len(held), (running.memory().resident - before) / len(held))


def run_idle(servers: Iterable[Server], site: Path, work: Path) -> tuple[dict[str, Idle], dict[str, str]]:
    """Measure every server of files; return the results, and for those without one the reason."""
    return run(servers, FILE, site, work)


def run_idle_echoes(servers: Iterable[Server], site: Path, work: Path) -> tuple[dict[str, Idle], dict[str, str]]:
    """Measure every server of echoes likewise."""
    return run(servers, ECHO, site, work)


def run(servers: Iterable[Server], asked: Asked, site: Path, work: Path) -> tuple[dict[str, Idle], dict[str, str]]:
    count = min(CONNECTIONS, raise_file_limit() - 200)
    found: dict[str, Idle] = {}
    absent: dict[str, str] = {}
    for server in servers:
        try:
            place = place_for(server, site, work, app=asked.app)
            with serving(server, place, asked.question(server)) as running:
                found[server.name] = measure_idle(running, count, asked)
            say(f"  idle        {server.name:<12} {found[server.name].bytes_each / 1024:.2f} KiB a connection")
        except (StartFailed, OSError) as exc:
            absent[server.name] = str(exc)
            say(f"  idle        {server.name}: {exc}")
    return found, absent
