"""`portico get` as a person runs it: in a pipe, on a terminal, against servers of every kind."""

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trustme
from tests.cli.running import DEADLINE_S, Result, Start, StartTerminal, environment, kept_process, variables
from tests.client.stage import HOLD, Answer, okay, redirect, serving

from portico.cli.main import main

NAME = "portico get"
BINARY = bytes(range(256)) * 64


class Get:
    """Runs the command to its end, without an environment's proxies: here, or in a process of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *words: str, **env: str) -> Result:
        """Run it in this very process."""
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            with kept_process(), variables(**{"no_proxy": "*", "PORTICO_LANG": "en", **env}):
                code = main(["get", *words])
        finally:
            os.chdir(before)
        out, err = self._capture.readouterr()
        return Result(code, out.decode("latin-1"), err.decode())

    def apart(self, *words: str, stdin: bytes = b"", **env: str) -> Result:
        """Run it in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "portico", "get", *words],
            cwd=self.folder,
            env=environment(no_proxy="*", **env),
            input=stdin,
            capture_output=True,
            timeout=DEADLINE_S,
        )
        return Result(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode())


@pytest.fixture
def get(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Get:
    return Get(tmp_path, capfdbinary)


# --- through pipes --------------------------------------------------------------------------------


def test_a_pipe_gets_exact_bytes(get: Get) -> None:
    with serving([okay(BINARY)]) as server:
        result = get(server.url)
    assert result == Result(0, BINARY.decode("latin-1"), "")


def test_a_head_goes_before_the_body(get: Get) -> None:
    with serving([redirect("/b"), okay(b"x", "X: 1")], [b"HTTP/1.1 200 Yes\r\nContent-Length: 5\r\n\r\n"]) as server:
        assert get("-i", server.url).out == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: 1\r\n\r\nx"
        assert get("-I", server.url).out == "HTTP/1.1 200 Yes\r\nContent-Length: 5\r\n\r\n"
        assert get("-X", "head", server.url).out == "HTTP/1.1 200 Yes\r\nContent-Length: 5\r\n\r\n"
        assert server.heads()[-1][0] == "HEAD / HTTP/1.1"


def test_both_heads_are_shown_without_secrets(get: Get) -> None:
    script: list[Answer] = [okay(b"x", "Set-Cookie: id=secret; Path=/")]
    with serving(script) as server:
        shown = get("-v", "-u", "me:secret", server.url).err
        plain = get("-v", "--show-secrets", "-u", "me:secret", server.url).err
        assert get("-v", server.url, PORTICO_LANG="zh").err.startswith(f"* 已连接 {server.authority}\n> GET ")
    assert [line for line in shown.splitlines() if not line.startswith("> User-Agent")] == [
        f"* connected to {server.authority}",
        "> GET / HTTP/1.1",
        f"> Host: {server.authority}",
        "> Accept: */*",
        "> Accept-Encoding: gzip, br, zstd",
        "> Authorization: Basic ***",
        ">",
        "< HTTP/1.1 200 OK",
        "< Content-Length: 1",
        "< Set-Cookie: id=***; Path=/",
        "<",
    ]
    assert "> Authorization: Basic bWU6c2VjcmV0\n" in plain
    assert "< Set-Cookie: id=secret; Path=/\n" in plain


def test_what_is_sent(get: Get) -> None:
    (get.folder / "a.txt").write_bytes(b"content")
    with serving([okay(b"")] * 2) as server:
        get("-d", "a=1", "-d", "b=2", server.url)
        get("--json", '{"a": 1}', "-X", "PATCH", "-H", "X-Y: z", "-H", "User-Agent:", server.url)
        get("-T", "a.txt", f"{server.url}/d/")
        get.apart("-T", "-", server.url, stdin=b"typed")
        get("-F", "file=@a.txt;type=text/x", server.url)
        get("-A", "me/1", "--no-compressed", server.url)
    form, patch, upload, chunked, parts, agent = (request.decode() for request in server.asked)
    assert form.startswith("POST / HTTP/1.1\r\n")
    assert form.endswith("\r\n\r\na=1&b=2")
    assert "\r\nContent-Type: application/x-www-form-urlencoded\r\n" in form
    assert patch.startswith("PATCH / HTTP/1.1\r\n")
    assert patch.endswith('\r\n\r\n{"a": 1}')
    assert "\r\nX-Y: z\r\n" in patch
    assert "User-Agent" not in patch
    assert upload.startswith("PUT /d/a.txt HTTP/1.1\r\n")
    assert upload.endswith("\r\n\r\ncontent")
    assert "\r\nTransfer-Encoding: chunked\r\n" in chunked
    assert "multipart/form-data; boundary=" in parts
    assert "\r\nUser-Agent: me/1\r\n" in agent
    assert "\r\nAccept-Encoding: identity\r\n" in agent


def test_cookies_stay_in_their_file(get: Get) -> None:
    with serving([okay(b"", "Set-Cookie: id=5; Max-Age=1000")]) as server:
        get("--cookies", "jar", server.url)
        get("--cookies", "jar", server.url)
        assert [any(line == "Cookie: id=5" for line in head) for head in server.heads()] == [False, True]
    assert (get.folder / "jar").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "code", "out"), [([], 0, "no"), (["--fail"], 4, "no"), (["-O", "--fail"], 4, ""), (["-O"], 1, "")]
)
def test_exit_codes_of_an_answer(get: Get, words: list[str], code: int, out: str) -> None:
    with serving([b"HTTP/1.1 404 x\r\nContent-Length: 2\r\n\r\nno"]) as server:
        result = get(*words, server.url)
    assert (result.code, result.out) == (code, out)


def test_redirects_are_followed_unless_refused(get: Get) -> None:
    with serving([redirect("/a"), okay(b"there")], [redirect("/a")] * 9) as server:
        assert get(server.url).out == "there"
        assert get("--no-follow", "-i", server.url).out.startswith("HTTP/1.1 302 x\r\n")
        result = get("--max-redirects", "3", server.url)
    assert result.code == 1
    assert result.err.startswith(f"{NAME}: more than 3 redirects, the last to ")
    assert result.err.count("\n") == 1


def test_a_socket_file(get: Get) -> None:
    path = str(get.folder / "s")
    with serving([okay(b"hello")], path=path):
        assert get("--unix-socket", path, "http://localhost/").out == "hello"


def test_a_proxy(get: Get) -> None:
    with serving([okay(b"by proxy")]) as server:
        assert get("--proxy", server.url, "http://example.invalid/x").out == "by proxy"
        assert server.heads()[0][0] == "GET http://example.invalid/x HTTP/1.1"
        assert get("--no-proxy", server.url, http_proxy="http://127.0.0.1:1").out == "by proxy"


def test_a_reader_who_has_seen_enough(get: Get) -> None:
    with serving([okay(b"x\n" * 2_000_000)]) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "portico", "get", server.url],
            env=environment(no_proxy="*"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.read(2) == b"x\n"
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(DEADLINE_S) == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_certificates(get: Get, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(get.folder / "ca.pem")
    with serving([okay(b"safe")], tls=context) as server:
        url = f"https://localhost:{server.port}/"
        refused = get(url)
        assert refused.code == 1
        assert re.fullmatch(r"portico get: the certificate of localhost [^\n]*\n", refused.err)
        assert get(url, "--cacert", "ca.pem").out == "safe"
        traced = get(url, "-k", "-v")
        assert traced.out == "safe"
        assert re.search(r"^\* TLSv1\.3, ", traced.err, re.MULTILINE)


def test_tls_with_whom_does_not_speak_it(get: Get) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_plainly() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = threading.Thread(target=answer_plainly)
        server.start()
        result = get(f"https://127.0.0.1:{listening.getsockname()[1]}/")
        server.join()
    assert result == Result(1, "", f"{NAME}: 127.0.0.1 does not speak TLS; use http:// or tcp://\n")


# --- what goes wrong ------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_failures_are_one_line(get: Get) -> None:
    port = closed_port()
    assert get(f"127.0.0.1:{port}") == Result(
        1, "", f"{NAME}: nothing listens on 127.0.0.1:{port}; check the port, or start the server\n"
    )
    result = get("http://nonexistent.invalid/")
    assert result.code == 1
    assert re.fullmatch(rf"{NAME}: [^\n]*nonexistent\.invalid[^\n]*\n", result.err)
    assert get("--unix-socket", "missing", "http://localhost/").code == 1


@pytest.mark.parametrize(
    ("script", "words", "error"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"], [], "after 5 of 9 bytes of the body"),
        ([b"nonsense\r\n\r\n"], [], "sent a response that HTTP forbids"),
        ([HOLD], ["--timeout", "200ms"], "sent nothing for 0.2 s"),
        ([HOLD], ["--max-time", "0.2"], "0.2 s"),
        ([okay(b"x", "Content-Encoding: gzip")], [], "gzip"),
    ],
)
def test_what_a_server_may_do(get: Get, script: list[Answer], words: list[str], error: str) -> None:
    with serving(script) as server:
        result = get(*words, server.url)
    assert result.code == 1
    assert error in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "there is no URL; write portico get URL"),
        (["ftp://h/"], "ftp"),
        (["http://h:99999/"], "99999"),
        (["http://a@b@c/"], "write an '@'"),
        (["http://h/", "more"], "more is one word too many"),
        (["--nothing", "h"], "there is no option --nothing"),
        (["--timeout", "soon", "h"], "--timeout: 'soon' is not of the form"),
        (["--parallel", "99", "h"], "is above the most allowed, 16"),
        (["--sha256", "abc", "-O", "h"], "--sha256 'abc' is not a checksum of 64 hexadecimal digits"),
        (["-c", "h"], "-c is for files; add -o FILE or -O"),
        (["--parallel", "2", "-o", "-", "h"], "--parallel is for files"),
        (["-O", "-o", "x", "h"], "-o and -O do not go together"),
        (["-O", "-i", "h"], "a head is shown, not saved"),
        (["--proxy", "p", "--no-proxy", "h"], "--proxy and --no-proxy do not go together"),
        (["-d", "x", "-I", "h"], "-d and -I do not go together"),
        (["-d", "@missing", "h"], "-d missing cannot be read"),
        (["-H", "x", "h"], "-H 'x' is not a field"),
        (["--cacert", "missing", "https://h"], "missing cannot be read"),
        (["-b", "a=1", "h"], "--cookies 'a=1' is no file; a cookie itself is sent by -H 'Cookie: ...'"),
        (["--cookies", "/", "h"], "--cookies / cannot be read"),
        (["-o", "missing/x", "127.0.0.1:1", "--force"], ""),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_that_make_no_sense(get: Get, words: list[str], error: str, language: str) -> None:
    result = get(*words, PORTICO_LANG=language)
    assert result.code == (2 if error else 1)
    if language == "en":
        assert error in result.err
    else:
        assert re.search("[\u4e00-\u9fff]", result.err.partition("\n")[0])


def test_ctrl_c_ends_it(start: Start) -> None:
    with serving([HOLD]) as server:
        running = start("get", "-v", server.url, no_proxy="*")
        running.output.until("Accept-Encoding")
        running.signal(signal.SIGINT)
        assert running.wait() == 130
        assert "Traceback" not in running.output.rest()


# --- files ----------------------------------------------------------------------------------------


def test_a_download_goes_on_after_ctrl_c(start: Start, site: Path) -> None:
    first = threading.Event()

    def half(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % len(BINARY) + BINARY[:5000])
        first.set()
        HOLD(sock, request)

    def rest(sock: socket.socket, request: bytes) -> None:
        match = re.search(rb"Range: bytes=(\d+)-\r\nIf-Range: \"1\"", request)
        assert match is not None
        at = int(match[1])
        head = f"Content-Range: bytes {at}-{len(BINARY) - 1}/{len(BINARY)}\r\nContent-Length: {len(BINARY) - at}"
        sock.sendall(f'HTTP/1.1 206 x\r\nETag: "1"\r\n{head}\r\n\r\n'.encode() + BINARY[at:])

    with serving([half], [rest]) as server:
        running = start("get", "-o", "a.bin", f"{server.url}/a", no_proxy="*")
        assert first.wait(DEADLINE_S)
        part = site / "a.bin.part"
        while not part.exists() or part.stat().st_size < 5000:
            assert running.process.poll() is None
        running.signal(signal.SIGINT)
        assert running.wait() == 130
        assert running.output.rest() == "stopped at 4.9 KB; the same line with --continue goes on\n"
        again = start("get", "-c", "-o", "a.bin", f"{server.url}/a", no_proxy="*")
        assert again.wait() == 0
        assert again.output.rest() == ""
    assert (site / "a.bin").read_bytes() == BINARY
    assert sorted(os.listdir(site)) == ["a.bin", "a.txt"]


def test_a_folder_served_by_portico(start: Start, site: Path, get: Get) -> None:
    large = hashlib.shake_128(b"x").digest(9_000_000)
    (site / "large.bin").write_bytes(large)
    serve = start("serve", "-p", "0")
    url = f"http://localhost:{serve.port()}"
    digest = hashlib.sha256(large).hexdigest()
    result = get("-O", "--parallel", "3", "--sha256", digest, f"{url}/large.bin")
    assert (result.code, result.out) == (0, "")
    assert (get.folder / "large.bin").read_bytes() == large
    assert get("-o", "b", f"{url}/a.txt").code == 0
    assert get("-o", "b", f"{url}/a.txt") == Result(
        2, "", f"{NAME}: b exists; --force replaces it\n{NAME} --help tells more\n"
    )
    assert get("-q", "--force", "-o", "b", f"{url}/a.txt") == Result(0, "", "")
    assert get(f"{url}/a.txt").out == "hello\n"
    assert json.loads(get("-H", "Accept: application/json", f"{url}/").out)


def test_a_parallel_download_stops_at_ctrl_c_and_keeps_what_it_has(start: Start, tmp_path: Path) -> None:
    size = 12 << 20
    waiting = threading.Event()

    def piece(sock: socket.socket, request: bytes) -> None:
        match = re.search(rb"Range: bytes=(\d+)-(\d+)", request)
        assert match is not None
        at, end = int(match[1]), int(match[2])
        head = f"Content-Range: bytes {at}-{end}/{size}\r\nContent-Length: {end - at + 1}"
        sock.sendall(f'HTTP/1.1 206 x\r\nETag: "1"\r\n{head}\r\n\r\n'.encode())
        if at:
            sock.sendall(b"y" * 1000)
            waiting.set()
            HOLD(sock, request)
        sock.sendall(b"x" * (end - at + 1))

    with serving([piece, piece]) as server:
        running = start("get", "--parallel", "2", "-o", "a", f"{server.url}/a", cwd=tmp_path, no_proxy="*")
        assert waiting.wait(DEADLINE_S)
        running.signal(signal.SIGINT)
        assert running.wait() == 130
    assert "with --continue goes on" in running.output.rest()
    notes = json.loads((tmp_path / "a.part.json").read_text())
    assert notes["pieces"][0] == [0, 4 << 20, 4 << 20]
    assert (tmp_path / "a.part").stat().st_size == size


# --- on a terminal --------------------------------------------------------------------------------


def test_a_terminal_shows_text_readably(start_terminal: StartTerminal) -> None:
    with serving([okay(b'{"a":[1.50]}\x1b', "Content-Type: application/json")]) as server:
        terminal = start_terminal("get", server.url, no_proxy="*")
        assert terminal.wait() == 0
    terminal.output.until(r'^\{"a":\[1\.50\]\}\\x1b\n$')


def test_a_terminal_shows_json_in_colour(start_terminal: StartTerminal) -> None:
    with serving([okay(b'{"a":[1.50]}', "Content-Type: application/json")]) as server:
        coloured = start_terminal("get", server.url, no_proxy="*")
        assert coloured.wait() == 0
        plain = start_terminal("get", server.url, no_proxy="*", NO_COLOR="1")
        assert plain.wait() == 0
    for terminal in (coloured, plain):
        terminal.output.until(r'^\{\n  "a": \[\n    1\.50\n  \]\n\}\n$')
    assert b"\x1b[33m1.50" in coloured.output.raw
    assert b"\x1b" not in plain.output.raw


def test_a_terminal_gets_no_binary(start_terminal: StartTerminal) -> None:
    with serving([okay(BINARY, "Content-Type: image/png")]) as server:
        terminal = start_terminal("get", server.url, no_proxy="*", PORTICO_LANG="zh")
        assert terminal.wait() == 0
    terminal.output.until("^未显示：image/png 不是文本；用 -o 文件 或 -O 保存\n$")


@pytest.mark.parametrize("columns", [120, 30])
def test_progress_is_shown_and_wiped(start_terminal: StartTerminal, tmp_path: Path, columns: int) -> None:
    shown = threading.Event()

    def slowly(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 450)
        assert shown.wait(DEADLINE_S)
        sock.sendall(b"x" * 450)

    with serving([slowly]) as server:
        terminal = start_terminal("get", "-o", "a", server.url, cwd=tmp_path, columns=columns, no_proxy="*")
        modes = terminal.modes()
        terminal.output.until(r" 50% .*450 B of 900 B")
        shown.set()
        assert terminal.wait() == 0
        assert terminal.modes() == modes
    terminal.output.until(r"saved a, 900 B in ")
    assert b"\r\x1b[Ksaved" in terminal.output.raw


def test_ctrl_c_leaves_the_terminal_as_it_was(start_terminal: StartTerminal, tmp_path: Path) -> None:
    def half(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 450)
        HOLD(sock, request)

    with serving([half]) as server:
        terminal = start_terminal("get", "-o", "a", server.url, cwd=tmp_path, no_proxy="*")
        modes = terminal.modes()
        terminal.output.until("50%")
        terminal.press("\x03")
        assert terminal.wait() == 130
    assert terminal.modes() == modes
    terminal.output.until(r"stopped at 450 B; a\.part is not whole\n")


def test_ctrl_c_leaves_the_cursor_at_the_beginning_of_a_line(start_terminal: StartTerminal) -> None:
    with serving([HOLD]) as server:
        terminal = start_terminal("get", "-v", server.url, no_proxy="*")
        terminal.output.until("Accept-Encoding")
        terminal.press("\x03")
        assert terminal.wait() == 130
    assert terminal.output.rest().endswith("^C\n")


@pytest.mark.parametrize("body", [b"a line, and half of", b"a line\n", b'{"a": 1'])
def test_what_went_wrong_has_a_line_of_its_own(start_terminal: StartTerminal, body: bytes) -> None:
    kind = b"application/json" if body.startswith(b"{") else b"text/plain"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: 99\r\n\r\n"
    with serving([head + body]) as server:
        terminal = start_terminal("get", server.url, no_proxy="*")
        assert terminal.wait() == 1
    shown, said = terminal.output.rest().splitlines()
    assert shown == body.decode().rstrip()
    assert f"get: {server.url[7:]} closed the connection after" in said


def test_a_password_is_asked_for(start_terminal: StartTerminal) -> None:
    with serving([okay(b"hello")]) as server:
        terminal = start_terminal("get", "-u", "me", server.url, no_proxy="*")
        terminal.output.until("^password for me: ")
        terminal.wait_for_modes((False, True))
        terminal.press("pw\n")
        assert terminal.wait() == 0
        assert "Authorization: Basic bWU6cHc=" in server.heads()[0]
    terminal.output.until("hello")
    assert "pw" not in terminal.output.text
    assert terminal.modes() == (True, True)


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "text"), [("en", "Ends with 0 when done"), ("zh", "成功以 0 结束")])
def test_help(get: Get, language: str, text: str) -> None:
    result = get("--help", PORTICO_LANG=language)
    assert result.code == 0
    shown = result.out.encode("latin-1").decode()
    assert text in shown
    assert "-c, --continue" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_nothing_heavy_is_loaded() -> None:
    with serving([okay(b"hello")]) as server:
        code = (
            "import sys\nfrom portico.cli.main import main\n"
            f"main(['get', '--no-proxy', '{server.url}'])\nprint(*sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded & {"asyncio", "uvloop", "ssl", "pygments", "hashlib", "urllib.parse", "portico.server.http"} == set()


def test_options_come_from_the_environment_but_not_those_of_servers(get: Get) -> None:
    with serving([okay(b"hello")]) as server:
        get(server.url, PORTICO_AGENT="env/1", PORTICO_HEADER="X-Served: 1", PORTICO_GET_HEADER="X-Asked: 1")
    head = server.heads()[0]
    assert "User-Agent: env/1" in head
    assert "X-Asked: 1" in head
    assert "X-Served: 1" not in head
