import os
import socket
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from portico.workers.events import Kind
from portico.workers.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The other end: a datagram socket with a file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


@pytest.fixture
def notifier(systemd: socket.socket) -> Iterator[Notifier]:
    """A notifier with a watchdog of 10 s."""
    made = Notifier.from_environment({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "10000000"})
    yield made
    made.close()


def test_a_life(systemd: socket.socket, notifier: Notifier) -> None:
    notifier.ready()
    assert systemd.recv(999) == b"READY=1"
    notifier.ready("2 workers")
    assert systemd.recv(999) == b"READY=1\nSTATUS=2 workers"
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    first, second = systemd.recv(999).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.stopping()
    assert systemd.recv(999) == b"STOPPING=1"


def test_the_watchdog_is_fed_twice_in_its_time(systemd: socket.socket, notifier: Notifier) -> None:
    assert notifier.interval_s == 5
    for now_s in (100, 104.9, 105, 109, 112):
        notifier.beat(now_s)
    notifier.ready()
    assert [systemd.recv(999) for _ in range(4)] == [b"WATCHDOG=1"] * 3 + [b"READY=1"]


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, inf),
        ({"WATCHDOG_USEC": "0"}, inf),
        ({"WATCHDOG_USEC": "soon"}, inf),
        ({"WATCHDOG_USEC": "٣"}, inf),
        ({}, inf),
    ],
)
def test_whose_watchdog_it_is(systemd: socket.socket, environ: dict[str, str], interval_s: float) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": systemd.getsockname(), **environ})
    assert notifier.interval_s == interval_s
    notifier.close()
    assert notifier.interval_s == inf


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000", **environ})
    notifier.ready()
    notifier.beat(1)
    notifier.close()
    assert notifier.interval_s == inf


def test_an_abstract_name() -> None:
    name = f"portico-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(10)
        notifier = Notifier(f"@{name}")
        notifier.stopping()
        assert sock.recv(999) == b"STOPPING=1"
        notifier.close()


def test_a_socket_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.close()


def test_what_a_supervisor_has_to_tell(systemd: socket.socket, notifier: Notifier) -> None:
    said = []
    for kind in (Kind.STARTED, Kind.READY, Kind.RELOADING, Kind.READY, Kind.RELOADED, Kind.READY, Kind.STOPPING):
        notifier.tell(kind, 2)
        notifier.send(f"X={kind.value}")
        while not (line := systemd.recv(999).decode().split("\n")[0]).startswith("X="):
            said.append((kind, line))
    assert said == [
        (Kind.READY, "READY=1"),
        (Kind.RELOADING, "RELOADING=1"),
        (Kind.RELOADED, "READY=1"),
        (Kind.READY, "READY=1"),
        (Kind.STOPPING, "STOPPING=1"),
    ]
