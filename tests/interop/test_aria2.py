"""aria2c: one file over eight connections."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("aria2c") is None, reason="needs aria2c: apt-get install aria2")


def test_eight_connections_and_a_checksum(url: str, root: Path, tmp_path: Path) -> None:
    data = (root / "large.bin").read_bytes()
    options = ["-q", "--no-conf", "-x", "8", "-s", "8", "-k", "1M", "-d", str(tmp_path), "--file-allocation=none"]
    checksum = f"--checksum=sha-256={hashlib.sha256(data).hexdigest()}"
    done = subprocess.run(["aria2c", *options, checksum, f"{url}/large.bin"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "large.bin").read_bytes() == data
