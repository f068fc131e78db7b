"""The reply: each message is shown in the log and answered with one text, until the peer goes.

What a message is, the peer shows. One that writes lines means each of them, however TCP cuts them. One that sends
without line feeds means what arrives at once. The first piece that ends in a line feed makes a conversation one of
lines; until then, what stands behind the last line feed of a piece is a message too, since nothing follows for now.
"""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from portico.server.service import StreamService
from portico.wire.charset import Charset
from portico.wire.lines import LineReader

if TYPE_CHECKING:
    from portico.server.stream import Stream

DEFAULT_TEXT = "ok, 问题正在处理中..."
MAX_MESSAGE = 64 * 1024
_PIECE_BYTES = 64 * 1024
_SENT_AT_ONCE = 64 * 1024  # characters; then the peer has to take some
_TOLD_AT_ONCE = 1000  # messages; it takes about 2 ms
_LINE_ENDS = (b"\n", b"\r\0")


class Messages:
    """Turns what one peer sends into messages of at most `MAX_MESSAGE` bytes, by the rule above."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._writes_lines = False
        self._is_amid = False  # a message was taken whose line feed may still come

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the messages of what arrived at once, at most `_PIECE_BYTES`. Raises PeerError for one too long."""
        for line in self._reader.feed(piece):
            if line or not self._is_amid:
                yield line
            self._is_amid = False
        self._writes_lines = self._writes_lines or piece.endswith(_LINE_ENDS)
        # A full piece has a rest, which the system had no room for here.
        if not self._writes_lines and len(piece) < _PIECE_BYTES and (message := self._reader.take_unfinished()):
            self._is_amid = True
            yield message

    def feed_eof(self) -> list[bytes]:
        """Return the last message, where nobody ended it."""
        return [line for line in self._reader.feed_eof() if line or not self._is_amid]


def reply(text: str = DEFAULT_TEXT, *, encoding: str = "") -> StreamService:
    """Make a service that tells each message in its log, and answers it with a text, in the charset of the message.

    text: a line; a line feed is added. encoding: the charset of both, "" for what the settings say.
    """
    answer = text + "\n"

    async def reply_to_each(stream: "Stream") -> None:
        messages = Messages(LineReader(MAX_MESSAGE, is_telnet=not Charset(stream.encoding).has_byte_ff))
        while piece := await stream.receive(_PIECE_BYTES):
            await _answer_all(stream, messages.feed(piece), answer)
        await _answer_all(stream, iter(messages.feed_eof()), answer)

    return StreamService(reply_to_each, "reply", encoding=encoding)


async def _answer_all(stream: "Stream", messages: Iterator[bytes], answer: str) -> None:
    """Tell and answer messages, some at a time: a piece of line feeds alone asks for 65 536 answers."""
    at_once = min(max(_SENT_AT_ONCE // len(answer), 1), _TOLD_AT_ONCE)
    while count := _tell_all(stream, islice(messages, at_once)):
        await stream.send(answer * count)
        if count == at_once:
            await asyncio.sleep(0)  # others have their turn


def _tell_all(stream: "Stream", messages: Iterable[bytes]) -> int:
    """Write messages to the log; return how many there were."""
    count = 0
    for count, message in enumerate(messages, 1):  # noqa: B007  the count is what is returned
        # Behind a line feed no character can go on, so none is waited for.
        stream.tell(stream.decode(message + b"\n")[:-1].strip("\r"))
    return count
