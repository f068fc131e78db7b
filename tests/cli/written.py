"""A terminal that is written down, what it was sent and a way to wait for more; and a standard input that is given."""

import asyncio
import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.cli.running import DEADLINE_S

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Written(io.StringIO):
    """What a terminal was sent. text: without escapes and carriage returns."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self._more.set()
        return count

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.getvalue()).replace("\r", "")

    async def shows(self, text: str) -> None:
        """Wait until something was written."""
        async with asyncio.timeout(DEADLINE_S):
            while text not in self.text:
                self._more.clear()
                if text not in self.text:
                    await asyncio.to_thread(self._more.wait, DEADLINE_S)


@contextmanager
def standard_input(text: str) -> Iterator[None]:
    """Have this process read something."""
    kept, (source, target) = os.dup(0), os.pipe()
    os.write(target, text.encode())
    os.close(target)
    os.dup2(source, 0)
    os.close(source)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
