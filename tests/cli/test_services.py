"""The ready services as commands: served, logged, stopped, refused, in English and in Chinese."""

import json
import re
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Result, Running, Start, ask, in_process

from portico.cli.main import main
from portico.cli.services import echo, greet, reply, temperature, time

Runs = Callable[..., Result]
CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*")


def port_of(running: Running, scheme: str = "tcp") -> int:
    """Wait for the address in the banner; return its port."""
    return int(running.output.until(rf"{scheme}://[^ ]*?:(\d+)\n")[1])


def talk(port: int, sent: bytes = b"") -> bytes:
    """Send over TCP, end our side, return what comes."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock, sock.makefile("rb") as answer:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        return answer.read()


def send(port: int, datagram: bytes) -> bytes:
    """Send a datagram until somebody answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(1)
        for _ in range(int(DEADLINE_S)):
            with suppress(ConnectionRefusedError, TimeoutError):
                sock.send(datagram)
                return sock.recv(65_507)
    raise AssertionError("no answer")


def is_stopped(running: Running) -> str:
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    return running.output.rest()


# what they do


@pytest.mark.parametrize(
    ("words", "sent", "came"),
    [
        (["greet", "欢迎使用课程系统"], b"", "欢迎使用课程系统\n".encode()),
        (["greet", "欢迎", "--encoding", "gbk"], b"", "欢迎\n".encode("gbk")),
        (["reply", "ok"], b"one\ntwo\n", b"ok\nok\n"),
        (["reply"], "在吗\n".encode("gbk"), "ok, 问题正在处理中...\n".encode("gbk")),
        (["reply", "好", "--encoding", "gb18030"], b"hello\n", "好\n".encode("gbk")),
        (["echo", "-b", "tcp://127.0.0.1:0"], bytes(range(256)), bytes(range(256))),
    ],
)
def test_over_tcp(start: Start, words: list[str], sent: bytes, came: bytes) -> None:
    running = start(*words, *(["-p", "0"] if "-b" not in words else []))
    running.output.until(f"{words[0]} service")
    assert talk(port_of(running), sent) == came
    assert "served 1 connection or datagram, " in is_stopped(running)


@pytest.mark.parametrize(
    ("words", "sent", "came"),
    [
        (["temperature"], b"36.6", "97.88"),
        (["temperature", "--to", "c"], b"97.9F", "36.61"),
        (["time", "--tz", "Asia/Shanghai"], b"%z", r"\+0800"),
        (["time"], b"", CLOCK.pattern),
        (["echo"], b"hello", "hello"),
    ],
)
def test_over_udp(start: Start, words: list[str], sent: bytes, came: str) -> None:
    running = start(*words, "-b", "udp://127.0.0.1:0")
    port = port_of(running, "udp")
    assert re.search(came, send(port, sent).decode())
    is_stopped(running)


@pytest.mark.parametrize("name", ["echo", "time"])
@pytest.mark.parametrize("more", [[], ["--workers", "2"]])
def test_both_kinds_on_one_port(start: Start, name: str, more: list[str]) -> None:
    running = start(name, "-p", "0", *more)
    port = port_of(running)
    assert port_of(running, "udp") == port
    wanted = re.compile(b"hello" if name == "echo" else CLOCK.pattern.encode())
    question = b"hello" if name == "echo" else b""
    assert wanted.fullmatch(talk(port, question))
    assert wanted.fullmatch(send(port, question))
    is_stopped(running)


def test_workers_greet(start: Start) -> None:
    running = start("greet", "welcome", "-p", "0", "--workers", "2")
    running.output.until(r"greet service   \(2 workers\)")
    port = port_of(running)
    assert [talk(port) for _ in range(20)] == [b"welcome\n"] * 20
    is_stopped(running)


def test_a_socket_file(start: Start, tmp_path: Path) -> None:
    running = start("echo", "-b", f"unix:{tmp_path}/door")
    running.output.until("unix:")
    with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as answer:
        sock.settimeout(DEADLINE_S)
        sock.connect(f"{tmp_path}/door")
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        assert answer.read() == b"hello"
    is_stopped(running)
    assert not (tmp_path / "door").exists()


def test_the_log_is_for_people(start: Start) -> None:
    running = start("reply", "ok", "-p", "0")
    talk(port_of(running), "你好\x1b[2J\n".encode("gbk"))
    running.output.until(r"127\.0\.0\.1:\d+ +connected\n")
    running.output.until(r"127\.0\.0\.1:\d+ +← 你好\\x1b\[2J\n")
    running.output.until(r"127\.0\.0\.1:\d+ +closed after .*, 9 B received, 3 B sent\n")


def test_the_log_is_for_programs(start: Start, tmp_path: Path) -> None:
    running = start("echo", "-b", "udp://127.0.0.1:0", "--log-format", "json", "--log-file", str(tmp_path / "log"))
    send(port_of(running, "udp"), b"hello")
    is_stopped(running)
    (record,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (record["event"], record["text"], record["answer"], record["sent"]) == ("datagram", "hello", "hello", 5)


def test_the_operators_pages(start: Start, tmp_path: Path) -> None:
    running = start("echo", "-p", "0", "--admin", f"unix:{tmp_path}/admin")
    assert send(port_of(running, "udp"), b"hello") == b"hello"
    metrics = ask(tmp_path / "admin", "/metrics")
    assert 'portico_requests_total{code="2xx"} 1' in metrics
    assert "portico_connections 0" in metrics
    is_stopped(running)


def test_in_chinese(start: Start) -> None:
    running = start("greet", "您好", "-p", "0", PORTICO_LANG="zh")
    running.output.until("greet 服务")
    port = port_of(running)
    talk(port)
    running.output.until("已断开，历时 ")
    assert "共处理 1 个连接与数据报" in is_stopped(running)


def test_a_default_port_whose_twin_is_taken_is_stepped_over(start: Start) -> None:
    # Whether or not someone has 8000, a free TCP port is of no use where its UDP twin is taken.
    first = start("echo")
    port = port_of(first)
    with socket.socket(type=socket.SOCK_DGRAM) as twin:
        taken = port + 1
        with suppress(OSError):
            twin.bind(("127.0.0.1", taken))
        second = start("echo")
        second.output.until(r"\d+ is used by .*, using \d+")
        assert port_of(second) > taken
        is_stopped(second)
    is_stopped(first)


# mistakes


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (
            ["time", "--tz", "Mars"],
            "'Mars' is not a time zone; write it as Asia/Shanghai, UTC or +08:00",
            "'Mars' 不是时区；请写成 Asia/Shanghai、UTC 或 +08:00",
        ),
        (["temperature", "--to", "k"], "'k' is not a scale of temperature; c and f are", "'k' 不是温标；可用 c 和 f"),
        (["greet"], "there is no text; write portico greet TEXT", "缺少文字；请写 portico greet 文字"),
        (
            ["greet", "hi", "--encoding", "rot13"],
            "'rot13' is not a charset for lines of text; use utf-8, gb18030 or auto",
            "'rot13' 不是用于文本行的字符编码；请用 utf-8、gb18030 或 auto",
        ),
        (
            ["time", "--encoding", "nonsense"],
            "'nonsense' is not the name of a charset; use utf-8, gb18030 or auto",
            "'nonsense' 不是字符编码的名称；请用 utf-8、gb18030 或 auto",
        ),
        (
            ["greet", "hi", "-b", "udp://127.0.0.1:0"],
            "udp://127.0.0.1:0 is UDP; this is served over TCP, unix:PATH or fd:N",
            "udp://127.0.0.1:0 是 UDP；这里只能用 TCP、unix:路径 或 fd:N",
        ),
        (
            ["temperature", "-b", "tcp://127.0.0.1:0"],
            "127.0.0.1:0 is not UDP; this is served over UDP: write udp://HOST:PORT or fd:N",
            "127.0.0.1:0 不是 UDP；这里只能用 UDP，请写作 udp://主机:端口 或 fd:N",
        ),
        (
            ["echo", "-b", "tls://127.0.0.1:0"],
            "tls://127.0.0.1:0 is TLS, which is not served here; write tcp://HOST:PORT or unix:PATH",
            "tls://127.0.0.1:0 是 TLS，这里不提供；请写作 tcp://主机:端口 或 unix:路径",
        ),
        (
            ["reply", "--log-format", "common"],
            "the log format common tells of HTTP requests only; for a service use pretty or json",
            "日志格式 common 只能记录 HTTP 请求；服务请用 pretty 或 json",
        ),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(runs: Runs, words: list[str], english: str, chinese: str) -> None:
    where = [] if "-b" in words else ["-p", "0"]
    result = runs(*words, *where)
    assert (result.code, result.out) == (2, "")
    name = f"python -m portico {words[0]}"
    assert result.err == f"{name}: {english}\n{name} --help tells more\n"
    result = runs(*words, *where, PORTICO_LANG="zh")
    assert (result.code, result.err.splitlines()[0]) == (2, f"{name}: {chinese}")


# within this process


@pytest.mark.parametrize(
    ("words", "sent", "came"),
    [
        (["greet", "hi"], b"", b"hi\n"),
        (["reply"], b"a\n", "ok, 问题正在处理中...\n".encode()),
        (["echo"], b"a", b"a"),
        (["time", "--tz", "UTC"], b"", None),
    ],
)
def test_within_this_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], sent: bytes, came: bytes | None
) -> None:
    path = tmp_path / "door"
    answers: list[bytes] = []

    def visit() -> None:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as answer:
            sock.settimeout(DEADLINE_S)
            while sock.connect_ex(str(path)):
                pass
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            answers.append(answer.read())

    assert in_process([*words, "-b", f"unix:{path}"], visit) == 0
    assert answers == [came] if came is not None else CLOCK.fullmatch(answers[0].decode())
    assert "served 1 connection or datagram" in capfd.readouterr().out


def test_mistakes_within_this_process(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["temperature", "--to", "k"]) == 2
    assert main(["greet"]) == 2
    assert "not a scale" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "has", "lacks"),
    [
        (greet, ["TEXT", "--encoding", "--idle-timeout", "--max-connections"], ["--datagram-rate", "--max-body"]),
        (reply, ["TEXT", "--encoding"], ["--datagram-rate"]),
        (echo, ["--idle-timeout", "--datagram-rate"], ["--encoding"]),
        (time, ["--tz", "--encoding", "--datagram-rate"], ["--max-line"]),
        (temperature, ["--to", "--encoding"], ["--idle-timeout", "--interface"]),
    ],
)
def test_help_has_what_is_of_use(runs: Runs, command: object, has: list[str], lacks: list[str]) -> None:
    result = runs(command.name, "--help")  # type: ignore[attr-defined]
    assert result.code == 0
    assert [word for word in has if word not in result.out] == []
    assert [word for word in lacks if word in result.out] == []
