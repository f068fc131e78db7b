"""`portico connect` with the tools it stands beside: netcat, socat, telnet and openssl, each on the other end."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from tests.cli.running import DEADLINE_S, environment

ROOT = Path(__file__).parent.parent.parent
BINARY = os.urandom(1 << 20) + bytes(range(256)) * 16
CONNECT = (sys.executable, "-m", "portico", "connect")


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"needs {tool}")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def start(stack: ExitStack, words: Sequence[object]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stack.callback(end, process)
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def is_bound(port: int) -> bool:
    """Tell whether somebody listens, without connecting: a tool that takes one peer would take us for it."""
    with open("/proc/net/tcp", encoding="ascii") as four, open("/proc/net/tcp6", encoding="ascii") as six:
        rows = [line.split() for line in [*four, *six]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_bound(port):
        assert time.monotonic() < deadline, f"nobody listens on {port}"
        os.sched_yield()


def talk(process: "subprocess.Popen[bytes]", text: bytes = b"") -> tuple[bytes, bytes]:
    """Give a process its whole input; return what it wrote to standard output and to standard error."""
    return process.communicate(text, timeout=DEADLINE_S)


@needs("socat")
def test_files_both_ways_at_once(stack: ExitStack) -> None:
    port = free_port()
    other = start(stack, ["socat", "-t", "5", f"TCP-LISTEN:{port},bind=127.0.0.1", "STDIO"])
    wait_for(port)
    ours = start(stack, [*CONNECT, f"127.0.0.1:{port}", "--keep"])
    with ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(talk, other, BINARY[::-1])
        mine = pool.submit(talk, ours, BINARY)
        assert mine.result() == (BINARY[::-1], b"")
        assert theirs.result()[0] == BINARY
    assert ours.returncode == 0


@needs("nc")
def test_a_file_to_netcat(stack: ExitStack) -> None:
    port = free_port()
    other = start(stack, ["nc", "-N", "-l", "127.0.0.1", port])
    wait_for(port)
    ours = start(stack, [*CONNECT, f"127.0.0.1:{port}", "--keep"])
    with ThreadPoolExecutor(2) as pool:
        theirs = pool.submit(talk, other)
        assert pool.submit(talk, ours, BINARY).result() == (b"", b"")
        assert theirs.result()[0] == BINARY
    assert ours.returncode == 0


@needs("nc")
def test_a_file_from_netcat(stack: ExitStack) -> None:
    port = free_port()
    other = start(stack, ["nc", "-N", "-l", "127.0.0.1", port])
    wait_for(port)
    ours = start(stack, [*CONNECT, f"127.0.0.1:{port}"])
    assert ours.stdout is not None
    with ThreadPoolExecutor(2) as pool:
        pool.submit(talk, other, BINARY)
        assert pool.submit(ours.stdout.read).result() == BINARY
    assert ours.wait(DEADLINE_S) == 0


@needs("nc")
def test_netcat_reaches_who_waits(stack: ExitStack) -> None:
    port = free_port()
    ours = start(stack, [*CONNECT, f"127.0.0.1:{port}", "--listen"])
    wait_for(port)
    other = start(stack, ["nc", "-N", "127.0.0.1", port])
    assert talk(other, "你好\n".encode("gbk"))[0] == b""
    assert ours.stdin is not None
    assert talk(ours)[0] == "你好\n".encode("gbk")
    assert ours.returncode == 0


@needs("telnet")
def test_telnet_reaches_who_waits(stack: ExitStack) -> None:
    port = free_port()
    ours = start(stack, [*CONNECT, f"127.0.0.1:{port}", "--listen"])
    wait_for(port)
    other = start(stack, ["telnet", "127.0.0.1", port])
    assert ours.stdin is not None
    ours.stdin.write(b"welcome\n")
    ours.stdin.flush()
    assert other.stdout is not None
    lines = [other.stdout.readline() for _ in range(4)]
    assert lines[-1].strip() == b"welcome"


@needs("socat")
def test_a_unix_socket(stack: ExitStack, tmp_path: Path) -> None:
    path = tmp_path / "s"
    other = start(stack, ["socat", "-t", "5", f"UNIX-LISTEN:{path}", "STDIO"])
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline
        os.sched_yield()
    ours = start(stack, [*CONNECT, f"unix:{path}"])
    assert ours.stdin is not None
    ours.stdin.write(b"ping\n")
    ours.stdin.close()
    ours.stdin = None
    assert other.stdout is not None
    assert other.stdout.readline() == b"ping\n"
    talk(other, b"pong\n")
    assert talk(ours)[0] == b"pong\n"
    assert ours.returncode == 0


@needs("socat")
def test_datagrams(stack: ExitStack) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    other = start(stack, ["socat", f"UDP-LISTEN:{port},bind=127.0.0.1", "EXEC:cat"])
    for _ in range(int(DEADLINE_S)):  # socat does not say when it is there
        ours = start(stack, [*CONNECT, f"udp://127.0.0.1:{port}"])
        received, _ = talk(ours, "温度 36.6\n".encode())
        if received:
            break
    assert received == "温度 36.6\n".encode()
    assert other.poll() is None


@needs("openssl")
def test_tls_with_openssl(stack: ExitStack, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    port = free_port()
    start(
        stack, ["openssl", "s_server", "-quiet", "-rev", "-accept", f"127.0.0.1:{port}", "-cert", tmp_path / "own.pem"]
    )
    wait_for(port)
    ours = start(stack, [*CONNECT, f"tls://localhost:{port}", "--cacert", tmp_path / "ca.pem", "--wait", "2s"])
    assert talk(ours, b"hello\n")[0] == b"olleh\n"
    refused = start(stack, [*CONNECT, f"tls://localhost:{port}"])
    received, said = talk(refused, b"hello\n")
    assert received == b""
    assert b"--insecure" in said
    assert len(said.splitlines()) == 1
    assert refused.returncode == 1
