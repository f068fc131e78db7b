"""The log of a command: the Log settings and a screen in, an `AccessLog` or a `ServiceLog` out."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

from portico.cli.pretty import safe
from portico.cli.screen import Screen
from portico.errors import ConfigError, excerpt
from portico.server.access_log import AccessLog, Apache, Format, Json, Pretty
from portico.settings import Log

if TYPE_CHECKING:
    from portico.server.service_log import ServiceLog

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


class OpenServiceLog(NamedTuple):
    """The same for services."""

    log: "ServiceLog | None"
    close: Callable[[], object]


def open_log(settings: Log, screen: Screen, *, is_alone: bool = True) -> OpenLog:
    """Open the access log. It goes to the screen, or to the end of `log_file`, whose lines carry the date.

    is_alone: nobody but this process writes to the screen, so the line written last may be written again.
    Raises ConfigError where the file cannot be written.
    """
    if settings.quiet:
        return OpenLog(None, _nothing)
    if settings.log_file:
        file = _file(settings.log_file)
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


def open_service_log(
    settings: Log, screen: Screen, language: str, *, write: Callable[[bytes], object] | None = None
) -> OpenServiceLog:
    """Open the log of a service, as `open_log` does. language: "en" or "zh". write: None for the screen's own.

    Raises ConfigError where the file cannot be written, UsageError for a form that is HTTP's.
    """
    from portico.server.service_log import service_log

    if settings.quiet:
        return OpenServiceLog(None, _nothing)
    if settings.log_file:
        file = _file(settings.log_file)
        return OpenServiceLog(service_log(settings.log_format, file.write, language=language, dated=True), file.close)
    log = service_log(
        settings.log_format,
        write or screen.write,
        language=language,
        colour=screen.has_colour,
        dated=not screen.is_terminal,
    )
    return OpenServiceLog(log, _nothing)


def open_beside_log(settings: Log, screen: Screen, language: str) -> OpenServiceLog:
    """Open the log of services that stand beside HTTP, in the same place; what people say there is not written down.

    There is none in the forms that can only tell of HTTP. Raises ConfigError where the file cannot be written.
    """
    if settings.log_format in _FORMATS and settings.log_format != "json":
        return OpenServiceLog(None, _nothing)

    def write(data: bytes) -> None:
        screen.on_line()  # the access log may have wanted to write its last line anew
        screen.write(data)

    log, close = open_service_log(settings, screen, language, write=write)
    if log is not None:
        log.is_discreet = True
    return OpenServiceLog(log, close)


def _file(path: str) -> FileIO:
    try:
        return open(path, "ab", buffering=0)
    except OSError as exc:
        raise ConfigError(f"cannot write the access log to {excerpt(path)}: {exc.strerror}") from exc


class Reporter(logging.Handler):
    """Writes what goes wrong to standard error, so that the access log does not write over it.

    What an application raises may hold what a peer sent, which reaches no terminal but as characters.
    """

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
            sys.stderr.write(f"{safe(self.format(record))}\n")
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
