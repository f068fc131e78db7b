"""Fleets without processes: a clock that the test turns, and orders read as a transcript."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.settings import MIB, Processes
from portico.workers.events import Event, Kind
from portico.workers.fleet import FAREWELL_S, Finish, Fleet, Order, Phase, Send, Start

DRAIN_S = 20.0


class Play:
    """A fleet and a clock. Workers are named by their serial numbers."""

    def __init__(self, **settings: Any) -> None:
        self.fleet = Fleet(Processes(**settings), DRAIN_S, chance=lambda: 0.0)
        self.now_s = 1000.0

    def after(self, seconds: float = 0.0) -> list[str]:
        """Let time pass; return what the fleet orders, as words."""
        self.now_s += seconds
        return [described(order) for order in self.fleet.decide(self.now_s)]

    def start(self) -> list[int]:
        """Let a fleet come up; return its workers."""
        self.after()
        workers = list(self.fleet.members)
        for serial in workers:
            self.ready(serial)
        return workers

    def ready(self, serial: int) -> list[str]:
        if not self.fleet.members[serial].pid:
            self.fleet.started(serial, serial + 100)
        self.fleet.ready(serial, self.now_s)
        return self.after()

    def ended(self, serial: int, reason: str = "exit code 1") -> list[str]:
        self.fleet.ended(serial, self.now_s, reason)
        return self.after()

    def beat(self, seconds: float, **stats: int) -> list[str]:
        """Let time pass in steps, with all workers beating."""
        said = []
        for _ in range(int(seconds)):
            said += self.after(1)
            for serial in list(self.fleet.members):
                self.fleet.heard(serial, self.now_s, memory=stats.get("memory", 0), stats=stats)
        return said + self.after()

    @property
    def phases(self) -> dict[int, Phase]:
        return {serial: member.phase for serial, member in self.fleet.members.items()}


def described(order: Order) -> str:
    if isinstance(order, Start):
        return f"start {order.serial} on {order.seat}"
    if isinstance(order, Send):
        return f"{order.signal.name} {order.serial}"
    if isinstance(order, Finish):
        return f"finish {order.code}"
    return f"({order.kind.value}{' ' + order.reason if order.reason else ''})"


def test_a_start() -> None:
    play = Play(workers=2)
    assert play.after() == ["start 1 on 1", "start 2 on 2"]
    assert play.ready(2) == ["(started)", "(ready)"]
    assert play.fleet.ready_count == 1
    assert play.ready(1) == ["(started)", "(ready)"]
    assert play.beat(100) == []


def test_ready_is_heard_once() -> None:
    play = Play()
    [worker] = play.start()
    assert play.ready(worker) == []


def test_a_steady_worker_is_replaced_at_once_and_a_young_one_after_a_while() -> None:
    play = Play()
    play.start()
    play.beat(60)
    assert play.ended(1, "SIGSEGV") == ["(lost SIGSEGV)", "start 2 on 1"]
    play.ready(2)
    assert play.ended(2) == ["(lost exit code 1)"]
    assert play.after(0.4) == []
    assert play.after(0.1) == ["start 3 on 1"]
    assert play.ended(3) == ["(failed exit code 1)"]
    assert play.after(0.9) == []
    assert play.after(0.1) == ["start 4 on 1"]


def test_its_own_words_go_before_the_systems() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.failing(1, "out of luck")
    assert play.ended(1) == ["(lost out of luck)"]


def test_a_first_start_is_given_up_when_every_seat_has_failed() -> None:
    play = Play(workers=3)
    play.after()
    assert play.ended(2, "no module") == ["(failed no module)"]
    assert play.after(3) == []  # once each
    assert play.ended(1, "no module") == []
    assert play.ended(3, "another trouble") == ["(failed another trouble)", "(gave-up)", "finish 3"]


def test_one_worker_that_is_ready_keeps_the_others_from_giving_up() -> None:
    play = Play(workers=2)
    play.after()
    play.ended(1)
    assert play.ready(2) == ["(started)", "(ready)"]
    assert play.after(0.5) == ["start 3 on 1"]


def test_too_slow_to_start() -> None:
    play = Play(start_timeout=5.0)
    play.start()
    play.fleet.reload(play.now_s, "x")
    assert play.after() == ["(reloading x)", "start 2 on 1"]
    assert play.beat(4) == []
    assert play.beat(1) == ["SIGABRT 2"]
    assert play.beat(2) == ["SIGKILL 2"]
    assert play.ended(2, "SIGKILL") == [
        "(failed not ready within 5 s; --start-timeout allows more)",
        "(rolled-back the new code does not start)",
    ]
    assert play.phases == {1: Phase.READY}


def test_a_reload_goes_seat_by_seat() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.reload(play.now_s, "SIGHUP")
    assert play.after() == ["(reloading SIGHUP)", "start 3 on 1"]
    assert play.ready(3) == ["(started)", "(ready)", "SIGTERM 1", "start 4 on 2"]
    play.fleet.draining(1, play.now_s)
    assert play.ready(4) == ["(started)", "(ready)", "SIGTERM 2", "(reloaded)"]
    assert play.ended(1) == play.ended(2) == []
    assert play.phases == {3: Phase.READY, 4: Phase.READY}


def test_a_reload_that_fails_keeps_who_is_there() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.reload(play.now_s, "SIGHUP")
    play.after()
    play.ready(3)
    assert play.ended(4) == ["(failed exit code 1)", "(rolled-back the new code does not start)"]
    assert play.phases == {1: Phase.DRAINING, 2: Phase.READY, 3: Phase.READY}
    assert play.beat(10) == []


def test_a_reload_during_a_reload_begins_anew() -> None:
    play = Play()
    play.start()
    play.fleet.reload(play.now_s, "a.py")
    play.after()
    play.fleet.reload(play.now_s, "b.py")
    assert play.after() == ["SIGTERM 2", "(reloading b.py)", "start 3 on 1"]
    assert play.ended(2, "SIGTERM") == []
    assert play.ready(3) == ["(started)", "(ready)", "SIGTERM 1", "(reloaded)"]


def test_a_reload_does_not_wait_for_a_back_off() -> None:
    play = Play()
    play.start()
    play.ended(1)
    play.fleet.reload(play.now_s, "SIGHUP")
    assert play.after() == ["(reloading SIGHUP)", "start 2 on 1"]


def test_while_developing_a_failure_waits_for_a_change() -> None:
    play = Play(reload=True)
    play.after()
    assert play.ended(1, "a typo") == ["(failed a typo)", "(waiting)"]
    assert play.after(1000) == []
    play.fleet.reload(play.now_s, "a.py")
    assert play.after() == ["(reloading a.py)", "start 2 on 1"]
    assert play.ended(2, "a typo") == ["(failed a typo)", "(waiting)"]


def test_while_developing_a_breakpoint_may_stop_the_loop() -> None:
    play = Play(reload=True, stuck_timeout=5.0)
    play.start()
    assert [play.after(1) for _ in range(60)] == [[]] * 60


def test_a_stuck_worker_is_replaced() -> None:
    play = Play(stuck_timeout=5.0)
    play.start()
    assert [play.after(1) for _ in range(4)] == [[]] * 4
    assert play.after(1) == ["(stuck 5 s)", "SIGABRT 1", "start 2 on 1"]
    assert play.after(2) == ["SIGKILL 1", "(killed)"]
    assert play.ended(1, "SIGKILL") == []


def test_a_supervisor_that_was_stopped_itself_blames_nobody() -> None:
    play = Play(workers=2, stuck_timeout=30.0)
    play.start()
    assert play.after(3600) == []
    assert play.beat(29) == []


@pytest.mark.parametrize(
    ("settings", "seconds", "stats", "reason"),
    [
        ({"recycle_requests": 50}, 1, {"requests": 50}, "50 requests"),
        ({"recycle_after": 30.0}, 30, {}, "30 s"),
        ({"recycle_memory": 2 * MIB}, 1, {"memory": 3 * MIB}, "3 MiB"),
    ],
)
def test_recycling(settings: dict[str, Any], seconds: float, stats: dict[str, int], reason: str) -> None:
    play = Play(**settings)
    play.start()
    assert play.beat(seconds - 1, **{name: value - 2 * MIB for name, value in stats.items()}) == []
    assert play.beat(1, **stats) == [f"(recycled {reason})", "start 2 on 1"]
    assert play.ready(2) == ["(started)", "(ready)", "SIGTERM 1"]


def test_one_worker_is_recycled_at_a_time() -> None:
    play = Play(workers=3, recycle_after=10.0)
    play.start()
    assert play.beat(10) == ["(recycled 10 s)", "start 4 on 1"]
    assert play.ready(4) == ["(started)", "(ready)", "SIGTERM 1", "(recycled 10 s)", "start 5 on 2"]


def test_a_successor_that_fails_leaves_the_worker_in_place() -> None:
    play = Play(recycle_after=10.0)
    play.start()
    play.beat(10)
    assert play.ended(2) == ["(failed exit code 1)"]
    assert play.fleet.ready_count == 1
    assert play.beat(1) == ["(recycled 11 s)", "start 3 on 1"]


def test_figures_that_are_none_count_as_nothing() -> None:
    play = Play(recycle_requests=1)
    play.start()
    play.fleet.heard(1, play.now_s, memory=0, stats={"requests": "many"})
    assert play.after() == []


def test_a_worker_that_someone_else_drains_is_replaced() -> None:
    play = Play()
    play.start()
    play.beat(60)
    play.fleet.draining(1, play.now_s)
    assert play.after() == ["start 2 on 1"]
    assert play.ended(1) == []


def test_seats_come_and_go() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.resize(2, play.now_s, most=3)
    assert play.after() == ["(resized)", "start 3 on 3"]
    play.ready(3)
    play.fleet.resize(-5, play.now_s)
    assert play.after() == ["SIGTERM 2", "SIGTERM 3", "(resized)"]
    play.fleet.resize(-1, play.now_s)
    assert play.after() == []
    assert play.fleet.size == 1


def test_a_seat_less_may_be_the_end_of_a_reload() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.reload(play.now_s, "x")
    play.after()
    play.ready(3)
    play.fleet.resize(-1, play.now_s)
    assert play.after() == ["SIGTERM 2", "SIGTERM 4", "(resized)", "(reloaded)"]


def test_a_stop_has_one_deadline() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.reload(play.now_s, "x")
    play.after()
    play.ready(3)
    play.after(5)
    play.fleet.heard(2, play.now_s, memory=0, stats={"active": 3})
    play.fleet.stop(play.now_s)
    assert play.after() == ["(stopping)", "SIGTERM 2", "SIGTERM 3", "SIGTERM 4"]
    play.fleet.draining(2, play.now_s)
    assert play.ended(4) == []
    play.fleet.finished(3, 2)
    assert play.ended(3, "exit code 0") == []
    assert play.after(DRAIN_S + FAREWELL_S - 5) == ["SIGKILL 1", "(killed)"]
    assert play.after(5) == ["SIGKILL 2", "(killed)"]
    play.ended(1)
    play.fleet.stop(play.now_s)
    play.fleet.ended(2, play.now_s, "SIGKILL")
    assert play.fleet.decide(play.now_s) == [Event(Kind.CUT, amount=5), Finish(0)]


def test_a_cut() -> None:
    play = Play(workers=2)
    play.start()
    play.fleet.cut(play.now_s, 130)
    assert play.after() == ["(stopping)", "SIGQUIT 1", "SIGQUIT 2", "SIGTERM 1", "SIGTERM 2"]
    assert play.ended(1) == []
    assert play.after(1) == ["SIGKILL 2", "(killed)"]
    assert play.ended(2) == ["finish 130"]


Step = Callable[[Play, int], object]
STEPS: dict[str, Step] = {
    "time": lambda play, n: play.after(n / 4),
    "ready": lambda play, n: [play.ready(serial) for serial in list(play.fleet.members)[n % 4 : n % 4 + 1]],
    "ended": lambda play, n: [play.ended(serial) for serial in list(play.fleet.members)[n % 4 : n % 4 + 1]],
    "beat": lambda play, n: play.beat(1, requests=n * 10),
    "reload": lambda play, n: play.fleet.reload(play.now_s, "x"),
    "resize": lambda play, n: play.fleet.resize(n % 3 - 1, play.now_s, most=4),
}


@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 40)), max_size=40),
    st.booleans(),
)
def test_whatever_happens(workers: int, steps: list[tuple[str, int]], is_developing: bool) -> None:
    play = Play(workers=workers, start_timeout=6.0, stuck_timeout=4.0, recycle_requests=200, reload=is_developing)
    play.after()
    for name, number in steps:
        if play.fleet.is_stopping:
            break
        STEPS[name](play, number)
        members = play.fleet.members.values()
        starting = [m.seat for m in members if m.phase is Phase.STARTING]
        ready = [m.seat for m in members if m.phase is Phase.READY]
        assert len(starting) == len(set(starting))
        assert len(ready) == len(set(ready))
        assert len(set(starting) & set(ready)) <= 1  # one successor at a time
        assert set(starting) | set(ready) <= set(range(1, play.fleet.size + 1))
    play.fleet.stop(play.now_s)
    play.after()
    play.after(DRAIN_S + FAREWELL_S)
    assert all(member.is_killed for member in play.fleet.members.values())
    last = [order for serial in list(play.fleet.members) for order in play.ended(serial)] or play.after()
    assert last[-1] in ("finish 0", "finish 3")
