"""Help pages are laid out in two columns and wrapped, Chinese too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.cli.help import Section, page, wrap
from portico.server.access_log import width

ROWS = [("-p, --port N", "where to listen"), ("--an-option-of-quite-some-length SIZE", "how much of it there may be")]


def test_a_page() -> None:
    assert page(["serve: it serves", ""], [Section("Options:", ROWS)], "The end.", 72).splitlines() == [
        "serve: it serves",
        "",
        "",
        "Options:",
        "  -p, --port N                  where to listen",
        "  --an-option-of-quite-some-length SIZE",
        "                                how much of it there may be",
        "",
        "The end.",
    ]


def test_a_narrow_terminal_has_one_column() -> None:
    assert page(
        ["serve: it serves this and that"], [Section("Options:", ROWS)], "This is the end.", 28
    ).splitlines() == [
        "serve: it serves this and",
        "that",
        "",
        "Options:",
        "  -p, --port N",
        "      where to listen",
        "  --an-option-of-quite-some-length SIZE",
        "      how much of it there",
        "      may be",
        "",
        "This is the end.",
    ]


def test_short_names_leave_more_room() -> None:
    lines = page([], [Section("Commands:", [("serve", "share it")])], "", 80, left=10).splitlines()
    assert lines[-1] == "  serve     share it"


@pytest.mark.parametrize(("columns", "widest"), [(10, 24), (40, 40), (56, 56), (80, 80), (300, 100)])
def test_a_page_is_neither_narrow_nor_endless(columns: int, widest: int) -> None:
    lines = page([], [Section("Options:", [("--x", "word " * 60)])], "", columns).splitlines()
    assert widest - 5 < max(map(len, lines)) <= widest


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("unbreakable", 4, ["unbreakable"]),
        ("你好世界", 4, ["你好", "世界"]),
        ("你好世界。", 8, ["你好世", "界。"]),
        ("文件 a.txt", 6, ["文件", "a.txt"]),
    ],
)
def test_wrapping(text: str, columns: int, lines: list[str]) -> None:
    assert wrap(text, columns) == lines


@given(st.text("ab 你，。", max_size=40), st.integers(6, 20))
def test_wrapping_loses_nothing_but_white_space(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= columns or len(line.split()) == 1 for line in lines)
