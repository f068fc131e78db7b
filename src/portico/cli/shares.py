"""What is shared: PATH words in, named roots out.

A single folder or file is served at the top; several appear side by side, each under its own name.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from portico.apps.files.root import Root
from portico.errors import ConfigError, UsageError, excerpt
from portico.http.target import encode_segment
from portico.settings import Files


class Share(NamedTuple):
    """One PATH. name: under which it appears, "" for the only one. path: as it was given."""

    name: str
    path: str


def parse_shares(texts: Sequence[str]) -> tuple[Share, ...]:
    """Read PATH words: a path, or NAME=PATH. None at all means the current folder.

    A word with "=" that exists as a path is that path. Among several, one without a name is called what its path ends
    in. Raises UsageError where two have the same name, or a name cannot be part of a URL's path.
    """
    if not texts:
        return (Share("", "."),)
    shares = [_parse(text) for text in texts]
    if len(shares) == 1:
        return tuple(shares)
    named = [share if share.name else share._replace(name=_own_name(share.path)) for share in shares]
    for share in named:
        if sum(other.name == share.name for other in named) > 1:
            raise UsageError(f"two paths would be called {excerpt(share.name)}; name one of them: NAME=PATH")
    return tuple(named)


def _parse(text: str) -> Share:
    name, equals, path = text.partition("=")
    if not text:
        raise UsageError("'' is not a path; give a folder, a file or NAME=PATH, or nothing for the current folder")
    if not equals or "/" in name or os.path.lexists(text):
        return Share("", text)
    if not path or name.startswith(".") or not name:
        raise UsageError(f"{excerpt(text)} is not NAME=PATH; the name is one that does not begin with a dot")
    return Share(name, path)


def _own_name(path: str) -> str:
    name = os.path.basename(os.path.abspath(path))
    if not name or name.startswith("."):
        raise UsageError(f"{excerpt(path)} has no name to appear under among others; write NAME={path}")
    return name


def open_roots(shares: Sequence[Share], files: Files) -> dict[str, Root]:
    """Open each share as a root, by its name. The caller closes them.

    Raises ConfigError where a path is missing, unreadable, or neither a folder nor a file.
    """
    return {share.name: _open(share.path, files) for share in shares}


def _open(path: str, files: Files) -> Root:
    if os.path.isfile(path):
        return Root.for_file(path)
    try:
        return Root(path, links=files.links, hidden=files.hidden)
    except ConfigError as exc:
        if path.isdecimal() and not os.path.exists(path):
            raise ConfigError(f"there is no folder {excerpt(path)}; a port is written -p {path}") from exc
        raise


def entry_path(shares: Sequence[Share], base: str) -> str:
    """Return the path of the URL to open, without its first slash.

    base: of the Files settings. A single file is named, encoded; a folder is the base itself.
    """
    path = base.strip("/") + "/" if base.strip("/") else ""
    if len(shares) > 1 or shares[0].name or not os.path.isfile(shares[0].path):
        return path
    return path + encode_segment(os.fsencode(os.path.basename(shares[0].path)))


def described(shares: Sequence[Share]) -> str:
    """Name what is shared for a person, on one line."""
    return ", ".join(
        _shown(share.path)
        if not share.name or share.name == os.path.basename(share.path)
        else f"{_shown(share.name)}={_shown(share.path)}"
        for share in shares
    )


def _shown(path: str) -> str:
    path = "." + path[len(os.getcwd()) :] if path.startswith(os.getcwd() + "/") else path
    path = os.path.basename(os.getcwd()) + "/" if path in (".", "./") and os.getcwd() != "/" else path
    return path if path.isprintable() else excerpt(path, 200)
