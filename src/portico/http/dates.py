"""HTTP dates: seconds since 1970 to text and back (RFC 9110 section 5.6.7).

In: whole seconds of UTC; out: an IMF-fixdate. In: any of the three forms a peer may send; out: seconds or None.
Time comes in as an argument. The calendar is the proleptic Gregorian one, by arithmetic: it cannot overflow,
knows no time zone and loads nothing.
"""

import re

FIRST_S = -62_135_596_800  # Mon, 01 Jan 0001 00:00:00 GMT
LAST_S = 253_402_300_799  # Fri, 31 Dec 9999 23:59:59 GMT

_DAY_S = 86_400
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_WEEKDAY = f"(?:{'|'.join(_WEEKDAYS)})"
_LONG_WEEKDAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = f"({'|'.join(_MONTHS)})"
_CLOCK = "([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"

_IMF_FIXDATE = re.compile(f"{_WEEKDAY}, ([0-9]{{2}}) {_MONTH} ([0-9]{{4}}) {_CLOCK} GMT")
_RFC850 = re.compile(f"{_LONG_WEEKDAY}, ([0-9]{{2}})-{_MONTH}-([0-9]{{2}}) {_CLOCK} GMT")
_ASCTIME = re.compile(f"{_WEEKDAY} {_MONTH} ([0-9]{{2}}| [0-9]) {_CLOCK} ([0-9]{{4}})")


def format_date(epoch_s: int) -> str:
    """Write a time as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`.

    epoch_s: seconds since 1970-01-01 UTC, any integer; before year 1 or after year 9999 the nearest
    date that can be written is (a file's time may be anything).
    """
    days, second = divmod(min(max(epoch_s, FIRST_S), LAST_S), _DAY_S)
    year, month, day = _civil_from_days(days)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    # 1970-01-01 was a Thursday.
    weekday = _WEEKDAYS[(days + 3) % 7]
    return f"{weekday}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_date(text: str, now_s: int) -> int | None:
    """Read any of the three date forms, strictly: exact spacing, exact case, GMT.

    text: a field value. now_s: the present, which gives a two-digit year its century.
    Returns seconds since 1970-01-01 UTC; None for anything that is not a date. The day of the week
    must be one but need not be the right one. A leap second counts as the first second after it.
    """
    if match := _IMF_FIXDATE.fullmatch(text):
        day, month, year, *clock = match.groups()
        return _epoch(int(year), _MONTH_NUMBERS[month], int(day), clock=clock)
    if match := _RFC850.fullmatch(text):
        day, month, year, *clock = match.groups()
        return _epoch_in_window(int(year), _MONTH_NUMBERS[month], int(day), clock=clock, now_s=now_s)
    if match := _ASCTIME.fullmatch(text):
        month, day, *clock, year = match.groups()
        return _epoch(int(year), _MONTH_NUMBERS[month], int(day), clock=clock)
    return None


def _epoch(year: int, month: int, day: int, *, clock: list[str]) -> int | None:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = _MONTH_DAYS[month - 1] + (is_leap and month == 2)
    if year < 1 or not 1 <= day <= last:
        return None
    hour, minute, second = map(int, clock)
    return _days_from_civil(year, month, day) * _DAY_S + hour * 3600 + minute * 60 + second


def _epoch_in_window(short_year: int, month: int, day: int, *, clock: list[str], now_s: int) -> int | None:
    """Read a two-digit year as the latest such year not more than 50 years ahead (RFC 9110 5.6.7)."""
    now_days, now_second = divmod(min(max(now_s, FIRST_S), LAST_S), _DAY_S)
    now_year, now_month, now_day = _civil_from_days(now_days)
    horizon = now_year + 50
    year = horizon - (horizon - short_year) % 100
    hour, minute, second = map(int, clock)
    place_in_year = (month, day, hour * 3600 + minute * 60 + second)
    if year == horizon and place_in_year > (now_month, now_day, now_second):
        year -= 100
    return _epoch(year, month, day, clock=clock)


# Both below count years from 1 March, so that the leap day is the last of its year, in eras of 400 years
# (146 097 days). 719 468 is the number of days from 0000-03-01 to 1970-01-01.


def _civil_from_days(days: int) -> tuple[int, int, int]:
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def _days_from_civil(year: int, month: int, day: int) -> int:
    era, year_of_era = divmod(year - (month <= 2), 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + 365 * year_of_era + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
