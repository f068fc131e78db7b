"""What arrives and what is sent, as it is shown: as text, as hex, or not at all but passed on as it is.

In: bytes. Out: text for a terminal, which is safe there whatever the peer wrote: no escape of it gets through.
"""

from typing import Final, Protocol

from portico.cli.hexview import HexView
from portico.wire.charset import Charset
from portico.wire.lines import printable

# A peer that never ends its line is shown in pieces.
_MOST_HELD: Final = 64 * 1024


class View(Protocol):
    """How a conversation is shown. Each method returns what to write now, "" for nothing."""

    def received(self, data: bytes) -> str:
        """Show what arrived."""
        ...

    def sent(self, data: bytes) -> str:
        """Show what we sent."""
        ...

    def rest(self) -> str:
        """Show what was held back for the end of its line: the peer is silent, or has ended."""
        ...

    @property
    def is_holding(self) -> bool:
        """Whether something is held back."""
        ...


class LineView:
    """Text in whole lines, for a terminal on which someone types at the same time.

    charset: of the conversation; it learns from what arrives.
    """

    def __init__(self, charset: Charset) -> None:
        self._charset = charset
        self._held = ""

    @property
    def is_holding(self) -> bool:
        """Whether the beginning of a line is held back."""
        return bool(self._held) or self._charset.is_amid

    def received(self, data: bytes) -> str:
        """Return the lines that are complete."""
        *lines, self._held = (self._held + self._charset.decode(data)).split("\n")
        if len(self._held) > _MOST_HELD:
            lines.append(self._held)
            self._held = ""
        return "".join(f"{printable(line.removesuffix(chr(13)))}\n" for line in lines)

    def sent(self, data: bytes) -> str:
        """Show nothing: it is on the screen, where it was typed."""
        return ""

    def rest(self) -> str:
        """Return the beginning of a line as a line of its own."""
        held, self._held = self._held + self._charset.decode(b"", final=True), ""
        return f"{printable(held)}\n" if held else ""


class TextView:
    """Text as it comes, for a terminal on which nobody types."""

    is_holding = False

    def __init__(self, charset: Charset) -> None:
        self._charset = charset
        self._return = ""

    def received(self, data: bytes) -> str:
        """Return all of it; a carriage return waits for what follows, which may be its line feed."""
        text = self._return + self._charset.decode(data)
        self._return = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n")
        return "\n".join(printable(line) for line in text.split("\n"))

    def sent(self, data: bytes) -> str:
        """Show nothing: it came from a file."""
        return ""

    def rest(self) -> str:
        """Return half a character, if it ends in one."""
        return printable(self._return + self._charset.decode(b"", final=True))


class BothAsHex:
    """Everything in hex, in both directions."""

    is_holding = False

    def __init__(self) -> None:
        self._hex = HexView()

    def received(self, data: bytes) -> str:
        """Return its rows."""
        return self._hex.show("<", data)

    def sent(self, data: bytes) -> str:
        """Return its rows."""
        return self._hex.show(">", data)

    def rest(self) -> str:
        """Return nothing: nothing is held back."""
        return ""
