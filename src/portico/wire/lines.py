r"""Lines: bytes in pieces, however cut, to lines without their ends; and text that is safe to show in a terminal.

    LineReader(max_line)
      feed(data) -> lines     LF, CRLF and telnet's CR NUL end a line (RFC 854, "The NVT Printer and Keyboard")
      feed_eof() -> lines     the last one, where nobody ended it
    printable(text) -> text   one line of a terminal, whatever the peer wrote

Telnet's commands are taken out wherever they stand, since its client sends them in the middle of a conversation too: at
Ctrl-C, IAC IP and IAC DO TIMING-MARK. They begin with the byte 0xff, which occurs in no text of UTF-8, GB18030, Big5 or
the EUC charsets; where the charset has it as a letter (`Charset.has_byte_ff`), say `is_telnet=False`.

Invariant: the lines do not depend on how the bytes were cut, and reading takes time in proportion to their number.
"""

import re
from typing import Final

from portico.errors import PeerError

IAC: Final = 0xFF
_SUB_BEGIN = 0xFA
_SUB_END = 0xF0
_WITH_OPTION = frozenset(range(0xFB, 0xFF))  # WILL WONT DO DONT
_ALONE = frozenset(range(0xEC, 0xFA))  # RFC 854: SE NOP DM BRK IP AO AYT EC EL GA; RFC 1184: EOF SUSP ABORT EOR


class LineReader:
    """Turns what one peer sends into lines.

    error: why the peer cannot be read any further, None while it can. It is set once and raised once: by the call that
        finds it, or, where that one has lines to hand out first, by the next. Afterwards there are no lines any more.
    """

    def __init__(self, max_line: int, *, is_telnet: bool = True) -> None:
        """Begin. max_line: the longest line, in bytes without its end. is_telnet: take out telnet's commands."""
        self.error: PeerError | None = None
        self._is_over = False
        self._max_line = max_line
        self._telnet = _Telnet() if is_telnet else None
        self._unfinished = bytearray()
        self._has_return = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that end in this piece, without their ends. Raises PeerError for one over max_line."""
        if self.error:
            return self._complain()
        if self._telnet and (IAC in data or self._telnet.is_amid):
            data = self._telnet.without_commands(data)
        if self._has_return:
            data = b"\r" + data
        # A carriage return at the end waits: what follows says whether it is part of a line's end.
        self._has_return = data.endswith(b"\r")
        if self._has_return:
            data = data[:-1]
        first, *rest = data.replace(b"\r\n", b"\n").replace(b"\r\0", b"\n").split(b"\n")
        self._unfinished += first
        if not rest:
            return self._bounded([])
        lines = [bytes(self._unfinished), *rest[:-1]]
        self._unfinished = bytearray(rest[-1])
        return self._bounded(lines)

    def feed_eof(self) -> list[bytes]:
        """Return the last line where nobody ended it, else nothing. Raises PeerError where `feed` still owes it."""
        if self.error:
            return self._complain()
        has_line = bool(self._unfinished) or self._has_return
        self._has_return = False
        return [self.take_unfinished()] if has_line else []

    def take_unfinished(self) -> bytes:
        """Return the beginning of a line whose end has not come yet, and go on behind it; empty where there is none."""
        line = bytes(self._unfinished)
        self._unfinished.clear()
        return line

    def _bounded(self, lines: list[bytes]) -> list[bytes]:
        for index, line in enumerate([*lines, self._unfinished]):
            if len(line) > self._max_line:
                self.error = PeerError(
                    400, f"a line of more than {self._max_line} bytes; end it with a line feed before, or send less"
                )
                self._unfinished.clear()
                return lines[:index] or self._complain()
        return lines

    def _complain(self) -> list[bytes]:
        if self._is_over or self.error is None:
            return []
        self._is_over = True
        raise self.error


class _Telnet:
    """Takes telnet's commands out of a stream of bytes (RFC 854, 855).

    Nothing is negotiated: a peer that is not answered stays with the plain terminal that it began with.
    """

    def __init__(self) -> None:
        self._is_inside = False  # between IAC SB and IAC SE
        self._held = b""

    @property
    def is_amid(self) -> bool:
        """Whether a command has begun and not ended."""
        return self._is_inside or bool(self._held)

    def without_commands(self, data: bytes) -> bytes:
        """Return what is text in a piece."""
        data = self._held + data
        self._held = b""
        kept = bytearray()
        at = 0
        while (found := data.find(IAC, at)) >= 0:
            if not self._is_inside:
                kept += data[at:found]
            command = data[found + 1 : found + 3]
            if not command or (command[0] in _WITH_OPTION and len(command) == 1):
                self._held = data[found:]
                return bytes(kept)
            at = found + self._take(command[0], kept)
        return bytes(kept) if self._is_inside else bytes(kept + data[at:])

    def _take(self, command: int, kept: bytearray) -> int:
        """Take note of one command; return how many bytes it has, IAC included."""
        if self._is_inside:
            self._is_inside = command != _SUB_END
            return 2
        if command == _SUB_BEGIN:
            self._is_inside = True
        elif command in _WITH_OPTION:
            return 3
        elif command not in _ALONE:
            # IAC IAC is the byte itself; before anything else it is no command, and not ours to drop.
            kept.append(IAC)
            return 2 if command == IAC else 1
        return 2


# Control characters but the tab; marks, overrides and isolates that reorder what stands beside them (Unicode TR 36,
# 2.5.1); the separators that a terminal may take for line feeds; halves of a surrogate pair; invisible tags.
_DECEIVING = re.compile(
    "[\0-\x08\n-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NAMED = {"\n": "\\n", "\r": "\\r"}


def printable(text: str) -> str:
    r"""Return a peer's text for one line of a terminal: what could move, colour, reorder or hide becomes visible.

    text: anything. An escape becomes `\x1b`, a line feed `\n`, a bidi override `\u202e`; tabs and all letters stay.
    Whoever cuts it to a length does so afterwards: one character becomes ten at most.
    """
    return text if text.isprintable() else _DECEIVING.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _NAMED.get(character, escaped)
