"""The access log goes where the settings say, in the form they say."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portico.cli.log import open_log
from portico.cli.screen import Screen
from portico.errors import ConfigError
from portico.server.access_log import Record
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
