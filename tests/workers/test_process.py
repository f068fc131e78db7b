import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from portico.errors import Refused, UsageError
from portico.workers.process import VARIABLE, Badge, WorkerProcess, environment_for, own_command, spawn

SAY = "import json, os; b = json.loads(os.environ['PORTICO_WORKER']); say = lambda t: os.write(b['control'], t); "


@pytest.fixture
def started() -> Iterator[list[WorkerProcess]]:
    """Workers that are closed when the test ends."""
    kept: list[WorkerProcess] = []
    yield kept
    for process in kept:
        process.close()


def begin(kept: list[WorkerProcess], script: str, *sockets: socket.socket) -> WorkerProcess:
    process = spawn([sys.executable, "-c", SAY + script], sockets, number=2, generation=5)
    kept.append(process)
    return process


def wait(process: WorkerProcess) -> str:
    """Wait for the end of a process; return what `poll` says of it."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    reason = process.poll()
    assert reason is not None
    return reason


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "exit code 0"),
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("os.kill(os.getpid(), 6)", "SIGABRT"),
    ],
)
def test_how_a_process_ends(started: list[WorkerProcess], script: str, reason: str) -> None:
    assert wait(begin(started, script)) == reason


def test_messages_and_the_end(started: list[WorkerProcess]) -> None:
    process = begin(started, """say(b'{"is":"ready"}\\n{"is"'); say(b':"beat"}\\n{"half')""")
    wait(process)
    assert process.last_words() == [{"is": "ready"}, {"is": "beat"}]
    assert process.receive() is None


def test_nothing_to_say_yet(started: list[WorkerProcess]) -> None:
    process = begin(started, "import sys; sys.stdin.readline()")
    assert process.receive() == []
    assert process.poll() is None
    process.send(signal.SIGTERM)
    assert wait(process) == "SIGTERM"
    process.send(signal.SIGTERM)


def test_a_worker_that_dies_with_something_unread(started: list[WorkerProcess]) -> None:
    process = begin(started, "os.kill(os.getpid(), 19); os._exit(0)")
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    process._control.send(b"never read")
    process.send(signal.SIGCONT)
    wait(process)
    assert process.receive() is None


def test_garbage(started: list[WorkerProcess]) -> None:
    process = begin(started, "say(b'garbage\\n')")
    wait(process)
    with pytest.raises(Refused):
        process.receive()
    again = begin(started, "say(b'garbage\\n')")
    wait(again)
    assert again.last_words() == []


def test_sockets_and_the_badge_are_inherited(started: list[WorkerProcess]) -> None:
    script = """import socket
name = socket.socket(fileno=b['sockets'][0]).getsockname()
say(json.dumps({"is": "x", "name": name, "number": b["number"], "generation": b["generation"]}).encode() + b"\\n")
"""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        process = begin(started, script, sock)
        assert wait(process) == "exit code 0"
        assert process.last_words() == [{"is": "x", "name": [*sock.getsockname()], "number": 2, "generation": 5}]


def test_a_worker_does_not_speak_to_systemd() -> None:
    badge = Badge(3, (4,), 1, 1)
    ours = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "LANG": "C", VARIABLE: "old"}
    assert environment_for(ours, badge) == {"LANG": "C", VARIABLE: badge.as_text()}


def test_a_program_that_is_not_there_leaves_nothing_open() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        spawn(["/no/such/program"], [], number=1, generation=1)
    assert os.listdir("/proc/self/fd") == before


def test_close_ends_the_process() -> None:
    process = spawn([sys.executable, "-c", "import signal; signal.pause()"], [], number=1, generation=1)
    process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_badge_survives_its_text() -> None:
    badge = Badge(3, (4, 5), 1, 7)
    assert Badge.of_text(badge.as_text()) == badge


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "[]",
        "{}",
        '{"control":3,"sockets":4,"number":1,"generation":1}',
        '{"control":"3","sockets":[],"number":1,"generation":1}',
        '{"control":3,"sockets":[true],"number":1,"generation":1}',
    ],
)
def test_what_is_no_badge(text: str) -> None:
    with pytest.raises(UsageError, match=f"{VARIABLE}=.* is no worker's badge; unset it"):
        Badge.of_text(text)


def test_own_command_starts_the_same_again() -> None:
    script = "import sys; from portico.workers.process import own_command; print(own_command())"
    words = [sys.executable, "-X", "utf8", "-c", script, "a b", "--c"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(words)


def test_own_command_of_this_very_process() -> None:
    command = own_command()
    assert command[0] == sys.executable
    assert command[1:] == sys.orig_argv[1:]
