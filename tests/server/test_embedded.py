"""A server inside a program: until Ctrl-C, until `stop`, or for a block; and programs that are services."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from portico import datagram_service
from portico.errors import ConfigError, UsageError
from portico.net.addresses import parse_address
from portico.net.listening import PortTaken, listen
from portico.server.embedded import Embedded, parse_place, serve_here
from portico.server.service import Services, stream_service
from portico.server.services import ServiceServer
from portico.server.stream import Stream
from portico.settings import Limits, Service

DEADLINE_S = 30.0
# A test runner may have been started with Ctrl-C ignored, which its children inherit.
PREPARE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from portico import datagram_service, stream_service

@stream_service
async def echo(stream):
    async for line in stream:
        await stream.send(line + "\\n")

@stream_service
def patient(stream):
    stream.send("ready\\n")
    while True:
        stream.receive()

@datagram_service
def shout(datagram, peer):
    return datagram.upper()
"""


@stream_service
async def echo(stream: Stream) -> None:
    async for line in stream:
        await stream.send(line + "\n")


def talk(port: int, line: bytes) -> bytes:
    """Send a line, end our side, and return what comes."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock, sock.makefile("rb") as answer:
        sock.sendall(line)
        sock.shutdown(socket.SHUT_WR)
        return answer.read()


def made() -> ServiceServer:
    return ServiceServer(Services(stream=echo), Limits(), Service())


def opened() -> tuple[list[socket.socket], int]:
    sockets = listen(parse_address("127.0.0.1:0"))
    return sockets, sockets[0].getsockname()[1]


def is_taken(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# within this process


def test_for_a_block() -> None:
    sockets, port = opened()
    ends: list[str] = []
    with Embedded(sockets, made, lambda: ends.append("end")):
        assert talk(port, b"hello\n") == b"hello\n"
        assert ends == []
    assert not is_taken(port)
    assert set(ends) == {"end"}
    assert [sock.fileno() for sock in sockets] == [-1]


def test_until_another_thread_stops_it() -> None:
    sockets, port = opened()
    embedded = Embedded(sockets, made)
    thread = threading.Thread(target=embedded.start)
    thread.start()
    assert talk(port, b"hello\n") == b"hello\n"
    embedded.stop()
    embedded.stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert not is_taken(port)


def test_what_is_under_way_is_finished() -> None:
    sockets, port = opened()
    with socket.socket() as sock, sock.makefile("rb") as answer:
        sock.settimeout(DEADLINE_S)
        with Embedded(sockets, made):
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"one\ntwo\n")
            assert answer.readline() == b"one\n"
            sock.shutdown(socket.SHUT_WR)
        assert answer.read() == b"two\n"


def test_a_stop_before_the_start() -> None:
    sockets, port = opened()
    ends: list[str] = []
    embedded = Embedded(sockets, made, lambda: ends.append("end"))
    embedded.stop()
    assert ends == ["end"]
    assert not is_taken(port)
    with pytest.raises(UsageError, match="this server has been started already; make a new one"):
        embedded.start()


def test_a_stop_while_it_is_made() -> None:
    sockets, port = opened()
    stopping = threading.Event()

    def make_late() -> ServiceServer:
        stopper.start()
        assert stopping.wait(DEADLINE_S)
        while not embedded._is_stopped:
            pass
        return made()

    def stop() -> None:
        stopping.set()
        embedded.stop()

    stopper = threading.Thread(target=stop)
    embedded = Embedded(sockets, make_late)
    embedded.start()
    stopper.join(DEADLINE_S)
    assert not stopper.is_alive()
    assert not is_taken(port)


def test_a_server_that_cannot_be_made_leaves_nothing_open() -> None:
    sockets, port = opened()

    def fail() -> ServiceServer:
        raise ConfigError("no database")

    embedded = Embedded(sockets, fail)
    with pytest.raises(ConfigError, match="no database"):
        embedded.start()
    embedded.stop()
    assert not is_taken(port)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C means what it means in a program of somebody's own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("services", [Services(stream=echo), Services(echo, datagram_service(lambda data, peer: data))])
def test_until_ctrl_c(services: Services) -> None:
    port = free_port()
    answers: list[bytes] = []

    def visit() -> None:
        while not is_taken(port):
            pass
        answers.append(talk(port, b"hello\n"))
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    serve_here(services, port, "127.0.0.1")
    visitor.join(DEADLINE_S)
    assert answers == [b"hello\n"]
    assert not is_taken(port)


@pytest.mark.parametrize(
    ("host", "port", "complaint"),
    [
        ("127.0.0.1", 65_536, "the port 65536 is not a whole number, 0 to 65535; 0 lets the system choose"),
        ("127.0.0.1", -1, "the port -1 is not a whole number"),
        ("127.0.0.1", True, "the port True is not a whole number"),
        ("127.0.0.1", "80", "the port '80' is not a whole number"),
        ("127.0.0.1:80", 8000, "is more than a host; the port is an argument of its own"),
        ("unix:x", 8000, "is more than a host"),
        ("udp://127.0.0.1", 8000, "is more than a host"),
    ],
)
def test_places_that_are_none(host: str, port: int, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_place(host, port)


def test_places() -> None:
    assert parse_place("localhost", 0) == parse_address("localhost:0")
    assert parse_place("*", 80, "udp") == parse_address("udp://*:80")


# in a process of its own


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are killed at the end of the test if need be."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.communicate()


def program(processes: list[subprocess.Popen[bytes]], text: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE + text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    processes.append(process)
    return process


def free_port() -> int:
    with socket.socket() as sock, socket.socket(type=socket.SOCK_DGRAM) as twin:
        sock.bind(("127.0.0.1", 0))
        twin.bind(sock.getsockname())
        return int(sock.getsockname()[1])


def dialled(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    """Connect as soon as somebody listens."""
    while process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        except ConnectionRefusedError:
            continue
    raise AssertionError(process.communicate()[1].decode())


def ask(port: int, datagram: bytes, process: subprocess.Popen[bytes]) -> bytes:
    """Send a datagram until somebody answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.1)
        while process.poll() is None:
            with suppress(ConnectionRefusedError, TimeoutError):
                sock.send(datagram)
                return sock.recv(99)
    raise AssertionError(process.communicate()[1].decode())


def test_a_program_serves_until_ctrl_c(processes: list[subprocess.Popen[bytes]]) -> None:
    port = free_port()
    process = program(processes, f"echo.start({port})\nprint('goodbye')\n")
    with dialled(port, process) as sock, sock.makefile("rb") as answer:
        sock.sendall(b"hello\n")
        assert answer.readline() == b"hello\n"
        process.send_signal(signal.SIGINT)
        assert answer.read() == b""
    assert process.communicate(timeout=DEADLINE_S) == (b"goodbye\n", b"")
    assert process.returncode == 0


def test_a_datagram_service_serves_until_ctrl_c(processes: list[subprocess.Popen[bytes]]) -> None:
    port = free_port()
    process = program(processes, f"shout.start({port})\nprint('goodbye')\n")
    assert ask(port, b"hello", process) == b"HELLO"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=DEADLINE_S) == (b"goodbye\n", b"")


def test_a_second_ctrl_c_cuts(processes: list[subprocess.Popen[bytes]]) -> None:
    port = free_port()
    process = program(processes, f"patient.start({port})\n")
    with dialled(port, process) as sock, sock.makefile("rb") as answer:
        assert answer.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        while is_taken(port):
            pass
        process.send_signal(signal.SIGINT)
        assert answer.read() == b""
    assert b"KeyboardInterrupt" in process.communicate(timeout=DEADLINE_S)[1]
    assert process.returncode in (-signal.SIGINT, 130)


def test_both_on_one_port(processes: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    port = free_port()
    both = "from portico.server.embedded import serve_here\nfrom portico.server.service import Services\n"
    process = program(processes, f"{both}serve_here(Services(echo, shout), {port}, '127.0.0.1')\n")
    dialled(port, process).close()
    assert ask(port, b"hello", process) == b"HELLO"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=DEADLINE_S) == (b"", b"")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_taken_leaves_nothing_open(kind: socket.SocketKind) -> None:
    port = free_port()
    shout = datagram_service(is_quick=True)(lambda datagram, peer: datagram)
    with socket.socket(type=kind) as holder:
        holder.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        with pytest.raises(PortTaken, match=f"{port} is used by"):
            serve_here(Services(echo, shout), port, "127.0.0.1")
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(("127.0.0.1", port))
        datagram.bind(("127.0.0.1", port))
