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
from contextvars import Context
from types import coroutine
from typing import Any

Work = Coroutine[Any, Any, None]


@coroutine
def _turn() -> Generator[None, None, None]:
    """Wait for the next turn of the loop."""
    yield


class Spare:
    """A task that does one thing, which is found later. context: its own. base: a copy from before its use."""

    __slots__ = ("_loop", "_parked", "_waits_for", "_work", "base", "context", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop, base: Context) -> None:
        self._loop = loop
        self._work: Work | None = None
        self._waits_for: Any = None
        self._parked: asyncio.Future[None] | None = None
        self.context = base.copy()
        self.base = base
        main = self._main()
        main.send(None)  # begun, it is told of a cancellation; a coroutine that has not begun never hears of one
        self.task: asyncio.Task[None] = loop.create_task(main, context=self.context)

    def adopt(self, work: Work, waits_for: Any) -> None:
        """Be the task of what has begun. waits_for: what it yielded, a future or None."""
        self._work = work
        self._waits_for = waits_for
        if waits_for is not None:
            # The mark says that `await` was used; who awaits the same future next would stumble over it.
            waits_for._asyncio_future_blocking = False
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    async def _main(self) -> None:
        told = None
        try:
            await _turn()
            if self._work is None:
                self._parked = self._loop.create_future()
                await self._parked
        except asyncio.CancelledError as exc:
            if self._work is None:
                raise
            told = self._interrupt(exc)
        await self._go_on(told)

    def _interrupt(self, exc: asyncio.CancelledError) -> asyncio.CancelledError | None:
        """Cancel what the work waits for, as Task.cancel does. Returns what to tell the work where that cannot be."""
        waits_for = self._waits_for
        return exc if waits_for is None or not waits_for.cancel(*exc.args) else None

    @coroutine
    def _go_on(self, exc: BaseException | None) -> Generator[Any, Any, None]:
        """Drive the work from its first wait to its end. exc: what it is told instead of being resumed."""
        work = self._work
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
                    waits_for._asyncio_future_blocking = True
                yield waits_for
                break
            except BaseException as reason:  # a cancellation, which is for the work to see
                exc = reason
        yield from work.__await__()


class Spares:
    """Starts coroutines with at most one spare at a time. base: the context that each begins in."""

    __slots__ = ("_base", "_loop", "_spare")

    def __init__(self, loop: asyncio.AbstractEventLoop, base: Context) -> None:
        self._base = base
        self._loop = loop
        self._spare: Spare | None = None

    def start(self, work: Work) -> "asyncio.Task[None] | None":
        """Run `work` until it waits. Returns its task, None if it has ended. Raises what it raises until then."""
        spare = self._spare
        if spare is None or spare.task.cancelling():
            spare = self._spare = Spare(self._loop, self._base)
        if asyncio.current_task(self._loop) is not None:  # whose identity this one must not take
            return self._loop.create_task(work)
        _enter_task(self._loop, spare.task)
        try:
            waits_for = spare.context.run(work.send, None)
        except StopIteration:
            if spare.context != spare.base:
                self.close()
            return None
        except BaseException:
            self.close()
            raise
        finally:
            _leave_task(self._loop, spare.task)
        spare.adopt(work, waits_for)
        self._spare = None
        return spare.task

    def close(self) -> None:
        """End the spare; what runs goes on."""
        if self._spare is not None:
            self._spare.task.cancel()
            self._spare = None
