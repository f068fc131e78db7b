"""What the door to the disk hands out: an open file, a folder, or the reason why not.

In: descriptors and stat results from `root`. Out: `OpenedFile` (a body's Source), `Folder`, `Version`, and the two
ways to be turned away, `NotServed` (a 404) and `NoDescriptors` (a 503).

Invariant: an `OpenedFile` is a regular file, and its `size` and `version` are those of the moment it was opened.
"""

import errno
import os
from enum import Enum
from typing import NamedTuple

from portico.errors import PorticoError, Refused

# Linux only; elsewhere no read can be told not to wait, and 0 makes `read_hot` a plain read.
_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
# File systems that cannot promise it answer so (preadv2(2)); some network file systems say EINVAL.
_NO_PROMISE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Reason(Enum):
    """Why a name is not served; for `portico why` and the log, never for the peer."""

    MISSING = "nothing is there"
    HIDDEN = "its name, or that of a folder on the way, begins with a dot"
    LINK = "a symbolic link on the way is not followed"
    SPECIAL = "it is neither a regular file nor a folder"
    NAME = "it is not a possible file name"
    UNREADABLE = "the operating system refuses to open it"


class NotServed(Refused):
    """A name below a root that is not given out; the peer sees the same 404 whatever the reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoDescriptors(PorticoError):
    """Opening failed because the process, or the machine, has no descriptor left; later it may work (503)."""


class Version(NamedTuple):
    """Which bytes a file held at one moment: equal versions, equal bytes.

    As far as the clock of the file system can tell: two writes of equal length within one of its ticks (a few
    milliseconds, on older kernels) look the same.
    """

    device: int
    inode: int
    mtime_ns: int
    size: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Version":
        """Take the version out of a stat result."""
        return cls(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_ctime_ns)


class Folder(NamedTuple):
    """A folder that may be served. It holds nothing open; `Root.scan` reads it."""

    version: Version

    @property
    def mtime_s(self) -> int:
        """Whole seconds since 1970, rounded down; may be negative."""
        return self.version.mtime_ns // 1_000_000_000


class OpenedFile:
    """A regular file, open for reading: implements `portico.http.message.Source`.

    fd: belongs to this object. version, size (bytes), mtime_s (whole seconds, rounded down, may be negative): as of
    the opening. Whoever got it calls `close` once; `share` gives one more user, who closes once too. Reads may run in
    any thread; `share` and `close` in one.
    """

    __slots__ = ("_fd", "_nowait", "_users", "mtime_s", "size", "version")

    def __init__(self, fd: int, version: Version) -> None:
        self.version = version
        self.size = version.size
        self.mtime_s = version.mtime_ns // 1_000_000_000
        self._fd = fd
        self._nowait = _NOWAIT
        self._users = 1

    def fileno(self) -> int:
        """Return the descriptor (for sendfile), -1 once closed."""
        return self._fd

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` with the bytes at `offset`, waiting for the disk if need be.

        Never reads beyond `size`, even if the file has grown. Returns how many; fewer than asked means that the file
        ends there, or has shrunk. Raises Refused when the disk fails or the file is closed.
        """
        wanted = buffer[: max(self.size - offset, 0)]
        total = 0
        try:
            while total < len(wanted):
                count = os.preadv(self._fd, [wanted[total:]], offset + total)
                if count == 0:
                    break
                total += count
        except OSError as exc:
            raise Refused(f"reading {len(wanted)} bytes at {offset} failed: {exc.strerror}") from exc
        return total

    def read_hot(self, buffer: memoryview, offset: int) -> int:
        """Do the same with what is in memory already.

        Raises BlockingIOError where that is not all of it. Where the system or the file system cannot tell, it reads
        as `read_into` does.
        """
        wanted = buffer[: max(self.size - offset, 0)]
        if not self._nowait:
            return self.read_into(wanted, offset)
        try:
            count = os.preadv(self._fd, [wanted], offset, self._nowait)
        except BlockingIOError:
            raise
        except OSError as exc:
            if exc.errno in _NO_PROMISE:
                self._nowait = 0
            return self.read_into(wanted, offset)
        if 0 < count < len(wanted):
            # Either the file shrank or the next page is not in memory: the two look alike.
            raise BlockingIOError(errno.EAGAIN, "only a part is in memory")
        return count

    def share(self) -> "OpenedFile":
        """Count one more user, who has to `close` it as well; return the same object."""
        self._users += 1
        return self

    def close(self) -> None:
        """Give it back; the last user's call closes the descriptor. Further calls do nothing."""
        self._users -= 1
        if self._users == 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
