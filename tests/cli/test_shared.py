"""Folders and files as an offer: spoken of, opened, surveyed."""

from pathlib import Path

import pytest

from portico.apps.files.site import Site
from portico.cli.screen import Screen
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.settings import Files

EN = Words("en")
SCREEN = Screen(1, "utf-8", {})


def shared(path: Path | str) -> SharedFiles:
    return SharedFiles((Share("", str(path)),), Files())


@pytest.mark.parametrize(("workers", "notes"), [(None, "(read-only)"), (2, "(read-only, 2 workers)")])
def test_what_it_says_of_itself(site: Path, workers: int | None, notes: str) -> None:
    line = shared(site).greeting(EN, SCREEN, workers)[0]
    assert line.endswith(f"site   {notes}")


def test_the_whole_disk_is_warned_of(site: Path) -> None:
    assert shared("/").warnings(EN) == ["careful, this is the whole file system: everything in it can be read"]
    assert shared(site).warnings(EN) == []


def test_open_and_close(site: Path) -> None:
    offer = shared(site)
    assert isinstance(offer.open(), Site)
    offer.close()
    shared(site).close()


def test_a_folder_that_is_missing(site: Path) -> None:
    with pytest.raises(ConfigError, match="cannot serve"):
        shared(site / "missing").open()


def test_the_survey(site: Path) -> None:
    assert shared(site).survey(EN, SCREEN)(lambda: False) == ["  1 file, 6 B"]
    assert shared(site / "missing").survey(EN, SCREEN)(lambda: False) == []
