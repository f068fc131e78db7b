"""Sockets, pid file and user before anything else; then one process, or workers."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Output, Result, Running, Start, ask, environment, fetch, in_process

from portico.cli.main import main

Runs = Callable[..., Result]
# What systemd does for a socket unit: the socket is descriptor 3, and the variables are for this very process.
ACTIVATE = """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0))
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "portico", *sys.argv[1:]])
"""


def test_a_pid_file_while_it_serves(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    served = start("serve", "-p", "0", "--pid-file", str(path))
    served.port()
    assert path.read_text() == f"{served.process.pid}\n"
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert not path.exists()


def test_a_pid_file_that_is_held(start: Start, runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    served = start("serve", "-p", "0", "--pid-file", str(path))
    served.port()
    result = runs("serve", "-p", "0", "--pid-file", str(path))
    assert result.code == 2
    assert f"{path} is held by process {served.process.pid}; stop it or choose another --pid-file" in result.err


def test_a_user_that_does_not_exist(runs: Runs) -> None:
    result = runs("serve", "-p", "0", "--user", "no-such-user")
    assert (result.code, result.out) == (2, "")
    assert "--user 'no-such-user': this system has no such user" in result.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_another_user_once_the_socket_is_open(start: Start, site: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if not os.stat(folder).st_mode & 0o005 == 0o005:
            pytest.skip(f"{folder} is for root alone")
    path = tmp_path / "socket"
    served = start("serve", "-b", f"unix:{path}", "-b", "127.0.0.1:0", "--user", "nobody", "--group", "0")
    served.output.until("serving")
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    assert "\nUid:\t65534\t65534\t65534\t65534\n" in status
    assert path.stat().st_uid == 65534


@pytest.mark.parametrize("more", [[], ["--workers", "1"]])
def test_the_operators_pages(start: Start, tmp_path: Path, more: list[str]) -> None:
    admin = tmp_path / "admin"
    served = start("serve", "-p", "0", "--admin", f"unix:{admin}", *more)
    port = served.port()
    assert fetch(port).endswith("hello\n")
    assert ask(admin, "/-/ready").endswith("\r\n\r\nready\n")
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert not admin.exists()


def test_operators_pages_for_everyone(runs: Runs) -> None:
    result = runs("serve", "-p", "0", "--admin", "*:0")
    assert result.code == 2
    assert "could be reached by others; use localhost:PORT or unix:PATH" in result.err


def test_sockets_of_systemd(site: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ACTIVATE, "serve", "--quiet"],
        cwd=site,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        served = Running(process, Output(process.stdout.fileno()))
        assert fetch(served.port()).endswith("hello\n")
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        process.stdout.close()


@pytest.mark.parametrize("more", [[], ["--workers", "1"]])
def test_systemd_is_told(start: Start, tmp_path: Path, more: list[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.settimeout(DEADLINE_S)
        notified.bind(str(tmp_path / "notify"))
        served = start("serve", "-p", "0", *more, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        said = b""
        while not (b"READY=1" in said and b"WATCHDOG=1" in said):
            said += notified.recv(4096)
        served.signal(signal.SIGTERM)
        while b"STOPPING=1" not in said:
            said += notified.recv(4096)
    assert served.wait() == 0


@pytest.mark.parametrize("more", [[], ["--workers", "1"]])
def test_standard_output_has_a_log_for_programs_alone(site: Path, more: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "portico", "serve", "-p", "0", "--log-format", "json", *more],
        cwd=site,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            told = Running(process, Output(process.stderr.fileno()))
            assert fetch(told.port()).endswith("hello\n")
            told.signal(signal.SIGTERM)
            assert [json.loads(line)["target"] for line in process.stdout] == ["/a.txt"]
        finally:
            process.kill()


@pytest.mark.parametrize(("ignored", "code"), [(False, 0), (True, -signal.SIGKILL)])
def test_a_terminal_that_hangs_up_lets_requests_finish(site: Path, ignored: bool, code: int) -> None:
    begin = f"import signal, sys; signal.signal(signal.SIGHUP, signal.{'SIG_IGN' if ignored else 'SIG_DFL'}); "
    with subprocess.Popen(
        [sys.executable, "-c", begin + "from portico.cli.main import main; sys.exit(main())", "serve", "-p", "0"],
        cwd=site,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            served = Running(process, Output(process.stdout.fileno()))
            port = served.port()
            served.signal(signal.SIGHUP)
            if ignored:  # by nohup
                assert fetch(port).endswith("hello\n")
                process.kill()
            else:
                served.output.until("served 0 requests")
            assert process.wait(DEADLINE_S) == code
        finally:
            process.kill()


def test_workers_serve_files_too(start: Start) -> None:
    served = start("serve", "-p", "0", "--workers", "2")
    served.output.until(r"serving .* \(read-only, 2 workers\)")
    assert fetch(served.port()).endswith("hello\n")
    served.signal(signal.SIGINT)
    assert served.wait() == 0


def test_within_this_process(site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    public, private, pid = tmp_path / "public", tmp_path / "private", tmp_path / "pid"

    def visit() -> None:
        assert ask(public, "/a.txt").endswith("hello\n")
        assert ask(private, "/-/ready").endswith("ready\n")
        assert pid.read_text() == f"{os.getpid()}\n"

    who = ["--user", str(os.geteuid()), "--group", str(os.getegid()), "--pid-file", str(pid)]
    words = ["serve", str(site), "-b", f"unix:{public}", "--admin", f"unix:{private}", *who]
    assert in_process(words, visit) == 0
    assert "served 1 request" in capfd.readouterr().out
    assert [path.exists() for path in (public, private, pid)] == [False] * 3


def test_a_mistake_leaves_nothing_behind(site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    public, pid = tmp_path / "public", tmp_path / "pid"
    pid.write_text("not a number")
    assert main(["serve", str(site), "-b", f"unix:{public}", "--pid-file", str(pid)]) == 2
    assert "exists and is no pid file" in capfd.readouterr().err
    assert not public.exists()
    assert pid.read_text() == "not a number"


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "most"),
    [(64, 256, 1000, 192), (64, 4000, 1000, 1000), (4000, 4000, 1000, 1000), (64, 64, 500, 1)],
)
def test_connections_fit_the_descriptors_of_the_process(soft: int, hard: int, wanted: int, most: int) -> None:
    program = (
        "import resource; from portico.cli.hosting import fitting; from portico.settings import Limits\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        f"most = fitting(Limits(max_connections={wanted})).max_connections\n"
        "print(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(most), str(max(soft, min(hard, wanted + 64)))]


STUBBORN = """
import asyncio

async def app(scope, receive, send):
    assert scope["type"] == "http"
    print("asked", flush=True)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""


def test_an_application_that_does_not_care_about_its_end_does_not_keep_the_process(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    served = start("run", "stubborn:app", "--app-dir", str(tmp_path), "-p", "0", "--drain", "0.1", "--lifespan", "off")
    with socket.create_connection(("127.0.0.1", served.port()), DEADLINE_S) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        served.output.until("asked")
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
