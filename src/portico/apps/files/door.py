"""From names to a descriptor, without ever leaving one folder.

In: an `Anchor` (the folder, held open) and clean name segments. Out: a descriptor and the names of what was really
opened, or OSError. Only `root` calls this; what may be served is decided there.

Two ways, one answer:

    kernel_opener()      one openat2(2) call that follows no link at all and cannot leave the folder
    walk(...)            component by component with O_NOFOLLOW; reads each link itself and goes on from the folder

The kernel's way is tried first where there is one. A path with a link on it answers ELOOP there and is walked: so
links are resolved by one piece of code, which knows the resolved names and hence can apply rules to them.

Invariant: neither way ever opens "..", and with links "inside" or "none" nothing is opened by an absolute path.
"""

import errno
import functools
import operator
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Names = tuple[bytes, ...]
# (folder descriptor, name relative to it, may it wait for a disk) -> descriptor
Opener = Callable[[int, bytes, bool], int]

MAX_HOPS = 40  # links on one path, as in Linux (path_resolution(7))
MAX_STEPS = 4096  # components looked at for one path, those of links included


def _flags(*names: str) -> int:
    return functools.reduce(operator.or_, (getattr(os, name, 0) for name in names), os.O_RDONLY)


# The last component. O_NONBLOCK: opening a FIFO must not wait for a writer.
FINAL = _flags("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_NOFOLLOW")
# A folder on the way: needs no right to read it where the system has O_PATH.
MIDDLE = _flags("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_PATH")

# What O_NOFOLLOW says of a link: ELOOP (POSIX), ENOTDIR together with O_DIRECTORY (Linux), EMLINK (FreeBSD).
_PERHAPS_LINK = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})

_OPENAT2 = 437  # the same number on every architecture but alpha
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _CACHED = 0x02, 0x04, 0x08, 0x20  # linux/openat2.h
_RETRIES = 8


class Descriptor:
    """A descriptor that is closed when the last reference to it goes, in whichever thread that is."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class Found(NamedTuple):
    """fd: open for reading, the caller's to close. names: where it really is below the folder; None outside of it."""

    fd: int
    names: Names | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A folder held open.

    identity: (device, inode); as long as it is held, no other folder can have the same.
    bases: the components of its real path, then those of the path it was asked for, where absolute links may lead.
    """

    held: Descriptor
    identity: tuple[int, int]
    bases: tuple[Names, ...]

    @classmethod
    def of(cls, path: bytes) -> "Anchor":
        """Open the folder at an absolute path, following links. Raises OSError."""
        real = os.path.realpath(path)
        held = Descriptor(os.open(real, MIDDLE))
        status = os.fstat(held.fd)
        return cls(held, (status.st_dev, status.st_ino), (_components(real), _components(path)))

    def below(self, names: Names) -> Names | None:
        """Cut the folder's own path off the components of an absolute one; None where it does not begin with it."""
        for base in self.bases:
            if names[: len(base)] == base:
                return names[len(base) :]
        return None


def _components(path: bytes) -> Names:
    return tuple(part for part in path.split(b"/") if part not in (b"", b"."))


def kernel_opener(number: int = _OPENAT2) -> Opener | None:
    """Return the kernel's way, or None where openat2 is missing (before Linux 5.6) or forbidden (a sandbox).

    number: the system call. The opener raises OSError; ELOOP where there is a link on the path, and BlockingIOError
    where it may not wait and would have to.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # late: it costs some milliseconds that other systems need not pay

    class How(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    call.restype = ctypes.c_long
    confined = _BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS
    hows = (How(FINAL, 0, confined | _CACHED), How(FINAL, 0, confined))  # indexed by "may wait"
    refs = tuple(ctypes.byref(how) for how in hows)
    size = ctypes.sizeof(How)
    get_errno = ctypes.get_errno

    def opener(folder: int, name: bytes, wait: bool) -> int:
        for _ in range(_RETRIES):
            fd: int = call(number, folder, name, refs[wait], size)
            if fd >= 0:
                return fd
            code = get_errno()
            if not wait and code in (errno.EAGAIN, errno.EINVAL):  # EINVAL: before Linux 5.12 there is no such flag
                raise BlockingIOError(errno.EAGAIN, "not in memory")
            if code not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a rename was under way, openat2(2) says try again
                break
        raise OSError(code, os.strerror(code))

    try:
        opener(-1, b"/", True)
    except OSError as exc:
        # An absolute path leaves the folder: EXDEV proves that the call is there and keeps its promise.
        return opener if exc.errno == errno.EXDEV else None
    return None


def walk(anchor: Anchor, names: Names, links: str) -> Found:
    """Open what `names` lead to, link by link.

    names: non-empty components without "/", "." or ".."; none at all means the folder itself.
    links: "inside" follows links, relative or absolute, whose target is below the folder; "none" follows none; "all"
    follows every link. Raises OSError: EXDEV for a link that may not be followed, ELOOP for more than MAX_HOPS links.
    """
    return _Walker(anchor, names, links).run()


class _Walker:
    """One walk. It stands in `_here`, which is `_passed` below the folder (or below "/", once `_outside`)."""

    __slots__ = ("_anchor", "_here", "_hops", "_links", "_outside", "_passed", "_pending")

    def __init__(self, anchor: Anchor, names: Names, links: str) -> None:
        self._anchor = anchor
        self._links = links
        self._here = anchor.held
        self._passed: list[bytes] = []
        self._pending = list(reversed(names))  # the next component is the last item
        self._outside = False
        self._hops = 0

    def run(self) -> Found:
        for _ in range(MAX_STEPS):
            if not self._pending:
                # The path ended in ".." or "/", or was empty.
                return self._found(os.open(b".", FINAL, dir_fd=self._here.fd))
            part = self._pending.pop()
            if part == b"..":
                self._climb()
            elif part not in (b"", b"."):
                fd = self._step(part)
                if fd is not None:
                    return self._found(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _step(self, part: bytes) -> int | None:
        is_last = not self._pending
        try:
            fd = os.open(part, FINAL if is_last else MIDDLE, dir_fd=self._here.fd)
        except OSError as exc:
            # Raised here and not in _follow: a frame that refers to its own exception would hold descriptors.
            if exc.errno not in _PERHAPS_LINK or not self._follow(part):
                raise
            return None
        self._passed.append(part)
        if is_last:
            return fd
        self._here = Descriptor(fd)
        return None

    def _follow(self, part: bytes) -> bool:
        """Go on where the link `part` points; return False where it is no link: a file, and a folder was needed."""
        try:
            target = os.readlink(part, dir_fd=self._here.fd)
        except OSError:
            return False
        if self._links == "none":
            raise OSError(errno.EXDEV, "a symbolic link")
        self._hops += 1
        if self._hops > MAX_HOPS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._pending.extend(reversed(target.split(b"/")))
        if target.startswith(b"/"):
            self._restart(self._take_pending())
        return True

    def _climb(self) -> None:
        # Going up is starting anew without the last name: ".." itself could lead anywhere by now.
        if self._passed:
            self._pending.extend(reversed(self._passed[:-1]))
            self._enter()
        elif not self._outside:
            above = list(self._anchor.bases[0][:-1])
            while self._pending and self._pending[-1] == b"..":
                self._pending.pop()
                del above[-1:]
            self._restart((*above, *self._take_pending()))

    def _take_pending(self) -> Names:
        names = tuple(reversed(self._pending))
        self._pending.clear()
        return names

    def _restart(self, absolute: Names) -> None:
        """Go on with an absolute path: in the folder where it leads there, else from "/", if that is allowed."""
        trailing = absolute[-1:] == (b"",)
        names = tuple(part for part in absolute if part not in (b"", b".")) + ((b"",) if trailing else ())
        below = self._anchor.below(names)
        if below is None and self._links != "all":
            raise OSError(errno.EXDEV, "a symbolic link that leaves the folder")
        self._outside = below is None
        self._pending = list(reversed(names if below is None else below))
        self._enter()

    def _enter(self) -> None:
        self._passed.clear()
        self._here = Descriptor(os.open(b"/", MIDDLE)) if self._outside else self._anchor.held

    def _found(self, fd: int) -> Found:
        passed = tuple(self._passed)
        return Found(fd, self._anchor.below(passed) if self._outside else passed)
