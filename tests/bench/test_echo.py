"""What counts as an echo: a server in a thread that sends back what came, or something else."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from subprocess import PIPE, Popen

import pytest
from bench.cases import SERVICES
from bench.echo import block_of, echo, probe
from bench.process import Running
from bench.sample import NotServed
from bench.service_servers import ECHOES

SMALL, LARGE = SERVICES[2:]


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[Running]:
    """Run an echo of sorts, a thread for each connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server, Popen(["cat"], stdin=PIPE) as process:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(ConnectionError):  # a client that has enough leaves in the middle
                while data := connection.recv(1 << 16):
                    connection.sendall(answer(data))

        def accept() -> None:
            while True:
                connection, peer = server.accept()
                if peer[0] == "127.0.0.1":  # clients of the benchmark come from other addresses
                    return connection.close()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield Running(ECHOES[0], process, server.getsockname()[1])
        finally:
            socket.create_connection(server.getsockname()).close()
            for thread in threads:
                thread.join()


def test_an_echo_is_one_whatever_the_size() -> None:
    with answering(bytes) as running:
        for case in (SMALL, LARGE):
            probe(case, running)


@pytest.mark.parametrize("answer", [lambda data: bytes(len(data)), lambda data: data[::-1], lambda data: data + b"!"])
def test_what_alters_the_bytes_is_none(answer: Callable[[bytes], bytes]) -> None:
    with answering(answer) as running, pytest.raises(NotServed, match="came back for 64"):
        probe(SMALL, running)


def test_every_message_counts_with_its_bytes() -> None:
    with answering(bytes) as running:
        answered = echo(SMALL, running, 0.1)
    assert answered.requests > 0
    assert answered.body == answered.requests * 64


def test_blocks_have_every_byte_there_is() -> None:
    assert len(block_of(LARGE)) == 65_536
    assert len(set(block_of(LARGE))) == 256
