"""Settings become listening sockets, and these become URLs."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.cli.running import variables

from portico.cli.places import Links, Places, links_of, open_lan, open_places, wanted
from portico.errors import ConfigError, UsageError
from portico.net.addresses import Kind
from portico.net.lan import lan_addresses
from portico.net.listening import PortTaken, address_of, close
from portico.settings import Listen


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Sockets that are closed at the end."""
    sockets: list[socket.socket] = []
    yield sockets
    close(sockets)


def opening(opened: list[socket.socket], listen_to: Listen, host: str = "localhost") -> Places:
    places = open_places(listen_to, host)
    opened += places.sockets
    return places


def hosts(sockets: Sequence[socket.socket]) -> set[str]:
    return {address_of(sock).host for sock in sockets}


def test_this_machine_alone_is_the_default(opened: list[socket.socket]) -> None:
    assert hosts(opening(opened, Listen(port=0)).sockets) <= {"127.0.0.1", "::1"}


def test_lan_is_every_interface(opened: list[socket.socket]) -> None:
    assert hosts(opening(opened, Listen(port=0, lan=True)).sockets) <= {"*", "0.0.0.0"}


def test_sockets_that_are_meant_for_another_process_are_left_to_it(opened: list[socket.socket]) -> None:
    with variables(LISTEN_FDS="1", LISTEN_PID="1"):
        assert hosts(opening(opened, Listen()).sockets) <= {"127.0.0.1", "::1"}
        assert "LISTEN_FDS" not in os.environ


def test_bind_repeats(opened: list[socket.socket], tmp_path: Path) -> None:
    bind = ("127.0.0.1:0", f"unix:{tmp_path}/s")
    assert [address_of(sock).kind for sock in opening(opened, Listen(bind=bind)).sockets] == ["tcp", "unix"]


def test_a_taken_default_is_stepped_over(opened: list[socket.socket]) -> None:
    # Whether or not someone has 8000, both cannot be had twice.
    first = opening(opened, Listen(bind=("127.0.0.1",)))
    second = opening(opened, Listen(bind=("127.0.0.1",)))
    assert address_of(second.sockets[0]).port > address_of(first.sockets[0]).port
    assert second.moved is not None
    assert second.moved.port == 8000


def test_a_given_port_is_not(taken_port: int) -> None:
    with pytest.raises(PortTaken, match=f"{taken_port} is used by"):
        open_places(Listen(port=taken_port, bind=("127.0.0.1",)))


def test_a_port_within_the_address_is_given(taken_port: int) -> None:
    with pytest.raises(PortTaken):
        open_places(Listen(bind=("127.0.0.1:0", f"127.0.0.1:{taken_port}")))


@pytest.mark.parametrize(
    ("listen_to", "complaint"),
    [
        (Listen(lan=True, bind=("::1",)), "leave out --bind"),
        (Listen(bind=("udp://127.0.0.1:0",)), "is UDP"),
        (Listen(bind=("127.0.0.1:x",)), "the port 'x' is not a number"),
    ],
)
def test_what_makes_no_sense(listen_to: Listen, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        open_places(listen_to)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(ConfigError, match="not an address of this machine"):
        open_places(Listen(port=0, bind=("192.0.2.123",)))


def bound(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, 0))
    return sock


def test_localhost_is_one_link(opened: list[socket.socket]) -> None:
    places = opening(opened, Listen(port=0))
    port = address_of(places.sockets[0]).port
    assert links_of(places.sockets, "x.txt") == Links([f"http://localhost:{port}/x.txt"], [])


def test_loopback_of_ipv6_alone_is_a_link(opened: list[socket.socket]) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    opened.append(bound("::1"))
    assert links_of(opened).own == [f"http://[::1]:{opened[0].getsockname()[1]}/"]


@pytest.mark.parametrize(("host", "has_ipv6"), [("*", True), ("0.0.0.0", False)])
def test_every_interface_has_a_link(opened: list[socket.socket], host: str, has_ipv6: bool) -> None:
    links = links_of(opening(opened, Listen(port=0, bind=(host,))).sockets)
    expected = [entry for entry in lan_addresses() if has_ipv6 or ":" not in entry.address]
    assert len(links.own) == 1
    assert [interface for _, interface in links.lan] == [entry.interface for entry in expected]


def test_a_socket_file_has_its_path_for_a_link(opened: list[socket.socket], tmp_path: Path) -> None:
    places = opening(opened, Listen(bind=(f"unix:{tmp_path}/s",)))
    assert links_of(places.sockets) == Links([f"unix:{tmp_path}/s"], [])


@pytest.fixture
def lan_host() -> str:
    """The best LAN address of this machine."""
    found = lan_addresses()
    if not found:
        pytest.skip("this machine has only loopback")
    return found[0].address


def test_a_lan_address_is_a_link_for_others(opened: list[socket.socket], lan_host: str) -> None:
    opened.append(bound(lan_host))
    links = links_of(opened)
    assert (links.own, [interface for _, interface in links.lan]) == ([], [lan_addresses()[0].interface])


def test_the_lan_is_opened_beside_loopback(opened: list[socket.socket], lan_host: str) -> None:
    port = address_of(opening(opened, Listen(port=0)).sockets[0]).port
    found = open_lan(port)
    opened += found
    assert lan_host in hosts(found)
    with pytest.raises(PortTaken):
        open_lan(port)


# services

BOTH: tuple[Kind, ...] = ("tcp", "udp")


def test_both_kinds_have_one_port(opened: list[socket.socket]) -> None:
    places = open_places(Listen(port=0, bind=("127.0.0.1",)), kinds=BOTH)
    opened += places.sockets
    tcp, udp = [address_of(sock) for sock in places.sockets]
    assert (tcp.kind, udp.kind, tcp.port) == ("tcp", "udp", udp.port)


def test_an_address_that_says_its_kind_is_of_that_kind_alone(opened: list[socket.socket], tmp_path: Path) -> None:
    bind = ("udp://127.0.0.1:0", "tcp://127.0.0.1:0", f"unix:{tmp_path}/s")
    places = open_places(Listen(bind=bind), kinds=BOTH)
    opened += places.sockets
    assert [address_of(sock).kind for sock in places.sockets] == ["udp", "tcp", "unix"]


def test_a_default_port_is_free_for_both_or_stepped_over(opened: list[socket.socket]) -> None:
    first = open_places(Listen(bind=("127.0.0.1",)), kinds=BOTH)
    opened += first.sockets
    port = address_of(first.sockets[0]).port
    with socket.socket(type=socket.SOCK_DGRAM) as twin:
        with suppress(OSError):  # whoever has it already does as well
            twin.bind(("127.0.0.1", port + 1))
        second = open_places(Listen(bind=("127.0.0.1",)), kinds=BOTH)
        opened += second.sockets
    assert [address_of(sock).port for sock in second.sockets] == [address_of(second.sockets[0]).port] * 2
    assert address_of(second.sockets[0]).port > port + 1
    assert second.moved is not None


def test_a_given_port_whose_twin_is_taken_leaves_nothing_open() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as twin:
        twin.bind(("127.0.0.1", 0))
        port = twin.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{port} is used by"):
            open_places(Listen(port=port, bind=("127.0.0.1",)), kinds=BOTH)
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))


def test_many_taken_twins_in_a_row() -> None:
    with ExitStack() as stack:
        for port in range(8000, 8060):
            twin = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with suppress(OSError):
                twin.bind(("127.0.0.1", port))
        with pytest.raises(PortTaken, match="8000 is used by"):
            open_places(Listen(bind=("127.0.0.1",)), kinds=BOTH)


@pytest.mark.parametrize(
    ("text", "kinds", "also", "complaint"),
    [
        ("udp://127.0.0.1:0", ("tcp",), (), "is UDP; this is served over TCP, unix:PATH or fd:N"),
        ("tcp://127.0.0.1:0", ("udp",), (), "is not UDP; this is served over UDP: write udp://HOST:PORT or fd:N"),
        ("unix:x", ("udp",), (), "unix:x is not UDP"),
        ("tls://127.0.0.1:0", BOTH, (), "is TLS, which is not served here"),
        ("tls://127.0.0.1:0", ("tcp",), ("udp",), "is TLS, which is not served here"),
    ],
)
def test_kinds_that_are_not_served(text: str, kinds: tuple[Kind, ...], also: tuple[Kind, ...], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        wanted(Listen(bind=(text,)), kinds=kinds, also=also)


def test_what_may_be_said_though_it_is_not_meant() -> None:
    (place,) = wanted(Listen(bind=("udp://127.0.0.1:0",)), also=("udp",))
    assert [address.kind for address in place.addresses] == ["udp"]
    (place,) = wanted(Listen(bind=("127.0.0.1",)), also=("udp",))
    assert [address.kind for address in place.addresses] == ["tcp"]
    assert not place.is_given


def test_links_of_services_are_what_connect_takes(opened: list[socket.socket]) -> None:
    places = open_places(Listen(port=0), kinds=BOTH)
    opened += places.sockets
    port = address_of(places.sockets[0]).port
    assert links_of(places.sockets, is_http=False) == Links([f"tcp://localhost:{port}", f"udp://localhost:{port}"], [])
