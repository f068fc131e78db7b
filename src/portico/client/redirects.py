"""Where a redirect leads, and what goes along (RFC 9110 section 15.4). Pure.

In: the request that was answered, the status and Location. Out: the request to send instead, or None where the
response is the answer.

    301, 302     POST becomes GET, as all clients have done for thirty years; other methods stay
    303          everything but HEAD becomes GET
    307, 308     the same request again, with its body

Another origin (scheme, host, port) never sees what was meant for this one: Authorization, Cookie, Host and
Proxy-Authorization as the caller gave them, and the URL's user and password (CVE-2018-18074). From https to http is
another origin. Credentials in a Location are not used: whoever wrote it is not whom we answer for.
"""

from dataclasses import dataclass, replace
from typing import Final

from portico.client.body import EMPTY, Body
from portico.errors import Refused
from portico.http.url import Url, join

Fields = tuple[tuple[str, str | None], ...]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FOR_ONE_ORIGIN: Final = frozenset({"authorization", "cookie", "cookie2", "host", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as its caller means it.

    fields: on top of what the client says by itself; None as a value leaves out what it would say.
    """

    method: str
    url: Url
    fields: Fields
    body: Body


def redirected(wanted: Wanted, status: int, location: str | None) -> Wanted | None:
    """Return the request that a response asks for instead, None where it asks for none.

    location: the Location field, None without one: then the response is the answer, whatever its status.
    Raises PeerError for a Location that is no http or https URL; Refused where the body would have to be sent again,
    and cannot.
    """
    if status not in _REDIRECTS or location is None:
        return None
    url = join(wanted.url, location)
    fields = wanted.fields
    if url.origin == wanted.url.origin:
        url = replace(url, userinfo=wanted.url.userinfo)
    else:
        url = replace(url, userinfo=None)
        fields = tuple(field for field in fields if field[0].lower() not in _FOR_ONE_ORIGIN)
    if (status in (301, 302) and wanted.method == "POST") or (status == 303 and wanted.method != "HEAD"):
        fields = tuple(field for field in fields if not field[0].lower().startswith("content-"))
        return Wanted("GET", url, fields, EMPTY)
    if not wanted.body.can_repeat:
        raise Refused(
            f"{wanted.url} redirects to {url}, and the body cannot be sent again; "
            "ask there at once, or give a body that can be read twice"
        )
    return replace(wanted, url=url, fields=fields)
