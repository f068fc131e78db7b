"""What is served beside an application: `/static=public` in, a `Mount` out."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from portico.errors import ConfigError, UsageError, excerpt


class Mount(NamedTuple):
    """A path and what is served below it: a folder, or another application; the other of the two is "".

    path: begins with a slash and does not end in one.
    """

    path: str
    folder: str = ""
    app: str = ""


def parse_static(texts: Sequence[str]) -> list[Mount]:
    """Read the values of --static. Raises UsageError for what is not /PATH=DIR."""
    return [_parse(text) for text in texts]


def _parse(text: str) -> Mount:
    path, equals, folder = text.partition("=")
    if not (equals and folder and path.startswith("/")):
        raise UsageError(f"--static {excerpt(text)} is not /PATH=DIR, as /static=public")
    return Mount(mount_path(path), folder)


def mount_path(text: str) -> str:
    """Return the path of a mount in one spelling. Raises UsageError for what is none, and for the top."""
    path = "/" + text.strip("/")
    if not text.startswith("/") or path == "/":
        raise UsageError(
            f"{excerpt(text)} is not a path to mount at: it begins with a slash, and / is the application's"
        )
    return path


def check_mounts(mounts: Sequence[Mount]) -> None:
    """Raise UsageError where two are at the same path, ConfigError where a folder is missing."""
    paths = [mount.path for mount in mounts]
    for mount in mounts:
        if paths.count(mount.path) > 1:
            raise UsageError(f"two things are mounted at {excerpt(mount.path)}")
        if mount.folder and not os.path.isdir(mount.folder):
            raise ConfigError(f"there is no folder {excerpt(mount.folder)} to serve at {mount.path}")
