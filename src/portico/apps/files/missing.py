"""The answer to a path that leads nowhere, and, in development, the nearest paths that lead somewhere.

In: the request and where it was looked for; out: a 404. Hidden and unserved names are never hinted at, since
`Root.scan` does not give them out.
"""

from difflib import get_close_matches
from itertools import islice

from portico.apps.files.folder import VARY, kind_of, language_of
from portico.apps.files.mounts import Place
from portico.apps.files.opened import NoDescriptors, NotServed
from portico.apps.files.pages import error_csp, error_page
from portico.apps.files.policy import Policy
from portico.http.message import Request, Response
from portico.http.target import encode_path, path_segments
from portico.server.refusals import refusal

_MAX_SCANNED = 2000
_MAX_HINTS = 3


def answer_missing(request: Request, place: Place | None, policy: Policy) -> Response:
    """Make the 404. place: what was looked for, None to give no hints. Reads the disk."""
    if kind_of(request) != "text/html":
        plain = refusal(404, "there is nothing at this address", request.values)
        return plain._replace(fields=policy.fields(tuple(plain.fields)))
    hints: list[str] = []
    if place is not None:
        parsed = path_segments(request.path)
        shown = parsed.segments if parsed is not None else ()
        hints = nearest(place, shown[: len(shown) - len(place.segments)])
    fields = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Vary", VARY),
        ("Content-Security-Policy", error_csp()),
    )
    body = error_page(404, language=language_of(request), hints=hints, start=encode_path(policy.base, True))
    return Response(404, policy.fields(fields), body)


def nearest(place: Place, above: tuple[bytes, ...]) -> list[str]:
    """Return percent-encoded paths of the entries whose names are most like the missing one.

    place: what was asked for. above: the segments of the URL that lead to the place's root. Reads the disk.
    """
    segments = place.segments
    # The deepest folder on the way that exists is where somebody mistyped.
    for depth in range(len(segments) - 1, -1, -1):
        try:
            entries = list(islice(place.root.scan(segments[:depth]), _MAX_SCANNED))
        except (NotServed, NoDescriptors):
            continue
        names = {
            entry.name.decode("utf-8", "surrogateescape"): entry.kind == "folder"
            for entry in entries
            if entry.is_served
        }
        by_lower = {name.lower(): name for name in names}
        wanted = segments[depth].decode("utf-8", "surrogateescape").lower()
        close = [by_lower[found] for found in get_close_matches(wanted, by_lower, _MAX_HINTS, 0.6)]
        return [
            encode_path((*above, *segments[:depth], name.encode("utf-8", "surrogateescape")), names[name])
            for name in close
        ]
    return []
