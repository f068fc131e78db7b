import asyncio
import errno
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from math import inf
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from tests.net.silence import full_queue

from portico.errors import Gone, PorticoError, Refused, UsageError
from portico.net.addresses import Address, parse_address
from portico.net.connecting import STAGGER_S, Race, connect, connect_async, explain, interleaved, meets_itself
from portico.net.resolving import Endpoint

A, B, C = (Endpoint(socket.AF_INET6, (host, 80, 0, 0)) for host in ("2001:db8::a", "2001:db8::b", "2001:db8::c"))
X, Y = (Endpoint(socket.AF_INET, (host, 80)) for host in ("203.0.113.1", "203.0.113.2"))
Connect = Callable[[str, float], socket.socket]


# The race


@pytest.mark.parametrize(
    ("endpoints", "order"),
    [
        ([], []),
        ([A], [A]),
        ([A, B, C, X, Y], [A, X, B, Y, C]),
        ([X, A, B, C], [X, A, B, C]),
        ([A, B, X], [A, X, B]),
        ([X, Y], [X, Y]),
    ],
)
def test_families_alternate(endpoints: list[Endpoint], order: list[Endpoint]) -> None:
    assert interleaved(endpoints) == order


@given(st.lists(st.sampled_from([A, B, C, X, Y]), unique=True))
def test_no_endpoint_is_lost(endpoints: list[Endpoint]) -> None:
    assert sorted(interleaved(endpoints)) == sorted(endpoints)


def test_the_next_attempt_comes_after_a_quarter_of_a_second() -> None:
    race = Race([A, X])
    assert (race.wait_s(5.0), race.take(5.0), race.take(5.0)) == (0.0, A, None)
    assert (race.wait_s(5.0), race.take(5.2)) == (STAGGER_S, None)
    assert (race.take(5.25), race.wait_s(5.25), race.take(9.0)) == (X, inf, None)


def test_the_next_attempt_comes_at_once_where_one_fails() -> None:
    race = Race([A, X])
    assert race.take(5.0) is A
    race.note_failure(OSError(errno.ENETUNREACH, "no way"))
    assert (race.wait_s(5.0), race.take(5.0)) == (0.0, X)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([errno.ENETUNREACH, errno.ECONNREFUSED], errno.ECONNREFUSED),
        ([errno.ECONNREFUSED, errno.ENETUNREACH], errno.ECONNREFUSED),
        ([errno.ENOBUFS, errno.EHOSTUNREACH], errno.EHOSTUNREACH),
        ([errno.ENOBUFS], errno.ENOBUFS),
    ],
)
def test_the_failure_that_says_most_is_told(codes: list[int], said: int) -> None:
    race = Race([])
    for code in codes:
        race.note_failure(OSError(code, os.strerror(code)))
    assert race.failure.errno == said


# Connections


def on(loop: Callable[[Awaitable[socket.socket]], socket.socket]) -> Connect:
    return lambda address, timeout_s: loop(connect_async(parse_address(address), timeout_s=timeout_s))


WAYS: dict[str, Connect] = {
    "blocking": lambda address, timeout_s: connect(parse_address(address), timeout_s=timeout_s),
    "asyncio": on(asyncio.run),  # type: ignore[arg-type]
    "uvloop": on(uvloop.run),  # type: ignore[arg-type]
}


@pytest.fixture(params=WAYS)
def reach(request: pytest.FixtureRequest) -> Connect:
    return WAYS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a short relative path: a socket's path has room for about a hundred bytes."""
    before = os.getcwd()
    os.chdir(tmp_path)
    yield Path()
    os.chdir(before)


def served(family: int, name: object, kind: int = socket.SOCK_STREAM) -> socket.socket:
    sock = socket.socket(family, kind)
    sock.bind(name)  # type: ignore[arg-type]
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


V4 = (socket.AF_INET, ("127.0.0.1", 0))
V6 = (socket.AF_INET6, ("::1", 0))


@pytest.mark.parametrize(
    ("place", "address"),
    [
        (V4, "127.0.0.1:{port}"),
        (V4, "tcp://localhost:{port}"),
        (V4, "tls://127.0.0.1:{port}"),
        (V4, ":{port}"),
        (V6, "[::1]:{port}"),
        (V6, "localhost:{port}"),
        ((socket.AF_UNIX, "x.sock"), "unix:x.sock"),
        ((socket.AF_UNIX, "\0portico-connecting"), "unix:@portico-connecting"),
    ],
)
def test_a_connection_stands(reach: Connect, folder: Path, place: tuple[int, object], address: str) -> None:
    with served(*place) as server:
        name = server.getsockname()
        with reach(address.format(port=name[1]), 5) as sock, server.accept()[0] as peer:
            assert not sock.get_inheritable()
            sock.setblocking(True)
            sock.sendall(b"hello")
            assert peer.recv(9) == b"hello"
            if sock.family != socket.AF_UNIX:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_socket_suits_who_asked() -> None:
    with served(*V4) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        timeouts = {}
        for name, way in WAYS.items():
            with way(address, 5) as sock:
                timeouts[name] = sock.gettimeout()
        assert timeouts == {"blocking": None, "asyncio": 0.0, "uvloop": 0.0}


def test_a_udp_socket_hears_one_peer_alone(reach: Connect) -> None:
    with served(*V4, socket.SOCK_DGRAM) as server, served(*V4, socket.SOCK_DGRAM) as stranger:
        with reach(f"udp://localhost:{server.getsockname()[1]}", 5) as sock:
            stranger.sendto(b"no", sock.getsockname())
            sock.setblocking(True)
            sock.send(b"question")
            assert server.recvfrom(9)[1] == sock.getsockname()
            server.sendto(b"answer", sock.getsockname())
            assert sock.recv(9) == b"answer"


def test_an_inherited_socket_is_taken_over(reach: Connect) -> None:
    ours, theirs = socket.socketpair()
    with theirs, reach(f"fd:{ours.detach()}", 5) as sock:
        sock.send(b"x")
        assert theirs.recv(2) == b"x"
        assert not sock.get_inheritable()


def free_port() -> int:
    with served(*V4) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("127.0.0.1:{free}", Refused, "nothing listens on 127.0.0.1:{free}; check the port, or start the server"),
        ("localhost:{free}", Refused, "nothing listens on localhost:{free}; check the port, or start the server"),
        ("nonexistent.invalid:80", Refused, "there is no host called 'nonexistent.invalid'; check the spelling"),
        ("localhost:0", UsageError, "localhost:0 has port 0, which nobody has; write the port of the server"),
        ("unix:none.sock", Refused, "there is no socket unix:none.sock; check the path, or start the server"),
        ("unix:none/x.sock", Refused, "there is no socket unix:none/x.sock; check the path, or start the server"),
        ("unix:file", Refused, "nothing listens on unix:file; check the port, or start the server"),
        ("unix:grams", Refused, "unix:grams is a socket for datagrams; only streams can be used here"),
        ("unix:a\x1bb", Refused, "there is no socket 'unix:a\\x1bb'; check the path, or start the server"),
        ("unix:" + "a" * 200, Gone, "cannot connect to unix:" + "a" * 200 + ": AF_UNIX path too long"),
        ("fd:999999", Refused, "fd:999999 is not an open socket; it must be inherited from the starting process"),
    ],
)
def test_what_cannot_be_had_gets_one_line(
    reach: Connect, folder: Path, address: str, kind: type[PorticoError], message: str
) -> None:
    (folder / "file").touch()
    free = free_port()
    with served(socket.AF_UNIX, "grams", socket.SOCK_DGRAM), pytest.raises(kind) as caught:
        reach(address.format(free=free), 5)
    assert str(caught.value) == message.format(free=free)


def test_a_descriptor_without_a_peer_stays_open(reach: Connect) -> None:
    with served(*V4) as server:
        with pytest.raises(Refused, match="is a socket without a peer; it must be a connected one"):
            reach(f"fd:{server.fileno()}", 5)
        assert server.getsockname()[1]


@pytest.mark.parametrize("way", [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, "full.sock")])
def test_a_silent_server_is_given_up_in_time(reach: Connect, folder: Path, way: tuple[int, object]) -> None:
    with full_queue(*way) as server:
        name = server.getsockname()
        address = f"unix:{name}" if isinstance(name, str) else f"127.0.0.1:{name[1]}"
        with pytest.raises(Gone) as caught:
            reach(address, 0.1)
        assert str(caught.value) == f"no answer from {address} within 0.1 s"


def test_a_unix_server_that_finds_time_is_waited_for(reach: Connect, folder: Path) -> None:
    with full_queue(socket.AF_UNIX, "full.sock") as server:
        taken: list[socket.socket] = []
        accepting = threading.Timer(0.02, lambda: taken.append(server.accept()[0]))
        accepting.start()
        with reach("unix:full.sock", 5) as sock:
            accepting.join()
            assert sock.getpeername() == "full.sock"
        taken[0].close()


def test_a_silent_address_does_not_hold_up_the_next(reach: Connect) -> None:
    """Happy eyeballs: IPv4 does not answer at all, IPv6 does."""
    with full_queue() as silent:
        port = silent.getsockname()[1]
        with served(socket.AF_INET6, ("::1", port)) as server:
            with reach(f"localhost:{port}", 5) as sock:
                assert sock.family == socket.AF_INET6
                server.accept()[0].close()


def test_a_cancelled_connection_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))

    async def give_up(port: int) -> None:
        task = asyncio.create_task(connect_async(Address("tcp", host="localhost", port=port), timeout_s=5))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with full_queue() as silent:
        during = len(os.listdir("/proc/self/fd"))
        asyncio.run(give_up(silent.getsockname()[1]))
        assert len(os.listdir("/proc/self/fd")) == during
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_connection_to_oneself_is_none() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        assert meets_itself(sock) == errno.ECONNREFUSED


def test_a_lack_of_permission_is_said() -> None:
    error = explain(PermissionError(errno.EACCES, "x"), Address("unix", path="/run/x"), 5)
    assert isinstance(error, Refused)
    assert str(error) == "unix:/run/x may not be used: permission denied"
