"""`portico serve` for real: in a pipe, in a terminal, stopped by signals and by Ctrl-C."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Start, StartTerminal, fetch

from portico.cli.main import main


def test_in_a_pipe(start: Start) -> None:
    served = start("serve", "-p", "0")
    port = served.port()
    assert fetch(port).endswith("hello\n")
    served.output.until(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  200  GET  /a.txt +6 B")
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    assert "served 1 request, " in served.output.rest()
    assert b"\x1b" not in served.output.raw


def test_sigint_is_a_good_end_too(start: Start) -> None:
    served = start("serve", "-p", "0")
    served.port()
    served.signal(signal.SIGINT)
    assert served.wait() == 0


def test_the_next_port_is_taken_and_told(start: Start) -> None:
    first = start("serve", "-b", "127.0.0.1")
    first.port()
    second = start("serve", "-b", "127.0.0.1")
    second.output.until(r"8000 is used by .*, using (\d+)")
    assert second.port() > 8000


def test_several_roots(start: Start, site: Path) -> None:
    (site / "docs").mkdir()
    (site / "docs" / "b.txt").write_text("b\n")
    served = start("serve", "-p", "0", "d=docs", "a.txt")
    port = served.port()
    assert [fetch(port, path)[-2:] for path in ("/d/b.txt", "/a.txt")] == ["b\n", "o\n"]


@pytest.mark.parametrize(
    ("words", "fields", "status"),
    [
        ([], [], 200),
        ([], ["Host: x.example"], 421),
        (["--host-name", "x.example"], ["Host: x.example"], 200),
        (["--production"], ["Host: x.example"], 200),
    ],
)
def test_the_names_that_are_answered_to(start: Start, words: list[str], fields: list[str], status: int) -> None:
    port = start("serve", "-p", "0", *words).port()
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        host = fields or [f"Host: localhost:{port}"]
        sock.sendall("\r\n".join(["GET /a.txt HTTP/1.1", *host, "Connection: close", "", ""]).encode())
        assert sock.recv(12).decode() == f"HTTP/1.1 {status}"


@pytest.mark.parametrize(
    ("name", "pattern"), [("json", r'\{"time": ".*"target": "/a.txt"'), ("common", r'"GET /a.txt')]
)
def test_logs_for_machines(start: Start, name: str, pattern: str) -> None:
    served = start("serve", "-p", "0", "--log-format", name)
    fetch(served.port())
    served.output.until(pattern)


def test_a_log_in_a_file(start: Start, tmp_path: Path) -> None:
    served = start("serve", "-p", "0", "--log-file", str(tmp_path / "log"), "--log-format", "combined")
    fetch(served.port())
    served.signal(signal.SIGTERM)
    served.wait()
    assert '"GET /a.txt HTTP/1.1" 200 6 "-" "-"\n' in (tmp_path / "log").read_text()


def test_ctrl_c_in_a_terminal(start_terminal: StartTerminal) -> None:
    terminal = start_terminal("serve", "-p", "0")
    terminal.port()
    terminal.wait_for_modes((False, False))
    terminal.press("\x03")
    terminal.output.until("served 0 requests, 0 B to 0 devices in")
    assert terminal.wait() == 0
    assert terminal.modes() == (True, True)


def test_ctrl_c_twice_in_a_terminal(start_terminal: StartTerminal, site: Path) -> None:
    with open(site / "big", "wb") as file:
        file.truncate(64 * 1024 * 1024)
    terminal = start_terminal("serve", "-p", "0")
    port = terminal.port()
    terminal.wait_for_modes((False, False))
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(1)
        terminal.press("\x03")
        terminal.output.until("1 transfer under way; ctrl-c again to stop now")
        terminal.press("\x03")
        terminal.output.until("served 1 request")
    assert terminal.wait() == 130
    assert terminal.modes() == (True, True)


def test_sigterm_gives_the_terminal_back(start_terminal: StartTerminal) -> None:
    terminal = start_terminal("serve", "-p", "0")
    terminal.port()
    terminal.wait_for_modes((False, False))
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0
    assert terminal.modes() == (True, True)


def test_lines_fold_on_a_terminal_and_colours_obey(start_terminal: StartTerminal) -> None:
    terminal = start_terminal("serve", "-p", "0", NO_COLOR="1")
    port = terminal.port()
    terminal.output.until("1 file")
    for count in ("a.txt", "x2", "x3"):
        fetch(port)
        terminal.output.until(count)
    assert terminal.output.raw.count(b"\x1b[A\x1b[2K") == 2
    assert b"\x1b[32m" not in terminal.output.raw


def test_within_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same once more where it can be measured: a socket file tells that it serves, SIGINT ends it."""
    path = tmp_path / "socket"

    def visit() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE_S)
            while sock.connect_ex(str(path)):
                pass
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert sock.recv(100)
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert main(["serve", str(tmp_path), "-b", f"unix:{path}"]) == 0
    visitor.join()
    assert "served 1 request" in capfd.readouterr().out
    assert not path.exists()
