"""The access log of a command: the Log settings and a screen in, an `AccessLog` out."""

from collections.abc import Callable
from typing import NamedTuple

from portico.cli.screen import Screen
from portico.errors import ConfigError, excerpt
from portico.server.access_log import AccessLog, Apache, Format, Json, Pretty
from portico.settings import Log

# One row for each name in settings.LOG_FORMATS; `pretty` needs the screen and stands below.
_FORMATS: dict[str, Callable[[], Format]] = {
    "common": lambda: Apache(False),
    "combined": lambda: Apache(True),
    "json": Json,
}


class OpenLog(NamedTuple):
    """log: None with --quiet. close: releases the log's file; the log must have been flushed."""

    log: AccessLog | None
    close: Callable[[], object]


def open_log(settings: Log, screen: Screen) -> OpenLog:
    """Open the access log. It goes to the screen, or to the end of `log_file`, whose lines carry the date.

    Raises ConfigError where the file cannot be written.
    """
    if settings.quiet:
        return OpenLog(None, _nothing)
    if settings.log_file:
        try:
            file = open(settings.log_file, "ab", buffering=0)
        except OSError as exc:
            raise ConfigError(f"cannot write the access log to {excerpt(settings.log_file)}: {exc.strerror}") from exc
        return OpenLog(AccessLog(file.write, _FORMATS.get(settings.log_format, _dated)()), file.close)
    if settings.log_format in _FORMATS:
        return OpenLog(AccessLog(screen.write, _FORMATS[settings.log_format]()), _nothing)
    pretty = Pretty(
        colour=screen.has_colour,
        columns=screen.columns if screen.is_terminal else None,
        dated=not screen.is_terminal,
    )
    screen.on_line = pretty.interrupt
    return OpenLog(AccessLog(screen.write, pretty), _nothing)


def _dated() -> Format:
    return Pretty(dated=True)


def _nothing() -> None:
    return None
