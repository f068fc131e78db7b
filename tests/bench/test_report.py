"""The report keeps the last run of every suite; its bars say what was promised and what was measured."""

from collections import Counter

import pytest
from bench.bars import Bar, Results, best_ratio, cpu, fetch_ratio, ratio, turned_away
from bench.cases import Case
from bench.crowd import Crowd
from bench.fetch import Fetch
from bench.parts import PARTS
from bench.process import Memory
from bench.report import sections_of, suite_section, table, with_sections
from bench.rooms import Talk
from bench.rounds import Outcome, Plan
from bench.sample import Answered, Sample
from bench.suites import SUITES

PLAN = Plan(1, 1.0)


def sample(cpu_us: float) -> Sample:
    """Return a sample of one second with a thousand requests."""
    return Sample(Answered(1_000, 1.0, 0, cpu_us / 1e3), Memory(0, 0))


def results(**servers: list[float]) -> Results:
    """Return results of the case "asgi". servers: CPU microseconds a request, one a round."""
    samples = {name: [sample(figure) for figure in figures] for name, figures in servers.items()}
    case = next(case for suite in SUITES for case in suite.cases if case.name == "asgi")
    return Results(PLAN, outcomes={"asgi": Outcome(case, samples)})


def test_a_new_section_takes_the_place_of_its_older_one_and_of_no_other() -> None:
    before = with_sections("", {"apps": "old apps\n", "static": "files\n"})
    after = with_sections(before, {"apps": "new apps\n"})
    assert sections_of(after) == {"static": "files\n", "apps": "new apps\n"}


def test_sections_are_in_the_order_of_the_suites_whichever_was_run_first() -> None:
    one_way = with_sections(with_sections("", {"frameworks": "f\n"}), {"static": "s\n"})
    assert one_way == with_sections(with_sections("", {"static": "s\n"}), {"frameworks": "f\n"})


def test_nothing_new_changes_nothing() -> None:
    text = with_sections("", {"static": "files\n"})
    assert with_sections(text, {}) == text


@pytest.mark.parametrize(
    ("bar", "row"),
    [
        (Bar("less", 0.5, ratio("asgi", cpu, "uvicorn")), ["less", "<= 0.5", "0.50", "met"]),
        (Bar("less", 0.4, ratio("asgi", cpu, "uvicorn")), ["less", "<= 0.4", "0.50", "**missed**"]),
        (Bar("more", 0.4, ratio("asgi", cpu, "uvicorn"), least=True), ["more", ">= 0.4", "0.50", "met"]),
        (Bar("best", 1.0, best_ratio("asgi", "uvicorn", "granian")), ["best", "<= 1", "0.67", "met"]),
        (Bar("best", 1.0, best_ratio("asgi", "uvicorn", "absent")), ["best", "<= 1", "0.50", "met"]),
        (Bar("gone", 1.0, ratio("asgi", cpu, "absent")), ["gone", "<= 1", "-", "not measured"]),
        (Bar("gone", 1.0, ratio("absent", cpu, "uvicorn")), ["gone", "<= 1", "-", "not measured"]),
    ],
)
def test_bars_compare_medians(bar: Bar, row: list[str]) -> None:
    assert bar.row(results(portico=[10, 90, 20], uvicorn=[40, 30, 99], granian=[30])) == row


def test_a_section_says_what_was_measured_and_why_something_was_not() -> None:
    found = results(portico=[10.0], uvicorn=[20.0])
    found.outcomes["asgi"].absent["granian"] = "hangs up"
    text = suite_section(next(suite for suite in SUITES if suite.name == "apps"), found)
    assert "| portico | 1000 | 10.0 | 0.50 |" in text
    assert "granian: not measured - hangs up." in text


def test_names_of_parts_are_unique_so_that_case_chooses_one() -> None:
    names = [part for suite in SUITES for part in (*(case.name for case in suite.cases), *suite.extra)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("case", [case for suite in SUITES for case in suite.cases], ids=lambda case: case.name)
def test_every_case_has_us_and_its_yardstick_among_its_servers(case: Case) -> None:
    assert {"portico", case.yardstick} <= {server.name for server in case.servers}


def test_a_table_has_its_first_column_to_the_left() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def crowd(**failures: int) -> Crowd:
    return Crowd(100, 0.5, 1.5, 0.25, 3 << 20, Counter(failures))


def test_whoever_is_not_greeted_counts_whatever_the_reason() -> None:
    found = Results(PLAN)
    assert turned_away(found) is None
    found.crowds["portico"] = [crowd(), crowd()]
    assert turned_away(found) == 0
    found.crowds["portico"] += [crowd(late=2, cut=1)]
    assert turned_away(found) == 3


def test_downloads_are_compared_by_their_medians() -> None:
    found = Results(PLAN, fetches={"portico": [Fetch(1, 1), Fetch(1, 9), Fetch(1, 3)], "curl": [Fetch(1, 2)]})
    assert fetch_ratio("curl")(found) == 1.5
    assert fetch_ratio("httpx")(found) is None


def test_the_section_of_services_has_crowds_and_downloads_and_says_who_is_missing() -> None:
    found = Results(PLAN, crowds={"portico": [crowd(late=2), crowd(late=1, cut=1)]}, crowds_absent={"uvloop": "ended"})
    found.fetches = {"portico": [Fetch(2.0, 0.5)], "curl": [Fetch(1.0, 1.0)]}
    found.fetches_absent = {"httpx": "status 1"}
    text = suite_section(next(suite for suite in SUITES if suite.name == "services"), found)
    assert "| portico | 100 | 0.50 (0.50 - 0.50) | 1.50 (1.50 - 1.50) | " in text
    assert "| 0.25 (0.25 - 0.25) | 3.0 | 3 late, 1 cut |" in text
    assert "uvloop: not measured - ended." in text
    assert "| portico | 0.50 | 0.50 | 2.00 | 537 |" in text
    assert "httpx: not measured - status 1." in text


def test_a_suite_has_no_part_that_nobody_measures() -> None:
    assert {part for suite in SUITES for part in suite.extra} <= set(PARTS)


def test_the_section_of_the_chat_has_delays_and_what_was_lost() -> None:
    turns = [
        Talk(1.0, 500, [1.0] * 90 + [200.0] * 10, lost, 1, 0.5, memory << 20) for lost, memory in ((0, 50), (2, 51))
    ]
    found = Results(PLAN, talks={"portico": turns}, talks_absent={"websockets": "the server hung up"})
    text = suite_section(next(suite for suite in SUITES if suite.name == "chat"), found)
    assert "| portico | 500 | 100 | 1.0 (1.0 - 1.0) | 200.0 (200.0 - 200.0) | 200.0 (200.0 - 200.0) | " in text
    assert "| 50 % | 51.0, 51.0 | 2, 2 |" in text
    assert "websockets: not measured - the server hung up." in text
    assert "| Delay from due to delivered, p99 of the worst turn | <= 150 ms | 200.00 ms | **missed** |" in text
    assert "| Deliveries lost or repeated | <= 0 | 4.00 | **missed** |" in text
    assert "svg" not in text
