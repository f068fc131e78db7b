"""The ASGI lifespan 2.0: an application opens what it needs before the first request, and closes it after the last.

    await lifespan.start()    -> lifespan.startup  -> ... complete
    await lifespan.stop(5.0)  -> lifespan.shutdown -> ... complete

In: an application and a mode; out: the namespace `state`, filled. The application's coroutine runs in one task from
start to end, since what it opens in it (cancel scopes, for one) must be closed in it. Nothing here outlives `stop`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from portico.errors import ConfigError
from portico.gateway.asgi_message import DONE, Application, Message, step_of

_RETURN_S = 1.0  # for an application that has said its last word
_CANCEL_S = 1.0  # for one that clings to life


class Lifespan:
    """The lifespan of one application.

    mode: "auto" (what raises at once knows no lifespan), "on" (that is an error) or "off".
    state: what the application put into its namespace, for `Asgi`.
    """

    def __init__(self, app: Application, mode: str = "auto") -> None:
        self._app = app
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None]
        self._stopping: asyncio.Future[None]
        self._stopped: asyncio.Future[None]
        self._is_asked = False  # lifespan.startup has been received
        self._is_told = False  # lifespan.shutdown has been received
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Wait until the application is ready.

        Raises ConfigError when it says that it cannot start, or tries to end the process; in mode "on" when it does
        not speak of lifespan at all.
        """
        if self._mode == "off":
            return
        loop = asyncio.get_running_loop()
        self._started, self._stopping, self._stopped = loop.create_future(), loop.create_future(), loop.create_future()
        self._task = loop.create_task(self._run())
        await asyncio.wait((self._started, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not self._started.done():
            self._judge(self._task)
        elif self._started.exception() is not None:
            await self._end(_RETURN_S)
            self._started.result()

    async def stop(self, timeout_s: float) -> None:
        """Let the application close what it opened; for at most so long. What goes wrong is logged."""
        if self._task is None:
            return
        self._stopping.set_result(None)
        await asyncio.wait((self._stopped, self._task), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        is_late = not (self._stopped.done() or self._task.done())
        if is_late:
            _log().error("the application did not shut down within %g s", timeout_s)
        elif self._stopped.done() and self._stopped.exception() is not None:
            _log().error("%s", self._stopped.exception())
        await self._end(0 if is_late else _RETURN_S)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as exc:  # sys.exit() in a task would end the loop
            raise ConfigError(f"the application raised {exc!r} in its lifespan") from exc

    async def _receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "lifespan.startup"}
        await asyncio.shield(self._stopping)
        if self._is_told:
            await asyncio.get_running_loop().create_future()  # there is nothing more to say
        self._is_told = True
        return {"type": "lifespan.shutdown"}

    def _send(self, message: Message) -> Awaitable[None]:
        future, failure = step_of(message, _STEPS)(self, message)
        if future.done() or (future is self._stopped and not self._started.done()):
            raise RuntimeError(f"{message['type']} was sent at the wrong time")
        if failure:
            future.set_exception(ConfigError(failure))
            future.exception()  # looked at, whoever else looks at it
        else:
            future.set_result(None)
        return DONE

    def _judge(self, task: asyncio.Task[None]) -> None:
        """Decide what an application means that is over before it has started."""
        exc = task.exception()
        if isinstance(exc, ConfigError):
            raise exc
        if self._mode == "on":
            raise ConfigError(f"the application does not support lifespan: {_reason(exc)}") from exc
        if exc is not None and self._is_asked:
            # It took the message, so it may have meant to start; the protocol wants the server to go on.
            _log().warning("the application failed at lifespan.startup; going on without a lifespan", exc_info=exc)
        self._task = None

    async def _end(self, timeout_s: float) -> None:
        """Give the task a moment to return, then cancel it; log what it raised."""
        task, self._task = self._task, None
        assert task is not None
        await asyncio.wait((task,), timeout=timeout_s)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=_CANCEL_S)
        if task.done() and not task.cancelled() and task.exception() is not None:
            # What follows a *.failed message has been told already.
            if not any(future.done() and future.exception() for future in (self._started, self._stopped)):
                _log().error("the application failed in its lifespan", exc_info=task.exception())


def _reason(exc: BaseException | None) -> str:
    return "it returned before lifespan.startup.complete" if exc is None else f"it raised {exc!r}"


def _failure(message: Message, what: str) -> str:
    return f"the application could not {what}: {message.get('message') or 'it does not say why'}"


_STEPS: dict[str, Callable[[Lifespan, Message], tuple[asyncio.Future[None], str]]] = {
    "lifespan.startup.complete": lambda span, message: (span._started, ""),
    "lifespan.startup.failed": lambda span, message: (span._started, _failure(message, "start")),
    "lifespan.shutdown.complete": lambda span, message: (span._stopped, ""),
    "lifespan.shutdown.failed": lambda span, message: (span._stopped, _failure(message, "shut down")),
}


def _log() -> logging.Logger:
    return logging.getLogger("portico")
