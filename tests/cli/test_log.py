"""The access log goes where the settings say, in the form they say."""

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr
from pathlib import Path

import pytest

from portico.cli.log import open_beside_log, open_log, open_service_log, report_to
from portico.cli.screen import Screen
from portico.errors import ConfigError, UsageError
from portico.server.access_log import Record
from portico.server.peer import Peer
from portico.settings import Log

RECORD = Record(0.0, "192.0.2.1", "GET", "/x", 11, 200, 5, 0.001, "", "", "", "")


@pytest.fixture
def piped() -> Iterator[tuple[Screen, Callable[[], str]]]:
    """A screen in a pipe, and a way to read what was written."""
    reading, writing = os.pipe()
    yield Screen(writing, "utf-8", {}), lambda: os.read(reading, 65536).decode()
    os.close(reading)
    os.close(writing)


Piped = tuple[Screen, Callable[[], str]]


def test_quiet_is_no_log(piped: Piped) -> None:
    log, close = open_log(Log(quiet=True), piped[0])
    close()
    assert log is None


@pytest.mark.parametrize(("name", "end"), [("common", "200 5\n"), ("combined", '200 5 "-" "-"\n')])
def test_apaches_forms_on_the_screen(piped: Piped, name: str, end: str) -> None:
    screen, read = piped
    log, close = open_log(Log(log_format=name), screen)
    assert log is not None
    log.records.append(RECORD)
    log.flush()
    close()
    assert read().endswith('"GET /x HTTP/1.1" ' + end)


def test_the_pretty_form_in_a_pipe_is_dated(piped: Piped) -> None:
    screen, read = piped
    log, _ = open_log(Log(), screen)
    assert log is not None
    log.records.append(RECORD)
    log.flush()
    screen.line("something else")
    assert read().startswith(("1970-01-01 ", "1969-12-31 "))


@pytest.mark.parametrize(("name", "least"), [("json", 1), ("pretty", 0), ("common", 0)])
def test_a_file_is_added_to(piped: Piped, tmp_path: Path, name: str, least: int) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    log, close = open_log(Log(log_format=name, log_file=str(path)), piped[0])
    assert log is not None
    log.records.append(RECORD)
    log.flush()
    lines = path.read_text().splitlines()
    close()
    assert (lines[0], len(lines)) == ("before", 2)
    assert not least or json.loads(lines[1])["target"] == "/x"


def test_a_file_that_cannot_be_written(piped: Piped, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the access log to"):
        open_log(Log(log_file=str(tmp_path / "missing" / "log")), piped[0])


LOGGER = logging.getLogger("portico")


def test_what_goes_wrong_is_told_beside_the_log(piped: Piped) -> None:
    screen, read = piped
    began: list[str] = []
    screen.on_line = lambda: began.append("a line of its own")
    reporter = report_to(screen)
    with redirect_stderr(io.StringIO()) as told:
        LOGGER.info("not worth a line")
        LOGGER.warning("%s is full", "the disk")
        try:
            raise ValueError("on purpose")
        except ValueError:
            LOGGER.exception("the application failed")
        reporter.close()
        LOGGER.warning("after the end")
    first, second, *trace = told.getvalue().splitlines()
    assert (first, second, trace[0], trace[-1]) == (
        *("the disk is full", "the application failed"),
        *("Traceback (most recent call last):", "ValueError: on purpose"),
    )
    assert began == ["a line of its own"] * 2
    screen.line("the screen has nothing of it")
    assert read() == "the screen has nothing of it\n"


def test_what_a_peer_sent_moves_no_cursor_though_an_application_raises_it(piped: Piped) -> None:
    reporter = report_to(piped[0])
    with redirect_stderr(io.StringIO()) as told:
        try:
            raise ValueError("\x1b]0;gone\x07\x9b2J\u202e")
        except ValueError:
            LOGGER.exception("the service failed")
        reporter.close()
    assert told.getvalue().endswith("\nValueError: \\x1b]0;gone\\x07\\x9b2J\\u202e\n")


def closed() -> io.TextIOBase:
    errors = io.StringIO()
    errors.close()
    return errors


def unread() -> io.TextIOBase:
    reading, writing = os.pipe()
    os.close(reading)
    return io.TextIOWrapper(io.FileIO(writing, "w"), write_through=True)


@pytest.mark.parametrize("errors", [closed, unread])
def test_a_reader_of_errors_who_has_gone_is_no_error(piped: Piped, errors: Callable[[], io.TextIOBase]) -> None:
    reporter = report_to(piped[0])
    with closing(errors()) as stream, redirect_stderr(stream):
        LOGGER.warning("to nobody")
        reporter.close()
    assert reporter not in LOGGER.handlers


# services

SOMEBODY = Peer("192.0.2.1", 5)


@pytest.mark.parametrize(("language", "said"), [("en", "connected"), ("zh", "已连接")])
def test_the_log_of_a_service_on_the_screen(piped: Piped, language: str, said: str) -> None:
    screen, read = piped
    log, close = open_service_log(Log(), screen, language)
    assert log is not None
    log.opened(SOMEBODY)
    log.flush()
    close()
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  192\.0\.2\.1:5 +{said}\n", read())


@pytest.mark.parametrize("name", ["pretty", "json"])
def test_the_log_of_a_service_in_a_file(piped: Piped, tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    log, close = open_service_log(Log(log_format=name, log_file=str(path)), piped[0], "en")
    assert log is not None
    log.told(SOMEBODY, "hello")
    log.flush()
    close()
    before, line = path.read_text().splitlines()
    assert before == "before"
    assert json.loads(line)["text"] == "hello" if name == "json" else line.endswith("← hello")


def test_quiet_is_no_log_of_a_service(piped: Piped) -> None:
    log, close = open_service_log(Log(quiet=True, log_format="common"), piped[0], "en")
    close()
    assert log is None


@pytest.mark.parametrize("name", ["common", "combined"])
def test_forms_that_are_of_http(piped: Piped, name: str) -> None:
    with pytest.raises(UsageError, match=f"the log format {name} tells of HTTP requests only"):
        open_service_log(Log(log_format=name), piped[0], "en")


def test_a_file_of_a_service_that_cannot_be_written(piped: Piped, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the access log to"):
        open_service_log(Log(log_file=str(tmp_path / "missing" / "log")), piped[0], "en")


@pytest.mark.parametrize(
    ("settings", "is_there"),
    [
        (Log(), True),
        (Log(log_format="json"), True),
        (Log(log_format="combined"), False),
        (Log(log_format="common"), False),
        (Log(quiet=True), False),
    ],
)
def test_services_beside_http_are_told_of_without_what_was_said(piped: Piped, settings: Log, is_there: bool) -> None:
    screen, read = piped
    interrupted: list[bool] = []
    screen.on_line = lambda: interrupted.append(True)
    log, close = open_beside_log(settings, screen, "en")
    assert (log is not None) == is_there
    if log is not None:
        log.opened(Peer("192.0.2.1", 5))
        log.told(Peer("192.0.2.1", 5), "a secret")
        log.flush()
        told = read()
        assert "192.0.2.1:5" in told
        assert "secret" not in told
        assert interrupted == [True]
    close()
