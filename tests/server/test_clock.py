import time
from collections.abc import Callable

import pytest

from portico.server.clock import Clock, Wheel


class Item:
    """Something with a deadline that can be moved."""

    def __init__(self, due_s: float, act: Callable[[], object] = bool) -> None:
        self.bucket = -1
        self.due_s = due_s
        self.asked: list[float] = []
        self._act = act

    def check(self, now_s: float) -> float | None:
        """Act once it is due."""
        self.asked.append(now_s)
        if now_s < self.due_s:
            return self.due_s
        self._act()
        return None


def test_a_clock_stands_still_between_ticks() -> None:
    now = [5.0]
    clock = Clock(lambda: now[0], lambda: 784111777 + now[0])
    now[0] = 6.5
    assert clock.now_s == 5.0
    clock.tick()
    assert clock.now_s == 6.5


def test_the_date_is_the_same_object_until_the_second_changes() -> None:
    now = [784111777.0]
    clock = Clock(lambda: 0.0, lambda: now[0])
    first = clock.date_line
    assert first == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    now[0] += 0.9
    clock.tick()
    assert clock.date_line is first
    now[0] += 0.2
    clock.tick()
    assert clock.date_line == b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


def test_a_clock_tells_the_time() -> None:
    before = time.monotonic()
    assert before <= Clock().now_s <= time.monotonic()


def test_a_deadline_is_asked_after_it_and_within_one_tick() -> None:
    wheel = Wheel(0.5)
    items = [Item(at / 10) for at in range(100)]
    for item in items:
        wheel.add(item, item.due_s)
    for tick in range(21):
        wheel.turn(tick * 0.5)
    assert all(len(item.asked) == 1 and item.due_s < item.asked[0] <= item.due_s + 0.5 for item in items)
    assert all(item.bucket == -1 for item in items)


def test_a_deadline_that_moved_later_costs_one_more_question() -> None:
    wheel = Wheel(1)
    item = Item(10)
    wheel.add(item, 3)
    for now_s in range(20):
        wheel.turn(now_s)
    assert item.asked == [4, 11]


def test_only_an_earlier_deadline_moves_an_item() -> None:
    wheel = Wheel(1)
    item = Item(0)
    wheel.add(item, 10)
    bucket = item.bucket
    wheel.hasten(item, 20)
    assert item.bucket == bucket
    wheel.hasten(item, 2)
    wheel.turn(3)
    assert item.asked == [3]


def test_what_is_discarded_is_never_asked() -> None:
    wheel = Wheel(1)
    gone, kept, alone = Item(0), Item(0), Item(0)
    for item, at_s in ((gone, 1), (kept, 1), (alone, 2)):
        wheel.add(item, at_s)
    wheel.discard(gone)
    wheel.discard(gone)
    wheel.discard(alone)
    wheel.turn(100)
    assert (gone.asked, kept.asked, alone.asked) == ([], [100], [])


def test_a_deadline_in_the_past_is_asked_at_the_next_turn() -> None:
    wheel = Wheel(1)
    wheel.turn(50)
    item = Item(0)
    wheel.add(item, 3)
    wheel.turn(50)
    assert item.asked == []
    wheel.turn(51)
    assert item.asked == [51]


def test_one_item_may_discard_another_that_is_due() -> None:
    wheel = Wheel(1)
    other = Item(0)
    wheel.add(Item(0, lambda: wheel.discard(other)), 1)
    wheel.add(other, 2)
    wheel.turn(10)
    assert other.asked == []


def test_an_item_that_was_discarded_while_it_was_asked_stays_away() -> None:
    class Leaving(Item):
        def check(self, now_s: float) -> float:
            super().check(now_s)
            wheel.discard(self)
            return now_s + 1

    wheel, item = Wheel(1), Leaving(0)
    wheel.add(item, 1)
    wheel.turn(10)
    wheel.turn(20)
    assert item.asked == [10]


def test_an_item_that_was_added_while_it_was_asked_is_asked_when_that_said() -> None:
    class Staying(Item):
        def check(self, now_s: float) -> float:
            super().check(now_s)
            wheel.add(self, now_s + 5)
            return now_s + 1

    wheel, item = Wheel(1), Staying(0)
    wheel.add(item, 1)
    for now_s in range(10, 17):
        wheel.turn(now_s)
    assert item.asked == [10, 16]


def test_an_item_that_fails_takes_no_other_with_it() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    wheel, others, failing = Wheel(1), [Item(0) for _ in range(20)], Item(0, fail)
    for item in (*others[:10], failing, *others[10:]):
        wheel.add(item, 1)
    with pytest.raises(ZeroDivisionError):
        wheel.turn(10)
    wheel.turn(11)
    assert [len(item.asked) for item in (*others, failing)] == [1] * 21
