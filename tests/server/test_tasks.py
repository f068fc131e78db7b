"""A task that begins at once is a task like any other: the same cases on its first step and on later ones."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest
from tests.server.stage import PATIENCE_S, Stage

from portico.server.tasks import Tasks, end_others

NAME = ContextVar("NAME", default="nobody")


def current() -> "asyncio.Task[None]":
    task = asyncio.current_task()
    assert task is not None
    return task


async def start(work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None] | None":
    """Start as the server does: from a callback of the loop, where no task is at work."""
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    started = loop.create_future()

    async def whole() -> None:
        await work()

    loop.call_soon(lambda: started.set_result(tasks.start(whole())))
    task: asyncio.Task[None] | None = await started
    assert tasks.running <= {task}
    tasks.close()
    return task


async def finish(work: Callable[[], Awaitable[None]]) -> None:
    """Start it, and wait for its end."""
    task = await start(work)
    if task is not None:
        async with asyncio.timeout(PATIENCE_S):
            await task


async def test_what_never_waits_is_no_task(stage: Stage) -> None:
    seen: list[int] = []

    async def work() -> None:
        seen.append(1)

    assert await start(work) is None
    assert seen == [1]


async def test_what_waits_has_one_identity(stage: Stage) -> None:
    seen: list[object] = []

    async def work() -> None:
        seen.append(current())
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(current())

    task = await start(work)
    assert task is not None
    await task
    assert seen == [task] * 4


async def test_it_is_held_until_it_ends(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0.001)
        seen.append(1)

    loop.call_soon(lambda: tasks.start(work()) and None)
    await stage.until(lambda: tasks.running)
    gc.collect()
    await stage.until(lambda: not tasks.running)
    assert seen == [1]
    tasks.close()


async def times_out() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()


async def times_out_at_once() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    assert current().cancelling() == 0
    await asyncio.sleep(0)


async def times_out_later() -> None:
    await asyncio.sleep(0)
    await times_out()


async def has_children() -> None:
    seen: list[int] = []

    async def child(number: int) -> None:
        await asyncio.sleep(0)
        seen.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(child(number))
    assert seen == [0, 1, 2]


async def has_a_child_that_fails() -> None:
    async def child() -> None:
        raise ZeroDivisionError

    async def family() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup):
        await family()
    assert current().cancelling() == 0
    await asyncio.sleep(0)


async def has_scopes() -> None:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with anyio.CancelScope() as inner:
        inner.cancel()
        await anyio.lowlevel.checkpoint()
    assert inner.cancelled_caught
    await anyio.lowlevel.checkpoint()


async def has_nurseries() -> None:
    seen: list[str] = []

    async def child() -> None:
        await anyio.lowlevel.checkpoint()
        seen.append("child")

    async with anyio.create_task_group() as group:
        group.start_soon(child)
        await anyio.to_thread.run_sync(seen.append, "thread")

    async def fails() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await fails()
    assert sorted(seen) == ["child", "thread"]


async def awaits_what_has_a_result() -> None:
    done = asyncio.get_running_loop().create_future()
    done.set_result(5)
    assert await done == 5
    failed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(failed.set_exception, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await failed
    await asyncio.sleep(0)


async def waits_in_many_ways() -> None:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int] = asyncio.Queue()
    loop.call_soon(queue.put_nowait, 1)
    assert await queue.get() == 1
    assert tuple(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))) == (1, 2)
    assert await asyncio.to_thread(lambda: 3) == 3
    assert await asyncio.wait_for(asyncio.sleep(0, 4), 1) == 4


async def cancels_itself() -> None:
    current().cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)
    current().uncancel()
    await asyncio.sleep(0)


WORKS = [
    times_out,
    times_out_at_once,
    times_out_later,
    has_children,
    has_a_child_that_fails,
    has_scopes,
    has_nurseries,
    awaits_what_has_a_result,
    waits_in_many_ways,
    cancels_itself,
]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
async def test_it_is_a_task_like_any_other(stage: Stage, work: Callable[[], Awaitable[None]]) -> None:
    await finish(work)


async def test_a_future_that_several_await(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    shared = loop.create_future()
    seen: list[int] = []

    async def work() -> None:
        seen.append(await shared)

    def begin() -> None:
        for _ in range(3):
            tasks.start(work())

    loop.call_soon(begin)
    ordinary = asyncio.ensure_future(work())
    await stage.until(lambda: len(tasks.running) == 3)
    shared.set_result(7)
    await ordinary
    await stage.until(lambda: not tasks.running)
    assert seen == [7] * 4
    tasks.close()


async def test_nobody_sees_what_another_set(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[str] = []

    async def work(name: str, *, waits: bool) -> None:
        seen.append(NAME.get())
        NAME.set(name)
        if waits:
            await asyncio.sleep(0)
            seen.append(NAME.get())

    def begin() -> None:
        NAME.set("the callback's")
        for waits in (False, True, False, False, True, True):
            tasks.start(work("its own", waits=waits))

    loop.call_soon(begin)
    await stage.until(lambda: len(seen) == 9 and not tasks.running)
    assert seen == ["nobody"] * 6 + ["its own"] * 3
    tasks.close()


async def test_what_a_task_starts_goes_on_in_its_context(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[object] = []

    async def inner() -> None:
        await asyncio.sleep(0)
        seen.append(NAME.get())
        seen.append(current())

    async def outer() -> None:
        NAME.set("outer")
        tasks.start(inner())
        seen.append(current())
        await asyncio.sleep(0)

    loop.call_soon(lambda: tasks.start(outer()) and None)
    await stage.until(lambda: len(seen) == 3 and not tasks.running)
    assert seen[1] == "outer"
    assert seen[0] is not seen[2]
    tasks.close()


async def test_a_call_in_the_next_turn_sees_nothing_of_its_caller(stage: Stage) -> None:
    tasks = Tasks(asyncio.get_running_loop())
    seen: list[object] = []
    NAME.set("the caller's")
    tasks.soon(lambda: seen.extend((NAME.get(), asyncio.current_task())))
    assert seen == []
    await stage.until(lambda: seen)
    assert seen == ["nobody", None]
    tasks.close()


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancellation_reaches_the_work_whenever_it_comes(stage: Stage, turns: int) -> None:
    """Cleaning up may wait, and goes on under the same identity where anyio would insist on it."""
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[str] = []

    async def work() -> None:
        try:
            for _ in range(1000):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    started: list[asyncio.Task[None]] = []

    def begin(left: int) -> None:
        if not started:
            task = tasks.start(work())
            assert task is not None
            started.append(task)
        if left:
            loop.call_soon(begin, left - 1)
        else:
            started[0].cancel()

    loop.call_soon(begin, turns)
    await stage.until(lambda: len(seen) == 2 and not tasks.running)
    assert seen == ["cancelled", "cleaned up"]
    tasks.close()


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancellation_reaches_what_the_work_waits_for(stage: Stage, turns: int) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[str] = []
    inner: list[asyncio.Future[None]] = []

    async def work() -> None:
        inner.append(loop.create_future())
        try:
            await inner[0]
        except asyncio.CancelledError:
            seen.append("cancelled")

    started: list[asyncio.Task[None]] = []

    def begin(left: int) -> None:
        if not started:
            task = tasks.start(work())
            assert task is not None
            started.append(task)
        if left:
            loop.call_soon(begin, left - 1)
        else:
            started[0].cancel()

    loop.call_soon(begin, turns)
    await stage.until(lambda: seen and not tasks.running)
    assert inner[0].cancelled()
    tasks.close()


async def test_a_context_that_was_changed_is_not_used_again(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    tasks = Tasks(loop)
    seen: list[str] = []

    async def work() -> None:
        seen.append(NAME.get())
        NAME.set("left behind")

    def begin() -> None:
        for _ in range(3):
            assert tasks.start(work()) is None

    loop.call_soon(begin)
    await stage.until(lambda: len(seen) == 3)
    assert seen == ["nobody"] * 3
    tasks.close()


def test_at_the_end_of_all_work_others_are_cancelled_and_the_stubborn_forgotten() -> None:
    told: list[str] = []

    async def polite() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("polite")
            raise

    async def stubborn() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            told.append("stubborn")

    async def whole() -> tuple[int, int]:
        works = [asyncio.ensure_future(polite()), asyncio.ensure_future(stubborn())]
        await asyncio.sleep(0)
        left = await end_others(0.01)
        alone = len(asyncio.all_tasks())
        works[1]._log_destroy_pending = False  # type: ignore[attr-defined]
        return left, alone

    with asyncio.Runner() as runner:
        assert runner.run(whole()) == (1, 1)
    assert sorted(told) == ["polite", "stubborn"]


def test_nothing_to_end() -> None:
    with asyncio.Runner() as runner:
        assert runner.run(end_others(0.01)) == 0
