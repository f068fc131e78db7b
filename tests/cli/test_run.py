"""`portico run` for real: found, named, refused, with folders, in workers, and stopped in every way."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S, Result, Start, StartTerminal, ask, fetch, in_process, run

Runs = Callable[..., Result]

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("wsgi " + environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode()]
"""
ASGI = """
import os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        os.write(1, b"up\\n")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        os.write(1, b"down\\n")
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/fail":
        raise ValueError("on purpose")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi " + scope["path"].encode()})
"""
REFUSING = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
ENDLESS = """
import asyncio
async def app(scope, receive, send):
    await receive()
    print("starting", flush=True)
    await asyncio.Event().wait()
"""
WAITING = """
import asyncio
async def app(scope, receive, send):
    assert scope["type"] == "http"
    print("asked", flush=True)
    await asyncio.Event().wait()
"""


@pytest.fixture
def apps(site: Path) -> Path:
    """The folder commands run in, with applications."""
    for name, text in {
        "wsgi_app": WSGI,
        "asgi_app": ASGI,
        "refusing": REFUSING,
        "endless": ENDLESS,
        "waiting": WAITING,
        "failing": "import json\njson.loads('{')\n",
    }.items():
        (site / f"{name}.py").write_text(text)
    return site


@pytest.mark.parametrize(
    ("words", "said", "body"),
    [
        (["wsgi_app:app"], r"running wsgi_app:app   \(WSGI, 4 threads\)", "wsgi /x"),
        (["wsgi_app"], r"running wsgi_app:app   \(WSGI, 4 threads\)", "wsgi /x"),
        (["wsgi_app:app", "--threads", "0"], r"\(WSGI, on the event loop\)", "wsgi /x"),
        (["wsgi_app:app", "--root-path", "/shop"], r"running", "wsgi /shop/x"),
        (["asgi_app:app"], r"running asgi_app:app   \(ASGI\)", "asgi /x"),
    ],
)
def test_an_application(start: Start, apps: Path, words: list[str], said: str, body: str) -> None:
    running = start("run", *words, "-p", "0")
    running.output.until(said)
    assert fetch(running.port(), "/x").endswith(f"\r\n\r\n{body}")
    running.output.until("200  GET  /x")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert "served 1 request, " in running.output.rest()


def test_the_lifespan_surrounds_the_requests(start: Start, apps: Path) -> None:
    running = start("run", "asgi_app:app", "-p", "0")
    running.output.until("up\n(.|\n)*running")
    fetch(running.port(), "/x")
    running.signal(signal.SIGINT)
    running.output.until("/x(.|\n)*down\n(.|\n)*served")
    assert running.wait() == 0


def test_it_is_found(start: Start, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(WSGI)
    running = start("run", "-p", "0", cwd=tmp_path)
    running.output.until(r"running main:app .*\n  found in main.py")
    running.port()


def test_folders_beside_it(start: Start, apps: Path) -> None:
    running = start("run", "asgi_app:app", "-p", "0", "--static", "/static=.")
    running.output.until("/static is .")
    port = running.port()
    assert fetch(port, "/static/a.txt").endswith("hello\n")
    assert fetch(port, "/static/").startswith("HTTP/1.1 404 ")
    assert fetch(port, "/statics").endswith("asgi /statics")


def test_what_an_application_raises_is_told_beside_the_log(start: Start, apps: Path) -> None:
    running = start("run", "asgi_app:app", "-p", "0")
    assert fetch(running.port(), "/fail").startswith("HTTP/1.1 500 ")
    running.output.until(
        r"the application failed on GET /fail\nTraceback(.|\n)*ValueError: on purpose\n(.|\n)*500  GET  /fail"
    )


def test_what_it_prints_is_not_written_over(start_terminal: StartTerminal, apps: Path) -> None:
    terminal = start_terminal("run", "wsgi_app:app", "-p", "0")
    port = terminal.port()
    for _ in range(2):
        fetch(port, "/x")
        terminal.output.until("GET  /x")
    assert b"\x1b[A" not in terminal.output.raw


def test_a_terminal_offers_keys(start_terminal: StartTerminal, apps: Path) -> None:
    terminal = start_terminal("run", "wsgi_app:app", "-p", "0")
    terminal.output.until("keys  o open")
    terminal.wait_for_modes((False, False))
    terminal.press("\x03")
    assert terminal.wait() == 0


def test_stopping_before_it_has_started(start: Start, apps: Path) -> None:
    running = start("run", "endless:app", "-p", "0")
    running.output.until("starting")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0


def test_a_second_sigint_cuts(start: Start, apps: Path) -> None:
    running = start("run", "waiting:app", "-p", "0", "--lifespan", "off")
    port = running.port()
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        running.output.until("asked")
        running.signal(signal.SIGINT)
        running.output.until("under way")
        running.signal(signal.SIGINT)
        assert sock.recv(1) == b""
    assert running.wait() == 130


@pytest.mark.parametrize(("name", "body"), [("wsgi_app", "wsgi /x"), ("asgi_app", "asgi /x")])
def test_within_this_process(
    apps: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, body: str
) -> None:
    public, private = tmp_path / "public", tmp_path / "private"

    def visit() -> None:
        assert ask(public, "/x").endswith(body)
        assert ("portico_threads 4" in ask(private, "/metrics")) == (name == "wsgi_app")

    words = ["run", f"{name}:app", "--app-dir", str(apps), "-b", f"unix:{public}", "--admin", f"unix:{private}"]
    assert in_process(words, visit) == 0
    out = capfd.readouterr().out
    assert f"running {name}:app" in out
    assert "served 1 request" in out


def test_found_within_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "found_here.py").write_text(WSGI)
    public = tmp_path / "public"
    words = ["run", "--app-dir", str(tmp_path), "-b", f"unix:{public}", "--static", f"/static={tmp_path}"]
    assert in_process(words, lambda: ask(public, "/static/found_here.py")) == 0
    assert "found in found_here.py" in capfd.readouterr().out


# What another thread reads of captured output may be cut anywhere, so this one says in a file that it has begun.
BEGUN = """
import asyncio
from pathlib import Path

async def app(scope, receive, send):
    Path(__file__).with_name("begun").touch()
    await asyncio.Event().wait()
"""


def test_a_signal_before_it_has_started_within_this_process(tmp_path: Path) -> None:
    (tmp_path / "begun_only.py").write_text(BEGUN)

    def visit() -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            os.sched_yield()

    words = ["run", "begun_only:app", "--app-dir", str(tmp_path), "-b", f"unix:{tmp_path / 'public'}"]
    assert in_process(words, visit) == 0
    assert (tmp_path / "begun").exists()


# mistakes


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["wsgi:app"], "run: no module named 'wsgi'; this folder has wsgi_app.py: portico run wsgi_app:app"),
        (["wsgi_app:ap"], "run: wsgi_app has no 'ap'; did you mean app?"),
        (["wsgi_app.py"], "run: 'wsgi_app.py' is a file; name its module: wsgi_app"),
        (["wsgi_app:app", "--static", "x"], "run: --static 'x' is not /PATH=DIR, as /static=public"),
        (["wsgi_app:app", "--static", "/x=y"], "run: there is no folder 'y' to serve at /x"),
        (["wsgi_app:app", "--app-dir", "y"], "run: there is no folder 'y' to find wsgi_app in"),
        (
            ["wsgi_app:app", "--interface", "cgi"],
            "run: --interface: 'cgi' is not one of auto, wsgi, asgi, stream, datagram",
        ),
        (["refusing:app"], "run: the application could not start: no database"),
        (["asgi_app:app", "more"], "run: more is one word too many"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(runs: Runs, apps: Path, words: list[str], complaint: str) -> None:
    result = runs("run", *words, "-p", "0")
    assert (result.code, result.out) == (2, "")
    assert result.err == f"python -m portico {complaint}\npython -m portico run --help tells more\n"


def test_a_module_that_fails_shows_its_own_lines_alone(runs: Runs, apps: Path) -> None:
    result = runs("run", "failing:app", "-p", "0")
    assert result.code == 2
    first, *frames = result.err.splitlines()
    assert first.startswith("python -m portico run: failing cannot be imported: json.decoder.JSONDecodeError: ")
    assert frames[:2] == ['  File "failing.py", line 2, in <module>', "    json.loads('{')"]
    assert "portico" not in "".join(frames)
    assert frames[-1].endswith("lines of libraries, to raw_decode in json/decoder.py")


def test_several_are_listed(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(WSGI)
    (tmp_path / "two.py").write_text(WSGI)
    result = run("run", cwd=tmp_path)
    assert result.code == 2
    assert result.err.endswith("say which:\n  portico run one:app\n  portico run two:app\n")


def test_a_port_that_is_taken_is_told_before_anything_is_imported(runs: Runs, apps: Path, taken_port: int) -> None:
    result = runs("run", "failing:app", "-b", "127.0.0.1", "-p", str(taken_port))
    assert f"{taken_port} is used by " in result.err


# workers


def test_workers(start: Start, apps: Path) -> None:
    running = start("run", "asgi_app:app", "-p", "0", "--workers", "2")
    running.output.until(r"running asgi_app:app   \(2 workers\)")
    port = running.port()
    running.output.until("up\n(.|\n)*up\n")
    assert fetch(port, "/x").endswith("asgi /x")
    running.signal(signal.SIGTERM)
    running.output.until("down\n(.|\n)*down\n")
    assert running.wait() == 0


def test_a_worker_that_is_killed_is_replaced(start: Start, apps: Path) -> None:
    (apps / "who.py").write_text(WSGI.replace('"wsgi "', '"pid " + str(__import__("os").getpid())'))
    running = start("run", "who:app", "-p", "0", "--workers", "1")
    port = running.port()
    first = fetch(port).rpartition("pid ")[2].partition("/")[0]
    os.kill(int(first), signal.SIGKILL)
    running.output.until(f"worker 1, process {first}, ended unasked")
    assert f"pid {first}" not in fetch(port)


def test_workers_that_cannot_start(start: Start, apps: Path) -> None:
    running = start("run", "failing:app", "-p", "0", "--workers", "2")
    running.output.until("did not start: failing cannot be imported: json.decoder.JSONDecodeError(.|\n)*failing.py")
    assert running.wait() == 3
    assert running.output.rest().count("failing cannot") == 0


def test_the_only_workers_a_folder_needs(start: Start, site: Path) -> None:
    running = start("serve", "-p", "0", "--workers", "2")
    running.output.until(r"serving .* \(read-only, 2 workers\)")
    assert fetch(running.port()).endswith("hello\n")
    running.signal(signal.SIGINT)
    assert running.wait() == 0


# services

SERVICES = """
from portico import datagram_service, stream_service

@stream_service
async def greet(stream):
    await stream.send("welcome\\n")

async def bare(stream):
    async for line in stream:
        await stream.send(line.upper() + "\\n")

def blocking(conn):
    while data := conn.receive():
        conn.send(data)

@datagram_service
def shout(datagram, peer):
    return datagram.upper()

async def whisper(datagram, addr):
    return datagram.lower()

def fail(stream):
    raise ValueError("on purpose")
"""


@pytest.fixture
def services(site: Path) -> Path:
    """The folder commands run in, with services."""
    (site / "svc.py").write_text(SERVICES)
    (site / "single.py").write_text("from portico import stream_service\n\n@stream_service\nasync def only(s): ...\n")
    return site


@pytest.mark.parametrize(
    ("name", "sent", "came"),
    [("greet", b"", b"welcome\n"), ("bare", b"hello\n", b"HELLO\n"), ("blocking", b"hello", b"hello")],
)
@pytest.mark.parametrize("more", [[], ["--workers", "1"]])
def test_a_stream_service(start: Start, services: Path, name: str, sent: bytes, came: bytes, more: list[str]) -> None:
    running = start("run", f"svc:{name}", "--bind", "tcp://127.0.0.1:0", *more)
    port = int(running.output.until(r"//(?:localhost|127\.0\.0\.1):(\d+)")[1])
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock, sock.makefile("rb") as answer:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert answer.read() == came
    running.output.until("closed after")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0


@pytest.mark.parametrize(("name", "came"), [("shout", b"HELLO"), ("whisper", b"hello")])
def test_a_datagram_service(start: Start, services: Path, name: str, came: bytes) -> None:
    running = start("run", f"svc:{name}", "--bind", "udp://127.0.0.1:0")
    running.output.until(r"running svc:\w+ +\(a service for datagrams\)")
    port = int(running.output.until(r"udp://(?:localhost|127\.0\.0\.1):(\d+)\n")[1])
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.sendto(b"Hello", ("127.0.0.1", port))
        assert sock.recv(99) == came
    running.output.until("← Hello  → ")
    running.signal(signal.SIGTERM)
    running.output.until("served 1 connection or datagram")
    assert running.wait() == 0


def test_the_only_service_of_a_module_is_found(start: Start, services: Path) -> None:
    running = start("run", "single", "-p", "0")
    running.output.until(r"running single:only +\(a service for connections\)\n\n +➜ +tcp://localhost:")


def test_what_a_service_raises_is_told_beside_the_log(start: Start, services: Path) -> None:
    running = start("run", "svc:fail", "-p", "0")
    port = int(running.output.until(r"tcp://localhost:(\d+)\n")[1])
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
            assert sock.recv(1) == b""
        running.output.until(r"the service svc:fail failed on 127\.0\.0\.1:\d+\nTraceback(.|\n)*on purpose\n")


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (
            ["svc:greet", "-b", "udp://127.0.0.1:0"],
            r"udp://127\.0\.0\.1:\d+ is UDP, and this is a service for connections; write tcp://HOST:PORT or unix:PATH",
            r"udp://127\.0\.0\.1:\d+ 是 UDP，而这是面向连接的服务；请写作 tcp://主机:端口 或 unix:路径",
        ),
        (
            ["svc:shout", "-p", "0"],
            r"127\.0\.0\.1:\d+ takes connections, and this is a service for datagrams; write udp://HOST:PORT",
            r"127\.0\.0\.1:\d+ 用于连接，而这是数据报服务；请写作 udp://主机:端口",
        ),
        (
            ["svc:greet", "-p", "0", "--static", "/x=."],
            r"svc:greet is a service, which has no paths; leave out --static and \[\[mount\]\]",
            r"svc:greet 是服务，没有路径之分；请去掉 --static 和 \[\[mount\]\]",
        ),
        (
            ["svc:greet", "-p", "0", "--encoding", "rot13"],
            "'rot13' is not a charset for lines of text; use utf-8, gb18030 or auto",
            "'rot13' 不是用于文本行的字符编码；请用 utf-8、gb18030 或 auto",
        ),
    ],
)
def test_mistakes_with_services(runs: Runs, services: Path, words: list[str], english: str, chinese: str) -> None:
    result = runs("run", *words)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(rf"python -m portico run: {english}\npython -m portico run --help tells more\n", result.err)
    result = runs("run", *words, PORTICO_LANG="zh")
    assert result.code == 2
    assert re.fullmatch(f"python -m portico run: {chinese}", result.err.splitlines()[0])
