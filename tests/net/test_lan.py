import os
import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.net.lan import (
    Assigned,
    LanAddress,
    interface_name,
    lan_addresses,
    own_addresses,
    own_names,
    parse_assigned,
    rank,
    routed,
)

RANKS = [
    ("nothing but loopback", ["127.0.0.1 lo", "::1 lo", "127.0.1.1 lo"], [], []),
    ("nothing at all", [], [], []),
    ("IPv4 before IPv6", ["fd00::5 eth0", "10.0.0.5 eth0"], [], ["10.0.0.5", "fd00::5"]),
    ("the default route first", ["10.0.0.5 eth0", "192.168.1.5 wlan0"], ["192.168.1.5"], ["192.168.1.5", "10.0.0.5"]),
    (
        "the default route's IPv6 before another IPv4",
        ["10.0.0.5 eth0", "2001:db8::5 wlan0"],
        ["2001:db8::5"],
        ["2001:db8::5", "10.0.0.5"],
    ),
    (
        "containers and virtual machines last",
        ["172.17.0.1 docker0", "172.18.0.1 br-0a1b", "192.168.122.1 virbr0", "10.0.0.5 eth0", "fd00::5 eth0"],
        [],
        ["10.0.0.5", "fd00::5", "172.17.0.1", "172.18.0.1", "192.168.122.1"],
    ),
    ("a bridged LAN is a LAN", ["172.17.0.1 docker0", "10.0.0.5 br0"], [], ["10.0.0.5", "172.17.0.1"]),
    ("a tunnel, even as default", ["10.8.0.2 tun0", "192.168.1.5 eth0"], ["10.8.0.2"], ["192.168.1.5", "10.8.0.2"]),
    ("169.254/16 very last", ["169.254.3.4 eth0", "10.8.0.2 wg0"], [], ["10.8.0.2", "169.254.3.4"]),
    ("fe80::/10 left out", ["fe80::1 eth0", "febf::1 eth0", "fec0::1 eth0"], [], ["fec0::1"]),
    ("known from the route alone", [], ["10.0.0.5"], ["10.0.0.5"]),
    ("each once", ["10.0.0.5 eth0", "10.0.0.5 eth0"], ["10.0.0.5"], ["10.0.0.5"]),
    ("otherwise as found", ["10.0.0.9 eth0", "10.0.0.5 eth1"], [], ["10.0.0.9", "10.0.0.5"]),
]


def entry(text: str) -> LanAddress:
    address, interface = text.split(" ")
    return LanAddress(address, interface)


@pytest.mark.parametrize(("found", "routes", "expected"), [row[1:] for row in RANKS], ids=[row[0] for row in RANKS])
def test_rank(found: list[str], routes: list[str], expected: list[str]) -> None:
    assert [ranked.address for ranked in rank(map(entry, found), routes)] == expected


def test_rank_keeps_the_interface_of_a_routed_address() -> None:
    assert rank([LanAddress("10.0.0.5", "eth0")], ["10.0.0.5", "fd00::5"]) == [
        LanAddress("10.0.0.5", "eth0"),
        LanAddress("fd00::5", ""),
    ]


def test_routed_skips_what_cannot_be_reached() -> None:
    broadcast = (socket.AF_INET, "255.255.255.255")  # refused to sockets that did not ask for it
    assert routed([broadcast, (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]) == ["127.0.0.1", "::1"]


def test_interface_name() -> None:
    names = {link: interface_name(link) for link, _ in socket.if_nameindex()}
    assert names == dict(socket.if_nameindex())
    assert interface_name(max(names) + 1_000_000) == ""


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(family: int, flags: int, *attributes: bytes) -> bytes:
    return struct.pack("=BBBBI", family, 24, flags, 0, 7) + b"".join(attributes)


OURS, THEIRS = bytes([10, 0, 0, 5]), bytes([10, 0, 0, 6])
DEPRECATED_AND_MORE = (0x20 | 0x100).to_bytes(4, sys.byteorder)
V6 = socket.inet_pton(socket.AF_INET6, "fd00::5")
MESSAGES = [
    ("IPv4", message(socket.AF_INET, 0x80, attribute(1, OURS)), [Assigned("10.0.0.5", 7, True)]),
    (
        "point to point",
        message(socket.AF_INET, 0x80, attribute(1, THEIRS), attribute(2, OURS)),
        [Assigned("10.0.0.5", 7, True)],
    ),
    (
        "a label of odd length before it",
        message(socket.AF_INET, 0, attribute(3, b"eth0\0"), attribute(2, OURS)),
        [Assigned("10.0.0.5", 7, True)],
    ),
    ("IPv6", message(socket.AF_INET6, 0x80, attribute(1, V6)), [Assigned("fd00::5", 7, True)]),
    ("tentative", message(socket.AF_INET6, 0x40, attribute(1, V6)), [Assigned("fd00::5", 7, False)]),
    (
        "deprecated, in the wider flags",
        message(socket.AF_INET6, 0, attribute(1, V6), attribute(8, DEPRECATED_AND_MORE)),
        [Assigned("fd00::5", 7, False)],
    ),
    ("another family", message(socket.AF_UNIX, 0, attribute(1, OURS)), []),
    ("no address", message(socket.AF_INET, 0, attribute(3, b"eth0\0")), []),
    ("no attributes", message(socket.AF_INET, 0), []),
    ("an attribute of no length", message(socket.AF_INET, 0, bytes(8), attribute(1, OURS)), [("10.0.0.5", 7, True)]),
]


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_parse_assigned(body: bytes, expected: list[Assigned]) -> None:
    assert list(parse_assigned(body)) == expected


@pytest.mark.parametrize("body", [b"", bytes(7), message(socket.AF_INET, 0, attribute(1, b"abc"))])
def test_a_message_cut_short(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the text of one of them is Python's own)
        list(parse_assigned(body))


@given(st.binary(max_size=80))
def test_any_message_ends_in_addresses_or_a_value_error(body: bytes) -> None:
    try:
        found = list(parse_assigned(body))
    except ValueError:
        return
    assert len(found) <= 1


def test_lan_addresses_can_be_bound_and_are_no_loopback() -> None:
    for address, interface in lan_addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as sock:
            sock.bind((address, 0))
        assert not address.startswith("127.")
        assert interface in {"", *(name for _, name in socket.if_nameindex())}


def test_own_addresses_begin_with_loopback_and_hold_the_lan() -> None:
    assert own_addresses()[:2] == ("127.0.0.1", "::1")
    assert {found.address for found in lan_addresses()} <= set(own_addresses())


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="the system tells no addresses in /proc")
def test_own_addresses_hold_every_ipv6_address_of_the_kernels_table() -> None:
    with open("/proc/net/if_inet6", encoding="ascii") as table:
        packed = [bytes.fromhex(line.split()[0]) for line in table]
    assert {socket.inet_ntop(socket.AF_INET6, address) for address in packed} <= set(own_addresses())


def test_own_names() -> None:
    names = own_names()
    assert {"localhost", "127.0.0.1", "::1", *own_addresses()} <= names
    assert {name.lower() for name in names} == names
    label = socket.gethostname().lower().partition(".")[0]
    assert {label, f"{label}.local"} <= names
