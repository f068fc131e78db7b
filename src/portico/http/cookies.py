"""Cookies: reading the Cookie field, writing Set-Cookie (RFC 6265bis sections 4.1 and 5.7).

In: a field value; out: names and values, leniently. In: a name, a value, attributes; out: a field value that
every browser keeps, or UsageError.
"""

import re
from dataclasses import dataclass
from typing import Literal

from portico.errors import UsageError, excerpt
from portico.http.fields import is_token

MOST_COOKIES = 200
# Section 5.7: browsers drop a cookie whose name and value together, or one of whose attributes, is longer.
MOST_BYTES = 4096
MOST_ATTRIBUTE_BYTES = 1024

_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_PATH = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
_DOMAIN = re.compile(r"\.?[0-9A-Za-z][0-9A-Za-z.\-]*")
_BLANKS = " \t"


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieAttributes:
    """What a browser is told about a cookie (4.1.2). The defaults suit a session of a whole site.

    max_age: seconds to keep it; 0 or less deletes it; None keeps it until the browser closes.
    path: below which it is sent. domain: for this host and those below it; None for this host alone.
    secure: only over TLS. http_only: hidden from scripts.
    same_site: when pages of other sites may cause it to be sent; None leaves it to the browser.
    partitioned: a separate one under each top-level site.
    """

    max_age: int | None = None
    path: str | None = "/"
    domain: str | None = None
    secure: bool = False
    http_only: bool = True
    same_site: Literal["Strict", "Lax", "None"] | None = "Lax"
    partitioned: bool = False


def parse_cookies(value: str) -> dict[str, str]:
    """Read a Cookie field: `a=1; b=2` (4.2.1).

    Returns names and values as sent, quotes included, for they belong to the value (4.1.1). Of two cookies
    with one name the first counts: it has the longer path (5.7.3). Pairs without a name are left out, and
    whatever follows the first `MOST_COOKIES` pairs.
    """
    cookies: dict[str, str] = {}
    for pair in value.split(";", MOST_COOKIES)[:MOST_COOKIES]:
        name, equals, text = pair.partition("=")
        name = name.strip(_BLANKS)
        if equals and name:
            cookies.setdefault(name, text.strip(_BLANKS))
    return cookies


def format_set_cookie(name: str, value: str, *, attributes: CookieAttributes) -> str:
    """Write a Set-Cookie field value.

    name: a token. value: printable ASCII without blanks, quotes, commas, semicolons and backslashes; encode
    anything else first. Raises UsageError for what may not be sent and for what browsers would drop silently.
    """
    problem = (
        _problem_of_pair(name, value) or _problem_of_attributes(attributes) or _problem_of_prefix(name, attributes)
    )
    if problem:
        raise UsageError(f"cookie {excerpt(name)}: {problem}")
    parts = (
        (True, f"{name}={value}"),
        (attributes.max_age is not None, f"Max-Age={attributes.max_age}"),
        (attributes.domain is not None, f"Domain={attributes.domain}"),
        (attributes.path is not None, f"Path={attributes.path}"),
        (attributes.secure, "Secure"),
        (attributes.http_only, "HttpOnly"),
        (attributes.same_site is not None, f"SameSite={attributes.same_site}"),
        (attributes.partitioned, "Partitioned"),
    )
    return "; ".join(text for is_sent, text in parts if is_sent)


def _first_broken(rules: tuple[tuple[bool, str], ...]) -> str:
    """Return the message of the first rule that does not hold, "" where all do."""
    return next((message for holds, message in rules if not holds), "")


def _problem_of_pair(name: str, value: str) -> str:
    return _first_broken(
        (
            (is_token(name), "the name is not a token; use letters, digits, '-' and '_'"),
            (
                _VALUE.fullmatch(value) is not None,
                f'value {excerpt(value)} is not printable ASCII without blanks and any of ",;\\; encode it',
            ),
            (len(name) + len(value) <= MOST_BYTES, f"name and value are longer than {MOST_BYTES} bytes together"),
        )
    )


def _problem_of_attributes(attributes: CookieAttributes) -> str:
    path, domain = attributes.path, attributes.domain
    return _first_broken(
        (
            (
                path is None or (_PATH.fullmatch(path) is not None and len(path) <= MOST_ATTRIBUTE_BYTES),
                f"path {excerpt(path or '')} must begin with '/', without ';', at most {MOST_ATTRIBUTE_BYTES} bytes",
            ),
            (
                domain is None or (_DOMAIN.fullmatch(domain) is not None and len(domain) <= 254),
                f"domain {excerpt(domain or '')} is not a host name",
            ),
            (attributes.secure or attributes.same_site != "None", "SameSite=None needs secure=True"),
            (attributes.secure or not attributes.partitioned, "Partitioned needs secure=True"),
        )
    )


def _problem_of_prefix(name: str, attributes: CookieAttributes) -> str:
    """Check the promises that a name's prefix makes (4.1.3); browsers match it without regard to case."""
    prefix = name.lower()
    if prefix.startswith("__secure-"):
        return _first_broken(((attributes.secure, "the prefix __Secure- needs secure=True"),))
    if prefix.startswith("__host-"):
        is_bound = attributes.secure and attributes.path == "/" and attributes.domain is None
        return _first_broken(((is_bound, "the prefix __Host- needs secure=True, path='/' and no domain"),))
    return ""
