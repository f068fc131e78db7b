"""The text of an option becomes a value within its bounds, or one line of complaint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import UsageError
from portico.settings import (
    App,
    Limits,
    Listen,
    Log,
    Messages,
    Option,
    Processes,
    options_of,
    parse_seconds,
    parse_size,
    parse_value,
)


def row_of(group: type, name: str) -> Option:
    return next(row for row in options_of(group) if row.name == name)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("8192", 8192), ("64K", 65536), ("64 kib", 65536), ("1.5M", 1572864), ("2GB", 2 << 30), ("1B", 1)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("500ms", 0.5), ("1.5s", 1.5), ("5m", 300), ("2 min", 120), ("1h", 3600), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1X",
        "K",
        "1__0",
        "1_0",
        "1e3",
        "nan",
        "inf",
        "0x10",
        "٣",
        "1.2.3",
        "1 2",
        "-",
        ".",
        "1-",
        "9" * 400,
        "9" * 308 + "G",
    ],
)
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form 8192, 64K, 1M or 2G"):
        parse_size(text)
    with pytest.raises(UsageError, match="is not of the form 30s, 500ms, 5m or 1h"):
        parse_seconds(text)


@given(st.one_of(st.text(max_size=12), st.from_regex(r"\A-?[0-9.]{0,330}[A-Za-z]{0,3}\Z")))
def test_any_text_is_a_number_or_a_complaint(text: str) -> None:
    try:
        size = parse_size(text)
    except UsageError:
        return
    assert isinstance(size, int)


@pytest.mark.parametrize(
    ("group", "name", "text", "value"),
    [
        (Listen, "port", "0", 0),
        (Listen, "port", "65535", 65535),
        (Listen, "lan", "yes", True),
        (Listen, "lan", " ON ", True),
        (Listen, "lan", "0", False),
        (Listen, "lan", "", False),
        (Log, "log-format", "json", "json"),
        (Log, "log-file", " a b ", " a b "),
        (Limits, "max-head", "16M", 16 << 20),
        (Limits, "drain", "0", 0.0),
        (App, "threads", "0", 0),
        (App, "interface", "wsgi", "wsgi"),
        (App, "buffer-body", "1M", 1 << 20),
        (Messages, "ws-max-message", "125", 125),
        (Messages, "ws-compress", "no", False),
        (Processes, "workers", "1", 1),
        (Processes, "recycle-after", "1d", 86_400.0),
        (Processes, "recycle-memory", "1G", 1 << 30),
    ],
)
def test_values(group: type, name: str, text: str, value: object) -> None:
    assert parse_value(row_of(group, name), text) == value


@pytest.mark.parametrize(
    ("group", "name", "text", "complaint"),
    [
        (Listen, "port", "x", "'x' is not a whole number"),
        (Listen, "port", "+5", "is not a whole number"),
        (Listen, "port", "٣", "is not a whole number"),
        (Listen, "port", "-1", "'-1' is below the least allowed, 0"),
        (Listen, "port", "65536", "'65536' is above the most allowed, 65535"),
        (Listen, "port", "9" * 5000, r"'9{80}'\.\.\. is not a whole number"),
        (Limits, "max-connections", "10000001", "'10000001' is above the most allowed, 10000000"),
        (Listen, "lan", "maybe", "'maybe' is neither yes nor no"),
        (Log, "log-format", "xml", "'xml' is not one of pretty, common, combined, json"),
        (Limits, "max-head", "0", "is below the least allowed, 256"),
        (Limits, "max-head", "9" * 400, "is not of the form|above the most allowed"),
        (App, "interface", "cgi", "'cgi' is not one of auto, wsgi, asgi"),
        (App, "max-threads", "0", "'0' is below the least allowed, 1"),
        (Messages, "ws-max-message", "124", "'124' is below the least allowed, 125"),
        (Processes, "workers", "0", "'0' is below the least allowed, 1"),
        (Processes, "recycle-memory", "1K", "'1K' is below the least allowed, 1048576"),
    ],
)
def test_values_that_are_none(group: type, name: str, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_value(row_of(group, name), text)
