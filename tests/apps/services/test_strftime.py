"""strftime: every directive agrees with the C library's; what is not in the table is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.services.question import Mistake
from portico.apps.services.strftime import DIRECTIVES, EXPANDED, compile_format, write_format

MOMENT = datetime(2024, 3, 5, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=8)))
# What is spoken here, and not by every C library.
OWN = "%C %D %F %h %k %l %P %R %r %s %T %e %g"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("hello", "hello"),
        ("%Y-%m-%d %X", "2024-03-05 07:08:09"),
        ("%Y年%m月%d日 %H时%M分%S秒", "2024年03月05日 07时08分09秒"),
        ("%Y年%-m月%-d日", "2024年3月5日"),
        ("😀%H😀", "😀07😀"),
        ("%%Y%%", "%Y%"),
        ("%H%M", "0708"),
        ("%a %A %b %B %h", "Tue Tuesday Mar March Mar"),
        ("%c", "Tue Mar  5 07:08:09 2024"),
        ("%x %X %D %F %T %R %r", "03/05/24 07:08:09 03/05/24 2024-03-05 07:08:09 07:08 07:08:09 AM"),
        ("%e|%k|%l|%I|%p|%P", " 5| 7| 7|07|AM|am"),
        ("%j %U %W %u %w %G %g %V %C %y", "065 09 10 2 2 2024 24 10 20 24"),
        ("%s %f", "1709593689 123456"),
        ("%z %Z", "+0800 UTC+08:00"),
        ("%n%t", "\n\t"),
        ("%-H %-j %-k %-M %-f", "7 65 7 8 123456"),
    ],
)
def test_formats(text: str, expected: str) -> None:
    assert compile_format(text)(MOMENT) == expected


@pytest.mark.parametrize(("hour", "written"), [(0, "12 AM 0"), (11, "11 AM 11"), (12, "12 PM 12"), (23, "11 PM 23")])
def test_the_hours_of_half_a_day(hour: int, written: str) -> None:
    assert compile_format("%I %p %-H")(MOMENT.replace(hour=hour)) == written


@pytest.mark.parametrize(
    ("text", "directive"),
    [
        ("%", "'%'"),
        ("100%", "'%'"),
        ("%Q", "'%Q'"),
        ("% d", "'% '"),
        ("%年", "'%年'"),
        ("%E", "'%E'"),
        ("%Ey", "'%Ey'"),
        ("%Od", "'%Od'"),
        ("%-", "'%-'"),
        ("%-a", "'%-a'"),
        ("%-c", "'%-c'"),
        ("%-%", "'%-%'"),
        ("%--d", "'%--d'"),
        ("%_d", "'%_d'"),
        ("%5d", "'%5d'"),
        ("%H %1000000000d", "'%1000000000d'"),
        ("%" + "9" * 50, f"'%{'9' * 39}'..."),
        ("%\n", "'%\\n'"),
        ("%\0", "'%\\x00'"),
    ],
)
def test_what_is_not_in_the_table_is_refused(text: str, directive: str) -> None:
    known = "%Y %m %d %H %M %S %F %T %a %b %z"
    with pytest.raises(Mistake) as raised:
        compile_format(text)
    assert raised.value.en == f"{directive} is not known here; known are {known} and others of strftime"
    assert raised.value.zh == f"不认识 {directive}；可用 strftime 的 {known} 等"


@pytest.mark.parametrize(
    ("minutes", "written"), [(0, "+0000"), (330, "+0530"), (-210, "-0330"), (840, "+1400"), (-1, "-0001")]
)
def test_offsets(minutes: int, written: str) -> None:
    assert compile_format("%z")(MOMENT.replace(tzinfo=timezone(timedelta(minutes=minutes)))) == written


def test_a_moment_without_a_zone() -> None:
    assert compile_format("%z%Z.")(MOMENT.replace(tzinfo=None)) == "."


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(sorted({*DIRECTIVES, *EXPANDED} - set("sgChkleDFnPRrtTG"))),
)
def test_every_directive_agrees_with_the_c_library(moment: datetime, letter: str) -> None:
    assert compile_format(f"%{letter}")(moment) == moment.strftime(f"%{letter}")


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_what_others_do_not_speak_agrees_with_what_they_do(moment: datetime) -> None:
    spelt = f"{moment:%m/%d/%y} {moment:%Y-%m-%d} {moment:%b} {moment.hour:2} {int(f'{moment:%I}'):2}"
    late = f"{moment:%p}".lower()
    rest = f"{moment:%H:%M} {moment:%I:%M:%S %p} {int(moment.timestamp() // 1)} {moment:%H:%M:%S} {moment.day:2}"
    century, iso_year = f"{moment.year // 100:02}", f"{moment:%G}"[-2:]
    assert compile_format(OWN)(moment) == f"{century} {spelt} {late} {rest} {iso_year}"


@given(st.lists(st.sampled_from([*DIRECTIVES, *EXPANDED, "-d", "%"]), max_size=6), st.text("ab %年", max_size=3))
def test_what_is_not_remembered_is_written_alike(letters: list[str], between: str) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    text = between.replace("%", "").join(f"%{letter}" for letter in letters)
    known: dict[str, str] = {}
    for _ in range(2):
        assert write_format(text, at, known) == compile_format(text)(at)
    assert not any(directive.endswith("f") for directive in known)
