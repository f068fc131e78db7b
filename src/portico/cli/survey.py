"""A look at what is about to be served: how much it is, what stays hidden, what looks secret.

In: roots that show hidden names. Out: a `Survey`. Everything is seen through `Root.scan`, so that nothing is counted
that could not be served. Bounded in entries and in time: the survey runs beside the server, in a thread of its own.
"""

import fnmatch
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from portico.apps.files.opened import NoDescriptors, NotServed
from portico.apps.files.root import Entry, Root, is_hidden

MAX_ENTRIES = 200_000
MAX_TIME_S = 10.0
MAX_NAMES = 100

_SECRETS: tuple[str, ...] = (
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.key",
    "*.pfx",
    "*.p12",
    "*.kdbx",
    "*.sqlite",
)
_SECRETS += ("*.sqlite3", "*.db", "*.env", ".env*", ".git", ".htpasswd", ".netrc", ".ssh", ".aws", ".gnupg")
# What may stand in public although its name matches.
_HARMLESS = ("*.example", "*.sample", "*.template", "*.dist")


@dataclass(slots=True)
class Survey:
    """What was found. is_partial: the bounds were reached first. Names are relative paths, at most 100 of each.

    hidden: dotfiles that are not served. outside: links that are broken or lead out. secrets: served all the same.
    """

    files: int = 0
    size: int = 0
    is_partial: bool = False
    hidden: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


def looks_secret(name: str) -> bool:
    """Say whether a file or folder of this name should rarely be served."""
    lower = name.lower()
    return any(fnmatch.fnmatchcase(lower, pattern) for pattern in _SECRETS) and not any(
        fnmatch.fnmatchcase(lower, pattern) for pattern in _HARMLESS
    )


def survey(
    roots: Mapping[str, Root],
    *,
    shows_hidden: bool,
    is_stopped: Callable[[], bool] = lambda: False,
    most: int = MAX_ENTRIES,
) -> Survey:
    """Walk through roots, folder by folder, the upper ones first; linked folders are not entered.

    roots: by the name each is served under; they show hidden names. shows_hidden: whether those that are served do.
    is_stopped: asked for each folder. most: entries to look at. Folders that cannot be read are passed over.
    """
    found = Survey()
    deadline_s = time.monotonic() + MAX_TIME_S
    waiting: deque[tuple[str, tuple[bytes, ...]]] = deque((name, ()) for name in roots)
    left = most
    while waiting:
        if is_stopped() or time.monotonic() > deadline_s:
            found.is_partial = True
            break
        share, folder = waiting.popleft()
        above = (os.fsencode(share),) if share else ()
        try:
            for entry in roots[share].scan(folder):
                left -= 1
                if left < 0:
                    found.is_partial = True
                    return found
                if _take(found, (*above, *folder, entry.name), entry, shows_hidden):
                    waiting.append((share, (*folder, entry.name)))
        except (NotServed, NoDescriptors):
            continue
    return found


def _take(found: Survey, names: tuple[bytes, ...], entry: Entry, shows_hidden: bool) -> bool:
    """Note one entry; return whether it is a folder to enter."""
    if not shows_hidden and is_hidden((entry.name,)):
        _note(found.hidden, names)
        return False
    if entry.is_link and not entry.is_served:
        _note(found.outside, names)
    if not entry.is_served:
        return False
    if looks_secret(os.fsdecode(entry.name)):
        _note(found.secrets, names)
    if entry.kind == "file":
        found.files += 1
        found.size += entry.size or 0
    return entry.kind == "folder" and not entry.is_link


def _note(names: list[str], path: Sequence[bytes]) -> None:
    if len(names) < MAX_NAMES:
        names.append(os.fsdecode(b"/".join(path)))
