"""Each dialogue is acted on both event loops, as those with the server are."""

from tests.server.conftest import pytest_pyfunc_call, stage

__all__ = ["pytest_pyfunc_call", "stage"]
