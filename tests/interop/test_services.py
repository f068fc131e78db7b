"""The ready services, with netcat, socat, telnet, and the clients and servers that a course on sockets writes."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Output, environment

ROOT = Path(__file__).parent.parent.parent
WELCOME = "欢迎使用课程系统"
CHARSETS = ("utf-8", "gbk")
# Ten lines, as somebody writes them in the first week.
CLIENT = """
import socket, sys
port, charset, text = int(sys.argv[1]), sys.argv[2], sys.argv[3]
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", port))
if text:
    client.send(text.encode(charset))
data = client.recv(1024)
sys.stdout.buffer.write(data.decode(charset).encode("utf-8"))
client.close()
"""


class Server:
    """A command under way."""

    def __init__(self, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portico", *words],
            cwd=ROOT,
            env=environment(PYTHONUNBUFFERED="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.output = Output(self._process.stdout.fileno())

    def port(self, kind: str) -> int:
        """Return the port of "tcp" or "udp", once it is open."""
        pattern = rf"{kind}://localhost:(\d+)"
        found = re.search(pattern, self.output.text) or self.output.until(pattern)
        return int(found[1])

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return the exit code."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.stdout is not None
        with self._process.stdout:
            self.output.rest()
        return self._process.wait(DEADLINE_S)


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def serve() -> Iterator[Start]:
    """Return a function that starts a command on a free port; the same words are the same server."""
    running: dict[tuple[str, ...], Server] = {}

    def start(*words: str) -> Server:
        if words not in running:
            place = ("-p", "0") if words[0] != "run" else ()
            running[words] = Server([*words, *place])
        return running[words]

    yield start
    assert [server.stop() for server in running.values()] == [0] * len(running)


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"needs {tool}")


def call(*command: object, text: bytes = b"") -> bytes:
    """Run a client to its end; return what it wrote."""
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def course_client(port: int, charset: str, text: str = "") -> str:
    return call(sys.executable, "-c", CLIENT, port, charset, text).decode()


def first_line(*command: object, text: bytes) -> bytes:
    """Give a client its input and keep it open; return the first line that it writes."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text)
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
        line = process.stdout.readline() if ready else b""
        process.terminate()
        return line


def datagram(port: int, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.sendto(data, ("127.0.0.1", port))
        return sock.recv(65_536)


# --- the course's own programs ------------------------------------------------------------------


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_greeting_for_the_course_client(serve: Start, charset: str) -> None:
    server = serve("greet", WELCOME, "--encoding", charset)
    assert course_client(server.port("tcp"), charset) == f"{WELCOME}\n"


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_reply_for_the_course_client(serve: Start, charset: str) -> None:
    server = serve("reply")
    assert course_client(server.port("tcp"), charset, "你好，我的订单在哪里") == "ok, 问题正在处理中...\n"
    server.output.until("你好，我的订单在哪里")
    server.output.until("closed")


@pytest.mark.parametrize("charset", CHARSETS)
def test_an_echo_for_the_course_client(serve: Start, charset: str) -> None:
    assert course_client(serve("echo").port("tcp"), charset, "谢谢，再见") == "谢谢，再见"


@pytest.mark.parametrize("charset", CHARSETS)
def test_datagrams_as_the_course_sends_them(serve: Start, charset: str) -> None:
    assert datagram(serve("temperature").port("udp"), "36.6".encode(charset)).decode(charset) == "97.88"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", datagram(serve("time").port("udp"), b"").decode(charset))
    answer = datagram(serve("time").port("udp"), "今天是%Y年%m月%d日".encode(charset)).decode(charset)
    assert re.fullmatch(r"今天是\d{4}年\d\d月\d\d日", answer)
    assert (
        datagram(serve("temperature").port("udp"), "很热".encode(charset))
        .decode(charset)
        .startswith("错误：'很热' 不是温度")
    )


def test_a_client_that_resets_is_noticed_and_harms_nobody(serve: Start) -> None:
    server = serve("reply")
    with socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock:
        sock.sendall(b"hello\n")
        assert sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets
    server.output.until("closed")
    assert course_client(server.port("tcp"), "utf-8", "still there?") == "ok, 问题正在处理中...\n"


def test_several_clients_at_once(serve: Start) -> None:
    server = serve("echo")
    socks = [socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) for _ in range(50)]
    for number, sock in enumerate(socks):
        sock.sendall(b"%d" % number)
    for number, sock in reversed(list(enumerate(socks))):
        assert sock.recv(1024) == b"%d" % number
        sock.close()


def course_server(charset: str, answers: list[str]) -> int:
    """Serve one client in a thread, as the course's server does: greet, then answer what comes; return the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            connection.send(f"{WELCOME}\n".encode(charset))
            while data := connection.recv(1024):
                answers.append(data.decode(charset))
                connection.send("ok, 问题正在处理中...\n".encode(charset))

    threading.Thread(target=run, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize("charset", CHARSETS)
def test_portico_connect_with_the_course_server(charset: str) -> None:
    heard: list[str] = []
    port = course_server(charset, heard)
    words = ["-m", "portico", "connect", f"127.0.0.1:{port}", "--encoding", charset]
    answer = call(sys.executable, *words, text="你好\n".encode(charset))
    assert answer.decode(charset) == f"{WELCOME}\nok, 问题正在处理中...\n"
    assert heard == ["你好\n"]


# --- netcat, socat, telnet ----------------------------------------------------------------------


@needs("nc")
def test_netcat_is_greeted(serve: Start) -> None:
    assert call("nc", "127.0.0.1", serve("greet", WELCOME).port("tcp")) == f"{WELCOME}\n".encode()


@needs("nc")
def test_netcat_gets_an_answer_to_each_line(serve: Start) -> None:
    answers = call("nc", "-N", "127.0.0.1", serve("reply", "ok").port("tcp"), text=b"one\ntwo\nthree")
    assert answers == b"ok\nok\nok\n"


@needs("nc")
def test_netcat_gets_back_a_file_and_ends_its_side_first(serve: Start) -> None:
    data = bytes(range(256)) * 20_000
    assert call("nc", "-N", "127.0.0.1", serve("echo").port("tcp"), text=data) == data


@needs("nc")
@pytest.mark.parametrize(("text", "answer"), [(b"36.6\n", b"97.88\n"), (b"36.6C\n", b"97.88\n"), (b"0\n", b"32\n")])
def test_netcat_over_udp(serve: Start, text: bytes, answer: bytes) -> None:
    assert first_line("nc", "-u", "127.0.0.1", serve("temperature").port("udp"), text=text) == answer


@needs("nc")
def test_netcat_asks_for_the_time(serve: Start) -> None:
    server = serve("time", "--tz", "UTC")
    year = time.strftime("%Y", time.gmtime())
    assert call("nc", "127.0.0.1", server.port("tcp")).decode().startswith(year)
    assert first_line("nc", "-u", "127.0.0.1", server.port("udp"), text=b"%Y %Z\n").decode() == f"{year} UTC\n"


@needs("socat")
@pytest.mark.parametrize("kind", ["TCP4", "UDP4"])
def test_socat_gets_its_bytes_back(serve: Start, kind: str) -> None:
    server = serve("echo")
    port = server.port("tcp") if kind == "TCP4" else server.port("udp")
    assert call("socat", "-t", "1", "-", f"{kind}:127.0.0.1:{port}", text=b"\xff\0hello") == b"\xff\0hello"


@needs("telnet")
def test_telnet_is_greeted(serve: Start) -> None:
    words = ["telnet", "127.0.0.1", str(serve("greet", WELCOME).port("tcp"))]
    # Its input stays open: at the end of it telnet would leave before it has heard anything.
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert f"{WELCOME}\n".encode() in process.stdout.read().replace(b"\r", b"")


@needs("telnet")
def test_telnet_gets_an_answer_to_a_line(serve: Start) -> None:
    words = ["telnet", "127.0.0.1", str(serve("reply", "ok").port("tcp"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert any(line.strip() == b"ok" for line in process.stdout)
        process.terminate()


# What its client sends when a line is typed, and at Ctrl-C.
@pytest.mark.parametrize("line", [b"hello\r\n", b"\xff\xf4\xff\xfd\x06hello\r\n", b"hello\r\0"])
def test_what_telnet_sends_is_understood(serve: Start, line: bytes) -> None:
    server = serve("reply", "ok")
    with socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock:
        sock.sendall(line)
        assert sock.recv(1024) == b"ok\n"
    server.output.until(r"← hello\n")


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["time", "temperature"])
@pytest.mark.parametrize(
    "data", [b"\0" * 100, os.urandom(1400), b"x" * 65_507, b"%" * 64, b"%1000000000d", b"nan", b"1e999", b"\xff"]
)
def test_a_bad_datagram_gets_one_line_and_harms_nobody(serve: Start, name: str, data: bytes) -> None:
    server = serve(name)
    answer = datagram(server.port("udp"), data)
    assert 0 < len(answer) < 1024
    assert b"\n" not in answer.removesuffix(b"\n")
    assert datagram(server.port("udp"), b"20" if name == "temperature" else b"%%") in (b"68", b"%")


def test_binary_into_a_text_service(serve: Start) -> None:
    server = serve("reply", "ok")
    with socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock:
        sock.sendall(b"\x1b[2J\x00\x80\xfe\n")
        assert sock.recv(1024) == b"ok\n"
    server.output.until(r"← \\x1b\[2J\\x00")
    assert b"\x1b[2J" not in server.output.raw


def test_a_line_without_end_is_refused(serve: Start) -> None:
    server = serve("reply", "ok")
    with (
        socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock,
        sock.makefile("rb") as answers,
    ):
        sock.sendall(b"one\n")
        assert answers.readline() == b"ok\n"
        sock.sendall(b"x" * 100_000)
        assert answers.readline().startswith(b"a line of more than 65536 bytes")
        assert answers.read() == b""


# --- services of one's own ----------------------------------------------------------------------


def run_example(serve: Start, module: str, name: str, kind: str) -> Server:
    return serve("run", f"{module}:{name}", "--app-dir", "examples/services", "--bind", f"{kind}://127.0.0.1:0")


@pytest.mark.parametrize("charset", CHARSETS)
def test_the_example_of_a_greeting(serve: Start, charset: str) -> None:
    server = run_example(serve, "greeting", "greet", "tcp")
    with (
        socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock,
        sock.makefile("rb") as answers,
    ):
        assert answers.readline() == b"Your name?\n"
        sock.sendall("小明\n".encode(charset))
        assert answers.read().decode(charset) == "Welcome, 小明! 欢迎！\n"


@pytest.mark.parametrize(
    ("question", "answer"),
    [(b"42.195", b"26.219\n"), (b"1.609344\n", b"1.000\n"), (b"far", b"error: send a number of kilometres\n")],
)
def test_the_example_of_a_converter(serve: Start, question: bytes, answer: bytes) -> None:
    assert datagram(run_example(serve, "converter", "convert", "udp").port("udp"), question) == answer


def test_the_example_of_a_clock(serve: Start) -> None:
    server = run_example(serve, "clock", "clock", "tcp")
    with (
        socket.create_connection(("127.0.0.1", server.port("tcp")), DEADLINE_S) as sock,
        sock.makefile("rb") as answers,
    ):
        assert re.fullmatch(rb"\d\d:\d\d:\d\d\n", answers.readline())
