"""Sockets, pid file and user before anything else; then one process, or workers."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import Result, Start, fetch

Runs = Callable[..., Result]


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


def test_workers_serve_files_too(start: Start) -> None:
    served = start("serve", "-p", "0", "--workers", "2")
    served.output.until(r"serving .* \(read-only, 2 workers\)")
    assert fetch(served.port()).endswith("hello\n")
    served.signal(signal.SIGINT)
    assert served.wait() == 0
