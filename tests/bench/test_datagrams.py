"""What the UDP clients send, and how they judge a time service: a real one, and ones that are wrong."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
from bench.cases import SERVICES, Case
from bench.datagrams import ask, probe, requests
from bench.process import Running
from bench.sample import NotServed
from bench.service_servers import CLOCKS

SAME, NEW = SERVICES[:2]
WAITING = [sys.executable, "-c", "import sys; sys.stdin.read()"]  # whose CPU time is asked for


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[Running]:
    """Run a UDP service in a thread; an empty datagram to it from itself ends it."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                datagram, peer = server.recvfrom(65_535)
                if peer == server.getsockname():
                    return
                if (said := answer(datagram)) is not None:
                    server.sendto(said, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with subprocess.Popen(WAITING, stdin=subprocess.PIPE) as process:
                yield Running(CLOCKS[0], process, server.getsockname()[1])
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


def clock(datagram: bytes) -> bytes:
    return time.strftime(datagram.decode() or "%Y-%m-%d %X").encode()


def test_the_same_format_each_time() -> None:
    assert set(islice(requests(SAME), 5)) == {b"%Y-%m-%d %X"}


def test_formats_that_are_new_each_time_and_of_one_size() -> None:
    sent = list(islice(requests(NEW), 1_000))
    assert len(set(sent)) == 1_000
    assert len({len(each) for each in sent}) == 1


@pytest.mark.parametrize("case", [SAME, NEW])
def test_a_time_service_is_one(case: Case) -> None:
    with answering(clock) as running:
        probe(case, running)


@pytest.mark.parametrize("answer", [lambda datagram: b"late", lambda datagram: b"", lambda datagram: datagram])
def test_what_does_not_tell_the_time_is_none(answer: Callable[[bytes], bytes]) -> None:
    with answering(answer) as running, pytest.raises(NotServed, match="came back for"):
        probe(SAME, running)


def test_an_answer_that_is_lost_is_an_error_and_asked_for_again() -> None:
    heard = 0

    def forgetful(datagram: bytes) -> bytes | None:
        nonlocal heard
        heard += 1
        return None if heard <= SAME.connections else clock(datagram)

    with answering(forgetful) as running:
        answered = ask(SAME, running, 0.5)
    assert answered.errors >= SAME.connections
    assert answered.requests > 0


def test_a_server_that_is_silent_is_no_measurement() -> None:
    with answering(lambda datagram: None) as running, pytest.raises(NotServed, match="not one answer"):
        ask(SAME, running, 0.1)


def test_the_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with answering(clock) as running:
        ask(SAME, running, 0.01)
    assert os.sched_getaffinity(0) == before
