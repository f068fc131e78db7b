"""Cookies as a client keeps them: Set-Cookie in, Cookie out, and a file between runs (RFC 6265bis sections 5.1 to 5.7).

    Jar.store(url, value, now_s)        what a Set-Cookie field of an answer says
    Jar.field_for(url, now_s)           what Cookie says in a request
    Jar.loads(text), jar.dumps()        Netscape's cookies.txt, which curl, wget and browsers' add-ons read and write

The invariant: a host gets cookies of its own and of the domains above it, never those of a sibling; what was set over
TLS for TLS alone goes nowhere else, and is not replaced from elsewhere.

There is no list of public suffixes: it has 10 000 rows, changes weekly, and a stale one is a false promise. Instead a
cookie for a whole domain is refused where that domain has no dot (`com`, `localhost`) or looks like a registry below a
country (`co.uk`, `com.cn`). What that leaves open: a site on shared ground (`a.github.io`) can set cookies that its
neighbours receive; it cannot read theirs.

SameSite has no effect: somebody at a keyboard asked for each request. Partitioned has none: there is one partition.
All text is ISO 8859-1, as field values are; read and write the file so. One jar is for one thread at a time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from portico.http.cookies import MOST_ATTRIBUTE_BYTES, MOST_BYTES
from portico.http.dates import parse_date
from portico.http.url import Url

MOST_PER_DOMAIN: Final = 50  # section 6.1
MOST_IN_ALL: Final = 3000
LONGEST_S: Final = 400 * 86_400  # 5.5: no cookie is kept for longer

_BLANKS = " \t"
# A tab inside a name or a value is allowed by 5.6, but no line of cookies.txt could hold it; curl drops those, too.
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_NUMBER = re.compile("-?[0-9]+")
_MAX_DIGITS = 15
_DOMAIN = re.compile(r"[0-9a-z_](?:[0-9a-z_.\-]*[0-9a-z_.])?|[0-9a-f:.]+")
# What registries of countries sell names below: `co.uk`, `or.jp`, `com.cn`.
_REGISTRIES = frozenset("ac co com edu go gob gov ltd mil ne net nom or org plc".split())
_DATE_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")  # 5.1.1
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?")
_DAY = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?")
_YEAR = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?")
_MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*", re.IGNORECASE)

_FILE_HEAD = "# Netscape HTTP Cookie File\n# Lines: domain, with subdomains, path, secure, expires, name, value\n\n"
_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"TRUE": True, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. domain: in lower case, without a leading dot. host_only: for that host alone, not for those below.

    expires_s: seconds since 1970; None for the end of the session. secure: over TLS alone. http_only: means something
    to browsers, and stays in the file.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    expires_s: int | None = None

    def is_expired(self, now_s: float) -> bool:
        return self.expires_s is not None and self.expires_s <= now_s


class _Kept:
    """A cookie and its place in two orders, that of creation and that of last use."""

    __slots__ = ("cookie", "created", "used")

    def __init__(self, cookie: Cookie, created: int, used: int) -> None:
        self.cookie = cookie
        self.created = created
        self.used = used


_Key = tuple[str, str, bool]


class Jar:
    """The cookies of one user. Iterating yields each `Cookie`.

    skipped: lines that `loads` could not read.
    """

    def __init__(self) -> None:
        self._domains: dict[str, dict[_Key, _Kept]] = {}
        self._count = 0
        self._turn = 0
        self.skipped = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cookie]:
        return iter([kept.cookie for cookies in self._domains.values() for kept in cookies.values()])

    def store(self, url: Url, value: str, now_s: float) -> bool:
        """Take in one Set-Cookie field (5.6, 5.7). A date in the past removes the cookie of that name.

        url: that was asked. value: of the field; each field by itself, never joined. now_s: seconds since 1970.
        Returns whether it was taken; what breaks a rule is dropped without a word, as the RFC has it.
        """
        found = _parse_set_cookie(value)
        if found is None:
            return False
        name, text, attributes = found
        cookie = _make_cookie(url, (name, text), attributes, now_s=int(now_s))
        if cookie is None or not (_keeps_promise(cookie, attributes) and self._spares_secure_ones(cookie, url)):
            return False
        self._put(cookie, now_s)
        return True

    def field_for(self, url: Url, now_s: float) -> str:
        """Return the value of Cookie for a request (5.7.3): longer paths first, then what is older.

        Returns "" where no cookie fits; then send no field.
        """
        self._turn += 1
        is_secure = _is_trustworthy(url)
        found = []
        for kept in self._candidates(url.host):
            cookie = kept.cookie
            if (
                (cookie.domain == url.host or not cookie.host_only)
                and (is_secure or not cookie.secure)
                and not cookie.is_expired(now_s)
                and _path_matches(url.path, cookie.path)
            ):
                kept.used = self._turn
                found.append(kept)
        found.sort(key=lambda kept: (-len(kept.cookie.path), kept.created))
        return "; ".join([f"{kept.cookie.name}={kept.cookie.value}".removeprefix("=") for kept in found])

    @classmethod
    def loads(cls, text: str) -> "Jar":
        """Read a file in Netscape's format. Lines that make no sense are counted in `skipped`, nothing more."""
        jar = cls()
        for line in text.split("\n"):
            line = line.rstrip("\r")
            is_comment = line.startswith("#") and not line.startswith(_HTTP_ONLY)
            if not line.strip(_BLANKS) or is_comment:
                continue
            cookie = _parse_line(line)
            if cookie is None:
                jar.skipped += 1
            else:
                jar._put(cookie, None)
        return jar

    def dumps(self, now_s: float = 0) -> str:
        """Write the cookies in the same format, those of the session too, with 0 for their date, as curl does.

        now_s: what has expired by then is left out. The text is as good as a password: whoever makes a file of it
        keeps it from others (mode 0600).
        """
        return _FILE_HEAD + "".join([_format_line(cookie) for cookie in self if not cookie.is_expired(now_s)])

    def _candidates(self, host: str) -> Iterator[_Kept]:
        """Yield the cookies of a host and of all domains above it."""
        yield from self._domains.get(host, {}).values()
        domain = "" if _is_address(host) else host.partition(".")[2]
        while domain:
            yield from self._domains.get(domain, {}).values()
            domain = domain.partition(".")[2]

    def _spares_secure_ones(self, cookie: Cookie, url: Url) -> bool:
        """Check that nothing set for TLS alone would be overlaid by what came without (5.7 step 12)."""
        if cookie.secure or _is_trustworthy(url):
            return True
        return not any(
            other.secure
            and other.name == cookie.name
            and (_domain_matches(other.domain, cookie.domain) or _domain_matches(cookie.domain, other.domain))
            and _path_matches(cookie.path, other.path)
            for other in self
        )

    def _put(self, cookie: Cookie, now_s: float | None) -> None:
        """Add or replace; None for `now_s` takes what may have expired as it is."""
        cookies = self._domains.get(cookie.domain, {})
        old = cookies.get(_key(cookie))
        if now_s is not None and cookie.is_expired(now_s):
            if old is not None:
                self._remove(cookie)
            return
        self._turn += 1
        self._domains[cookie.domain] = cookies
        cookies[_key(cookie)] = _Kept(cookie, self._turn if old is None else old.created, self._turn)
        self._count += old is None
        if len(cookies) > MOST_PER_DOMAIN:
            self._evict(cookies, now_s or 0)
        elif self._count > MOST_IN_ALL:
            self._evict({_key(kept.cookie): kept for kept in self._all_of_the_largest()}, now_s or 0)

    def _all_of_the_largest(self) -> list[_Kept]:
        """Return the cookies of the domain that has most: whoever floods the jar loses first."""
        return list(max(self._domains.values(), key=len).values())

    def _evict(self, cookies: dict[_Key, _Kept], now_s: float) -> None:
        """Remove one: an expired one, or one that needs no TLS, and of those the one not used for longest (5.7)."""
        worst = min(
            cookies.values(), key=lambda kept: (not kept.cookie.is_expired(now_s), kept.cookie.secure, kept.used)
        )
        self._remove(worst.cookie)

    def _remove(self, cookie: Cookie) -> None:
        cookies = self._domains[cookie.domain]
        del cookies[_key(cookie)]
        self._count -= 1
        if not cookies:
            del self._domains[cookie.domain]


def _key(cookie: Cookie) -> _Key:
    return cookie.name, cookie.path, cookie.host_only


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_trustworthy(url: Url) -> bool:
    """Tell whether nobody on the way can listen: TLS, or a way within this machine, as browsers and curl count it."""
    host = url.host
    return (
        url.is_secure
        or host in ("localhost", "::1")
        or host.endswith(".localhost")
        or (host.startswith("127.") and _is_address(host))
    )


def _domain_matches(host: str, domain: str) -> bool:
    """Tell whether `host` is `domain` or below it (5.1.3)."""
    return host == domain or (host.endswith(f".{domain}") and not _is_address(host))


def _path_matches(path: str, cookie_path: str) -> bool:
    """Tell whether a request for `path` is below a cookie's path (5.1.4)."""
    return path.startswith(cookie_path) and (
        len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"
    )


def _parse_set_cookie(value: str) -> tuple[str, str, dict[str, str]] | None:
    """Take a field apart (5.6): name, value, attributes by lower-case name, the last of each; None to drop it."""
    first, *rest = value.split(";")
    name, equals, text = first.partition("=")
    if not equals:
        name, text = "", first  # a cookie without a name
    name, text = name.strip(_BLANKS), text.strip(_BLANKS)
    if not 0 < len(name) + len(text) <= MOST_BYTES or _CONTROL.search(value.replace("\t", " ")) or "\t" in name + text:
        return None
    attributes = {}
    for piece in rest:
        key, _, attribute = (part.strip(_BLANKS) for part in piece.partition("="))
        if len(attribute) <= MOST_ATTRIBUTE_BYTES:
            attributes[key.lower()] = attribute
    return name, text, attributes


def _make_cookie(url: Url, pair: tuple[str, str], attributes: dict[str, str], *, now_s: int) -> Cookie | None:
    """Decide for whom a cookie is (5.7 steps 5 to 10); None where it may not be set."""
    domain = attributes.get("domain", "").removeprefix(".").lower()
    if domain and domain != url.host and (not _domain_matches(url.host, domain) or _is_registry(domain)):
        return None
    is_secure = "secure" in attributes
    if is_secure and not _is_trustworthy(url):
        return None
    path = attributes.get("path", "")
    if not path.startswith("/") or "\t" in path:
        path = url.path[: url.path.rindex("/")] or "/"
    # A host that is itself a registry, `localhost` or an address can have cookies, but for itself alone.
    host_only = not domain or _is_registry(domain) or _is_address(domain)
    return Cookie(
        *pair, url.host if host_only else domain, path, host_only, is_secure, "httponly" in attributes,
        _expiry(attributes, now_s),
    )  # fmt: skip


def _is_registry(domain: str) -> bool:
    first, dot, last = domain.rpartition(".")
    return not dot or (len(last) == 2 and first in _REGISTRIES)


def _keeps_promise(cookie: Cookie, attributes: dict[str, str]) -> bool:
    """Check what the prefix of a name promises (4.1.3, 5.7 steps 19 to 21), in any case."""
    promise = (cookie.name or cookie.value).lower()
    if not promise.startswith(("__secure-", "__host-")):
        return True
    is_bound = cookie.host_only and not attributes.get("domain") and attributes.get("path") == "/"
    return bool(cookie.name) and cookie.secure and (is_bound or promise.startswith("__secure-"))


def _expiry(attributes: dict[str, str], now_s: int) -> int | None:
    """Return when a cookie ends: Max-Age before Expires (5.7 step 4); None for neither, or for nonsense."""
    latest = now_s + LONGEST_S
    age = attributes.get("max-age", "")
    if _NUMBER.fullmatch(age) is not None:
        if age.startswith("-"):
            return 0
        return latest if len(age) > _MAX_DIGITS else min(now_s + int(age), latest)
    date_s = parse_cookie_date(attributes.get("expires", ""))
    return None if date_s is None else min(date_s, latest)


def parse_cookie_date(text: str) -> int | None:
    """Read a date as leniently as 5.1.1 asks: its parts in any order, anything between them, always UTC.

    Returns seconds since 1970, None where a part is missing or no such day exists.
    """
    found: dict[str, tuple[str, ...]] = {}
    for token in _DATE_DELIMITERS.split(text):
        # In this order, and each part once: "10" is the day, a second "10" the year.
        for part, pattern in (("time", _TIME), ("day", _DAY), ("month", _MONTH), ("year", _YEAR)):
            match = pattern.fullmatch(token)
            if match is not None and part not in found:
                found[part] = match.groups()
                break
    if len(found) < 4:
        return None
    year = int(found["year"][0])
    year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
    clock = ":".join([f"{int(number):02}" for number in found["time"]])
    # The strict reader knows how long months are; the day of the week does not matter to it.
    date = f"Mon, {int(found['day'][0]):02} {found['month'][0].title()} {year:04} {clock} GMT"
    return parse_date(date, 0) if year >= 1601 and not clock.endswith("60") else None


def _parse_line(line: str) -> Cookie | None:
    """Read one line of cookies.txt; None for what is no cookie."""
    parts = line.removeprefix(_HTTP_ONLY).split("\t")
    if len(parts) == 6:
        parts.append("")  # an empty value, its tab lost to an editor
    if len(parts) != 7:
        return None
    domain, with_subdomains, path, secure, expires, name, value = parts
    domain = domain.removeprefix(".").lower()
    is_sound = (
        _DOMAIN.fullmatch(domain)
        and path.startswith("/")
        and _NUMBER.fullmatch(expires)
        and len(expires) <= _MAX_DIGITS
        and 0 < len(name) + len(value) <= MOST_BYTES
        and len(path) <= MOST_ATTRIBUTE_BYTES
        and not _CONTROL.search(path + name + value)
        and ";" not in path + name + value
        and "=" not in name
    )
    subdomains, is_secure = _FLAGS.get(with_subdomains.upper()), _FLAGS.get(secure.upper())
    if not is_sound or subdomains is None or is_secure is None:
        return None
    http_only = line.startswith(_HTTP_ONLY)
    return Cookie(name, value, domain, path, not subdomains, is_secure, http_only, int(expires) or None)


def _format_line(cookie: Cookie) -> str:
    domain = cookie.domain if cookie.host_only else f".{cookie.domain}"
    flags = [str(flag).upper() for flag in (not cookie.host_only, cookie.secure)]
    parts = (domain, flags[0], cookie.path, flags[1], str(cookie.expires_s or 0), cookie.name, cookie.value)
    return (_HTTP_ONLY if cookie.http_only else "") + "\t".join(parts) + "\n"
