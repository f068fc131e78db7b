"""Each dialogue is acted twice, as in tests/server."""

from tests.server.conftest import pytest_pyfunc_call, stage

__all__ = ["pytest_pyfunc_call", "stage"]
