"""Tests that are coroutines: each gets a chat of its own, with real sockets, in a new folder.

    @acted(Chat)
    async def test_greeting(chat: Chat) -> None: ...

What is open when a test fails is closed all the same, and a test that hangs fails.
"""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

LONGEST_S = 120.0

Play = Callable[..., Coroutine[Any, Any, None]]


def acted(
    make: Callable[[Path], AbstractAsyncContextManager[Any]], *, longest_s: float = LONGEST_S
) -> Callable[[Play], Callable[..., None]]:
    """Make a test of a coroutine function whose first argument is what `make` opens in a folder."""

    def wrap(play: Play) -> Callable[..., None]:
        async def whole(folder: Path, others: dict[str, Any]) -> None:
            async with asyncio.timeout(longest_s), make(folder) as found:
                await play(found, **others)

        def test(tmp_path: Path, **others: Any) -> None:
            asyncio.run(whole(tmp_path / "data", others))

        functools.update_wrapper(test, play)
        del test.__wrapped__  # type: ignore[attr-defined]
        _, *others = inspect.signature(play).parameters.values()
        own = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = inspect.Signature([own, *others])  # type: ignore[attr-defined]
        return test

    return wrap
