import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.passing import LineEnds, Manner, Passing
from portico.cli.talks import Talk
from portico.cli.views import BothAsHex, View
from portico.client.links import DatagramLink, Link
from portico.errors import Gone, Refused


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n", b"b\n"]), max_size=12))
def test_line_ends_do_not_depend_on_the_cuts(pieces: list[bytes]) -> None:
    ends = LineEnds()
    whole = b"".join(pieces)
    found = b"".join(ends(piece) for piece in pieces)
    assert found == whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Stage:
    """A conversation: `peer` is the other end, `input` what we type into, `output` what comes out."""

    def __init__(self, kind: int, folder: Path) -> None:
        if kind == socket.SOCK_STREAM:
            ours, self.peer = socket.socketpair()
            self.talk = Talk(Link(ours, peer="box:1", timeout_s=None))
        else:
            self.peer = socket.socket(socket.AF_INET, kind)
            self.peer.bind(("127.0.0.1", 0))
            ours = socket.socket(socket.AF_INET, kind)
            ours.bind(("127.0.0.1", 0))
            ours.connect(self.peer.getsockname())
            self.peer.connect(ours.getsockname())
            self.talk = Talk(DatagramLink(ours, peer="box:1", timeout_s=None))
        self.peer.settimeout(10)
        self.source, self.input = os.pipe()
        self.output = folder / "output"
        self.target = os.open(self.output, os.O_WRONLY | os.O_CREAT)
        self.failure: Exception | None = None

    def start(self, manner: Manner | None = None, *, view: View | None = None, target: int = -1) -> threading.Thread:
        passing = Passing(
            self.talk,
            manner or Manner(),
            view=view,
            source=self.source,
            target=self.target if target < 0 else target,
        )

        def run() -> None:
            try:
                passing.run()
            except Exception as exc:  # the test looks at it
                self.failure = exc

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def type(self, data: bytes) -> None:
        os.write(self.input, data)

    def end_input(self) -> None:
        os.close(self.input)
        self.input = -1

    def close(self) -> None:
        self.talk.close()
        self.peer.close()
        for fd in (self.source, self.input, self.target):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A conversation over a stream."""
    found = Stage(socket.SOCK_STREAM, tmp_path)
    yield found
    found.close()


@pytest.fixture
def grams(tmp_path: Path) -> Iterator[Stage]:
    """A conversation over datagrams."""
    found = Stage(socket.SOCK_DGRAM, tmp_path)
    yield found
    found.close()


def test_exact_bytes_both_ways(stage: Stage) -> None:
    data = bytes(range(256)) * 8000
    thread = stage.start()

    def type_all() -> None:
        left = data
        while left:
            left = left[os.write(stage.input, left) :]
        stage.end_input()

    typing = threading.Thread(target=type_all)
    typing.start()
    received = bytearray()
    while piece := stage.peer.recv(65536):
        received += piece
        stage.peer.sendall(piece)
    stage.peer.close()
    thread.join(10)
    typing.join(10)
    assert received == data
    assert stage.output.read_bytes() == data
    assert stage.failure is None


def test_the_end_of_the_peer_is_the_end(stage: Stage) -> None:
    thread = stage.start()
    stage.peer.sendall(b"welcome\n")
    stage.peer.close()
    thread.join(10)
    assert not thread.is_alive()
    assert stage.output.read_bytes() == b"welcome\n"
    assert stage.failure is None


def test_what_is_kept_goes_on_to_the_end_of_our_input(stage: Stage) -> None:
    thread = stage.start(Manner(is_kept=True))
    stage.peer.shutdown(socket.SHUT_WR)
    stage.type(b"more")
    assert stage.peer.recv(99) == b"more"
    stage.end_input()
    assert stage.peer.recv(99) == b""
    thread.join(10)
    assert stage.failure is None


def test_what_is_kept_and_lost_is_said(stage: Stage) -> None:
    thread = stage.start(Manner(is_kept=True))
    stage.peer.close()
    stage.type(b"more")
    thread.join(10)
    assert isinstance(stage.failure, Gone)


def test_silence_after_our_input_may_end_it(stage: Stage) -> None:
    thread = stage.start(Manner(wait_s=0.1))
    stage.type(b"question")
    assert stage.peer.recv(99) == b"question"
    stage.end_input()
    stage.peer.sendall(b"answer")
    thread.join(10)
    assert not thread.is_alive()
    assert stage.output.read_bytes() == b"answer"


def test_lines_get_the_ends_that_old_protocols_want(stage: Stage) -> None:
    thread = stage.start(Manner(has_crlf=True))
    stage.type(b"HELO box\n")
    assert stage.peer.recv(99) == b"HELO box\r\n"
    stage.peer.close()
    thread.join(10)


def test_a_view_shows_both_directions(stage: Stage) -> None:
    thread = stage.start(view=BothAsHex())
    stage.type(b"hi")
    assert stage.peer.recv(99) == b"hi"
    stage.peer.sendall(b"ho")
    stage.peer.close()
    thread.join(10)
    assert [line[:18] for line in stage.output.read_text().splitlines()] == ["> 00000000  68 69 ", "< 00000000  68 6f "]


def test_a_reader_of_ours_who_has_had_enough_is_no_error(stage: Stage) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    thread = stage.start(target=writing)
    stage.peer.sendall(b"x")
    thread.join(10)
    os.close(writing)
    assert not thread.is_alive()
    assert stage.failure is None


def test_an_output_that_does_not_block_loses_nothing(stage: Stage) -> None:
    data = b"x" * 1_000_000
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    thread = stage.start(target=writing)
    sending = threading.Thread(target=stage.peer.sendall, args=(data,))
    sending.start()
    received = 0
    while received < len(data):
        received += len(os.read(reading, 65536))
    sending.join(10)
    stage.peer.close()
    thread.join(10)
    os.close(reading)
    os.close(writing)


def test_an_input_that_is_closed_has_ended(stage: Stage) -> None:
    os.close(stage.source)
    stage.source = os.open("/", os.O_RDONLY)  # a folder cannot be read
    thread = stage.start()
    assert stage.peer.recv(99) == b""
    stage.peer.close()
    thread.join(10)
    assert stage.failure is None


def test_pieces_of_our_input_are_datagrams(grams: Stage) -> None:
    thread = grams.start(Manner(wait_s=0.1))
    grams.type(b"36.6")
    assert grams.peer.recv(99) == b"36.6"
    grams.peer.send(b"97.88")
    grams.end_input()
    thread.join(10)
    assert grams.output.read_bytes() == b"97.88"
    assert grams.failure is None


def test_an_empty_input_is_an_empty_datagram(grams: Stage) -> None:
    thread = grams.start(Manner(wait_s=0.1))
    grams.end_input()
    assert grams.peer.recv(99) == b""
    thread.join(10)
    assert not thread.is_alive()


def test_nobody_who_takes_datagrams_is_said(grams: Stage) -> None:
    grams.peer.close()
    thread = grams.start()
    grams.type(b"36.6")
    grams.end_input()
    thread.join(10)
    assert isinstance(grams.failure, Refused)
