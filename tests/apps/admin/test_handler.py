"""The operator's pages over real sockets, and which addresses they may have."""

import json
import socket

import pytest
from tests.server.stage import Stage

from portico.apps.admin.handler import admin_address, admin_handler
from portico.errors import ConfigError, UsageError

FIGURES = {"portico_connections": 2.0, 'portico_workers{state="ready"}': 1.0}
TEXT = (
    "# HELP portico_connections Open connections, WebSockets among them.\n"
    "# TYPE portico_connections gauge\n"
    "portico_connections 2\n"
    "# HELP portico_workers Worker processes, by state.\n"
    "# TYPE portico_workers gauge\n"
    'portico_workers{state="ready"} 1\n'
)


class Source:
    """A source that is as it is told."""

    def __init__(self, is_ready: bool = True) -> None:
        self.is_ready = is_ready

    def snapshot(self) -> dict[str, float]:
        """Return the figures above."""
        return FIGURES


async def ask(stage: Stage, path: str, *lines: str, method: str = "GET", host: str = "localhost:9100") -> str:
    peer = await stage.connect()
    head = "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""))
    await peer.send(head.encode())
    return (await peer.read_all()).decode()


@pytest.mark.parametrize(
    ("path", "is_ready", "status", "word"),
    [
        ("/-/health", True, "200 OK", "alive"),
        ("/-/health", False, "200 OK", "alive"),
        ("/-/ready", True, "200 OK", "ready"),
        ("/-/ready", False, "503 Service Unavailable", "not ready"),
        ("/-/ready?now", True, "200 OK", "ready"),
    ],
)
async def test_states(stage: Stage, path: str, is_ready: bool, status: str, word: str) -> None:
    await stage.serve(admin_handler(Source(is_ready)))
    text = await ask(stage, path)
    assert text.startswith(f"HTTP/1.1 {status}\r\n")
    assert "\r\nCache-Control: no-store\r\n" in text
    assert text.endswith(f"\r\n\r\n{word}\n")
    said = await ask(stage, path, "Accept: application/json")
    assert json.loads(said.partition("\r\n\r\n")[2]) == {"status": word}


async def test_figures(stage: Stage) -> None:
    await stage.serve(admin_handler(Source()))
    # What Prometheus 2 sends.
    said = await ask(stage, "/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1")
    assert "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in said
    assert said.partition("\r\n\r\n")[2] == TEXT
    said = await ask(stage, "/metrics", "Accept: application/json")
    assert json.loads(said.partition("\r\n\r\n")[2]) == FIGURES
    said = await ask(stage, "/metrics", method="HEAD")
    assert said.endswith("\r\n\r\n")
    assert f"\r\nContent-Length: {len(TEXT)}\r\n" in said


async def test_what_there_is_not(stage: Stage) -> None:
    await stage.serve(admin_handler(Source()))
    assert "404 Not Found: there are /-/health, /-/ready, /metrics\n" in await ask(stage, "/")
    refused = await ask(stage, "/metrics", method="DELETE")
    assert refused.startswith("HTTP/1.1 405 ")
    assert "\r\nAllow: GET, HEAD\r\n" in refused


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("localhost", True),
        ("LOCALHOST:9100", True),
        ("127.0.0.1:9100", True),
        ("[::1]:9100", True),
        ("[::1]", True),
        ("evil.example:9100", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
    ],
)
async def test_a_name_that_was_made_to_lead_here(stage: Stage, host: str, is_answered: bool) -> None:
    await stage.serve(admin_handler(Source()))
    assert (await ask(stage, "/-/health", host=host)).startswith("HTTP/1.1 200" if is_answered else "HTTP/1.1 421")


async def test_a_unix_socket(stage: Stage) -> None:
    await stage.serve(admin_handler(Source()), family=socket.AF_UNIX)
    assert (await ask(stage, "/-/health")).endswith("alive\n")
    # No name leads to a socket file, so none is suspicious.
    assert (await ask(stage, "/-/health", host="x")).endswith("alive\n")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9100", "localhost:9100"),
        ("localhost:9100", "localhost:9100"),
        ("127.0.0.2:0", "127.0.0.2:0"),
        ("[::1]:9100", "[::1]:9100"),
        ("unix:/run/portico/admin.sock", "unix:/run/portico/admin.sock"),
    ],
)
def test_addresses_of_ones_own(text: str, address: str) -> None:
    assert str(admin_address(text)) == address


@pytest.mark.parametrize("text", ["*:9100", ":9100", "0.0.0.0:9100", "192.0.2.1:9100", "host.example:9100", "fd:3"])
def test_addresses_that_others_could_reach(text: str) -> None:
    with pytest.raises(ConfigError, match="could be reached by others; use localhost:PORT or unix:PATH"):
        admin_address(text)


def test_what_is_no_address() -> None:
    with pytest.raises(UsageError, match="has no port"):
        admin_address("localhost")
