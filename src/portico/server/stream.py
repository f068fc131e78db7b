"""What a stream service sees of its connection: `Stream`, and `BlockingStream` for plain functions in threads.

    receive, read_line, async for      bytes or lines, at the pace of the service
    send                               bytes or text, at the pace of the peer
    end                                our side is over, the peer may go on
    notice_loss                        a peer that vanished is no peer any more
    tell, note                         what the log says

The connection feeds it (`put`, `end_input`, `cut`) from the event loop; the methods above belong to the service. Text
is in the charset of the settings; with "auto" in the one that the peer writes.

Invariant: what arrived and was not yet received is at most `MAX_UNREAD` and one read of the transport.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from portico.errors import Gone, UsageError
from portico.net.probing import notice_loss
from portico.server.peer import Peer
from portico.wire.charset import Charset
from portico.wire.lines import LineReader

if TYPE_CHECKING:
    from portico.server.conversation import Conversation

MAX_UNREAD = 64 * 1024
RECEIVE_BYTES = 64 * 1024
_MAX_SENDS = 64  # then others get their turn

Answer = TypeVar("Answer")


class Stream:
    """One connection, as its service sees it. One task at a time may receive, and one may send."""

    __slots__ = (
        "_arrival",
        "_charset",
        "_connection",
        "_is_ended",
        "_lines",
        "_pieces",
        "_reader",
        "_room",
        "_sends",
        "_why_gone",
        "unread_bytes",
    )

    def __init__(self, connection: "Conversation", encoding: str) -> None:
        self._arrival: asyncio.Future[None] | None = None  # of data, or of the end
        self._charset = Charset(encoding)
        self._connection = connection
        self._is_ended = False  # the peer has ended its side
        self._lines: deque[bytes] = deque()
        self._pieces: deque[bytes] = deque()
        self._reader: LineReader | None = None
        self._room: asyncio.Future[None] | None = None  # in the transport's buffer
        self._sends = 0  # since others had their turn
        self._why_gone = ""
        self.unread_bytes = 0

    @property
    def peer(self) -> Peer:
        """Who it is."""
        return self._connection.peer

    @property
    def note(self) -> str:
        """A remark for the log, shown when the connection ends."""
        return self._connection.note

    @note.setter
    def note(self, text: str) -> None:
        self._connection.note = text

    @property
    def encoding(self) -> str:
        """The charset in force; "utf-8" as long as the peer has not decided it."""
        return self._charset.name

    # for the service

    async def receive(self, limit: int = RECEIVE_BYTES) -> bytes:
        """Return what has arrived, `limit` bytes at most; wait where nothing has. b"" once the peer has ended its side.

        limit: 1 or more. Raises Gone where the connection was lost, or cut by us; UsageError for a smaller limit.
        """
        if limit < 1:
            raise UsageError(f"receive({limit}) asks for nothing; ask for 1 byte or more")
        pieces = self._pieces
        while not pieces:
            if self._why_gone:
                raise Gone(self._why_gone)
            if self._is_ended:
                return b""
            await self._arrive()
        data = pieces.popleft()
        if len(data) > limit:
            pieces.appendleft(data[limit:])
            data = data[:limit]
        self.unread_bytes -= len(data)
        if self._connection.is_held and self.unread_bytes < MAX_UNREAD:
            self._connection.read_on()
        return data

    async def _arrive(self) -> None:
        if self._arrival is not None:
            raise UsageError("another task receives from this stream already; one at a time may")
        self._arrival = self._connection.server.loop.create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None

    async def read_line(self) -> str | None:
        """Return the next line of text without its end, or what stands behind the last one; None at the end of input.

        What it has read ahead does not come to `receive` any more. Raises PeerError for a line over --max-line, Gone.
        """
        if self._reader is None:
            max_line = self._connection.server.settings.max_line
            self._reader = LineReader(max_line, is_telnet=not self._charset.has_byte_ff)
        while not self._lines:
            if self._reader.error is not None:
                self._reader.feed(b"")  # raises what it owes, before a peer is waited for that has said too much
            data = await self.receive()
            self._lines += self._reader.feed(data) if data else self._reader.feed_eof()
            if not data and not self._lines:
                return None
        return self._charset.decode(self._lines.popleft(), final=True)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines until the end of input."""
        while (line := await self.read_line()) is not None:
            yield line

    async def send(self, data: bytes | str) -> None:
        """Send bytes as they are, or text in the charset in force; wait where the peer is slow.

        Raises Gone, and UsageError behind `end`.
        """
        if self._why_gone:
            raise Gone(self._why_gone)
        connection = self._connection
        connection.write(self._charset.encode(data) if isinstance(data, str) else data)
        self._sends += 1
        if self._sends >= _MAX_SENDS or connection.transport.is_closing():
            # Where there is always room nothing here waits, and the loop could not even tell that the peer has gone.
            self._sends = 0
            await asyncio.sleep(0)
        while connection.is_paused and not self._why_gone:
            self._room = self._room or connection.server.loop.create_future()
            await asyncio.shield(self._room)  # whoever else waits for it is not to be cancelled with us

    def decode(self, data: bytes) -> str:
        """Return received bytes as text, in the charset in force, which they may decide."""
        return self._charset.decode(data)

    def encode(self, text: str) -> bytes:
        """Return text as bytes, in the charset in force; "?" for what it lacks."""
        return self._charset.encode(text)

    async def end(self) -> None:
        """End our side behind everything sent; the peer may go on sending. Nothing may be sent after it."""
        self._connection.end_output()

    def notice_loss(self, within_s: int) -> None:
        """Have `receive` and `send` raise Gone where the peer's machine is silent for so long; see `net.probing`."""
        sock = self._connection.transport.get_extra_info("socket")
        if sock is not None:
            notice_loss(sock, within_s)

    def tell(self, text: str) -> None:
        """Write a line about this connection to the service's log: what arrived, as a rule."""
        self._connection.tell(text)

    # for the connection

    def put(self, data: bytes) -> None:
        """Add what has arrived."""
        self._pieces.append(data)
        self.unread_bytes += len(data)
        self._wake()

    def end_input(self) -> None:
        """Say that nothing more will come."""
        self._is_ended = True
        self._wake()

    def cut(self, why: str) -> None:
        """Say that the connection is no more; whoever waits, or sends, learns why by a Gone."""
        self._why_gone = self._why_gone or why
        self._wake()
        self.give_room()

    def give_room(self) -> None:
        """Let whoever sends go on."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class BlockingStream:
    """A `Stream` for a plain function in a thread; every method waits. See there."""

    __slots__ = ("_loop", "_stream")

    def __init__(self, stream: Stream, loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._loop = loop

    @property
    def peer(self) -> Peer:
        """Who it is."""
        return self._stream.peer

    @property
    def encoding(self) -> str:
        """The charset in force."""
        return self._stream.encoding

    @property
    def note(self) -> str:
        """A remark for the log."""
        return self._stream.note

    @note.setter
    def note(self, text: str) -> None:
        self._stream.note = text

    def receive(self, limit: int = RECEIVE_BYTES) -> bytes:
        """Return what has arrived; b"" at the end."""
        return self._wait(self._stream.receive(limit))

    def read_line(self) -> str | None:
        """Return the next line; None at the end."""
        return self._wait(self._stream.read_line())

    def __iter__(self) -> Iterator[str]:
        """Yield the lines."""
        while (line := self.read_line()) is not None:
            yield line

    def send(self, data: bytes | str) -> None:
        """Send bytes or text."""
        self._wait(self._stream.send(data))

    def decode(self, data: bytes) -> str:
        """Return received bytes as text."""
        return self._stream.decode(data)

    def encode(self, text: str) -> bytes:
        """Return text as bytes."""
        return self._stream.encode(text)

    def end(self) -> None:
        """End our side."""
        self._wait(self._stream.end())

    def tell(self, text: str) -> None:
        """Write a line to the log."""
        self._loop.call_soon_threadsafe(self._stream.tell, text)

    def _wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
