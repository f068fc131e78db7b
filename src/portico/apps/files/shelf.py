"""The entries of a folder in order: folders first, then by name, size or time.

In: entries in any order, as the disk gives them; out: the same in steps of at most `_STEP`, and how many there
were. Names go in natural order: letter case aside, and 2 before 10. Sorting 100 000 entries at once would hold an
event loop for a good part of a second; so runs of `_RUN` are sorted as they come and merged as they go.
"""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Protocol

from portico.apps.files.labels import size

SORTS = ("name", "-name", "size", "-size", "modified", "-modified")

_STEP = 256  # entries in one step
_RUN = 2048  # entries sorted at once, a multiple of _STEP


class EntryLike(Protocol):
    """One entry of a folder.

    kind: "folder", "file", "other" (neither: a socket, a device) or "broken" (a link to nothing).
    size: bytes, None where unknown. mtime_s: epoch seconds, None where unknown.
    is_served: False makes a grey row without a link.
    """

    @property
    def name(self) -> bytes: ...
    @property
    def kind(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def mtime_s(self) -> int | None: ...
    @property
    def is_link(self) -> bool: ...
    @property
    def is_served(self) -> bool: ...


_Key = Callable[[EntryLike], str | tuple[int, str]]

_DIGITS = re.compile(r"[0-9]+")


def _numbered(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0")
    # The count of digits sorts before the digits: 2 before 10. "0" keeps numbers before letters.
    return "0" + chr(len(digits)) + digits


def natural_key(entry: EntryLike) -> str:
    """Return what an entry's name is sorted by: letter case aside, numbers by value; then by its very letters."""
    name = entry.name.decode("utf-8", "replace")
    return f"{_DIGITS.sub(_numbered, name.casefold())}\0{name}"


def _key(number: Callable[[EntryLike], int], sign: int) -> _Key:
    return lambda entry: (sign * number(entry), natural_key(entry))


def _size(entry: EntryLike) -> int:
    return -1 if entry.size is None or entry.kind == "folder" else entry.size


def _time(entry: EntryLike) -> int:
    return -(1 << 62) if entry.mtime_s is None else entry.mtime_s


# Only names are sorted backwards; numbers are negated, so that equal ones stay in the order of names.
_KEYS: dict[str, _Key] = {
    "name": natural_key,
    "-name": natural_key,
    "size": _key(_size, 1),
    "-size": _key(_size, -1),
    "modified": _key(_time, 1),
    "-modified": _key(_time, -1),
}

_COUNTED = {
    "en": (("1 folder", "1 file"), ("{} folders", "{} files")),
    "zh": (("1 个文件夹", "1 个文件"), ("{} 个文件夹", "{} 个文件")),
}
_TOTAL = {"en": "{}", "zh": "共 {}"}
_GREYED = {"en": "{} not served", "zh": "{} 项不提供访问"}
_JOINED = {"en": ", ", "zh": "，"}


class Shelf:
    """Takes entries in any order and gives them back in order, without one long step.

    sort: one of `SORTS`; a leading "-" turns the order round. Folders have no size and stay in the order of names.
    `folders`, `files` (all that is no folder), `greyed` (not served) and `total` (bytes) count what was taken.
    """

    def __init__(self, sort: str) -> None:
        self._key = _KEYS[sort]
        self._is_reversed = sort == "-name"
        self._runs: tuple[list[list[EntryLike]], list[list[EntryLike]]] = ([], [])
        self._taken = 0
        self.folders = self.files = self.greyed = self.total = 0

    def fill(self, entries: Iterable[EntryLike]) -> Iterator[None]:
        """Take all entries, a step at a time."""
        source = iter(entries)
        while step := list(islice(source, _STEP)):
            self._take(step)
            yield

    def _take(self, step: list[EntryLike]) -> None:
        if self._taken % _RUN == 0:
            self._sort_last()
            for runs in self._runs:
                runs.append([])
        folders = [entry for entry in step if entry.kind == "folder"]
        files = [entry for entry in step if entry.kind != "folder"]
        self._runs[0][-1].extend(folders)
        self._runs[1][-1].extend(files)
        self._taken += len(step)
        self.folders += len(folders)
        self.files += len(files)
        self.total += sum([entry.size or 0 for entry in files])
        self.greyed += sum([not entry.is_served for entry in step])

    def _sort_last(self) -> None:
        for runs in self._runs:
            if runs:
                runs[-1].sort(key=self._key, reverse=self._is_reversed)

    def batches(self) -> Iterator[list[EntryLike]]:
        """Return the entries in order, a step at a time; to be called once, after `fill`."""
        self._sort_last()
        ordered = chain(*map(self._merged, self._runs))
        while step := list(islice(ordered, _STEP)):
            yield step

    def _merged(self, runs: list[list[EntryLike]]) -> Iterable[EntryLike]:
        if len(runs) == 1:
            return runs[0]
        return heapq.merge(*runs, key=self._key, reverse=self._is_reversed)

    def summary(self, language: str) -> str:
        """Say how much there is: `3 folders, 12 files, 4.1 MB`."""
        parts = []
        for count, one, many in zip((self.folders, self.files), *_COUNTED[language], strict=True):
            if count:
                parts.append(one if count == 1 else many.format(count))
        if self.files:
            parts.append(_TOTAL[language].format(size(self.total)))
        if self.greyed:
            parts.append(_GREYED[language].format(self.greyed))
        return _JOINED[language].join(parts)
