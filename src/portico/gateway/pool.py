"""Threads for applications that wait: jobs in through one queue, their answers back in batches.

    Pool.submit(job)   loop -> SimpleQueue -> a thread: job.run()
    Pool.post(call)    thread -> deque -> one `call_soon_threadsafe` for all that gathered -> loop: call()

The pool starts with `threads` of them, at the first job. One more is started whenever a job has waited for 10 ms and
the processor had time to spare, up to `max_threads`; threads that only wait for the processor would gain nothing
from company. What is idle above `threads` ends again. Everything but `post` belongs to the thread of the loop.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, process_time
from typing import Protocol

_PATIENCE_S = 0.01  # how long a job may wait before it counts
_SPARE = 0.7  # of a processor; with less in use there is time to spare
_LIMIT_S = 0.25  # a job that has waited so long gets a thread whatever the processor does


class Job(Protocol):
    """Something to be done in a thread. queued_s: the pool's."""

    queued_s: float

    def run(self) -> None:
        """Do it. Must not raise."""
        ...


class _Thread(threading.Thread):
    """One thread. wait_s: how long its jobs had waited, together."""

    def __init__(self, pool: "Pool", number: int) -> None:
        # A daemon: a job that never ends must not keep the process from ending.
        super().__init__(name=f"portico-{number}", daemon=True)
        self._pool = pool
        self.is_busy = False
        self.wait_s = 0.0

    def run(self) -> None:
        take = self._pool.jobs.get
        while (job := take()) is not None:
            self.is_busy = True
            self.wait_s += monotonic() - job.queued_s
            job.run()
            del job  # or what it holds would live until the next one comes
            self.is_busy = False
        self._pool.post(lambda: self._pool.forget(self))


class Pool:
    """See the module. threads: at least. max_threads: at most; never fewer than `threads`.

    idle_s: how often threads above `threads` are looked at; an idle one ends each time.
    """

    def __init__(self, threads: int, max_threads: int, idle_s: float = 2.0) -> None:
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = threads
        self._max_threads = max(threads, max_threads)
        self._idle_s = idle_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._crew: set[_Thread] = set()
        self._started = 0
        self._past_wait_s = 0.0  # of threads that have ended
        self._landed: deque[Callable[[], object]] = deque()
        self._is_called = False
        self._queued = 0  # since the start
        self._watching: asyncio.TimerHandle | None = None
        self._mark = 0  # what `_queued` was when the watch began
        self._mark_cpu_s = 0.0
        self._overdue_s = 0.0
        self._shrinking: asyncio.TimerHandle | None = None

    # numbers for whoever watches

    @property
    def size(self) -> int:
        """Count the threads."""
        return len(self._crew)

    @property
    def busy(self) -> int:
        """Count the threads that are at a job."""
        return sum(thread.is_busy for thread in tuple(self._crew))

    @property
    def waiting(self) -> int:
        """Count the jobs that no thread has taken yet."""
        return self.jobs.qsize()

    @property
    def wait_s(self) -> float:
        """Add up how long all jobs taken so far had waited, in seconds."""
        return self._past_wait_s + sum(thread.wait_s for thread in tuple(self._crew))

    # from the loop to a thread

    def submit(self, job: Job) -> None:
        """Queue a job. Belongs to the running loop from the first call on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            for _ in range(self._threads):
                self._grow()
        job.queued_s = monotonic()
        self._queued += 1
        self.jobs.put(job)
        if self._watching is None:
            self._watch(self._loop)

    def close(self) -> None:
        """Let the threads end when they have done what is queued."""
        for timer in (self._watching, self._shrinking):
            if timer is not None:
                timer.cancel()
        self._watching = self._shrinking = None
        for _ in tuple(self._crew):
            self._dismiss()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._mark = self._queued
        self._mark_cpu_s = process_time()
        self._watching = loop.call_later(_PATIENCE_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Grow if what was queued when the watch began still waits; watch on while anything does."""
        self._watching = None
        waiting = self.jobs.qsize()
        if self._queued - waiting >= self._mark:
            self._overdue_s = 0.0
        else:
            self._overdue_s += _PATIENCE_S
            has_time = process_time() - self._mark_cpu_s < _SPARE * _PATIENCE_S
            if self.size < self._max_threads and (has_time or self._overdue_s >= _LIMIT_S):
                self._overdue_s = 0.0
                self._grow()
                if self._shrinking is None:
                    self._shrinking = loop.call_later(self._idle_s, self._shrink, loop)
        if waiting:
            self._watch(loop)

    def _grow(self) -> None:
        self._started += 1
        thread = _Thread(self, self._started)
        self._crew.add(thread)
        thread.start()

    def _shrink(self, loop: asyncio.AbstractEventLoop) -> None:
        """End one thread if there are idle ones, and ask again while there are more than there need be."""
        self._shrinking = None
        if self.busy < self.size and not self.jobs.qsize():
            self._dismiss()
        if self.size > self._threads:
            self._shrinking = loop.call_later(self._idle_s, self._shrink, loop)

    def _dismiss(self) -> None:
        self._queued += 1
        self.jobs.put(None)

    def forget(self, thread: _Thread) -> None:
        """Count out a thread that has ended."""
        self._crew.discard(thread)
        self._past_wait_s += thread.wait_s

    # from a thread to the loop

    def post(self, call: Callable[[], object]) -> None:
        """Have the loop call this soon, in the order of posting; from any thread. Nothing happens once it is closed."""
        self._landed.append(call)
        # `_land` resets the flag before it empties the deque, so a call appended after that sees it reset.
        if not self._is_called:
            self._is_called = True
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(self._land)
            except RuntimeError:  # the loop is closed: nobody is left to answer
                self._landed.clear()

    def _land(self) -> None:
        self._is_called = False
        landed = self._landed
        while landed:
            try:
                landed.popleft()()
            except Exception:  # the root of what a thread asked for
                logging.getLogger("portico").exception("an answer could not be delivered")
