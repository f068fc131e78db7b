"""A worker's part, acted against a supervisor that is only its end of the channel."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import DEADLINE_S, ask, environment, fetch, in_process, kept_process

from portico.cli.main import main

APP = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/wait":
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
"""


class Worker:
    """A worker and the supervisor's end of its channel."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(DEADLINE_S)
        fds = (theirs.fileno(), self.listening.fileno())
        badge = {"control": fds[0], "sockets": [fds[1]], "number": 1, "generation": 0}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portico", "run", *words],
            cwd=folder,
            env=environment(PORTICO_WORKER=json.dumps(badge)),
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._rest = b""

    def message(self, kind: str) -> dict[str, Any]:
        """Read to the next message of a kind."""
        while True:
            while b"\n" not in self._rest:
                data = self.channel.recv(65536)
                assert data, f"the channel ended before {kind!r}"
                self._rest += data
            line, _, self._rest = self._rest.partition(b"\n")
            found: dict[str, Any] = json.loads(line)
            if found["is"] == kind:
                return found

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        self.channel.close()
        self.listening.close()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "main.py").write_text(APP)
    made = Worker(tmp_path, "main:app", "--drain", "200ms")
    yield made
    made.close()


def test_from_ready_to_finished(worker: Worker) -> None:
    worker.message("ready")
    assert worker.message("beat")["stats"]["requests"] == 0
    assert fetch(worker.port).endswith("done")
    worker.process.send_signal(signal.SIGTERM)
    worker.message("draining")
    assert worker.message("finished")["cut"] == 0
    assert worker.process.wait(DEADLINE_S) == 0


def test_what_is_cut_is_told(worker: Worker) -> None:
    worker.message("ready")
    with socket.create_connection(("127.0.0.1", worker.port), DEADLINE_S) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while worker.message("beat")["stats"]["active"] != 1:
            pass
        worker.process.send_signal(signal.SIGTERM)
        assert worker.message("finished")["cut"] == 1
    assert worker.process.wait(DEADLINE_S) == 0


def test_sigquit_cuts(worker: Worker) -> None:
    worker.message("ready")
    worker.process.send_signal(signal.SIGQUIT)
    worker.message("finished")
    assert worker.process.wait(DEADLINE_S) == 0


def test_sigquit_ends_an_application_that_does_not_care_about_its_peer(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    worker = Worker(tmp_path, "main:app", "--drain", "1h")
    try:
        worker.message("ready")
        with socket.create_connection(("127.0.0.1", worker.port), DEADLINE_S) as sock:
            sock.sendall(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while worker.message("beat")["stats"]["active"] != 1:
                pass
            worker.process.send_signal(signal.SIGTERM)
            worker.message("draining")
            worker.process.send_signal(signal.SIGQUIT)
            worker.message("finished")
        assert worker.process.wait(DEADLINE_S) == 0
    finally:
        worker.close()


def test_a_terminals_ctrl_c_is_not_for_workers(worker: Worker) -> None:
    worker.message("ready")
    worker.process.send_signal(signal.SIGINT)
    assert fetch(worker.port).endswith("done")


def test_the_supervisors_death_is_its_end(worker: Worker) -> None:
    worker.message("ready")
    worker.channel.shutdown(socket.SHUT_RDWR)
    assert worker.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_such", "no module named 'nothing_such'; main.py, line 1 needs it; pip install nothing_such"),
        (
            "1 / 0",
            'main cannot be imported: ZeroDivisionError: division by zero\n  File "main.py", line 1, in <module>',
        ),
    ],
)
def test_why_it_cannot_start(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "main.py").write_text(source)
    worker = Worker(tmp_path, "main:app")
    try:
        assert worker.message("failed")["reason"].startswith(reason)
        assert worker.process.wait(DEADLINE_S) == 2
    finally:
        worker.close()


def test_words_that_make_no_sense_any_more(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "portico.toml").write_text("prot = 1\n")
    worker = Worker(tmp_path, "main:app")
    try:
        assert "portico.toml:1: prot: there is no such option" in worker.message("failed")["reason"]
        assert worker.process.wait(DEADLINE_S) == 2
    finally:
        worker.close()


def test_the_environment_of_a_worker_names_it_no_longer(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(f"import os\nassert 'PORTICO_WORKER' not in os.environ\n{APP}")
    worker = Worker(tmp_path, "main:app")
    try:
        worker.message("ready")
    finally:
        worker.close()
    assert os.environ.get("PORTICO_WORKER") is None


class InProcess:
    """The badge of a worker for this very process, and the supervisor's end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "public"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen()
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(DEADLINE_S)
        badge = {"control": theirs.detach(), "sockets": [self._listening.detach()], "number": 1, "generation": 0}
        os.environ["PORTICO_WORKER"] = json.dumps(badge)

    def heard(self, kind: str) -> str:
        """Read until a message of a kind has come; return all there was."""
        said = b""
        while f'"{kind}"'.encode() not in said:
            data = self._ours.recv(65536)
            assert data
            said += data
        return said.decode()

    def close(self) -> None:
        os.environ.pop("PORTICO_WORKER", None)
        self._ours.close()


@pytest.fixture
def badge(tmp_path: Path) -> Iterator[InProcess]:
    made = InProcess(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(("more", "number"), [([], signal.SIGTERM), (["--admin", "localhost:0"], signal.SIGQUIT)])
def test_within_this_process(
    site: Path, badge: InProcess, capfd: pytest.CaptureFixture[str], more: list[str], number: int
) -> None:
    def visit() -> None:
        said = badge.heard("beat")
        assert '"ready"' in said
        assert ("figures" in said) == bool(more)
        assert ask(badge.path, "/a.txt").endswith("hello\n")

    before = list(logging.getLogger("portico").handlers)
    assert in_process(["serve", str(site), *more], visit, number) == 0
    assert logging.getLogger("portico").handlers == before
    assert '"draining"' in badge.heard("finished")
    assert "200  GET  /a.txt" in capfd.readouterr().out


def test_what_is_being_packed_does_not_hold_up_the_end(site: Path, badge: InProcess) -> None:
    (site / "long.txt").write_text(os.urandom(7 << 20).hex())

    def visit() -> None:
        # The answer is packed quickly; a better form for the next visitor is then made in a thread.
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE_S)
            sock.connect(str(badge.path))
            fields = "Host: localhost\r\nAccept-Encoding: gzip\r\nConnection: close"
            sock.sendall(f"GET /long.txt HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            assert sock.recv(15) == b"HTTP/1.1 200 OK"
            while sock.recv(1 << 20):
                pass

    assert in_process(["serve", "--quiet", str(site)], visit) == 0
    assert '"draining"' in badge.heard("finished")


@pytest.mark.parametrize(
    ("words", "reason"), [(["missing"], "cannot serve"), (["--prot"], "there is no option --prot")]
)
def test_why_it_cannot_start_within_this_process(site: Path, badge: InProcess, words: list[str], reason: str) -> None:
    with kept_process():
        assert main(["serve", *words]) == 2
    assert reason in badge.heard("failed")
