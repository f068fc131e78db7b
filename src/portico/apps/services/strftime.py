"""strftime for strangers: a format in, a function from a moment to text out.

Every directive is a row of a table, the rest of a format is copied. Nothing reaches the C library: there a width may
ask for a gigabyte (`%1000000000d`), a directive may mean another thing on another system, and text that is not ASCII
may be refused or garbled. Names of days and months are English, as in the C locale (POSIX, LC_TIME).

Invariant: for every directive of the table, the text is that of C's strftime in the C locale.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final

from portico.apps.services.question import Mistake, shown

Format = Callable[[datetime], str]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SPRING = ("January", "February", "March", "April", "May", "June")
_MONTHS = (*_SPRING, "July", "August", "September", "October", "November", "December")


def _day_of_year(at: datetime) -> int:
    return at.timetuple().tm_yday


def _week(at: datetime, first: int) -> int:
    # The first day of that name begins week 1; first: 0 for Monday, 6 for Sunday.
    return (_day_of_year(at) + 6 - (at.weekday() - first) % 7) // 7


def _offset(at: datetime) -> str:
    offset = at.utcoffset()
    if offset is None:
        return ""
    minutes = int(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


DIRECTIVES: Final[dict[str, Format]] = {
    "a": lambda at: _DAYS[at.weekday()][:3],
    "A": lambda at: _DAYS[at.weekday()],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "C": lambda at: f"{at.year // 100:02}",
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: f"{at.day:2}",
    "f": lambda at: f"{at.microsecond:06}",
    "g": lambda at: f"{at.isocalendar().year % 100:02}",
    "G": lambda at: f"{at.isocalendar().year}",
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "H": lambda at: f"{at.hour:02}",
    "I": lambda at: f"{at.hour % 12 or 12:02}",
    "j": lambda at: f"{_day_of_year(at):03}",
    "k": lambda at: f"{at.hour:2}",
    "l": lambda at: f"{at.hour % 12 or 12:2}",
    "m": lambda at: f"{at.month:02}",
    "M": lambda at: f"{at.minute:02}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm",
    "s": lambda at: f"{int(at.timestamp() // 1)}",
    "S": lambda at: f"{at.second:02}",
    "u": lambda at: f"{at.isoweekday()}",
    "U": lambda at: f"{_week(at, 6):02}",
    "V": lambda at: f"{at.isocalendar().week:02}",
    "w": lambda at: f"{at.isoweekday() % 7}",
    "W": lambda at: f"{_week(at, 0):02}",
    "y": lambda at: f"{at.year % 100:02}",
    "Y": lambda at: f"{at.year}",
    "z": _offset,
    "Z": lambda at: at.tzname() or "",
    "n": lambda at: "\n",
    "t": lambda at: "\t",
    "%": lambda at: "%",
}
# What C says of them in the C locale.
EXPANDED: Final = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
}
_EXAMPLES = "%Y %m %d %H %M %S %F %T %a %b %z"
_NUMBERS = frozenset("CdefgGHIjklmMsSuUVwWyY")
# With the flags, widths and modifiers that C has, to be named where they are refused.
_DIRECTIVE = re.compile("%[-_^#+:EO0-9]*.?", re.DOTALL)


@lru_cache(256)
def compile_format(text: str) -> Format:
    """Return the function that writes a moment in a format.

    text: as for strftime, with `%-d` for a number without its padding; bounded by whoever calls.
    Raises Mistake for what is not in the tables.
    """
    parts: list[str | Format] = []
    for literal, directive in _split(text):
        parts.append(literal)
        if directive:
            parts.append(_find(directive))
    return lambda at: "".join([part if isinstance(part, str) else part(at) for part in parts])


def write_format(text: str, at: datetime, known: dict[str, str]) -> str:
    """Write a moment in a format that is not worth remembering.

    known: the directives that were written for this second before, which grows: many formats have the same ones.
    Raises Mistake as `compile_format` does.
    """

    def write(match: re.Match[str]) -> str:
        directive = match[0]
        found = known.get(directive)
        if found is None:
            found = _find(directive)(at)
            if not directive.endswith("f"):  # a fraction is another one each time
                known[directive] = found
        return found

    return _DIRECTIVE.sub(write, text)


def _split(text: str) -> list[tuple[str, str]]:
    """Return pairs of copied text and the directive behind it, "" behind the last."""
    pairs = []
    at = 0
    for match in _DIRECTIVE.finditer(text):
        pairs.append((text[at : match.start()], match[0]))
        at = match.end()
    return [*pairs, (text[at:], "")]


def _find(directive: str) -> Format:
    letter = directive[-1]
    if directive == f"%{letter}":
        if letter in EXPANDED:
            return compile_format(EXPANDED[letter])
        if letter in DIRECTIVES:
            return DIRECTIVES[letter]
    elif letter in _NUMBERS and directive == f"%-{letter}":
        write = DIRECTIVES[letter]
        return lambda at: write(at).lstrip("0 ") or "0"
    seen = shown(directive)
    raise Mistake(
        f"{seen} is not known here; known are {_EXAMPLES} and others of strftime",
        f"不认识 {seen}；可用 strftime 的 {_EXAMPLES} 等",
    )
