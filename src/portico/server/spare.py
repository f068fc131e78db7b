"""Starting a coroutine at once on Python 3.11, whose tasks begin in the next turn of the loop.

    start(work) -> work runs to its first wait, with a spare task's identity and context
       ended             the spare stays spare: nothing was made
       has to wait       the spare adopts it, and is the task that it believed to run in all along

Whoever asks for the current task meanwhile (asyncio.timeout, anyio's cancel scopes) gets the one that it will go on in.
Context variables that a request sets are gone with it: a spare whose context was changed is thrown away. From Python
3.12 on, `asyncio.Task(eager_start=True)` does all this; then this file goes.
"""

import asyncio
from asyncio import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any

Work = Coroutine[Any, Any, None]


class Spare:
    """A task that does one thing, which is found later. context: its own. is_spent: it has adopted something."""

    __slots__ = ("_base", "_loop", "_parked", "_waits_for", "_work", "context", "is_spent", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: Work | None = None
        self._waits_for: Any = None
        self._parked: asyncio.Future[None] | None = None
        self.is_spent = False
        self.context: Context = copy_context()
        self._base = self.context.copy()
        self.task: asyncio.Task[None] = loop.create_task(self._main(), context=self.context)

    @property
    def is_fit(self) -> bool:
        """Whether it can still be used, and nothing was left behind in its context."""
        return not (self.is_spent or self.task.done() or self.task.cancelling()) and self.context == self._base

    def adopt(self, work: Work, waits_for: Any) -> None:
        """Be the task of what has begun. waits_for: what it yielded, a future or None."""
        self.is_spent = True
        self._work = work
        self._waits_for = waits_for
        if self._parked is None:
            self.task.add_done_callback(self._end)
        elif not self._parked.done():
            self._parked.set_result(None)

    def drop(self) -> None:
        """End it unused."""
        self.is_spent = True
        self.task.cancel()

    async def _main(self) -> None:
        if self._work is None:
            self._parked = self._loop.create_future()
            try:
                await self._parked
            except asyncio.CancelledError as exc:
                if self._work is None:
                    raise
                return await self._go_on(exc)
        await self._go_on(None)

    @coroutine
    def _go_on(self, exc: BaseException | None) -> Generator[Any, Any, None]:
        """Drive the work from its first wait to its end. exc: what it is told instead of being resumed."""
        work, self._work = self._work, None
        assert work is not None
        waits_for = self._waits_for
        while True:
            if exc is not None:
                try:
                    waits_for = work.throw(exc)
                except StopIteration:
                    return
            try:
                if waits_for is not None:
                    # Another task may have taken the mark, which says that `await` was used, off a shared future.
                    waits_for._asyncio_future_blocking = True
                yield waits_for
                break
            except BaseException as reason:  # a cancellation, which is for the work to see
                exc = reason
        yield from work.__await__()

    def _end(self, task: "asyncio.Task[None]") -> None:
        # Cancelled before its own first step: the work still has to be told.
        work, self._work = self._work, None
        if work is not None:
            self._work = work
            self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        await self._go_on(asyncio.CancelledError())


class Spares:
    """Starts coroutines with at most one spare at a time."""

    __slots__ = ("_loop", "_spare")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spare: Spare | None = None

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Run `work` until it waits. Returns its task, None if it has ended. Raises what it raises until then."""
        loop = self._loop
        if asyncio.current_task(loop) is not None:
            return loop.create_task(work)
        spare = self._spare
        if spare is None or not spare.is_fit:
            self.close()
            spare = self._spare = Spare(loop)
        _enter_task(loop, spare.task)
        try:
            waits_for = spare.context.run(work.send, None)
        except StopIteration:
            return None
        finally:
            _leave_task(loop, spare.task)
        spare.adopt(work, waits_for)
        self._spare = None
        return spare.task

    def close(self) -> None:
        """End the spare; what runs goes on."""
        if self._spare is not None:
            self._spare.drop()
            self._spare = None
