"""Bytes as a person reads them: where they stand, their values, their letters; both directions in one column.

In: what was sent and what arrived. Out: lines of text for a terminal, safe to show.

    > 00000000  68 65 6c 6c 6f 0a                                 |hello.|
    < 00000000  6f 6b 0d 0a                                       |ok..|
"""

from collections.abc import Iterator
from typing import Final, Literal

Mark = Literal[">", "<"]

_ROW: Final = 16
_HALF: Final = 8
_SHOWN: Final = bytes(code if 0x20 <= code < 0x7F else ord(".") for code in range(256))


class HexView:
    """The two directions of a conversation, each with its own count."""

    def __init__(self) -> None:
        self._offsets: dict[Mark, int] = {">": 0, "<": 0}

    def show(self, mark: Mark, data: bytes) -> str:
        """Return the lines for some bytes, each with its line feed. mark: ">" for what was sent, "<" for what came."""
        start = self._offsets[mark]
        self._offsets[mark] += len(data)
        return "".join(f"{mark} {row}\n" for row in rows(data, start))


def rows(data: bytes, start: int = 0) -> Iterator[str]:
    """Yield a line for each sixteen bytes. start: the offset of the first."""
    for at in range(0, len(data), _ROW):
        piece = data[at : at + _ROW]
        values = f"{piece[:_HALF].hex(' '):23}  {piece[_HALF:].hex(' '):23}"
        yield f"{start + at:08x}  {values}  |{piece.translate(_SHOWN).decode('ascii')}|"
