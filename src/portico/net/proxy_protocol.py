"""The PROXY protocol, versions 1 and 2: who a proxy speaks for, said in front of the first byte of the connection.

In: bytes as they arrive. Out: a `ProxyHead` with whatever came behind it, or None until it is complete.
Source: HAProxy's proxy-protocol.txt; sections are its. No socket is touched here.

A head that is wrong in any way ends the connection (section 2): what follows it cannot be believed either.
"""

import struct
from functools import cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple

from portico.errors import PeerError, excerpt

_V1_PREFIX: Final = b"PROXY "
_V1_MAX: Final = 107  # with its CRLF, section 2.1
_V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED: Final = 16  # signature, version and command, family, length
_V2_MAX: Final = 4096  # the bound that nginx sets; addresses take 216 at most, the rest are TLVs
_LOCAL, _PROXY = 0x20, 0x21
_TLV_CRC32C, _TLV_SSL = 0x03, 0x20
_SSL_CLIENT: Final = 0x01  # PP2_CLIENT_SSL: the client came over TLS
_MAX_PORT: Final = 65_535
_MAPPED: Final = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2


class ProxyHead(NamedTuple):
    """What a proxy says of the connection it hands on.

    client, server: address and port at both ends of the proxied connection; None where the proxy speaks for itself
        (LOCAL, a health check), or for what has no address (UNKNOWN, UNSPEC, UNIX): then the real ones hold.
    is_tls: the client reached the proxy over TLS (version 2 says so in a TLV, version 1 cannot).
    rest: the bytes behind the head.
    """

    client: tuple[str, int] | None
    server: tuple[str, int] | None
    is_tls: bool
    rest: bytes


class ProxyParser:
    """Reads the head of one connection."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> ProxyHead | None:
        """Take bytes; return the head once it is complete, None before.

        Raises PeerError for what is no head of either version, and for one that is too long.
        """
        self._data += data
        if _begins(self._data, _V2_SIGNATURE):
            return _read_v2(self._data)
        if _begins(self._data, _V1_PREFIX):
            return _read_v1(self._data)
        raise PeerError(400, f"{excerpt(self._data, 20)} is not the beginning of a PROXY protocol head")


def _begins(data: bytes, prefix: bytes) -> bool:
    return prefix.startswith(data[: len(prefix)])


# version 1, section 2.1


def _read_v1(data: bytes) -> ProxyHead | None:
    line, end, rest = data[:_V1_MAX].partition(b"\r\n")
    if not end:
        if len(data) >= _V1_MAX:
            raise PeerError(400, f"the PROXY line {excerpt(line, 20)} is longer than {_V1_MAX} bytes")
        return None
    words = line.split(b" ")
    rest = data[len(line) + 2 :]
    if words[1] == b"UNKNOWN":  # whatever else the line says must be ignored
        return ProxyHead(None, None, False, rest)
    family = {b"TCP4": AF_INET, b"TCP6": AF_INET6}.get(words[1])
    if family is None or len(words) != 6:
        raise PeerError(400, f"{excerpt(line)} is not PROXY, TCP4 or TCP6, two addresses and two ports")
    source, target = _v1_host(family, words[2]), _v1_host(family, words[3])
    return ProxyHead((source, _v1_port(words[4])), (target, _v1_port(words[5])), False, rest)


def _v1_host(family: int, word: bytes) -> str:
    try:
        return _shortest(family, inet_pton(family, word.decode("ascii")))
    except (OSError, ValueError) as exc:
        kind = "an IPv4" if family == AF_INET else "an IPv6"
        raise PeerError(400, f"{excerpt(word)} in the PROXY line is not {kind} address") from exc


def _v1_port(word: bytes) -> int:
    is_number = word.isdigit() and len(word) <= 5 and (word[:1] != b"0" or word == b"0")
    if not is_number or int(word) > _MAX_PORT:
        raise PeerError(400, f"{excerpt(word)} in the PROXY line is not a port, 0 to {_MAX_PORT}")
    return int(word)


def _shortest(family: int, packed: bytes) -> str:
    # An IPv4 client of a dual-stack proxy is the same client.
    is_mapped = packed.startswith(_MAPPED)
    return inet_ntop(AF_INET, packed[12:]) if is_mapped else inet_ntop(family, packed)


# version 2, section 2.2


class _Layout(NamedTuple):
    """How the addresses of one family lie. family: None where they mean nothing to us. size: bytes of each address."""

    family: int | None
    size: int
    ports: int


_LAYOUTS: Final = {
    0x00: _Layout(None, 0, 0),  # UNSPEC
    0x11: _Layout(AF_INET, 4, 4),
    0x21: _Layout(AF_INET6, 16, 4),
    0x31: _Layout(None, 108, 0),  # UNIX
}


def _read_v2(data: bytes) -> ProxyHead | None:
    if len(data) < _V2_FIXED:
        return None
    command, kind, length = struct.unpack_from("!BBH", data, 12)
    end = _V2_FIXED + length
    if command not in (_LOCAL, _PROXY):
        raise PeerError(400, f"a PROXY head with version and command {command:#04x}; 0x20 and 0x21 are known")
    if end > _V2_MAX:
        raise PeerError(400, f"a PROXY head of {end} bytes; {_V2_MAX} are allowed")
    if len(data) < end:
        return None
    head, rest = data[:end], data[end:]
    if command == _LOCAL:  # the rest of the head must be discarded, whatever it is
        return ProxyHead(None, None, False, rest)
    layout = _LAYOUTS.get(kind)
    if layout is None:
        raise PeerError(400, f"a PROXY head for the family and protocol {kind:#04x}; TCP4, TCP6 and UNIX are known")
    if length < 2 * layout.size + layout.ports:
        raise PeerError(400, f"a PROXY head of {length} bytes, too short for its addresses")
    is_tls = _check_extensions(head, _V2_FIXED + 2 * layout.size + layout.ports)
    if layout.family is None:
        return ProxyHead(None, None, is_tls, rest)
    source, target, *ports = struct.unpack_from(f"!{layout.size}s{layout.size}sHH", head, _V2_FIXED)
    hosts = (_shortest(layout.family, source), _shortest(layout.family, target))
    return ProxyHead((hosts[0], ports[0]), (hosts[1], ports[1]), is_tls, rest)


def _check_extensions(head: bytes, offset: int) -> bool:
    """Walk the type-length-value vectors; check the checksum if there is one. Returns whether the client used TLS."""
    is_tls = False
    while offset < len(head):
        if offset + 3 > len(head):
            raise PeerError(400, "a PROXY head that ends within a TLV")
        kind, length = struct.unpack_from("!BH", head, offset)
        value = head[offset + 3 : offset + 3 + length]
        if len(value) < length:
            raise PeerError(400, f"a TLV of {length} bytes reaches beyond its PROXY head")
        if kind == _TLV_SSL and value:
            is_tls = bool(value[0] & _SSL_CLIENT)
        elif kind == _TLV_CRC32C:
            _check_sum(head, offset + 3, value)
        offset += 3 + length
    return is_tls


def _check_sum(head: bytes, offset: int, value: bytes) -> None:
    # Computed with zeros in its own place (section 2.2.3).
    whole = head[:offset] + bytes(len(value)) + head[offset + len(value) :]
    if value != crc32c(whole).to_bytes(4, "big"):
        raise PeerError(400, "a PROXY head whose checksum is wrong")


_CASTAGNOLI: Final = 0x82F63B78  # the polynomial, reversed (RFC 3720 12.1)


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = (crc >> 1) ^ (_CASTAGNOLI if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
