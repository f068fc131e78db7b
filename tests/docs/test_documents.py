"""What the documents say is run.

    ```console    a session in a terminal: each `$ command` is run, and what it prints must be what the page shows
    ```python     a program: it ends by itself without an error, or it serves, and the blocks after it are its clients
    ```sh         not run: commands that install something, or that listen beyond this machine
    ```nginx      given to nginx, with Portico behind it

One port stands for 8000 everywhere. A server is stopped, as by Ctrl-C, where the next one begins and where the page
ends; a console block without a command shows what it said meanwhile. Times, durations, entity tags and the ports of
clients may differ, and a line of dots stands for any number of lines.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from portico.cli.group import CommandGroup
from portico.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")
TOP_PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md")
DEADLINE_S = 20.0
SERVING = "serve|run|greet|reply|echo|time|temperature"

PAGES = sorted([ROOT / name for name in TOP_PAGES] + list((ROOT / "docs").rglob("*.md")))
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK_LANGUAGES = {"console", "python", "sh", "nginx", "ini", "text"}


class Block(NamedTuple):
    """A fenced block of a page. line: of its first line of text, counted from 1."""

    line: int
    language: str
    text: str


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    found = []
    lines = page.read_text("utf-8").split("\n")
    start = -1
    for number, line in enumerate(lines):
        if line.startswith("```") and start < 0:
            start = number
        elif line.startswith("```"):
            found.append(Block(start + 2, lines[start][3:].strip(), "\n".join(lines[start + 1 : number])))
            start = -1
    assert start < 0, f"{page}:{start + 1}: this block has no end"
    return tuple(found)


def prose(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))


def code_spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def environment(page: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PORTICO_", "LC_", "COVERAGE"))}
    language = "zh" if "zh" in str(page.relative_to(ROOT)) else "en"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {
        "PATH": path,
        "PORTICO_LANG": language,
        "PORTICO_PORT": str(port),
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": "*",
        "PYTHONUNBUFFERED": "1",
    }


_VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+Z)?"), "TIME"),
    (re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:[\d:]+ [+-]\d{4}"), "TIME"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT"), "DATE"),
    (re.compile(r" +\d+(\.\d+)? m?s\b"), " DURATION"),
    (re.compile(r'"duration": [\d.]+'), "DURATION"),
    (re.compile(r"用时 \d+ 秒"), "DURATION"),
    (re.compile(r'"[0-9a-f]{15,16}-'), '"VERSION-'),
    (re.compile(r"curl/[\d.]+"), "curl/VERSION"),
    (re.compile(r"\(pid \d+\)"), "(pid N)"),
    (re.compile(r"(?m)^\[\d\d:\d\d\] "), "[TIME] "),
    (re.compile(r"[(（][\d.]+ [KMG]?B/s[)）]"), "(RATE)"),
    (re.compile(r"(127\.0\.0\.1|\[::1\]):\d{5}\b *"), "CLIENT "),
]


def comparable(text: str) -> list[str]:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.rstrip().split("\n")]


def matches(seen: list[str], shown: list[str]) -> bool:
    """Tell whether lines are those that a page shows, where a line of dots stands for any number of them."""
    if not shown:
        return not seen
    if shown[0].strip() == "...":
        return any(matches(seen[start:], shown[1:]) for start in range(len(seen) + 1))
    return bool(seen) and seen[0] == shown[0] and matches(seen[1:], shown[1:])


def is_open(port: int) -> bool:
    """Tell whether somebody takes connections or datagrams there."""
    with suppress(OSError), socket.create_connection(("localhost", port), 1):
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        asking.connect(("127.0.0.1", port))
        asking.send(b"")
        try:
            asking.recv(1)
        except ConnectionRefusedError:
            return False
        except TimeoutError:
            pass  # silence: nobody says that there is nobody
        return True


class Served:
    """A program that may turn out to be a server. output: what it has said, in a file."""

    def __init__(self, words: list[str], folder: Path, env: dict[str, str]) -> None:
        self._output = folder / f"output-{time.monotonic_ns()}"
        self._is_portico = "portico" in words
        with self._output.open("wb") as sink:
            self.process = subprocess.Popen(
                words, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
            )

    def wait(self, port: int, lines: int) -> bool:
        """Wait until it has ended, or serves and has said so many lines. Returns whether it serves."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            # Portico opens its port before it looks at the folder, and says where it is once it serves.
            is_ready = "➜" in self.output() if self._is_portico else is_open(port)
            if is_ready and len(self.output().rstrip().split("\n")) >= lines:
                return True
            self.has_ended(0.02)
        assert self.process.poll() is not None, f"it neither ended nor served: {self.output()}"
        return False

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for its end, so long at most."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        return self.process.poll() is not None

    def output(self) -> str:
        return self._output.read_text("utf-8")

    def stop(self) -> str:
        """Press Ctrl-C, and return everything it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(DEADLINE_S)
        return self.output()


class Terminal:
    """Runs the blocks of one page in an empty folder that has only `examples` in it."""

    def __init__(self, page: Path, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        # What commands keep for a user is kept here.
        homes = {f"XDG_{name}_HOME": f"{folder}/.{name.lower()}" for name in ("CONFIG", "STATE", "DATA")}
        self._env = environment(page, self.port) | homes
        self._folder = folder
        self._served: Served | None = None
        self._printed = 0  # lines of the server's output that a block has shown
        (folder / "examples").symlink_to(ROOT / "examples")

    def run(self, block: Block) -> str:
        """Run a block; return it as it should be shown."""
        if block.language == "python":
            self._program(block.text)
            return block.text
        if not block.text.startswith("$ "):
            return self._rest(block.text)
        # With its line ends escaped, a command may go over several lines.
        parts = re.split(r"(?m)^\$ ((?:.*\\\n)*.*)\n?", block.text)[1:]
        return "\n".join(self._command(*pair) for pair in zip(parts[::2], parts[1::2], strict=True))

    def _program(self, text: str) -> None:
        words = [sys.executable, "-c", self._ported(text)]
        if re.search(r"import portico|from portico(?! import .*\bclient\b)", text):
            self._start(words, "")
        else:  # a client of the server that runs
            client = Served(words, self._folder, self._env)
            assert client.has_ended(DEADLINE_S), "this program does not end"
            assert client.process.returncode == 0, client.output()

    def _command(self, command: str, shown: str) -> str:
        unquoted = re.sub(r"'[^']*'", "", command)
        if re.match(rf"(portico ({SERVING})|python (-m portico|examples/))\b[^;|&]*\Z", unquoted):
            output = self._start(shlex.split(self._ported(command), comments=True), shown)
        else:
            done = subprocess.run(
                ["bash", "-c", self._ported(command)],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=DEADLINE_S,
                check=False,
            )
            output = done.stdout.decode()
        return f"$ {command}\n{self._unported(output)}".rstrip()

    def _start(self, words: list[str], shown: str) -> str:
        """Start a program. Returns all it says if it ends, the first of it if it serves."""
        self.close()
        expected = shown.rstrip().count("\n") + 1 if shown.strip() else 0
        served = Served(words, self._folder, self._env)
        self._served = served
        if served.wait(self.port, expected):
            self._printed = expected
            return "\n".join(served.output().split("\n")[:expected])
        self._served = None
        if "-c" in words:
            assert served.process.returncode == 0, served.output()
        return served.output()

    def _rest(self, shown: str) -> str:
        """Stop the server, and return what it has said since the block that started it."""
        assert self._served is not None, "no server runs whose output this could be"
        output = self._served.stop()
        self._served = None
        lines = self._unported(output).split("\n")[self._printed :]
        if "^C" in shown.split("\n"):
            lines.insert(len(lines) - 2, "^C")
        return "\n".join(lines).strip("\n")  # an empty line parts the first lines of a server from its log

    def close(self) -> None:
        if self._served is not None:
            self._served.stop()
            self._served = None

    def _ported(self, text: str) -> str:
        return re.sub(r"\b8000\b", str(self.port), text)

    def _unported(self, text: str) -> str:
        text = text.replace(f"{self._folder}/", "/home/you/").replace("\r\n", "\n")
        return re.sub(rf"\b{self.port}\b", "8000", text)


@contextmanager
def terminal(page: Path, folder: Path) -> Iterator[Terminal]:
    opened = Terminal(page, folder)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_example_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    runnable = [block for block in blocks(page) if block.language in ("console", "python")]
    if any("curl" in block.text for block in runnable) and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with terminal(page, tmp_path) as session:
        for block in runnable:
            seen = session.run(block)
            assert matches(comparable(seen), comparable(block.text)), f"{page}:{block.line} now shows:\n{seen}"


# pages, links, names


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= BLOCK_LANGUAGES


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        name, _, fragment = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists():
            missing.append(target)
        elif fragment and anchor(fragment) not in map(anchor, re.findall(r"(?m)^#+ (.+)$", there.read_text("utf-8"))):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_file_that_is_named_exists(page: Path) -> None:
    places = [ROOT, ROOT / "src/portico", ROOT / "src/portico/apps", page.parent]
    named = {span for span in code_spans(page) if re.fullmatch(r"\.?[\w.-]+(/[\w.-]+)*/?", span) and "/" in span}
    assert sorted(name for name in named if not any((place / name).exists() for place in places)) == []


def tree(language: str) -> set[str]:
    folder = ROOT / "docs" / language
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_both_languages_have_the_same_pages() -> None:
    assert tree("en") == tree("zh")
    assert tree("en") != set()


def commands(page: Path) -> list[tuple[str, object]]:
    """Return what a page has a reader do: commands without their output, programs whole."""
    return [
        (
            block.language,
            re.findall(r"(?m)^\$ .*", block.text) if block.language == "console" else without_remarks(block),
        )
        for block in blocks(page)
    ]


def without_remarks(block: Block) -> str:
    return re.sub(r"(?m) +# .*$", "", block.text)


# Shown where a page is about mistakes.
MISTYPED = {"--spaa"}
PAIRS = [("README.md", "README.zh-CN.md"), *((f"docs/en/{name}", f"docs/zh/{name}") for name in sorted(tree("en")))]


@pytest.mark.parametrize(("en", "zh"), PAIRS, ids=[en for en, _ in PAIRS])
def test_both_languages_have_the_reader_do_the_same(en: str, zh: str) -> None:
    assert commands(ROOT / en) == commands(ROOT / zh)
    assert prose(ROOT / en).count("\n#") == prose(ROOT / zh).count("\n#")


@cache
def option_names() -> frozenset[str]:
    group = CommandGroup("portico", COMMANDS, ())
    commands = [group.get_command(click.Context(group), name) for name in COMMANDS]
    for outer in [command for command in commands if isinstance(command, click.Group)]:
        context = click.Context(outer)
        commands += [outer.get_command(context, name) for name in outer.list_commands(context)]
    parameters = [parameter for command in commands if command is not None for parameter in command.params]
    # The rest are those of every command, and of python -m http.server.
    others = {"--help", "--version", "--config", "--directory", "--protocol"}
    return frozenset(name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)) | others


def options_in(page: Path) -> set[str]:
    ours = [
        part
        for block in blocks(page)
        for line in block.text.replace("\\\n", " ").split("\n")
        for part in line.split("|")
        if re.match(r"(\$ |ExecStart=\S*| )?(portico|python -m portico)\b", part)
    ]
    found = re.findall(r"(?<!\S)--[a-z][a-z0-9-]+", " ".join(ours))
    return {*found, *(span.split()[0] for span in code_spans(page) if span.startswith("--"))} - MISTYPED


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_option_that_is_named_exists(page: Path) -> None:
    assert options_in(page) - option_names() == set()


@cache
def identifiers() -> frozenset[str]:
    sources = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]
    return frozenset(re.findall(r"[A-Za-z_]\w*", "\n".join(sources)))


@pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)
def test_every_name_of_the_code_is_in_the_code(page: Path) -> None:
    dotted = [span.removesuffix("()") for span in code_spans(page) if re.fullmatch(r"[A-Z]\w+\.[a-z_]+(\(\))?", span)]
    assert sorted(name for name in dotted if not set(name.split(".")) <= identifiers()) == []


def test_the_generated_pages_are_what_the_settings_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# beside python -m http.server


class Answers(NamedTuple):
    """What one server says to the requests behind the table. peers: the host of each listening socket."""

    plain: HTTPResponse
    ranged: HTTPResponse
    revalidated: HTTPResponse
    packed: HTTPResponse
    dotfile: HTTPResponse
    outside: HTTPResponse
    rebound: HTTPResponse


def ask(port: int, path: str, **fields: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Answers, Answers]]:
    """Serve one folder with both; yields what `python -m http.server` says, then what Portico says."""
    top = tmp_path_factory.mktemp("beside")
    (top / "site").mkdir()
    (top / "site/page.txt").write_text("a line of text\n" * 200)
    (top / "site/.env").write_text("SECRET=1\n")
    (top / "secret.txt").write_text("secret\n")
    (top / "site/out.txt").symlink_to(top / "secret.txt")
    commands = (["-m", "http.server", "-b", "127.0.0.1", "-d", "site"], ["-m", "portico", "serve", "site", "-p"])
    with ExitStack() as stack:
        found = []
        for words in commands:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = int(probe.getsockname()[1])
            served = Served([sys.executable, *words, str(port)], top, environment(ROOT / "README.md", port))
            stack.callback(served.stop)
            assert served.wait(port, 0)
            plain = ask(port, "/page.txt")
            found.append(
                Answers(
                    plain,
                    ask(port, "/page.txt", Range="bytes=5-8"),
                    ask(port, "/page.txt", If_None_Match=plain.getheader("ETag") or '"none"'),
                    ask(port, "/page.txt", Accept_Encoding="gzip"),
                    ask(port, "/.env"),
                    ask(port, "/out.txt"),
                    ask(port, "/page.txt", Host="rebound.example"),
                )
            )
        yield found[0], found[1]


# The rows of the README's table, in its order: the field of Answers, the two statuses.
COMPARED = [("ranged", 200, 206), ("revalidated", 200, 304), ("dotfile", 200, 404), ("outside", 200, 404)]
COMPARED += [("rebound", 200, 421), ("packed", 200, 200)]


@pytest.mark.parametrize("row", COMPARED, ids=[row[0] for row in COMPARED])
def test_both_servers_answer_as_the_table_says(row: tuple[str, int, int], answers: tuple[Answers, Answers]) -> None:
    name, theirs, ours = row
    assert [getattr(each, name).status for each in answers] == [theirs, ours]


def test_only_one_of_both_compresses_and_keeps_connections(answers: tuple[Answers, Answers]) -> None:
    assert [each.packed.getheader("Content-Encoding") for each in answers] == [None, "gzip"]
    assert [each.plain.version for each in answers] == [10, 11]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_table_has_the_rows_that_are_tested(name: str) -> None:
    rows = re.findall(r"(?m)^\| (?!-)(.+) \| (.+) \| (.+) \|$", (ROOT / name).read_text("utf-8"))[1:]
    shown = [re.findall(r"\b(\d{3})\b", f"{theirs} {ours}") for _, theirs, ours in rows if "HTTP/1" not in theirs]
    assert shown == [[str(theirs), str(ours)] for _, theirs, ours in COMPARED]


# behind another server, and under systemd

PROXY_PAGE = ROOT / "docs/en/howto/behind-nginx.md"


def nginx() -> str:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or pytest.skip("nginx is not installed")


def test_nginx_takes_the_configuration_and_finds_portico_behind_it(tmp_path: Path) -> None:
    program = nginx()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    (tmp_path / "site").mkdir()
    (tmp_path / "site/hello.txt").write_text("hello\n")
    own = str(tmp_path / "portico.sock")
    server = next(block.text for block in blocks(PROXY_PAGE) if block.language == "nginx")
    server = server.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("/run/portico/portico.sock", own)
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{server}\n}}\n"
    )
    env = environment(PROXY_PAGE, 0)
    with ExitStack() as stack:
        words = ["portico", "serve", "site", "--bind", f"unix:{own}", "--host-name", "files.example"]
        portico = Served(words, tmp_path, {name: value for name, value in env.items() if name != "PORTICO_PORT"})
        stack.callback(portico.stop)
        front = Served([program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], tmp_path, env)
        stack.callback(front.stop)
        assert front.wait(port, 0), front.output()
        deadline = time.monotonic() + DEADLINE_S
        while not Path(own).exists() and time.monotonic() < deadline and not portico.has_ended(0.02):
            pass
        statuses = [ask(port, "/hello.txt", Host=host).status for host in ("files.example", "other.example")]
    assert statuses == [200, 421]


def test_the_unit_starts_a_server_that_ends_well_when_told(tmp_path: Path) -> None:
    unit = next(block.text for block in blocks(PROXY_PAGE) if block.language == "ini")
    words = shlex.split(re.findall(r"(?m)^ExecStart=(.*)$", unit)[0])
    words = ["portico", *words[1:]]
    (tmp_path / "site").mkdir()
    words = [word.replace("/srv/site", "site").replace("/run/portico", str(tmp_path)) for word in words]
    env = environment(PROXY_PAGE, 0)
    served = Served(words, tmp_path, {name: value for name, value in env.items() if name != "PORTICO_PORT"})
    try:
        deadline = time.monotonic() + DEADLINE_S
        while "unix:" not in served.output() and time.monotonic() < deadline and not served.has_ended(0.02):
            pass
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(DEADLINE_S) == 0, served.output()
    finally:
        served.stop()
