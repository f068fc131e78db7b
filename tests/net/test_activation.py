import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.errors import ConfigError, UsageError
from portico.net.activation import Activated, activated_sockets, sockets_named


@pytest.fixture
def passed() -> Iterator[int]:
    """Two listening sockets in a row, as systemd would pass them; the first one's descriptor."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        first = 200
        os.dup2(one.fileno(), first)
        os.dup2(two.fileno(), first + 1)
        yield first


def test_sockets_and_their_names(passed: int) -> None:
    environ = {"LISTEN_FDS": "2", "LISTEN_PID": "77", "LISTEN_FDNAMES": "web:admin", "HOME": "/"}
    one, two = activated_sockets(environ, pid=77, first=passed)
    with one.socket, two.socket:
        assert environ == {"HOME": "/"}
        assert (one.name, two.name) == ("web", "admin")
        assert [one.socket.fileno(), two.socket.fileno()] == [passed, passed + 1]
        assert not one.socket.get_inheritable()
        assert not one.socket.getblocking()
        assert sockets_named([one, two], "admin") == [two.socket]
    assert activated_sockets(environ, pid=77) == []


@pytest.mark.parametrize("names", [{}, {"LISTEN_FDNAMES": ""}])
def test_without_names(passed: int, names: dict[str, str]) -> None:
    found = activated_sockets({"LISTEN_FDS": "2", "LISTEN_PID": "77", **names}, pid=77, first=passed)
    for entry in found:
        entry.socket.close()
    assert [entry.name for entry in found] == ["", ""]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "2"},
        {"LISTEN_FDS": "2", "LISTEN_PID": "78"},
        {"LISTEN_FDS": "", "LISTEN_PID": "77"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "77"},
    ],
)
def test_what_is_not_for_us(environ: dict[str, str]) -> None:
    assert activated_sockets(environ, pid=77) == []
    assert environ == {}


@pytest.mark.parametrize("count", ["two", "-1", "99999", "1025", "٣"])
def test_nonsense(count: str) -> None:
    with pytest.raises(ConfigError, match=r"LISTEN_FDS=.* is not a number up to 1024"):
        activated_sockets({"LISTEN_FDS": count, "LISTEN_PID": "77"}, pid=77)


def test_what_does_not_listen(tmp_path: Path) -> None:
    with open(tmp_path / "x", "w") as file, pytest.raises(ConfigError, match="is not an open socket"):
        activated_sockets({"LISTEN_FDS": "1", "LISTEN_PID": "77"}, pid=77, first=file.fileno())


def test_a_name_that_is_not_there() -> None:
    with socket.socket() as sock:
        with pytest.raises(UsageError, match="systemd passed no socket called 'web'; it passed admin"):
            sockets_named([Activated("admin", sock), Activated("admin", sock)], "web")
        with pytest.raises(UsageError, match="it passed none at all"):
            sockets_named([], "web")


def test_for_real() -> None:
    """A process whose descriptor 3 is a listener, and whose number stands in LISTEN_PID, as systemd leaves it."""
    script = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from portico.net.activation import activated_sockets
[found] = activated_sockets()
print(found.name, found.socket.getsockname()[1], "LISTEN_FDS" in os.environ)
"""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        shell = 'exec 3<&"$1"; shift; exec "$@"'
        done = subprocess.run(
            ["bash", "-c", shell, "bash", str(sock.fileno()), sys.executable, "-c", script],
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"},
            pass_fds=[sock.fileno()],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == f"web {port} False\n"
