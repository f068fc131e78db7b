"""URLs of the client: what people type and what servers redirect to, as `Url` (RFC 3986, RFC 9110 section 4.2).

    https://user:password@HOST:PORT/path?query#fragment     the fragment stays here; it is never sent
    HOST  HOST:PORT  HOST/path  [::1]:8000  //HOST          without a scheme: `default_scheme`
    :8000  :8000/path  8000  8000/path                      a port of localhost
    http://unix:/run/x.sock:/path  unix:@name:/path         a socket file, up to the next colon; a name without a file

Where parsers disagree about which host a text means (a second "@", a backslash, `127.1`, `0x7f000001`), it is refused
instead of guessed. What may not stand in a path or a query is percent-encoded as UTF-8; what is encoded already stays.

Invariants: every part of a `Url` can be put on the wire as it is: printable ASCII without blanks, the host in one
form. `parse_url(str(url)) == url` but for `userinfo`, which `str` and `repr` never show.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

from portico.errors import PeerError, UsageError, excerpt
from portico.http.target import decode_path

SCHEME_PORTS: Final = {"http": 80, "https": 443}

_LOCALHOST: Final = "localhost"
_MAX_HOST: Final = 253  # RFC 1035 section 2.3.4; the idna codec was quadratic once, so it is asked for no more
_MAX_PORT: Final = 65_535
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")  # RFC 3986 section 3.1
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")  # no RFC has the underscore, much of the world does
# What the system's resolver reads as an IPv4 address in the manner of 1983: 127.1, 0177.0.0.1, 0x7f000001.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ZONE = re.compile(r"[0-9A-Za-z_.\-]+")
_SOCKETS: Final = ("unix:/", "unix:@")
# All that is not "/", "?" or a pchar (3.3, 3.4), and each "%" that begins no escape.
_TO_ENCODE = re.compile(rb"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")
_NOT_UNRESERVED = re.compile(rb"[^A-Za-z0-9\-._~]")

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]


class Origin(NamedTuple):
    """Whose secrets may be shared (RFC 6454 section 4): equal origins are one and the same server."""

    scheme: str
    host: str
    port: int
    socket: str


class UserInfo(NamedTuple):
    """Credentials that stood in a URL, decoded, without control characters; the user has no colon (RFC 7617 2)."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Url:
    """Where a request goes. Made by `parse_url` and `join`, which guarantee what follows.

    scheme: "http" or "https". host: a name in lower case, in its IDNA form, or an IP address in its shortest form,
    without brackets; an IPv6 zone stays on it ("fe80::1%eth0"). port: 1 to 65535.
    target: path and query in origin-form, encoded, with a slash at its beginning.
    userinfo: None where there was no "@".
    socket: path of the socket file to connect to, or "@" and a name; "" for the host. The host is then "localhost".
    """

    scheme: str
    host: str
    port: int
    target: str = "/"
    userinfo: UserInfo | None = field(default=None, repr=False)
    socket: str = ""

    @property
    def path(self) -> str:
        """The target up to its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str | None:
        """What follows the first "?"; None where there is no "?"."""
        _, question, query = self.target.partition("?")
        return query if question else None

    @property
    def is_secure(self) -> bool:
        """Whether it is asked over TLS."""
        return self.scheme == "https"

    @property
    def origin(self) -> Origin:
        return Origin(self.scheme, self.host, self.port, self.socket)

    @property
    def authority(self) -> str:
        """What Host says (RFC 9110 7.2): without userinfo, the scheme's own port, and a zone (RFC 6874 4)."""
        host = self.host.partition("%")[0]
        bracketed = f"[{host}]" if ":" in host else host
        return bracketed if self.port == SCHEME_PORTS[self.scheme] else f"{bracketed}:{self.port}"

    def __str__(self) -> str:
        if self.socket:
            return f"{self.scheme}://unix:{self.socket}:{self.target}"
        zone = self.host.partition("%")[2]
        authority = self.authority.replace("]", f"%25{zone}]") if zone else self.authority
        return f"{self.scheme}://{authority}{self.target}"

    def with_params(self, pairs: Pairs) -> "Url":
        """Return the same with pairs added behind its query. pairs: names and values, not encoded."""
        added = encode_pairs(pairs)
        parts = [part for part in (self.query, added) if part]
        return replace(self, target="?".join((self.path, "&".join(parts)))) if added else self


def parse_url(text: str, default_scheme: str = "http") -> Url:
    """Read a URL as people type it, in one of the forms that the module's docstring lists.

    text: blanks around it do not count. default_scheme: "http" or "https", for text without a scheme.
    Raises UsageError with one line: what was seen, without credentials, and what is wrong with it.
    """
    text = text.strip(" ")
    _check_characters(text)
    head, slashes, rest = text.partition("://")
    if slashes and not re.search(r"[/?#@]", head) and not text.startswith(_SOCKETS):
        return _assemble(head, rest, text=text)
    if _SCHEME.match(text) is not None and text.partition(":")[0].lower() in SCHEME_PORTS:
        raise _problem(text, "write two slashes behind the scheme, as in http://HOST/")
    return _assemble(default_scheme, _completed(text.removeprefix("//")), text=text)


def join(base: Url, location: str) -> Url:
    """Resolve what a Location field says against the URL that was asked for (RFC 3986 5.2, RFC 9110 10.2.2).

    location: a field value, ISO 8859-1 as all of them; bytes beyond ASCII are taken for UTF-8, as browsers do.
    A location below the same origin keeps the base's userinfo where it is relative, and its socket always. No
    location leads to a socket otherwise: a server on the net must not send us to one of this machine.
    Raises PeerError(502) for what is no http or https URL.
    """
    try:
        text = location.encode("latin-1").decode("utf-8", "surrogateescape")
        _check_characters(text)
        scheme = _SCHEME.match(text)
        if scheme is None and not text.startswith("//"):
            return replace(base, target=_merge(base, text))
        found = _absolute(text, base.scheme if scheme is None else scheme[1])
    except (UnicodeError, UsageError) as exc:
        raise PeerError(502, f"the server redirects to where we cannot follow: {exc}") from exc
    return replace(found, socket=base.socket) if found.origin[:3] == base.origin[:3] else found


def encode_pairs(pairs: Pairs) -> str:
    """Write names and values as `a=1&b=2`, encoded so that a query and a form mean the same by it.

    A blank is `%20`, not "+": only forms know the plus. Raises UsageError for lone surrogates.
    """
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return "&".join([f"{_encode(name, _NOT_UNRESERVED)}={_encode(value, _NOT_UNRESERVED)}" for name, value in items])


def _problem(text: str, reason: str) -> UsageError:
    """Make the error; what precedes the last "@" is left out, for it may be a password."""
    _, at, rest = text.rpartition("@")
    return UsageError(f"URL {excerpt(f'...@{rest}' if at else text)}: {reason}")


def _check_characters(text: str) -> None:
    # A line end in a URL would be one in the request's head (CVE-2019-9740).
    if _CONTROL.search(text) is not None:
        raise _problem(text, "it holds a control character; leave it out, or encode it, as in %0A")


def _completed(text: str) -> str:
    """Put localhost before a port that stands alone."""
    authority = re.split("[/?#]", text, maxsplit=1)[0]
    digits = authority.removeprefix(":")
    if not authority.startswith(":") and not _is_digits(digits):
        return text
    return f"{_LOCALHOST}:{text.removeprefix(':')}"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _absolute(text: str, scheme: str) -> Url:
    """Read a location with a scheme, or with two slashes, strictly."""
    _, slashes, rest = text.partition("//")
    if not slashes or text.partition("//")[0].removesuffix(":").lower() not in ("", scheme.lower()):
        raise _problem(text, "it is no http or https URL")
    if rest.startswith(_SOCKETS):
        raise _problem(text, "only you may name a socket, not a server")
    return _assemble(scheme, rest, text=text)


def _assemble(scheme: str, rest: str, *, text: str) -> Url:
    """Make the Url of a scheme and what follows its two slashes. text: the whole, for messages."""
    scheme = scheme.lower()
    if scheme not in SCHEME_PORTS:
        raise _problem(text, "the scheme is not http or https")
    if rest.startswith(_SOCKETS):
        return _on_socket(scheme, rest, text=text)
    end = re.search("[/?#]", rest)
    authority, tail = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    userinfo, at, place = authority.rpartition("@")
    host, port = _split_port(place, text)
    return Url(
        scheme,
        _parse_host(host, text),
        _parse_port(port, text) if port else SCHEME_PORTS[scheme],
        _make_target(tail),
        _parse_userinfo(userinfo, text) if at else None,
    )


def _on_socket(scheme: str, rest: str, *, text: str) -> Url:
    path, _, tail = rest.removeprefix("unix:").partition(":")
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if path in ("/", "@") or re.search(r"[?#]", path) or (tail and tail[0] not in "/?#"):
        raise _problem(text, "write a socket as http://unix:/run/x.sock:/path")
    return Url(scheme, _LOCALHOST, SCHEME_PORTS[scheme], _make_target(tail), socket=path)


def _split_port(place: str, text: str) -> tuple[str, str]:
    """Split `HOST:PORT`; the port is "" where there is none, an IPv6 host keeps its brackets."""
    if place.startswith("["):
        host, bracket, tail = place.partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise _problem(text, "its brackets do not match; write http://[IPV6]:PORT/")
        return host + bracket, tail[1:]
    if place.count(":") > 1:
        raise _problem(text, "an IPv6 address needs brackets; write http://[IPV6]:PORT/")
    host, _, port = place.partition(":")
    return host, port


def _parse_port(port: str, text: str) -> int:
    if not _is_digits(port) or len(port) > 5 or not 1 <= int(port) <= _MAX_PORT:
        raise _problem(text, f"its port is not a number, 1 to {_MAX_PORT}")
    return int(port)


def _parse_host(host: str, text: str) -> str:
    if not host:
        raise _problem(text, "it names no host; write http://HOST/")
    if host.startswith("["):
        return _parse_ipv6(host[1:-1], text)
    host = _to_ascii(host, text).lower()
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise _problem(text, "its host is no name; letters, digits, '-' and '.' may stand there")
    if _NUMBER.fullmatch(labels[-1]) is None:
        return host
    try:
        return str(IPv4Address(host))
    except AddressValueError as exc:
        raise _problem(text, "its host is a number, but not four from 0 to 255 with dots between them") from exc


def _to_ascii(host: str, text: str) -> str:
    """Return a name in its IDNA form, as it goes to the resolver and into Host (RFC 3490).

    The caller looks at the result again: compatibility forms of "/", "@" or digits become what they stand for.
    """
    if host.isascii():
        return host
    try:
        return host[: _MAX_HOST + 1].encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise _problem(text, "its host has no form that the name service knows (IDNA)") from exc


def _parse_ipv6(host: str, text: str) -> str:
    address, percent, zone = host.partition("%")
    zone = zone.removeprefix("25")  # RFC 6874 writes %25eth0, people write %eth0
    if percent and _ZONE.fullmatch(zone) is None:
        raise _problem(text, "what follows the % is not the name of an interface")
    try:
        return str(IPv6Address(address)) + (f"%{zone}" if percent else "")
    except AddressValueError as exc:
        raise _problem(text, "what stands in brackets is no IPv6 address") from exc


def _parse_userinfo(userinfo: str, text: str) -> UserInfo:
    if "@" in userinfo or "\\" in userinfo:
        raise _problem(text, "write an '@' in a user's name or password as %40, a backslash as %5C")
    user, _, password = userinfo.partition(":")
    decoded = UserInfo(_decode(user, text), _decode(password, text))
    if ":" in decoded.user:
        raise _problem(text, "its user's name holds a colon, which no server could tell from the one behind it")
    return decoded


def _decode(part: str, text: str) -> str:
    decoded = decode_path(_encode(part, _TO_ENCODE))
    try:
        result = "\0" if decoded is None else decoded.decode()
    except UnicodeDecodeError as exc:
        raise _problem(text, "its user's name or password is not UTF-8") from exc
    if _CONTROL.search(result) is not None:
        raise _problem(text, "its user's name or password holds a control character")
    return result


def _make_target(tail: str) -> str:
    """Encode path and query, without the fragment, and resolve the path's dots."""
    path, question, query = tail.partition("#")[0].partition("?")
    return _without_dots(_encode(path, _TO_ENCODE)) + question + _encode(query, _TO_ENCODE)


def _merge(base: Url, reference: str) -> str:
    """Return the target that a reference without authority leads to (RFC 3986 5.2.2, 5.2.3)."""
    reference = reference.partition("#")[0]
    path = reference.partition("?")[0]
    if path.startswith("/"):
        return _make_target(reference)
    if path:
        return _make_target(base.path[: base.path.rindex("/") + 1] + reference)
    return base.path + _make_target(reference)[1:] if reference else base.target


def _without_dots(path: str) -> str:
    """Resolve "." and ".." (5.2.4), encoded ones too, as browsers do; ".." at the root leads nowhere."""
    kept: list[str] = []
    plain = ""
    for segment in path.split("/")[1:]:
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            kept = kept[:-1]
        elif plain != ".":
            kept.append(segment)
    if plain in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _encode(text: str, to_encode: re.Pattern[bytes]) -> str:
    """Percent-encode as UTF-8; bytes that were no UTF-8 on the command line go through as they were (PEP 383)."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        # Not quoted: it may be a password.
        raise UsageError("a text to be sent holds half a character (a lone surrogate); leave it out") from exc
    return to_encode.sub(lambda match: b"%%%02X" % match[0][0], data).decode("ascii")
