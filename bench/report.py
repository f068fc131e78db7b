"""BENCH.md: the promises and whether they are kept, then every figure with its spread."""

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.idle import Idle
from bench.load import Sample
from bench.rounds import Outcome, Plan
from bench.servers import Server
from bench.startup import Start

CORE = "portico"
YARDSTICK = "nginx"


@dataclass(slots=True)
class Results:
    """All that a run found. missing: servers that are not installed; minutes: how long the run took."""

    plan: Plan
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    idle: dict[str, Idle] = field(default_factory=dict)
    idle_absent: dict[str, str] = field(default_factory=dict)
    starts: dict[str, list[Start]] = field(default_factory=dict)
    imports: dict[str, list[float]] = field(default_factory=dict)
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


def ratio(case: str, figure: Callable[[Sample], float], other: str = YARDSTICK) -> Callable[[Results], float | None]:
    """Make a reader of Portico's median over another server's."""

    def read(results: Results) -> float | None:
        return divided(middle(results, case, CORE, figure), middle(results, case, other, figure))

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


def idle_kib(results: Results) -> float | None:
    return results.idle[CORE].bytes_each / 1024 if CORE in results.idle else None


def import_ms(results: Results) -> float | None:
    if not results.imports:
        return None
    return 1e3 * (median(results.imports["import portico"]) - median(results.imports["pass"]))


BARS = (
    Bar("CPU a request, 1 KiB, same head, of nginx", 0.9, ratio("1k", cpu)),
    Bar("CPU a request, 1 KiB, same head, of granian", 0.5, ratio("1k", cpu, "granian")),
    Bar("CPU a request, 1 KiB, every head new, of nginx", 1.25, ratio("1k-browser", cpu)),
    Bar("CPU a request, 304, of nginx", 0.9, ratio("304", cpu)),
    Bar("Bytes a second, 64 KiB, of nginx", 1.0, ratio("64k", speed), least=True),
    Bar("Bytes a second, 1 MiB, of nginx", 1.3, ratio("1m", speed), least=True),
    Bar("Bytes a second, 100 MiB, of nginx", 1.3, ratio("100m", speed), least=True),
    Bar("Memory of an idle connection", 5.0, idle_kib, " KiB"),
    Bar("Start to first answer, of uvicorn with an application that says ok", 0.7, start_ratio("uvicorn hello")),
    Bar("Start to first answer, of `python -m http.server`", 2.0, start_ratio("http.server")),
    Bar("`import portico` over `pass`", 30.0, import_ms, " ms"),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, the first column to the left, the others to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def spread(values: Iterable[float | None], form: str) -> str:
    """Return the median and, with several rounds, least and most in brackets; "-" where nothing was measured."""
    found = [value for value in values if value is not None]
    if not found:
        return "-"
    text = format(median(found), form)
    return text if len(found) == 1 else f"{text} ({min(found):{form}} - {max(found):{form}})"


def case_section(results: Results, outcome: Outcome) -> str:
    case = outcome.case
    yardstick = middle(results, case.name, YARDSTICK, cpu)
    fast = middle(results, case.name, YARDSTICK, speed)
    rows = []
    for name, samples in outcome.samples.items():
        against = divided(median(map(cpu, samples)), yardstick)
        row = [name]
        if case.in_bytes:
            ahead = divided(median(map(speed, samples)), fast)
            row += [spread((s.byte_rate / 1e6 for s in samples), ".0f"), form(ahead)]
        else:
            row += [spread((s.rate for s in samples), ".0f")]
        row += [spread((s.cpu_us for s in samples), ".1f"), form(against)]
        row += [] if case.in_bytes else [spread((s.p99_ms for s in samples), ".2f")]
        row += [f"{median(s.busy for s in samples):.0f} %"]
        row += [f"{max(s.memory.resident for s in samples) / 2**20:.1f}"]
        row += [f"{max(s.memory.proportional for s in samples) / 2**20:.1f}"]
        row += [str(sum(s.answered.errors for s in samples))]
        rows.append(row)
    rates = ["MB/s", "of nginx"] if case.in_bytes else ["requests/s"]
    head = ["server", *rates, "CPU us/request", "of nginx", *([] if case.in_bytes else ["p99 ms"])]
    head += ["core", "RSS MiB", "PSS MiB", "errors"]
    load = f"{case.connections} connections; {case.kind.value}."
    gone = "".join(f"\n{name}: not measured - {reason}." for name, reason in outcome.absent.items())
    return f"### {case.title}\n\n`{case.name}`: {load}\n\n{table(head, rows)}\n{gone}"


def form(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def idle_section(results: Results) -> str:
    rows = [[name, f"{idle.connections}", f"{idle.bytes_each / 1024:.2f}"] for name, idle in results.idle.items()]
    gone = "".join(f"\n{name}: not measured - {reason}." for name, reason in results.idle_absent.items())
    how = "Resident memory with the connections open, each after one answered request, less that before."
    return f"### Idle connections\n\n{how}\n\n{table(['server', 'connections', 'KiB each'], rows)}\n{gone}"


def start_section(results: Results) -> str:
    rows = [
        [name, spread((1e3 * s.wall_s for s in starts), ".0f"), spread((1e3 * s.cpu_s for s in starts), ".0f")]
        for name, starts in results.starts.items()
    ]
    taken = [
        [f"`python -c '{code}'`", spread((1e3 * s for s in runs), ".1f")] for code, runs in results.imports.items()
    ]
    starts = table(["server", "first answer after ms", "CPU ms until then"], rows)
    return f"### Start-up\n\n{starts}\n\n{table(['import', 'ms'], taken)}\n"


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores" if models else platform.machine()


def machine_section(results: Results) -> str:
    rows = [
        ["processor", cpu_model()],
        ["system", f"{platform.system()} {platform.release()}"],
        ["Python", platform.python_version()],
        *([server.name, ". ".join(filter(None, [server.describe(), server.remark]))] for server in results.servers),
    ]
    gone = f"\nNot installed, so left out: {', '.join(results.missing)}.\n" if results.missing else ""
    lines = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"## The machine\n\n| | |\n|---|---|\n{lines}\n{gone}"


INTRODUCTION = """Written by `{command}` on {date}; the run took {minutes:.1f} min.

Each server has one core for itself, the load generator another. Servers take turns: {rounds} rounds of {seconds:g} s. A
figure is the median of the rounds, in brackets the least and the most. CPU time is user and system time of the
server's whole process tree; it is the figure to trust, for requests a second depend on what else the machine does.
Files are fetched by wrk, those of 64 KiB and more by a client that reads up to 1 MiB at a time. Access logs are off
unless a table says otherwise. `core` is how much of its core a server used: well below 100 %, the load was the limit.
"""


def markdown(results: Results) -> str:
    """Return the whole report."""
    plan = results.plan
    date = time.strftime("%Y-%m-%d")
    introduction = INTRODUCTION.format(
        command=results.command, date=date, minutes=results.minutes, rounds=plan.rounds, seconds=plan.seconds
    )
    bars = table(["promise", "bar", "measured", "verdict"], [bar.row(results) for bar in BARS])
    parts = ["# Portico beside other servers", introduction, bars, "![CPU time per request](chart.svg)"]
    parts += ["## Figures", *(case_section(results, outcome) for outcome in results.outcomes.values())]
    parts += [idle_section(results)] if results.idle or results.idle_absent else []
    parts += [start_section(results)] if results.starts else []
    return "\n\n".join(part.strip() for part in [*parts, machine_section(results)]) + "\n"
