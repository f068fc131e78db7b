"""What someone has typed before, in a file of their own: read at the start, a line added for each line.

In: lines. Out: the latest of them, oldest first. The file is for its owner's eyes (0600) and bounded; where it cannot
be read or written there is simply no history. As in a shell, a line that begins with a space is not remembered.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from portico.cli import own_file

MOST_LINES: Final = 1000
_MOST_LINE: Final = 4096
_MOST_BYTES: Final = 1024 * 1024


def state_folder(environ: Mapping[str, str]) -> str:
    """Return where state of this user is kept (XDG Base Directory), "" where nothing says so."""
    given, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if os.path.isabs(given):
        return os.path.join(given, "portico")
    return os.path.join(home, ".local", "state", "portico") if os.path.isabs(home) else ""


class History:
    """The lines in one file. path: "" for none."""

    def __init__(self, path: str) -> None:
        self._path = path

    def lines(self) -> list[str]:
        """Return the lines, oldest first; a file that has grown too long is cut."""
        try:
            with open(self._path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES))
                data = file.read()
        except OSError:
            return []
        found = data.decode("utf-8", "replace").splitlines()
        if len(found) > 2 * MOST_LINES or len(data) >= _MOST_BYTES:
            self._rewrite(found[-MOST_LINES:])
        return found[-MOST_LINES:]

    def add(self, line: str) -> None:
        """Remember a line."""
        if not line.strip() or line.startswith(" ") or len(line) > _MOST_LINE or not line.isprintable():
            return
        with suppress(OSError):
            if folder := os.path.dirname(self._path):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(_encoded([line]))

    def _rewrite(self, lines: list[str]) -> None:
        with suppress(OSError):
            own_file.replace(self._path, _encoded(lines))


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
