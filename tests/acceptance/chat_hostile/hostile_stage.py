"""A real `portico chat` in a process of its own, and what somebody who means it no good has: sockets and bytes.

    with Chat(folder) as chat:
        number, token = chat.person("visitor", "Ann")
        with chat.socket(token) as somebody:
            somebody.ask("me")

People are put into the database beside the running server, so that no limit on signing in stands in the way of a test
of something else. Everything waits with a deadline. `Chat.log` is what the server has said: a fault of ours shows there
as a traceback, and every test ends by looking.
"""

import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets.sync.client
from tests.cli.running import environment
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from portico.apps.chat import people
from portico.apps.chat.house import DATABASE
from portico.apps.chat.log import Change

PATIENCE_S = 20.0
_BANNER = re.compile(r"http://localhost:(\d+)/(?:#(\S+))?")
_LINES = re.compile(r"tcp://localhost:(\d+)")
_DATAGRAMS = re.compile(r"udp://localhost:(\d+)")
_PER_PERSON = 40  # asked by a guest before the limits say no

Frame = dict[str, Any]


class Chat:
    """See the module. options: of the command, beside data and ports."""

    port: int
    line_port: int
    udp_port: int

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._log_path = folder.with_name(f"{folder.name}.log")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Chat":
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start the server; return once it takes connections."""
        words = ["chat", "--data", str(self.folder), "--fast", "-p", "0", "--line-port", "0", "--udp-port", "0"]
        with self._log_path.open("ab") as log:
            log_start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "portico", *words, *self._options],
                cwd=self._log_path.parent,
                env=environment(PYTHONUNBUFFERED="1"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.port, self.line_port, self.udp_port = (
            int(self._said(pattern, log_start)[1]) for pattern in (_BANNER, _LINES, _DATAGRAMS)
        )
        until(lambda: _is_open(self.port), "the port is open")

    def _said(self, pattern: re.Pattern[str], start: int) -> re.Match[str]:
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(filter(None, [pattern.search(self.log_bytes[start:].decode(errors="replace"))]))
            return bool(found)

        until(look, f"{pattern.pattern} in {self.log_bytes!r}")
        return found[0]

    def stop(self) -> str:
        """Stop the server; return what it has said. Fails where it had to be killed, or failed."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(PATIENCE_S) == 0, self.log
        finally:
            process.kill()
            process.wait()
        self.check()
        return self.log

    def kill(self) -> None:
        """Kill the server, as a power failure does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def check(self) -> None:
        """Fail where something went wrong in the server."""
        assert "Traceback" not in self.log, self.log
        assert "never retrieved" not in self.log, self.log

    @property
    def log_bytes(self) -> bytes:
        """What the server has written, banner and access log and errors."""
        return self._log_path.read_bytes() if self._log_path.exists() else b""

    @property
    def log(self) -> str:
        """The same as text."""
        return self.log_bytes.decode(errors="replace")

    @property
    def url(self) -> str:
        """Where the pages are, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    # beside the server

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Open the database that the server has open too."""
        with closing(sqlite3.connect(self.folder / DATABASE, timeout=PATIENCE_S, isolation_level=None)) as db:
            yield db

    def person(self, kind: str, name: str, *, login: str = "", password: str = "") -> tuple[int, str]:
        """Make a person who is signed in; return the number and the token."""
        with self.database() as db:
            db.execute("BEGIN IMMEDIATE")
            change = Change(db, time.time_ns() // 1_000_000, [])
            number = people.add_person(change, kind, name, login=login, password=password)
            token = people.add_device(change, number, "test")
            db.execute("COMMIT")
        return number, token

    def rows(self, query: str, *values: object) -> list[Any]:
        """Look something up."""
        with self.database() as db:
            return db.execute(query, values).fetchall()

    # ways in

    @contextmanager
    def socket(self, token: str, **fields: str) -> Iterator["Somebody"]:
        """Be somebody on a WebSocket, who has said hello. fields: further ones of the handshake."""
        with self.bare_socket(**fields) as connection:
            somebody = Somebody(connection)
            somebody.send({"t": "hello", "v": 1, "tok": token})
            somebody.heard(lambda frame: frame["t"] == "welcome")
            yield somebody

    def bare_socket(self, **fields: str) -> websockets.sync.client.ClientConnection:
        """Open a WebSocket, and say nothing yet."""
        return websockets.sync.client.connect(
            f"ws://127.0.0.1:{self.port}/ws",
            subprotocols=[Subprotocol("portico.chat.v1")],
            compression=None,
            max_size=None,
            proxy=None,
            additional_headers={name.replace("_", "-"): value for name, value in fields.items()},
            open_timeout=PATIENCE_S,
            ping_interval=None,
            close_timeout=PATIENCE_S,
        )

    @contextmanager
    def netcat(self) -> Iterator["Netcat"]:
        """Be somebody at netcat."""
        with socket.create_connection(("127.0.0.1", self.line_port), PATIENCE_S) as sock:
            yield Netcat(sock)

    @contextmanager
    def sender(self) -> Iterator["Sender"]:
        """Be a program that sends datagrams."""
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.connect(("127.0.0.1", self.udp_port))
            yield Sender(sock)

    def http(self, token: str = "", **options: Any) -> httpx.Client:
        """Ask over HTTP. token: "" for nobody."""
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=fields, trust_env=False, timeout=PATIENCE_S, **options)


class Somebody:
    """One connection of one person. received: every frame, as text."""

    def __init__(self, connection: websockets.sync.client.ClientConnection) -> None:
        self._connection = connection
        self._count = 0
        self._frames: list[Frame] = []
        self.received: list[str] = []

    def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame."""
        self.send_raw(json.dumps(frame))

    def send_raw(self, text: str | bytes) -> None:
        """Send a message as it is."""
        self._connection.send(text)

    def heard(self, is_it: Callable[[Frame], object]) -> Frame:
        """Wait for a frame, which may have come already; it is not found again."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            for number, frame in enumerate(self._frames):
                if is_it(frame):
                    return self._frames.pop(number)
            self._take(max(0.0, deadline_s - time.monotonic()))

    def _take(self, wait_s: float) -> None:
        text = str(self._connection.recv(wait_s))
        self.received.append(text)
        self._frames += [json.loads(line) for line in text.split("\n")]

    def ask(self, op: str, /, **arguments: Any) -> Frame:
        """Ask for an operation; return what answers it: `ok`, or `err` with a code."""
        self._count += 1
        number = self._count
        self.send({"t": "ask", "id": number, "op": op, **arguments})
        return self.answer(number)

    def get(self, conversation: int, **bounds: int) -> Frame:
        """Ask for a part of the log; return what answers it: `page`, or `err` with a code."""
        self._count += 1
        number = self._count
        self.send({"t": "get", "id": number, "c": conversation, **bounds})
        return self.answer(number)

    def answer(self, number: int) -> Frame:
        """Wait for what answers a question, which has no number where the question was not even a frame."""

        def is_it(frame: Frame) -> bool:
            is_unread = frame["t"] == "err" and not frame.keys() & {"id", "c"}
            return is_unread or (frame.get("id") == number and frame["t"] in ("ok", "err", "page"))

        return self.heard(is_it)

    def say(self, conversation: int, text: str, **more: Any) -> Frame:
        """Send a message; return its ack or nack."""
        self._count += 1
        cid = f"own-{id(self)}-{self._count}"
        self.send({"t": "send", "cid": cid, "c": conversation, "b": {"text": text}, **more})
        return self.heard(lambda frame: frame.get("cid") == cid and frame["t"] in ("ack", "nack"))

    def settle(self) -> None:
        """Wait until what was sent is answered: what is asked last is answered last."""
        self.ask("me")

    def end(self) -> tuple[int, str]:
        """Wait for the server to close; return how it did."""
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while True:
                self._take(max(0.0, deadline_s - time.monotonic()))
        except ConnectionClosed as exc:
            return (exc.rcvd.code, exc.rcvd.reason) if exc.rcvd else (1006, "")


class Netcat:
    """A TCP connection to the port for lines. received: every byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.received = b""
        self.sock = sock
        sock.settimeout(PATIENCE_S)
        self._seen = 0

    def type(self, *lines: str) -> None:
        """Type lines."""
        self.sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def until(self, words: str | bytes) -> bytes:
        """Read until some words come; return what came since the last time, up to the end of their line."""
        wanted = words if isinstance(words, bytes) else words.encode()
        while (found := self.received.find(wanted, self._seen)) < 0 or self.received.find(b"\n", found) < 0:
            piece = self.sock.recv(65_536)
            assert piece, f"{words!r} did not come in {self.received[self._seen :]!r}"
            self.received += piece
        end = self.received.find(b"\n", found) + 1
        since, self._seen = self.received[self._seen : end], end
        return since

    def rest(self) -> bytes:
        """End our side; return everything that still comes."""
        self.sock.shutdown(socket.SHUT_WR)
        while piece := self.sock.recv(65_536):
            self.received += piece
        return self.received[self._seen :]


class Sender:
    """A UDP socket. received: every datagram."""

    def __init__(self, sock: socket.socket) -> None:
        self.received: list[bytes] = []
        self.sock = sock
        sock.settimeout(PATIENCE_S)

    def ask(self, datagram: str | bytes) -> bytes:
        """Send a datagram; return what comes next."""
        self.sock.send(datagram if isinstance(datagram, bytes) else datagram.encode())
        return self.receive()

    def receive(self) -> bytes:
        """Wait for a datagram."""
        self.received.append(self.sock.recv(65_536))
        return self.received[-1]

    def until(self, start: str) -> bytes:
        """Wait for a datagram that begins so."""
        while not (found := self.receive()).startswith(start.encode()):
            pass
        return found


class Crowd:
    """As many people of one kind as are needed, so that nobody asks faster than the limits allow."""

    def __init__(self, chat: Chat, kind: str) -> None:
        self._chat = chat
        self._kind = kind
        self._left = 0
        self._opened: Any = None
        self.received: list[str] = []
        self.somebody: Somebody

    def ask(self, op: str, beside: Frame | None = None, /, **arguments: Any) -> Frame:
        """Have somebody ask. beside: a frame that is sent before, and may be answered in any way."""
        if not self._left:
            self.renew()
        self._left -= 1
        try:
            if beside is not None:
                self.somebody.send(beside)
            return self.somebody.ask(op, **arguments)
        except ConnectionClosed:  # signed out by what was asked, as it should be
            self._left = 0
            return {"t": "closed"}

    def renew(self) -> None:
        """Let somebody else go on."""
        self.close()
        _, token = self._chat.person(self._kind, "Nobody in particular")
        self._opened = self._chat.socket(token)
        self.somebody = self._opened.__enter__()
        self._left = _PER_PERSON

    def close(self) -> None:
        """Let the last one go."""
        if self._opened is not None:
            self.received += self.somebody.received
            self._opened.__exit__(None, None, None)
            self._opened = None


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so, which nobody tells of."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s, f"it is still not so: {what}"
        select.select([], [], [], 0.01)


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def run(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of portico to its end. env: further variables of the environment."""
    return subprocess.run(
        [sys.executable, "-m", "portico", *words],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def descriptors(pid: int) -> int:
    """Count what a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
