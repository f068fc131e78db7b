"""Addresses as people write them: text in, `Address` out, and back.

    HOST:PORT  HOST  PORT  :PORT  *:PORT  [::1]:PORT  ::1     with tcp:// or udp:// before it, or not
    tls://HOST:PORT                                           TCP with TLS over it, for clients
    unix:PATH  unix:PATH?mode=660  unix:@NAME                 a socket file, with permissions; a name without a file
    fd:N                                                      a socket that this process inherited

Invariant: `parse_address(str(a)) == a` for every address that `parse_address` returns. Nothing is looked up here:
`localhost` stays a word, and `*` stands for all interfaces, IPv4 and IPv6.
"""

import socket
from typing import Final, Literal, NamedTuple

from portico.errors import UsageError, excerpt

Kind = Literal["tcp", "tls", "udp", "unix", "fd"]

ALL_INTERFACES: Final = "*"
_SCHEMES: Final[dict[str, Kind]] = {"tcp": "tcp", "tls": "tls", "udp": "udp"}  # need their two slashes
_PREFIXES: Final[dict[str, Kind]] = {"unix": "unix", "fd": "fd"}  # do not
_SCHEME_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# What a browser on this machine can open, where the server listens on what it cannot.
_OPENED_AS: Final = {"127.0.0.1": "localhost", ALL_INTERFACES: "localhost", "0.0.0.0": "localhost", "::": "localhost"}
_MAX_NUMBER_DIGITS: Final = 9  # more would not fit the C int that a descriptor is
_MAX_NAME: Final = 253  # RFC 1035 section 2.3.4, without the length bytes
_MODE: Final = "?mode="
_MAX_MODE: Final = 0o777
_FORMS: Final = "HOST:PORT, :PORT, [IPV6]:PORT, unix:PATH or fd:N"


class Address(NamedTuple):
    """Where to listen or to connect. Made by `parse_address`, which guarantees what follows.

    kind: the other fields are at their defaults where it has no use for them.
    host: a name or an address in its shortest form, both lower case, without brackets; "*" for all interfaces.
    port: 0 to 65535; 0 lets the system choose.
    path: of the socket file, or "@" and a name in the abstract name space; never empty, no NUL.
    number: of the inherited file descriptor.
    mode: permissions of the socket file, 0 to 0o777; None leaves them to the umask.
    """

    kind: Kind
    host: str = ""
    port: int = 0
    path: str = ""
    number: int = -1
    mode: int | None = None

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}" + ("" if self.mode is None else f"{_MODE}{self.mode:o}")
        if self.kind == "fd":
            return f"fd:{self.number}"
        # A host called "unix" or "fd" would be taken for the prefix.
        scheme = f"{self.kind}://" if self.kind in ("tls", "udp") or self.host in _PREFIXES else ""
        return f"{scheme}{_bracketed(self.host)}:{self.port}"


def parse_address(text: str, *, default_port: int | None = None, default_scheme: Kind = "tcp") -> Address:
    """Read an address in one of the forms that the module's docstring lists.

    text: without surrounding white space. A bare number is a port of localhost. `unix:` and `fd:` may be followed
        by slashes (`unix:///run/x`); a host that is really called "unix" is written `tcp://unix:PORT`. The path of a
        socket has no question mark.
    default_port: for text without a port; None makes the port obligatory.
    default_scheme: for text without a scheme.
    Raises UsageError with one line: what was seen, what is allowed.
    """
    kind, rest = _split_scheme(text, default_scheme)
    if kind == "unix":
        path, question, mode = rest.partition("?")
        return Address(
            kind, path=_parse_path(path, text), mode=_parse_mode(question + mode, text) if question else None
        )
    if kind == "fd":
        return Address(kind, number=_parse_number(rest, text))
    host, found_port = _split_port(rest, text)
    port = default_port if found_port is None else found_port
    if port is None:
        raise UsageError(f"{excerpt(text)} has no port; write HOST:PORT, as in localhost:8000")
    return Address(kind, host=host, port=port)


def url(address: Address, scheme: str = "http") -> str:
    """Return what a person on this machine opens in a browser to reach a server at `address`.

    scheme: its usual port is left out. All interfaces and 127.0.0.1 are shown as localhost.
    A `unix:` or `fd:` address has no URL: it is returned as it is written.
    """
    if address.kind in ("unix", "fd"):
        return str(address)
    host = _bracketed(_OPENED_AS.get(address.host, address.host)).replace("%", "%25")  # RFC 6874 section 2
    port = "" if address.port == _SCHEME_PORTS.get(scheme) else f":{address.port}"
    return f"{scheme}://{host}{port}/"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _split_scheme(text: str, default: Kind) -> tuple[Kind, str]:
    head, _, rest = text.partition(":")
    if head in _PREFIXES:
        return _PREFIXES[head], rest
    if not rest.startswith("//"):
        return default, text
    if head not in _SCHEMES:
        raise UsageError(f"{excerpt(text)}: the scheme {excerpt(head)} is not tcp, tls, udp, unix or fd")
    return _SCHEMES[head], rest[2:]


def _parse_path(rest: str, text: str) -> str:
    path = "/" + rest.lstrip("/") if rest.startswith("/") else rest
    if path.strip("/") in ("", "@") or "\0" in path:
        raise UsageError(f"{excerpt(text)} names no socket; write unix:PATH, as in unix:/run/portico.sock")
    return path


def _parse_mode(rest: str, text: str) -> int:
    digits = rest.removeprefix(_MODE)
    if digits == rest or not digits or digits.strip("01234567") or int(digits, 8) > _MAX_MODE:
        raise UsageError(f"{excerpt(text)}: write the permissions as unix:PATH?mode=660, within 0 to 777")
    if text.startswith(("unix:@", "unix://@")):
        raise UsageError(f"{excerpt(text)} is no file, so it has no permissions; leave out {excerpt(rest)}")
    return int(digits, 8)


def _parse_number(rest: str, text: str) -> int:
    digits = rest.removeprefix("//")
    if not _is_digits(digits) or len(digits) > _MAX_NUMBER_DIGITS:
        raise UsageError(f"{excerpt(text)} names no file descriptor; write fd:N, as in fd:3")
    return int(digits)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _split_port(rest: str, text: str) -> tuple[str, int | None]:
    """Return the checked host and the port of `HOST:PORT` and its short forms; None where there is no port."""
    if rest.startswith("["):
        inner, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise UsageError(f"{excerpt(text)} has brackets that do not match; write [IPV6]:PORT")
        return _parse_ipv6(inner, text), _parse_port(tail[1:], text) if tail else None
    if rest.count(":") > 1:
        return _parse_ipv6(rest, text), None
    if _is_digits(rest):
        return "localhost", _parse_port(rest, text)
    host, colon, port = rest.partition(":")
    if not rest:
        raise UsageError(f"{excerpt(text)} is not an address; write {_FORMS}")
    return _parse_host(host or ALL_INTERFACES, text), _parse_port(port, text) if colon else None


def _parse_port(port: str, text: str) -> int:
    if not _is_digits(port):
        raise UsageError(f"{excerpt(text)}: the port {excerpt(port)} is not a number, 0 to 65535")
    if len(port) > 5 or int(port) > 65_535:
        raise UsageError(f"{excerpt(text)}: the port {excerpt(port)} is not within 0 to 65535")
    return int(port)


def _parse_ipv6(host: str, text: str) -> str:
    address, percent, zone = host.partition("%")
    if percent and not _is_name(zone):
        raise UsageError(f"{excerpt(text)}: {excerpt(zone)} is not the name of an interface")
    try:
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError) as exc:
        raise UsageError(f"{excerpt(text)}: {excerpt(host)} is not an IPv6 address; write {_FORMS}") from exc
    return socket.inet_ntop(socket.AF_INET6, packed) + percent + zone


def _parse_host(host: str, text: str) -> str:
    host = host.lower()
    if host == ALL_INTERFACES:
        return host
    if not _is_name(host):
        raise UsageError(f"{excerpt(text)}: {excerpt(host)} is not a host name; write {_FORMS}")
    if not host.strip("0123456789."):
        # getaddrinfo would read 127.1 and 010.0.0.1 in the manner of 1983; nobody means that.
        try:
            socket.inet_pton(socket.AF_INET, host)
        except (OSError, ValueError) as exc:
            raise UsageError(f"{excerpt(text)}: {excerpt(host)} is not four numbers, 0 to 255") from exc
    return host


def _is_name(name: str) -> bool:
    """Tell whether `name` could be a host's or an interface's; letters of any language (RFC 5890)."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= _MAX_NAME and all(
        label and all(letter.isalnum() or letter in "-_" for letter in label) for label in labels
    )
