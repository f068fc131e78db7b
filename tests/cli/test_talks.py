import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from portico.cli.talks import Talk, Waiting, connected, refuse_keeping_datagrams
from portico.client.links import MAX_DATAGRAM, DatagramLink, Link
from portico.errors import UsageError
from portico.net.addresses import Address, parse_address


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a short relative path: a socket's path has room for about a hundred bytes."""
    before = os.getcwd()
    os.chdir(tmp_path)
    yield Path()
    os.chdir(before)


def call(address: str) -> Talk:
    return connected(parse_address(address), encoding="auto", timeout_s=10, tls=None)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "unix:x.sock", "unix:@portico-talks"])
def test_two_of_us_talk_over_a_stream(folder: Path, address: str) -> None:
    with closing(Waiting(parse_address(address), "auto")) as waiting:
        with closing(call(waiting.shown)) as ours, closing(waiting.accept()) as theirs:
            assert ours.peer == waiting.shown
            assert theirs.peer.startswith("127.0.0.1:" if address == "127.0.0.1:0" else "unix")
            ours.send(b"question")
            assert theirs.is_heard(10)
            assert theirs.receive() == b"question"
            ours.end()
            assert theirs.receive() is None
            theirs.send(b"answer")
            assert ours.receive() == b"answer"


def test_two_of_us_talk_over_datagrams() -> None:
    waiting = Waiting(parse_address("udp://127.0.0.1:0"), "auto")
    with closing(call(waiting.shown)) as ours:
        ours.send(b"")
        with closing(waiting.accept()) as theirs:
            waiting.close()
            assert theirs.peer.startswith("udp://127.0.0.1:")
            assert theirs.receive() == b""
            theirs.send(b"x" * (MAX_DATAGRAM + 2))
            assert len(ours.receive() or b"") == MAX_DATAGRAM
            assert ours.receive() == b"xx"
            ours.end()  # there is no such thing
            theirs.send(b"y")
            assert ours.receive() == b"y"


def test_every_address_of_a_name_is_waited_at() -> None:
    with closing(Waiting(Address("tcp", host="localhost", port=0), "auto")) as waiting:
        assert waiting.shown.startswith("localhost:")
        port = waiting.shown.partition(":")[2]
        with closing(call(f"127.0.0.1:{port}")), closing(waiting.accept()) as theirs:
            assert theirs.peer.startswith("127.0.0.1:")


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_peer_is_named_by_its_own_address_where_both_families_come_in(scheme: str) -> None:
    with closing(Waiting(parse_address(f"{scheme}://:0"), "auto")) as waiting:
        with closing(call(f"{scheme}://127.0.0.1:{waiting.shown.rpartition(':')[2]}")) as ours:
            ours.send(b"hello")
            with closing(waiting.accept()) as theirs:
                assert theirs.peer.removeprefix("udp://").startswith("127.0.0.1:")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_whoever_waits_in_another_thread_is_woken(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as server, socket.socket(socket.AF_INET, kind) as sock:
        server.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        sock.connect(server.getsockname())
        link = Link(sock, peer="x", timeout_s=None) if kind == socket.SOCK_STREAM else None
        talk = Talk(link or DatagramLink(sock, peer="x", timeout_s=None))
        found: list[bytes | None] = []
        waiting = threading.Thread(target=lambda: found.append(talk.receive()))
        waiting.start()
        talk.abort()
        waiting.join(10)
        assert found == [None]


def test_mistakes_get_one_line() -> None:
    with pytest.raises(UsageError, match=r"^'no' is not the name of a charset"):
        Waiting(parse_address("127.0.0.1:0"), "no")
    with pytest.raises(UsageError, match=r"^tls://h:1: TLS is for connecting to a server; write HOST:PORT to listen$"):
        Waiting(parse_address("tls://h:1"), "auto")
    with pytest.raises(UsageError, match=r"^--keep is for streams: over UDP nobody leaves; leave it out$"):
        refuse_keeping_datagrams(parse_address("udp://h:1"))
    refuse_keeping_datagrams(parse_address("h:1"))
