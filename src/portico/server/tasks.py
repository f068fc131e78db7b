"""Coroutines that begin at once, and become a task only if they have to wait.

A handler that never waits is over before `start` returns: no task was scheduled and no turn of the loop spent on it.
Each begins in the context that the server was opened in: what one request sets, no other sees, whoever's turn it was.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

from portico.server.spare import Spares

Work = Coroutine[Any, Any, None]
Answer = TypeVar("Answer")

_LAST_S = 1.0


async def to_the_end(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Do the whole work of a loop; whatever else still runs behind it has a second to end."""
    try:
        return await work
    finally:
        await end_others(_LAST_S)


async def end_others(timeout_s: float) -> int:
    """Cancel every other task of the running loop, at the end of all work, and give them a while to end.

    One that does not care about its cancellation is forgotten then, so that closing the loop does not wait for it for
    ever. Returns how many those were.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=timeout_s)
    left = [task for task in others if not task.done()]
    for task in left:
        asyncio._unregister_task(task)
    return len(left)


class Tasks:
    """The tasks of one loop. running: those that have not ended; the loop itself holds them only weakly."""

    __slots__ = ("_context", "_loop", "_spares", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = copy_context()
        self._spares = Spares(loop, self._context) if sys.version_info < (3, 12) else None
        self.running: set[asyncio.Task[None]] = set()

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Run a coroutine to its first wait. Returns its task, None if it has ended already. It must not raise.

        What a task starts belongs to its request, and goes on in its context.
        """
        if self._spares is not None:
            task = self._spares.start(work)
        else:
            context = None if asyncio.current_task(self._loop) else self._context.copy()
            task = asyncio.Task(work, loop=self._loop, context=context, eager_start=True)  # type: ignore[call-arg, unused-ignore]
        if task is None or task.done():
            return None
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the loop, out of the context and the stack of whoever asks."""
        self._loop.call_soon(callback, context=self._context.copy())

    def close(self) -> None:
        """Let go of what was kept for the next one."""
        if self._spares is not None:
            self._spares.close()
