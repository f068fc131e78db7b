"""Coroutines that begin at once, and become a task only if they have to wait.

A handler that never waits is over before `start` returns: no task was scheduled and no turn of the loop spent on it.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from portico.server.spare import Spares

Work = Coroutine[Any, Any, None]


class Tasks:
    """The tasks of one loop. running: those that have not ended; the loop itself holds them only weakly."""

    __slots__ = ("_loop", "_spares", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spares = Spares(loop) if sys.version_info < (3, 12) else None
        self.running: set[asyncio.Task[None]] = set()

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Run a coroutine to its first wait. Returns its task, None if it has ended already. It must not raise."""
        if self._spares is not None:
            task = self._spares.start(work)
            if task is None:
                return None
        else:
            task = asyncio.Task(work, loop=self._loop, eager_start=True)  # type: ignore[call-arg, unused-ignore]
            if task.done():
                return None
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def close(self) -> None:
        """Let go of what was kept for the next one."""
        if self._spares is not None:
            self._spares.close()
