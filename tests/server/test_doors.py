"""Doors on real sockets: where an answer leaves from, and what a peer is called."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from portico.errors import UsageError
from portico.server.doors import ROOM, Door, open_door
from portico.server.peer import Peer

PATIENCE_S = 10.0
Make = Callable[..., socket.socket]


@pytest.fixture
def bound() -> Iterator[Make]:
    """Make bound sockets, which are closed at the end."""
    with ExitStack() as stack:

        def make(
            name: tuple[str, int] | str = ("127.0.0.1", 0),
            kind: int = socket.SOCK_DGRAM,
            is_v6_only: bool = False,
        ) -> socket.socket:
            is_unix = isinstance(name, str)
            family = socket.AF_UNIX if is_unix else socket.AF_INET6 if ":" in str(name) else socket.AF_INET
            sock = stack.enter_context(socket.socket(family, kind))
            sock.settimeout(PATIENCE_S)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_v6_only)
            sock.bind(name)
            return sock

        yield make


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def door_of(sock: socket.socket) -> Door:
    sock.setblocking(False)
    return open_door(sock)


def receive(door: Door) -> tuple[bytes, object]:
    assert select.select([door.sock], [], [], PATIENCE_S)[0]
    return door.receive()


# where the door is, where from and whereto a datagram goes, what the peer is called
TALKS = [
    (("127.0.0.1", 0), "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    (("127.0.0.1", 0), "127.0.0.9", "127.0.0.1", "127.0.0.9"),
    (("::1", 0), "::1", "::1", "::1"),
    (("0.0.0.0", 0), "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    (("0.0.0.0", 0), "127.0.0.1", "127.0.0.77", "127.0.0.1"),
    (("::", 0), "::1", "::1", "::1"),
    (("::", 0), "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    (("::", 0), "127.0.0.1", "127.0.0.77", "127.0.0.1"),
]


@pytest.mark.parametrize(("place", "source", "asked", "host"), TALKS)
def test_the_answer_leaves_from_the_address_that_was_asked(
    bound: Make, place: tuple[str, int], source: str, asked: str, host: str
) -> None:
    door, client = door_of(bound(place)), bound((source, 0))
    client.connect((asked, port_of(door.sock)))  # from now on the kernel lets only this address through
    client.send("你好".encode())
    data, way = receive(door)
    assert data == "你好".encode()
    assert door.peer_of(way) == Peer(host, port_of(client))
    assert door.send(b"answer", way) == 6
    assert client.recv(99) == b"answer"


@pytest.mark.parametrize("place", [("0.0.0.0", 0), ("::", 0)])
def test_a_broadcast_is_answered_from_an_address_of_ours(bound: Make, place: tuple[str, int]) -> None:
    door, client = door_of(bound(place)), bound()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    client.sendto(b"anybody?", ("127.255.255.255", port_of(door.sock)))
    data, way = receive(door)
    assert data == b"anybody?"
    door.send(b"me", way)
    assert client.recvfrom(99) == (b"me", ("127.0.0.1", port_of(door.sock)))


@pytest.mark.parametrize("place", [("0.0.0.0", 0), ("::", 0)])
def test_a_socket_that_tells_more_than_it_was_asked_is_answered_all_the_same(
    bound: Make, place: tuple[str, int]
) -> None:
    door, client = door_of(bound(place)), bound()
    door.sock.setsockopt(socket.SOL_SOCKET, 29, 1)  # SO_TIMESTAMP, as whoever handed the socket down may have set it
    client.connect(("127.0.0.1", port_of(door.sock)))
    client.send(b"?")
    _, way = receive(door)
    door.send(b"!", way)
    assert client.recv(99) == b"!"


@pytest.mark.parametrize("place", [("127.0.0.1", 0), ("0.0.0.0", 0), ("::", 0)])
def test_the_ends_of_what_is_possible(bound: Make, place: tuple[str, int]) -> None:
    door, client = door_of(bound(place)), bound()
    client.connect(("127.0.0.1", port_of(door.sock)))
    for data in (b"", bytes(65_507)):
        client.send(data)
        came, way = receive(door)
        assert came == data
        door.send(came, way)
        assert client.recv(ROOM) == data
    with pytest.raises(BlockingIOError):
        door.receive()


@pytest.mark.parametrize("place", [("127.0.0.1", 0), ("0.0.0.0", 0), ("::", 0)])
def test_sending_may_fail(bound: Make, place: tuple[str, int]) -> None:
    door, client = door_of(bound(place)), bound()
    client.sendto(b"?", ("127.0.0.1", port_of(door.sock)))
    _, way = receive(door)
    with pytest.raises(OSError, match="too long"):
        door.send(bytes(ROOM), way)


def test_a_unix_peer_is_answered_if_it_has_an_address(bound: Make, tmp_path: Path) -> None:
    door = door_of(bound(str(tmp_path / "door")))
    for client in (bound(str(tmp_path / "client")), bound("")):  # the second has an abstract name, of the kernel's
        client.sendto(b"?", door.sock.getsockname())
        _, way = receive(door)
        assert door.peer_of(way) == Peer("unix", 0)
        assert str(door.peer_of(way)) == "unix"
        door.send(b"!", way)
        assert client.recv(99) == b"!"


def test_a_unix_peer_without_an_address_gets_nothing(bound: Make, tmp_path: Path) -> None:
    door = door_of(bound(str(tmp_path / "door")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"?", door.sock.getsockname())
        _, way = receive(door)
        with pytest.raises(OSError, match="bound its socket to no address"):
            door.send(b"!", way)


@pytest.mark.parametrize(
    ("place", "host", "from_host"),
    [
        (("127.0.0.1", 0), "127.0.0.1", "127.0.0.1"),
        (("0.0.0.0", 0), "127.0.0.1", "127.0.0.1"),
        (("::", 0), "127.0.0.1", "127.0.0.1"),
        (("::", 0), "::1", "::1"),
        (("::1", 0), "::1", "::1"),
    ],
)
def test_a_peer_can_be_written_to_unasked(bound: Make, place: tuple[str, int], host: str, from_host: str) -> None:
    door, client = door_of(bound(place)), bound((host, 0))
    door.send(b"news", door.way_to(Peer(host, port_of(client))))
    data, name = client.recvfrom(99)
    assert data == b"news"
    assert name[:2] == (from_host, port_of(door.sock))


def test_ways_have_zones(bound: Make) -> None:
    door = door_of(bound(("::1", 0)))
    loopback = socket.if_nametoindex("lo")
    assert door.way_to(Peer("fe80::1%lo", 5)) == ("fe80::1", 5, 0, loopback)
    assert door.way_to(Peer("fe80::1%7", 5)) == ("fe80::1", 5, 0, 7)
    assert door.peer_of(("fe80::1", 5, 0, loopback)) == Peer("fe80::1%lo", 5)
    assert door.peer_of(("fe80::1", 5, 0, 999_999)) == Peer("fe80::1%999999", 5)
    assert door.peer_of(("::ffff:0:1:2", 5, 0, 0)) == Peer("::ffff:0:1:2", 5)


@pytest.mark.parametrize(
    ("place", "peer", "why"),
    [
        (("127.0.0.1", 0), Peer("::1", 5), "is an IPv6 address"),
        (("::1", 0), Peer("127.0.0.1", 5), "is an IPv4 address"),
        (("::1", 0), Peer("fe80::1%nowhere", 5), "no interface nowhere"),
    ],
)
def test_not_every_peer_can_be_reached(bound: Make, place: tuple[str, int], peer: Peer, why: str) -> None:
    door = door_of(bound(place, is_v6_only=True))
    with pytest.raises(UsageError, match=why):
        door.way_to(peer)


def test_a_unix_socket_reaches_nobody_unasked(bound: Make) -> None:
    with pytest.raises(UsageError, match="unix cannot be reached through a unix socket"):
        door_of(bound("")).way_to(Peer("unix", 0))


def test_a_stream_has_no_door(bound: Make) -> None:
    with pytest.raises(UsageError, match="no socket for datagrams"):
        open_door(bound(kind=socket.SOCK_STREAM))


def test_the_kernels_queue_is_made_longer_never_shorter(bound: Make) -> None:
    small, large = bound(), bound()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    before = small.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    door_of(small)
    assert small.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > before
    before = large.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    door_of(large)
    assert large.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= before
