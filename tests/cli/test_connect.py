"""`portico connect` as people call it: through pipes, in a terminal, and with words that make no sense."""

import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from tests.cli.running import DEADLINE_S, Output, StartTerminal, environment, kept_process, variables

from portico.cli.main import main

Act = Callable[[socket.socket], None]
Serve = Callable[..., int]


class Done:
    """How a command ended that ran in this process."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


@pytest.fixture
def connect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run the command in this process with files for its three streams."""

    def run(*words: str, data: bytes = b"", **env: str) -> Done:
        paths = [tmp_path / name for name in ("in", "out", "err")]
        paths[0].write_bytes(data)
        saved = [os.dup(fd) for fd in range(3)]
        files = [os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if n else 0)) for n, path in enumerate(paths)]
        sys.stderr.flush()
        try:
            for fd, file in enumerate(files):
                os.dup2(file, fd)
            with kept_process(), variables(PORTICO_LANG="en", **env):
                code = main(["connect", *words])
                sys.stderr.flush()
        finally:
            for fd, old in enumerate(saved):
                os.dup2(old, fd)
            for fd in (*saved, *files):
                os.close(fd)
        # Complaints of words that make no sense go through `sys.stderr`, which is pytest's.
        return Done(code, paths[1].read_bytes(), paths[2].read_text() + capsys.readouterr().err)

    return run


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that treats its connections as it is told, one after the other; return its port."""
    threads: list[threading.Thread] = []

    def begin(act: Act, context: ssl.SSLContext | None = None) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with listening:
                peer, _ = listening.accept()
            peer.settimeout(DEADLINE_S)
            with peer, suppress(ssl.SSLError, ConnectionResetError):
                if context is None:
                    act(peer)
                else:
                    with context.wrap_socket(peer, server_side=True) as spoken:
                        act(spoken)
                        spoken.unwrap()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return int(listening.getsockname()[1])

    yield begin
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def upper(peer: socket.socket) -> None:
    while data := peer.recv(65536):
        peer.sendall(data.upper())


def greet(peer: socket.socket) -> None:
    peer.sendall("欢迎\n".encode("gbk"))


def terminate(peer: socket.socket) -> None:
    """End the client, which is this very process, once it has sent something."""
    peer.recv(9)
    os.kill(os.getpid(), signal.SIGTERM)
    peer.recv(9)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


# Pipes


def test_exact_bytes_both_ways(connect: Callable[..., Done], serve: Serve) -> None:
    data = bytes(range(97)) * 30_000
    done = connect(f"localhost:{serve(upper)}", data=data)
    assert (done.code, done.err) == (0, "")
    assert done.out == data.upper()


def test_an_input_that_is_closed_is_at_its_end(serve: Serve) -> None:
    command = f"exec {sys.executable} -m portico connect :{serve(upper)} <&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_bytes_of_any_charset_pass_as_they_are(connect: Callable[..., Done], serve: Serve) -> None:
    done = connect(f":{serve(greet)}")
    assert (done.code, done.out) == (0, "欢迎\n".encode("gbk"))


def test_hex_shows_both_directions(connect: Callable[..., Done], serve: Serve) -> None:
    done = connect(f":{serve(upper)}", "--hex", "--crlf", data=b"hi\n")
    assert done.out.decode().splitlines() == [
        "> 00000000  68 69 0d 0a                                       |hi..|",
        "< 00000000  48 49 0d 0a                                       |HI..|",
    ]


def test_a_datagram_and_its_answer(connect: Callable[..., Done]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as clock:
        clock.bind(("127.0.0.1", 0))
        clock.settimeout(DEADLINE_S)

        def answer() -> None:
            question, peer = clock.recvfrom(99)
            clock.sendto(b"12:00" if question == b"%H:%M" else b"?", peer)

        answering = threading.Thread(target=answer)
        answering.start()
        done = connect(f"udp://127.0.0.1:{clock.getsockname()[1]}", "--wait", "200ms", data=b"%H:%M")
        answering.join()
    assert (done.code, done.out) == (0, b"12:00")


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's context, and the file of who vouches for it."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    return server, str(path)


def test_tls_to_a_server_that_is_trusted(
    connect: Callable[..., Done], serve: Serve, trusted: tuple[ssl.SSLContext, str]
) -> None:
    server, path = trusted
    done = connect(f"tls://127.0.0.1:{serve(greet, server)}", "--cacert", path)
    assert (done.code, done.out, done.err) == (0, "欢迎\n".encode("gbk"), "")


def test_tls_to_a_server_that_is_not(
    connect: Callable[..., Done], serve: Serve, trusted: tuple[ssl.SSLContext, str]
) -> None:
    port = serve(greet, trusted[0])
    done = connect(f"tls://127.0.0.1:{port}")
    assert done.code == 1
    assert done.err == (
        f"portico connect: the certificate of 127.0.0.1:{port} comes from an authority that this machine does not trust"
        "; --insecure goes on all the same\n"
    )
    assert connect(f"tls://127.0.0.1:{serve(greet, trusted[0])}", "--insecure").code == 0


# What goes wrong


def test_nobody_listens(connect: Callable[..., Done]) -> None:
    port = free_port()
    done = connect(f"localhost:{port}")
    assert (done.code, done.out) == (1, b"")
    assert done.err == f"portico connect: nothing listens on localhost:{port}; check the port, or start the server\n"


def test_a_connection_that_is_cut(connect: Callable[..., Done], serve: Serve) -> None:
    def cut(peer: socket.socket) -> None:
        peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close by a reset

    port = serve(cut)
    done = connect(f"localhost:{port}", data=b"xx")
    assert done.code == 1
    assert done.err == f"portico connect: the connection to localhost:{port} is lost: connection reset by peer\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nonexistent.invalid:80"], 1, "there is no host called 'nonexistent.invalid'; check the spelling"),
        (["unix:none.sock"], 1, "there is no socket unix:none.sock; check the path, or start the server"),
        (["localhost"], 2, "'localhost' has no port; write HOST:PORT, as in localhost:8000"),
        (["localhost:99999"], 2, "'localhost:99999': the port '99999' is not within 0 to 65535"),
        (["http://localhost"], 2, "'http://localhost': the scheme 'http' is not tcp, tls, udp, unix or fd"),
        (["localhost:1", "-e", "rot13"], 2, "'rot13' is not a charset for lines of text"),
        (["tls://localhost:0", "--listen"], 2, "tls://localhost:0: TLS is for connecting to a server"),
        (["udp://localhost:0", "--listen", "--keep"], 2, "--keep is for streams: over UDP nobody leaves"),
        (["tls://localhost:1", "--cacert", "/none"], 2, "/none cannot be read: No such file or directory"),
    ],
)
def test_mistakes_get_one_line(connect: Callable[..., Done], words: list[str], code: int, message: str) -> None:
    done = connect(*words)
    assert done.code == code
    assert done.err.startswith(f"portico connect: {message}")
    assert len(done.err.splitlines()) == code  # 2 also says where to look


def test_chinese() -> None:
    port = free_port()
    process = subprocess.run(
        [sys.executable, "-m", "portico", "connect", f"localhost:{port}"],
        env=environment(PORTICO_LANG="zh"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert process.stderr.decode().endswith(f"localhost:{port} 没有程序在监听；请检查端口，或先启动服务端\n")


def test_the_help_page_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with kept_process(), variables(PORTICO_LANG="en"):
        assert main(["connect", "--help"]) == 0
    page = capsys.readouterr().out
    assert "Whom to talk to:" in page
    assert "PORTICO_CONNECT_" in page


# Waiting for somebody


def waiting_at(output: Output) -> str:
    return output.until(r"waiting on (\S+)\n")[1]


@pytest.fixture
def begin() -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Output]]]:
    """Start the command with pipes for its streams; the third is read as an Output."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> tuple[subprocess.Popen[bytes], Output]:
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", "connect", *words],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        assert process.stderr is not None
        return process, Output(process.stderr.fileno())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_listen_waits_for_one_peer(begin: Callable[..., tuple[subprocess.Popen[bytes], Output]]) -> None:
    process, output = begin("127.0.0.1:0", "--listen")
    host, _, port = waiting_at(output).rpartition(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as sock:
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert process.communicate(timeout=DEADLINE_S)[0] == b"hello"
    assert process.returncode == 0


def test_listen_and_keep_waits_for_the_next_one(begin: Callable[..., tuple[subprocess.Popen[bytes], Output]]) -> None:
    process, output = begin("127.0.0.1:0", "--listen", "--keep")
    assert process.stdin is not None
    for word in (b"one", b"two"):
        host, _, port = waiting_at(output).rpartition(":")
        with socket.create_connection((host, int(port)), DEADLINE_S) as sock:
            process.stdin.write(word)
            process.stdin.flush()
            assert sock.recv(99) == word
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        output.until("is lost: connection reset by peer\n")
    waiting_at(output)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_S) == 130


def call_when_there(path: str) -> socket.socket:
    """Connect to a socket file as soon as somebody listens."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    deadline_s = time.monotonic() + DEADLINE_S
    while sock.connect_ex(path):
        assert time.monotonic() < deadline_s
    return sock


@pytest.mark.parametrize("cut", [False, True])
def test_one_peer_is_waited_for(connect: Callable[..., Done], tmp_path: Path, cut: bool) -> None:
    path = str(tmp_path / "s")

    def visit() -> None:
        with call_when_there(path) as sock:
            sock.sendall(b"hello")
            if not cut:  # else with something unread, which is a reset
                assert sock.recv(99) == b"welcome"

    visiting = threading.Thread(target=visit)
    visiting.start()
    done = connect(f"unix:{path}", "--listen", data=b"welcome")
    visiting.join()
    assert done.err.startswith(f"waiting on unix:{path}\n")
    assert (done.code, done.out) in [(0, b"hello"), (1, b"hello"), (1, b"")] if cut else [(0, b"hello")]
    assert not os.path.exists(path)


# A terminal


def test_a_terminal_in_this_process(serve: Serve, tmp_path: Path) -> None:
    """What the terminals below see, where its lines are counted: the streams are terminals, the keys come from here."""
    master, slave = pty.openpty()
    saved = [os.dup(fd) for fd in range(3)]
    try:
        for fd in range(3):
            os.dup2(slave, fd)
        with (
            kept_process(),
            variables(PORTICO_LANG="en", XDG_STATE_HOME=str(tmp_path), TERM="xterm"),
            create_pipe_input() as keys,
            create_app_session(input=keys, output=DummyOutput()),
        ):
            keys.send_text("hello\r\x04")
            codes = [main(["connect", f":{serve(upper)}"])]
            keys.send_text("\x03")
            codes.append(main(["connect", f":{serve(upper)}", "--hex"]))
            keys.send_text("x\r")
            codes.append(main(["connect", f":{serve(terminate)}"]))
    finally:
        for fd, old in enumerate(saved):
            os.dup2(old, fd)
        for fd in (*saved, master, slave):
            os.close(fd)
    assert codes == [0, 130, 143]


def test_a_conversation_in_a_terminal(start_terminal: StartTerminal, serve: Serve, tmp_path: Path) -> None:
    port = serve(upper)
    terminal = start_terminal("connect", f"localhost:{port}", XDG_STATE_HOME=str(tmp_path))
    before = terminal.modes()
    terminal.output.until(f"connected to localhost:{port}; Ctrl-D ends our side, Ctrl-C all\n")
    terminal.press("hello\r")
    terminal.output.until("HELLO")
    terminal.press("\x04")
    terminal.output.until(f"localhost:{port} has ended the conversation\n")
    assert terminal.wait() == 0
    assert terminal.modes() == before
    assert (tmp_path / "portico" / "connect-history").read_text() == "hello\n"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda terminal: terminal.press("half\x03"), 130),
        (lambda terminal: terminal.signal(signal.SIGINT), 130),
        (lambda terminal: terminal.signal(signal.SIGTERM), 143),
        (lambda terminal: terminal.signal(signal.SIGHUP), 143),
    ],
    ids=["ctrl-c", "SIGINT", "SIGTERM", "SIGHUP"],
)
def test_the_terminal_is_given_back_as_it_was(
    start_terminal: StartTerminal, serve: Serve, tmp_path: Path, end: Callable[[object], None], code: int
) -> None:
    terminal = start_terminal("connect", f":{serve(upper)}", XDG_STATE_HOME=str(tmp_path))
    terminal.wait_for_modes((False, False))
    terminal.press("x\r")
    terminal.output.until("X")
    terminal.wait_for_modes((False, False))
    end(terminal)
    assert terminal.wait() == code
    assert terminal.modes() == (True, True)


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_who_was_only_silent_has_not_ended_the_conversation(
    start_terminal: StartTerminal, tmp_path: Path, scheme: str
) -> None:
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if scheme == "tcp":
            server.listen()
        address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        terminal = start_terminal("connect", address, "--wait", "0.1", XDG_STATE_HOME=str(tmp_path))
        terminal.output.until(">")
        terminal.press("\x04")
        terminal.output.until("nothing more came from ")
        assert terminal.wait() == 0
        assert b"has ended" not in terminal.output.raw


def test_ctrl_c_after_ctrl_d(start_terminal: StartTerminal, serve: Serve, tmp_path: Path) -> None:
    over = threading.Event()

    def stay(peer: socket.socket) -> None:
        assert peer.recv(9) == b""
        peer.sendall(b"wait\n")
        over.wait(DEADLINE_S)

    terminal = start_terminal("connect", f":{serve(stay)}", XDG_STATE_HOME=str(tmp_path))
    terminal.output.until(">")
    terminal.press("\x04")
    terminal.output.until("wait\n")
    terminal.wait_for_modes((True, True))
    terminal.press("\x03")
    assert terminal.wait() == 130
    over.set()
    assert terminal.modes() == (True, True)


def test_no_colours_where_none_are_wanted(start_terminal: StartTerminal, serve: Serve, tmp_path: Path) -> None:
    terminal = start_terminal("connect", f":{serve(greet)}", XDG_STATE_HOME=str(tmp_path), NO_COLOR="1")
    terminal.output.until("欢迎\n")
    terminal.output.until("has ended the conversation\n")
    assert terminal.wait() == 0
    assert not re.search(rb"\x1b\[3[0-9]m", terminal.output.raw)
