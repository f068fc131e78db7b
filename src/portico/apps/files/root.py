"""The one door to the disk: everything below a served folder is opened, looked at and listed here, nowhere else.

In: names as clean byte segments, relative to the folder. Out: `OpenedFile`, `Folder`, `Entry`, `Version`, or NotServed.

    Root.open
      _check          the segments asked for: possible names, and not hidden
      _current        the folder itself, opened anew when its path leads elsewhere by now
      door            kernel_opener(), or walk() where there is a link on the path
      _accept         what was really opened: not hidden, a regular file or a folder

Index pages, compressed sidecars, error pages, listing entries and archive members all come through `open`, so no rule
can be forgotten for one of them. Rules are applied twice: to the names asked for and to those that links led to.

The folder's own path may be, or contain, symbolic links, and re-pointing one (a deployment that swaps a link) is
noticed at the next `open`, `scan` or `version`, at the price of one stat. Openings under way finish in the folder they
began in. A folder that is deleted answers NotServed until it is back.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from portico.apps.files.door import Anchor, Descriptor, Found, Names, Opener, kernel_opener, walk
from portico.apps.files.opened import Folder, NoDescriptors, NotServed, OpenedFile, Reason, Version
from portico.errors import ConfigError, UsageError, excerpt

LINKS: Final = ("inside", "none", "all")
WELL_KNOWN: Final = b".well-known"  # RFC 8615: made to be served

Kind = Literal["folder", "file", "other", "broken"]

# In a single component. Windows takes "\\" for a separator and ":" for a drive or a stream.
_FORBIDDEN = (b"/", b"\0", b"\\", b":") if sys.platform == "win32" else (b"/", b"\0")
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_REASONS = {
    errno.ENOENT: Reason.MISSING,
    errno.ENOTDIR: Reason.MISSING,
    errno.ELOOP: Reason.MISSING,
    errno.ESTALE: Reason.MISSING,
    errno.EXDEV: Reason.LINK,
    errno.ENXIO: Reason.SPECIAL,  # a socket, or a device without a driver
    errno.ENODEV: Reason.SPECIAL,
    errno.EOPNOTSUPP: Reason.SPECIAL,  # a socket on macOS
    errno.ENAMETOOLONG: Reason.NAME,
    errno.EILSEQ: Reason.NAME,  # macOS, for names that are not UTF-8
    errno.EINVAL: Reason.NAME,
}
# Format of the mode -> kind of the entry, and the permissions that let everybody use it.
_KINDS: dict[int, tuple[Kind, int]] = {stat.S_IFREG: ("file", 0o444), stat.S_IFDIR: ("folder", 0o555)}
_EFFECTIVE = os.access in os.supports_effective_ids


class Entry(NamedTuple):
    """One name in a folder. Of a link, everything but `is_link` is said of its target.

    size: bytes, None unless it is a file. mtime_s: whole seconds since 1970, rounded down, None if unknown.
    is_served: `Root.open` would give it out; False for broken links, links that may not be followed, what cannot be
    read, and kind "other" (FIFOs, sockets, devices).
    """

    name: bytes
    kind: Kind
    size: int | None
    mtime_s: int | None
    is_link: bool
    is_served: bool


def join(segments: Names) -> bytes:
    """Make the relative path that `Root.version` takes; b"" for the root itself."""
    return b"/".join(segments)


def is_hidden(names: Names) -> bool:
    """Tell whether one of the names begins with a dot and is not `.well-known`."""
    return any(name[:1] == b"." and name != WELL_KNOWN for name in names)


class Root:
    """A folder that is served. Safe to use from several threads.

    only: the one name in it that is given out, None for all. path: where it is, absolute.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        *,
        links: str = "inside",
        hidden: bool = False,
        only: bytes | None = None,
        kernel: bool = True,
    ) -> None:
        """Open the folder.

        path: relative ones are taken from the current folder, now. links: which symbolic links are followed,
        "inside" (those whose target is below the folder), "none" or "all". hidden: give out names that begin with a
        dot. only: the one name in the folder that exists for us, None for all. kernel: let the kernel confine the
        opening where it can; False always walks. Raises ConfigError where the folder cannot be served.
        """
        if links not in LINKS:
            raise UsageError(f"links={links!r} is not one of {', '.join(LINKS)}")
        self.path: Final = os.path.join(os.getcwdb(), os.fsencode(path))
        self._prefix = self.path.rstrip(b"/") + b"/"
        self._links = links
        self._hidden = hidden
        self.only: Final = only
        self._opener: Opener | None = kernel_opener() if kernel else None
        try:
            self._anchor: Anchor | None = Anchor.of(self.path)
            if only is None:
                os.close(self._find(self._anchor, (), True).fd)
        except (OSError, ValueError) as exc:
            raise ConfigError(_config_message(self.path, exc)) from exc

    @classmethod
    def for_file(cls, path: str | bytes | os.PathLike[str], *, kernel: bool = True) -> "Root":
        """Serve one file, under its own name, and nothing beside it.

        path: a regular file, or a link to one, wherever that is; a name that begins with a dot is meant so.
        Raises ConfigError.
        """
        path = os.path.join(os.getcwdb(), os.fsencode(path))
        folder, name = os.path.split(path)
        shown = excerpt(os.fsdecode(path), 1000)
        root = cls(folder, links="all", hidden=True, only=name, kernel=kernel)
        try:
            found = root.open((name,))
        except NotServed as exc:
            raise ConfigError(f"cannot serve {shown}: {exc.reason.value}; give a file or a folder") from exc
        if isinstance(found, Folder):
            raise ConfigError(f"cannot serve {shown} as a file: it is a folder")
        found.close()
        return root

    def open(self, segments: Names, *, wait: bool = True) -> OpenedFile | Folder:
        """Open a file for reading, or find that it is a folder.

        segments: names from the root down, without empty ones; () is the root. wait: False keeps an event loop
        going: BlockingIOError where the kernel would have to look at a disk or a link is on the path (call again
        from a thread). The caller closes an OpenedFile. Raises NotServed, or NoDescriptors.
        """
        self._check(segments)
        try:
            if self.only is not None and not segments:
                return Folder(Version.of(os.fstat(self._current().held.fd)))
            found = self._find(self._current(), segments, wait)
        except OSError as exc:
            if not wait and isinstance(exc, BlockingIOError):
                raise
            raise _refusal(exc, segments) from exc
        return self._accept(found, segments)

    def version(self, name: bytes) -> Version | None:
        """Look up what a path that `open` accepted leads to now: one stat, for the hot path.

        name: made by `join`. Returns None where nothing is there. Only good for comparing with the version of an
        OpenedFile: no rule is applied.
        """
        try:
            status = os.stat(self._prefix + name)
        except (OSError, ValueError):
            return None
        return Version(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_ctime_ns)

    def scan(self, segments: Names) -> Iterator[Entry]:
        """List a folder in one pass, in the order of the disk, reading on as the caller asks for more.

        Hidden names are left out. Nothing that is wrong with one entry stops the others. Raises NotServed (also for
        a file) or NoDescriptors at the call, and NotServed later only if the disk fails.
        """
        self._check(segments)
        try:
            anchor = self._current()
            if self.only is not None:
                return iter([self._entry((self.only,), anchor.held.fd)] if not segments else [])
            found = self._find(anchor, segments, True)
        except OSError as exc:
            raise _refusal(exc, segments) from exc
        held = Descriptor(found.fd)
        self._check_resolved(found, segments)
        if not stat.S_ISDIR(os.fstat(held.fd).st_mode):
            raise NotServed(Reason.MISSING, f"{_quote(segments)} is not a folder; only folders can be listed")
        return self._entries(segments, held)

    def close(self) -> None:
        """Let go of the folder. Opened files live on; every other call raises UsageError from now on."""
        self._anchor = None

    def _check(self, segments: Names) -> None:
        for name in segments:
            if name in (b"", b".", b"..") or any(byte in name for byte in _FORBIDDEN):
                raise NotServed(
                    Reason.NAME, f"{_quote(segments)} is refused: {excerpt(os.fsdecode(name))} is no file name"
                )
        if not self._hidden and is_hidden(segments):
            raise NotServed(Reason.HIDDEN, f"{_quote(segments)} is hidden; --hidden shows names that begin with a dot")
        if self.only is not None and segments not in ((), (self.only,)):
            raise NotServed(Reason.MISSING, f"{_quote(segments)} is refused: {Reason.MISSING.value}")

    def _check_resolved(self, found: Found, segments: Names) -> None:
        if not self._hidden and is_hidden(found.names or ()):
            raise NotServed(Reason.HIDDEN, f"{_quote(segments)} is a link to the hidden {_quote(found.names or ())}")

    def _current(self) -> Anchor:
        anchor = self._anchor
        if anchor is None:
            raise UsageError("the root is closed; make a new one")
        status = os.stat(self.path)
        if (status.st_dev, status.st_ino) != anchor.identity:
            anchor = self._anchor = Anchor.of(self.path)
        return anchor

    def _find(self, anchor: Anchor, segments: Names, wait: bool) -> Found:
        if self._opener is not None:
            try:
                fd = self._opener(anchor.held.fd, b"/".join(segments) or b".", wait)
            except OSError as exc:
                if exc.errno != errno.ELOOP:
                    raise
            else:
                return Found(fd, segments)
        if not wait:
            raise BlockingIOError(errno.EAGAIN, "only the kernel can open without waiting")
        return walk(anchor, segments, self._links)

    def _accept(self, found: Found, segments: Names) -> OpenedFile | Folder:
        fd = found.fd
        try:
            self._check_resolved(found, segments)
            status = os.fstat(fd)
            if stat.S_ISREG(status.st_mode):
                opened = OpenedFile(fd, Version.of(status))
                fd = -1
                return opened
            if stat.S_ISDIR(status.st_mode):
                return Folder(Version.of(status))
            raise NotServed(Reason.SPECIAL, f"{_quote(segments)} is refused: {Reason.SPECIAL.value}")
        finally:
            if fd >= 0:
                os.close(fd)

    def _entries(self, segments: Names, held: Descriptor) -> Iterator[Entry]:
        folder = held.fd
        show_hidden = self._hidden
        try:
            with os.scandir(folder) as items:
                for item in items:
                    name = os.fsencode(item.name)
                    if show_hidden or name[:1] != b"." or name == WELL_KNOWN:
                        yield self._entry((*segments, name), folder)
        except OSError as exc:
            raise _refusal(exc, segments) from exc

    def _entry(self, segments: Names, folder: int) -> Entry:
        name = segments[-1]
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return Entry(name, "broken", None, None, False, False)
        mode = status.st_mode
        if stat.S_ISLNK(mode):
            return self._linked(segments, int(status.st_mtime_ns // 1_000_000_000))
        kind, needed = _KINDS.get(stat.S_IFMT(mode), ("other", 0))
        is_served = kind != "other" and (mode & needed == needed or _may_read(name, kind, folder))
        size = status.st_size if kind == "file" else None
        return Entry(name, kind, size, status.st_mtime_ns // 1_000_000_000, False, is_served)

    def _linked(self, segments: Names, mtime_s: int) -> Entry:
        name = segments[-1]
        try:
            target = self.open(segments)
        except NotServed as exc:
            kind: Kind = "broken" if exc.reason is Reason.MISSING else "other"
            return Entry(name, kind, None, mtime_s, True, False)
        except NoDescriptors:
            return Entry(name, "other", None, mtime_s, True, False)
        if isinstance(target, Folder):
            return Entry(name, "folder", None, target.mtime_s, True, True)
        target.close()
        return Entry(name, "file", target.size, target.mtime_s, True, True)


def _may_read(name: bytes, kind: Kind, folder: int) -> bool:
    wanted = os.R_OK if kind == "file" else os.R_OK | os.X_OK
    return os.access(name, wanted, dir_fd=folder, effective_ids=_EFFECTIVE)


def _quote(segments: Names) -> str:
    return excerpt("/" + os.fsdecode(b"/".join(segments)))


def _refusal(exc: OSError, segments: Names) -> NotServed | NoDescriptors:
    if exc.errno in _EXHAUSTED:
        return NoDescriptors(f"{_quote(segments)} cannot be opened now: {exc.strerror}; raise `ulimit -n` or retry")
    reason = _REASONS.get(exc.errno or 0, Reason.UNREADABLE)
    return NotServed(reason, f"{_quote(segments)} is refused: {reason.value} ({exc.strerror})")


def _config_message(path: bytes, exc: OSError | ValueError) -> str:
    seen = exc.strerror if isinstance(exc, OSError) else str(exc)
    return f"cannot serve {excerpt(os.fsdecode(path), 1000)}: {seen}; give a folder that exists and can be read"
