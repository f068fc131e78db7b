"""Options of the command line, made from the rows of settings/.

In: a settings group. Out: click options, and from the values click found an instance of the group.
An option that was not given is left out of the instance, so that its default stands in settings/ alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from portico.cli.words import Language
from portico.errors import UsageError
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

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:  # older versions of click cannot be subscripted
    _ParamType = click.ParamType

Group = TypeVar("Group")
_GROUPS = (Listen, App, Files, Processes, Log, Limits, Messages, Trust, Service)


class Value(_ParamType):
    """The type of one option: `parse_value` with its row."""

    def __init__(self, row: Option) -> None:
        self.name = row.name
        self._row = row

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn text into a value of the row; what is none is a BadParameter with the row's own message."""
        try:
            return parse_value(self._row, value) if isinstance(value, str) else value
        except UsageError as exc:
            self.fail(str(exc), param, ctx)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split the value of an environment variable: one value a line, since header values contain anything else."""
        return [line.strip() for line in rv.splitlines() if line.strip()]


class SettingOption(click.Option):
    """An option that remembers its row and the name of its group, for the help page."""

    def __init__(self, row: Option, group: str, command: str) -> None:
        self.row = row
        self.group = group
        name = f"--{row.name}"
        switch = f"{name}/--no-{row.name}" if row.default is True else name
        super().__init__(
            [row.attribute, *filter(None, [row.short]), name if row.unit is not Unit.FLAG else switch],
            is_flag=row.unit is Unit.FLAG,
            type=None if row.unit is Unit.FLAG else Value(row),
            multiple=row.many,
            default=None,
            envvar=[f"PORTICO_{command}_{row.attribute}".upper(), f"PORTICO_{row.attribute}".upper()],
        )

    def left_column(self) -> str:
        """Return how it is written, as `-p, --port N`."""
        row = self.row
        name = f"--no-{row.name}" if row.default is True else f"--{row.name}"
        value = "" if row.unit is Unit.FLAG else f" {row.metavar or '|'.join(row.choices) or row.unit.value.upper()}"
        return f"{row.short + ', ' if row.short else '    '}{name}{value}"

    def right_column(self, language: Language) -> str:
        """Return its line of help. An option that is on unless refused is shown, and explained, as its refusal."""
        row = self.row
        text = row.zh if language == "zh" else row.en
        if row.default is True:
            return f"不{text}" if language == "zh" else f"do not {text}"
        return text

    def shown_default(self) -> str:
        """Return the default as one would write it, "" where the help text says it or there is none."""
        row = self.row
        return "" if row.default in (None, "", ()) or row.unit is Unit.FLAG else written(row, row.default)


def written(row: Option, value: Any) -> str:
    """Return a value of an option as one would write it; several are joined by commas, none at all is ""."""
    if value in (None, ()):
        return ""
    if row.many:
        return ", ".join(value)
    if row.unit is Unit.FLAG:
        return "yes" if value else "no"
    if row.unit is Unit.SIZE:
        return _size(value)
    return f"{value:g}s" if row.unit is Unit.SECONDS else str(value)


def _size(value: int) -> str:
    for suffix, scale in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if value and value % scale == 0:
            return f"{value // scale}{suffix}"
    return str(value)


def options_for(group: type, command: str, names: Collection[str] = ()) -> list[click.Parameter]:
    """Return an option for each row of a settings group.

    command: the command's name, for its own environment names. names: of the only rows that count, all where empty.
    """
    rows = [row for row in options_of(group) if not names or row.name in names]
    return [SettingOption(row, group.__name__, command) for row in rows]


def all_rows() -> list[Option]:
    """Return the rows of every group that a command which serves has options for."""
    from portico.settings.chatting import Chat  # which only a chat needs otherwise

    return [row for group in (*_GROUPS, Chat) for row in options_of(group)]


def collect(group: type[Group], params: Mapping[str, Any]) -> Group:
    """Make a settings group from the values of a command's parameters; the others of these are not looked at."""
    names = [f.name for f in fields(group)]  # type: ignore[arg-type]
    return group(**{name: params[name] for name in names if params.get(name) not in (None, ())})
