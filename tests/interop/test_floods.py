"""Services in processes of their own, against peers that send too much, the wrong thing, or nothing and go.

Whatever comes: the service still answers the next one, its memory and its log stay small, and it says nothing of a
failure of its own.
"""

import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE_S = 30.0
FLOOD = 100_000
LARGEST = 65_507  # bytes that a datagram of IPv4 has room for: RFC 768, RFC 791 3.1
LINES_A_SECOND = 500
NOISE = bytes(range(256)) * 256 + b"\x1b]0;title\x07\x1b[2J\xff\xfb\x01\x00"
RANDOM = random.Random(1).randbytes(300_000)
CLOCK = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*")


@dataclass(frozen=True, slots=True)
class Service:
    """One that runs. log: the file of its log; nothing else is said after the banner."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def memory(self) -> int:
        """Return the bytes that it holds in memory."""
        return self._bytes("VmRSS:")

    def peak(self) -> int:
        """Return the bytes that it held at most."""
        return self._bytes("VmHWM:")

    def files(self) -> int:
        """Return how many files it has open, connections among them."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> None:
        """End it politely, see `end`."""
        self.process.terminate()
        self.end()

    def end(self) -> None:
        """Wait for its end. Fails where it had more to say than its farewell, or ends as it should not."""
        said, _ = self.process.communicate(timeout=DEADLINE_S)
        assert len(said.splitlines()) <= 2, said.decode()
        assert self.process.returncode == 0

    def _bytes(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that runs `portico` with these words on a free port of 127.0.0.1."""
    running: list[subprocess.Popen[bytes]] = []

    def run(scheme: str, *words: str) -> Service:
        log = tmp_path / f"{len(running)}.log"
        where = ["-b", f"{scheme}://127.0.0.1:0", "--log-file", str(log)]
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", *words, *where],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"},
        )
        running.append(process)
        assert process.stdout is not None
        said = b""
        for line in process.stdout:
            said += line
            if found := re.search(rb"%s://\S*:(\d+)" % scheme.encode(), line):
                return Service(process, int(found[1]), log)
        raise AssertionError(f"no address in {said!r}")

    yield run
    for process in running:
        process.kill()
        process.communicate()


def ask(port: int, datagram: bytes) -> bytes:
    """Send a datagram until there is an answer: a full queue may drop some."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(("127.0.0.1", port))
        for _ in range(int(DEADLINE_S)):
            sock.send(datagram)
            with suppress(TimeoutError):
                return sock.recv(LARGEST)
    raise AssertionError(f"no answer to {datagram!r:.80}")


def talk(port: int, sent: bytes) -> bytes:
    """Send over TCP, end our side, and return what comes back. A service may hang up before it has it all."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        with suppress(ConnectionError):
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while piece := sock.recv(1 << 20):
        received += piece
    return received


def test_a_flood_of_datagrams(start: Start) -> None:
    clock = start("udp", "time")
    assert CLOCK.fullmatch(ask(clock.port, b""))
    before = clock.memory()
    begin = time.monotonic()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", clock.port))
        for number in range(FLOOD):
            sock.send(b"%%X %d" % number)
        assert CLOCK.fullmatch(ask(clock.port, b""))
    seconds = time.monotonic() - begin
    assert clock.peak() - before < 24 << 20
    clock.stop()
    assert len(clock.log.read_bytes().splitlines()) < LINES_A_SECOND * (seconds + 3)


def test_a_flood_of_the_largest_datagrams(start: Start) -> None:
    clock = start("udp", "time")
    ask(clock.port, b"")
    before = clock.memory()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", clock.port))
        for _ in range(2_000):
            sock.send(b"x" * LARGEST)
        assert CLOCK.fullmatch(ask(clock.port, b""))
    assert clock.peak() - before < 24 << 20
    clock.stop()
    assert clock.log.stat().st_size < 1 << 20


@pytest.mark.parametrize("words", [("time",), ("temperature",)])
@pytest.mark.parametrize("datagram", [b"9" * LARGEST, NOISE[:LARGEST], b"\xff" * 60_000, b"%" * LARGEST, b"\x00"])
def test_a_datagram_that_is_no_request_gets_one_line(start: Start, words: tuple[str, ...], datagram: bytes) -> None:
    service = start("udp", *words)
    answer = ask(service.port, datagram)
    assert len(answer) <= 512
    assert len(answer.splitlines()) == 1
    assert answer.decode().strip().isprintable()
    assert ask(service.port, b"36.6" if words == ("temperature",) else b"")
    service.stop()
    assert b"\x1b" not in service.log.read_bytes()


def test_the_largest_datagram_comes_back(start: Start) -> None:
    echo = start("udp", "echo")
    for datagram in (b"x" * LARGEST, NOISE[-LARGEST:], b"\x00"):
        assert ask(echo.port, datagram) == datagram
    echo.stop()
    assert echo.log.stat().st_size < 64 << 10


@pytest.mark.parametrize("words", [("greet", "welcome"), ("reply", "ok"), ("time",)])
@pytest.mark.parametrize("sent", [NOISE, b"\x00" * 100_000, b"\xff" * 1_000_000, RANDOM])
def test_binary_into_a_text_service(start: Start, words: tuple[str, ...], sent: bytes) -> None:
    service = start("tcp", *words)
    right = talk(service.port, b"hello\n")
    assert right.endswith(b"\n")
    before = service.memory()
    talk(service.port, sent)
    assert service.memory() - before < 16 << 20
    assert re.sub(rb"\d", b"9", talk(service.port, b"hello\n")) == re.sub(rb"\d", b"9", right)
    service.stop()
    assert b"\x1b" not in service.log.read_bytes()


def test_a_line_without_an_end_costs_no_memory(start: Start) -> None:
    service = start("tcp", "reply", "ok")
    talk(service.port, b"hello\n")
    before = service.memory()
    with socket.create_connection(("127.0.0.1", service.port), DEADLINE_S) as sock, suppress(ConnectionError):
        sock.sendall(b"a line\n")  # so that what follows is no message of its own
        for _ in range(1_000):
            sock.sendall(b"x" * 65_536)
    assert service.peak() - before < 16 << 20
    assert talk(service.port, b"hello\n") == b"ok\n"
    service.stop()
    assert service.log.stat().st_size < 1 << 20


def leave(sock: socket.socket) -> None:
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def speak_and_leave(sock: socket.socket) -> None:
    sock.sendall(b"half a line")
    sock.close()


def stay_for_the_answer(sock: socket.socket) -> None:
    sock.sendall(b"hello\n")
    sock.shutdown(socket.SHUT_WR)
    read_all(sock)
    sock.close()


WAYS = (leave, reset, speak_and_leave, stay_for_the_answer)


@pytest.mark.parametrize("words", [("greet", "welcome"), ("reply", "ok"), ("echo",)])
def test_connections_that_come_and_go(start: Start, words: tuple[str, ...]) -> None:
    service = start("tcp", *words)
    right = talk(service.port, b"hello\n")
    memory, files = service.memory(), service.files()
    for _ in range(20):
        with ExitStack() as stack:
            socks = [socket.create_connection(("127.0.0.1", service.port), DEADLINE_S) for _ in range(100)]
            for sock in socks:
                stack.callback(sock.close)
            for number, sock in enumerate(socks):
                WAYS[number % len(WAYS)](sock)
    assert talk(service.port, b"hello\n") == right
    deadline = time.monotonic() + DEADLINE_S
    while service.files() > files:
        assert time.monotonic() < deadline, f"{service.files()} files are open, {files} were"
        talk(service.port, b"hello\n")
    assert service.memory() - memory < 16 << 20
    service.stop()


def test_sigterm_in_the_middle_of_an_echo_lets_it_finish(start: Start) -> None:
    echo = start("tcp", "echo")
    sent = RANDOM * 50
    with socket.create_connection(("127.0.0.1", echo.port), DEADLINE_S) as sock:

        def send() -> None:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b""
        while len(received) < len(sent) // 4:
            received += sock.recv(1 << 16)
        echo.process.send_signal(signal.SIGTERM)
        received += read_all(sock)
        sender.join()
    assert received == sent
    echo.end()


def test_a_greeting_that_nobody_reads_does_not_keep_a_service_from_stopping(start: Start) -> None:
    service = start("tcp", "greet", "welcome", "--drain", "1")
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), DEADLINE_S))
        service.stop()
