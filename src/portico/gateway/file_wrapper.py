"""`wsgi.file_wrapper`: an iterable over an open file (PEP 3333, "Optional Platform-Specific File Handling").

In: what an application has open. Out: blocks of it; or, where it is a real file, a Span for the kernel to send.
"""

import io
from collections.abc import Iterator
from typing import Any

from portico.errors import Refused
from portico.gateway.file_source import FileSource
from portico.http.message import Span

_BLOCK_BYTES = 64 * 1024


class FileWrapper:
    """Blocks of a file-like object.

    file: anything with `read`. block_size: bytes to read at a time. Its `close` is the file's, where it has one.
    """

    def __init__(self, file: Any, block_size: int = _BLOCK_BYTES) -> None:
        self._file = file
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._block_size):
            yield block

    def span(self) -> Span | None:
        """Return what is left of a regular file, over a descriptor of its own; None for anything else.

        Only what Python's own `open(path, "rb")` gives is trusted to hold the bytes of its descriptor: a GzipFile has
        a `fileno` too.
        """
        raw = getattr(self._file, "raw", self._file)
        if not isinstance(raw, io.FileIO):
            return None
        try:
            offset = self._file.tell()
            source = FileSource.of(raw.fileno())
        except (OSError, ValueError, Refused):  # a pipe, a closed file, a device
            return None
        return Span(source, offset, max(source.size - offset, 0))
