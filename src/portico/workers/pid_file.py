"""The pid file: a path in, a file that says who serves; removed in the end.

A lock on the file, not the number in it, tells whether its process lives: the kernel drops it with the process, and
numbers are used again. Invariant: whoever reads the file finds a whole number, because it is put in place by a rename.
"""

import os
from contextlib import suppress
from types import TracebackType
from typing import Final

from portico.errors import ConfigError

_LONGEST: Final = 20  # more digits than any pid has


class PidFile:
    """A pid file of this process, from `claim` to `release`; also a context manager that does both."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._lock = -1

    def claim(self) -> None:
        """Write the file.

        Raises ConfigError where a living process holds it, where it is something else than a pid file, and where it
        cannot be written.
        """
        draft = f"{self.path}.{os.getpid()}"
        try:
            self._lock = _written(draft)
            try:
                while not self._put(draft):
                    pass  # another process has just removed or replaced it
            except BaseException:
                os.close(self._lock)
                self._lock = -1
                raise
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(draft)
        except OSError as exc:
            raise ConfigError(f"{self.path} cannot be written: {exc.strerror}; choose another --pid-file") from exc

    def _put(self, draft: str) -> bool:
        """Put the draft in place if nobody holds the place. Returns False where it has to be tried again."""
        with suppress(FileExistsError):
            os.link(draft, self.path)
            return True
        try:
            found = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            self._lock_former(found)
            if not _is_at(found, self.path):
                return False
            os.replace(draft, self.path)
            return True
        finally:
            os.close(found)

    def _lock_former(self, found: int) -> None:
        """Raise ConfigError unless a file that is in the way is the pid file of a dead process."""
        import fcntl

        text = os.pread(found, _LONGEST + 1, 0).decode("ascii", "replace").strip()
        if text and not (text.isdigit() and len(text) <= _LONGEST):
            raise ConfigError(f"{self.path} exists and is no pid file; choose another --pid-file")
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ConfigError(f"{self.path} is held by process {text}; stop it or choose another --pid-file") from exc

    def release(self) -> None:
        """Remove the file if it is still ours; empty it where this user may not remove it. May be called again."""
        if self._lock < 0:
            return
        try:
            if _is_at(self._lock, self.path):
                os.unlink(self.path)
        except OSError:  # this user may not write to, or look into, the folder
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> "PidFile":
        self.claim()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _written(path: str) -> int:
    """Write this process's number to a new file; return its descriptor, with a lock on it."""
    import fcntl

    with suppress(FileNotFoundError):
        os.unlink(path)  # left behind by a process of our number that was killed on the way
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, b"%d\n" % os.getpid())
    return lock


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
