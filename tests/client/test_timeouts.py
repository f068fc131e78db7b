import pytest

from portico.client.timeouts import Clock, Timeouts
from portico.errors import Gone, UsageError


def test_each_step_has_its_time() -> None:
    clock = Clock(Timeouts(connect_s=3, read_s=5))
    assert (clock.connect_s(), clock.read_s()) == (3, 5)
    clock.check()


def test_no_step_takes_longer_than_the_whole() -> None:
    clock = Clock(Timeouts(connect_s=30, read_s=5, total_s=20))
    assert 15 < clock.connect_s() <= 20
    assert clock.read_s() == 5
    clock.check()


def test_the_whole_is_over() -> None:
    clock = Clock(Timeouts(total_s=1e-9))
    for step in (clock.connect_s, clock.read_s, clock.check):
        with pytest.raises(Gone, match="not done after 1e-09 s, all the time it had"):
            step()


@pytest.mark.parametrize("seconds", [0, -1, 1_000_001, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["connect_s", "read_s", "total_s"])
def test_a_timeout_leaves_some_time(name: str, seconds: float) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        Timeouts(**{name: seconds})
