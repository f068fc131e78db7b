"""A crowd against a server in a thread, and against ones that cut, alter or withhold the text."""

import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.crowd import gather, read_all
from bench.process import Running
from bench.service_servers import GREETERS, GREETING

TEXT = f"{GREETING}\n".encode()
WAITING = [sys.executable, "-c", "import sys; sys.stdin.read()"]  # whose CPU time is asked for


def greet(connection: socket.socket) -> None:
    connection.sendall(TEXT)
    connection.close()


def cut(connection: socket.socket) -> None:
    connection.sendall(TEXT[:-1])
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def serving(serve: Callable[[socket.socket], None], clients: int) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0), backlog=clients) as server:

        def accept() -> None:
            for _ in range(clients):
                serve(server.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        with subprocess.Popen(WAITING, stdin=subprocess.PIPE) as process:
            yield Running(GREETERS[0], process, server.getsockname()[1])
        thread.join()


@pytest.mark.parametrize(
    ("serve", "failures"),
    [(greet, {}), (cut, {"another text": 600}), (reset, {"ConnectionResetError": 600})],
)
def test_every_client_counts(serve: Callable[[socket.socket], None], failures: dict[str, int]) -> None:
    with serving(serve, 600) as running:
        crowd = gather(running, 600, TEXT)
    assert crowd.failures == Counter(failures)
    assert crowd.clients == 600
    assert crowd.peak > 1 << 20
    assert 0 < crowd.connected_s <= crowd.served_s


def test_a_server_that_does_not_hang_up_is_noticed_and_one_that_says_nothing_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert read_all({ours.fileno(): ours}, TEXT, time.monotonic() + 0.01) == Counter({"silence": 1})
        theirs.sendall(TEXT)
        assert read_all({ours.fileno(): ours}, TEXT, time.monotonic() + 0.1) == Counter({"no end": 1})
