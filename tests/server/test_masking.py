"""Masks in C where there are any: they do the same as ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.masking import fastest_mask
from portico.wire.frames import apply_mask


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_the_fastest_mask_is_the_same_mask(data: bytes, mask: bytes) -> None:
    assert fastest_mask()(data, mask) == apply_mask(data, mask)


@pytest.mark.parametrize("module", ["there_is_no_such_module", "websockets_of_nobody.speedups", "math"])
def test_ours_is_used_where_there_is_no_other(module: str) -> None:
    assert fastest_mask(module) is apply_mask


def test_what_a_module_has_is_used() -> None:
    assert fastest_mask("portico.wire.websocket") is apply_mask
    assert fastest_mask() is fastest_mask()
