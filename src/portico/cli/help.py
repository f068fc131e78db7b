"""Help pages: sections of two columns, wrapped to the width of the terminal, in either language.

In: titles and rows. Out: text. Chinese characters take two columns, and lines may break between any two of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portico.server.access_log import width

_LEFT = 30
_LEAST_RIGHT = 24
_NARROW_LEFT = 4  # where there is no room for two columns, the right one is below the left one
# A line may break after white space and between wide characters, but not before closing punctuation.
_CLOSING = "\u3001\u3002\uff0c\uff1b\uff1a\uff09\uff1f"
_PIECES = re.compile(rf"\s+|[\u2e80-\uffe6][{_CLOSING}]*|[^\s\u2e80-\uffe6]+[{_CLOSING}]*")


class Section(NamedTuple):
    """A title, with its colon, and its rows of (how it is written, what it means)."""

    title: str
    rows: Sequence[tuple[str, str]]


def page(heading: Sequence[str], sections: Iterable[Section], closing: str, columns: int, *, left: int = _LEFT) -> str:
    """Lay out a help page. heading: lines, wrapped if need be. closing: a paragraph, "" for none.

    columns: the width of the terminal; at least 24 are used, at most 100. left: of them for the first column.
    Returns text without a newline at its end.
    """
    columns = min(max(columns, _LEAST_RIGHT), 100)
    if columns < left + _LEAST_RIGHT + 2:
        left = _NARROW_LEFT
    lines = [part for line in heading for part in wrap(line, columns)]
    for section in sections:
        lines += ["", section.title]
        for name, meaning in section.rows:
            lines += _row(name, meaning, columns, left=left)
    if closing:
        lines += ["", *wrap(closing, columns)]
    return "\n".join(lines)


def _row(name: str, meaning: str, columns: int, *, left: int) -> Iterator[str]:
    texts = wrap(meaning, columns - left - 2)
    if width(name) > left - 2:
        yield f"  {name}"
    else:
        yield f"  {name}{' ' * (left - width(name))}{texts.pop(0)}".rstrip()
    yield from (f"  {' ' * left}{text}" for text in texts)


def wrap(text: str, columns: int) -> list[str]:
    """Break text into lines of at most so many columns; a longer word has a line of its own. At least one line."""
    lines = [""]
    for piece in _PIECES.findall(text):
        if width(lines[-1]) + width(piece.rstrip()) > columns and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        if lines[-1] or not piece.isspace():
            lines[-1] += " " if piece.isspace() else piece
    lines[-1] = lines[-1].rstrip()
    return lines
