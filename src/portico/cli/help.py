"""Help pages: sections of two columns, wrapped to the width of the terminal, in either language.

In: titles and rows. Out: text. Chinese characters take two columns, and lines may break between any two of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from portico.server.access_log import width

_LEFT = 30
_LEAST_RIGHT = 24
# A line may break after white space and between wide characters, but not before closing punctuation.
_CLOSING = "\u3001\u3002\uff0c\uff1b\uff1a\uff09\uff1f"
_PIECES = re.compile(rf"\s+|[\u2e80-\uffe6][{_CLOSING}]*|[^\s\u2e80-\uffe6]+[{_CLOSING}]*")


class Section(NamedTuple):
    """A title, with its colon, and its rows of (how it is written, what it means)."""

    title: str
    rows: Sequence[tuple[str, str]]


def page(heading: Sequence[str], sections: Iterable[Section], closing: str, columns: int) -> str:
    """Lay out a help page. heading: lines taken as they are. closing: a paragraph, "" for none.

    columns: the width of the terminal; at least 56 are used, at most 100. Returns text without a newline at its end.
    """
    columns = min(max(columns, _LEFT + _LEAST_RIGHT + 2), 100)
    lines = list(heading)
    for section in sections:
        lines += ["", section.title]
        for left, right in section.rows:
            lines += _row(left, right, columns)
    if closing:
        lines += ["", *wrap(closing, columns)]
    return "\n".join(lines)


def _row(left: str, right: str, columns: int) -> Iterator[str]:
    texts = wrap(right, columns - _LEFT - 2)
    if width(left) > _LEFT - 2:
        yield f"  {left}"
    else:
        yield f"  {left}{' ' * (_LEFT - width(left))}{texts.pop(0)}".rstrip()
    yield from (f"  {' ' * _LEFT}{text}" for text in texts)


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
