"""Sizes, dates and names as people read them, in English and Simplified Chinese.

In: bytes counts, epoch seconds, names as bytes; out: short text. Sizes count in thousands (SI: 1 kB is 1000
bytes), as GNOME Files and macOS do. Exact dates are RFC 3339 in UTC; days outside the years 1 to 9999 are
clamped, so a modification time of -1, 0 or 2**40 is only an odd date.
"""

from bisect import bisect_right
from datetime import date

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_POWERS = tuple(1000**power for power in range(len(_UNITS)))
_LIMITS = (1000, *(999_500 * power for power in _POWERS[:-2]))  # from here on the next unit says it better
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
_MINUTES = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))
_SECONDS = tuple(f":{second:02}" for second in range(60))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Age in seconds below which a row applies, seconds in its unit, and how one and many are said.
_AGES: dict[str, tuple[tuple[int, int, str, str], ...]] = {
    "en": (
        (60, 60, "just now", "just now"),
        (3600, 60, "1 min ago", "{} min ago"),
        (_DAY_S, 3600, "1 h ago", "{} h ago"),
        (_WEEK_S, _DAY_S, "1 day ago", "{} days ago"),
    ),
    "zh": (
        (60, 60, "刚刚", "刚刚"),
        (3600, 60, "1 分钟前", "{} 分钟前"),
        (_DAY_S, 3600, "1 小时前", "{} 小时前"),
        (_WEEK_S, _DAY_S, "1 天前", "{} 天前"),
    ),
}

# Characters that would vanish or reorder what stands around them, each with a visible stand-in.
_CONTROLS = {code: chr(0x2400 + code) for code in range(32)}
_CONTROLS |= {0x7F: "\u2421"}
_CONTROLS |= {code: f"‹U+{code:04X}›" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_MARKUP = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}
_MARKUP_AND_CONTROLS = _MARKUP | _CONTROLS


def size(count: int) -> str:
    """Say a number of bytes in at most three digits: `999 B`, `1.2 kB`, `45 MB`.

    count: bytes, 0 or more; beyond exabytes the number grows instead of the unit.
    """
    power = bisect_right(_LIMITS, count)
    if not power:
        return f"{count} B"
    unit = _POWERS[power]
    tenths = (count * 20 + unit) // (unit * 2)
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10} {_UNITS[power]}"
    return f"{(count * 2 + unit) // (unit * 2)} {_UNITS[power]}"


def escape(text: str) -> str:
    """Make text safe between tags and inside quoted attributes; control characters stay as they are."""
    return text.translate(_MARKUP)


def shown(name: bytes) -> str:
    """Return a name as safe HTML text: markup escaped, control and direction-changing characters visible.

    name: any bytes; what is not UTF-8 shows as U+FFFD.
    """
    return name.decode("utf-8", "replace").translate(_MARKUP_AND_CONTROLS)


def terminal(name: bytes) -> str:
    """Return a name that a terminal shows as it is: whatever does not print becomes a backslash escape.

    name: any bytes; what is not UTF-8 becomes `\\xff`, a backslash is doubled.
    """
    if name.isascii() and (text := name.decode("ascii")).isprintable() and "\\" not in text:
        return text
    text = name.decode("utf-8", "surrogateescape")
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    code = ord(character)
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, carried by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Dates:
    """Says when something was modified, seen from one moment.

    language: "en" or "zh". now_s: that moment, epoch seconds.
    Days are remembered, because the files of a folder share few of them.
    """

    def __init__(self, language: str, now_s: int) -> None:
        self._language = language
        self._now_s = now_s
        self._ages = _AGES[language]
        self._year = _date(now_s // _DAY_S).year
        self._days: dict[int, tuple[str, str]] = {}

    def read(self, time_s: int) -> tuple[str, str, str]:
        """Return a moment as its UTC day (`2026-11-21`), its time (`08:50:00`) and what people say.

        time_s: epoch seconds; what lies in the future is told by its date.
        """
        day, second = divmod(time_s, _DAY_S)
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._day(day)
        age = self._now_s - time_s
        told = self._told(age) if -60 < age < _WEEK_S else known[1]
        return known[0], _MINUTES[second // 60] + _SECONDS[second % 60], told

    def exact(self, time_s: int) -> str:
        """Return a moment as RFC 3339 in UTC: `2026-11-21T08:50:00Z`."""
        day, time, _ = self.read(time_s)
        return f"{day}T{time}Z"

    def _told(self, age: int) -> str:
        _, unit, one, many = next(row for row in self._ages if age < row[0])
        count = age // unit
        return one if count <= 1 else many.format(count)

    def _day(self, day: int) -> tuple[str, str]:
        moment = _date(day)
        year = "" if moment.year == self._year else moment.year
        if self._language == "zh":
            told = f"{year}{'年' if year else ''}{moment.month}月{moment.day}日"
        else:
            told = f"{moment.day} {_MONTHS[moment.month - 1]} {year}".rstrip()
        return moment.isoformat(), told


def _date(day: int) -> date:
    return date.fromordinal(min(max(day + _EPOCH_ORDINAL, 1), date.max.toordinal()))
