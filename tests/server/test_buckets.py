"""Reach, and buckets under a clock that the test moves."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.buckets import LARGER, LOOPING, TOO_MANY, Bounds, Buckets, Reach, bucket_of, reach_of
from portico.server.peer import Peer


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("unix", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.255.255.254", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("172.31.255.255", Reach.PRIVATE),
        ("192.168.1.5", Reach.PRIVATE),
        ("::ffff:192.168.1.5", Reach.PRIVATE),
        ("169.254.7.7", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("fe80::1", Reach.PRIVATE),
        ("fe80::1%eth0", Reach.PRIVATE),
        ("172.32.0.1", Reach.PUBLIC),
        ("11.0.0.1", Reach.PUBLIC),
        ("8.8.8.8", Reach.PUBLIC),
        ("::ffff:8.8.8.8", Reach.PUBLIC),
        ("2001:db8::1", Reach.PUBLIC),
        ("fec0::1", Reach.PUBLIC),
        ("::2", Reach.PUBLIC),
        ("0.0.0.0", Reach.PUBLIC),
        ("", Reach.PUBLIC),
        ("localhost", Reach.PUBLIC),
    ],
)
def test_reach(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_customer_has_one_bucket(host: str, key: str) -> None:
    assert bucket_of(host) == key


def taken(buckets: Buckets, key: str, now_s: float, tries: int = 100) -> int:
    return sum(buckets.take(key, now_s) for _ in range(tries))


def test_a_second_at_once_and_the_rate_from_then_on() -> None:
    buckets = Buckets(10)
    assert taken(buckets, "a", 100.0) == 10
    assert taken(buckets, "a", 100.05) == 0
    assert taken(buckets, "a", 100.1) == 1
    assert taken(buckets, "a", 100.5) == 4
    assert taken(buckets, "a", 102.0) == 10


def test_each_key_has_its_own() -> None:
    buckets = Buckets(1)
    assert taken(buckets, "a", 5.0) == 1
    assert taken(buckets, "b", 5.0) == 1
    assert taken(buckets, "a", 5.9) == 0


def test_less_than_one_a_second() -> None:
    buckets = Buckets(0.25)
    assert [buckets.take("a", now_s) for now_s in (10.0, 11.5, 13.0, 14.0, 17.9, 18.0)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_turn_of_generations_forgets_no_debt() -> None:
    buckets = Buckets(10)
    assert taken(buckets, "a", 0.9) == 10
    assert buckets.take("b", 1.1)  # the younger generation becomes the older one
    assert taken(buckets, "a", 1.1) == 2


def test_addresses_beyond_number_take_no_more_room() -> None:
    buckets = Buckets(10, max_keys=100)
    for number in range(10_000):
        buckets.take(str(number), 1.0)
        assert len(buckets) <= 100


def test_who_is_quiet_is_forgotten() -> None:
    buckets = Buckets(10)
    for number in range(50):
        buckets.take(str(number), 1.0)
    buckets.take("a", 2.5)
    buckets.take("a", 4.0)
    assert len(buckets) <= 2


@given(
    rate=st.integers(1, 50),
    steps=st.lists(st.floats(0, 0.5), max_size=200),
)
def test_never_more_than_the_burst_and_the_rate(rate: int, steps: list[float]) -> None:
    buckets = Buckets(rate)
    now_s, granted = 0.0, 0
    for step_s in steps:
        now_s += step_s
        granted += buckets.take("a", now_s)
        assert granted <= rate + now_s * rate + 1e-6


def at(now_s: float) -> Callable[[], float]:
    return lambda: now_s


BOUNDS = [
    # host, port, bytes asked, bytes answered, may amplify, objection
    ("127.0.0.1", 5000, 0, 60_000, False, ""),
    ("127.0.0.1", 7, 0, 60_000, False, ""),
    ("192.168.1.5", 5000, 0, 60_000, False, ""),
    ("fe80::1%eth0", 5000, 1, 100, False, ""),
    ("192.168.1.5", 7, 5, 5, False, LOOPING),
    ("192.168.1.5", 7, 5, 5, True, ""),
    ("8.8.8.8", 5000, 10, 10, False, ""),
    ("8.8.8.8", 5000, 10, 0, False, ""),
    ("8.8.8.8", 5000, 10, 11, False, LARGER),
    ("8.8.8.8", 5000, 0, 1, False, LARGER),
    ("8.8.8.8", 5000, 0, 0, False, LARGER),
    ("8.8.8.8", 5000, 10, 11, True, ""),
    ("8.8.8.8", 53, 10, 10, False, LOOPING),
    ("2001:db8::1", 5000, 10, 11, False, LARGER),
]


@pytest.mark.parametrize(("host", "port", "asked", "answered", "may_amplify", "objection"), BOUNDS)
def test_bounds(host: str, port: int, asked: int, answered: int, may_amplify: bool, objection: str) -> None:
    assert Bounds(1, may_amplify).objection(Peer(host, port), asked, answered, at(0.0)) == objection


@pytest.mark.parametrize("may_amplify", [False, True])
def test_the_rate_is_for_every_address_but_loopback(may_amplify: bool) -> None:
    bounds = Bounds(2, may_amplify)
    for host, answers in (("127.0.0.1", 9), ("10.0.0.1", 2), ("8.8.8.8", 2), ("2001:db8::1", 2), ("2001:db8::2", 0)):
        found = [bounds.objection(Peer(host, 5000), 1, 1, at(1.0)) for _ in range(9)]
        assert found == [""] * answers + [TOO_MANY] * (9 - answers)


def test_what_a_rule_keeps_back_costs_no_token() -> None:
    bounds = Bounds(1, False)
    assert bounds.objection(Peer("8.8.8.8", 5000), 1, 2, at(1.0)) == LARGER
    assert bounds.objection(Peer("8.8.8.8", 5000), 1, 1, at(1.0)) == ""


def test_how_far_an_address_is_can_be_said_otherwise() -> None:
    bounds = Bounds(1, False, lambda host: Reach.PUBLIC)
    assert bounds.objection(Peer("127.0.0.1", 5000), 1, 2, at(1.0)) == LARGER


def test_no_number_of_loopback_addresses_is_too_large() -> None:
    bounds = Bounds(1, False)
    for number in range(10_002):
        peer = Peer(f"127.1.{number // 256}.{number % 256}", 5000)
        assert bounds.objection(peer, 0, 9, at(1.0)) == ""
    assert bounds.objection(peer, 0, 9, at(1.0)) == ""
