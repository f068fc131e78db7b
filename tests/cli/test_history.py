import os
import stat
from pathlib import Path

import pytest

from portico.cli.history import MOST_LINES, History, state_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/portico"),
        ({"HOME": "/h"}, "/h/.local/state/portico"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/portico"),
        ({"HOME": ""}, ""),
        ({}, ""),
    ],
)
def test_state_has_its_place(environ: dict[str, str], folder: str) -> None:
    assert state_folder(environ) == folder


def test_lines_come_back_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history"
    history = History(str(path))
    assert history.lines() == []
    history.add("hello")
    history.add("你好")
    assert History(str(path)).lines() == ["hello", "你好"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("line", ["", "  ", " password", "a\nb", "a\x1bb", "x" * 5000])
def test_what_is_not_remembered(tmp_path: Path, line: str) -> None:
    history = History(str(tmp_path / "history"))
    history.add(line)
    assert history.lines() == []


def test_a_long_history_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"line {n}\n" for n in range(2 * MOST_LINES + 1)))
    history = History(str(path))
    latest = [f"line {n}" for n in range(MOST_LINES + 1, 2 * MOST_LINES + 1)]
    assert history.lines() == latest
    assert path.read_text().splitlines() == latest
    assert os.listdir(tmp_path) == ["history"]


def test_a_large_file_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b"\xff" * 2_000_000 + b"\nlatest\n")
    assert History(str(path)).lines()[-1] == "latest"
    assert path.stat().st_size < 4_000_000


@pytest.mark.parametrize("path", ["", "/proc/nothing/history", "/dev/null/history"])
def test_no_place_is_no_history(path: str) -> None:
    history = History(path)
    history.add("hello")
    assert history.lines() == []
