"""Every row of every group is whole: bounded, with a sane default, explained in both languages."""

import pytest

from portico.settings import (
    App,
    Files,
    Limits,
    Listen,
    Log,
    Messages,
    Option,
    Processes,
    Service,
    Trust,
    Unit,
    options_of,
    parse_value,
)

GROUPS = (Limits, Log, Listen, Files, App, Messages, Trust, Processes, Service)
ROWS = [row for group in GROUPS for row in options_of(group)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_whole(row: Option) -> None:
    assert row.en
    assert any("\u4e00" <= character <= "\u9fff" for character in row.zh)
    assert row.name == row.attribute.replace("_", "-")
    assert (row.unit is Unit.CHOICE) == bool(row.choices)
    assert not row.many or row.default == ()


@pytest.mark.parametrize("row", [row for row in ROWS if row.low is not None], ids=lambda row: row.name)
def test_every_default_is_within_its_bounds(row: Option) -> None:
    assert row.default is None or (row.low or 0) <= row.default <= (row.high or float("inf"))


def test_no_limit_is_unbounded() -> None:
    assert [row.name for row in options_of(Limits) if row.low is None or row.high is None] == []


def test_every_choice_is_a_value_and_so_is_the_default() -> None:
    for row in ROWS:
        assert [parse_value(row, choice) for choice in row.choices] == list(row.choices)
        assert not row.choices or row.default in row.choices


def test_no_name_stands_for_two_options() -> None:
    names = [row.name for row in ROWS]
    assert sorted(set(names)) == sorted(names)
