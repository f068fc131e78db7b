"""When a process may open no more files, and so can accept nobody.

In: what the standard library's event loop tells its exception handler. Out: a line of the error log a minute, instead
of a traceback for each attempt. The loop tries again every second; who has connected waits in the kernel's queue.

uvloop's loop tells nobody: it closes the connections that it has no descriptor for.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

_CANNOT_ACCEPT: Final = "socket.accept() out of system resource"
_QUIET_S: Final = 60.0


class Shortage:
    """The exception handler of a loop: tells of this in its own way, of everything else in the loop's.

    now: monotonic seconds, replaced by tests.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._quiet_until_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tell of what went wrong."""
        if context.get("message") != _CANNOT_ACCEPT:
            if not _is_too_late(context):
                loop.default_exception_handler(context)
            return
        now_s = self._now()
        if now_s < self._quiet_until_s:
            return
        self._quiet_until_s = now_s + _QUIET_S
        logging.getLogger("portico").error(
            "new connections have to wait: %s; raise the limit (ulimit -n), or lower --max-connections",
            getattr(context.get("exception"), "strerror", "out of resources").lower(),
        )


def _is_too_late(context: dict[str, Any]) -> bool:
    """Say whether the loop has tried again after its listening socket was closed."""
    return isinstance(context.get("exception"), ValueError) and "_start_serving" in str(context.get("message"))
