"""wget: a mirror of a tree, and resuming."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.skipif(shutil.which("wget") is None, reason="needs wget: apt-get install wget")


def wget(*arguments: str | Path) -> None:
    command = ["wget", "-q", "--no-config", "--tries=3", "--timeout=30", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    # wget decodes twice what it names a file by: percent%2541.txt becomes percentA.txt.
    return {unquote(str(path.relative_to(folder))): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_mirror_of_a_tree(url: str, root: Path, tmp_path: Path) -> None:
    names = ("--restrict-file-names=nocontrol", "--local-encoding=UTF-8", "--remote-encoding=UTF-8")
    wget("-r", "-np", "-nH", "--cut-dirs=1", "-R", "index.html*", *names, "-P", tmp_path, f"{url}/tree/")
    assert files_of(tmp_path) == files_of(root / "tree")


def test_resuming(url: str, root: Path, tmp_path: Path) -> None:
    data = (root / "large.bin").read_bytes()
    (tmp_path / "large.bin").write_bytes(data[:2_000_000])
    wget("-c", "-P", tmp_path, f"{url}/large.bin")
    assert (tmp_path / "large.bin").read_bytes() == data
    wget("-c", "-P", tmp_path, f"{url}/large.bin")  # nothing is left to fetch
    assert (tmp_path / "large.bin").read_bytes() == data


def test_the_time_of_a_file(url: str, root: Path, tmp_path: Path) -> None:
    wget("-N", "-P", tmp_path, f"{url}/page.html")
    assert (tmp_path / "page.html").stat().st_mtime == (root / "page.html").stat().st_mtime
    wget("-N", "-P", tmp_path, f"{url}/page.html")
