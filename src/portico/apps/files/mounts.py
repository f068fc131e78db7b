"""Which root a path leads to: one folder, one file, or several under names of their own.

In: decoded segments below --base; out: a `Place`, or the names at the top.
"""

from collections.abc import Mapping
from typing import NamedTuple

from portico.apps.files.root import Entry, Root


class Place(NamedTuple):
    """A name in one root. segments: below that root."""

    root: Root
    segments: tuple[bytes, ...]


class Listed(NamedTuple):
    """A folder to be listed. root: None for the top of several roots, whose rows are `entries`."""

    root: Root | None
    segments: tuple[bytes, ...]
    shown: tuple[bytes, ...]
    entries: list[Entry]


class Mounts:
    """The roots of a site.

    roots: {"": root} to serve one; otherwise each name is a folder, or a file, at the top.
    """

    def __init__(self, roots: Mapping[str, Root]) -> None:
        self._only = roots.get("")
        self._named = {name.encode("utf-8", "surrogateescape"): root for name, root in roots.items() if name}

    @property
    def single_file(self) -> bytes | None:
        """The name of the one file that is served, None where there is more."""
        return self._only.only if self._only is not None else None

    def place(self, segments: tuple[bytes, ...]) -> Place | None:
        """Return where a path leads, None where no root has that name, and for the top of several roots."""
        if self._only is not None:
            return Place(self._only, segments)
        root = self._named.get(segments[0]) if segments else None
        if root is None:
            return None
        if root.only is not None:
            return Place(root, (root.only,)) if len(segments) == 1 else None
        return Place(root, segments[1:])

    def top(self) -> list[Entry]:
        """Return the rows of the top of several roots."""
        return [
            Entry(name, "folder" if root.only is None else "file", None, None, False, True)
            for name, root in self._named.items()
        ]

    def close(self) -> None:
        """Close all roots."""
        for root in (self._only, *self._named.values()):
            if root is not None:
                root.close()
