"""`python -m portico` takes what `python -m http.server` takes, and means it."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Result, Start, fetch, kept_process

from portico.cli.main import main_module

Runs = Callable[..., Result]


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["0"], r"Serving HTTP on 0\.0\.0\.0 port (\d+) \(http://0\.0\.0\.0:\d+/\) \.\.\.\n"),
        (["0", "--bind", ""], r"Serving HTTP on 0\.0\.0\.0 port (\d+) "),
        (["0", "-b", "::"], r"Serving HTTP on 0\.0\.0\.0 port (\d+) "),
        (["0", "-b", "127.0.0.1"], r"Serving HTTP on 127\.0\.0\.1 port (\d+) \(http://127\.0\.0\.1:\d+/\) \.\.\.\n"),
        (["0", "-p", "HTTP/1.0"], r"Serving HTTP on 0\.0\.0\.0 port (\d+) "),
        (["-p", "HTTP/1.1", "0"], r"Serving HTTP on 0\.0\.0\.0 port (\d+) "),
    ],
)
def test_the_flags_of_http_server(start: Start, words: list[str], pattern: str) -> None:
    served = start(*words)
    port = int(served.output.until(pattern)[1])
    assert fetch(port).endswith("hello\n")


def test_the_loopback_of_ipv6(start: Start) -> None:
    start("0", "-b", "::1").output.until(r"Serving HTTP on ::1 port \d+ \(http://\[::1\]:\d+/\)")


def test_a_directory(start: Start, site: Path) -> None:
    served = start("0", "-d", str(site), cwd=site.parent)
    assert fetch(int(served.output.until(r"port (\d+)")[1])).endswith("hello\n")


def test_options_of_serve_can_be_added(start: Start) -> None:
    served = start("0", "--header", "X-Mine: yes", "--quiet")
    assert "\r\nX-Mine: yes\r\n" in fetch(int(served.output.until(r"port (\d+)")[1]))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["x"], "'x' is not a whole number; PORT is a number, 0 to 65535, or the first word a command: serve"),
        (["70000"], "'70000' is above the most allowed, 65535; PORT is a number"),
        (["--cgi"], "--cgi is refused: no CGI script is run; leave it out to serve the files"),
        (["-p", "HTTP/2"], "--protocol 'HTTP/2' is not one of HTTP/1.0, HTTP/1.1"),
        (["0", "-d", "missing"], "cannot serve"),
        (["--tls-cert", "x"], "there is no option --tls-cert"),
        (["8000", "8001"], "8001 is one word too many"),
    ],
)
def test_mistakes(words: list[str], complaint: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main_module(words) == 2
    err = capfd.readouterr().err.splitlines()
    assert err[0].startswith(f"python -m portico: {complaint}")
    assert err[1:] == ["python -m portico --help tells more"]


def test_its_own_help(runs: Runs) -> None:
    out = runs("--help").out
    assert out.startswith("python -m portico: serve a folder to every interface")
    assert "-d, --directory DIR" in out
    assert "--cgi" not in out


def test_within_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same once more where it can be measured: whoever connects is served, SIGINT ends it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

    def visit() -> None:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
                    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    assert sock.recv(100)
                break
            except ConnectionRefusedError:
                continue
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    with kept_process():
        visitor.start()
        assert main_module([str(port), "-b", "127.0.0.1", "-p", "HTTP/1.0", "-d", str(tmp_path)]) == 0
        visitor.join()
    assert capfd.readouterr().out.startswith(f"Serving HTTP on 127.0.0.1 port {port} ")
