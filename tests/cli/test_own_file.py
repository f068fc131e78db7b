"""A file for its owner alone is replaced in one step, or stays as it was."""

import stat
from pathlib import Path

import pytest

from portico.cli.own_file import replace


def test_a_file_is_made_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    for data in (b"first, and long", b"second"):
        replace(str(path), data)
        assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["tokens"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace(str(tmp_path / "typo" / "tokens"), b"data")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").write_text("kept")
    with pytest.raises(OSError, match="directory"):
        replace(str(tmp_path / "taken"), b"data")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken" / "inside").read_text() == "kept"
