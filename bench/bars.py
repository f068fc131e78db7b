"""What was promised, and how each promise is read from what was measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.crowd import Crowd
from bench.fetch import Fetch
from bench.idle import Idle
from bench.rooms import Talk
from bench.rounds import Outcome, Plan
from bench.sample import Sample
from bench.servers import Server
from bench.startup import Start

CORE = "portico"


@dataclass(slots=True)
class Results:
    """All that a run of one suite found. missing: servers that are not installed; minutes: how long the run took."""

    plan: Plan
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    idle: dict[str, Idle] = field(default_factory=dict)
    idle_absent: dict[str, str] = field(default_factory=dict)
    starts: dict[str, list[Start]] = field(default_factory=dict)
    imports: dict[str, list[float]] = field(default_factory=dict)
    crowds: dict[str, list[Crowd]] = field(default_factory=dict)
    crowds_absent: dict[str, str] = field(default_factory=dict)
    fetches: dict[str, list[Fetch]] = field(default_factory=dict)
    fetches_absent: dict[str, str] = field(default_factory=dict)
    talks: dict[str, list[Talk]] = field(default_factory=dict)
    talks_absent: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    minutes: float = 0.0
    command: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise. read: gives the figure, None where not measured; least: it must reach `bar`, else stay below."""

    text: str
    bar: float
    read: Callable[[Results], float | None]
    unit: str = ""
    least: bool = False

    def row(self, results: Results) -> list[str]:
        value = self.read(results)
        limit = f"{'>=' if self.least else '<='} {self.bar:g}{self.unit}"
        if value is None:
            return [self.text, limit, "-", "not measured"]
        met = value >= self.bar if self.least else value <= self.bar
        return [self.text, limit, f"{value:.2f}{self.unit}", "met" if met else "**missed**"]


def middle(results: Results, case: str, server: str, figure: Callable[[Sample], float]) -> float | None:
    """Return the median of a figure over the rounds, None without samples."""
    outcome = results.outcomes.get(case)
    samples = outcome.samples.get(server) if outcome else None
    return median(map(figure, samples)) if samples else None


def ratio(
    case: str, figure: Callable[[Sample], float], other: str, ours: str = CORE
) -> Callable[[Results], float | None]:
    """Make a reader of Portico's median over another server's. ours: which way of running Portico."""

    def read(results: Results) -> float | None:
        return divided(middle(results, case, ours, figure), middle(results, case, other, figure))

    return read


def best_ratio(case: str, *others: str) -> Callable[[Results], float | None]:
    """Make a reader of Portico's CPU time over that of the best of the others that were measured."""

    def read(results: Results) -> float | None:
        found = [value for other in others if (value := middle(results, case, other, cpu)) is not None]
        return divided(middle(results, case, CORE, cpu), min(found, default=None))

    return read


def divided(ours: float | None, theirs: float | None) -> float | None:
    return ours / theirs if ours is not None and theirs else None


def cpu(sample: Sample) -> float:
    return sample.cpu_us


def speed(sample: Sample) -> float:
    return sample.byte_rate


def start_ratio(other: str) -> Callable[[Results], float | None]:
    """Make a reader of the median time to the first answer, Portico's over another's."""

    def read(results: Results) -> float | None:
        ours, theirs = (results.starts.get(name) for name in (CORE, other))
        return divided(*(median(s.wall_s for s in starts) if starts else None for starts in (ours, theirs)))

    return read


def fetch_ratio(other: str) -> Callable[[Results], float | None]:
    """Make a reader of the median CPU time of a download, Portico's over another's."""

    def read(results: Results) -> float | None:
        ours, theirs = (results.fetches.get(name) for name in (CORE, other))
        return divided(*(median(f.cpu_s for f in fetches) if fetches else None for fetches in (ours, theirs)))

    return read


def turned_away(results: Results) -> float | None:
    """Return how many clients of all Portico's crowds did not get what they came for."""
    crowds = results.crowds.get(CORE)
    return float(sum(crowd.failures.total() for crowd in crowds)) if crowds else None


def idle_kib(results: Results) -> float | None:
    return results.idle[CORE].bytes_each / 1024 if CORE in results.idle else None


def import_ms(results: Results) -> float | None:
    if not results.imports:
        return None
    return 1e3 * (median(results.imports["import portico"]) - median(results.imports["pass"]))


FILES = (
    Bar("CPU a request, 1 KiB, same head, of nginx", 0.9, ratio("1k", cpu, "nginx")),
    Bar("CPU a request, 1 KiB, same head, of granian", 0.5, ratio("1k", cpu, "granian")),
    Bar("CPU a request, 1 KiB, every head new, of nginx", 1.25, ratio("1k-browser", cpu, "nginx")),
    Bar("CPU a request, 304, of nginx", 0.9, ratio("304", cpu, "nginx")),
    Bar("Bytes a second, 64 KiB, of nginx", 1.0, ratio("64k", speed, "nginx"), least=True),
    Bar("Bytes a second, 1 MiB, of nginx", 1.3, ratio("1m", speed, "nginx"), least=True),
    Bar("Bytes a second, 100 MiB, of nginx", 1.3, ratio("100m", speed, "nginx"), least=True),
    Bar("Memory of an idle connection", 5.0, idle_kib, " KiB"),
    Bar("Start to first answer, of uvicorn with an application that says ok", 0.7, start_ratio("uvicorn hello")),
    Bar("Start to first answer, of `python -m http.server`", 2.0, start_ratio("http.server")),
    Bar("`import portico` over `pass`", 30.0, import_ms, " ms"),
)


def hello(text: str, case: str, other: str, bar: float) -> Bar:
    return Bar(f"CPU a request, {text}, of {other}", bar, ratio(case, cpu, other))


def better(text: str, case: str) -> Bar:
    return Bar(f"CPU, {text}, of the better of uvicorn and granian", 1.0, best_ratio(case, "uvicorn", "granian"))


APPS = (
    hello("ASGI hello, same head", "asgi", "uvicorn", 0.6),
    hello("ASGI hello, same head", "asgi", "granian", 0.6),
    hello("ASGI hello, every head new", "asgi-browser", "uvicorn", 0.9),
    hello("ASGI hello, every head new", "asgi-browser", "granian", 0.9),
    hello("WSGI hello in threads, same head", "wsgi", "granian", 1.0),
    hello("WSGI hello in threads, every head new", "wsgi-browser", "granian", 1.0),
    hello("WSGI hello in threads, same head", "wsgi", "gunicorn", 0.25),
    hello("WSGI hello in threads, every head new", "wsgi-browser", "gunicorn", 0.25),
    hello("WSGI hello on the loop, same head", "loop", "bjoern", 0.9),
    hello("WSGI hello on the loop, every head new", "loop-browser", "bjoern", 1.3),
    better("ASGI, 64 KiB of JSON out", "json"),
    better("ASGI, a body of 1 MiB in", "upload"),
    better("ASGI, 100 MiB out in pieces", "stream"),
)


NATIVE = "portico + C mask"


def echoes(text: str, case: str, bar: float) -> tuple[Bar, Bar]:
    """Return the promise for Portico as it is installed alone, and with another package's C function."""
    promise = f"CPU a message, WebSocket echo of {text}, of uvicorn"
    plain = Bar(promise, bar, ratio(case, cpu, "uvicorn"))
    return plain, Bar(f"{promise}; with `websockets` installed", bar, ratio(case, cpu, "uvicorn", NATIVE))


MESSAGES = (
    *echoes("64 bytes", "echo-64", 0.7),
    *echoes("4 KiB", "echo-4k", 0.9),
    *echoes("1 MiB", "echo-1m", 1.0),
    better("a message to 1 000 WebSockets, each delivery", "fan-out"),
)

SERVICES = (
    Bar("CPU a datagram, time over UDP, one format, of asyncio", 1.0, ratio("time", cpu, "asyncio")),
    Bar("CPU a datagram, time over UDP, formats always new, of asyncio", 1.0, ratio("time-new", cpu, "asyncio")),
    Bar("CPU a message, TCP echo of 64 bytes, of a protocol on uvloop", 1.15, ratio("tcp-64", cpu, "uvloop")),
    Bar("CPU a message, TCP echo of 64 KiB, of a protocol on uvloop", 1.15, ratio("tcp-64k", cpu, "uvloop")),
    Bar("Clients of 10 000 at once that are not greeted", 0, turned_away),
    Bar("CPU of a download of 1 GiB, of curl", 1.2, fetch_ratio("curl")),
    Bar("CPU of a download of 1 GiB, of httpx", 0.5, fetch_ratio("httpx")),
)


def of_talks(figure: Callable[[list[Talk]], float]) -> Callable[[Results], float | None]:
    """Make a reader of a figure of all turns of the chat."""
    return lambda results: figure(results.talks[CORE]) if results.talks.get(CORE) else None


def growth_kib(talks: list[Talk]) -> float:
    """Return what a thousand messages added to the server's memory, from the end of the second turn to the last's.

    In the second, everybody has come back once: what that takes is taken.
    """
    sent = sum(talk.sent for talk in talks[2:])
    return (talks[-1].memory - talks[1].memory) / 1024 / (sent / 1000) if sent else 0.0


TALKS = (
    Bar("Messages a second in", 495, of_talks(lambda talks: min(t.sent / t.seconds for t in talks)), least=True),
    Bar(
        "Deliveries a second out",
        19_800,
        of_talks(lambda talks: min(len(t.delays) / t.seconds for t in talks)),
        least=True,
    ),
    Bar(
        "Delay from due to delivered, p99 of the worst turn",
        150,
        of_talks(lambda ts: max(t.share(0.99) for t in ts)),
        " ms",
    ),
    Bar("Deliveries lost or repeated", 0, of_talks(lambda talks: sum(t.lost + t.repeated for t in talks))),
    Bar("Memory gained from the second turn on, for 1 000 messages", 20, of_talks(growth_kib), " KiB"),
)
