"""Long answers: from a Source in blocks, or from an async iterator, at the pace of the peer.

A `Transfer` needs no task. It writes blocks while the kernel takes them, stops when the connection is paused and is
resumed by it. Blocks are read into pooled buffers, straight from the page cache; a block that would have to wait for
a disk is read in a thread. A Source that shrank under us cuts the connection: nothing is ever padded.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from portico.http.message import Body, Source, Span

if TYPE_CHECKING:
    from portico.server.connection import HttpConnection
    from portico.server.exchange import Exchange

BLOCK_BYTES = 256 * 1024
_BURST_BYTES = 1024 * 1024  # then other connections get their turn
_MAX_POOLED = 32


class BufferPool:
    """Buffers of BLOCK_BYTES for reuse; at most 32 are kept, 8 MiB."""

    def __init__(self) -> None:
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Return a buffer with arbitrary content."""
        return self._free.pop() if self._free else memoryview(bytearray(BLOCK_BYTES))

    def give(self, buffer: memoryview) -> None:
        """Take back a buffer that nothing refers to any more."""
        if len(self._free) < _MAX_POOLED:
            self._free.append(buffer)


def sources_of(pieces: tuple[bytes | Span, ...]) -> set[Source]:
    """Return the distinct sources of a body in pieces."""
    return {piece.source for piece in pieces if isinstance(piece, Span)}


def release(body: Body) -> None:
    """Close the sources of a body that will not be sent."""
    if isinstance(body, tuple):
        for source in sources_of(body):
            source.close()


class Transfer:
    """A body in pieces of known length on its way out.

    sent_bytes: handed to the transport so far.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_exchange",
        "_is_busy",
        "_is_closed",
        "_left",
        "_offset",
        "_pieces",
        "_pool",
        "_source",
        "_sources",
        "sent_bytes",
    )

    def __init__(
        self, connection: "HttpConnection", exchange: "Exchange", pieces: tuple[bytes | Span, ...], pool: BufferPool
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._pieces = iter(pieces)
        self._pool = pool
        self._sources = sources_of(pieces)
        self._buffer = pool.take()
        self._source: Source | None = None
        self._offset = 0
        self._left = 0
        self._is_busy = False  # a thread is reading, or our next turn is scheduled
        self._is_closed = False
        self.sent_bytes = 0

    def resume(self) -> None:
        """Write until the peer must catch up, others must have their turn, or all is sent."""
        connection = self._connection
        budget = _BURST_BYTES
        while not (self._is_busy or self._is_closed or connection.is_paused):
            if self._left == 0:
                if not self._begin_piece():
                    self._finish()
            elif budget <= 0:
                self._is_busy = True
                asyncio.get_running_loop().call_soon(self._take_turn)
            else:
                budget -= self._send_block()

    def close(self) -> None:
        """Stop and release the sources; a thread that still reads releases them when it is done."""
        if not self._is_closed:
            self._is_closed = True
            if not self._is_busy:
                self._release()

    def _release(self) -> None:
        for source in self._sources:
            source.close()
        self._sources = set()

    def _take_turn(self) -> None:
        self._is_busy = False
        if self._is_closed:
            self._release()
        else:
            self.resume()

    def _begin_piece(self) -> bool:
        piece = next(self._pieces, None)
        if isinstance(piece, Span):
            self._source, self._offset, self._left = piece
        elif piece:
            self.sent_bytes += len(piece)
            self._connection.write_body(piece)
        return piece is not None

    def _send_block(self) -> int:
        """Send one block, if it is in memory. Returns its length."""
        assert self._source is not None
        view = self._buffer[: self._left]
        try:
            count = self._source.read_hot(view, self._offset)
        except BlockingIOError:
            self._is_busy = True
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(None, self._source.read_into, view, self._offset)
            future.add_done_callback(self._block_read)
            return 0
        return self._write(count)

    def _block_read(self, future: asyncio.Future[int]) -> None:
        self._is_busy = False
        error = None if future.cancelled() else future.exception()
        if self._is_closed or future.cancelled():
            self._release()
        elif isinstance(error, OSError):
            self._connection.cut(self._exchange, f"reading failed: {error.strerror}")
        elif error is not None:
            raise error
        else:
            self._write(future.result())
            self.resume()

    def _write(self, count: int) -> int:
        if count < min(self._left, BLOCK_BYTES):
            self._connection.cut(self._exchange, "the file shrank while it was sent")
            return count
        self._offset += count
        self._left -= count
        self.sent_bytes += count
        self._connection.write_body(self._buffer[:count])
        return count

    def _finish(self) -> None:
        # The transport is not paused, so it has let go of the buffer.
        self._pool.give(self._buffer)
        self.close()
        self._connection.finish(self._exchange, self.sent_bytes)


async def stream(connection: "HttpConnection", exchange: "Exchange", body: AsyncIterator[bytes]) -> None:
    """Send what `body` yields, each piece when the one before is with the kernel."""
    sent = 0
    try:
        async for piece in body:
            sent += len(piece)
            connection.write_body(piece)
            await connection.writable()
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
    connection.finish(exchange, sent)
