import re
import string

import pytest

from portico.workers.events import ROUTINE, TEXTS, Event, Kind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_the_same_facts_in_both_languages(kind: Kind) -> None:
    facts = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in TEXTS[kind]]
    assert facts[0] == facts[1] <= set(Event._fields)


def test_text() -> None:
    event = Event(Kind.LOST, number=2, pid=77, reason="SIGSEGV")
    assert event.text() == "worker 2, process 77, ended unasked: SIGSEGV"
    assert event.text("zh") == "工作进程 2（进程号 77）意外退出：SIGSEGV"


def test_braces_in_a_reason_stay() -> None:
    assert Event(Kind.FAILED, number=1, reason="{x} {0}").text() == "worker 1 did not start: {x} {0}"


def test_troubles_are_no_routine() -> None:
    assert ROUTINE.isdisjoint({Kind.FAILED, Kind.LOST, Kind.STUCK, Kind.KILLED, Kind.ROLLED_BACK, Kind.RECYCLED})


@pytest.mark.parametrize("kind", [Kind.RESIZED, Kind.CUT, Kind.KILLED, Kind.RELOADED])
def test_one_is_no_plural(kind: Kind) -> None:
    assert not re.search(r"(?<!of )\b1 (workers|requests)", Event(kind, number=2, pid=77, amount=1).text())
