"""A talker against a peer in the same thread: real sockets, no server."""

import socket
from collections.abc import Iterator

import pytest
from bench.sample import NotServed
from bench.talk import Talker, dial

BUFFER = memoryview(bytearray(1 << 16))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_says_its_block_again_once_it_has_the_whole_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    talker = Talker(ours, b"ping", 6)
    assert theirs.recv(99) == b"ping"
    theirs.sendall(b"pon")
    assert talker.turn(BUFFER) == 0
    theirs.sendall(b"g!!")
    assert talker.turn(BUFFER) == 1
    assert theirs.recv(99) == b"ping"
    theirs.sendall(b"pong!!")
    assert talker.turn(BUFFER) == 1


def test_a_block_that_the_kernel_does_not_take_at_once_follows(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    block = bytes(range(256)) * 16_384
    talker = Talker(ours, block, 2)
    received = b""
    while len(received) < len(block):
        received += theirs.recv(1 << 20)
        assert talker.turn(BUFFER) == 0
    assert received == block
    theirs.sendall(b"ok")
    assert talker.turn(BUFFER) == 1


def test_a_longer_answer_than_the_first_is_no_measurement(pair: tuple[socket.socket, socket.socket]) -> None:
    talker = Talker(pair[0], b"ping", 4)
    pair[1].sendall(b"pong, and more")
    with pytest.raises(NotServed, match="10 bytes longer"):
        talker.turn(BUFFER)


def test_a_peer_that_hangs_up_is_no_measurement(pair: tuple[socket.socket, socket.socket]) -> None:
    talker = Talker(pair[0], b"", 4)
    pair[1].close()
    with pytest.raises(NotServed, match="hangs up"):
        talker.turn(BUFFER)


def test_clients_come_from_several_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with dial(port, 0) as first, dial(port, 499) as second, dial(port, 500) as third:
            hosts = [connection.getsockname()[0] for connection in (first, second, third)]
    assert hosts == ["127.0.1.1", "127.0.1.1", "127.0.1.2"]
