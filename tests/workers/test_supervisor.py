import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workers.crew import DEADLINE_S, TINY, children, crew, descriptors

from portico.settings import Processes
from portico.workers.events import Kind
from portico.workers.fleet import Phase


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Whatever a test does: no zombie, no orphan, no descriptor, no signal handler stays behind."""
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)]
    others, before = children(), descriptors()
    yield
    assert children() <= others
    assert descriptors() == before
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)] == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_start_serve_and_stop(tmp_path: Path, number: int) -> None:
    others = children()

    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=2)) as c:
            await c.all_ready(2)
            assert c.supervisor.is_ready
            assert (await c.ask())["number"] in (1, 2)
            states = c.supervisor.states()
            assert [(s.number, s.phase, s.generation) for s in states] == [(1, Phase.READY, 1), (2, Phase.READY, 1)]
            assert {s.pid for s in states} == children() - others
            c.signal(number)
            assert await c.end() == 0
            assert not c.supervisor.is_ready
            assert c.events[-1].kind is Kind.STOPPING

    asyncio.run(scenario())


def test_a_worker_knows_its_own_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            answer = await c.ask()
            assert answer["environ"] == []
            # Standard streams, the listener, the channel, and what the loop and this connection take.
            assert len(answer["descriptors"]) <= 3 + 2 + 5

    asyncio.run(scenario())


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            first = await c.ask()
            assert await c.ask("die") == {}
            lost = await c.event(Kind.LOST)
            assert (lost.number, lost.pid, lost.reason) == (1, first["pid"], "SIGKILL")
            second = await c.ask()  # has waited in the kernel's queue
            assert second["pid"] != first["pid"]

    asyncio.run(scenario())


def test_a_worker_that_leaves_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            await c.ask("leave")
            assert (await c.event(Kind.LOST)).reason == "exit code 7"
            await c.all_ready(1)

    asyncio.run(scenario())


def test_a_reload_replaces_all_and_loses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=2)) as c:
            await c.all_ready(2)
            held = await c.line()
            before = await held.ask("hold")
            c.write(version=2)
            c.signal(signal.SIGHUP)
            assert (await c.event(Kind.RELOADED)).amount == 2
            await c.until(lambda answer: answer["version"] == 2)
            assert (await held.ask("go"))["pid"] == before["pid"]  # is still served by the worker of before
            held.close()
            assert all(state.generation == 2 for state in c.supervisor.states() if state.phase is Phase.READY)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"failed": "no module named 'man'"}, "no module named 'man'"),
        ({"raises": ""}, "exit code 1"),
        ({"hangs": True}, "not ready within 1.5 s; --start-timeout allows more"),
    ],
)
def test_code_that_does_not_start_is_rolled_back(tmp_path: Path, plan: dict[str, object], reason: str) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=2, start_timeout=1.5)) as c:
            await c.all_ready(2)
            before = {state.pid for state in c.supervisor.states()}
            c.write(**plan)
            c.supervisor.reload("a test")
            assert (await c.event(Kind.FAILED)).reason == reason
            await c.event(Kind.ROLLED_BACK)
            assert {state.pid for state in c.supervisor.states()} == before
            assert (await c.ask())["pid"] in before

    asyncio.run(scenario())


def test_a_first_start_that_fails_gives_up_and_says_why_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=3), plan={"failed": "no such thing"}) as c:
            assert await c.end() == 3
            assert [event.reason for event in c.events if event.kind is Kind.FAILED] == ["no such thing"]
            assert c.events[-1].kind is Kind.GAVE_UP

    asyncio.run(scenario())


def test_while_developing_a_failed_start_waits_for_a_change(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(reload=True), plan={"failed": "a typo"}) as c:
            await c.event(Kind.WAITING)
            c.write(version=2)
            c.supervisor.reload("app.py")
            await c.event(Kind.RELOADED)
            assert (await c.ask())["version"] == 2

    asyncio.run(scenario())


def test_workers_come_and_go_on_demand(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            c.signal(signal.SIGTTIN)
            assert (await c.event(Kind.RESIZED)).amount == 2
            await c.all_ready(1)
            await c.until(lambda answer: answer["number"] == 2)
            c.signal(signal.SIGTTOU)
            assert (await c.event(Kind.RESIZED)).amount == 1
            await c.until(lambda answer: answer["number"] == 1)

    asyncio.run(scenario())


def test_a_worker_is_recycled_without_a_gap(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1, recycle_requests=3)) as c:
            await c.all_ready(1)
            first = {(await c.ask())["pid"] for _ in range(4)}
            assert (await c.event(Kind.RECYCLED)).reason == "4 requests"
            await c.all_ready(1)
            await c.until(lambda answer: answer["pid"] not in first)

    asyncio.run(scenario())


def test_a_stuck_worker_shows_its_stacks_and_is_replaced(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1, stuck_timeout=1.5)) as c:
            await c.all_ready(1)
            before = await c.ask()
            await c.ask("stick")
            stuck = await c.event(Kind.STUCK)
            assert (stuck.pid, stuck.reason) == (before["pid"], "1.5 s")
            await c.all_ready(1)
            assert (await c.ask())["pid"] != before["pid"]

    asyncio.run(scenario())
    assert "tiny.py" in capfd.readouterr().err


def test_who_does_not_drain_in_time_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1), drain_s=0.0, plan={"deaf": True}) as c:
            await c.all_ready(1)
            c.supervisor.stop()
            await c.event(Kind.KILLED)
            assert await c.end() == 0

    asyncio.run(scenario())


def test_a_second_interrupt_cuts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1), plan={"deaf": True}) as c:
            await c.all_ready(1)
            c.signal(signal.SIGINT)
            await c.event(Kind.STOPPING)
            c.signal(signal.SIGINT)
            assert await c.end() == 130

    asyncio.run(scenario())


def test_wishes_after_the_end_has_begun_mean_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            line = await c.line()
            await line.ask("hold")
            for _ in range(2):
                c.supervisor.stop()
            await c.event(Kind.STOPPING)
            c.supervisor.reload("too late")
            c.signal(signal.SIGTTIN)
            c.signal(signal.SIGTERM)
            await asyncio.sleep(0)
            line.close()
            assert await c.end() == 0
            assert c.events[-1].kind is Kind.STOPPING

    asyncio.run(scenario())


def test_an_end_within_the_first_moment(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1), plan={"deaf": True}) as c:
            await c.event(Kind.STARTED)
            c.signal(signal.SIGTERM)
            c.signal(signal.SIGQUIT)
            assert await c.end() == 0

    asyncio.run(scenario())


def test_sigquit_stops_now(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=2), plan={"deaf": True}) as c:
            await c.all_ready(2)
            c.signal(signal.SIGQUIT)
            assert await c.end() == 0

    asyncio.run(scenario())


def test_the_terminals_signals_do_not_reach_workers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.event(Kind.STARTED)
            [state] = c.supervisor.states()
            for number in (signal.SIGINT, signal.SIGHUP):  # before Python itself is up, and later
                os.kill(state.pid, number)
            await c.all_ready(1)
            for number in (signal.SIGINT, signal.SIGHUP):
                os.kill(state.pid, number)
            assert (await c.ask())["pid"] == state.pid

    asyncio.run(scenario())


def test_a_terminals_end_is_told_from_a_wish_to_reload(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            c.supervisor._has_terminal = True  # standard input of a test is none, as after a hang-up
            c.signal(signal.SIGHUP)
            assert await c.end() == 0

    standard_input = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        asyncio.run(scenario())
    finally:
        os.dup2(standard_input, 0)
        os.close(standard_input)
        os.close(nothing)


def test_a_worker_that_babbles_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1), plan={"babbles": True, "hangs": True}) as c:
            assert "is not JSON" in (await c.event(Kind.FAILED)).reason
            assert await c.end() == 3

    asyncio.run(scenario())


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=2)) as c:
            c.supervisor._command = ["/no/such/program"]
            assert await c.end() == 3
            assert [e.reason for e in c.events if e.kind is Kind.FAILED] == [
                "/no/such/program: No such file or directory"
            ]

    asyncio.run(scenario())


def test_who_waits_in_the_queue_when_the_end_begins_is_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            [state] = c.supervisor.states()
            os.kill(state.pid, signal.SIGSTOP)
            waiting = [await c.line() for _ in range(5)]
            answers = [asyncio.ensure_future(line.ask("bye")) for line in waiting]
            c.supervisor.stop()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await c.line()  # not let in, rather than accepted and dropped
            os.kill(state.pid, signal.SIGCONT)
            assert [answer["pid"] for answer in await asyncio.gather(*answers)] == [state.pid] * 5
            for line in waiting:
                line.close()
            assert await c.end() == 0
            with pytest.raises(ConnectionRefusedError):
                await c.line()

    asyncio.run(scenario())


def test_what_a_worker_counted_outlives_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with crew(tmp_path, Processes(workers=1)) as c:
            await c.all_ready(1)
            await c.ask("bye")
            assert c.supervisor.snapshot()['portico_workers{state="ready"}'] == 1
            c.supervisor.reload("a test")
            await c.event(Kind.RELOADED)
            await c.ask("bye")
            c.supervisor.stop()
            assert await c.end() == 0
            assert c.supervisor.snapshot() == {
                "portico_sent_body_bytes_total": 2,
                'portico_workers{state="starting"}': 0,
                'portico_workers{state="ready"}': 0,
                'portico_workers{state="draining"}': 0,
            }

    asyncio.run(scenario())


SUPERVISE = """
import asyncio, socket, sys
from portico.settings import Processes
from portico.workers.supervisor import Supervisor
sock = socket.socket(fileno=int(sys.argv[1]))
supervisor = Supervisor(sys.argv[2:], [sock], processes=Processes(workers=2), drain_s=20, on_event=lambda event: None)
sys.exit(asyncio.run(supervisor.run()))
"""


@pytest.mark.parametrize("is_graceful", [False, True])
def test_workers_do_not_outlive_their_supervisor(tmp_path: Path, is_graceful: bool) -> None:
    (tmp_path / "plan.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        words = [sys.executable, "-c", SUPERVISE, str(sock.fileno()), sys.executable, str(TINY)]
        supervisor = subprocess.Popen([*words, str(tmp_path / "plan.json")], pass_fds=[sock.fileno()])
        pids: set[int] = set()
        while len(pids) < 2:
            with socket.create_connection(sock.getsockname(), DEADLINE_S) as peer:
                peer.sendall(b"bye\n")
                pids.add(json.loads(peer.makefile().readline())["pid"])
        watched = [os.pidfd_open(pid) for pid in pids]
        supervisor.send_signal(signal.SIGTERM if is_graceful else signal.SIGKILL)
        assert supervisor.wait(DEADLINE_S) == (0 if is_graceful else -signal.SIGKILL)
        for descriptor in watched:
            assert select.select([descriptor], [], [], DEADLINE_S)[0], "a worker lives on"
            os.close(descriptor)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_terminal_that_hangs_up_ends_the_service_rather_than_reloading_it(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "plan.json").write_text("{}")
    master, slave = os.openpty()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        take = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        words = [sys.executable, "-c", take + SUPERVISE, str(sock.fileno()), sys.executable, str(TINY)]
        supervisor = subprocess.Popen([*words, str(tmp_path / "plan.json")], stdin=slave, pass_fds=[sock.fileno()])
        os.close(slave)

        def generation() -> int:
            with socket.create_connection(sock.getsockname(), DEADLINE_S) as peer:
                peer.sendall(b"bye\n")
                found: int = json.loads(peer.makefile().readline())["generation"]
            return found

        assert generation() == 1
        if is_there:
            supervisor.send_signal(signal.SIGHUP)
            while generation() == 1:
                pass
            supervisor.send_signal(signal.SIGTERM)
        else:
            os.close(master)
        assert supervisor.wait(DEADLINE_S) == 0
    if is_there:
        os.close(master)
