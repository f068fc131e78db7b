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
from portico.apps.files.root import Entry, Root
from portico.http.message import Request, Response
from portico.http.target import encode_path, path_segments

_MAX_SCANNED = 2000
_MAX_HINTS = 3


def answer_missing(request: Request, place: Place | None, policy: Policy) -> Response:
    """Make the 404. place: what was looked for, None to give no hints. Reads the disk."""
    if kind_of(request) != "text/html":
        return policy.refusal(request, 404, "there is nothing at this address")
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
    depth, entries = _deepest(place.root, segments)
    if depth == len(segments):
        return []
    names = {entry.name.decode("utf-8", "surrogateescape"): entry.kind == "folder" for entry in entries}
    by_lower = {name.lower(): name for name in names}
    wanted = segments[depth].decode("utf-8", "surrogateescape").lower()
    close = [by_lower[found] for found in get_close_matches(wanted, by_lower, _MAX_HINTS, 0.6)]
    return [
        encode_path((*above, *segments[:depth], name.encode("utf-8", "surrogateescape")), names[name]) for name in close
    ]


def _deepest(root: Root, segments: tuple[bytes, ...]) -> tuple[int, list[Entry]]:
    """List the deepest folder on the way that exists, where somebody mistyped. Returns its depth and its entries.

    From the top down, so that a long path into nowhere costs no more than a short one.
    """
    found: tuple[int, list[Entry]] = len(segments), []
    for depth in range(len(segments)):
        try:
            entries = root.scan(segments[:depth])
            found = depth, [entry for entry in islice(entries, _MAX_SCANNED) if entry.is_served]
        except (NotServed, NoDescriptors):
            break
    return found
