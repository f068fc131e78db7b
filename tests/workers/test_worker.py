import asyncio
import os
import resource
import signal
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from portico.errors import UsageError
from portico.workers.channel import Inbox, Message
from portico.workers.process import VARIABLE, Badge
from portico.workers.worker import WorkerLink, resident_bytes


class Pair(NamedTuple):
    """A worker's link and the supervisor's end of it. listener: a socket that the worker inherits."""

    supervisor: socket.socket
    link: WorkerLink
    listener: socket.socket


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A link in this process, whose signals are put back in the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {VARIABLE: Badge(theirs.detach(), (os.dup(listener.fileno()),), 3, 8).as_text(), "LANG": "C"}
        link = WorkerLink.from_environment(environ)
        assert link is not None
        assert environ == {"LANG": "C"}
        [inherited] = link.sockets()
        with inherited:
            assert inherited.getsockname() == listener.getsockname()
            assert not inherited.getblocking()
            assert not inherited.get_inheritable()
            yield Pair(ours, link, listener)
        link.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def said(sock: socket.socket, count: int) -> list[Message]:
    """Read so many messages."""
    inbox = Inbox()
    messages: list[Message] = []
    while len(messages) < count:
        messages += inbox.feed(sock.recv(65536))
    return messages


def test_without_a_badge_this_is_no_worker() -> None:
    assert WorkerLink.from_environment({}) is None


def test_a_wrong_badge_is_said_so() -> None:
    with pytest.raises(UsageError, match="is no worker's badge"):
        WorkerLink.from_environment({VARIABLE: "1"})


def test_a_life(pair: Pair) -> None:
    supervisor, link, _ = pair
    assert (link.number, link.generation) == (3, 8)
    link.ready()
    link.draining()
    link.finished(2)
    assert said(supervisor, 3) == [{"is": "ready"}, {"is": "draining"}, {"is": "finished", "cut": 2}]
    link.close()
    assert supervisor.recv(1) == b""


def test_a_failure_is_cut_to_a_page(pair: Pair) -> None:
    pair.link.failed("x" * 100_000)
    assert said(pair.supervisor, 1) == [{"is": "failed", "reason": "x" * 16_384}]


def test_a_beat_carries_figures_and_memory(pair: Pair) -> None:
    async def scenario() -> None:
        pair.link.beat_with(lambda: {"requests": 7})
        pair.link.close()

    asyncio.run(scenario())
    [beat] = said(pair.supervisor, 1)
    assert beat["stats"] == {"requests": 7}
    assert beat["memory"] > 1_000_000


def test_a_supervisor_that_does_not_read_blocks_nothing(pair: Pair) -> None:
    supervisor, link, _ = pair
    beats: list[int] = []

    def stats() -> dict[str, str]:
        beats.append(1)
        return {"big": "x" * 100_000}

    async def scenario() -> list[Message]:
        for _ in range(50):
            link.beat_with(stats)
        link.draining()
        reading = asyncio.get_running_loop().run_in_executor(None, said, supervisor, len(beats) + 2)
        link.finished(0)
        link.close()
        return await reading

    kinds = [message["is"] for message in asyncio.run(scenario())]
    assert 0 < len(beats) < 50  # the others were left out
    assert kinds == ["beat"] * len(beats) + ["draining", "finished"]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, "drain"), (signal.SIGQUIT, "cut")])
def test_signals_of_the_supervisor(pair: Pair, number: int, expected: str) -> None:
    async def scenario() -> str:
        heard: asyncio.Queue[str] = asyncio.Queue()
        pair.link.watch(lambda: heard.put_nowait("drain"), lambda: heard.put_nowait("cut"))
        os.kill(os.getpid(), number)
        async with asyncio.timeout(10):
            word = await heard.get()
        pair.link.close()
        return word

    assert asyncio.run(scenario()) == expected


@pytest.mark.parametrize("is_unread", [False, True])
def test_the_supervisors_death_drains(pair: Pair, is_unread: bool) -> None:
    async def scenario() -> None:
        told = asyncio.Event()
        pair.link.watch(told.set, told.set)
        if is_unread:
            pair.link.ready()  # never read, so that the channel is reset rather than ended
        pair.supervisor.close()
        async with asyncio.timeout(10):
            await told.wait()

    asyncio.run(scenario())
    pair.link.draining()
    pair.link.finished(0)


def test_a_closed_link_hears_nothing(pair: Pair) -> None:
    async def scenario() -> bool:
        told = asyncio.Event()
        pair.link.watch(told.set, told.set)
        pair.link.close()
        pair.supervisor.close()
        await asyncio.sleep(0)
        return told.is_set()

    assert not asyncio.run(scenario())


def test_what_the_supervisor_writes_is_read_and_means_nothing(pair: Pair) -> None:
    async def scenario() -> None:
        told = asyncio.Event()
        pair.link.watch(told.set, told.set)
        pair.supervisor.sendall(b"x" * 5000)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not told.is_set()
        pair.supervisor.close()
        async with asyncio.timeout(10):
            await told.wait()

    asyncio.run(scenario())


def test_the_terminals_signals_are_nothing_to_a_worker(pair: Pair) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGHUP)
    pair.link.ready()
    assert said(pair.supervisor, 1) == [{"is": "ready"}]


def test_memory_is_this_processes() -> None:
    assert 1_000_000 < resident_bytes("/no/proc") <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 1_000_000 < resident_bytes() <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 * 2
