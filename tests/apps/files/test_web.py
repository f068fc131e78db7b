"""A server for programs: started, stopped, asked for its port; in this thread and in another."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import portico
from portico import ConfigError, HttpWebServer, UsageError
from portico.apps.files.web import answered_names
from portico.net.listening import PortTaken
from portico.settings import Files, Limits

DEADLINE_S = 30.0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with one file, and a large one."""
    (tmp_path / "a.txt").write_text("hello\n")
    with open(tmp_path / "big", "wb") as file:
        file.truncate(64 * 1024 * 1024)
    return tmp_path


@pytest.fixture
def server(site: Path) -> Iterator[HttpWebServer]:
    """A server that has not been started."""
    made = HttpWebServer(0, site)
    yield made
    made.stop()


def fetched(server: HttpWebServer, path: str = "a.txt") -> bytes:
    with urlopen(server.url + path, timeout=DEADLINE_S) as answer:
        return bytes(answer.read())


def test_a_with_block_serves_and_ends(site: Path) -> None:
    with HttpWebServer(0, site) as server:
        assert server.url == f"http://localhost:{server.port}/"
        assert fetched(server) == b"hello\n"
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), DEADLINE_S)


def test_start_blocks_until_stop(server: HttpWebServer) -> None:
    answers: list[bytes] = []

    def visit() -> None:
        answers.append(fetched(server))
        server.stop()
        server.stop()

    visitor = threading.Thread(target=visit)
    visitor.start()
    server.start()
    visitor.join()
    assert answers == [b"hello\n"]


def test_start_blocks_until_ctrl_c(server: HttpWebServer) -> None:
    def visit() -> None:
        fetched(server)
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    server.start()
    visitor.join()


def test_stop_before_start_is_a_start_that_returns(site: Path) -> None:
    server = HttpWebServer(0, site)
    server.stop()
    with pytest.raises(UsageError, match="started already; make a new one"):
        server.start()


def test_a_server_serves_once(site: Path) -> None:
    with HttpWebServer(0, site) as server:
        fetched(server)
        with pytest.raises(UsageError, match="started already"):
            server.start()


def test_stop_lets_transfers_finish(site: Path) -> None:
    with HttpWebServer(0, site) as server:
        with urlopen(server.url + "big", timeout=DEADLINE_S) as answer:
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            assert len(answer.read()) == 64 * 1024 * 1024
        stopping.join()


def test_stop_cuts_what_lasts_longer_than_the_drain(site: Path) -> None:
    with HttpWebServer(0, site, limits=Limits(drain=0.05)) as server:
        with urlopen(server.url + "big", timeout=DEADLINE_S) as answer:
            answer.read(1)
            server.stop()


def test_settings_are_obeyed(site: Path) -> None:
    (site / ".secret").write_text("x")
    with HttpWebServer(0, site, files=Files(hidden=True)) as server:
        assert fetched(server, ".secret") == b"x"


@pytest.mark.parametrize("port", [-1, 65536, "80", 80.0, None, True])
def test_a_port_that_is_none(port: object, site: Path) -> None:
    with pytest.raises(UsageError, match="is not a whole number, 0 to 65535"):
        HttpWebServer(port, site)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1:90", "unix:/tmp/x", "udp://127.0.0.1"])
def test_a_host_that_is_more_than_a_host(host: str, site: Path) -> None:
    with pytest.raises(UsageError, match="more than a host"):
        HttpWebServer(0, site, host=host)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot serve"):
        HttpWebServer(0, tmp_path / "missing")


def test_a_port_that_is_taken(server: HttpWebServer, site: Path) -> None:
    with pytest.raises(PortTaken, match=f"{server.port} is used by"):
        HttpWebServer(server.port, site)


def test_the_names_of_this_machine_are_answered_to() -> None:
    names = answered_names(Files(host_name=("Example.ORG",)))
    assert names is not None
    assert {"localhost", "127.0.0.1", "example.org", socket.gethostname().lower()} <= names
    assert answered_names(Files(production=True)) is None


def test_the_package_hands_out_its_public_names_alone() -> None:
    assert set(portico.__all__) <= set(dir(portico))
    assert portico.HttpWebServer is HttpWebServer
    with pytest.raises(AttributeError, match="no attribute 'HttpServer'; it has ConfigError, "):
        portico.HttpServer  # noqa: B018


def test_what_is_being_packed_does_not_hold_up_the_end(site: Path) -> None:
    (site / "long.txt").write_text(os.urandom(7 << 20).hex())
    server = HttpWebServer(0, site)
    server.__enter__()
    # The answer is packed quickly; a better form for the next visitor is then made in a thread.
    with urlopen(Request(server.url + "long.txt", headers={"Accept-Encoding": "gzip"}), timeout=DEADLINE_S) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        answer.read()
    stopping = threading.Thread(target=server.stop, daemon=True)
    stopping.start()
    stopping.join(DEADLINE_S)
    assert not stopping.is_alive()
