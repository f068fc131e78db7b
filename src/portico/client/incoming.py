"""The body of one response while it is read: pieces as they were sent, or decoded; all of it; or into a file.

In: a Connection that has given a head. Out: bytes. The connection goes back to its pool as soon as the body has ended,
and is closed where reading ends before, whatever the reason.
"""

from collections.abc import Callable, Iterator
from typing import Final

from portico.client.connection import Connection, Progress, write_all
from portico.client.decoding import Decoder
from portico.client.timeouts import Clock
from portico.errors import PeerError, Refused, UsageError

PIECE: Final = 64 * 1024


class Incoming:
    """What is still to come of a response.

    release: gets the connection back, once. coding: the Content-Encoding to undo, "" for none. One that is not known is
    an error only where it is to be undone: what is read as it was sent, or skipped, does not care.
    """

    def __init__(
        self, connection: Connection, clock: Clock, *, release: Callable[[Connection], None], coding: str
    ) -> None:
        self._connection: Connection | None = connection
        self._clock = clock
        self._release = release
        self._coding = "" if coding.strip().lower() == "identity" else coding
        self._decoder: Decoder | None = None
        self._decoded: Iterator[bytes] = iter(())
        self._rest = b""  # of a piece that was longer than asked for
        self._is_closed = False
        if connection.is_complete:
            self._let_go()

    async def raw(self, limit: int) -> bytes:
        """Wait for the next piece as it was sent, at most `limit` bytes; b"" at the end."""
        if not self._rest:
            self._rest = await self._receive()
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    async def decoded(self, limit: int) -> bytes:
        """Wait for the next piece without its coding, at most `limit` bytes; b"" at the end."""
        if not self._coding:
            return await self.raw(limit)
        try:
            if self._decoder is None:
                self._decoder = Decoder(self._coding)
            while not (piece := next(self._decoded, b"")):
                data = await self._receive()
                if not data:
                    self._decoder.finish()
                    break
                self._decoded = self._decoder.feed(data, limit)
        except PeerError:
            self.close()
            raise
        return piece

    async def all(self, most: int) -> bytes:
        """Wait for the whole body, decoded. Raises Refused where it is longer than `most` bytes."""
        pieces: list[bytes] = []
        left = most
        while piece := await self.decoded(PIECE):
            left -= len(piece)
            if left < 0:
                self.close()
                raise Refused(f"the body is longer than {most} bytes, the most kept in memory; stream it")
            pieces.append(piece)
        return b"".join(pieces)

    async def copy_to(self, fd: int, on_progress: Progress | None) -> int:
        """Write the rest of the body, decoded, to a descriptor; return how many bytes were written."""
        connection = self._connection
        if not self._coding and connection is not None and not self._rest:
            try:
                count = await connection.copy_to(fd, self._clock, on_progress)
            except BaseException:
                self.close()
                raise
            self._let_go()
            return count
        count = 0
        while piece := await self.decoded(PIECE):
            write_all(fd, piece)
            count += len(piece)
            if on_progress is not None:
                on_progress(len(piece))
        return count

    async def skip(self, most: int) -> None:
        """Read the rest, so that the connection can serve again; close it where that is longer than `most` bytes."""
        while self._connection is not None and most > 0:
            most -= len(await self._receive())
        self.close()

    def close(self) -> None:
        """Give the connection back; it is closed where the body has not ended. A second time does nothing."""
        self._is_closed = True
        self._let_go()

    async def _receive(self) -> bytes:
        connection = self._connection
        if connection is None:
            self._check_open()
            return b""
        try:
            data = await connection.read(self._clock)
        except BaseException:
            self.close()
            raise
        if connection.is_complete:
            self._let_go()
        return data

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError("the response is closed; read it before that")

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._release(connection)
