"""A traceback is cut down to the lines of the person who reads it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portico.gateway.blame import is_library, last_own_line, own_frames, said
from portico.settings import parse_size


def caught(source: str, filename: str) -> BaseException:
    """Run a program as if it stood in a file; return what it raises."""
    try:
        exec(compile(source, filename, "exec"), {"json": json, "parse_size": parse_size})
    except Exception as exc:
        return exc
    raise AssertionError("it did not fail")


@pytest.fixture
def mine(tmp_path: Path) -> str:
    return str(tmp_path / "mine.py")


def write(filename: str, source: str) -> BaseException:
    Path(filename).write_text(source)
    return caught(source, filename)


def test_our_own_lines_are_left_out(mine: str) -> None:
    exc = write(mine, "\nparse_size('x')\n")
    text = "\n".join(own_frames(exc))
    assert f'{mine}", line 2' in text
    assert "src/portico" not in text


def test_libraries_are_counted(mine: str) -> None:
    frames = own_frames(write(mine, "json.loads('{')\n"))
    assert f'  File "{mine}", line 1, in <module>' in frames
    assert frames[-1].startswith("  ... ")
    assert frames[-1].endswith("lines of libraries, to raw_decode in json/decoder.py")


def test_one_line_between_two_of_the_person(mine: str) -> None:
    source = "def hook(pairs):\n    raise KeyError('x')\njson.JSONDecoder(object_pairs_hook=hook).raw_decode('{}')\n"
    frames = own_frames(write(mine, source))
    assert [line for line in frames if "File" in line or "..." in line][1:] == [
        f'  File "{mine}", line 3, in <module>',
        next(line for line in frames if "..." in line),
        f'  File "{mine}", line 2, in hook',
    ]


def test_files_are_named_from_here(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("1 / 0\n")
    code = (
        "import runpy\nfrom portico.gateway.blame import own_frames, last_own_line\n"
        "try: runpy.run_path('mine.py')\nexcept ZeroDivisionError as e: print(*own_frames(e), last_own_line(e))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert 'File "mine.py", line 1, in <module>' in done.stdout
    assert done.stdout.endswith("('mine.py', 1)\n")


def test_the_place_of_a_syntax_error(mine: str) -> None:
    Path(mine).write_text("a = (\n")
    frames = own_frames(caught(f"compile('a = (', {mine!r}, 'exec')", mine))
    assert f'  File "{mine}", line 1' in frames
    assert any("^" in line for line in frames)


def test_recursion_is_cut(mine: str) -> None:
    assert len(own_frames(write(mine, "def f(): f()\nf()\n"))) <= 20 * 4


def test_the_last_line_of_the_person(mine: str) -> None:
    assert last_own_line(write(mine, "\n\njson.loads('{')\n")) == (mine, 3)
    assert last_own_line(ValueError()) is None


def test_what_was_said_is_one_line() -> None:
    assert said(ValueError("a\n  b")) == "ValueError: a b"
    assert said(KeyError()) == "KeyError"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (json.__file__, True),
        (pytest.__file__, True),
        ("<string>", True),
        (os.path.join("x", "site-packages", "y.py"), True),
        (__file__, False),
    ],
)
def test_what_is_a_library(filename: str, expected: bool) -> None:
    assert is_library(filename) is expected
