"""Both versions of the PROXY protocol: the specification's own examples, cut at every byte, and what is refused."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.net.proxy_protocol import ProxyHead, ProxyParser, crc32c

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NONE = ProxyHead(None, None, False, REST)


def v2(body: bytes, *, command: int = 0x21, kind: int = 0x11) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, kind, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def summed(body: bytes) -> bytes:
    """Return a head with its checksum, which is computed over itself with zeros in the checksum's place."""
    blank = v2(body + tlv(0x03, bytes(4)))
    return blank[:-4] + crc32c(blank).to_bytes(4, "big")


V4 = bytes([192, 168, 0, 1, 192, 168, 0, 11]) + struct.pack("!HH", 56324, 443)
V4_HEAD = ProxyHead(("192.168.0.1", 56324), ("192.168.0.11", 443), False, REST)
V6 = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + struct.pack("!HH", 1, 2)
TLS = tlv(0x20, b"\x01\0\0\0\0" + tlv(0x21, b"TLSv1.3"))
PLAIN = tlv(0x20, b"\0\0\0\0\0")

ACCEPTED = [
    # section 2.1
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", V4_HEAD),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ("255.255.255.255", 65535)),
    (b"PROXY TCP6 ffff:f:f:f::1 ::1 0 1\r\n", ("ffff:f:f:f::1", 0)),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 7 1\r\n", ("192.0.2.1", 7)),
    (b"PROXY TCP6 ::ffff:0:1:2 ::1 7 1\r\n", ("::ffff:0:1:2", 7)),
    (b"PROXY UNKNOWN\r\n", NONE),
    (b"PROXY UNKNOWN ffff:f:f:f::1 ffff:f:f:f::1 65535 65535\r\n", NONE),
    # section 2.2
    (v2(V4), V4_HEAD),
    (v2(V6, kind=0x21), ProxyHead(("2001:db8::1", 1), ("2001:db8::2", 2), False, REST)),
    (v2(b"", command=0x20, kind=0), NONE),
    (v2(V4, command=0x20), NONE),
    (v2(b"whatever", command=0x20, kind=0xFF), NONE),
    (v2(b"", kind=0), NONE),
    (v2(b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0"), kind=0x31), NONE),
    (v2(V4 + tlv(0x04, bytes(9)) + tlv(0x02, b"a.example")), V4_HEAD),
    (v2(V4 + TLS), V4_HEAD._replace(is_tls=True)),
    (v2(V4 + PLAIN), V4_HEAD),
    (v2(V4 + tlv(0x20, b"")), V4_HEAD),
    (v2(TLS, kind=0), NONE._replace(is_tls=True)),
    (v2(V4 + tlv(0x04, bytes(4096 - 16 - len(V4) - 3))), V4_HEAD),
    (summed(V4), V4_HEAD),
    (summed(V4 + TLS), V4_HEAD._replace(is_tls=True)),
]


@pytest.mark.parametrize(("head", "expected"), ACCEPTED)
def test_heads_are_read_wherever_they_are_cut(head: bytes, expected: ProxyHead | tuple[str, int]) -> None:
    whole = ProxyParser().feed(head + REST)
    assert whole is not None
    assert expected in (whole, whole.client)
    for cut in range(0, len(head), 1 if len(head) < 300 else 97):
        parser = ProxyParser()
        assert parser.feed(head[:cut]) is None
        assert parser.feed(head[cut:] + REST) == whole
    parser = ProxyParser()
    assert [parser.feed(head[i : i + 1]) for i in range(len(head) - 1)] == [None] * (len(head) - 1)
    assert parser.feed(head[-1:]) == whole._replace(rest=b"")


REFUSED = [
    (b"GET / HTTP/1.1\r\n", "not the beginning"),
    (b"\r\n\r\nGET", "not the beginning"),
    (b"PROXYTCP4", "not the beginning"),
    (b"proxy TCP4 ", "not the beginning"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n", "two addresses and two ports"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n", "two addresses and two ports"),
    (b"PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n", "two addresses and two ports"),
    (b"PROXY TCP5 192.168.0.1 192.168.0.11 56324 443\r\n", "two addresses and two ports"),
    (b"PROXY \r\n", "two addresses and two ports"),
    (b"PROXY TCP4 ::1 192.168.0.11 56324 443\r\n", "not an IPv4 address"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.256 56324 443\r\n", "not an IPv4 address"),
    (b"PROXY TCP4 192.168.0.\xff 192.168.0.1 56324 443\r\n", "not an IPv4 address"),
    (b"PROXY TCP4 192.168.0.\0 192.168.0.1 56324 443\r\n", "not an IPv4 address"),
    (b"PROXY TCP6 192.168.0.1 ::1 56324 443\r\n", "not an IPv6 address"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n", "not a port"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 -1\r\n", "not a port"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 056324 1\r\n", "not a port"),
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 01 1\r\n", "not a port"),
    (b"PROXY UNKNOWN " + b"x" * 93, "longer than 107"),
    (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", "longer than 107"),
    (v2(V4, command=0x11), "version and command 0x11"),
    (v2(V4, command=0x22), "version and command 0x22"),
    (v2(V4, kind=0x12), "protocol 0x12"),
    (v2(V4, kind=0x41), "protocol 0x41"),
    (v2(V4[:-1]), "too short"),
    (v2(V4, kind=0x21), "too short"),
    (v2(bytes(215), kind=0x31), "too short"),
    (v2(bytes(4081))[:16], "4096 are allowed"),
    (v2(V4 + b"\x04"), "within a TLV"),
    (v2(V4 + b"\x04\0"), "within a TLV"),
    (v2(V4 + b"\x04\0\x01"), "reaches beyond"),
    (v2(V4 + tlv(0x03, bytes(4))), "checksum"),
    (v2(V4 + tlv(0x03, b"")), "checksum"),
    (summed(V4)[:-1] + b"\0", "checksum"),
]


@pytest.mark.parametrize(("head", "words"), REFUSED)
def test_what_is_refused(head: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words) as caught:
        ProxyParser().feed(head)
    assert caught.value.status == 400
    with pytest.raises(PeerError, match=words):
        drip(head)


def drip(data: bytes) -> ProxyHead | None:
    """Feed a parser byte by byte until it has a head."""
    parser = ProxyParser()
    return next((head for byte in data if (head := parser.feed(bytes([byte])))), None)


# RFC 3720 appendix B.4
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
        (b"123456789", 0xE3069283),
    ],
)
def test_the_checksum(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


ports = st.integers(0, 65535)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), ports, ports)
def test_ipv4_heads_of_both_versions_say_the_same(one: IPv4Address, two: IPv4Address, a: int, b: int) -> None:
    text = f"PROXY TCP4 {one} {two} {a} {b}\r\n".encode()
    binary = v2(one.packed + two.packed + struct.pack("!HH", a, b))
    assert ProxyParser().feed(text) == ProxyParser().feed(binary) == ((str(one), a), (str(two), b), False, b"")


@given(st.binary(max_size=200), st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11\0\x20"]))
def test_garbage_is_refused_or_waited_for(data: bytes, prefix: bytes) -> None:
    head = error = None
    try:
        head = ProxyParser().feed(prefix + data)
    except PeerError as exc:
        error = exc
    assert head is None or head.rest in data
    assert error is None or str(error).isprintable()
