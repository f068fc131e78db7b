"""What trusted proxies say about where a request came from: Forwarded (RFC 7239) and X-Forwarded-*.

In: the fields of a request, and the address of the peer it came from. Out: a `Claim`, or None where nothing is said
or the peer is not believed; then the connection itself is all there is to know.

Invariants
- What a visitor could have written is never believed. Each proxy appends, so the lists are walked from the right, and
  the walk ends behind the last address that is itself a proxy of ours.
- X-Forwarded-* come first: most proxies write them, and hand on a visitor's Forwarded untouched. Forwarded counts where
  there is no X-Forwarded-For and no X-Forwarded-Proto, or where it is chosen explicitly; then X-Forwarded-* are
  not looked at.
- The host that a proxy names (`host=`, X-Forwarded-Host) is left to the application: a proxy that sets the address
  often hands on a visitor's X-Forwarded-Host. Let the proxy keep Host.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Final, Literal, NamedTuple

from portico.http.fields import parse_parameters
from portico.http.proxies import Proxies, parse_ip

FieldChoice = Literal["auto", "x-forwarded", "forwarded"]

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_MAX_HOPS: Final = 32  # of one request; whoever is further away is not one of our proxies' peers
_MAX_PORT: Final = 65_535
_REMEMBERED_CHARS: Final = 128
_BLANKS: Final = " \t"


class Node(NamedTuple):
    """An address that a proxy named. host: an IP address in its shortest form. port: 0 where none was named."""

    host: str
    port: int


class Claim(NamedTuple):
    """What the proxies say. client: the visitor, None where they hide him. scheme: "http", "https", "" unsaid."""

    client: Node | None
    scheme: str


class _Hop(NamedTuple):
    """What one proxy appended. node: as sent. scheme: as sent, "" unsaid."""

    node: str
    scheme: str


class Forwarding:
    """Reads the fields of requests that come from trusted proxies.

    proxies: whom to believe. choice: which of the two kinds of fields they write; see the module for "auto".
    """

    def __init__(self, proxies: Proxies, choice: FieldChoice = "auto") -> None:
        self._proxies = proxies
        self._choice = choice

    def read(self, peer: str, values: Mapping[str, str]) -> Claim | None:
        """Return what the proxies say of one request.

        peer: the address of the connection, or "unix". values: the request's fields by their lower-case names.
        """
        if not self._proxies.believes(peer):
            return None
        hops = _hops(values, self._choice)
        return self._walk(hops) if hops else None

    def _walk(self, hops: Sequence[_Hop]) -> Claim | None:
        """Go from proxy to proxy towards the visitor. hops: the nearest first."""
        client: Node | None = None
        scheme = ""
        for hop in hops[:_MAX_HOPS]:
            scheme = _SCHEMES.get(hop.scheme.lower(), scheme)
            node = parse_node(hop.node)
            if node is None:
                break
            client = node
            if not self._proxies.includes(node.host):
                break
        return Claim(client, scheme) if client is not None or scheme else None


def parse_node(text: str) -> Node | None:
    """Read a node (RFC 7239 section 6, and what X-Forwarded-For is seen to hold).

    `192.0.2.43`, `192.0.2.43:47011`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:47011`; a hidden port (`:_x`)
    counts as none. Returns None for `unknown`, for `_hidden`, and for what is no address.
    """
    return _parse_remembered(text) if len(text) <= _REMEMBERED_CHARS else None


@lru_cache(1024)
def _parse_remembered(text: str) -> Node | None:
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in host or (port and port[0] != ":"):
            return None
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = parse_ip(host)
    return None if address is None else Node(str(address), _parse_port(port))


def _parse_port(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    return int(text) if is_number and int(text) <= _MAX_PORT else 0


def _hops(values: Mapping[str, str], choice: FieldChoice) -> list[_Hop]:
    """Return what the proxies appended, the nearest first."""
    addresses = values.get("x-forwarded-for", "")
    schemes = values.get("x-forwarded-proto", "")
    has_old = addresses or schemes
    if choice == "forwarded" or (choice == "auto" and not has_old):
        forwarded = values.get("forwarded", "")
        return list(islice(_forwarded_hops(forwarded), _MAX_HOPS)) if forwarded else []
    return _x_forwarded_hops(addresses, schemes) if has_old else []


def _forwarded_hops(value: str) -> Iterator[_Hop]:
    for element in filter(str.strip, _elements_from_right(value)):
        # An element is what parameters are without what precedes them (RFC 7239 section 4).
        _, pairs = parse_parameters(";" + element)
        yield _Hop(pairs.get("for", ""), pairs.get("proto", ""))


def _elements_from_right(value: str) -> Iterator[str]:
    """Split at commas outside quotes, from the end, so that a quote a visitor left open hides nothing behind it."""
    pieces: list[str] = []
    quotes = 0
    for piece in reversed(value.split(",")):
        pieces.append(piece)
        quotes += piece.count('"')
        if quotes % 2 == 0:
            yield ",".join(reversed(pieces))
            pieces.clear()


def _x_forwarded_hops(addresses: str, schemes: str) -> list[_Hop]:
    """Join the two lists. One scheme beside several addresses was set, not appended: it speaks for them all."""
    nodes = [text.strip('"') for text in _split_from_right(addresses)]
    words = _split_from_right(schemes)
    if len(words) != len(nodes):
        words = words[:1]  # what the nearest proxy said
    return [_Hop(node, scheme) for node, scheme in zip_longest(nodes, words, fillvalue="")]


def _split_from_right(value: str) -> list[str]:
    # These fields have no grammar, so no quotes either: one that a visitor opens must not swallow what follows.
    return [text for piece in reversed(value.split(",")) if (text := piece.strip(_BLANKS))]
