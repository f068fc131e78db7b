"""A peer whose machine has vanished is noticed, whether or not there was something to send to it."""

import errno
import socket
from collections.abc import Iterator

import pytest
from tests.net.silence import vanish

from portico.net.probing import LEAST_S, notice_loss

PATIENCE_S = 15


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield our side and the peer's of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as peer:
            ours, _ = listener.accept()
            with ours:
                ours.settimeout(PATIENCE_S)
                yield ours, peer


@pytest.mark.parametrize("unsent", [b"", b"hello"], ids=["silent", "with-data"])
def test_a_peer_that_vanished_is_noticed(pair: tuple[socket.socket, socket.socket], unsent: bytes) -> None:
    ours, peer = pair
    notice_loss(ours, LEAST_S)
    vanish(peer)
    ours.sendall(unsent)
    with pytest.raises(OSError, match="timed out") as caught:
        ours.recv(1)
    assert caught.value.errno == errno.ETIMEDOUT  # the kernel's word, and not our patience


def test_a_peer_that_is_there_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    notice_loss(ours, LEAST_S)
    ours.settimeout(LEAST_S + 1)
    with pytest.raises(TimeoutError) as caught:
        ours.recv(1)
    assert caught.value.errno is None
    peer.sendall(b"here")
    assert ours.recv(4) == b"here"


def test_a_connection_that_ended_meanwhile_is_passed_over(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    ours.close()
    notice_loss(ours, LEAST_S)


def test_sockets_without_probes_are_passed_over() -> None:
    one, other = socket.socketpair()
    with one, other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third:
        for sock in (one, third):
            notice_loss(sock, LEAST_S)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
