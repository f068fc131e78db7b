"""Who is believed: single addresses, networks, unix, anybody; and entries that make no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.http.proxies import Proxies, parse_ip

LISTED = Proxies(["10.0.0.0/8", " 192.0.2.7 ", "::1", "2001:db8::/32", "::ffff:198.51.100.0/120"])


@pytest.mark.parametrize(
    ("address", "is_listed"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:192.0.2.7", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("2001:DB8:1::2", True),
        ("2001:db9::", False),
        ("198.51.100.255", True),
        ("198.51.101.0", False),
        ("unix", False),
        ("*", False),
        ("", False),
        ("proxy.example", False),
        ("10.0.0.1:80", False),
        ("010.0.0.1", False),
        ("fe80::1%eth0", False),
        ("1" * 46, False),
    ],
)
def test_addresses(address: str, is_listed: bool) -> None:
    assert LISTED.includes(address) is is_listed
    assert LISTED.believes(address) is is_listed


def test_nobody() -> None:
    nobody = Proxies([])
    assert not nobody
    assert not nobody.believes("127.0.0.1")
    assert not nobody.believes("unix")
    assert LISTED


def test_anybody_may_connect_but_is_not_listed() -> None:
    anybody = Proxies(["*"])
    assert anybody.believes("203.0.113.1")
    assert anybody.believes("unix")
    assert not anybody.includes("203.0.113.1")
    assert not anybody.includes("*")


def test_unix_sockets() -> None:
    local = Proxies(["unix"])
    assert local.believes("unix")
    assert local.includes("unix")
    assert not local.believes("127.0.0.1")


def test_a_wide_ipv6_network_stays_one() -> None:
    everything = Proxies(["::/0"])
    assert everything.includes("2001:db8::1")
    assert not everything.includes("192.0.2.1")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("localhost", "is no address"),
        ("", "is no address"),
        ("10.0.0.1,10.0.0.2", "is no address"),
        ("10.0.0.0/33", "is no address"),
        ("10.0.0.1/8", "host part"),
        ("x" * 500, r"\.\.\."),
    ],
)
def test_what_is_no_entry(entry: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Proxies([entry])


@given(st.ip_addresses())
def test_every_address_is_read_and_lists_itself(address: object) -> None:
    text = str(address).partition("%")[0]
    assert parse_ip(text) is not None
    assert Proxies([text]).includes(text)


@given(st.text(max_size=60))
def test_text_is_read_without_an_error(text: str) -> None:
    assert parse_ip(text) is None or "%" not in text
    assert LISTED.includes(text) in (True, False)
