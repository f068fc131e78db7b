"""Opening hours: whether a desk is open at a moment, and when it opens next. Pure.

In: what an operator has set, as JSON has it, and moments in milliseconds since 1970. Out: `Hours`, yes or no, moments.

    {"zone": "Asia/Shanghai",
     "week": {"mon": [["09:00", "12:00"], ["13:30", "18:00"]], ...},      a day that is not there is closed
     "days": {"2026-10-01": [], "2026-10-10": [["09:00", "12:00"]]}}      in place of that day's rule

A span whose end is not behind its start goes on into the next day; "24:00" is the end of a day. Times are those of the
clock on the wall: where it is set forward or back, the desk opens and closes by it.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from portico.apps.chat.events import Rejected
from portico.errors import excerpt

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SPANS: Final = 8  # in a day
MAX_EXCEPTIONS: Final = 400
_SEARCHED_DAYS: Final = 400  # in which a desk opens again, or never does
_DAY_MINUTES: Final = 24 * 60
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_OFFSET: Final = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")

Spans = tuple[tuple[int, int], ...]  # minutes since the day's start


class Hours(NamedTuple):
    """When a desk is open. week: seven days from Monday. days: exceptions. Made by `read_hours`."""

    zone: str
    week: tuple[Spans, ...]
    days: Mapping[date, Spans]


ALWAYS: Final = Hours("UTC", (((0, _DAY_MINUTES),),) * 7, {})


def read_hours(value: object) -> Hours:
    """Read opening hours. value: as JSON has them; None and {} for always open. Raises Rejected "bad_hours"."""
    if value is None or value == {}:
        return ALWAYS
    if not isinstance(value, dict):
        raise _bad("hours are an object with zone, week and days")
    zone, week, days = value.get("zone", "UTC"), value.get("week", {}), value.get("days", {})
    if not isinstance(zone, str) or not isinstance(week, dict) or not isinstance(days, dict):
        raise _bad("zone is a text, week and days are objects")
    find_zone(zone)
    unknown = sorted(str(name) for name in week if name not in DAYS)
    if unknown:
        raise _bad(f"{excerpt(unknown[0])} is no day; {', '.join(DAYS)} are")
    if len(days) > MAX_EXCEPTIONS:
        raise _bad(f"{len(days)} exceptions; {MAX_EXCEPTIONS} are allowed")
    spans = tuple(_read_spans(week.get(name, [])) for name in DAYS)
    return Hours(zone, spans, {_read_day(name): _read_spans(days[name]) for name in sorted(days)})


def write_hours(hours: Hours) -> dict[str, Any]:
    """Return hours as `read_hours` reads them."""
    week = {name: _write_spans(spans) for name, spans in zip(DAYS, hours.week, strict=True) if spans}
    days = {day.isoformat(): _write_spans(spans) for day, spans in hours.days.items()}
    return {"zone": hours.zone, "week": week, "days": days}


def is_open(hours: Hours, at_ms: int) -> bool:
    """Tell whether the desk is open at a moment."""
    return any(start <= at_ms < end for start, end in _spans_from(hours, at_ms, days=1))


def next_opening(hours: Hours, at_ms: int) -> int | None:
    """Return when the desk opens: `at_ms` itself where it is open, None where it stays closed for over a year."""
    starts = [max(start, at_ms) for start, end in _spans_from(hours, at_ms, days=1) if end > at_ms]
    if starts:
        return min(starts)
    return next((start for start, _ in _spans_from(hours, at_ms, days=_SEARCHED_DAYS) if start > at_ms), None)


def find_zone(name: str) -> tzinfo:
    """Return a zone by its name: UTC, an offset as +08:00, or one of the IANA database. Raises Rejected "bad_hours"."""
    if name == "UTC":
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:  # its name is a path: of a folder, outside, or not there
        raise _bad(f"the zone {excerpt(name)} is not known here; write an offset as +08:00 instead") from exc


def _spans_from(hours: Hours, at_ms: int, *, days: int) -> Iterator[tuple[int, int]]:
    """Yield the spans, in milliseconds since 1970, of the day before a moment, its own, and `days` more."""
    zone = find_zone(hours.zone)
    today = datetime.fromtimestamp(at_ms / 1000, zone).date()
    for number in range(-1, days + 1):
        day = today + timedelta(days=number)
        for start, end in sorted(hours.days.get(day, hours.week[day.weekday()])):
            yield _moment(day, start, zone), _moment(day, end if end > start else end + _DAY_MINUTES, zone)


def _moment(day: date, minutes: int, zone: tzinfo) -> int:
    days, minutes = divmod(minutes, _DAY_MINUTES)
    clock = time(minutes // 60, minutes % 60)
    return int(datetime.combine(day + timedelta(days=days), clock, zone).timestamp() * 1000)


def _read_day(name: object) -> date:
    try:
        return date.fromisoformat(str(name))
    except ValueError as exc:
        raise _bad(f"{excerpt(str(name))} is no day; write it as 2026-10-01") from exc


def _read_spans(value: object) -> Spans:
    if not isinstance(value, list) or len(value) > MAX_SPANS:
        raise _bad(f"a day has a list of at most {MAX_SPANS} spans")
    return tuple(_read_span(span) for span in value)


def _read_span(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise _bad('a span has a start and an end, as ["09:00", "18:00"]')
    start, end = (_read_clock(clock) for clock in value)
    if start == end or start == _DAY_MINUTES:
        raise _bad("a span starts before 24:00 and has some length")
    return start, end


def _read_clock(value: object) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else _DAY_MINUTES + 1
    if minutes > _DAY_MINUTES:
        raise _bad(f"{excerpt(str(value))} is no time of day; write it as 09:00")
    return minutes


def _write_spans(spans: Spans) -> list[list[str]]:
    return [[f"{minutes // 60:02}:{minutes % 60:02}" for minutes in span] for span in spans]


def _bad(message: str) -> Rejected:
    return Rejected("bad_hours", message)
