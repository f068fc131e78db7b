import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from portico.errors import ConfigError, UsageError
from portico.net.addresses import Address, parse_address
from portico.net.lan import own_addresses
from portico.net.listening import (
    PortTaken,
    accept_waiting,
    address_of,
    bind_all,
    close,
    explain,
    is_inherited,
    listen,
    listen_free,
    next_free,
    pending_bytes,
)
from portico.net.ports import Holder

Open = Callable[..., list[socket.socket]]
LOOPBACK = Address("tcp", host="127.0.0.1", port=0)
NOT_OURS = "203.0.113.9"  # a documentation address (RFC 5737)


@pytest.fixture
def opened() -> Iterator[Open]:
    """Open like `listen`, and close when the test ends."""
    kept: list[socket.socket] = []

    def open_kept(text: str | Address, mode: int | None = None) -> list[socket.socket]:
        sockets = listen(parse_address(text) if isinstance(text, str) else text, mode=mode)
        kept.extend(sockets)
        return sockets

    yield open_kept
    close(kept)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a short relative path: a socket's path has room for about a hundred bytes."""
    before = os.getcwd()
    os.chdir(tmp_path)
    yield Path()
    os.chdir(before)


def hello(sock: socket.socket, peer: socket.socket) -> bytes:
    """Send five bytes through a new connection and return what arrived."""
    sock.setblocking(True)
    accepted, _ = sock.accept()
    with accepted:
        peer.sendall(b"hello")
        return accepted.recv(5, socket.MSG_WAITALL)


@pytest.mark.parametrize(
    ("text", "reached", "shown"),
    [
        ("127.0.0.1:0", ["127.0.0.1"], ["127.0.0.1"]),
        ("[::1]:0", ["::1"], ["::1"]),
        ("*:0", ["127.0.0.1", "::1"], ["*"]),
        ("[::]:0", ["127.0.0.1", "::1"], ["*"]),
        ("0.0.0.0:0", ["127.0.0.1"], ["0.0.0.0"]),
        ("localhost:0", ["127.0.0.1", "::1"], ["127.0.0.1", "::1"]),
    ],
)
def test_tcp(opened: Open, text: str, reached: list[str], shown: list[str]) -> None:
    sockets = opened(text)
    port = address_of(sockets[0]).port
    assert port
    assert [address_of(sock) for sock in sockets] == [Address("tcp", host=host, port=port) for host in shown]
    for number, host in enumerate(reached):
        with socket.create_connection((host, port), timeout=5) as peer:
            assert hello(sockets[number % len(sockets)], peer) == b"hello"


def test_sockets_are_ready_for_a_loop(opened: Open) -> None:
    [sock] = opened("127.0.0.1:0")
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    with pytest.raises(BlockingIOError):
        sock.accept()


def test_accepted_connections_send_without_delay(opened: Open) -> None:
    [sock] = opened("127.0.0.1:0")
    with socket.create_connection(sock.getsockname(), timeout=5):
        sock.setblocking(True)
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_restart_does_not_wait_for_the_last_connections(opened: Open) -> None:
    [sock] = opened("127.0.0.1:0")
    name = sock.getsockname()
    with socket.create_connection(name, timeout=5) as peer:
        sock.setblocking(True)
        accepted, _ = sock.accept()
        accepted.close()  # the side that closes first is left in TIME_WAIT
        assert peer.recv(1) == b""
    close([sock])
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(name)
    [again] = opened(f"127.0.0.1:{name[1]}")
    assert again.getsockname() == name


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "*"])
def test_a_taken_port_names_its_holder(opened: Open, scheme: str, host: str) -> None:
    [first, *_] = opened(f"{scheme}://127.0.0.1:0")
    port = first.getsockname()[1]
    with pytest.raises(PortTaken) as caught:
        opened(f"{scheme}://{host}:{port}")
    assert caught.value.port == port
    if os.path.exists("/proc/net/tcp"):
        assert caught.value.holder is not None
        assert caught.value.holder.pid == os.getpid()
        assert str(caught.value) == f"{port} is used by {caught.value.holder}"


def test_a_name_takes_all_of_its_addresses_or_none(opened: Open) -> None:
    [only] = opened("[::1]:0")
    port = only.getsockname()[1]
    with pytest.raises(PortTaken):
        opened(f"localhost:{port}")
    opened(f"127.0.0.1:{port}")  # what was bound before the failure is free again


def test_port_taken_as_text() -> None:
    assert str(PortTaken(8000, Holder("python", 4711))) == "8000 is used by python (pid 4711)"
    assert str(PortTaken(8000, None)) == "8000 is used by another program"


def test_udp(opened: Open) -> None:
    [sock] = opened("udp://127.0.0.1:0")
    assert not sock.getblocking()
    assert address_of(sock) == Address("udp", host="127.0.0.1", port=sock.getsockname()[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hello", sock.getsockname())
    sock.settimeout(5)
    assert sock.recv(5) == b"hello"


def test_udp_on_all_interfaces_hears_both_families(opened: Open) -> None:
    [sock] = opened("udp://*:0")
    port = address_of(sock).port
    sock.settimeout(5)
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as peer:
            peer.sendto(host.encode(), (host, port))
        assert sock.recv(20) == host.encode()


REFUSED = [
    (f"{NOT_OURS}:0", f"{NOT_OURS} is not an address of this machine; it has 127.0.0.1, ::1"),
    ("[2001:db8::9]:0", "2001:db8::9 is not an address of this machine"),
    ("[::1%no-such-interface]:0", "is not a name that this machine can look up"),
    (f"{'a' * 64}.invalid:0", "is not a name that this machine can look up"),
    ("fd:999999", "fd:999999 is not an open socket"),
    ("unix:no-such-folder/x", "cannot listen on unix:no-such-folder/x: No such file or directory"),
    (f"unix:{'x' * 200}", "AF_UNIX path too long"),
    (f"unix:@{'x' * 200}", "AF_UNIX path too long"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_cannot_be_listened_on(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen(parse_address(text))
    assert message in str(caught.value)
    assert not list(folder.iterdir())


UNIX, TCP = Address("unix", path="/run/x"), Address("tcp", host="::1", port=80)


@pytest.mark.parametrize(
    ("code", "address", "message"),
    [
        (errno.EACCES, TCP, "port 80 needs privileges; choose one from 1024 up"),
        (errno.EACCES, UNIX, "cannot listen on unix:/run/x: Permission denied"),
        (errno.EAFNOSUPPORT, TCP, "::1 cannot be used, this machine has no IPv6; write an IPv4 address"),
        (errno.EADDRINUSE, UNIX, "unix:/run/x is used by another program; stop it or choose another name"),
        (errno.ENOBUFS, TCP, "cannot listen on [::1]:80: No buffer space available"),
    ],
)
def test_explain(code: int, address: Address, message: str) -> None:
    assert str(explain(OSError(code, os.strerror(code)), address)) == message


def test_listen_free_takes_the_next_port(opened: Open) -> None:
    [taken] = opened("127.0.0.1:0")
    port = taken.getsockname()[1]
    found = listen_free(LOOPBACK._replace(port=port))
    try:
        assert port < address_of(found[0]).port < port + 20
    finally:
        close(found)


def test_listen_free_says_which_port_was_meant(opened: Open) -> None:
    [taken] = opened("127.0.0.1:0")
    port = taken.getsockname()[1]
    with pytest.raises(PortTaken) as caught:
        listen_free(LOOPBACK._replace(port=port), tries=1)
    assert caught.value.port == port


@pytest.mark.parametrize("text", ["127.0.0.1:0", "unix:x"])
def test_listen_free_where_there_is_one_try(folder: Path, text: str) -> None:
    found = listen_free(parse_address(text))
    assert len(found) == 1
    close(found)


def test_listen_free_stops_at_the_last_port() -> None:
    with pytest.raises(ConfigError, match="not an address of this machine"):
        listen_free(Address("tcp", host=NOT_OURS, port=65_535))


def test_listen_free_does_not_go_on_after_another_failure() -> None:
    with pytest.raises(ConfigError, match="is not a name that this machine can look up"):
        listen_free(Address("tcp", host=f"{'a' * 64}.invalid", port=8000))


def test_listen_free_needs_a_try() -> None:
    with pytest.raises(UsageError, match="0 tries are too few"):
        listen_free(LOOPBACK._replace(port=8000), tries=0)


def test_next_free_is_free(opened: Open) -> None:
    [taken] = opened("127.0.0.1:0")
    offered = next_free(address_of(taken))
    assert offered is not None
    [sock] = opened(f"127.0.0.1:{offered}")
    assert offered > taken.getsockname()[1]
    assert next_free(LOOPBACK._replace(port=sock.getsockname()[1] - 1), tries=1) is None


@pytest.mark.parametrize("port", [0, 65_535])
def test_nothing_is_offered_above_the_last_port(port: int) -> None:
    assert next_free(LOOPBACK._replace(port=port)) is None


# Socket files


def connect(path: str) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(5)
    peer.connect(path)
    return peer


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o777, 0])
def test_unix(opened: Open, folder: Path, mode: int) -> None:
    [sock] = opened("unix:x", mode=mode)
    assert os.stat("x").st_mode & 0o777 == mode
    assert not sock.getblocking()
    assert address_of(sock) == Address("unix", path="x")
    assert not os.path.exists("y")


def test_unix_mode_of_the_address(opened: Open, folder: Path) -> None:
    opened("unix:x?mode=640")
    assert os.stat("x").st_mode & 0o777 == 0o640


def test_unix_mode_of_the_address_where_ports_are_tried(folder: Path) -> None:
    sockets = listen_free(parse_address("unix:x?mode=640"))
    assert os.stat("x").st_mode & 0o777 == 0o640
    close(sockets)


def test_unix_mode_is_the_umasks_unless_given(opened: Open, folder: Path) -> None:
    before = os.umask(0o027)
    try:
        opened("unix:x")
    finally:
        os.umask(before)
    assert os.stat("x").st_mode & 0o777 == 0o750


def test_unix_connects_and_close_removes_the_file(opened: Open, folder: Path) -> None:
    [sock] = opened("unix:x")
    with connect("x") as peer:
        assert hello(sock, peer) == b"hello"
    close([sock])
    assert not os.path.exists("x")
    close([sock])  # twice is allowed


def test_the_file_is_removed_from_another_working_folder(opened: Open, folder: Path) -> None:
    sockets = opened("unix:x")
    made = os.path.abspath("x")
    os.chdir("/")
    close(sockets)
    assert not os.path.exists(made)


def test_a_stale_socket_file_is_replaced(opened: Open, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind("x")
        crashed.listen()
    [sock] = opened("unix:x")
    with connect("x") as peer:
        assert hello(sock, peer) == b"hello"


def test_a_socket_that_answers_is_left_alone(opened: Open, folder: Path) -> None:
    [sock] = opened("unix:x")
    with pytest.raises(ConfigError, match="unix:x is used by another program; stop it or choose another path"):
        opened("unix:x")
    sock.setblocking(True)
    probe, _ = sock.accept()
    probe.close()
    with connect("x") as peer:
        assert hello(sock, peer) == b"hello"


def test_a_datagram_socket_is_left_alone(opened: Open, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind("x")
        with pytest.raises(ConfigError, match="used by another program"):
            opened("unix:x")
        assert os.path.exists("x")


def test_a_file_is_never_replaced(opened: Open, folder: Path) -> None:
    (folder / "x").write_text("precious")
    (folder / "y").symlink_to("x")
    (folder / "z").mkdir()
    for name in ("x", "y", "z"):
        with pytest.raises(ConfigError, match=f"{name} exists and is not a socket; remove it or choose another path"):
            opened(f"unix:{name}")
    assert (folder / "x").read_text() == "precious"


def test_close_leaves_a_file_that_another_server_made(opened: Open, folder: Path) -> None:
    first = opened("unix:x")
    os.unlink("x")
    [second] = opened("unix:x")
    close(first)
    with connect("x") as peer:
        assert hello(second, peer) == b"hello"


def test_close_after_the_file_and_its_folder_have_gone(opened: Open, folder: Path) -> None:
    (folder / "run").mkdir()
    sockets = opened("unix:run/x")
    os.unlink("run/x")
    os.rmdir("run")
    close(sockets)
    assert sockets[0].fileno() == -1


def test_a_forked_child_leaves_the_file(folder: Path) -> None:
    script = """
import os
from portico.net.addresses import parse_address
from portico.net.lan import own_addresses
from portico.net.listening import close, listen
sockets = listen(parse_address("unix:x"))
child = os.fork()
if not child:
    close(sockets)
    os._exit(0)
os.waitpid(child, 0)
print(os.path.exists("x"))
close(sockets)
print(os.path.exists("x"))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "False"]


def test_of_many_servers_at_once_one_gets_the_file(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind("x")
    won: list[socket.socket] = []
    lost: list[ConfigError] = []
    start = threading.Barrier(8)

    def serve() -> None:
        start.wait()
        try:
            won.extend(listen(parse_address("unix:x")))
        except ConfigError as exc:
            lost.append(exc)

    threads = [threading.Thread(target=serve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert (len(won), len(lost)) == (1, 7)
        connect("x").close()
    finally:
        close(won)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_abstract_name(opened: Open) -> None:
    name = f"@portico-test-{os.getpid()}"
    [sock] = opened(f"unix:{name}")
    assert address_of(sock) == Address("unix", path=name)
    with connect("\0" + name[1:]) as peer:
        assert hello(sock, peer) == b"hello"
    with pytest.raises(ConfigError, match="is used by another program; stop it or choose another name"):
        opened(f"unix:{name}")


@pytest.mark.parametrize("text", ["unix:@x", "127.0.0.1:0", "fd:3"])
def test_a_mode_needs_a_file(text: str) -> None:
    with pytest.raises(UsageError, match="is no socket file, so it cannot have mode 660; write unix:PATH"):
        listen(parse_address(text), mode=0o660)


@pytest.mark.parametrize("mode", [-1, 0o1000])
def test_a_mode_has_nine_bits(folder: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="is not within 0 to 777"):
        listen(parse_address("unix:x"), mode=mode)
    assert not list(folder.iterdir())


# Inherited descriptors


def test_a_listening_descriptor_is_adopted(opened: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        name, number = server.getsockname(), os.dup(server.fileno())
        os.set_inheritable(number, True)
        [sock] = opened(Address("fd", number=number))
    assert sock.getsockname() == name
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    with socket.create_connection(name, timeout=5) as peer:
        assert hello(sock, peer) == b"hello"


def test_the_file_of_an_adopted_socket_stays(opened: Open, folder: Path) -> None:
    [sock] = opened("unix:x")
    close(opened(Address("fd", number=os.dup(sock.fileno()))))
    connect("x").close()


def test_a_descriptor_that_does_not_listen_is_given_back(opened: Open) -> None:
    one, other = socket.socketpair()
    with one, other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for sock, why in ((one, "must be a listening one"), (udp, "not UDP bound to a port")):
            with pytest.raises(ConfigError, match=why):
                opened(Address("fd", number=sock.fileno()))
            assert os.fstat(sock.fileno())


def test_a_bound_socket_for_datagrams_is_adopted(opened: Open) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        name, number = udp.getsockname(), os.dup(udp.fileno())
    [sock] = opened(Address("fd", number=number))
    assert is_inherited(sock)
    assert address_of(sock) == Address("udp", host="127.0.0.1", port=name[1])
    assert not sock.getblocking()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hello", name)
        sock.settimeout(5)
        assert sock.recv(99) == b"hello"


def test_a_socket_file_for_datagrams_is_not_adopted(opened: Open, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind("x")
        with pytest.raises(ConfigError, match="not UDP bound to a port"):
            opened(Address("fd", number=other.fileno()))
        assert os.fstat(other.fileno())


def test_a_file_is_no_socket(opened: Open, folder: Path) -> None:
    with open("x", "w", encoding="ascii") as file:
        with pytest.raises(ConfigError, match="is not an open socket; it must be inherited from the starting process"):
            opened(Address("fd", number=file.fileno()))
        file.write("still open")


# Where a socket is bound


def test_address_of_an_ipv6_only_socket() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::", 0))
        assert address_of(sock).host == "::"


def test_address_of_a_link_local_socket_has_its_zone(opened: Open) -> None:
    links = [
        (address, name) for address in own_addresses() for _, name in socket.if_nameindex() if address[:3] == "fe8"
    ]
    found: set[str] = set()
    for address, name in links:
        with suppress(ConfigError):  # the address belongs to another interface
            found.update(address_of(sock).host for sock in opened(f"[{address}%{name}]:0"))
    assert found <= {f"{address}%{name}" for address, name in links}
    assert len(found) >= len({address for address, _ in links})


def test_a_name_listens_on_those_addresses_that_the_machine_has() -> None:
    ours, absent = (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, (NOT_OURS, 0))
    for endpoints in ([ours, absent], [absent, ours]):
        sockets = bind_all(endpoints, socket.SOCK_STREAM, 1)
        assert [address_of(sock).host for sock in sockets] == ["127.0.0.1"]
        close(sockets)


def test_whether_others_may_hold_it_too(opened: Open) -> None:
    [ours] = opened("127.0.0.1:0")
    [theirs] = opened(Address("fd", number=os.dup(ours.fileno())))
    assert (is_inherited(ours), is_inherited(theirs)) == (False, True)


# --- what waits in the kernel -----------------------------------------------------------------


def test_everybody_in_the_queue_is_accepted(opened: Open) -> None:
    (sock,) = opened(LOOPBACK)
    assert accept_waiting(sock) == []
    peers = [socket.create_connection(sock.getsockname()) for _ in range(5)]
    accepted = accept_waiting(sock)
    assert [one.getpeername() for one in accepted] == [peer.getsockname() for peer in peers]
    assert not any(one.getblocking() for one in accepted)
    assert accept_waiting(sock) == []
    close([*peers, *accepted])


class Scripted(socket.socket):
    """A listener whose next connections fail as told. failures: error numbers, in order."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.failures:
            raise OSError(self.failures.pop(0), "as told")
        return super().accept()


@pytest.mark.parametrize(
    ("failures", "count"),
    [
        ([], 1),
        ([errno.ECONNABORTED], 1),
        ([errno.EPROTO, errno.ENETUNREACH, errno.EHOSTUNREACH], 1),
        ([errno.EAGAIN], 0),
        ([errno.ECONNABORTED, errno.EMFILE], 0),
    ],
)
def test_what_went_wrong_with_one_connection_says_nothing_of_the_next(failures: list[int], count: int) -> None:
    with Scripted() as sock:
        sock.failures = failures.copy()
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        with socket.create_connection(sock.getsockname()):
            accepted = accept_waiting(sock)
            assert len(accepted) == count
            close(accepted)


def test_tls_is_for_clients() -> None:
    with pytest.raises(UsageError, match=r"^tls://localhost:443: TLS is for connecting to a server; write HOST:PORT"):
        listen(parse_address("tls://localhost:443"))


def test_bytes_that_nobody_has_taken_yet() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert pending_bytes(right.fileno()) == 0
        left.sendall(b"hello")
        assert pending_bytes(right.fileno()) == 5
        right.recv(2)
        assert pending_bytes(right.fileno()) == 3
    with open(os.devnull) as null:  # which cannot be asked
        assert pending_bytes(null.fileno()) == 0
