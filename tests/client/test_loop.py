import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from portico.client.loop import LoopNetwork
from portico.client.network import Line
from portico.errors import Gone, Refused
from portico.net.addresses import Address

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param  # type: ignore[no-any-return]


def on_line(run: Run, work: Callable[[Line, socket.socket], Coroutine[Any, Any, None]]) -> None:
    """Work with a line and the socket at its other end: one of a unix socket, where what is full stays full."""

    async def all_of_it() -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{folder}/s")
            listening.listen()
            line = await LoopNetwork().connect(Address("unix", path=f"{folder}/s"), 5)
            there, _ = listening.accept()
            with there:
                await work(line, there)
            line.close()

    run(all_of_it())


def test_bytes_go_both_ways(run: Run) -> None:
    async def work(line: Line, there: socket.socket) -> None:
        assert await line.push(memoryview(b"question"), 1) == 8
        assert there.recv(100) == b"question"
        asyncio.get_running_loop().call_later(0.01, there.sendall, b"answer")
        assert await line.receive(10, 5) == b"answer"

    on_line(run, work)


def test_silence_is_waited_for_only_so_long(run: Run) -> None:
    async def work(line: Line, there: socket.socket) -> None:
        assert not await line.is_heard(0.001)
        with pytest.raises(Gone, match=r"sent nothing for 0\.001 s"):
            await line.receive(10, 0.001)

    on_line(run, work)


def test_whoever_speaks_before_taking_more_is_listened_to(run: Run) -> None:
    async def work(line: Line, there: socket.socket) -> None:
        with pytest.raises(Gone, match=r"took nothing of what was sent for 0\.05 s"):
            await push_on(line)
        asyncio.get_running_loop().call_later(0.01, there.sendall, b"stop")
        assert await line.push(memoryview(b"x"), 5) == 0
        assert line.receive_now(10) == b"stop"
        asyncio.get_running_loop().call_later(0.01, drain, there)
        assert await line.push(memoryview(b"x"), 5) == 1

    on_line(run, work)


async def push_on(line: Line) -> None:
    while True:
        await line.push(memoryview(b"x" * 1_000_000), 0.05)


def drain(there: socket.socket) -> None:
    there.setblocking(False)
    try:
        while there.recv(1_000_000):
            pass
    except BlockingIOError:
        pass


def test_a_wait_that_is_cancelled_leaves_no_watch(run: Run) -> None:
    async def work(line: Line, there: socket.socket) -> None:
        for _ in range(2):
            task = asyncio.ensure_future(line.receive(10, 60))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        there.sendall(b"x")
        assert await line.receive(10, 5) == b"x"

    on_line(run, work)


def test_a_line_may_be_closed_by_another_task(run: Run) -> None:
    async def work(line: Line, there: socket.socket) -> None:
        task = asyncio.ensure_future(line.receive(10, 0.05))
        await asyncio.sleep(0)
        line.close()
        with pytest.raises(Gone):
            await task

    on_line(run, work)


def test_nobody_listens(run: Run) -> None:
    async def work() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            address = Address("tcp", host="127.0.0.1", port=sock.getsockname()[1])
            with pytest.raises(Refused, match="nothing listens"):
                await LoopNetwork().connect(address, 5)

    run(work())


def test_a_turnstile_lets_so_many_in(run: Run) -> None:
    async def work() -> None:
        turnstile = LoopNetwork().turnstile(2)
        assert [await turnstile.enter(0.001) for _ in range(3)] == [True, True, False]
        asyncio.get_running_loop().call_later(0.01, turnstile.leave)
        assert await turnstile.enter(5)

    run(work())


@pytest.mark.parametrize("failure", [None, OSError("a full disk")])
def test_whoever_is_cancelled_waits_for_what_a_thread_does(run: Run, failure: OSError | None) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()
        if failure is not None:
            raise failure

    async def work() -> None:
        task = asyncio.ensure_future(LoopNetwork().call(write))
        assert await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    run(work())


def test_what_waits_for_a_disk_is_called_elsewhere(run: Run) -> None:
    async def work() -> None:
        assert await LoopNetwork().call(threading.get_ident) != threading.get_ident()

    run(work())
