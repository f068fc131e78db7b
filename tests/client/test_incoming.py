"""How a body is read, and when its connection is given back."""

import gzip
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.client.connection import Asked, Connection
from portico.client.incoming import Incoming
from portico.client.network import BlockingNetwork, Poll, SocketLine, run
from portico.client.timeouts import Clock, Timeouts
from portico.errors import Gone, PeerError, Refused, UsageError

CLOCK = Clock(Timeouts(read_s=5))
PACKED = gzip.compress(b"hello" * 1000)


class Stage:
    """Makes bodies of what a server says. released: how often a connection was given back, and whether it can serve."""

    def __init__(self) -> None:
        here, self.there = socket.socketpair()
        here.setblocking(False)
        self.connection = Connection(SocketLine(here, Poll(here).wait, "box"), "box", network=BlockingNetwork())
        self.released: list[bool] = []

    def incoming(self, body: bytes, length: int | None = None, coding: str = "") -> Incoming:
        """Let a response arrive whose body is of some length, and of which so much is sent."""
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
        self.there.sendall(head.encode() + body)
        run(self.connection.ask(Asked("GET", "/", (("Host", "a"),)), CLOCK))
        return Incoming(self.connection, CLOCK, release=self.release, coding=coding)

    def release(self, connection: Connection) -> None:
        self.released.append(connection.can_serve)

    def close(self) -> None:
        self.connection.close()
        self.there.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_a_connection_is_given_back_as_soon_as_a_body_has_come(stage: Stage) -> None:
    incoming = stage.incoming(b"hello")
    assert (run(incoming.raw(3)), stage.released) == (b"hel", [True])
    assert [run(incoming.raw(3)), run(incoming.raw(3)), run(incoming.raw(3))] == [b"lo", b"", b""]
    incoming.close()
    assert stage.released == [True]


def test_where_there_is_no_body_it_is_given_back_at_once(stage: Stage) -> None:
    incoming = stage.incoming(b"")
    assert (stage.released, run(incoming.raw(9)), run(incoming.decoded(9)), run(incoming.all(9))) == (
        [True],
        b"",
        b"",
        b"",
    )


def test_a_body_that_is_left_takes_its_connection_along(stage: Stage) -> None:
    incoming = stage.incoming(b"hello", 9)
    assert run(incoming.raw(9)) == b"hello"
    incoming.close()
    incoming.close()
    assert stage.released == [False]
    for read in (incoming.raw, incoming.decoded, incoming.all):
        with pytest.raises(UsageError, match="the response is closed"):
            run(read(9))


def test_whatever_fails_gives_the_connection_back(stage: Stage) -> None:
    incoming = stage.incoming(b"hello", 9)
    stage.there.shutdown(socket.SHUT_WR)
    with pytest.raises(Gone, match="5 of 9"):
        run(incoming.all(9))
    assert stage.released == [False]


def test_a_coding_comes_off_in_pieces_of_a_size(stage: Stage) -> None:
    incoming = stage.incoming(PACKED, coding="gzip")
    pieces = []
    while piece := run(incoming.decoded(7)):
        pieces.append(piece)
    assert b"".join(pieces) == b"hello" * 1000
    assert max(map(len, pieces)) == 7
    assert run(incoming.decoded(7)) == b""
    assert stage.released == [True]


@pytest.mark.parametrize("data", [PACKED[:-4], b"no gzip at all", PACKED[:20] + b"x" * 20])
def test_a_coding_that_is_broken_is_an_error(stage: Stage, data: bytes) -> None:
    incoming = stage.incoming(data, coding="gzip")
    with pytest.raises(PeerError, match="gzip"):
        run(incoming.all(1_000_000))
    assert len(stage.released) == 1


def test_a_coding_that_nobody_knows_matters_only_where_it_is_undone(stage: Stage) -> None:
    assert run(stage.incoming(b"hello", coding="utf-8").raw(9)) == b"hello"
    with pytest.raises(PeerError, match="encoded as 'utf-8'"):
        run(stage.incoming(b"hello", coding="utf-8").decoded(9))
    assert len(stage.released) == 2


def test_no_coding_by_its_name_is_none(stage: Stage) -> None:
    assert run(stage.incoming(b"hello", coding="Identity").all(9)) == b"hello"


def test_all_of_a_body_has_a_bound(stage: Stage) -> None:
    incoming = stage.incoming(gzip.compress(b"\0" * 100_000_000), coding="gzip")
    with pytest.raises(Refused, match="longer than 99999 bytes"):
        run(incoming.all(99_999))
    assert len(stage.released) == 1


def test_a_body_may_be_as_long_as_its_bound(stage: Stage) -> None:
    assert run(stage.incoming(b"hello").all(5)) == b"hello"


def test_a_copy_takes_the_coding_off(stage: Stage, tmp_path: Path) -> None:
    counts: list[int] = []
    with (tmp_path / "f").open("wb") as file:
        assert run(stage.incoming(PACKED, coding="gzip").copy_to(file.fileno(), counts.append)) == 5000
    assert (tmp_path / "f").read_bytes() == b"hello" * 1000
    assert (sum(counts), stage.released) == (5000, [True])


def test_a_copy_goes_on_where_reading_stopped(stage: Stage, tmp_path: Path) -> None:
    incoming = stage.incoming(b"hello", 9)
    assert run(incoming.raw(2)) == b"he"
    stage.there.sendall(b"more")
    with (tmp_path / "f").open("wb") as file:
        assert run(incoming.copy_to(file.fileno(), None)) == 7
        assert run(incoming.copy_to(file.fileno(), None)) == 0
    assert (tmp_path / "f").read_bytes() == b"llomore"


def test_a_copy_that_fails_gives_the_connection_back(stage: Stage) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(Refused, match="broken pipe"):
        run(stage.incoming(b"hello", 9).copy_to(writing, None))
    os.close(writing)
    assert stage.released == [False]


@pytest.mark.parametrize(("most", "is_kept"), [(100, True), (5, True), (3, False)])
def test_what_nobody_wants_is_skipped_where_it_is_short(stage: Stage, most: int, is_kept: bool) -> None:
    incoming = stage.incoming(b"hel", 5)
    stage.there.sendall(b"lo")
    run(incoming.skip(most))
    assert stage.released == [is_kept]
