import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat import limits as module
from portico.apps.chat.events import Rejected
from portico.apps.chat.limits import MAX_KEYS, MUTE_S, Limits, check_block
from portico.apps.chat.session import Me
from portico.errors import UsageError

USER = Me(1, "Li", "user", 11)
GUEST = Me(2, "Guest", "visitor", 12)
PUBLIC = "203.0.113.7"  # RFC 5737
LAN = "192.168.1.7"


class Clock:
    """now_s: of a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def limits(self) -> Limits:
        return Limits(lambda: self.now_s, lambda: int(self.now_s * 1000))


def taken(limits: Limits, me: Me, kind: str, most: int = 1000) -> int:
    """Count how many go through before one has to wait."""
    for count in range(most):
        if limits.may(me, kind):
            return count
    return most


def taken_from(limits: Limits, host: str, kind: str, most: int = 1000) -> int:
    for count in range(most):
        if limits.may_from(host, kind):
            return count
    return most


@pytest.mark.parametrize(("me", "kind", "burst"), [(USER, "send", 60), (GUEST, "send", 20), (USER, "upload", 20)])
def test_a_burst_goes_through_and_then_one_waits(me: Me, kind: str, burst: int) -> None:
    assert taken(Clock().limits(), me, kind) == burst


def test_a_bucket_fills_with_time_and_says_how_long_that_takes() -> None:
    clock = Clock()
    limits = clock.limits()
    taken(limits, GUEST, "send")
    wait_s = limits.may(GUEST, "send")
    assert wait_s == pytest.approx(0.2)
    clock.now_s += wait_s
    assert limits.may(GUEST, "send") == 0.0
    assert limits.may(GUEST, "send") > 0
    clock.now_s += 1_000
    assert taken(limits, GUEST, "send") == 20


def test_kinds_and_persons_have_buckets_of_their_own() -> None:
    limits = Clock().limits()
    taken(limits, USER, "send")
    assert limits.may(USER, "get") == 0.0
    assert limits.may(USER._replace(person=3), "send") == 0.0


def test_whoever_waits_as_told_is_never_muted() -> None:
    clock = Clock()
    limits = clock.limits()
    for _ in range(500):  # always at the limit
        while not (wait_s := limits.may(GUEST, "send")):
            pass
        assert wait_s < 1.0
        clock.now_s += wait_s
    assert not limits.is_abusive(GUEST)


def test_whoever_goes_on_is_muted_for_a_while() -> None:
    clock = Clock()
    limits = clock.limits()
    taken(limits, USER, "send")
    waits = [limits.may(USER, "send") for _ in range(60)]
    assert max(waits[:40]) < 4
    assert waits[-1] == pytest.approx(MUTE_S)
    clock.now_s += MUTE_S - 0.1
    assert limits.may(USER, "send") > 0
    clock.now_s += 0.2
    assert limits.may(USER, "send") == 0.0
    assert not limits.is_abusive(USER)


def test_whoever_goes_on_through_three_mutes_is_abusive_and_forgiven_later() -> None:
    clock = Clock()
    limits = clock.limits()
    taken(limits, USER, "send")
    assert not limits.is_abusive(USER)
    for _ in range(150):
        limits.may(USER, "send")
    assert limits.is_abusive(USER)
    assert not limits.is_abusive(GUEST)
    clock.now_s += MUTE_S + 600
    assert limits.may(USER, "send") == 0.0
    assert not limits.is_abusive(USER)


@pytest.mark.parametrize(
    ("host", "kind", "burst"),
    [
        (PUBLIC, "connect", 30),
        (LAN, "connect", 600),
        ("127.0.0.1", "connect", 1000),
        ("unix", "connect", 1000),
        (PUBLIC, "signin", 10),
        (LAN, "signin", 200),
        ("127.0.0.1", "signin", 200),
        ("127.0.0.1", "link", 200),
        ("login:admin", "signin", 10),
        (PUBLIC, "visitor", 30),
        (PUBLIC, "signup", 5),
        (PUBLIC, "upload", 10),
    ],
)
def test_an_office_behind_one_address_has_more(host: str, kind: str, burst: int) -> None:
    assert taken_from(Clock().limits(), host, kind) == burst


def test_a_customer_with_many_ipv6_addresses_is_one() -> None:
    limits = Clock().limits()
    taken_from(limits, "2001:db8::1", "connect")
    assert limits.may_from("2001:db8::2", "connect") > 0
    assert limits.may_from("2001:db8:0:1::1", "connect") == 0.0


def test_a_flood_of_addresses_takes_bounded_memory() -> None:
    limits = Clock().limits()
    for number in range(MAX_KEYS + 500):
        limits.may_from(f"198.{18 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}", "visitor")
    assert len(limits._buckets) == MAX_KEYS


# Sessions that are no longer what they were


def test_a_revoked_device_may_nothing() -> None:
    limits = Clock().limits()
    limits.end_device(USER.device)
    with pytest.raises(Rejected, match="sign in"):
        limits.may(USER, "get")
    assert limits.may(USER._replace(device=99), "get") == 0.0


def test_a_session_of_another_kind_may_nothing() -> None:
    limits = Clock().limits()
    limits.change_kind(USER.person, "agent")
    with pytest.raises(Rejected):
        limits.may(USER, "ask")
    assert limits.may(USER._replace(kind="agent"), "ask") == 0.0
    limits.change_kind(USER.person, "")
    with pytest.raises(Rejected):
        limits.may(USER._replace(kind="agent"), "ask")


# Blocks


def test_a_blocked_person_until_when() -> None:
    clock = Clock()
    limits = clock.limits()
    limits.keep_out("person", "1", int(clock.now_s * 1000) + 60_000)
    with pytest.raises(Rejected) as caught:
        limits.may(USER, "send")
    assert caught.value.code == "blocked"
    assert limits.may(GUEST, "send") == 0.0
    clock.now_s += 60
    assert limits.may(USER, "send") == 0.0


BLOCKS = (
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.0.0.0/8", "11.1.2.3", False),
    ("203.0.113.7/32", PUBLIC, True),
    ("203.0.113.7/32", "::ffff:203.0.113.7", True),
    ("2001:db8::/32", "2001:db8:1::1", True),
    ("2001:db8::/32", "2001:db9::1", False),
    ("fe80::/10", "fe80::1%eth0", True),
    ("0.0.0.0/0", "unix", False),
    ("0.0.0.0/0", "login:admin", False),
)


@pytest.mark.parametrize(("network", "host", "is_blocked"), BLOCKS)
def test_blocked_networks(network: str, host: str, is_blocked: bool) -> None:
    limits = Clock().limits()
    limits.load([("address", network, None)])
    assert limits.is_blocked(host) is is_blocked
    if is_blocked:
        with pytest.raises(Rejected, match="blocked"):
            limits.may_from(host, "connect")
    limits.let_in("address", network)
    assert not limits.is_blocked(host)


def test_loading_replaces_what_was_there() -> None:
    limits = Clock().limits()
    limits.load([("address", "10.0.0.0/8", None), ("person", "1", None)])
    limits.load([("person", "2", None)])
    assert not limits.is_blocked("10.0.0.1")
    assert limits.may(USER, "send") == 0.0
    with pytest.raises(Rejected):
        limits.may(GUEST, "send")
    limits.let_in("person", "2")
    limits.let_in("person", "3")
    assert limits.may(GUEST, "send") == 0.0


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("person", "007", "7"),
        ("address", "10.1.2.3", "10.1.2.3/32"),
        ("address", " 10.1.2.3/16 ", "10.1.0.0/16"),
        ("address", "2001:db8::1/64", "2001:db8::/64"),
    ],
)
def test_blocks_have_one_form(kind: str, value: str, found: str) -> None:
    assert check_block(kind, value) == found


@pytest.mark.parametrize(
    ("kind", "value"),
    [("person", "Li"), ("person", ""), ("person", "9" * 16), ("address", "example.org"), ("address", ""), ("x", "1")],
)
def test_what_cannot_be_blocked(kind: str, value: str) -> None:
    with pytest.raises(UsageError):
        check_block(kind, value)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), max_size=30))
def test_nobody_gets_more_than_the_rate_and_a_burst(turns: list[tuple[float, int]]) -> None:
    clock = Clock()
    limits, begun_s, count = clock.limits(), clock.now_s, 0
    for pause_s, tries in turns:
        clock.now_s += pause_s
        count += sum(limits.may(GUEST, "send") == 0.0 for _ in range(tries))
    rate = module._OF_GUESTS["send"]
    assert count <= rate.burst + rate.per_s * (clock.now_s - begun_s) + 1e-6


@pytest.mark.parametrize(("me", "burst"), [(USER, 20), (GUEST, 5)])
def test_new_conversations_with_the_desk_are_few(me: Me, burst: int) -> None:
    clock = Clock()
    limits = clock.limits()
    assert taken(limits, me, "start") == burst
    clock.now_s += 120
    assert limits.may(me, "start") == 0.0


@pytest.mark.parametrize("kind", ["signin", "link"])
def test_whoever_goes_on_guessing_waits_for_longer_each_time(kind: str) -> None:
    clock = Clock()
    limits = clock.limits()
    taken_from(limits, PUBLIC, kind)
    waits = []
    for _ in range(10):
        while (wait_s := limits.may_from(PUBLIC, kind)) < MUTE_S:
            pass
        waits.append(wait_s)
        clock.now_s += wait_s
    assert waits == [MUTE_S * 2 ** min(number, 7) for number in range(10)]
    clock.now_s += 600
    assert limits.may_from(PUBLIC, kind) == 0.0
    assert limits.may_from("198.51.100.1", kind) == 0.0


def test_nobody_can_lock_a_login_for_long() -> None:
    limits = Clock().limits()
    assert max(limits.may_from("login:admin", "signin") for _ in range(10_000)) <= MUTE_S
