"""Which pages may talk to the chat: its own, and those of sites whose owners have been named.

In: the Origin field of a request, which browsers set and no page can change (RFC 6454 section 7, Fetch standard), and
the name that the request was sent to. Out: a `Standing`, and the fields that let a page read the answer.

A request without an Origin comes from a program, or from following a link; programs say what they like, so what
protects against them is the token, and not this. Tokens are in no cookie: no page has one that it was not given.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from portico.errors import UsageError, excerpt
from portico.http.url import Origin, parse_url

ANY: Final = "*"
_PREFLIGHT_S: Final = 600


class Standing(Enum):
    """Whose page asks. OWN: one of ours, or no page at all. GUEST: of a site that was named. FOREIGN: of any other."""

    OWN = "own"
    GUEST = "guest"
    FOREIGN = "foreign"


class Origins:
    """The sites whose pages may have the widget. Our own pages need no row.

    allowed: `https://shop.example`, with a port where it is not the scheme's own; "*" for every site. Raises UsageError
    for what is neither.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._has_any = False
        self._allowed: dict[Origin, str] = {}
        for text in allowed:
            if text == ANY:
                self._has_any = True
                continue
            origin = _read(text)
            if origin is None:
                raise UsageError(f"{excerpt(text)} is no origin; write https://HOST, https://HOST:PORT, or * for all")
            self._allowed[origin] = text.rstrip("/")

    def judge(self, origin: str | None, scheme: str, authority: str) -> Standing:
        """Tell whose page asks.

        origin: the value of the field, None without one. scheme, authority: what the request was sent to. A page that
        came over TLS is ours on a plain connection too, since a proxy may have taken the TLS off; not the other way.
        """
        if origin is None:
            return Standing.OWN
        found = _read(origin)
        if found is None:  # "null" is the origin of files, of sandboxed frames, and of whoever hides
            return Standing.FOREIGN
        own = _read(f"{found.scheme}://{authority}")
        if found == own and (found.scheme == scheme or scheme == "http"):
            return Standing.OWN
        return Standing.GUEST if self._has_any or found in self._allowed else Standing.FOREIGN

    @property
    def frame_ancestors(self) -> str:
        """Return which pages may show the visitors' page in a frame, as a Content-Security-Policy says it."""
        return ANY if self._has_any else " ".join(["'self'", *self._allowed.values()])


def is_allowable(text: str) -> bool:
    """Tell whether this can be allowed."""
    return text == ANY or _read(text) is not None


def sharing_fields(origin: str) -> tuple[tuple[str, str], ...]:
    """Return what lets a page of another site read an answer. origin: the field's value, which has been judged."""
    return (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))


def preflight_fields(methods: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the answer to a browser that asks first whether a page may send a request (Fetch standard 3.2)."""
    return (
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Allow-Headers", "authorization, content-type"),
        ("Access-Control-Max-Age", str(_PREFLIGHT_S)),
    )


def _read(text: str) -> Origin | None:
    """Read an origin; None for what has a path, a user, or no scheme."""
    try:
        url = parse_url(text)
    except UsageError:
        return None
    is_bare = "://" in text and url.target == "/" and url.userinfo is None and not url.socket
    return url.origin if is_bare else None
