"""Names, sums and the text format, each as Prometheus's own documents have it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.samples import FAMILIES, Ledger, family_of, merge, render, sample


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({}, "portico_info"),
        ({"version": "1.0"}, 'portico_info{version="1.0"}'),
        ({"a": "1", "b": "2"}, 'portico_info{a="1",b="2"}'),
        ({"a": 'C:\\DIR\\"\n'}, 'portico_info{a="C:\\\\DIR\\\\\\"\\n"}'),
    ],
)
def test_names(labels: dict[str, str], name: str) -> None:
    assert sample("portico_info", **labels) == name


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ('portico_requests_total{code="2xx"}', "portico_requests_total"),
        ('portico_request_duration_seconds_bucket{le="0.1"}', "portico_request_duration_seconds"),
        ("portico_request_duration_seconds_sum", "portico_request_duration_seconds"),
        ("portico_request_duration_seconds_count", "portico_request_duration_seconds"),
    ],
)
def test_families(name: str, family: str) -> None:
    assert family_of(name) == (family, FAMILIES[family])


def test_an_unknown_sample_belongs_to_no_family() -> None:
    assert family_of("other")[1].help == ""


def test_several_processes_come_to() -> None:
    one = {"portico_connections": 2.0, "process_start_time_seconds": 20.0, 'portico_info{version="1"}': 1.0}
    two = {"portico_connections": 3.0, "process_start_time_seconds": 10.0, 'portico_info{version="1"}': 1.0}
    three = {"portico_websockets": 1.0}
    assert merge([one, two, three]) == {
        "portico_connections": 5.0,
        "process_start_time_seconds": 10.0,
        'portico_info{version="1"}': 1.0,
        "portico_websockets": 1.0,
    }
    assert merge([{"portico_threads": 1}, {"portico_threads": 2}]) == {"portico_threads": 3}
    assert merge([]) == {}


def test_what_is_counted_never_falls_and_what_is_measured_goes_with_its_worker() -> None:
    ledger = Ledger()
    ledger.report(1, {'portico_requests_total{code="2xx"}': 5.0, "portico_connections": 2.0})
    ledger.report(2, {'portico_requests_total{code="2xx"}': 1.0, "portico_connections": 1.0})
    ledger.report(1, {'portico_requests_total{code="2xx"}': 7.0, "portico_connections": 3.0})
    assert ledger.snapshot() == {'portico_requests_total{code="2xx"}': 8.0, "portico_connections": 4.0}
    ledger.retire(1)
    assert ledger.snapshot() == {'portico_requests_total{code="2xx"}': 8.0, "portico_connections": 1.0}
    ledger.retire(2)
    ledger.retire(2)
    assert ledger.snapshot() == {'portico_requests_total{code="2xx"}': 8.0}


def test_the_text() -> None:
    text = render(
        {
            "portico_request_duration_seconds_sum": 1.5,
            'portico_requests_total{code="2xx"}': 3.0,
            'portico_requests_total{code="4xx"}': 0,
            'portico_request_duration_seconds_bucket{le="+Inf"}': 3,
            "unknown": 1,
        }
    )
    assert text == (
        "# HELP portico_requests_total Requests that ended, by class of status; cut: without an answer.\n"
        "# TYPE portico_requests_total counter\n"
        'portico_requests_total{code="2xx"} 3\n'
        'portico_requests_total{code="4xx"} 0\n'
        "# HELP portico_request_duration_seconds From a request's head to the last byte of its answer.\n"
        "# TYPE portico_request_duration_seconds histogram\n"
        "portico_request_duration_seconds_sum 1.5\n"
        'portico_request_duration_seconds_bucket{le="+Inf"} 3\n'
    )
    assert render({}) == ""


def test_names_and_helps_are_what_the_format_allows() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"[a-z_]+", name)
        assert family.help.isprintable()
        assert "\\" not in family.help
        assert name.endswith("_total") is (family.kind == "counter")


@given(st.text())
def test_a_label_never_leaves_its_line_or_its_quotes(value: str) -> None:
    name = sample("portico_info", version=value)
    inner = name.removeprefix('portico_info{version="').removesuffix('"}')
    assert "\n" not in name
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner)
