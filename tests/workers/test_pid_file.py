import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.errors import ConfigError
from portico.workers.pid_file import PidFile

HOLD = """
import os, sys
from portico.workers.pid_file import PidFile
PidFile(sys.argv[1]).claim()
print(os.getpid(), flush=True)
sys.stdin.read()
"""

COME_AND_GO = """
import os, sys
from portico.errors import ConfigError
from portico.workers.pid_file import PidFile
held = PidFile(sys.argv[1])
print(os.getpid(), flush=True)
os.set_blocking(0, False)
while sys.stdin.buffer.raw.read(1) is None:
    try:
        held.claim()
    except ConfigError as exc:
        assert " is held by process " in str(exc), exc
    held.release()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `tmp_path/pid`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "pid")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{process.pid}\n"
        yield process
        process.kill()


def test_a_life(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with PidFile(str(path)) as held:
        assert path.read_text() == f"{os.getpid()}\n"
        assert os.stat(path).st_mode & 0o777 == 0o644 & ~_umask()
        assert os.listdir(tmp_path) == ["pid"]
    assert os.listdir(tmp_path) == []
    held.release()


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_one_that_a_living_process_holds_is_refused(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(ConfigError, match=f"pid is held by process {holder.pid}; stop it or choose another --pid-file"):
        PidFile(str(tmp_path / "pid")).claim()
    assert (tmp_path / "pid").read_text() == f"{holder.pid}\n"
    assert os.listdir(tmp_path) == ["pid"]


def test_one_of_a_dead_process_is_taken_over(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with PidFile(str(tmp_path / "pid")):
        assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("text", ["", "1\n", str(os.getppid())])
def test_a_number_without_a_lock_is_stale_whoever_has_it_now(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    with PidFile(str(tmp_path / "pid")):
        assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("text", ["print('hello')\n", "12 34", "1" * 21 + "x", "\xff"])
def test_another_file_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    with pytest.raises(ConfigError, match="pid exists and is no pid file"):
        PidFile(str(tmp_path / "pid")).claim()
    assert (tmp_path / "pid").read_text() == text


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pid cannot be written: No such file or directory"):
        PidFile(str(tmp_path / "no" / "pid")).claim()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="folder cannot be written: Is a directory"):
        PidFile(str(tmp_path / "folder")).claim()


def test_a_draft_that_was_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / f"pid.{os.getpid()}").write_text("x")
    with PidFile(str(tmp_path / "pid")):
        assert os.listdir(tmp_path) == ["pid"]


def test_the_file_of_another_stays(tmp_path: Path) -> None:
    held = PidFile(str(tmp_path / "pid"))
    held.claim()
    (tmp_path / "pid").unlink()
    (tmp_path / "pid").write_text("7")
    held.release()
    assert (tmp_path / "pid").read_text() == "7"


def test_a_file_that_is_gone_already(tmp_path: Path) -> None:
    with PidFile(str(tmp_path / "pid")):
        (tmp_path / "pid").unlink()


def test_who_may_not_remove_the_file_empties_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    script = """
import os, sys
from portico.workers.pid_file import PidFile
held = PidFile(sys.argv[1])
held.claim()
if os.getuid() == 0:
    os.setuid(65534)
else:
    os.chmod(os.path.dirname(sys.argv[1]), 0o500)
held.release()
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "pid")], check=True, timeout=30)
    tmp_path.chmod(0o755)
    assert (tmp_path / "pid").read_text() == ""


def test_a_path_that_leads_nowhere_any_more_is_still_ours(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    held = PidFile(str(folder / "pid"))
    held.claim()
    os.rename(folder, tmp_path / "moved")
    folder.write_text("not a folder")
    held.release()
    assert (tmp_path / "moved" / "pid").read_text() == ""


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pid").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="pid cannot be written: Too many levels of symbolic links"):
        PidFile(str(tmp_path / "pid")).claim()


def test_starters_at_once_get_one_winner(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path / "pid")]
    crowd = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(5)
    ]
    said = [process.stdout.readline() for process in crowd if process.stdout is not None]
    assert len([line for line in said if line]) == 1
    assert (tmp_path / "pid").read_text() == max(said)
    for process in crowd:
        process.communicate(timeout=30)
    with open(tmp_path / "pid") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_one_that_comes_and_goes_all_the_time(tmp_path: Path) -> None:
    """Whatever moment the other's file vanishes or is replaced in, one holds the place, and the place says who."""
    path = tmp_path / "pid"
    words = [sys.executable, "-c", COME_AND_GO, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == f"{other.pid}\n"
        for _ in range(3000):
            try:
                with PidFile(str(path)):
                    assert path.read_text() == f"{os.getpid()}\n"
            except ConfigError as exc:
                assert f"pid is held by process {other.pid}; stop it" in str(exc)  # noqa: PT017
        other.communicate("", timeout=30)
    assert other.returncode == 0
    assert os.listdir(tmp_path) == []
