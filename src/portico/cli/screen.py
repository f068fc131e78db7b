"""Standard output: whole lines, at once, coloured only where someone sees the colours.

In: text for people, and the access log's bytes. Out: bytes on a descriptor, without a buffer of ours, so that a line
in a pipe arrives when it is written. `on_line` tells the access log that its last line is no longer the last.
"""

import os
import select
import shutil
from collections.abc import Callable, Mapping
from typing import Literal

Style = Literal["bold", "dim", "green", "yellow", "cyan"]

_CODES: dict[Style, str] = {"bold": "1", "dim": "2", "green": "32", "yellow": "33", "cyan": "36"}


class Screen:
    """Where a command writes for people.

    fd: a descriptor that stays open. encoding: what it takes; characters it lacks become "?".
    is_terminal: whether it is one that can move its cursor. has_colour: whether `paint` paints.
    """

    def __init__(self, fd: int, encoding: str, environ: Mapping[str, str]) -> None:
        self.fd = fd
        self.is_terminal = os.isatty(fd) and environ.get("TERM", "dumb") != "dumb"
        self.has_colour = self.is_terminal and not environ.get("NO_COLOR")  # no-color.org
        self.on_line: Callable[[], None] = lambda: None
        self._encoding = encoding
        self._is_gone = False

    def line(self, text: str = "") -> None:
        """Write one line, or several. A reader who has gone away is no error."""
        self.on_line()
        try:
            self.write(f"{text}\n".encode())
        except OSError:
            self._is_gone = True

    def write(self, data: bytes) -> None:
        """Write UTF-8 text, all of it. Raises OSError, always once the reader has gone."""
        if self._is_gone:
            raise BrokenPipeError("nobody reads the output any more")
        if self._encoding not in ("utf-8", "utf8"):
            data = data.decode("utf-8", "replace").encode(self._encoding, "replace")
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self.fd, left) :]
            except BlockingIOError:
                # Whoever gave us the descriptor made it non-blocking; a log may not lose its lines for that.
                select.select([], [self.fd], [], 1.0)

    def columns(self) -> int:
        """Return the width of the terminal now."""
        try:
            return os.get_terminal_size(self.fd).columns or 80
        except OSError:
            return shutil.get_terminal_size().columns

    def paint(self, text: str, style: Style) -> str:
        """Colour text where there are colours."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.has_colour else text
