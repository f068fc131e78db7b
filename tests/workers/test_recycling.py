from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.settings import MIB, Processes
from portico.workers.recycling import JITTER, Allowance, allowance, overdrawn


def test_without_settings_nothing_is_ever_due() -> None:
    allowed = allowance(Processes(), 0.5)
    assert allowed == Allowance(inf, inf, inf)
    assert overdrawn(allowed, requests=10**15, seconds=10**9, memory=1 << 50) == ""


@given(st.floats(0, 1))
def test_the_die_moves_times_and_counts_by_a_tenth_at_most(chance: float) -> None:
    requests, seconds, memory = allowance(
        Processes(recycle_requests=1000, recycle_after=3600, recycle_memory=100 * MIB), chance
    )
    assert 1000 <= requests <= 1000 * (1 + JITTER)
    assert 3600 <= seconds <= 3600 * (1 + JITTER)
    assert memory == 100 * MIB


@pytest.mark.parametrize(
    ("requests", "seconds", "memory", "why"),
    [
        (999, 59.9, 10 * MIB, ""),
        (1000, 0, 0, "1000 requests"),
        (0, 60.0, 0, "60 s"),
        (0, 0, 10 * MIB + 1, "10 MiB"),
        (1000, 60, 11 * MIB, "1000 requests"),
    ],
)
def test_verdicts(requests: int, seconds: float, memory: int, why: str) -> None:
    allowed = Allowance(1000, 60, 10 * MIB)
    assert overdrawn(allowed, requests=requests, seconds=seconds, memory=memory) == why
