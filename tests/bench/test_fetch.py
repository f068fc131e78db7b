"""What counts as a download: programs that make the file themselves, and ones that do not."""

import sys
from pathlib import Path

import pytest
from bench.fetch import SIZE, fetch
from bench.sample import NotServed
from bench.servers import Place, Server
from bench.service_servers import target

LOAD = "import time\nwhile time.process_time() < 0.2: pass\n"


def client(code: str) -> Server:
    """Return one that runs code, with the name of the file in `name`."""
    return Server(
        "client", "python", lambda place: [sys.executable, "-c", f"name = {target(place)!r}\n{code}"], ("--version",)
    )


def whole(size: int) -> str:
    return f"with open(name, 'xb') as file: file.truncate({size})"


def test_its_cpu_time_is_counted(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path, 0, None)
    done = fetch(client(LOAD + whole(SIZE)), place)
    assert done.cpu_s >= 0.2
    assert done.wall_s >= 0.2


def test_the_file_of_an_earlier_turn_is_gone(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path, 0, None)
    for _ in range(2):
        fetch(client(whole(SIZE)), place)
    with pytest.raises(NotServed, match="status 0, 0 bytes"):
        fetch(client("pass"), place)


@pytest.mark.parametrize(
    ("code", "said"),
    [(whole(SIZE - 1), f"status 0, {SIZE - 1} bytes$"), (whole(SIZE) + "\nexit('no')", f"status 1, {SIZE} bytes: no")],
)
def test_one_that_fails_is_no_measurement(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(NotServed, match=said):
        fetch(client(code), Place(tmp_path, tmp_path, 0, None))
