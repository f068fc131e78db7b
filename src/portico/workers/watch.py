"""Notice changed files while developing: folders in, one line for each burst of changes out.

What counts is what a program of Python is made of: code, templates, `portico.toml` and other settings. Folders that
tools fill, `.git`, `.venv`, `node_modules` and the like, do not count. The system tells of changes (inotify, FSEvents)
through the package watchfiles, which is an extra of Portico (`reload`): who serves does not need it.
"""

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePath
from typing import Final

from portico.errors import ConfigError

SUFFIXES: Final = frozenset(
    {
        ".py",
        ".pyi",
        ".toml",
        ".ini",
        ".cfg",
        ".yaml",
        ".yml",
        ".json",
        ".html",
        ".htm",
        ".jinja",
        ".jinja2",
        ".j2",
        ".mako",
    }
)
NAMES: Final = frozenset({".env"})
_TOOLS_FOLDERS: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "htmlcov", "build", "dist"}
)
DEBOUNCE_MS: Final = 200  # an editor or a checkout writes many files in a row
_SHOWN: Final = 3


def is_relevant(path: str, folders: Sequence[str]) -> bool:
    """Tell whether a changed file may change what a program does.

    path: absolute. folders: the watched ones, absolute; only what lies below them is judged, so that a project may
    itself lie in a hidden folder.
    """
    below = next((PurePath(path).relative_to(f) for f in folders if PurePath(path).is_relative_to(f)), PurePath(path))
    if any(part in _TOOLS_FOLDERS or (part.startswith(".") and part != "/") for part in below.parts[:-1]):
        return False
    return below.name in NAMES or (below.suffix in SUFFIXES and not below.name.startswith("."))


def roots_of(folders: Sequence[str]) -> list[str]:
    """Return folders by their real absolute paths; the current one where none is given."""
    return [os.path.realpath(folder) for folder in folders or (".",)]


def described(paths: Sequence[str]) -> str:
    """Return changed files as a few words: relative to the current folder, a few of them, sorted."""
    names = sorted({os.path.relpath(path) for path in paths})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def check_watching(folders: Sequence[str]) -> None:
    """Raise ConfigError unless these folders can be watched."""
    for folder in folders:
        if not os.path.isdir(folder):
            raise ConfigError(f"--reload-dir {folder} is not a folder")
    try:
        import watchfiles  # noqa: F401
    except ImportError as exc:
        raise ConfigError("--reload needs the package watchfiles; pip install watchfiles") from exc


async def changes(folders: Sequence[str]) -> AsyncIterator[str]:
    """Yield `described` for each burst of relevant changes, until cancelled. folders: empty for the current one.

    Raises ConfigError, before the first, where they cannot be watched.
    """
    roots = roots_of(folders)
    check_watching(roots)
    from watchfiles import awatch

    def counts(_: object, path: str) -> bool:
        return is_relevant(path, roots)

    async for found in awatch(*roots, watch_filter=counts, debounce=DEBOUNCE_MS, step=50):
        yield described([path for _, path in found])
