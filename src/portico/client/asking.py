"""What a caller may say: once for a client (`Profile`), and with each request (`Asking`). Pure.

In: keyword arguments. Out: a `Wanted`, and the fields of its head as they go over a route. Whatever may not be
sent is a UsageError before anything is connected.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict

from portico import __version__
from portico.client.body import Body, Given, form_body, json_body, make_body
from portico.client.decoding import accepted
from portico.client.proxies import Proxies
from portico.client.redirects import Wanted
from portico.client.route import Observer, Route, basic
from portico.client.timeouts import Timeouts
from portico.errors import UsageError, excerpt
from portico.http.fields import is_token
from portico.http.jar import Jar
from portico.http.url import Pairs, Url, parse_url
from portico.settings import GIB, MIB
from portico.wire.fields import check_field

if TYPE_CHECKING:
    import ssl

_EXPECT_FROM_BYTES: Final = MIB  # as curl: below it, the body costs less than the question
_MOST_METHOD: Final = 64
_PATIENCE: Final = Timeouts()

FieldPairs = Iterable[tuple[str, str | None]] | Mapping[str, str | None] | Mapping[str, str]


@dataclass(kw_only=True, eq=False)
class Profile:
    """What holds for every request of one client.

    timeouts: how long to wait. jar: keeps cookies; None for one of its own. follow: most redirects that are followed,
    one after the other; 0 returns them instead. proxies: None for those that the environment names. tls: what TLS is
    spoken with; None trusts whom the system trusts. unix: path of a socket for every request, "" for none.
    fields: said in every request, unless it says otherwise; a value of None leaves out what would be said;
    Connection, Content-Length and Transfer-Encoding are not for the caller to say.
    decode: ask for gzip, br and zstd, and undo them. max_connections: open at once, others wait.
    max_idle_per_host: kept for one host. keep_alive_s: how long a connection is kept without use.
    max_body: most bytes of a body that are kept in memory, decoded; streaming has no limit.
    observer: is told what goes over the wire.
    """

    timeouts: Timeouts = _PATIENCE
    jar: Jar | None = None
    follow: int = 10
    proxies: Proxies | None = None
    tls: "ssl.SSLContext | None" = None
    unix: str = ""
    fields: FieldPairs = ()
    decode: bool = True
    max_connections: int = 100
    max_idle_per_host: int = 8
    keep_alive_s: float = 60.0
    max_body: int = GIB
    observer: Observer | None = None

    def __post_init__(self) -> None:
        self.fields = _pairs(self.fields)
        self.jar = Jar() if self.jar is None else self.jar
        if self.max_connections < 1:
            raise UsageError(f"max_connections is {self.max_connections}; a client needs at least 1")


class Asking(TypedDict, total=False):
    """What may be said with one request.

    params: names and values added to the URL's query. fields: as in Profile, on top of those.
    body: what make_body of body.py takes; json: any value that JSON can say; data: names and values, as a form sends
    them. At most one of these three. timeouts, follow: instead of the client's; None for the client's.
    """

    params: Pairs | None
    fields: FieldPairs
    body: Given | None
    json: Any
    data: Pairs | None
    timeouts: Timeouts | None
    follow: int | None


def want(method: str, url: str | Url, asking: Asking, profile: Profile) -> Wanted:
    """Make a request of what the caller gave. Raises UsageError for what cannot be asked."""
    method = method.upper()
    if not is_token(method) or len(method) > _MOST_METHOD or method == "CONNECT":
        raise UsageError(f"{excerpt(method)} is not a method that can be asked with; GET and POST are")
    if isinstance(url, str):
        url = parse_url(url)
    params = asking.get("params")
    if params:
        url = url.with_params(params)
    own = _pairs(asking.get("fields", ()))
    names = {name.lower() for name, _ in own}
    fields = (*[pair for pair in _pairs(profile.fields) if pair[0].lower() not in names], *own)
    return Wanted(method, url, fields, _body(asking))


def _pairs(fields: FieldPairs) -> tuple[tuple[str, str | None], ...]:
    pairs: list[tuple[str, str | None]] = []
    for name, value in fields.items() if isinstance(fields, Mapping) else fields:
        check_field(name, value or "")
        pairs.append((name, value))
    return tuple(pairs)


def _body(asking: Asking) -> Body:
    data = asking.get("data")
    given = [asking.get("body") is not None, "json" in asking, data is not None]
    if sum(given) > 1:
        raise UsageError("a request has one body; give one of body, json and data")
    if "json" in asking:
        return json_body(asking["json"])
    return make_body(asking.get("body")) if data is None else form_body(data)


def request_fields(wanted: Wanted, route: Route, cookies: str, *, decode: bool) -> tuple[tuple[str, str], ...]:
    """Return the fields of a request's head, in order: what is said by itself, then what the caller says.

    cookies: the jar's. What the caller says replaces what would be said; his cookies join the jar's.
    """
    url, body = wanted.url, wanted.body
    given = dict((name.lower(), value) for name, value in wanted.fields)
    is_large = body.length is None or body.length > _EXPECT_FROM_BYTES
    own_cookies = given.pop("cookie", None)
    said = (
        ("Host", url.authority),
        ("User-Agent", f"portico/{__version__}"),
        ("Accept", "*/*"),
        ("Accept-Encoding", accepted() if decode else "identity"),
        ("Authorization", basic(url.userinfo) if url.userinfo else ""),
        ("Proxy-Authorization", route.proxy_field if route.is_absolute else ""),
        ("Content-Type", body.media_type),
        ("Expect", "100-continue" if is_large else ""),
        ("Cookie", "; ".join(filter(None, (cookies, own_cookies)))),
    )
    fields = [pair for pair in said if pair[1] and pair[0].lower() not in given]
    for name, value in wanted.fields:
        if value is not None and name.lower() != "cookie" and _may_go(name, route):
            fields.append((name, value))
    return tuple(fields)


def _may_go(name: str, route: Route) -> bool:
    """Tell whether a field of the caller's is for whoever reads it: the proxy's password is for the proxy alone."""
    return name.lower() != "proxy-authorization" or route.is_absolute
