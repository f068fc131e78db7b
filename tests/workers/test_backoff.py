from hypothesis import given
from hypothesis import strategies as st

from portico.workers.backoff import FIRST_S, MOST_S, STEADY_S, Backoff


def test_each_early_death_doubles_the_wait() -> None:
    backoff = Backoff()
    assert [backoff.failed(0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_steady_worker_is_replaced_at_once() -> None:
    backoff = Backoff()
    assert [backoff.failed(lived_s) for lived_s in (0, 0, STEADY_S, 0)] == [0.5, 1, 0, 0.5]


def test_new_code_gets_a_new_chance() -> None:
    backoff = Backoff()
    backoff.failed(0)
    backoff.forget()
    assert backoff.failed(0) == FIRST_S


@given(st.lists(st.floats(0, STEADY_S, exclude_max=True), max_size=60))
def test_the_wait_only_grows_and_is_bounded(lives: list[float]) -> None:
    backoff = Backoff()
    delays = [backoff.failed(lived_s) for lived_s in lives]
    assert delays == sorted(delays)
    assert all(FIRST_S <= delay <= MOST_S for delay in delays)
