"""Whose fault a failure is: the lines of a traceback that belong to the person who wrote the application.

In: an exception from somebody's code. Out: its own lines as text, without ours, the import machinery's and, in favour
of a count, those of libraries.
"""

import os
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from types import TracebackType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_MOST_FRAMES = 20


def own_frames(exc: BaseException) -> list[str]:
    """Return the lines of a traceback that are the person's own, outermost first, then what was wrong there.

    A run of frames in libraries becomes one line that names the last of them. Files below the current folder are
    named from there.
    """
    lines: list[str] = []
    for group in _grouped(_walk(exc.__traceback__)):
        lines += group
    if isinstance(exc, SyntaxError):
        # Its place is in the message, not in the traceback.
        lines += [line for text in traceback.format_exception_only(exc)[:-1] for line in text.rstrip().split("\n")]
    return [_shortened(line) for line in lines]


def last_own_line(exc: BaseException) -> tuple[str, int] | None:
    """Return the file, named from the current folder, and the line of the innermost frame that is the person's own."""
    own = [frame for frame in _walk(exc.__traceback__) if not is_library(frame.filename)]
    return (_relative(own[-1].filename), own[-1].lineno or 0) if own else None


def said(exc: BaseException) -> str:
    """Return the exception's name and what it says, on one line, as the last line of a traceback does."""
    text = traceback.format_exception_only(exc)[-1]
    return " ".join(text.split())


def is_library(filename: str) -> bool:
    """Tell whether a file belongs to Python or to something that was installed."""
    if filename.startswith("<"):
        return True
    real = os.path.realpath(filename)
    return real.startswith(_LIBRARIES) or f"{os.sep}site-packages{os.sep}" in real


def _walk(trace: TracebackType | None) -> Iterator[traceback.FrameSummary]:
    for frame in traceback.extract_tb(trace):
        if not frame.filename.startswith((_OURS, "<frozen importlib", "<frozen runpy")) and not _is_importlib(frame):
            yield frame


def _is_importlib(frame: traceback.FrameSummary) -> bool:
    return os.path.basename(os.path.dirname(frame.filename)) == "importlib" and is_library(frame.filename)


def _grouped(frames: Iterable[traceback.FrameSummary]) -> Iterator[list[str]]:
    shown = list(frames)[-_MOST_FRAMES:]
    hidden: list[traceback.FrameSummary] = []
    for frame in shown:
        if is_library(frame.filename):
            hidden.append(frame)
            continue
        if hidden:
            yield [_left_out(hidden)]
            hidden = []
        yield traceback.format_list([frame])[0].rstrip().split("\n")
    if hidden:
        yield [_left_out(hidden)]


def _left_out(frames: list[traceback.FrameSummary]) -> str:
    last = frames[-1]
    plural = "s" if len(frames) > 1 else ""
    return f"  ... {len(frames)} line{plural} of libraries, to {last.name} in {_package(last.filename)}"


def _package(filename: str) -> str:
    parts = filename.replace(os.sep, "/").rpartition("site-packages/")
    return parts[2] if parts[0] else "/".join(parts[2].split("/")[-2:])


def _relative(filename: str) -> str:
    here = os.getcwd().rstrip(os.sep) + os.sep
    return filename.removeprefix(here)


def _shortened(line: str) -> str:
    here = os.getcwd().rstrip(os.sep) + os.sep
    return line.replace(f'File "{here}', 'File "', 1)
