"""Start a server pinned to its core, wait for its first answer, read what its process tree used, stop it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.questions import Question
from bench.servers import Place, Server

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = {CORES[0]}
CLIENT_CORES = {CORES[-1]}


class StartFailed(Exception):
    """A server did not answer in time, or ended."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process tree: resident, and proportional (shared pages divided among those that share them)."""

    resident: int
    proportional: int


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on 127.0.0.1:port."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int

    def tree(self) -> list[int]:
        """Return the process ids of the server and all its descendants."""
        parents: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := stat_fields(int(entry))):
                parents.setdefault(int(fields[1]), []).append(int(entry))
        found = [self.process.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds, user and system, of the tree and of its children that have ended."""
        return sum(cpu_clock_s(pid) for pid in self.tree())

    def memory(self) -> Memory:
        """Return what the tree holds in memory now."""
        totals = [rollup(pid) for pid in self.tree()]
        return Memory(sum(m.resident for m in totals), sum(m.proportional for m in totals))

    def peak(self) -> int:
        """Return the bytes that the tree's processes held at most, each at its own time."""
        return sum(high_water(pid) for pid in self.tree())


def stat_fields(pid: int) -> list[str]:
    """Return /proc/PID/stat from the state on (proc(5) field 3), empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_clock_s(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended; 0 when it is gone.

    Its own come from its CPU clock, in nanoseconds, for /proc tells ticks: of 64 processes it would lose a third of a
    second. The number of the clock is that of clock_getcpuclockid(3), which Python does not have.
    """
    try:
        own = time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0
    return own + TICK_S * sum(map(int, stat_fields(pid)[13:15]))


def rollup(pid: int) -> Memory:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return Memory(sizes["Rss"], sizes["Pss"])


def high_water(pid: int) -> int:
    """Return VmHWM of proc(5), in bytes; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Run on these cores; what is started meanwhile stays on them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spawn(server: Server, place: Place) -> Running:
    """Start a server without waiting for it. Its output goes to the log where that is its log, else to /dev/null."""
    place.work.mkdir(parents=True, exist_ok=True)
    command = server.command(place)
    output = place.log if place.log and server.logs_to_output else Path(os.devnull)
    with open(output, "wb") as file, on_cores(SERVER_CORES):
        process = subprocess.Popen(
            command, cwd=place.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    return Running(server, process, place.port)


def wait_for_answer(running: Running, question: Question, limit_s: float = 15.0) -> bytes:
    """Ask until there is an answer; return its beginning. Raises StartFailed after the limit."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and running.process.poll() is None:
        try:
            if answer := question(running.port):
                return answer
        except OSError:
            time.sleep(0.001)
    status = running.process.poll()
    raise StartFailed(f"no answer within {limit_s:g} s" if status is None else f"ended at once with status {status}")


def stop(running: Running) -> None:
    """End the server and whatever it started, politely first."""
    if running.process.poll() is None:
        running.process.terminate()
        try:
            running.process.wait(3)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(running.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    running.process.wait()


@contextmanager
def serving(server: Server, place: Place, question: Question) -> Iterator[Running]:
    """Run a server for the length of a `with` block, from its first answer on."""
    running = spawn(server, place)
    try:
        wait_for_answer(running, question)
        yield running
    finally:
        stop(running)
