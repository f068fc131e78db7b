"""The addresses and names under which others reach this machine.

Linux answers one netlink request (rtnetlink(7), RTM_GETADDR) with every address of every interface, without a package,
a DNS look-up or a subprocess. Elsewhere only the addresses that the default routes use are known.
The order is decided by `rank`, which is pure; nothing here raises, the worst answer is an empty one.
"""

import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

# Documentation addresses (RFC 5737, RFC 3849): routed by the default route, never by one of their own.
_FAR: Final = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
# Interfaces that lead to containers, virtual machines and tunnels. `br0` is not here: people bridge their LAN with it.
_VIRTUAL: Final = (
    "docker",
    "br-",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "lxc",
    "lxd",
    "cni",
    "flannel",
    "cali",
    "podman",
)
_TUNNELS: Final = ("tun", "tap", "utun", "wg", "tailscale", "zt", "ppp", "ipsec", "nordlynx", "dummy")

# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ADDRESS: Final = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface index
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_ROUTE, _GET_ADDRESSES, _NEW_ADDRESS, _ERROR, _DONE = 0, 22, 20, 2, 3
_REQUEST_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_UNUSABLE: Final = 0x08 | 0x20 | 0x40  # IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE


class LanAddress(NamedTuple):
    """An address that others on the network can open. address: without brackets. interface: "" where unknown."""

    address: str
    interface: str


class Assigned(NamedTuple):
    """One address as the kernel tells it. link: the interface's index. is_usable: neither on trial nor retired."""

    address: str
    link: int
    is_usable: bool


def lan_addresses() -> list[LanAddress]:
    """Return the addresses to tell others, best first; empty on a machine that has only loopback."""
    found = [
        LanAddress(assigned.address, interface_name(assigned.link)) for assigned in _assigned() if assigned.is_usable
    ]
    return rank(found, routed())


def own_addresses() -> tuple[str, ...]:
    """Return every address of this machine, loopback first, without brackets or zones."""
    found = dict.fromkeys(("127.0.0.1", "::1"))
    found |= dict.fromkeys(assigned.address for assigned in _assigned())
    return tuple(found | dict.fromkeys(routed()))


def own_names() -> frozenset[str]:
    """Return the host names and addresses that this machine answers to, for the guard against DNS rebinding.

    Lower case; IPv6 without brackets. They are: localhost, the host name, its first label, that label under `.local`
    (RFC 6762) and all of `own_addresses`. Names below `.localhost` are for the caller to judge.
    True at the time of the call: addresses come and go with networks, so ask again before turning a visitor away.
    """
    name = socket.gethostname().lower().rstrip(".")
    label = name.partition(".")[0]
    names = {name, label, f"{label}.local"} if label else set()
    return frozenset({"localhost", *names, *own_addresses()})


def rank(found: Iterable[LanAddress], routes: Iterable[str]) -> list[LanAddress]:
    """Order addresses by how likely it is that a neighbour can open them.

    found: addresses of interfaces. routes: those that the default routes use, added where they were not found.
    First the routed ones, then IPv4, then IPv6 (unique local and global). Last, in this order: interfaces of
    containers, virtual machines and tunnels, even if the default route leads there; 169.254/16, which works only
    where nobody hands out addresses. Left out: loopback, and fe80::/10, which no browser opens (it needs a zone).
    """
    preferred = tuple(routes)
    known = {entry.address: entry for entry in (*(LanAddress(address, "") for address in preferred), *found)}
    reachable = (entry for entry in known.values() if _is_reachable(entry.address))
    return sorted(reachable, key=lambda entry: _cost(entry, preferred))


def _cost(entry: LanAddress, preferred: tuple[str, ...]) -> tuple[bool, bool, bool, bool]:
    return (
        entry.address.startswith("169.254."),
        entry.interface.startswith(_VIRTUAL + _TUNNELS),
        entry.address not in preferred,
        ":" in entry.address,
    )


def _is_reachable(address: str) -> bool:
    # fe80::/10 reaches from fe80 to febf.
    return not address.startswith(("127.", "fe8", "fe9", "fea", "feb")) and address != "::1"


def routed(destinations: Iterable[tuple[int, str]] = _FAR) -> list[str]:
    """Return the own address from which each destination would be reached, here those of the default routes.

    destinations: family and address; one without a route is skipped. Connecting a datagram socket sends nothing.
    """
    found = []
    for family, far in destinations:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found


def interface_name(link: int) -> str:
    """Return the name of the interface with this index, "" where there is none."""
    try:
        return socket.if_indextoname(link)
    except OSError:  # unplugged meanwhile
        return ""


def _assigned() -> list[Assigned]:
    if not hasattr(socket, "AF_NETLINK"):
        return []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE) as netlink:
            netlink.settimeout(1.0)
            body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            netlink.send(_HEADER.pack(_HEADER.size + len(body), _GET_ADDRESSES, _REQUEST_DUMP, 1, 0) + body)
            return list(_receive(netlink))
    except (OSError, ValueError):
        return []


def _receive(netlink: socket.socket) -> Iterator[Assigned]:
    while True:
        for kind, body in _messages(netlink.recv(65_536)):
            if kind in (_DONE, _ERROR):
                return
            if kind == _NEW_ADDRESS:
                yield from parse_assigned(body)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a datagram of the kernel into (type, body); each message is padded to four bytes."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[max(length + 3 & ~3, _HEADER.size) :]


def parse_assigned(body: bytes) -> Iterator[Assigned]:
    """Read the body of an RTM_NEWADDR message; yields nothing for a family other than IPv4 and IPv6.

    Raises ValueError where the message or an address in it is cut short.
    """
    if len(body) < _ADDRESS.size:
        raise ValueError(f"an address message has {len(body)} bytes, not {_ADDRESS.size} or more")
    family, _, flags, _, link = _ADDRESS.unpack_from(body)
    attributes = dict(_attributes(body[_ADDRESS.size :]))
    if _IFA_FLAGS in attributes:
        flags = int.from_bytes(attributes[_IFA_FLAGS], sys.byteorder)
    # On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL is ours.
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if packed and family in (socket.AF_INET, socket.AF_INET6):
        yield Assigned(socket.inet_ntop(family, packed), link, not flags & _UNUSABLE)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[max(length + 3 & ~3, _ATTRIBUTE.size) :]
