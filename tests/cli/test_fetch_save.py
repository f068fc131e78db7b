"""Where an answer is saved, what is said about it, and what is left when it could not be finished."""

import fcntl
import os
import pty
import signal
import socket
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.running import Output
from tests.client.stage import HOLD, Answer, okay, serving

from portico.cli.fetch_request import Asked
from portico.cli.fetch_save import Told, save
from portico.cli.words import Words
from portico.client.blocking import Client
from portico.client.pieces import Answered
from portico.client.proxies import Proxies
from portico.errors import Gone, Refused, UsageError
from portico.settings.asking import Keep

NAMED = 'Content-Disposition: attachment; filename="../报告.txt"'.encode().decode("latin-1")
CUT = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 10\r\n\r\nhello'
REST = b'HTTP/1.1 206 x\r\nETag: "1"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nworld'


class Shop:
    """A folder to save into, and a server that answers by a script."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def fetch(self, *script: Answer, path: str = "/a.txt", language: str = "en", **keep: object) -> int:
        told = Told(Words("zh" if language == "zh" else "en"), is_quiet=bool(keep.get("quiet")))
        if isinstance(keep.get("output"), str):
            keep["output"] = str(self.folder / str(keep["output"]))
        elif "output" not in keep:
            keep["output"] = str(self.folder)
        with serving(list(script)) as server, Client(proxies=Proxies()) as client:
            code = save(client, Asked("GET", server.url + path, (), None), Keep(**keep), told)  # type: ignore[arg-type]
            self.asked = server.heads()
        return code

    def said(self) -> str:
        return self._capfd.readouterr().err.replace(f"{self.folder}/", "")

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}


@pytest.fixture
def shop(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capfd)


@pytest.mark.parametrize(
    ("path", "lines", "name"),
    [("/a.txt", [], "a.txt"), ("/", [], "index.html"), ("/x", [NAMED], "报告.txt")],
)
def test_a_file_gets_the_servers_name(shop: Shop, path: str, lines: list[str], name: str) -> None:
    assert shop.fetch(okay(b"hello", *lines), path=path) == 0
    assert shop.files() == {name: b"hello"}
    assert shop.said().startswith(f"saved {name}, 5 B in ")
    assert "Accept-Encoding: identity" in shop.asked[0]


def test_a_name_that_is_taken_gets_a_number(shop: Shop) -> None:
    for _ in range(3):
        shop.fetch(okay(b"hello"), quiet=True)
    assert sorted(shop.files()) == ["a (2).txt", "a (3).txt", "a.txt"]
    assert shop.said() == ""
    shop.fetch(okay(b"news"), force=True)
    assert shop.files()["a.txt"] == b"news"


def test_a_name_of_ones_own_is_not_replaced_unless_asked(shop: Shop) -> None:
    assert shop.fetch(okay(b"hello"), output="b") == 0
    with pytest.raises(UsageError, match="b exists; --force replaces it"):
        shop.fetch(okay(b"news"), output="b")
    assert shop.fetch(okay(b"news"), output="b", force=True) == 0
    assert shop.files() == {"b": b"news"}


@pytest.mark.parametrize("output", ["a.txt", None])
def test_what_was_cut_off_goes_on(shop: Shop, output: str | None) -> None:
    where = {} if output is None else {"output": output}
    assert shop.fetch(CUT, **where) == 1
    assert sorted(shop.files()) == ["a.txt.part", "a.txt.part.json"]
    assert shop.said().endswith("after 5 of 10 bytes of the body; run it again with --continue\n")
    # The same server, on another port of this machine: the notes have to be of this URL.
    notes = shop.folder / "a.txt.part.json"
    with serving([REST]) as server, Client(proxies=Proxies()) as client:
        old = notes.read_text()
        notes.write_text(old.replace(old.split('"url": "')[1].split('"')[0], f"{server.url}/a.txt"))
        keep = Keep(output=str(shop.folder / output if output else shop.folder), continue_=True)
        assert save(client, Asked("GET", f"{server.url}/a.txt", (), None), keep, Told(Words("en"), is_quiet=False)) == 0
        assert "Range: bytes=5-" in server.heads()[0]
    assert shop.files() == {"a.txt": b"helloworld"}


def test_what_is_whole_is_not_fetched_again(shop: Shop) -> None:
    shop.fetch(okay(b"hello"), output="b", quiet=True)
    assert shop.fetch(okay(b"news"), output="b", continue_=True) == 0
    assert shop.asked == []
    assert shop.said() == "b is there already\n"


def test_the_name_of_a_url_without_a_scheme_is_its_own(shop: Shop) -> None:
    (shop.folder / "index.html").write_text("of somebody else")
    keep, told = Keep(output=str(shop.folder), continue_=True), Told(Words("en"), is_quiet=True)
    with serving([okay(b"hello")]) as server, Client(proxies=Proxies()) as client:
        url = f"{server.url}/a.txt".removeprefix("http://")
        assert save(client, Asked("GET", url, (), None), keep, told) == 0
    assert shop.files() == {"index.html": b"of somebody else", "a.txt": b"hello"}


def test_what_cannot_go_on_is_said_without_a_promise(shop: Shop) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    with pytest.raises(Gone, match="after 5 of 10 bytes"):
        shop.fetch(cut)


def test_an_answer_that_is_no_file(shop: Shop) -> None:
    with pytest.raises(Answered):
        shop.fetch(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
    assert shop.files() == {}


def test_a_pipe_gets_the_bytes_as_they_come(shop: Shop) -> None:
    pipe = shop.folder / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    assert shop.fetch(okay(b"hello"), output="pipe") == 0
    reader.join()
    assert got == [b"hello"]
    assert os.listdir(shop.folder) == ["pipe"]


def test_a_device_takes_no_error_page(shop: Shop) -> None:
    assert shop.fetch(okay(b"hello"), output="/dev/null") == 0
    with pytest.raises(Answered):
        shop.fetch(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", output="/dev/null")
    with pytest.raises(Refused, match="no space left on device"):
        shop.fetch(okay(b"hello"), output="/dev/full")


@contextmanager
def terminal_for_errors() -> Iterator[Output]:
    """Let standard error be a terminal of 80 columns meanwhile."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before, term = sys.stderr, os.environ.get("TERM")
    sys.stderr = open(slave, "w", closefd=False)
    os.environ["TERM"] = "xterm"
    try:
        yield Output(master)
    finally:
        sys.stderr.close()
        sys.stderr = before
        os.environ.pop("TERM") if term is None else os.environ.update(TERM=term)
        os.close(slave)
        os.close(master)


class Slowly:
    """Sends a body in two halves; between them the line of progress is read."""

    def __init__(self, output: Output, pattern: str) -> None:
        self._output = output
        self._pattern = pattern

    def __call__(self, sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        self._output.until(self._pattern)
        sock.sendall(b"world")


@pytest.mark.parametrize("output", ["a", "/dev/null"])
def test_progress_on_a_terminal(shop: Shop, output: str) -> None:
    with terminal_for_errors() as seen:
        assert shop.fetch(Slowly(seen, r" 50% .*5 B of 10 B"), output=output) == 0
        os.write(sys.stderr.fileno(), b"end")
        seen.until("end")
    assert b"\r\x1b[K" in seen.raw


def test_progress_of_what_is_not_saved() -> None:
    with terminal_for_errors() as seen:
        told = Told(Words("en"), is_quiet=False)
        with told.progress(is_wanted=True, total=10) as came:
            assert came is not None
            came(5)
            seen.until(" 50% ")
        with told.progress(is_wanted=False, total=10) as came:
            assert came is None
        with Told(Words("en"), is_quiet=True).progress(is_wanted=True, total=10) as came:
            assert came is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('ETag: "1"\r\n', "stopped at 5 B; the same line with --continue goes on\n"),
        ("", "stopped at 5 B; a.part is not whole\n"),
        (None, ""),
    ],
)
def test_an_interruption(shop: Shop, lines: str | None, said: str) -> None:
    def interrupt(sock: socket.socket, request: bytes) -> None:
        if lines is not None:
            sock.sendall(f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 10\r\n\r\nhello".encode())
            part = shop.folder / "a.part"
            while not part.exists() or part.stat().st_size < 5:
                assert shop.folder.exists()
        os.kill(os.getpid(), signal.SIGINT)
        HOLD(sock, request)

    with pytest.raises(KeyboardInterrupt):
        shop.fetch(interrupt, output="a")
    assert shop.said() == said


def test_remarks_in_chinese(shop: Shop) -> None:
    (shop.folder / "a.txt.part").write_bytes(b"old")
    shop.fetch(okay(b"hello"), output="a.txt", continue_=True, language="zh")
    shop.fetch(okay(b"hello"), force=True, language="zh")
    first, second = shop.said().splitlines()
    assert first == "a.txt.part 的来源不明；将重新下载"
    assert second.startswith("已保存 a.txt，5 B，用时 ")
