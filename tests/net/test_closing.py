import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.net.addresses import Address, parse_address
from portico.net.closing import refuse_new
from portico.net.listening import address_of, close, listen

BESIDES_LINUX = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="socket filters are Linux's")


@pytest.fixture(params=["127.0.0.1:0", "[::1]:0", "*:0", "unix:x"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """A listening socket of each kind."""
    before = os.getcwd()
    os.chdir(tmp_path)
    [sock] = listen(parse_address(request.param))
    yield sock
    close([sock])
    os.chdir(before)


def connect(listener: socket.socket) -> socket.socket:
    """Return a connected socket. Raises OSError where that is not to be had within a tenth of a second."""
    address = address_of(listener)
    peer = socket.socket(listener.family)
    peer.settimeout(0.1)
    try:
        if address.kind == "unix":
            peer.connect(address.path)
        else:
            peer.connect(("::1" if "::1" in address.host else "127.0.0.1", address.port))
    except OSError:
        peer.close()
        raise
    return peer


def dial(listener: socket.socket) -> socket.socket:
    """Connect over IPv4 where the listener is for both families."""
    if address_of(listener).host == "*":
        return socket.create_connection(("127.0.0.1", address_of(listener).port), 0.1)
    return connect(listener)


@BESIDES_LINUX
def test_who_waits_is_served_and_who_comes_is_not_let_in(listener: socket.socket) -> None:
    with dial(listener) as waiting:
        refuse_new([listener])
        with pytest.raises(OSError, match=r"timed out|No such file"):
            dial(listener)
        accepted, _ = listener.accept()
        with accepted:
            waiting.sendall(b"hello")
            accepted.settimeout(5)
            assert accepted.recv(5) == b"hello"
            accepted.sendall(b"world")
            waiting.settimeout(5)
            assert waiting.recv(5) == b"world"
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_what_others_hold_too_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        [ours] = listen(Address("fd", number=os.dup(theirs.fileno())))
        refuse_new([ours])
        close([ours])
        with socket.create_connection(theirs.getsockname(), 5) as peer:
            accepted, _ = theirs.accept()
            accepted.close()
            assert peer.recv(1) == b""


def test_closed_sockets_are_passed_over() -> None:
    [sock] = listen(parse_address("127.0.0.1:0"))
    close([sock])
    refuse_new([sock])


def test_a_name_without_a_file_stays_as_it_is() -> None:
    [sock] = listen(parse_address(f"unix:@portico-test-{os.getpid()}"))
    refuse_new([sock])
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(sock.getsockname())
        accepted, _ = sock.accept()
        accepted.close()
    close([sock])


def test_a_handshake_may_be_under_way_on_a_network_alone(listener: socket.socket) -> None:
    is_local = address_of(listener).host != "*"
    assert (refuse_new([listener]) == 0) == is_local


@pytest.mark.parametrize("text", ["udp://127.0.0.1:0", "udp://[::1]:0", "udp://*:0"])
def test_datagrams_go_on_coming(text: str) -> None:
    [sock] = listen(parse_address(text))
    assert refuse_new([sock]) == 0
    with socket.socket(sock.family, socket.SOCK_DGRAM) as peer:
        # A filter made for segments would see the flag of a SYN in it.
        peer.sendto(b"\xff" * 64, ("::1" if sock.family == socket.AF_INET6 else "127.0.0.1", address_of(sock).port))
        sock.settimeout(5)
        assert sock.recv(99) == b"\xff" * 64
    close([sock])
