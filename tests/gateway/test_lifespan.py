import asyncio
import logging
from typing import Any

import pytest

from portico.errors import ConfigError
from portico.gateway.lifespan import Lifespan

UP = {"type": "lifespan.startup.complete"}
DOWN = {"type": "lifespan.shutdown.complete"}
NO_START = {"type": "lifespan.startup.failed", "message": "no database"}
NO_STOP = {"type": "lifespan.shutdown.failed", "message": "disk full"}

MODES = ("auto", "on")


class App:
    """An application that answers each message it receives with what stands in `script`.

    An answer is a list of messages to send, or an exception to raise. seen: the scope, then the messages.
    """

    def __init__(self, *script: list[dict[str, Any]] | BaseException) -> None:
        self.script = script
        self.seen: list[Any] = []
        self.is_done = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.seen.append(scope)
        scope["state"]["pool"] = "open"
        try:
            for answer in self.script:
                self.seen.append((await receive())["type"])
                if isinstance(answer, BaseException):
                    raise answer
                for message in answer:
                    await send(message)
        finally:
            self.is_done = True


async def live(lifespan: Lifespan, timeout_s: float = 10.0) -> None:
    await lifespan.start()
    await lifespan.stop(timeout_s)


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_life(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    app = App([UP], [DOWN])
    lifespan = Lifespan(app, mode)
    asyncio.run(live(lifespan))
    asgi = {"version": "3.0", "spec_version": "2.0"}
    assert app.seen[0] == {"type": "lifespan", "asgi": asgi, "state": {"pool": "open"}}
    assert app.seen[1:] == ["lifespan.startup", "lifespan.shutdown"]
    assert app.seen[0]["state"] is lifespan.state
    assert caplog.records == []
    assert app.is_done


async def _live_with_a_look(lifespan: Lifespan, app: App) -> None:
    await lifespan.start()
    await asyncio.sleep(0)
    assert not app.is_done
    await lifespan.stop(10)


def test_it_stays_up_in_between() -> None:
    app = App([UP], [DOWN])
    asyncio.run(_live_with_a_look(Lifespan(app), app))


def test_off_means_off() -> None:
    app = App([UP], [DOWN])
    asyncio.run(live(Lifespan(app, "off")))
    assert app.seen == []


# --- the start ----------------------------------------------------------------------------------


async def knows_none(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def says_nothing(scope: dict[str, Any], receive: Any, send: Any) -> None:
    pass


@pytest.mark.parametrize("app", [knows_none, says_nothing])
def test_an_application_need_not_know_of_it(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(live(Lifespan(app)))
    assert caplog.records == []


# (application, what the error says)
UNABLE: list[tuple[Any, str]] = [
    (knows_none, "does not support lifespan: it raised AssertionError"),
    (says_nothing, "does not support lifespan: it returned before lifespan.startup.complete"),
    (App(ValueError("oops")), "does not support lifespan: it raised ValueError"),
]


@pytest.mark.parametrize(("app", "text"), UNABLE)
def test_mode_on_wants_a_lifespan(app: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        asyncio.run(Lifespan(app, "on").start())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("app", [App([NO_START]), App([NO_START], [])], ids=["returns", "clings"])
def test_an_application_that_cannot_start_says_why(mode: str, app: App, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="the application could not start: no database"):
        asyncio.run(Lifespan(app, mode).start())
    assert app.is_done
    assert caplog.records == []


async def fails_both_ways(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """What Starlette does: tell, then raise."""
    await receive()
    await send({"type": "lifespan.startup.failed"})
    raise ValueError("oops")


def test_a_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="could not start: it does not say why"):
        asyncio.run(Lifespan(fails_both_ways).start())
    assert caplog.records == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("exc", [SystemExit(3), KeyboardInterrupt()])
def test_an_application_that_ends_the_process_is_not_served(mode: str, exc: BaseException) -> None:
    with pytest.raises(ConfigError, match=r"the application raised (SystemExit|KeyboardInterrupt)\("):
        asyncio.run(Lifespan(App(exc), mode).start())


def test_a_startup_that_raises_does_not_pass_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(live(Lifespan(App(ValueError("oops")))))
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [(logging.WARNING, True)]


# --- the end ------------------------------------------------------------------------------------

# (what happens at the end, what is logged)
ENDS: list[tuple[tuple[Any, ...], str]] = [
    (([NO_STOP],), "the application could not shut down: disk full"),
    ((ValueError("oops"),), "the application failed in its lifespan"),
    ((SystemExit(3),), "the application failed in its lifespan"),
    (([], []), "the application did not shut down within 0.01 s"),
    (([DOWN], []), ""),
    ((), ""),
]


@pytest.mark.parametrize(("script", "logged"), ENDS)
def test_the_end_is_bounded_and_what_goes_wrong_is_logged(
    script: tuple[Any, ...], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App([UP], *script)
    asyncio.run(live(Lifespan(app), 0.01))
    assert app.is_done
    assert [record.getMessage() for record in caplog.records] == ([logged] if logged else [])


async def clings(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send(UP)
    while True:
        try:
            await receive()
        except asyncio.CancelledError:
            return


def test_not_even_an_application_that_swallows_its_end_stays(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(live(Lifespan(clings), 0.01))
    assert len(caplog.records) == 1


# --- messages -----------------------------------------------------------------------------------

# (messages sent at the start, exception, what it says)
MISTAKES: list[tuple[list[Any], type[Exception], str]] = [
    ([UP, UP], RuntimeError, "lifespan.startup.complete was sent at the wrong time"),
    ([UP, NO_START], RuntimeError, "lifespan.startup.failed was sent at the wrong time"),
    ([DOWN], RuntimeError, "lifespan.shutdown.complete was sent at the wrong time"),
    ([{"type": "http.response.start"}], RuntimeError, "no message of type 'http.response.start'"),
    ([{}], TypeError, "a dict with a 'type'"),
]


@pytest.mark.parametrize(("messages", "kind", "text"), MISTAKES)
def test_a_mistake_is_told_to_who_made_it(messages: list[Any], kind: type[Exception], text: str) -> None:
    seen: list[Exception] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            try:
                await send(message)
            except Exception as exc:
                seen.append(exc)

    asyncio.run(live(Lifespan(app)))
    assert [type(exc) for exc in seen] == [kind]
    assert text in str(seen[0])
