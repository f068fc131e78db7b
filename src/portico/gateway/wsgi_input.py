"""`wsgi.input`: a request's body as a file (PEP 3333, "Input and Error Streams").

A body that is there as a whole is an `io.BytesIO`. One that still comes is a `BodyStream` behind an
`io.BufferedReader`, which asks the loop for more and waits; its end is the body's (`wsgi.input_terminated`), and a body
that breaks off raises instead of ending.
"""

import io
from collections.abc import Callable

from portico.errors import Gone

_BUFFER_BYTES = 64 * 1024


class ClientDisconnected(Gone, OSError):
    """The client has gone: nothing can be read from it or sent to it any more."""


class BodyStream(io.RawIOBase):
    """The body as it comes.

    first: what has come already. fetch: returns the next piece, b"" at the end; raises OSError when it never comes.
    """

    def __init__(self, first: bytes, fetch: Callable[[], bytes]) -> None:
        super().__init__()
        self._piece = memoryview(first)
        self._fetch = fetch
        self._is_complete = False

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with what there is, waiting if that is nothing. Returns how much, 0 at the end."""
        if not self._piece and not self._is_complete:
            self._piece = memoryview(self._fetch())
            self._is_complete = not self._piece
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def body_file(first: bytes, fetch: Callable[[], bytes]) -> io.BufferedReader:
    """Return a file that is read as the application likes; see `BodyStream`."""
    return io.BufferedReader(BodyStream(first, fetch), _BUFFER_BYTES)
