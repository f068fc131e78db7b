"""Each dialogue is acted twice: on uvloop, and on the event loop that Python brings along."""

import inspect

import pytest
from tests.server.stage import LOOPS, Stage


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function on its stage."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    stage = pyfuncitem.funcargs["stage"]
    assert isinstance(stage, Stage)
    stage.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
