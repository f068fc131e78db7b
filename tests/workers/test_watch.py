import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portico.errors import ConfigError
from portico.workers.watch import changes, check_watching, described, is_relevant


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("app.py", True),
        ("shop/views.py", True),
        ("portico.toml", True),
        ("templates/page.html", True),
        ("templates/mail.jinja2", True),
        (".env", True),
        ("app.pyc", False),
        ("__pycache__/app.py", False),
        (".git/config.ini", False),
        (".venv/lib/x.py", False),
        ("venv/x.py", False),
        ("node_modules/x/index.html", False),
        (".#app.py", False),
        ("app.py~", False),
        ("4913", False),
        ("db.sqlite3", False),
        ("notes.txt", False),
    ],
)
def test_what_counts(path: str, counts: bool) -> None:
    assert is_relevant(f"/home/me/.work/build/project/{path}", ["/elsewhere", "/home/me/.work/build/project"]) is counts


def test_outside_of_all_folders_the_whole_path_is_judged() -> None:
    assert is_relevant("/srv/app.py", ["/home"])
    assert not is_relevant("/srv/.git/app.py", ["/home"])


def test_described(tmp_path: Path) -> None:
    here = os.getcwd()
    assert described([f"{here}/b.py", f"{here}/a.py", f"{here}/a.py"]) == "a.py, b.py"
    assert described([f"{here}/{name}.py" for name in "edcba"]) == "a.py, b.py, c.py and 2 more"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--reload-dir .*/no is not a folder"):
        check_watching([str(tmp_path / "no")])


def test_without_the_package_one_is_told_what_to_install() -> None:
    script = """
import sys
sys.modules["watchfiles"] = None
from portico.errors import ConfigError
from portico.workers.watch import check_watching
try:
    check_watching([])
except ConfigError as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "--reload needs the package watchfiles; pip install watchfiles\n"


def test_a_change_is_told_and_what_does_not_count_is_not(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")

    async def scenario() -> str:
        watching = changes([str(tmp_path)])
        async with asyncio.timeout(30):
            first = asyncio.ensure_future(anext(watching))
            number = 0
            # The watch begins in a thread of its own, so what is written at once may be missed.
            while not first.done():
                (tmp_path / "notes.txt").write_text(str(number))
                (tmp_path / "app.py").write_text(f"n = {number}")
                number += 1
                await asyncio.wait([first], timeout=0.1)
            await watching.aclose()  # type: ignore[attr-defined]
        return first.result()

    assert os.path.basename(asyncio.run(scenario())) == "app.py"
