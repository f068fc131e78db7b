"""The supervisor's banner, and reloads: by a signal, by a changed file, and back where the new code does not start."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Output, Result, Start, ask, fetch, kept_process

from portico.apps.admin.listener import open_sockets
from portico.cli.main import main
from portico.cli.places import Moved, Places, open_places
from portico.cli.plan import Plan
from portico.cli.screen import Screen
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.cli.supervision import greeting, supervise
from portico.cli.words import Words
from portico.net.listening import close
from portico.settings import Files, Listen, Log, Processes

Runs = Callable[..., Result]
APP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"version one"]
"""


@pytest.fixture
def app(site: Path) -> Path:
    path = site / "main.py"
    path.write_text(APP)
    return path


def change(path: Path, text: str) -> None:
    """Replace a file, with a time of change that no cache of bytecode takes for the former."""
    before = path.stat().st_mtime
    path.write_text(text)
    os.utime(path, (before + 10, before + 10))


def answers(port: int, text: str) -> bool:
    """Ask until the answer is this, for as long as a test may take."""
    import time

    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s:
        if fetch(port).endswith(text):
            return True
    return False


def test_sighup_brings_new_code(start: Start, app: Path) -> None:
    running = start("run", "main:app", "-p", "0", "--workers", "2")
    port = running.port()
    assert fetch(port).endswith("version one")
    change(app, APP.replace("one", "two"))
    running.signal(signal.SIGHUP)
    running.output.until("starting anew: SIGHUP(.|\n)*started anew, 2 of 2 workers")
    assert answers(port, "version two")  # one of before may still take a connection while it is told to stop


def test_code_that_does_not_start_is_left_where_it_is(start: Start, app: Path) -> None:
    running = start("run", "main:app", "-p", "0", "--workers", "1")
    port = running.port()
    assert fetch(port).endswith("version one")
    change(app, "import nothing_of_that_name\n")
    running.signal(signal.SIGHUP)
    running.output.until("did not start: no module named 'nothing_of_that_name'(.|\n)*the workers of before go on")
    assert fetch(port).endswith("version one")


def test_a_changed_file_is_noticed(start: Start, app: Path) -> None:
    running = start("run", "main:app", "-p", "0", "--reload")
    port = running.port()
    assert fetch(port).endswith("version one")
    change(app, APP.replace("one", "two"))
    running.output.until("starting anew: main.py")
    assert answers(port, "version two")
    running.signal(signal.SIGINT)
    assert running.wait() == 0


def test_a_folder_that_cannot_be_watched(runs: Runs, app: Path) -> None:
    result = runs("run", "main:app", "-p", "0", "--reload", "--reload-dir", "missing")
    assert result.code == 2
    assert "missing is not a folder" in result.err


def test_a_folder_that_cannot_be_watched_within_this_process(
    app: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "main:app", "--app-dir", str(app), "-b", f"unix:{tmp_path / 's'}", "--reload", "--reload-dir", "no"]
    with kept_process():
        assert main(words) == 2
    assert "--reload-dir" in capfd.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("reload", [False, True])
def test_within_this_process(site: Path, tmp_path: Path, reload: bool) -> None:
    reads, writes = os.pipe()
    public, private = tmp_path / "public", tmp_path / "private"
    offer = SharedFiles((Share("", str(site)),), Files())
    processes = Processes(workers=1, reload=reload, reload_dir=(str(site),))
    plan = Plan(offer=offer, processes=processes, log=Log(quiet=True))

    def visit() -> None:
        assert ask(public, "/a.txt").endswith("hello\n")
        assert ask(private, "/-/ready").endswith("ready\n")
        if reload:
            (site / "changed.py").touch()
            Output(reads).until("starting anew: ")
        os.kill(os.getpid(), signal.SIGTERM)

    places = open_places(Listen(bind=(f"unix:{public}",)))._replace(admin=open_sockets(f"unix:{private}"))
    visitor = threading.Thread(target=visit)
    command = [sys.executable, "-m", "portico", "serve", str(site), "--quiet", "--admin", f"unix:{private}"]
    try:
        with kept_process():
            visitor.start()
            assert supervise(plan, places, Screen(writes, "utf-8", {}), command=command) == 0
            visitor.join()
    finally:
        os.close(reads)
        os.close(writes)
        close([*places.sockets, *places.admin])


def test_the_banner(site: Path) -> None:
    offer = SharedFiles((Share("", str(site)),), Files())
    places = open_places(Listen(port=0))
    try:
        port = places.sockets[0].getsockname()[1]
        moved = Places(places.sockets, Moved(8000, None))
        lines = greeting(offer, 3, moved, Words("en"), Screen(1, "utf-8", {}))
    finally:
        close(places.sockets)
    assert lines[0].endswith("(read-only, 3 workers)")
    assert lines[1:] == [
        f"  8000 is used by another program, using {port}",
        "",
        f"  ➜  http://localhost:{port}/",
        "",
    ]
