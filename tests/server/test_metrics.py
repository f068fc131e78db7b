"""What is counted, and under which name it is found."""

import pytest

from portico import __version__
from portico.server.metrics import BOUNDS_S, DROP_REASONS, Metrics
from portico.server.samples import FAMILIES, family_of, render

CODE = 'portico_requests_total{{code="{}"}}'
REASON = 'portico_drops_total{{reason="{}"}}'
LE = 'portico_request_duration_seconds_bucket{{le="{}"}}'


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, "2xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (599, "5xx"), (101, "1xx"), (0, "cut"), (-1, "cut")],
)
def test_requests_by_class_of_status(status: int, code: str) -> None:
    metrics = Metrics()
    metrics.count(status, 0.0, 0)
    found = metrics.snapshot()
    assert [name for name in found if name.startswith("portico_requests_total") and found[name]] == [CODE.format(code)]


def test_durations_fall_into_their_buckets_and_all_above() -> None:
    metrics = Metrics()
    for duration_s in (0.0, 0.0001, 0.00011, 0.03, 31.0):
        metrics.count(200, duration_s, 10)
    found = metrics.snapshot()
    assert [found[LE.format(bound)] for bound in ("0.0001", "0.0005", "0.025", "0.05", "30.0", "+Inf")] == [
        *(2, 3, 3, 4, 4, 5)
    ]
    assert found["portico_request_duration_seconds_count"] == 5
    assert found["portico_request_duration_seconds_sum"] == pytest.approx(31.03021)
    assert found["portico_sent_body_bytes_total"] == 50


def test_the_bounds_rise() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, "timeout"),
        (500, "failed"),
        (503, "overload"),
        (400, "malformed"),
        (200, "incomplete"),
        (0, "gone"),
        (-1, "gone"),
    ],
)
def test_requests_that_went_wrong(status: int, reason: str) -> None:
    metrics = Metrics()
    metrics.drop_request(status)
    assert metrics.snapshot()[REASON.format(reason)] == 1
    assert reason in DROP_REASONS


@pytest.mark.parametrize(
    ("status", "reason"), [(408, "timeout"), (429, "connections"), (503, "connections"), (400, "malformed")]
)
def test_connections_that_were_refused(status: int, reason: str) -> None:
    metrics = Metrics()
    metrics.drop_connection(status)
    metrics.drop_connection(status)
    assert metrics.snapshot()[REASON.format(reason)] == 2
    assert reason in DROP_REASONS


def test_figures_that_are_asked_for() -> None:
    metrics = Metrics()
    open_connections: list[str] = []
    metrics.watch("portico_connections", lambda: 99)
    metrics.watch("portico_connections", lambda: len(open_connections))
    open_connections.append("one")
    assert metrics.snapshot()["portico_connections"] == 1


def test_every_sample_has_a_family_and_is_there_from_the_start() -> None:
    found = Metrics().snapshot()
    assert {family_of(name)[0] for name in found} <= set(FAMILIES)
    assert found[f'portico_info{{version="{__version__}"}}'] == 1
    assert {name for name in found if name.startswith("portico_drops")} == {
        REASON.format(each) for each in DROP_REASONS
    }
    assert f'portico_info{{version="{__version__}"}} 1\n' in render(found)


def test_the_processs_own_figures() -> None:
    one = Metrics().snapshot()
    two = Metrics().snapshot()
    assert 0 < one["process_cpu_seconds_total"] <= two["process_cpu_seconds_total"]
    assert 1.7e9 < one["process_start_time_seconds"] <= two["process_start_time_seconds"]
