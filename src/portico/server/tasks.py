"""Coroutines started as tasks that somebody holds on to, at once where Python can do that (3.12 and later).

A handler that never waits is then over before `start` returns, and no turn of the loop is spent on it.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

Work = Coroutine[Any, Any, None]


class Tasks:
    """The tasks of one loop. running: those that have not ended; the loop itself holds them only weakly."""

    __slots__ = ("_loop", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.running: set[asyncio.Task[None]] = set()

    def start(self, work: Work) -> "asyncio.Task[None]":
        """Run a coroutine; its first step before this returns, where Python can do that. It must not raise."""
        if sys.version_info >= (3, 12):
            task = asyncio.Task(work, loop=self._loop, eager_start=True)
            if task.done():
                return task
        else:
            task = self._loop.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task
