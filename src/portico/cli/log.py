"""The access log of a command: the Log settings and a screen in, an `AccessLog` out."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
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


def open_log(settings: Log, screen: Screen, *, is_alone: bool = True) -> OpenLog:
    """Open the access log. It goes to the screen, or to the end of `log_file`, whose lines carry the date.

    is_alone: nobody but this process writes to the screen, so the line written last may be written again.
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
        columns=screen.columns if screen.is_terminal and is_alone else None,
        dated=not screen.is_terminal,
    )
    screen.on_line = pretty.interrupt
    return OpenLog(AccessLog(screen.write, pretty), _nothing)


class Reporter(logging.Handler):
    """Writes what goes wrong to standard error, so that the access log does not write over it."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def close(self) -> None:
        """Take it from the logger."""
        logging.getLogger("portico").removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a reader who has gone away is no error."""
        self._screen.on_line()
        with suppress(OSError, ValueError):  # closed, or its reader has gone
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()


def report_to(screen: Screen) -> Reporter:
    """Have what Portico logs, tracebacks of applications among it, told beside the access log; returns the handler.

    Where the application has handlers of its own on the root logger, they get it too.
    """
    handler = Reporter(screen)
    logging.getLogger("portico").addHandler(handler)
    return handler


def _dated() -> Format:
    return Pretty(dated=True)


def _nothing() -> None:
    return None
