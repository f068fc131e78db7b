"""A terminal that is written down: what it was sent, and a way to wait for more."""

import asyncio
import io
import re
import threading
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
