"""Long answers: from a Source in blocks, or from an async iterator, at the pace of the peer.

A `Transfer` needs no task. It sends blocks while the kernel takes them, waits for the socket, and gives others their
turn after each 512 KiB. The kernel copies a file to the socket by itself (sendfile) where there is a file and a plain
socket; otherwise blocks go through pooled buffers. Bytes that are not in memory are read in a thread first, so that a
slow disk holds up nobody else. A Source that shrank under us cuts the connection: nothing is ever padded.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from portico.errors import Refused
from portico.http.message import Body, Source, Span

if TYPE_CHECKING:
    from portico.server.connection import HttpConnection
    from portico.server.exchange import Exchange

_PROBE = memoryview(bytearray(1))  # what is read into it does not matter
BLOCK_BYTES = 256 * 1024
_JOINED_BYTES = 64 * 1024  # less is copied into one write, more is handed over piece by piece
_BURST_BYTES = 512 * 1024  # then others get their turn, while what we sent is still in the processor's cache
_MAX_POOLED = 32
_HAS_SENDFILE = hasattr(os, "sendfile")
# What sendfile says of a file system, or a socket, that it cannot serve (sendfile(2)).
_NO_SENDFILE = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK))
_SHRANK = "the file shrank while it was sent"


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


def write_all(transport: asyncio.Transport, pieces: Sequence[bytes | memoryview]) -> int:
    """Write pieces, small ones in one go; nothing to a transport that is closing. Returns how many bytes they are."""
    size = sum(map(len, pieces))
    if size <= _JOINED_BYTES:
        transport.write(b"".join(pieces))
    elif not transport.is_closing():  # asyncio's writelines does not ask, and then watches a closed socket (gh-136234)
        transport.writelines(pieces)
        # Nor does it pause us before 3.12.9 and 3.13.2 (CVE-2024-12254); setting the limits does. A write of the last
        # piece would as well, but writelines may have resumed us, and what we wrote then would come before it.
        low, high = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(high, low)
    return size


def release(body: Body) -> None:
    """Close the sources of a body that will not be sent."""
    if isinstance(body, tuple):
        for source in {piece.source for piece in body if isinstance(piece, Span)}:
            source.close()


class Socket:
    """A second descriptor of a connection's socket, for waiting beside the transport.

    Event loops refuse to watch a descriptor that a transport owns, so this one is a duplicate. It must be closed before
    the transport is, or the peer would not see the end.
    """

    __slots__ = ("_is_watched", "_loop", "fd")

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        self.fd = os.dup(fd)
        self._loop = loop
        self._is_watched = False

    def watch(self, transfer: "Transfer") -> None:
        """Call `transfer.resume` whenever the socket can be written."""
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_writer(self.fd, transfer.resume)

    def unwatch(self) -> None:
        """Stop watching: a socket that can be written would be reported over and over."""
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_writer(self.fd)

    def close(self) -> None:
        """Stop watching and close."""
        self.unwatch()
        os.close(self.fd)


class Transfer:
    """A body in pieces of known length on its way out.

    is_waiting: for the peer to read.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_exchange",
        "_is_closed",
        "_is_reading",
        "_left",
        "_may_sendfile",
        "_offset",
        "_pieces",
        "_pool",
        "_socket",
        "_source",
        "_sources",
        "is_waiting",
    )

    def __init__(
        self, connection: "HttpConnection", exchange: "Exchange", pieces: tuple[bytes | Span, ...], pool: BufferPool
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._pieces = iter(pieces)
        self._pool = pool
        self._sources = {piece.source for piece in pieces if isinstance(piece, Span)}
        self._buffer: memoryview | None = None
        self._socket: Socket | None = None
        self._source: Source | None = None
        self._offset = 0
        self._left = 0
        self._is_reading = False  # a thread is at it
        self._is_closed = False
        self._may_sendfile = _HAS_SENDFILE and connection.transport.get_extra_info("sslcontext") is None
        self.is_waiting = False

    def resume(self) -> None:
        """Send until the peer must catch up, others must have their turn, or all is sent."""
        connection = self._connection
        budget = _BURST_BYTES
        self.is_waiting = False
        # The kernel may give the descriptor of a closing transport to somebody else at any moment.
        is_closing = connection.transport.is_closing
        while not (self._is_reading or self._is_closed or self.is_waiting or connection.is_paused or is_closing()):
            if self._left == 0:
                if not self._begin_piece():
                    self._finish()
            elif budget <= 0:
                self._wait()
            else:
                budget -= self._send_block()

    def close(self) -> None:
        """Stop, and release everything; a thread that still reads releases the sources when it is done."""
        if not self._is_closed:
            self._is_closed = True
            if self._socket is not None:
                self._socket.close()
            if not self._is_reading:
                self._release()

    def _release(self) -> None:
        for source in self._sources:
            source.close()
        self._sources = set()

    def _wait(self) -> None:
        """Go on when the socket can be written, which may be at once, after the others."""
        self.is_waiting = True
        if self._socket is None:
            self._socket = Socket(self._connection.fileno(), asyncio.get_running_loop())
        self._socket.watch(self)

    def _begin_piece(self) -> bool:
        piece = next(self._pieces, None)
        if isinstance(piece, Span):
            self._source, self._offset, self._left = piece
        elif piece:
            self._connection.write_body(piece)
        return piece is not None

    def _send_block(self) -> int:
        """Send some of the current piece if it is in memory, else have it read. Returns how much was sent."""
        source = self._source
        assert source is not None
        try:
            if self._may_sendfile and source.fileno() >= 0:
                return self._send_file(source)
            if self._buffer is None:
                self._buffer = self._pool.take()
            view = self._buffer[: self._left]
            return self._write(view, source.read_hot(view, self._offset))
        except BlockingIOError:
            self._read_later(source)
        except Refused as exc:
            self._stop(str(exc))
        return 0

    def _send_file(self, source: Source) -> int:
        """Let the kernel send. Raises BlockingIOError where it would have to wait for a disk."""
        count = min(self._left, _BURST_BYTES)
        if source.read_hot(_PROBE, self._offset) + source.read_hot(_PROBE, self._offset + count - 1) < 2:
            return self._stop(_SHRANK)
        try:
            sent = os.sendfile(self._connection.fileno(), source.fileno(), self._offset, count)
        except BlockingIOError:
            self._wait()
            return 0
        except OSError as exc:
            if exc.errno not in _NO_SENDFILE:
                return self._stop("cut")
            self._may_sendfile = False
            return 0
        self._connection.body_sent(sent)
        return self._advance(sent) if sent else self._stop(_SHRANK)

    def _write(self, view: memoryview, count: int) -> int:
        if count < len(view):
            return self._stop(_SHRANK)
        self._connection.write_body(view)
        return self._advance(count)

    def _advance(self, count: int) -> int:
        self._offset += count
        self._left -= count
        return count

    def _stop(self, note: str) -> int:
        """Cut the connection. note: why, for the access log."""
        self._connection.cut(self._exchange, note)
        self.close()
        return 0

    def _read_later(self, source: Source) -> None:
        """Have a thread read the next block; afterwards it is in memory, at least for a moment."""
        self._is_reading = True
        if self._socket is not None:
            self._socket.unwatch()
        if self._buffer is None:
            self._buffer = self._pool.take()
        view = self._buffer[: self._left]
        future = asyncio.get_running_loop().run_in_executor(None, source.read_into, view, self._offset)
        future.add_done_callback(lambda done: self._block_read(done, view))

    def _block_read(self, future: asyncio.Future[int], view: memoryview) -> None:
        self._is_reading = False
        error = None if future.cancelled() else future.exception()
        if self._is_closed or future.cancelled():
            self._release()
        elif error is not None:
            self._stop(str(error) if isinstance(error, Refused) else "reading failed")
        else:
            self._write(view, future.result())
            self.resume()

    def _finish(self) -> None:
        # The transport is not paused, so it has let go of the buffer.
        if self._buffer is not None:
            self._pool.give(self._buffer)
        self.close()
        self._connection.finish(self._exchange)


async def stream(connection: "HttpConnection", exchange: "Exchange", body: AsyncIterator[bytes]) -> None:
    """Send what `body` yields, each piece when the one before is with the kernel."""
    try:
        async for piece in body:
            connection.write_body(piece)
            await connection.writable()
    finally:
        await _close_iterator(body)
    connection.finish(exchange)


async def leave_out(connection: "HttpConnection", exchange: "Exchange", body: AsyncIterator[bytes]) -> None:
    """Close a body that may not be sent (HEAD, 204, 304)."""
    await _close_iterator(body)
    connection.finish(exchange)


async def _close_iterator(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
