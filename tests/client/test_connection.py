"""One exchange after another on one connection: transcripts against a socket at its other end."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.client.body import make_body
from portico.client.connection import Asked, Connection, write_all
from portico.client.network import BlockingNetwork, Poll, SocketLine, run
from portico.client.timeouts import Clock, Timeouts
from portico.errors import Gone, PeerError, Refused, UsageError

CLOCK = Clock(Timeouts())
HASTY = Clock(Timeouts(read_s=0.01))
HOST = (("Host", "a"),)
QUESTION = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NOTHING = b"HTTP/1.1 204 x\r\n\r\n"


class Stage:
    """A connection, and the server's end of it."""

    def __init__(self) -> None:
        here, self.there = socket.socketpair()
        here.setblocking(False)
        self.there.settimeout(10)
        self.connection = Connection(SocketLine(here, Poll(here).wait, "box"), "box", network=BlockingNetwork())

    def say(self, data: bytes) -> None:
        self.there.sendall(data)

    def end(self) -> None:
        self.there.shutdown(socket.SHUT_WR)

    def ask(self, asked: Asked | None = None, clock: Clock = CLOCK) -> int:
        """Ask, where the answer is there already; return its status."""
        return run(self.connection.ask(asked or Asked("GET", "/", HOST), clock)).status

    def asked(self) -> bytes:
        """Return what has arrived at the server."""
        self.there.setblocking(False)
        return self.there.recv(1_000_000)

    def read(self) -> bytes:
        pieces = []
        while piece := run(self.connection.read(CLOCK)):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.connection.close()
    stage.there.close()


def test_one_exchange_after_another(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert not stage.connection.can_serve
    assert (stage.ask(), stage.asked(), stage.connection.is_complete) == (200, QUESTION, False)
    assert (stage.read(), stage.connection.can_serve, stage.connection.is_dead()) == (b"hello", True, False)
    stage.say(NOTHING)
    assert (stage.ask(), stage.read(), stage.connection.can_serve) == (204, b"", True)
    stage.end()
    assert stage.connection.is_dead()


def test_what_nobody_asked_for_spoils_the_connection_not_the_answer(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + NOTHING)
    assert (stage.ask(), stage.read(), stage.connection.can_serve) == (200, b"hello", False)


def test_a_connection_that_closes_behind_an_answer(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
    assert (stage.ask(), stage.read(), stage.connection.can_serve) == (200, b"hello", False)


def test_it_is_known_what_has_gone_out_and_come_in(stage: Stage) -> None:
    connection = stage.connection
    assert (connection.has_sent, connection.has_heard) == (False, False)
    with pytest.raises(Gone, match=r"box sent nothing for 0\.01 s"):
        stage.ask(clock=HASTY)
    assert (connection.has_sent, connection.has_heard) == (True, False)


def test_nothing_goes_out_over_a_lost_connection(stage: Stage) -> None:
    stage.there.close()
    with pytest.raises(Gone, match="box closed the connection without an answer"):
        stage.ask()
    assert not stage.connection.has_sent


def test_an_answer_that_came_before_the_connection_was_lost_counts(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    stage.there.close()
    assert (stage.ask(), stage.connection.can_serve) == (408, False)


def test_what_cannot_be_asked_goes_nowhere(stage: Stage) -> None:
    with pytest.raises(UsageError):
        stage.ask(Asked("GET", "/ ", HOST))
    with pytest.raises(BlockingIOError):
        stage.asked()


def test_a_small_body_goes_with_its_head(stage: Stage) -> None:
    stage.say(NOTHING)
    stage.ask(Asked("PUT", "/", HOST, make_body(b"abc")))
    assert stage.asked() == b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


def test_an_answer_makes_an_end_of_a_body_that_is_still_to_come(stage: Stage) -> None:
    given = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            given.append(number)
            if number == 2:
                stage.say(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            yield b"x" * 20_000

    assert (stage.ask(Asked("PUT", "/", HOST, make_body(pieces()))), given) == (403, [0, 1, 2])
    assert not stage.connection.can_serve


class Opened:
    """A body that is read from something that has to be closed."""

    length = 100_000_000
    is_closed = False

    def pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 20_000
        finally:
            self.is_closed = True


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_a_body_is_read_from_is_closed_where_sending_ends_early(stage: Stage, is_answered: bool) -> None:
    opened = Opened()
    asked = Asked("PUT", "/", HOST, make_body(opened))
    if is_answered:
        stage.say(NOTHING)
        stage.ask(asked)
    else:
        with pytest.raises(Gone, match="took nothing"):
            stage.ask(asked, HASTY)
    assert opened.is_closed


def test_permission_is_waited_for(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 100 Continue\r\n\r\n" + NOTHING)
    assert stage.ask(Asked("PUT", "/", HOST, make_body(b"abc"), expects_continue=True)) == 204
    # Both answers came at once, so there was no need for the body.
    assert (stage.asked().endswith(b"\r\n\r\n"), stage.connection.can_serve) == (True, False)


def test_a_body_until_the_end(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 200 OK\r\n\r\nhello")
    stage.end()
    assert (stage.ask(), stage.read(), stage.connection.can_serve) == (200, b"hello", False)


ENDS = [
    (b"", "box closed the connection without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "box closed the connection after 3 of 9 bytes of the body"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "box closed the connection in the middle of the body, after 3 bytes",
    ),
]


@pytest.mark.parametrize(("data", "message"), ENDS)
def test_an_end_before_the_end_is_an_error(stage: Stage, data: bytes, message: str) -> None:
    stage.say(data)
    stage.end()
    with pytest.raises(Gone, match=message):
        stage.ask() and stage.read()
    assert not stage.connection.can_serve


def test_what_http_forbids_is_an_error(stage: Stage) -> None:
    stage.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    stage.ask()
    stage.say(b"zz\r\n")
    with pytest.raises(PeerError, match="box sent a response that HTTP forbids") as caught:
        stage.read()
    assert caught.value.status == 502


# --- copies -----------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
COPIES = [
    ("whole with its head", HEAD + b"123456789", b"", 0, 9),
    ("partly with its head", HEAD + b"123", b"456789", 0, 9),
    ("behind its head", HEAD, b"123456789", 0, 9),
    ("partly read before", HEAD + b"123", b"456789", 1, 6),
    ("read before", HEAD + b"123456789", b"", 1, 0),
    ("in chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"9\r\n123456789\r\n0\r\n\r\n", 0, 9),
    ("nothing", NOTHING, b"", 0, 0),
]


@pytest.mark.parametrize(
    ("first", "second", "reads", "count"), [row[1:] for row in COPIES], ids=[row[0] for row in COPIES]
)
def test_a_body_is_copied(stage: Stage, tmp_path: Path, first: bytes, second: bytes, reads: int, count: int) -> None:
    stage.say(first)
    stage.ask()
    for _ in range(reads):
        run(stage.connection.read(CLOCK))
    stage.say(second)
    counts: list[int] = []
    with (tmp_path / "f").open("wb") as file:
        assert run(stage.connection.copy_to(file.fileno(), CLOCK, counts.append)) == count == sum(counts)
    assert (tmp_path / "f").read_bytes() == b"123456789"[9 - count :]
    assert (stage.connection.can_serve, stage.read()) == (True, b"")


def test_a_copy_waits_only_so_long(stage: Stage, tmp_path: Path) -> None:
    stage.say(HEAD)
    stage.ask()
    with (tmp_path / "f").open("wb") as file, pytest.raises(Gone, match=r"box sent nothing for 0\.01 s"):
        run(stage.connection.copy_to(file.fileno(), HASTY, None))
    assert not stage.connection.can_serve


def test_a_copy_that_is_cut_short_says_how_much_came(stage: Stage, tmp_path: Path) -> None:
    stage.say(HEAD + b"12")
    stage.ask()
    stage.say(b"345")
    stage.end()
    with (tmp_path / "f").open("wb") as file, pytest.raises(Gone, match="after 5 of 9 bytes of the body"):
        run(stage.connection.copy_to(file.fileno(), CLOCK, None))
    assert (tmp_path / "f").read_bytes() == b"12345"
    assert not stage.connection.can_serve


def test_all_is_written_however_little_goes_at_once() -> None:
    reading, writing = os.pipe()
    write_all(writing, b"abc")
    assert os.read(reading, 10) == b"abc"
    os.close(reading)
    with pytest.raises(Refused, match="what arrives cannot be written: broken pipe"):
        write_all(writing, b"abc")
    os.close(writing)
