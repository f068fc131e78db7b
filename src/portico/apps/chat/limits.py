"""How often somebody may do something, and who may do nothing at all.

    may(me, kind)              one more of a kind by a person: what `House.may` asks
    may_from(host, kind)       one more of a kind from an address: connecting, signing in, uploading
    keep_out, let_in           blocks by person and by network, until a time

Each kind has a bucket of tokens for every person, or for every address, that fills at a rate. One's own network shares
an address among many, so it has wider buckets there. Who asks on and on with an empty bucket is muted for a while, and
who goes on is closed out by `is_abusive`. An address that goes on guessing passwords is muted for twice as long each
time. Time is passed in as a clock; nothing here waits.

Invariant: a table has no more entries than its bound, whatever peers do; a full one forgets who was quiet longest.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from portico.apps.chat.events import Rejected
from portico.apps.chat.session import Me
from portico.errors import UsageError, excerpt
from portico.server.buckets import Reach, bucket_of, reach_of

MUTE_S: Final = 30.0
MAX_KEYS: Final = 20_000
OWN_NETWORK_TIMES: Final = 20
_EXCESS_TO_MUTE: Final = 50  # refusals before the bucket was full again
_EXCESS_OF_GUESSES: Final = 10
_MAX_DOUBLINGS: Final = 7  # to about an hour
_MUTES_TO_CLOSE: Final = 3
_FORGIVEN_AFTER_S: Final = 600.0


class Rate(NamedTuple):
    """How a bucket fills. per_s: tokens a second. burst: how many it holds."""

    per_s: float
    burst: int


# Of persons: kinds of frames, and of things asked. "*" is for those who are in none of the rows.
STAFF: Final = frozenset({"user", "agent", "admin"})
_OF_STAFF: Final = {
    "send": Rate(20, 60),
    "get": Rate(20, 100),
    "ask": Rate(20, 100),
    "upload": Rate(1, 20),
    "start": Rate(1 / 30, 20),
    "mark": Rate(100, 1_000),
    "typ": Rate(5, 50),
}
_OF_GUESTS: Final = {
    "send": Rate(5, 20),
    "get": Rate(5, 50),
    "ask": Rate(5, 50),
    "upload": Rate(1 / 6, 5),
    "start": Rate(1 / 120, 5),
    "mark": Rate(20, 200),
    "typ": Rate(2, 20),
}
# Of addresses, for those outside; one's own network has OWN_NETWORK_TIMES as much.
_OF_ADDRESSES: Final = {
    "connect": Rate(0.5, 30),
    "signin": Rate(1 / 12, 10),
    "link": Rate(1 / 12, 10),
    "visitor": Rate(1 / 10, 30),
    "signup": Rate(1 / 600, 5),
    "upload": Rate(1 / 6, 10),
}
_ROUNDING: Final = 1e-6  # of a token; the time it takes is lost in sums of seconds
_GUESSED: Final = frozenset({"signin", "link"})

Network = IPv4Network | IPv6Network


class Bucket:
    """The tokens of one person, or of one address, for one kind of thing."""

    __slots__ = ("at_s", "excess", "muted_until_s", "mutes", "tokens")

    def __init__(self, tokens: float, now_s: float) -> None:
        self.tokens = tokens
        self.at_s = now_s
        self.excess = 0
        self.muted_until_s = 0.0
        self.mutes = 0


class Limits:
    """All buckets and blocks of one process. Belongs to one loop.

    clock: seconds, from any beginning, never backwards. now_ms: since 1970, for blocks that end.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._clock = clock
        self._now_ms = now_ms
        self._buckets: OrderedDict[tuple[str, object], Bucket] = OrderedDict()
        self._ended: set[int] = set()  # devices
        self._kinds: dict[int, str] = {}
        self._persons: dict[int, int | None] = {}
        self._networks: dict[Network, int | None] = {}

    # rates

    def may(self, me: Me, kind: str) -> float:
        """Tell how many seconds a person is to wait before one more of a kind, 0 for none.

        kind: send, get, ask, upload, start (a new conversation with the desk), mark (what was read) or typ (anything
        that is shown and not kept). Raises Rejected: "auth" for a session whose device was revoked or whose account
        has changed since, "blocked".
        """
        if me.device in self._ended or self._kinds.get(me.person, me.kind) != me.kind:
            raise Rejected("auth", "you were signed out; sign in again")
        if self._goes_on(self._persons.get(me.person, 0)):
            raise Rejected("blocked", "you have been blocked here")
        rate = (_OF_STAFF if me.kind in STAFF else _OF_GUESTS)[kind]
        return self._take((kind, me.person), rate)

    def may_from(self, host: str, kind: str) -> float:
        """Tell how many seconds an address is to wait before one more of a kind, 0 for none.

        host: an IP address, or "unix"; or "login:NAME" for all who try to sign in as one. kind: connect, signin, link,
        visitor, signup or upload. This machine itself is never kept waiting, except in guessing passwords and links.
        Raises Rejected "blocked".
        """
        if self.is_blocked(host):
            raise Rejected("blocked", "this address has been blocked here")
        reach, rate = reach_of(host), _OF_ADDRESSES[kind]
        if reach is Reach.LOOPBACK and kind not in _GUESSED:
            return 0.0
        if reach is not Reach.PUBLIC:
            rate = Rate(rate.per_s * OWN_NETWORK_TIMES, rate.burst * OWN_NETWORK_TIMES)
        # Not for a login, which anybody could lock so for whoever has it.
        is_guess = kind in _GUESSED and not host.startswith("login:")
        return self._take((kind, bucket_of(host)), rate, is_guess=is_guess)

    def is_abusive(self, me: Me) -> bool:
        """Tell whether a person has gone on through so many mutes that its connections are to be closed."""
        found = (self._buckets.get((kind, me.person)) for kind in _OF_STAFF)
        return any(bucket is not None and bucket.mutes >= _MUTES_TO_CLOSE for bucket in found)

    def _take(self, key: tuple[str, object], rate: Rate, *, is_guess: bool = False) -> float:
        now_s = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(rate.burst, now_s)
            if len(self._buckets) > MAX_KEYS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.tokens += (now_s - bucket.at_s) * rate.per_s
        bucket.at_s = now_s
        if bucket.tokens >= rate.burst:
            bucket.tokens = float(rate.burst)
            if now_s >= bucket.muted_until_s:
                bucket.excess = 0
        if now_s >= bucket.muted_until_s + _FORGIVEN_AFTER_S:
            bucket.mutes = 0
        if now_s >= bucket.muted_until_s and bucket.tokens >= 1.0 - _ROUNDING:
            bucket.tokens -= 1.0
            if not is_guess:  # who waits as told and is let through again is no nuisance, however long that goes on
                bucket.excess = max(0, bucket.excess - 1)
            return 0.0
        bucket.excess += 1
        if bucket.excess % (_EXCESS_OF_GUESSES if is_guess else _EXCESS_TO_MUTE) == 0:
            bucket.mutes += 1
            bucket.muted_until_s = now_s + MUTE_S * (2 ** min(bucket.mutes - 1, _MAX_DOUBLINGS) if is_guess else 1)
        return max((1.0 - bucket.tokens) / rate.per_s, bucket.muted_until_s - now_s)

    # who has ended

    def end_device(self, device: int) -> None:
        """Take nothing more from the sessions of a device: it was revoked."""
        self._ended.add(device)

    def change_kind(self, person: int, kind: str) -> None:
        """Take nothing more from sessions in which a person is of another kind. kind: "" for a closed account."""
        self._kinds[person] = kind

    # blocks

    def load(self, blocks: Iterable[tuple[str, str, int | None]]) -> None:
        """Replace all blocks. blocks: kind, value and end of each; see `keep_out`."""
        self._persons.clear()
        self._networks.clear()
        for kind, value, until_ms in blocks:
            self.keep_out(kind, value, until_ms)

    def keep_out(self, kind: str, value: str, until_ms: int | None) -> None:
        """Block a person or a network. kind, value: see `check_block`. until_ms: None for ever."""
        if kind == "person":
            self._persons[int(value)] = until_ms
        else:
            self._networks[ip_network(value)] = until_ms

    def let_in(self, kind: str, value: str) -> None:
        """Lift a block; nothing happens where there is none."""
        if kind == "person":
            self._persons.pop(int(value), None)
        else:
            self._networks.pop(ip_network(value), None)

    def is_blocked(self, host: str) -> bool:
        """Tell whether an address is in a blocked network. host: an IP address, or "unix"."""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network and self._goes_on(until_ms) for network, until_ms in self._networks.items())

    def _goes_on(self, until_ms: int | None) -> bool:
        return until_ms is None or until_ms > self._now_ms()


def check_block(kind: str, value: str) -> str:
    """Return the value of a block in its one form.

    kind: "person", whose value is the number of one, or "address": an IP address or a network as 10.1.0.0/16.
    Raises UsageError for what is none.
    """
    if kind == "person" and value.isascii() and value.isdigit() and len(value) < 16:
        return str(int(value))
    if kind != "address":
        raise UsageError(f"{excerpt(kind)} {excerpt(value)} cannot be blocked; a person by number can, and an address")
    try:
        return str(ip_network(value.strip(), strict=False))
    except ValueError as exc:
        raise UsageError(f"{excerpt(value)} is no address and no network such as 10.1.0.0/16") from exc
