"""How much may be sent to whom: how far away an address is, and a token bucket for each.

    reach_of(host)             this machine, its own network, or the internet
    bucket_of(host)            whose bucket it shares: an IPv6 host has its /64, which is what one customer gets
    Buckets.take(key, now_s)   whether one more may be sent now
    Bounds.objection(...)      the rules for the answers of a datagram service, all together

Anybody can write anybody's address into a datagram, so an answer may hit somebody who never asked. Pure: time is passed
in. Invariant: no peer, however many addresses it writes, makes a table grow beyond its bound.
"""

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from portico.server.peer import Peer

_MAX_KEYS: Final = 10_000
_BURST_S: Final = 1.0
_ROUNDING_S: Final = 1e-9  # sums of intervals are not exact


class Reach(Enum):
    """Where an address is. LOOPBACK: this machine. PRIVATE: its own network. PUBLIC: anywhere else."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    PUBLIC = "public"


# Written out, since what `ipaddress` calls private has changed from one Python to the next.
_NETWORKS: Final[tuple[tuple[IPv4Network | IPv6Network, Reach], ...]] = tuple(
    (ip_network(text), reach)
    for text, reach in (
        ("127.0.0.0/8", Reach.LOOPBACK),  # RFC 1122 3.2.1.3
        ("::1", Reach.LOOPBACK),  # RFC 4291 2.5.3
        ("10.0.0.0/8", Reach.PRIVATE),  # RFC 1918 3
        ("172.16.0.0/12", Reach.PRIVATE),
        ("192.168.0.0/16", Reach.PRIVATE),
        ("169.254.0.0/16", Reach.PRIVATE),  # RFC 3927
        ("fc00::/7", Reach.PRIVATE),  # RFC 4193
        ("fe80::/10", Reach.PRIVATE),  # RFC 4291 2.5.6
    )
)
_IPV6_BITS: Final = 64


@lru_cache(_MAX_KEYS)
def reach_of(host: str) -> Reach:
    """Tell how far away an address is.

    host: an IP address, with a zone or without, or "unix". What is neither counts as public, the strictest.
    """
    if host == "unix":
        return Reach.LOOPBACK
    address = _parsed(host)
    return next((reach for network, reach in _NETWORKS if address is not None and address in network), Reach.PUBLIC)


@lru_cache(_MAX_KEYS)
def bucket_of(host: str) -> str:
    """Return the key of an address's bucket: an IPv4 address itself, the /64 of an IPv6 one (RFC 6177)."""
    address = _parsed(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_BITS), strict=False))
    return host


def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # An IPv4 peer of a dual-stack socket is the same peer as on an IPv4 one (RFC 4291 2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address


class Buckets:
    """A token bucket for each key: one second's worth at once, then `rate` a second.

    rate: tokens a second, above 0; at least one token is in a full bucket. max_keys: about how many are remembered.

    A bucket is one number: when it will be full again (the generic cell rate algorithm, ITU-T I.371). One that is full
    need not be remembered, and after a second without a token taken every one is; so the table is two generations,
    and the older one goes every second. It also goes when the younger has half of `max_keys`: then a bucket may be
    forgotten too early. Whoever wants that must spend half of `max_keys` datagrams on it, and gains one second's worth.
    """

    __slots__ = ("_half", "_interval_s", "_old", "_slack_s", "_turned_s", "_young")

    def __init__(self, rate: float, *, max_keys: int = _MAX_KEYS) -> None:
        self._interval_s = 1 / rate
        # How far ahead the time of being full may lie for one more token to be there.
        self._slack_s = max(_BURST_S - self._interval_s, 0.0)
        self._half = max(max_keys // 2, 1)
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}
        self._turned_s = 0.0

    def __len__(self) -> int:
        """Count the keys that are remembered."""
        return len(self._young) + len(self._old)

    def take(self, key: str, now_s: float) -> bool:
        """Take a token. now_s: monotonic seconds. Returns whether there was one."""
        if now_s - self._turned_s >= max(_BURST_S, self._interval_s) or len(self._young) >= self._half:
            self._old, self._young, self._turned_s = self._young, {}, now_s
        full_s = max(self._young.get(key) or self._old.get(key, now_s), now_s)
        if full_s - now_s > self._slack_s + _ROUNDING_S:
            return False
        self._young[key] = full_s + self._interval_s
        return True


LARGER: Final = "no answer: it would be larger than the request"
TOO_MANY: Final = "no answer: too many to this address"
LOOPING: Final = "no answer: the port is another service's"

# Echo, daytime, quote of the day, chargen, time, DNS, TFTP, NTP: each may answer whatever it gets, for ever where that
# is another such service (CVE-1999-0103, CVE-2024-2169).
_LOOPING_PORTS: Final = frozenset({7, 13, 17, 19, 37, 53, 69, 123})


class Bounds:
    """The bounds on the answers of one datagram service.

    rate: answers a second to one address. may_amplify: as of `DatagramService`. reach: tells how far an address is.
    """

    __slots__ = ("_buckets", "_may_amplify", "_near", "_reach")

    def __init__(self, rate: float, may_amplify: bool, reach: Callable[[str], Reach] = reach_of) -> None:
        self._buckets = Buckets(rate)
        self._may_amplify = may_amplify
        self._reach = reach
        self._near: set[str] = set()  # loopback addresses; there are few, but who listens on all of 127/8 may meet all

    def objection(self, peer: Peer, asked_bytes: int, answer_bytes: int, now: Callable[[], float]) -> str:
        """Say why an answer must not be sent, "" where it may; then it counts. now: monotonic seconds."""
        if peer.host in self._near:
            return ""
        reach = self._reach(peer.host)
        if reach is Reach.LOOPBACK:
            if len(self._near) < _MAX_KEYS:
                self._near.add(peer.host)
            return ""
        if not self._may_amplify:
            if reach is Reach.PUBLIC and (answer_bytes > asked_bytes or not asked_bytes):
                return LARGER
            if peer.port in _LOOPING_PORTS:
                return LOOPING
        return "" if self._buckets.take(bucket_of(peer.host), now()) else TOO_MANY
