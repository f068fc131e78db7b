"""A process without a descriptor left tells so once, and accepts again when it has one."""

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portico.server.shortage import Shortage

SAID = "new connections have to wait: too many open files; raise the limit (ulimit -n), or lower --max-connections"


class Greeter(asyncio.Protocol):
    """Lets the peer know that it was accepted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@contextmanager
def starved() -> Iterator[None]:
    """Allow no more files than are open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Clock:
    """Seconds that only we move."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.SelectorEventLoop()
    yield loop
    loop.close()


def test_who_connects_meanwhile_is_accepted_later(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.set_exception_handler(Shortage())
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        peer.setblocking(False)
        with starved():
            server = loop.run_until_complete(loop.create_server(Greeter, sock=listener, backlog=4))
            loop.run_until_complete(asyncio.sleep(0))  # the turn in which it tries; it does again a second later
            assert [record.getMessage() for record in caplog.records] == [SAID]
        assert loop.run_until_complete(loop.sock_recv(peer, 9)) == b"hello"
        server.close()


def complain(loop: asyncio.AbstractEventLoop, message: str, exc: Exception | None = None) -> None:
    context = {"message": message} if exc is None else {"message": message, "exception": exc}
    loop.call_exception_handler(context)


def test_it_is_told_once_a_minute(loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    loop.set_exception_handler(Shortage(clock))
    told = []
    for passed_s in (0, 59, 1, 59.5, 120):
        clock.now_s += passed_s
        complain(loop, "socket.accept() out of system resource", OSError(24, "Too many open files"))
        told.append(len(caplog.records))
    assert told == [1, 1, 2, 2, 3]
    assert caplog.records[0].levelno == logging.ERROR
    clock.now_s += 60
    complain(loop, "socket.accept() out of system resource")
    assert "wait: out of resources;" in caplog.records[-1].getMessage()


def test_other_failures_are_told_as_the_loop_does(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    def _start_serving(failure: Exception) -> None:
        raise failure

    loop.set_exception_handler(Shortage())
    for failure in (ValueError("Invalid file descriptor: -1"), OSError("something else")):
        loop.call_soon(_start_serving, failure)
        loop.run_until_complete(asyncio.sleep(0))
    complain(loop, "something is wrong")
    # The first is an attempt that came after the end.
    assert [record.name for record in caplog.records] == ["asyncio"] * 2
    assert "_start_serving" in caplog.text
    assert "something is wrong" in caplog.text
    assert "Invalid file descriptor" not in caplog.text
