"""Dates: the RFC's own examples, the edges of the calendar, and the standard library as a second opinion."""

from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.dates import FIRST_S, LAST_S, format_date, parse_date

RFC_EXAMPLE_S = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT
NOW_S = 1_735_689_600  # Wed, 01 Jan 2025 00:00:00 GMT
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("epoch_s", "text"),
    [
        (RFC_EXAMPLE_S, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (FIRST_S, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (FIRST_S - 1, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (LAST_S, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (2**40, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (-(2**70), "Mon, 01 Jan 0001 00:00:00 GMT"),
    ],
)
def test_format(epoch_s: int, text: str) -> None:
    assert format_date(epoch_s) == text


@given(st.integers(0, LAST_S))
def test_format_agrees_with_the_standard_library(epoch_s: int) -> None:
    assert format_date(epoch_s) == formatdate(epoch_s, usegmt=True)


@given(st.integers(FIRST_S, LAST_S))
def test_all_three_forms_are_read_back(epoch_s: int) -> None:
    moment = EPOCH + timedelta(seconds=epoch_s)
    imf = format_date(epoch_s)
    weekday, day, month, year, clock = imf[:3], imf[5:7], imf[8:11], imf[12:16], imf[17:25]
    assert parse_date(imf, NOW_S) == epoch_s
    assert parse_date(f"{weekday} {month} {int(day):2} {clock} {year}", NOW_S) == epoch_s
    assert parse_date(f"{moment:%A}, {day}-{month}-{year[2:]} {clock} GMT", epoch_s) == epoch_s


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_forms_of_rfc_9110(text: str) -> None:
    assert parse_date(text, NOW_S) == RFC_EXAMPLE_S


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"),  # the weekday need not match
        ("Sat, 31 Dec 2016 23:59:60 GMT", "Sun, 01 Jan 2017 00:00:00 GMT"),  # a leap second
        ("Sun Nov 06 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Tue, 29 Feb 2000 12:00:00 GMT", "Tue, 29 Feb 2000 12:00:00 GMT"),
    ],
)
def test_what_is_tolerated(text: str, same: str) -> None:
    seconds = parse_date(text, NOW_S)
    assert seconds is not None
    assert format_date(seconds) == same


@pytest.mark.parametrize(
    ("text", "now", "year"),
    [
        ("Sunday, 06-Nov-94 08:49:37 GMT", "Wed, 01 Jan 2025 00:00:00 GMT", 1994),
        ("Sunday, 06-Nov-74 08:49:37 GMT", "Wed, 01 Jan 2025 00:00:00 GMT", 2074),
        ("Sunday, 06-Nov-76 08:49:37 GMT", "Wed, 01 Jan 2025 00:00:00 GMT", 1976),
        # Exactly 50 years ahead is not more than 50 years ahead; a second later is.
        ("Sunday, 06-Nov-75 08:49:37 GMT", "Wed, 06 Nov 2025 08:49:37 GMT", 2075),
        ("Sunday, 06-Nov-75 08:49:38 GMT", "Wed, 06 Nov 2025 08:49:37 GMT", 1975),
        ("Sunday, 07-Nov-75 00:00:00 GMT", "Wed, 06 Nov 2025 08:49:37 GMT", 1975),
        ("Sunday, 06-Nov-05 08:49:37 GMT", "Wed, 01 Jan 2099 00:00:00 GMT", 2105),
        ("Saturday, 01-Jan-00 00:00:00 GMT", "Fri, 31 Dec 1999 23:59:59 GMT", 2000),
    ],
)
def test_two_digit_years_follow_the_present(text: str, now: str, year: int) -> None:
    now_s = parse_date(now, 0)
    assert now_s is not None
    seconds = parse_date(text, now_s)
    assert seconds is not None
    assert (EPOCH + timedelta(seconds=seconds)).year == year


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 30 Feb 2000 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",  # digits, but not ASCII
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 31-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  0 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text, NOW_S) is None


@given(st.text(), st.integers())
def test_no_text_raises(text: str, now_s: int) -> None:
    assert parse_date(text, now_s) is None


@given(st.integers(0, 99), st.integers())
def test_no_present_raises(short_year: int, now_s: int) -> None:
    seconds = parse_date(f"Friday, 28-Feb-{short_year:02} 00:00:00 GMT", now_s)
    assert seconds is None or format_date(seconds).startswith("28 Feb", 5) or seconds > LAST_S
    if short_year % 4:
        assert parse_date(f"Friday, 29-Feb-{short_year:02} 00:00:00 GMT", now_s) is None
