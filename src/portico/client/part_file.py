"""A file that is not whole yet: `FILE.part`, and `FILE.part.json` beside it, which says of what it is a part.

In: a path. Out: a descriptor to write to, and at the end a file that is whole, or none. The sidecar is written anew and
renamed, so that a crash leaves the old one or the new one. What it says is never more than what is on the disk.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from stat import S_ISREG
from typing import Final

from portico.errors import ConfigError, Refused, excerpt

# In a folder that others write to, a link with our name is a trap, and so is a pipe that nobody writes to.
_NO_TRAP: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
# Nobody's sidecar is larger; what is, is not ours.
_MOST_NOTES: Final = 1 << 20


@dataclass(slots=True)
class Piece:
    """Some bytes of the file. done: how many of `length`, from `start` on, are on the disk."""

    start: int
    length: int
    done: int = 0

    @property
    def is_whole(self) -> bool:
        return self.done >= self.length


@dataclass(slots=True)
class Notes:
    """Of what a `.part` is a part.

    url: as it was asked for. validator: a strong ETag with its quotes, or a date of Last-Modified that can be trusted.
    size: of the whole file, None where unknown.
    pieces: of which the file consists where it was made room for beforehand; where it was not, none, and the length of
    the file says how much is there.
    """

    url: str
    validator: str
    size: int | None
    pieces: list[Piece] = field(default_factory=list)

    def dumps(self) -> str:
        """Write them as JSON."""
        pieces = [[piece.start, piece.length, piece.done] for piece in self.pieces]
        return json.dumps({"url": self.url, "validator": self.validator, "size": self.size, "pieces": pieces})


def loads_notes(text: str) -> Notes | None:
    """Read what `Notes.dumps` wrote; None for anything else."""
    try:
        found = json.loads(text)
        notes = Notes(found["url"], found["validator"], found["size"], [Piece(*piece) for piece in found["pieces"]])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    numbers = [number for piece in notes.pieces for number in (piece.start, piece.length, piece.done)]
    is_ours = (
        isinstance(notes.url, str) and isinstance(notes.validator, str) and _are_counts([notes.size or 0, *numbers])
    )
    return notes if is_ours and _fill(notes) else None


def _are_counts(values: Iterable[object]) -> bool:
    return all(type(value) is int and 0 <= value < 1 << 62 for value in values)


def _fill(notes: Notes) -> bool:
    """Say whether the pieces, if there are any, make up the file without a gap."""
    position = 0
    for piece in notes.pieces:
        if piece.start != position or piece.done > piece.length:
            return False
        position += piece.length
    return not notes.pieces or position == notes.size


class PartFile:
    """What a download writes to until it is whole.

    path: of the whole file. fd: of the part, -1 until `open`. Whoever opens it calls `close`, `finish` or `discard`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.part = f"{path}.part"
        self.fd = -1
        self._notes = f"{path}.part.json"

    def open(self) -> None:
        """Open the part, or make it; what is in it stays.

        Raises ConfigError where that cannot be done, Refused while another download writes to it.
        """
        import fcntl

        try:
            self.fd = os.open(self.part, os.O_RDWR | os.O_CREAT | _NO_TRAP, 0o666)
        except OSError as exc:
            raise ConfigError(f"cannot write {self.part}: {exc.strerror}") from exc
        if not S_ISREG(os.fstat(self.fd).st_mode):
            self.close()
            raise ConfigError(f"cannot write {self.part}: it is a pipe or a device; remove it, or choose another name")
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self.close()
            raise Refused(f"another download writes {self.part}; wait for it, or choose another name") from exc

    def open_again(self) -> int:
        """Return another descriptor of the part, with a place of its own, which the caller closes.

        Raises ConfigError where that cannot be done.
        """
        try:
            return os.open(self.part, os.O_WRONLY | _NO_TRAP)
        except OSError as exc:
            raise ConfigError(f"cannot write {self.part}: {exc.strerror}") from exc

    def held(self) -> int:
        """Return how many bytes the part has."""
        return os.fstat(self.fd).st_size

    def empty(self) -> None:
        """Throw away what is in the part, and what is known of it. Raises ConfigError where that cannot be done."""
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._notes)
        except OSError as exc:
            raise ConfigError(f"cannot write {self._notes}: {exc.strerror}") from exc
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def make_room(self, size: int) -> None:
        """Give the part its final size, so that a full disk is noticed before anything is fetched.

        Raises Refused where there is no room; what had been made of it is given back.
        """
        held = self.held()
        try:
            os.posix_fallocate(self.fd, 0, size) if size else None
        except OSError as exc:
            os.ftruncate(self.fd, held)
            raise Refused(f"there is no room for {size} bytes in {self.part}: {exc.strerror}") from exc

    def read_notes(self) -> Notes | None:
        """Return what is known of the part, None where nothing is."""
        try:
            with open(os.open(self._notes, os.O_RDONLY | _NO_TRAP), encoding="utf-8") as file:
                return loads_notes(file.read(_MOST_NOTES))
        except (OSError, ValueError):
            return None

    def write_notes(self, notes: Notes) -> None:
        """Keep what is known of the part. Raises ConfigError where it cannot be written."""
        fresh = f"{self._notes}.new"
        try:
            # For nobody else's eyes: a URL may hold what opens a door.
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_TRAP, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(notes.dumps())
            os.replace(fresh, self._notes)
        except OSError as exc:
            raise ConfigError(f"cannot write {self._notes}: {exc.strerror}") from exc

    def finish(self, *, replace: bool) -> None:
        """Let the part become the file.

        replace: over a file that is there. Raises Refused where one has come to that name meanwhile, ConfigError where
        the part cannot have it.
        """
        if not replace and os.path.lexists(self.path):
            self.close()
            raise Refused(f"{excerpt(self.path)} has appeared meanwhile; what was fetched is in {self.part}")
        try:
            os.replace(self.part, self.path)
        except OSError as exc:
            raise ConfigError(f"cannot write {self.path}: {exc.strerror}; what was fetched is in {self.part}") from exc
        with suppress(FileNotFoundError):
            os.unlink(self._notes)
        self.close()

    def discard(self) -> None:
        """Remove the part and what is known of it."""
        for name in (self.part, self._notes):
            with suppress(FileNotFoundError):
                os.unlink(name)
        self.close()

    def close(self) -> None:
        """Close the part, which stays. A second time does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
