"""One large file from nginx to a file in memory, by clients that take turns: what each download costs its client."""

import filecmp
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import CLIENT_CORES, on_cores, serving
from bench.questions import get
from bench.rounds import place_for, say
from bench.sample import NotServed
from bench.servers import SERVERS, Place, Server
from bench.service_servers import LARGE, target
from bench.site import MIB

SIZE = 1024 * MIB
MEMORY = Path("/dev/shm")  # a tmpfs on any Linux
NEEDED = 3 * SIZE  # the file, its copy, and as much again for whatever else runs
NGINX = next(server for server in SERVERS if server.name == "nginx")


@dataclass(frozen=True, slots=True)
class Fetch:
    """One download. wall_s: from the start of the program to its end; cpu_s: its user and system time, by wait4(2)."""

    wall_s: float
    cpu_s: float


def memory_available() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


@contextmanager
def large_file() -> Iterator[Path]:
    """Make a folder that has the file, in memory where it fits."""
    fits = MEMORY.is_dir() and min(memory_available(), shutil.disk_usage(MEMORY).free) >= NEEDED
    with tempfile.TemporaryDirectory(prefix="portico-fetch-", dir=MEMORY if fits else None) as name:
        block = os.urandom(MIB)
        with open(Path(name) / LARGE, "wb") as file:
            for _ in range(SIZE // MIB):
                file.write(block)
        yield Path(name)


def fetch(client: Server, place: Place) -> Fetch:
    """Download once, to a file that is not there yet. Raises NotServed when the client fails or the size is wrong."""
    copy = Path(target(place))
    copy.unlink(missing_ok=True)
    begin = time.monotonic()
    with on_cores(CLIENT_CORES):
        process = subprocess.Popen(
            client.command(place),
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stderr is not None
            said = process.stderr.read().decode(errors="replace").strip()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - begin
    size = copy.stat().st_size if copy.exists() else 0
    if process.returncode or size != SIZE:
        raise NotServed(f"status {process.returncode}, {size} bytes{': ' if said else ''}{said:.80}")
    return Fetch(wall_s, usage.ru_utime + usage.ru_stime)


def run_fetches(clients: Iterable[Server], rounds: int, work: Path) -> tuple[dict[str, list[Fetch]], dict[str, str]]:
    """Let the clients take turns, after one each that is compared byte for byte; return fetches, and who failed why."""
    found: dict[str, list[Fetch]] = {}
    absent: dict[str, str] = {}
    with large_file() as site, serving(NGINX, place_for(NGINX, site, work), get(f"/{LARGE}")) as running:
        places = {client.name: Place(site, site, running.port, None, client.name) for client in clients}
        for number in range(rounds + 1):
            for client in clients:
                if client.name in absent:
                    continue
                try:
                    done = fetch(client, places[client.name])
                    if not number and not filecmp.cmp(site / LARGE, target(places[client.name]), shallow=False):
                        raise NotServed("the copy differs")
                except (NotServed, OSError) as exc:
                    absent[client.name] = str(exc)
                    say(f"  get          {client.name}: {exc}")
                    continue
                if number:
                    found.setdefault(client.name, []).append(done)
                    say(f"  get          round {number}  {client.name:<12} {done.cpu_s:.2f} s CPU, {done.wall_s:.2f} s")
    return found, absent
