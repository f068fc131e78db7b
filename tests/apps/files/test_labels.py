"""Sizes, dates and names as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.apps.files.labels import Dates, escape, shown, size, terminal

NOW_S = 1_763_715_000  # 2025-11-21T08:50:00Z
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1049, "1.0 kB"),
        (1050, "1.1 kB"),
        (9949, "9.9 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_204_000, "1.2 MB"),
        (4_100_000_000, "4.1 GB"),
        (5 * 10**12, "5.0 TB"),
        (5 * 10**15, "5.0 PB"),
        (2**63 - 1, "9.2 EB"),
        (10**22, "10000 EB"),
    ],
)
def test_a_size_is_said_in_few_digits(count: int, said: str) -> None:
    assert size(count) == said


@given(st.integers(0, 999 * 10**18))
def test_a_size_is_right_to_two_digits(count: int) -> None:
    number, unit = size(count).split()
    told = float(number) * 1000 ** ("B", "kB", "MB", "GB", "TB", "PB", "EB").index(unit)
    assert abs(told - count) <= count * 0.051
    assert len(number) <= 3


@pytest.mark.parametrize(
    ("age_s", "en", "zh"),
    [
        (0, "just now", "刚刚"),
        (-59, "just now", "刚刚"),
        (59, "just now", "刚刚"),
        (MINUTE_S, "1 min ago", "1 分钟前"),
        (3 * MINUTE_S, "3 min ago", "3 分钟前"),
        (HOUR_S - 1, "59 min ago", "59 分钟前"),
        (HOUR_S, "1 h ago", "1 小时前"),
        (DAY_S - 1, "23 h ago", "23 小时前"),
        (DAY_S, "1 day ago", "1 天前"),
        (7 * DAY_S - 1, "6 days ago", "6 天前"),
        (7 * DAY_S, "14 Nov", "11月14日"),
        (400 * DAY_S, "17 Oct 2024", "2024年10月17日"),
        (-60, "21 Nov", "11月21日"),
        (-100 * DAY_S, "1 Mar 2026", "2026年3月1日"),
    ],
)
def test_a_date_is_told_by_its_age(age_s: int, en: str, zh: str) -> None:
    assert Dates("en", NOW_S).read(NOW_S - age_s)[2] == en
    assert Dates("zh", NOW_S).read(NOW_S - age_s)[2] == zh


@pytest.mark.parametrize(
    ("time_s", "exact"),
    [
        (NOW_S, "2025-11-21T08:50:00Z"),
        (NOW_S + 59, "2025-11-21T08:50:59Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (-(10**15), "0001-01-01T22:13:20Z"),
    ],
)
def test_an_exact_date_is_rfc_3339(time_s: int, exact: str) -> None:
    assert Dates("en", NOW_S).exact(time_s) == exact


@given(st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63))
def test_no_date_is_too_odd(time_s: int, now_s: int) -> None:
    for language in ("en", "zh"):
        dates = Dates(language, now_s)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", dates.exact(time_s))
        assert dates.exact(time_s) == dates.exact(time_s)


def test_escaped_text_holds_no_markup() -> None:
    assert escape("""<a href="x" title='y'>&amp;""") == "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("会场照片.jpg".encode(), "会场照片.jpg"),
        (b'"><svg onload=x>', "&quot;&gt;&lt;svg onload=x&gt;"),
        (b"a\nb\x1b\x7f", "a␊b␛␡"),
        (b"\xff.txt", "\ufffd.txt"),
        ("cv\u202efdp.exe".encode(), "cv‹U+202E›fdp.exe"),
        ("\u0085\u2066".encode(), "‹U+0085›‹U+2066›"),
    ],
)
def test_a_shown_name_is_inert_and_visible(name: bytes, text: str) -> None:
    assert shown(name) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain name.txt", "plain name.txt"),
        (b"back\\slash", "back\\\\slash"),
        (b"\x1b[2J\r\n\t", "\\x1b[2J\\x0d\\x0a\\x09"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("照片".encode(), "照片"),
        ("照\\\x9b".encode(), "照\\\\\\x9b"),
        ("\u202e\U000e0001".encode(), "\\u202e\\U000e0001"),
    ],
)
def test_a_terminal_gets_no_escape(name: bytes, text: str) -> None:
    assert terminal(name) == text


@given(st.binary())
def test_no_name_can_act(name: bytes) -> None:
    assert terminal(name).isprintable()
    assert not set(shown(name)) & set("<>\"'\n\r\0\x1b")
