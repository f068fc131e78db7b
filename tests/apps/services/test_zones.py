"""Time zones: names as people write them, offsets, and hints for what is neither."""

from datetime import UTC, datetime, timedelta

import pytest

from portico.apps.services.zones import parse_zone
from portico.errors import ConfigError, UsageError

SUMMER = datetime(2024, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("UTC", 0),
        ("gmt", 0),
        ("Z", 0),
        ("+08:00", 8),
        ("-0330", -3.5),
        ("UTC+8", 8),
        ("gmt-5", -5),
        ("+14:00", 14),
        ("Asia/Shanghai", 8),
        (" asia/shanghai ", 8),
        ("Shanghai", 8),
        ("new york", -4),
        ("America/Argentina/Buenos_Aires", -3),
        ("Etc/GMT+5", -5),
    ],
)
def test_zones_as_people_write_them(text: str, hours: float) -> None:
    zone = parse_zone(text)
    assert zone is not None
    assert zone.utcoffset(SUMMER.astimezone(zone)) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_this_machines(text: str) -> None:
    assert parse_zone(text) is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Beijing", "'Beijing' is not a time zone; did you mean Asia/Shanghai?"),
        ("Europe/Berln", "'Europe/Berln' is not a time zone; did you mean Europe/Berlin"),
        ("Shanghia", "'Shanghia' is not a time zone; did you mean Asia/Shanghai"),
        ("Mars/Olympus_Mons", "'Mars/Olympus_Mons' is not a time zone; write it as Asia/Shanghai, UTC or +08:00"),
        ("America/Argentina", "'America/Argentina' is not a time zone; did you mean"),
        ("+25:00", "'+25:00' is not a time zone; write it as"),
        ("+08:60", "'+08:60' is not a time zone; write it as"),
        ("+１:00", "'+１:00' is not a time zone; write it as"),
        ("../../etc/passwd", "'../../etc/passwd' is not a time zone; write it as"),
        ("/etc/hosts", "'/etc/hosts' is not a time zone; write it as"),
        ("localtime", "'localtime' is not a time zone; write it as"),
        ("a\0b", "'a\\x00b' is not a time zone; write it as"),
        ("x" * 10_000, f"'{'x' * 80}'... is not a time zone; write it as"),
    ],
)
def test_what_is_no_zone_gets_a_hint(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_zone(text)
    assert str(raised.value).startswith(hint)


def test_a_machine_without_time_zone_data_says_what_to_install() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_zone("Asia/Shanghai", known=())
    assert str(raised.value) == "this machine has no time zone data to find 'Asia/Shanghai' in; pip install tzdata"
