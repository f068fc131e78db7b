"""Every option, once: its type, default, unit, bounds and help in two languages.

    rows       what a row is, how its text is read
    serving    the options of whatever serves, in groups
    asking     the options of clients, which only they import

The command line, environment variables, reference pages and validation are all derived from these rows by reading
`options_of(group)`; nothing else in Portico repeats a default or a help text.
"""

from portico.settings.rows import (
    GIB,
    KIB,
    MIB,
    Option,
    Unit,
    option,
    options_of,
    parse_seconds,
    parse_size,
    parse_value,
)
from portico.settings.serving import (
    FORWARDED_FIELDS,
    INTERFACES,
    LIFESPANS,
    LOG_FORMATS,
    App,
    Files,
    Limits,
    Listen,
    Log,
    Messages,
    Processes,
    Service,
    Trust,
)

__all__ = [
    "FORWARDED_FIELDS",
    "GIB",
    "INTERFACES",
    "KIB",
    "LIFESPANS",
    "LOG_FORMATS",
    "MIB",
    "App",
    "Files",
    "Limits",
    "Listen",
    "Log",
    "Messages",
    "Option",
    "Processes",
    "Service",
    "Trust",
    "Unit",
    "option",
    "options_of",
    "parse_seconds",
    "parse_size",
    "parse_value",
]
