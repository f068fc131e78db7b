"""The nearest existing paths for one that does not exist: for the 404 page of development.

In: where it was looked for; out: up to three paths. Hidden and unserved names never appear, since `Root.scan` does not
give them out.
"""

from difflib import get_close_matches
from itertools import islice

from portico.apps.files.mounts import Place
from portico.apps.files.opened import NoDescriptors, NotServed
from portico.http.target import encode_path

_MAX_SCANNED = 2000
_MAX_HINTS = 3


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
