"""What a row of the option table is, and how its text is read.

In: the fields of a settings group, text from a command line. Out: `Option`s, values, or UsageError in one line.
A group is a frozen dataclass whose fields are made by `option(...)`; its attribute is the option's name.
"""

from dataclasses import MISSING, field, fields
from enum import Enum
from math import inf
from typing import Any, NamedTuple

from portico.errors import UsageError, excerpt

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Unit(Enum):
    """How the text of an option is read; `parse_value` has a row for each."""

    FLAG = "flag"
    TEXT = "text"
    COUNT = "number"
    SIZE = "size"
    SECONDS = "duration"
    CHOICE = "choice"
    PATH = "path"


class Option(NamedTuple):
    """One row of the option table.

    name: with dashes, as on the command line (`max-head`); `attribute` with underscores, and one behind it where the
    name is a keyword of Python (`continue_`).
    default: a value of the field's own type.
    low, high: inclusive bounds of a number, None where unbounded.
    choices: the words allowed for CHOICE.
    many: may be given several times; the value is a tuple.
    short: a one-letter form with its dash, or "".
    metavar: what help shows for the value, "" for the unit's own word.
    en, zh: one line of help in English and in Simplified Chinese.
    """

    name: str
    attribute: str
    unit: Unit
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    many: bool
    short: str
    metavar: str
    en: str
    zh: str


def option(
    default: Any,
    unit: Unit,
    en: str,
    zh: str,
    *,
    bounds: tuple[float | None, float | None] = (None, None),
    choices: tuple[str, ...] = (),
    many: bool = False,
    short: str = "",
    metavar: str = "",
) -> Any:
    """Make one dataclass field that is also a row of the option table (see `Option`)."""
    row = {
        "unit": unit,
        "en": en,
        "zh": zh,
        "low": bounds[0],
        "high": bounds[1],
        "choices": choices,
        "many": many,
        "short": short,
        "metavar": metavar,
    }
    return field(default=default, metadata=row)


def options_of(group: type) -> tuple[Option, ...]:
    """Return the rows of one settings group, in the order of its fields."""
    return tuple(
        Option(
            name=f.name.rstrip("_").replace("_", "-"),
            attribute=f.name,
            default=None if f.default is MISSING else f.default,
            **f.metadata,
        )
        for f in fields(group)
    )


_SIZE_SUFFIXES = {"": 1, "B": 1, "K": KIB, "KB": KIB, "KIB": KIB, "M": MIB, "MB": MIB, "MIB": MIB}
_SIZE_SUFFIXES |= {"G": GIB, "GB": GIB, "GIB": GIB}
_TIME_SUFFIXES = {"": 1.0, "MS": 0.001, "S": 1.0, "M": 60.0, "MIN": 60.0, "H": 3600.0, "D": 86400.0}


def _parse_scaled(text: str, suffixes: dict[str, Any], example: str) -> float:
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    suffix = text.strip()[len(digits) :].strip().upper()
    plain = digits.removeprefix("-").replace(".", "", 1)
    value = float(digits) * suffixes[suffix] if suffix in suffixes and plain.isascii() and plain.isdigit() else inf
    if value in (inf, -inf):
        raise UsageError(f"{excerpt(text)} is not of the form {example}")
    return value


def parse_size(text: str) -> int:
    """Read bytes from text such as `8192`, `64K`, `1.5M`, `1GiB` (1K is 1024)."""
    return int(_parse_scaled(text, _SIZE_SUFFIXES, "8192, 64K, 1M or 2G"))


def parse_seconds(text: str) -> float:
    """Read seconds from text such as `30`, `500ms`, `30s`, `5m`, `1h`."""
    return _parse_scaled(text, _TIME_SUFFIXES, "30s, 500ms, 5m or 1h")


_MAX_DIGITS = 18


def _parse_count(text: str) -> int:
    # Beyond 4300 digits int() itself refuses (CVE-2020-10735); no count here has more than 15.
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= _MAX_DIGITS):
        raise UsageError(f"{excerpt(text)} is not a whole number")
    return int(text)


def _parse_flag(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise UsageError(f"{excerpt(text)} is neither yes nor no")


_PARSERS: dict[Unit, Any] = {
    Unit.FLAG: _parse_flag,
    Unit.TEXT: str,
    Unit.COUNT: _parse_count,
    Unit.SIZE: parse_size,
    Unit.SECONDS: parse_seconds,
    Unit.CHOICE: str,
    Unit.PATH: str,
}


def parse_value(row: Option, text: str) -> Any:
    """Turn the text of one option into its value, checked against its bounds and choices.

    Raises UsageError with one line that says what was seen and what is allowed.
    """
    value = _PARSERS[row.unit](text)
    if row.choices and value not in row.choices:
        raise UsageError(f"{excerpt(text)} is not one of {', '.join(row.choices)}")
    if row.low is not None and value < row.low:
        raise UsageError(f"{excerpt(text)} is below the least allowed, {row.low:.15g}")
    if row.high is not None and value > row.high:
        raise UsageError(f"{excerpt(text)} is above the most allowed, {row.high:.15g}")
    return value
