"""Opening hours: spans, exceptions, zones, clocks that are set forward and back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.chat.events import Rejected
from portico.apps.chat.hours import ALWAYS, DAYS, Hours, is_open, next_opening, read_hours, write_hours

OFFICE = {
    "zone": "+08:00",
    "week": {day: [["09:00", "12:00"], ["13:30", "18:00"]] for day in DAYS[:5]},
    "days": {"2026-10-01": [], "2026-10-10": [["10:00", "11:00"]]},
}
BAR = {"week": {"fri": [["20:00", "03:00"]], "sat": [["20:00", "24:00"]]}}
BERLIN = {"zone": "Europe/Berlin", "week": {"sun": [["01:00", "04:00"]]}}


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


MOMENTS = [
    # 5 January 2026 is a Monday.
    (OFFICE, "2026-01-05T08:59:59+08:00", False, "2026-01-05T09:00+08:00"),
    (OFFICE, "2026-01-05T09:00:00+08:00", True, "2026-01-05T09:00+08:00"),
    (OFFICE, "2026-01-05T11:59:59+08:00", True, "2026-01-05T11:59:59+08:00"),
    (OFFICE, "2026-01-05T12:00:00+08:00", False, "2026-01-05T13:30+08:00"),
    (OFFICE, "2026-01-09T18:00:00+08:00", False, "2026-01-12T09:00+08:00"),
    (OFFICE, "2026-01-05T01:30:00+00:00", True, "2026-01-05T01:30+00:00"),
    (OFFICE, "2026-10-01T10:00:00+08:00", False, "2026-10-02T09:00+08:00"),
    (OFFICE, "2026-10-10T10:30:00+08:00", True, "2026-10-10T10:30+08:00"),
    (OFFICE, "2026-10-09T20:00:00+08:00", False, "2026-10-10T10:00+08:00"),
    (BAR, "2026-01-09T19:00:00+00:00", False, "2026-01-09T20:00+00:00"),
    (BAR, "2026-01-10T02:59:00+00:00", True, "2026-01-10T02:59+00:00"),
    (BAR, "2026-01-10T03:00:00+00:00", False, "2026-01-10T20:00+00:00"),
    (BAR, "2026-01-11T00:00:00+00:00", False, "2026-01-16T20:00+00:00"),
    # 29 March 2026: 02:00 becomes 03:00, so that three hours on the wall are two; 25 October: 03:00 becomes 02:00.
    (BERLIN, "2026-03-29T00:00:00+00:00", True, "2026-03-29T00:00+00:00"),
    (BERLIN, "2026-03-29T01:59:00+00:00", True, "2026-03-29T01:59+00:00"),
    (BERLIN, "2026-03-29T02:00:00+00:00", False, "2026-04-04T23:00+00:00"),
    (BERLIN, "2026-10-25T02:59:00+00:00", True, "2026-10-25T02:59+00:00"),
    (BERLIN, "2026-10-25T03:00:00+00:00", False, "2026-11-01T00:00+00:00"),
    ({}, "2026-01-05T00:00:00+00:00", True, "2026-01-05T00:00+00:00"),
    (None, "2026-01-05T23:59:59+00:00", True, "2026-01-05T23:59:59+00:00"),
    ({"week": {}}, "2026-01-05T12:00:00+00:00", False, None),
    (
        {"week": {"wed": [["15:00", "16:00"], ["08:00", "09:00"]]}},
        "2026-01-05T00:00+00:00",
        False,
        "2026-01-07T08:00+00:00",
    ),
    ({"days": {"2026-12-24": [["09:00", "10:00"]]}}, "2026-01-05T12:00:00+00:00", False, "2026-12-24T09:00+00:00"),
]


@pytest.mark.parametrize(("value", "moment", "is_there", "opens"), MOMENTS)
def test_a_moment(value: object, moment: str, is_there: bool, opens: str | None) -> None:
    hours = read_hours(value)
    assert is_open(hours, at(moment)) is is_there
    assert next_opening(hours, at(moment)) == (None if opens is None else at(opens))


@pytest.mark.parametrize("value", [None, {}, OFFICE, BAR, BERLIN, {"zone": "-03:30", "week": {"mon": []}}])
def test_what_is_written_is_read_as_the_same(value: object) -> None:
    hours = read_hours(value)
    assert read_hours(write_hours(hours)) == hours


def test_always_is_every_moment_of_the_week() -> None:
    assert write_hours(ALWAYS)["week"] == {day: [["00:00", "24:00"]] for day in DAYS}


BAD = [
    ("hours", "are an object"),
    ([], "are an object"),
    ({"zone": 8}, "zone is a text"),
    ({"week": []}, "week and days are objects"),
    ({"days": []}, "week and days are objects"),
    ({"zone": "Mars/Olympus"}, "'Mars/Olympus' is not known here"),
    ({"zone": "../../etc/passwd"}, "is not known here"),
    ({"zone": "/etc/passwd"}, "is not known here"),
    ({"zone": ""}, "is not known here"),
    ({"zone": "Europe"}, "is not known here"),
    ({"zone": "+25:00"}, "is not known here"),
    ({"week": {"monday": []}}, "'monday' is no day"),
    ({"week": {"mon": {}}}, "a list of at most 8 spans"),
    ({"week": {"mon": [["09:00", "10:00"]] * 9}}, "a list of at most 8 spans"),
    ({"week": {"mon": ["09:00"]}}, "a start and an end"),
    ({"week": {"mon": [["09:00"]]}}, "a start and an end"),
    ({"week": {"mon": [["9:00", "18:00"]]}}, "'9:00' is no time of day"),
    ({"week": {"mon": [["09:00", "24:01"]]}}, "'24:01' is no time of day"),
    ({"week": {"mon": [["09:00", 18]]}}, "'18' is no time of day"),
    ({"week": {"mon": [["09:00", "09:00"]]}}, "has some length"),
    ({"week": {"mon": [["24:00", "09:00"]]}}, "starts before 24:00"),
    ({"days": {"1 October": []}}, "'1 October' is no day"),
    ({"days": {f"2026-{month:02}-{day:02}": [] for month in range(1, 13) for day in range(1, 29)}}, None),
    ({"days": {f"20{year}-01-{day:02}": [] for year in range(20, 40) for day in range(1, 29)}}, "560 exceptions"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_what_is_no_hours(value: object, message: str | None) -> None:
    if message is None:
        assert len(read_hours(value).days) == 336
        return
    with pytest.raises(Rejected) as caught:
        read_hours(value)
    assert caught.value.code == "bad_hours"
    assert message in str(caught.value)


SPAN = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda span: span[0] != span[1])
HOURS = st.builds(
    Hours,
    zone=st.sampled_from(["UTC", "+08:00", "-09:30", "Asia/Shanghai", "America/New_York"]),
    week=st.tuples(*[st.lists(SPAN, max_size=2).map(tuple)] * 7),
    days=st.dictionaries(st.dates(datetime(2026, 1, 1).date(), datetime(2026, 12, 31).date()), st.just(())),
)


@given(HOURS, st.integers(at("2026-02-01T00:00+00:00"), at("2026-11-01T00:00+00:00")))
def test_the_desk_is_open_when_it_opens_and_not_before(hours: Hours, moment: int) -> None:
    opens = next_opening(hours, moment)
    assert is_open(hours, moment) is (opens == moment)
    if opens is not None:
        assert is_open(hours, opens)
        assert opens >= moment
        assert opens == moment or not is_open(hours, (moment + opens) // 2 if opens - moment > 1 else moment)
    assert datetime.fromtimestamp(moment / 1000, UTC).year == 2026
