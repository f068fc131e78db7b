"""From the command line to the first answer, and what `import portico` adds to an empty Python."""

import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.process import SERVER_CORES, StartFailed, on_cores, spawn, stop, wait_for_answer
from bench.questions import get
from bench.rounds import place_for, say
from bench.servers import Server


@dataclass(frozen=True, slots=True)
class Start:
    """One start. wall_s: until the first bytes of an answer; cpu_s: of the process tree until then."""

    wall_s: float
    cpu_s: float


def start_once(server: Server, site: Path, work: Path) -> Start:
    """Start a server, wait for its first answer, stop it."""
    place = place_for(server, site, work)
    begin = time.perf_counter()
    running = spawn(server, place)
    try:
        wait_for_answer(running, get(server.prefix + "/1k.bin"))
        return Start(time.perf_counter() - begin, running.cpu_s())
    finally:
        stop(running)


def run_startup(servers: Iterable[Server], runs: int, site: Path, work: Path) -> dict[str, list[Start]]:
    """Start each server `runs` times, in turns, after one start that fills the caches."""
    found: dict[str, list[Start]] = {server.name: [] for server in servers}
    for number in range(runs + 1):
        for server in servers:
            try:
                start = start_once(server, site, work)
            except (StartFailed, OSError) as exc:
                say(f"  start       {server.name}: {exc}")
                continue
            if number:
                found[server.name].append(start)
    return {name: starts for name, starts in found.items() if starts}


def run_imports(statements: Iterable[str], runs: int) -> dict[str, list[float]]:
    """Run `python -c STATEMENT` for each statement, in turns; return the seconds each took."""
    found: dict[str, list[float]] = {statement: [] for statement in statements}
    with on_cores(SERVER_CORES):
        for number in range(runs + 1):
            for statement, taken in found.items():
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], check=True)
                if number:
                    taken.append(time.perf_counter() - begin)
    return found
