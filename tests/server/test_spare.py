"""What is special about a spare; that it is a task like any other is in test_tasks.py."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar, copy_context

import pytest
from tests.server.stage import Stage

from portico.server.spare import Spares

NAME = ContextVar("NAME", default="nobody")
Kept = list["asyncio.Task[None] | None"]


async def on_the_loop(call: Callable[[], object]) -> None:
    """Call where no task is at work, and raise what it raises."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as exc:
            done.set_exception(exc)

    loop.call_soon(run)
    await done


def spares() -> Spares:
    return Spares(asyncio.get_running_loop(), copy_context())


async def notes(seen: list[object]) -> None:
    seen.append(asyncio.current_task())


async def test_one_spare_serves_all_that_never_wait(stage: Stage) -> None:
    kept, seen = spares(), list[object]()
    for _ in range(3):
        await on_the_loop(lambda: kept.start(notes(seen)))
    assert len(set(seen)) == 1
    kept.close()
    kept.close()


async def test_a_spare_that_was_cancelled_is_replaced(stage: Stage) -> None:
    kept, seen = spares(), list[object]()

    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        seen.append(task)
        task.cancel()

    await on_the_loop(lambda: kept.start(cancels()))
    await on_the_loop(lambda: kept.start(notes(seen)))
    assert len(set(seen)) == 2
    kept.close()


async def test_a_spare_with_a_changed_context_is_replaced(stage: Stage) -> None:
    kept, seen = spares(), list[object]()

    async def sets() -> None:
        seen.extend((asyncio.current_task(), NAME.get()))
        NAME.set("left behind")

    for _ in range(2):
        await on_the_loop(lambda: kept.start(sets()))
    assert seen[1::2] == ["nobody", "nobody"]
    assert seen[0] is not seen[2]
    kept.close()


@pytest.mark.parametrize("failure", [ZeroDivisionError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
async def test_what_fails_at_once_says_so(stage: Stage, failure: type[BaseException]) -> None:
    kept, seen = spares(), list[object]()

    async def fails() -> None:
        raise failure

    caught: list[BaseException] = []

    def begin() -> None:
        with pytest.raises(failure) as info:
            kept.start(fails())
        caught.append(info.value)

    await on_the_loop(begin)
    assert len(caught) == 1
    await on_the_loop(lambda: kept.start(notes(seen)))
    assert len(seen) == 1
    kept.close()


async def test_within_a_task_it_is_an_ordinary_one(stage: Stage) -> None:
    kept, seen = spares(), list[object]()
    NAME.set("ours")

    async def work() -> None:
        seen.append(NAME.get())

    task = kept.start(work())
    assert task is not None
    assert seen == []
    await task
    assert seen == ["ours"]
    kept.close()


async def test_what_was_begun_outlives_the_spares(stage: Stage) -> None:
    kept, seen = spares(), list[object]()
    tasks: Kept = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append(1)

    def begin() -> None:
        tasks.append(kept.start(work()))
        kept.close()

    await on_the_loop(begin)
    assert tasks[0] is not None
    await tasks[0]
    assert seen == [1]


async def test_parked_or_not_it_adopts(stage: Stage) -> None:
    """The first work finds a spare that is new; the one behind it a spare that waits already."""
    kept, seen = spares(), list[object]()
    tasks: Kept = []

    async def waits() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    await on_the_loop(lambda: tasks.append(kept.start(waits())))
    await on_the_loop(lambda: kept.start(notes([])))
    await asyncio.sleep(0)
    await on_the_loop(lambda: tasks.append(kept.start(waits())))
    for task in tasks:
        assert task is not None
        await task
    assert set(seen) == set(tasks)
    kept.close()


@pytest.mark.parametrize("is_parked", [False, True])
@pytest.mark.parametrize("swallows", [False, True])
async def test_a_cancellation_before_its_own_first_step(stage: Stage, is_parked: bool, swallows: bool) -> None:
    """The work is told, in its own context, and its cleaning up may wait."""
    kept, seen = spares(), list[object]()

    async def work() -> None:
        NAME.set("its own")
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append(NAME.get())
            if not swallows:
                raise

    def begin() -> None:
        task = kept.start(work())
        assert task is not None
        task.cancel()

    if is_parked:
        await on_the_loop(lambda: kept.start(notes([])))
        await asyncio.sleep(0)
    await on_the_loop(begin)
    await stage.until(lambda: seen)
    assert seen == ["its own"]


@pytest.mark.parametrize("is_parked", [False, True])
async def test_a_cancellation_that_is_ignored_twice(stage: Stage, is_parked: bool) -> None:
    kept, seen = spares(), list[object]()
    tasks: Kept = []

    async def work() -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                seen.append("cancelled")
        seen.append("done")

    def begin() -> None:
        task = kept.start(work())
        assert task is not None
        tasks.append(task)
        task.cancel()

    if is_parked:
        await on_the_loop(lambda: kept.start(notes([])))
        await asyncio.sleep(0)
    await on_the_loop(begin)
    assert tasks[0] is not None
    tasks[0].cancel()
    await stage.until(lambda: "done" in seen)
    assert "cancelled" in seen


async def test_a_cancellation_while_its_first_wait_goes_on(stage: Stage) -> None:
    """The wait that the spare took over is thrown the cancellation, and then another wait follows."""
    kept, seen = spares(), list[object]()
    tasks: Kept = []
    inner = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await inner
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    await on_the_loop(lambda: tasks.append(kept.start(work())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert tasks[0] is not None
    tasks[0].cancel()
    await tasks[0]
    assert seen == ["cleaned up"]
    assert inner.cancelled()


async def test_what_it_waited_for_may_fail(stage: Stage) -> None:
    kept, seen = spares(), list[object]()
    tasks: Kept = []
    inner = asyncio.get_running_loop().create_future()

    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            await inner
        seen.append("told")

    await on_the_loop(lambda: tasks.append(kept.start(work())))
    inner.set_exception(ZeroDivisionError())
    assert tasks[0] is not None
    await tasks[0]
    assert seen == ["told"]
