"""A file that an application names or has open, as a body's Source: pathsend, zerocopysend, `wsgi.file_wrapper`.

In: a path, or a descriptor that stays the application's. Out: a `portico.http.message.Source` over a descriptor of our
own. Invariant: reads give their offset, so the position that the application's descriptor shares with ours never moves.
"""

import errno
import os
import stat

from portico.errors import Refused

# Linux only; elsewhere no read can be told not to wait, and 0 makes `read_hot` a plain read.
_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)
# File systems that cannot promise it answer so (preadv2(2)); some network file systems say EINVAL.
_NO_PROMISE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe must not hold us up


class FileSource:
    """A regular file, open for reading.

    fd: belongs to this object. size: bytes, as of the opening. Reads may run in any thread.
    """

    __slots__ = ("_fd", "_nowait", "size")

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._nowait = _NOWAIT
        self.size = size

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "FileSource":
        """Open a file by name. Raises OSError where the system does, and Refused for what is no regular file."""
        return cls._checked(os.open(path, _FLAGS))

    @classmethod
    def of(cls, fd: int) -> "FileSource":
        """Share a file that is open already; its owner may close it at once. Raises like `open`."""
        return cls._checked(os.dup(fd))

    @classmethod
    def _checked(cls, fd: int) -> "FileSource":
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise Refused(f"descriptor {fd} is no regular file ({stat.filemode(status.st_mode)}); send it as bytes")
        return cls(fd, status.st_size)

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

    def close(self) -> None:
        """Close the descriptor. A second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
