"""A download is whole or it is not there: cut off, changed, refused, in pieces, on one connection or on several."""

import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.client.stage import Server, serving

from portico.client.blocking import Client
from portico.client.download import Order, Saved, Watch, download
from portico.client.part_file import Notes, PartFile, Piece
from portico.client.pieces import LEAST_PIECE, Answered
from portico.client.proxies import Proxies
from portico.errors import ConfigError, Gone, PeerError, Refused, UsageError

SMALL = bytes(range(256)) * 40
LARGE = hashlib.shake_128(b"large").digest(LEAST_PIECE * 2 + 12_345)
NEWS = b"n" + LARGE[1:]
_RANGE = re.compile(rb"\r\nRange: bytes=(\d+)-(\d*)\r\n")
_IF_RANGE = re.compile(rb"\r\nIf-Range: ([^\r]*)\r\n")


@dataclass
class Shelf:
    """A file on a server with ranges. Each request is numbered from 0.

    cut: request number -> bytes of its body after which the connection ends. instead: number -> a whole answer.
    changes_at: from this request on the file is another. validator: its line, "" for none.
    """

    data: bytes = LARGE
    validator: str = 'ETag: "1"'
    cut: dict[int, int] = field(default_factory=dict)
    instead: dict[int, bytes] = field(default_factory=dict)
    changes_at: int = 1_000_000
    has_ranges: bool = True
    lines: str = ""
    asked: list[tuple[int, int] | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, sock: socket.socket, request: bytes) -> None:
        span = _RANGE.search(request)
        with self.lock:
            number = len(self.asked)
            self.asked.append((int(span[1]), int(span[2] or -1)) if span else None)
        data, validator = self.data, self.validator
        if number >= self.changes_at:
            data, validator = NEWS[: len(data)], validator.replace('"1"', '"2"')
        answer = self.instead.get(number) or self.answer(data, validator, request)
        head, _, body = answer.partition(b"\r\n\r\n")
        if number in self.cut:
            sock.sendall(head + b"\r\n\r\n" + body[: self.cut[number]])
            sock.shutdown(socket.SHUT_RDWR)
        else:
            sock.sendall(answer)

    def answer(self, data: bytes, validator: str, request: bytes) -> bytes:
        span, held = _RANGE.search(request), _IF_RANGE.search(request)
        is_same = held is None or held[1].decode() in validator
        lines = f"{validator}\r\n" * bool(validator) + self.lines
        if span is None or not is_same or not self.has_ranges:
            return f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n{lines}\r\n".encode() + data
        first, last = int(span[1]), int(span[2] or len(data) - 1)
        if first >= len(data):
            return b"HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n"
        body = data[first : last + 1]
        where = f"bytes {first}-{first + len(body) - 1}/{len(data)}"
        return f"HTTP/1.1 206 x\r\nContent-Range: {where}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


@contextmanager
def shelved(shelf: Shelf) -> Iterator[Server]:
    with serving([shelf] * 100) as server:
        yield server


class Task:
    """One order, carried out any number of times."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.bin"
        self.part = folder / "a.bin.part"
        self.remarks: list[str] = []

    def fetch(self, server: Server, **order: object) -> Saved:
        self.watch = Watch(self.remarks.append)
        asked: dict[str, object] = {
            "url": f"{server.url}/a",
            "choose": lambda _: str(self.path),
            "path": str(self.path),
        }
        with Client(proxies=Proxies()) as client:
            return download(client, Order(**{**asked, **order}), self.watch)  # type: ignore[arg-type]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path.parent))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(tmp_path)


# --- one answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", None])
def test_a_file_is_saved_whole(task: Task, path: str | None) -> None:
    with shelved(Shelf(SMALL)) as server:
        saved = task.fetch(server, **({} if path is None else {"path": path}))
    assert saved == Saved(str(task.path), len(SMALL), 0)
    assert task.path.read_bytes() == SMALL
    assert task.names() == ["a.bin"]
    assert (task.watch.done, task.watch.total) == (len(SMALL), len(SMALL))
    assert task.remarks == []


def test_an_empty_file_and_one_without_a_length(task: Task) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with shelved(Shelf(b"", instead={1: chunked})) as server:
        assert task.fetch(server).size == 0
        assert task.fetch(server, replace=True).size == 5
    assert task.path.read_bytes() == b"hello"
    assert task.watch.total is None


@pytest.mark.parametrize("status", [204, 299])
def test_any_success_is_a_file(task: Task, status: int) -> None:
    with shelved(Shelf(instead={0: f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode()})) as server:
        assert task.fetch(server).size == 0


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("status", [304, 404, 503])
def test_an_answer_that_is_no_file_leaves_nothing(task: Task, status: int, parallel: int) -> None:
    answer = f"HTTP/1.1 {status} Why\r\nContent-Length: 0\r\n\r\n".encode()
    with shelved(Shelf(instead={0: answer})) as server, pytest.raises(Answered) as caught:
        task.fetch(server, parallel=parallel)
    assert str(caught.value) == f"the server answers {status} Why; nothing is saved"
    assert caught.value.status == status
    assert task.names() == []


def test_what_is_cut_off_stays_a_part(task: Task) -> None:
    with shelved(Shelf(SMALL, cut={0: 1000})) as server, pytest.raises(Gone, match="after 1000 of 10240 bytes"):
        task.fetch(server)
    assert task.part.read_bytes() == SMALL[:1000]
    assert task.names() == ["a.bin.part", "a.bin.part.json"]
    assert task.watch.can_resume
    assert task.watch.part == str(task.part)


def test_what_has_no_validator_cannot_be_resumed(task: Task) -> None:
    with shelved(Shelf(SMALL, validator="", cut={0: 1000})) as server:
        with pytest.raises(Gone):
            task.fetch(server)
        assert not task.watch.can_resume
        assert task.names() == ["a.bin.part"]
        assert task.fetch(server, resume=True) == Saved(str(task.path), len(SMALL), 0)
    assert task.remarks == [f"nothing is known of {task.part}; it is fetched anew"]
    assert task.path.read_bytes() == SMALL


def test_a_file_that_is_there_is_replaced_only_where_that_is_wanted(task: Task) -> None:
    task.path.write_bytes(b"old")
    with shelved(Shelf(SMALL)) as server:
        with pytest.raises(Refused, match="has appeared meanwhile"):
            task.fetch(server)
        assert task.path.read_bytes() == b"old"
        task.fetch(server, replace=True)
    assert task.path.read_bytes() == SMALL


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with shelved(Shelf(SMALL)) as server, pytest.raises(ConfigError, match=r"cannot write .*missing"):
        Task(tmp_path / "missing").fetch(server)


@pytest.mark.parametrize("is_right", [True, False])
def test_checksums(task: Task, is_right: bool) -> None:
    digest = hashlib.sha256(SMALL).hexdigest() if is_right else "0" * 64
    with shelved(Shelf(SMALL)) as server:
        if is_right:
            task.fetch(server, sha256=digest.upper())
        else:
            with pytest.raises(Refused, match=f"SHA-256 [0-9a-f]{{64}}, not {digest}; it is not kept"):
                task.fetch(server, sha256=digest)
    assert task.names() == (["a.bin"] if is_right else [])


# --- going on -------------------------------------------------------------------------------------


def cut_off(task: Task, server: Server, **order: object) -> None:
    with pytest.raises(Gone):
        task.fetch(server, **order)


@pytest.mark.parametrize("path", [None, ""])
def test_it_goes_on_where_it_was_cut_off(task: Task, path: str | None) -> None:
    shelf = Shelf(SMALL, cut={0: 1000})
    with shelved(shelf) as server:
        cut_off(task, server)
        saved = task.fetch(server, resume=True, **({} if path is None else {"path": path}))
    assert saved == Saved(str(task.path), len(SMALL), 1000)
    assert task.path.read_bytes() == SMALL
    assert shelf.asked[-1] == (1000, -1)
    assert task.names() == ["a.bin"]
    assert task.watch.done == len(SMALL)


def test_a_part_that_is_whole_needs_no_request(task: Task) -> None:
    task.part.write_bytes(SMALL)
    with shelved(Shelf(SMALL)) as server:
        PartFile(str(task.path)).write_notes(Notes(f"{server.url}/a", '"1"', len(SMALL)))
        assert task.fetch(server, resume=True).resumed == len(SMALL)
        assert server.asked == []


def test_a_part_that_was_cut_since_its_pieces_were_noted_is_fetched_anew(task: Task) -> None:
    task.part.write_bytes(SMALL[:77])
    pieces = [Piece(0, len(SMALL), len(SMALL))]
    with shelved(Shelf(SMALL)) as server:
        PartFile(str(task.path)).write_notes(Notes(f"{server.url}/a", '"1"', len(SMALL), pieces))
        assert task.fetch(server, resume=True).resumed == 0
    assert task.path.read_bytes() == SMALL
    assert task.remarks == [f"nothing is known of {task.part}; it is fetched anew"]


def test_a_new_version_that_is_known_by_its_head_resumes_nothing(task: Task) -> None:
    task.part.write_bytes(SMALL[:77])
    with shelved(Shelf(SMALL)) as server:
        PartFile(str(task.path)).write_notes(Notes(f"{server.url}/a", '"other"', len(SMALL)))
        assert task.fetch(server, resume=True, path="").resumed == 0
    assert task.path.read_bytes() == SMALL


def test_a_file_of_unknown_length_goes_on_too(task: Task) -> None:
    task.part.write_bytes(SMALL[:77])
    with shelved(Shelf(SMALL)) as server:
        PartFile(str(task.path)).write_notes(Notes(f"{server.url}/a", '"1"', None))
        task.fetch(server, resume=True)
    assert task.path.read_bytes() == SMALL


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_file_that_has_changed_is_fetched_anew(task: Task, parallel: int) -> None:
    with shelved(Shelf(LARGE, cut={0: 1000}, changes_at=1)) as server:
        cut_off(task, server)
        saved = task.fetch(server, resume=True, parallel=parallel)
    assert saved.resumed == 0
    assert task.path.read_bytes() == NEWS
    assert task.remarks == ["the file has changed meanwhile; it is fetched anew"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 412 x\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 206 x\r\nContent-Range: bytes 1000-1001/2000\r\nETag: "1"\r\nContent-Length: 2\r\n\r\nab',
        b'HTTP/1.1 206 x\r\nContent-Range: bytes 1000-1001/10240\r\nETag: "2"\r\nContent-Length: 2\r\n\r\nab',
    ],
)
def test_an_answer_of_another_version_begins_anew(task: Task, answer: bytes) -> None:
    with shelved(Shelf(SMALL, cut={0: 1000}, instead={1: answer})) as server:
        cut_off(task, server)
        task.fetch(server, resume=True)
    assert task.path.read_bytes() == SMALL
    assert task.remarks == ["the file has changed meanwhile; it is fetched anew"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 206 x\r\nContent-Length: 2\r\n\r\nab", "does not say which bytes it brings"),
        (b"HTTP/1.1 206 x\r\nContent-Range: bytes 9-5/10240\r\nContent-Length: 2\r\n\r\nab", "does not say which"),
        (b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/10240\r\nContent-Length: 2\r\n\r\nab", "from byte 1000 on"),
        (b"HTTP/1.1 206 x\r\nContent-Range: bytes 1000-1001/10240\r\nContent-Length: 2\r\n\r\nab", "from byte 1000 on"),
        (b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", "the server answers 404 x"),
    ],
)
def test_an_answer_that_is_not_the_rest_is_not_joined_to_the_part(task: Task, answer: bytes, error: str) -> None:
    with shelved(Shelf(SMALL, cut={0: 1000}, instead={1: answer})) as server:
        cut_off(task, server)
        with pytest.raises((PeerError, Answered), match=error):
            task.fetch(server, resume=True)
    assert task.part.read_bytes() == SMALL[:1000]


def test_no_password_is_kept(task: Task) -> None:
    with shelved(Shelf(SMALL, cut={0: 1000})) as server:
        url = f"http://me:secret@{server.authority}/a"
        cut_off(task, server, url=url)
        assert "secret" not in (task.path.parent / "a.bin.part.json").read_text()
        assert task.fetch(server, url=url, resume=True).resumed == 1000


def test_a_part_of_another_url_is_not_gone_on_with(task: Task) -> None:
    with shelved(Shelf(SMALL, cut={0: 1000})) as server:
        cut_off(task, server)
        task.fetch(server, resume=True, url=f"{server.url}/b")
    assert task.remarks == [f"nothing is known of {task.part}; it is fetched anew"]
    assert task.path.read_bytes() == SMALL


def test_what_comes_encoded_is_decoded_and_never_joined(task: Task) -> None:
    import gzip

    packed = gzip.compress(SMALL)
    head = f'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nETag: "1"\r\nContent-Length: {len(packed)}\r\n\r\n'
    with shelved(Shelf(instead={0: head.encode() + packed})) as server:
        task.fetch(server)
    assert task.path.read_bytes() == SMALL
    assert not task.watch.can_resume


# --- several connections --------------------------------------------------------------------------


def test_pieces_over_several_connections(task: Task) -> None:
    shelf = Shelf()
    with shelved(shelf) as server:
        saved = task.fetch(server, parallel=3)
    assert saved == Saved(str(task.path), len(LARGE), 0)
    assert task.path.read_bytes() == LARGE
    assert shelf.asked[0] == (0, LEAST_PIECE - 1)
    assert sorted(span for span in shelf.asked if span) == [
        (0, LEAST_PIECE - 1),
        (LEAST_PIECE, 2 * LEAST_PIECE - 1),
        (2 * LEAST_PIECE, len(LARGE) - 1),
    ]
    assert task.watch.done == len(LARGE)
    assert task.names() == ["a.bin"]


@pytest.mark.parametrize(
    ("shelf", "requests"),
    [
        (Shelf(SMALL), 1),
        (Shelf(LARGE, has_ranges=False), 1),
        (Shelf(LARGE, validator=""), 2),
        (Shelf(LARGE, validator='ETag: W/"1"'), 2),
        (Shelf(b""), 2),
    ],
)
def test_what_cannot_be_shared_comes_in_one_answer(task: Task, shelf: Shelf, requests: int) -> None:
    with shelved(shelf) as server:
        task.fetch(server, parallel=4)
    assert task.path.read_bytes() == shelf.data
    assert len(shelf.asked) == requests


@pytest.mark.parametrize("where", ["bytes 5-9/20", "bytes 0-5", "nonsense"])
def test_a_first_piece_that_is_none(task: Task, where: str) -> None:
    answer = f"HTTP/1.1 206 x\r\nContent-Range: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    with shelved(Shelf(instead={0: answer})) as server, pytest.raises(PeerError, match="is not what was asked for"):
        task.fetch(server, parallel=4)


def test_a_piece_that_is_cut_off_is_asked_for_again_from_where_it_stood(task: Task) -> None:
    shelf = Shelf(cut={1: 100_000, 3: 5})
    with shelved(shelf) as server:
        task.fetch(server, parallel=2)
    assert task.path.read_bytes() == LARGE
    starts = [span[0] for span in shelf.asked if span]
    assert any(start % LEAST_PIECE == 100_000 for start in starts)


def test_a_busy_server_is_asked_again(task: Task) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with shelved(Shelf(instead={1: busy})) as server:
        task.fetch(server, parallel=2)
    assert task.path.read_bytes() == LARGE


def test_a_change_in_the_middle_begins_anew(task: Task) -> None:
    with shelved(Shelf(changes_at=2)) as server:
        task.fetch(server, parallel=2)
    assert task.path.read_bytes() == NEWS
    assert task.remarks == ["the file has changed meanwhile; it is fetched anew"]


def test_pieces_that_were_there_are_not_fetched_again(task: Task) -> None:
    lost = {number: 7 for number in range(2, 40)}
    shelf = Shelf(cut=lost, instead={2: b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"})
    with shelved(shelf) as server:
        with pytest.raises((Gone, Refused)):
            task.fetch(server, parallel=2)
        notes = PartFile(str(task.path)).read_notes()
        assert notes is not None
        done = sum(piece.done for piece in notes.pieces)
        assert done >= LEAST_PIECE
        shelf.cut.clear()
        shelf.instead.clear()
        before = len(shelf.asked)
        saved = task.fetch(server, resume=True)
    assert saved.resumed == done
    assert task.path.read_bytes() == LARGE
    assert all(span and span[0] >= LEAST_PIECE for span in shelf.asked[before:])


def test_a_download_on_one_connection_goes_on_on_several(task: Task) -> None:
    with shelved(Shelf(cut={0: 5_000_000})) as server:
        cut_off(task, server)
        saved = task.fetch(server, resume=True, parallel=3)
    assert saved.resumed == 5_000_000
    assert task.path.read_bytes() == LARGE


def test_what_is_wrong_inside_a_thread_is_told_by_the_caller(task: Task) -> None:
    gone = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
    with shelved(Shelf(instead=dict.fromkeys(range(1, 20), gone))) as server, pytest.raises(Answered, match="410 Gone"):
        task.fetch(server, parallel=2)
    assert task.names() == ["a.bin.part", "a.bin.part.json"]


def test_a_range_of_ones_own(task: Task) -> None:
    mine = (("Range", "bytes=5-9"),)
    with shelved(Shelf(SMALL)) as server:
        task.fetch(server, fields=mine)
        assert task.path.read_bytes() == SMALL[5:10]
        for order in ({"resume": True}, {"parallel": 2}):
            with pytest.raises(UsageError, match="a Range of your own goes neither with --continue"):
                task.fetch(server, fields=mine, **order)


def test_a_part_that_nobody_asked_for(task: Task) -> None:
    answer = b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/99\r\nContent-Length: 2\r\n\r\nab"
    with shelved(Shelf(instead={0: answer})) as server, pytest.raises(PeerError, match="the whole was asked for"):
        task.fetch(server)
    assert task.names() == []
