"""Time zones by name: `Asia/Shanghai`, `asia/shanghai`, `UTC`, `+08:00`, `UTC+8`."""

import re
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, timedelta, timezone, tzinfo
from difflib import get_close_matches

from portico.errors import ConfigError, UsageError, excerpt

_OFFSET = re.compile(r"(?:utc|gmt)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE | re.ASCII)
_LONGEST_OFFSET = timedelta(hours=14)
_MOST_HINTS = 3
# The list of all names takes 60 ms to read; these need no list, and lead nowhere else on the disk.
_EXACT = re.compile("[A-Z][A-Za-z_]{1,30}/[A-Z][A-Za-z_+0-9-]{1,30}")
# Files among the others.
_NO_ZONES = ("localtime", "Factory")
# Whose clocks many people look for under the name of a city that has no zone of its own.
_ELSEWHERE = {"beijing": "Asia/Shanghai", "china": "Asia/Shanghai", "peking": "Asia/Shanghai", "india": "Asia/Kolkata"}


def parse_zone(text: str, *, known: Collection[str] | None = None) -> tzinfo | None:
    """Return the time zone that a person means.

    text: a name of the IANA database, in any case, or its last part alone; UTC; an offset from it; "" for the zone of
    this machine. known: the names of the database, None for those this machine has.
    Returns None for the zone of this machine. Raises UsageError for what is none of these, and ConfigError for a name
    where this machine has no time zone data.
    """
    wanted = text.strip()
    if not wanted:
        return None
    if wanted.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if match := _OFFSET.fullmatch(wanted):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset <= _LONGEST_OFFSET and int(minutes or 0) < 60:
            return timezone(-offset if sign == "-" else offset)
    return _zone(wanted, known)


def _zone(wanted: str, known: Collection[str] | None) -> tzinfo:
    # Not wanted by those who ask for no zone.
    from zoneinfo import ZoneInfo, available_timezones

    if known is None and _EXACT.fullmatch(wanted):
        with suppress(OSError, KeyError):  # a name, but of a folder or of nothing
            return ZoneInfo(wanted)
    known = available_timezones() if known is None else known
    by_lower = {name.lower(): name for name in sorted(known) if name not in _NO_ZONES}
    cities = {lower.rpartition("/")[2]: name for lower, name in by_lower.items() if "/" in name}
    lower = wanted.lower().replace(" ", "_")
    if found := by_lower.get(lower) or cities.get(lower):
        return ZoneInfo(found)
    if not known:
        raise ConfigError(f"this machine has no time zone data to find {excerpt(wanted)} in; pip install tzdata")
    near = [_ELSEWHERE[lower]] if lower in _ELSEWHERE else _near(lower, by_lower, cities)
    hint = f"did you mean {', '.join(near)}?" if near else "write it as Asia/Shanghai, UTC or +08:00"
    raise UsageError(f"{excerpt(wanted)} is not a time zone; {hint}")


def _near(lower: str, by_lower: dict[str, str], cities: dict[str, str]) -> list[str]:
    if len(lower) > 64:
        return []
    names = [by_lower[name] for name in get_close_matches(lower, by_lower, _MOST_HINTS, 0.75)]
    return names or [cities[name] for name in get_close_matches(lower, cities, _MOST_HINTS, 0.75)]
