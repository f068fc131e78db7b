"""Every row of the clients' groups is whole: bounded, with a sane default, explained in both languages."""

import pytest

from portico.settings.asking import Connect, Fetch, Keep, Way
from portico.settings.rows import Option, Unit, options_of

GROUPS = (Connect, Fetch, Keep, Way)
ROWS = [row for group in GROUPS for row in options_of(group)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_whole(row: Option) -> None:
    assert row.en
    assert any("\u4e00" <= character <= "\u9fff" for character in row.zh)
    assert (row.unit is Unit.CHOICE) == bool(row.choices)
    assert not row.many or row.default == ()


@pytest.mark.parametrize("row", [row for row in ROWS if row.low is not None], ids=lambda row: row.name)
def test_every_default_is_within_its_bounds(row: Option) -> None:
    assert row.default is None or (row.low or 0) <= row.default <= (row.high or float("inf"))


@pytest.mark.parametrize("groups", [(Fetch, Keep, Way), (Connect,)])
def test_no_name_and_no_letter_stands_for_two_options_of_a_command(groups: tuple[type, ...]) -> None:
    rows = [row for group in groups for row in options_of(group)]
    assert len({row.name for row in rows}) == len(rows)
    letters = [row.short for row in rows if row.short]
    assert len(set(letters)) == len(letters)


def test_a_keyword_of_python_is_a_name_on_the_command_line() -> None:
    row = next(row for row in options_of(Keep) if row.short == "-c")
    assert (row.name, row.attribute) == ("continue", "continue_")
