"""Which peers are proxies that we believe: addresses and networks, as a set that answers quickly.

In: entries such as `10.0.0.0/8`, `::1`, `unix`, `*`, once; then addresses as text. Out: yes or no.

`*` believes whoever connects, and nobody else: an address that stands in a field must be listed by itself, or a
visitor could write one there (see `forwarded`).
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from portico.errors import UsageError, excerpt

ANYBODY = "*"
UNIX = "unix"  # what the server calls every peer on a unix socket
_REMEMBERED = 4096
_MAX_ADDRESS_CHARS = 45  # INET6_ADDRSTRLEN without its NUL; a zone is not part of what a proxy may say

Network = IPv4Network | IPv6Network


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address, None for anything else.

    text: without port, brackets and zone. An IPv4 address in an IPv6 one (RFC 4291 2.5.5.2) is returned as IPv4.
    """
    if len(text) > _MAX_ADDRESS_CHARS or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class Proxies:
    """A set of peers.

    entries: IP addresses, networks in CIDR form, `unix`, `*`; none at all is nobody.
    Raises UsageError for an entry that is none of these: names are not looked up.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        words = [entry.strip() for entry in entries]
        self._words = frozenset(words) & {ANYBODY, UNIX}
        networks = [_parse_network(word) for word in words if word not in self._words]
        # Addresses come by the thousand from few proxies.
        self._is_within = lru_cache(_REMEMBERED)(lambda text: _is_within(text, networks))
        self._is_empty = not words

    def __bool__(self) -> bool:
        return not self._is_empty

    def believes(self, peer: str) -> bool:
        """Say whether whoever is connected from this address is one of them. peer: an IP address, or "unix"."""
        return ANYBODY in self._words or self.includes(peer)

    def includes(self, address: str) -> bool:
        """Say whether the address is listed, by itself or in a network; `*` lists none."""
        return UNIX in self._words if address == UNIX else self._is_within(address)


def _parse_network(word: str) -> Network:
    try:
        network = ip_network(word)
    except ValueError as exc:
        reason = "bits of its host part are set" if "host bits" in str(exc) else "is no address, network, unix or *"
        raise UsageError(f"{excerpt(word)}: {reason}; write 10.0.0.1, 10.0.0.0/8, ::1, unix or *") from exc
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((mapped, network.prefixlen - 96))


def _is_within(text: str, networks: Iterable[Network]) -> bool:
    address = parse_ip(text)
    return address is not None and any(address in network for network in networks)
