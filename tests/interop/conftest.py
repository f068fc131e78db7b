"""What the interop tests share: a folder, and `portico serve` for it in a process of its own."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MTIME_S = 1_700_000_000
COMMAND = "import sys; from portico.cli.main import main; sys.exit(main())"


def fill(root: Path) -> None:
    """Make `large.bin` (5 MB that do not repeat), `page.html`, and a small tree with odd names."""
    blocks = [hashlib.sha512(b"%d" % number).digest() for number in range(80_000)]
    (root / "large.bin").write_bytes(b"".join(blocks))
    (root / "page.html").write_bytes(b"<p>The quick brown fox jumps over the lazy dog.</p>\n" * 500)
    tree = root / "tree"
    for name in (
        "a.txt",
        "sub/b & c.txt",
        "sub/percent%41.txt",
        "sub/deeper/ünï çødé.txt",
        "sub/q?x#y;z.txt",
        "per cent/+.txt",
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"this is " + name.encode() + b"\n")
    for path in root.rglob("*"):
        os.utime(path, (MTIME_S, MTIME_S))


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that is served."""
    folder = tmp_path_factory.mktemp("interop")
    fill(folder)
    return folder


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., str]]:
    """Return a function that starts `portico serve` with arguments and returns the URL, without a slash at its end."""
    running: list[subprocess.Popen[str]] = []

    def serve(*arguments: str | Path) -> str:
        command = [sys.executable, "-c", COMMAND, "serve", *map(str, arguments), "-p", "0", "-b", "127.0.0.1"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment
        )
        running.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"http://[\w.]+:\d+", line)
            if found is not None:
                return found[0]
        raise AssertionError("the server said no URL")

    yield serve
    for process in running:
        process.terminate()
        process.communicate()


@pytest.fixture(scope="session")
def url(start: Callable[..., str], root: Path) -> str:
    """Serve the folder; return its URL without a slash at its end."""
    return start(root, "--quiet")
