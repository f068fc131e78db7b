import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

import pytest
from tests.server.stage import Stage

from portico.gateway.pool import Pool


class Task:
    """A job that does one thing."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.queued_s = 0.0

    def run(self) -> None:
        self.act()


class Blocker:
    """Jobs that hold their threads until the test lets go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.threads: SimpleQueue[str] = SimpleQueue()

    def __call__(self) -> None:
        self.threads.put(threading.current_thread().name)
        self.gate.wait(10)


async def settled(pool: Pool) -> None:
    """Wait until all threads have ended."""
    pool.close()
    while pool.size:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


async def test_jobs_are_done_in_threads_and_answers_land_on_the_loop(stage: Stage) -> None:
    pool = Pool(2, 2)
    seen: list[tuple[int, str]] = []

    def act(number: int) -> Callable[[], None]:
        def land() -> None:
            seen.append((number, threading.current_thread().name))

        return lambda: pool.post(land)

    for number in range(100):
        pool.submit(Task(act(number)))
    await stage.until(lambda: len(seen) == 100)
    assert sorted(seen) == [(number, "MainThread") for number in range(100)]
    assert (pool.size, pool.waiting) == (2, 0)
    await stage.until(lambda: pool.busy == 0)
    await settled(pool)


async def test_what_one_thread_posts_lands_in_order(stage: Stage) -> None:
    pool = Pool(1, 1)
    seen: list[int] = []

    def act() -> None:
        for number in range(1000):
            pool.post(partial(seen.append, number))

    pool.submit(Task(act))
    await stage.until(lambda: len(seen) == 1000)
    assert seen == list(range(1000))
    await settled(pool)


async def test_no_thread_before_the_first_job(stage: Stage) -> None:
    pool = Pool(4, 8)
    assert (pool.size, pool.busy, pool.waiting, pool.wait_s) == (0, 0, 0, 0.0)
    pool.close()


async def test_it_grows_while_jobs_wait_and_no_further_than_it_may(stage: Stage) -> None:
    pool = Pool(1, 3, 0.05)
    blocker = Blocker()
    for _ in range(5):
        pool.submit(Task(blocker))
    assert pool.size == 1
    await stage.until(lambda: pool.busy == 3)
    # The other two have nobody left: only a freed thread can take them.
    assert (pool.size, pool.waiting) == (3, 2)
    blocker.gate.set()
    await stage.until(lambda: pool.busy == 0 and not pool.waiting)
    assert blocker.threads.qsize() == 5
    assert pool.wait_s > 0.02  # two threads were started, each after a wait of 10 ms
    await stage.until(lambda: pool.size == 1)  # and ended again, when idle
    before_s = pool.wait_s
    assert before_s > 0.02  # what the ended ones had measured still counts
    await settled(pool)
    assert pool.wait_s == before_s


async def test_it_does_not_shrink_while_all_are_busy(stage: Stage) -> None:
    pool = Pool(1, 2)
    blocker = Blocker()
    for _ in range(2):
        pool.submit(Task(blocker))
    await stage.until(lambda: pool.busy == 2)
    loop = asyncio.get_running_loop()
    pool._shrink(loop)
    assert (pool.size, pool.waiting) == (2, 0)
    blocker.gate.set()
    await settled(pool)


async def test_the_most_are_never_fewer_than_the_least(stage: Stage) -> None:
    pool = Pool(3, 1)
    done: list[int] = []
    pool.submit(Task(lambda: pool.post(lambda: done.append(1))))
    await stage.until(lambda: done)
    assert pool.size == 3
    await settled(pool)


async def test_a_starving_queue_gets_a_thread_even_when_the_processor_is_busy(stage: Stage) -> None:
    """Threads that wait for each other's work would else wait for ever beside one that computes."""
    pool = Pool(2, 3)
    blocker = Blocker()
    stop: list[bool] = []

    def compute() -> None:
        while not stop:
            sum(range(1000))

    seen: list[int] = []
    pool.submit(Task(blocker))
    pool.submit(Task(compute))
    pool.submit(Task(lambda: pool.post(lambda: seen.append(1))))
    await stage.until(lambda: seen)
    assert pool.size == 3
    stop.append(True)
    blocker.gate.set()
    await settled(pool)


async def test_an_answer_that_fails_does_not_stop_the_next(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(1, 1)
    seen: list[int] = []

    def act() -> None:
        pool.post(lambda: 1 / 0)
        pool.post(lambda: seen.append(1))

    pool.submit(Task(act))
    await stage.until(lambda: seen)
    assert [record.getMessage() for record in caplog.records] == ["an answer could not be delivered"]
    await settled(pool)


def test_a_late_answer_to_a_closed_loop_is_dropped() -> None:
    pool = Pool(1, 1)
    blocker = Blocker()
    landed: list[int] = []
    posted = threading.Event()

    def late() -> None:
        blocker()
        pool.post(lambda: landed.append(1))
        posted.set()

    async def play() -> None:
        pool.submit(Task(late))

    asyncio.run(play())
    pool.close()
    blocker.gate.set()
    assert posted.wait(10)
    assert landed == []
