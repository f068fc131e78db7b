import asyncio
import os
import pty
import signal
import subprocess
import sys

import pytest

from portico.workers.signals import ACTIONS, handled, is_hung_up, name_of, shielded

SHIELDED_CHILD = """
import os, signal, subprocess, sys
from portico.workers.signals import shield
os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGHUP)
shield()
os.kill(os.getpid(), signal.SIGINT)
child = subprocess.run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGHUP)"])
print(child.returncode)
"""


@pytest.mark.parametrize(("number", "name"), ACTIONS.items())
def test_each_signal_has_its_action(number: int, name: str) -> None:
    async def scenario() -> list[str]:
        called: list[str] = []
        arrived = asyncio.Event()

        def act(action: str) -> None:
            called.append(action)
            arrived.set()

        with handled({action: lambda action=action: act(action) for action in ACTIONS.values()}):  # type: ignore[misc]
            os.kill(os.getpid(), number)
            async with asyncio.timeout(10):
                await arrived.wait()
        return called

    before = [signal.getsignal(other) for other in ACTIONS]
    assert asyncio.run(scenario()) == [name]
    assert [signal.getsignal(other) for other in ACTIONS] == before


def test_a_worker_survives_the_terminals_signals_from_its_first_moment_and_its_children_do_not() -> None:
    with shielded():
        done = subprocess.run([sys.executable, "-c", SHIELDED_CHILD], stdout=subprocess.PIPE, timeout=30, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(-signal.SIGHUP))


def test_a_shield_is_taken_down() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with shielded():
        assert {signal.SIGINT, signal.SIGHUP} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV"), (40, "signal 40")])
def test_names(number: int, name: str) -> None:
    assert name_of(number) == name


def test_what_is_no_terminal_counts_as_gone() -> None:
    reading, writing = os.pipe()
    assert is_hung_up(reading)
    os.close(reading)
    os.close(writing)


def test_a_terminal_is_there_until_its_other_end_closes() -> None:
    script = """
import fcntl, os, sys, termios
from portico.workers.signals import is_hung_up
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.write(1, b"%d" % is_hung_up(0))
os.read(3, 1)
os.write(1, b"%d" % is_hung_up(0))
"""
    master, slave = pty.openpty()
    waiting, go = os.pipe()
    os.set_inheritable(waiting, True)
    child = subprocess.Popen(
        [sys.executable, "-c", script.replace("os.read(3", f"os.read({waiting}")],
        stdin=slave,
        stdout=subprocess.PIPE,
        pass_fds=[waiting],
    )
    assert child.stdout is not None
    try:
        assert child.stdout.read(1) == b"0"
        os.close(slave)
        os.close(master)
        os.write(go, b"x")
        assert child.stdout.read(1) == b"1"
    finally:
        child.stdout.close()
        assert child.wait(30) == 0
        os.close(waiting)
        os.close(go)
