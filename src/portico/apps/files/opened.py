"""What the door to the disk hands out: an open file, a folder, or the reason why not.

In: descriptors and stat results from `root`. Out: `OpenedFile` (a body's Source), `Folder`, `Version`, and the two
ways to be turned away, `NotServed` (a 404) and `NoDescriptors` (a 503).

Invariant: an `OpenedFile` is a regular file, and its `size` and `version` are those of the moment it was opened.
"""

import os
from enum import Enum
from typing import NamedTuple

from portico.errors import PorticoError, Refused
from portico.gateway.file_source import FileSource


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


class OpenedFile(FileSource):
    """A regular file, open for reading, for several users.

    fd: belongs to this object. version, size (bytes), mtime_s (whole seconds, rounded down, may be negative): as of
    the opening. Whoever got it calls `close` once; `share` gives one more user, who closes once too. Reads may run in
    any thread; `share` and `close` in one.
    """

    __slots__ = ("_users", "mtime_s", "version")

    def __init__(self, fd: int, version: Version) -> None:
        super().__init__(fd, version.size)
        self.version = version
        self.mtime_s = version.mtime_ns // 1_000_000_000
        self._users = 1

    def share(self) -> "OpenedFile":
        """Count one more user, who has to `close` it as well; return the same object."""
        self._users += 1
        return self

    def close(self) -> None:
        """Give it back; the last user's call closes the descriptor. Further calls do nothing."""
        self._users -= 1
        if self._users == 0:
            super().close()
