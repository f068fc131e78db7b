"""BENCH.md: a section for each suite's last run: the promises and whether they are kept, then every figure."""

import platform
import re
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from bench.bars import Results, cpu, divided, middle, speed
from bench.fetch import SIZE
from bench.rounds import Outcome
from bench.suites import SUITES, Suite


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
    yardstick = middle(results, case.name, case.yardstick, cpu)
    fast = middle(results, case.name, case.yardstick, speed)
    relation = f"of {case.yardstick}"
    has_p99 = any(s.p99_ms is not None for samples in outcome.samples.values() for s in samples)
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
        row += [spread((s.p99_ms for s in samples), ".2f")] if has_p99 else []
        row += [f"{median(s.busy for s in samples):.0f} %"]
        row += [f"{max(s.memory.resident for s in samples) / 2**20:.1f}"]
        row += [f"{max(s.memory.proportional for s in samples) / 2**20:.1f}"]
        row += [str(sum(s.answered.errors for s in samples))]
        rows.append(row)
    rates = ["MB/s", relation] if case.in_bytes else [f"{case.unit}s/s"]
    head = ["server", *rates, f"CPU us/{case.unit}", relation, *(["p99 ms"] if has_p99 else [])]
    head += ["core", "RSS MiB", "PSS MiB", "errors"]
    load = f"{case.connections} {'sockets' if case.unit == 'datagram' else 'connections'}; {case.kind.value}."
    return f"#### {case.title}\n\n`{case.name}`: {load}\n\n{table(head, rows)}\n{gone(outcome.absent)}"


def part_section(title: str, how: str, figures: str, absent: dict[str, str]) -> str:
    return f"#### {title}\n\n{textwrap.fill(how, 120)}\n\n{figures}\n{gone(absent)}"


def gone(absent: dict[str, str]) -> str:
    """Return a line for each server without figures: why it has none."""
    return "".join(f"\n{name}: not measured - {reason}." for name, reason in absent.items())


def form(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def idle_section(results: Results) -> str:
    rows = [[name, f"{idle.connections}", f"{idle.bytes_each / 1024:.2f}"] for name, idle in results.idle.items()]
    how = "Resident memory with the connections open, each after one answered request, less that before."
    figures = table(["server", "connections", "KiB each"], rows)
    return part_section("Idle connections", how, figures, results.idle_absent)


def crowd_section(results: Results) -> str:
    rows = [
        [
            name,
            str(crowds[0].clients),
            spread((crowd.connected_s for crowd in crowds), ".2f"),
            spread((crowd.served_s for crowd in crowds), ".2f"),
            spread((crowd.cpu_s for crowd in crowds), ".2f"),
            f"{max(crowd.peak for crowd in crowds) / 2**20:.1f}",
            in_words(sum((crowd.failures for crowd in crowds), Counter())),
        ]
        for name, crowds in results.crowds.items()
    ]
    how = "All clients are connected before the first of them reads; then each reads until the server has hung up, and "
    how += "must have the text whole. Seconds count from the first client's connecting."
    head = ["server", "clients", "all connected s", "all served s", "CPU s", "peak RSS MiB", "not served"]
    return part_section("Greetings for all at once", how, table(head, rows), results.crowds_absent)


def fetch_section(results: Results) -> str:
    curl = results.fetches.get("curl")
    yardstick = median(fetch.cpu_s for fetch in curl) if curl else None
    rows = [
        [
            name,
            spread((fetch.cpu_s for fetch in fetches), ".2f"),
            form(divided(median(fetch.cpu_s for fetch in fetches), yardstick)),
            spread((fetch.wall_s for fetch in fetches), ".2f"),
            f"{SIZE / 1e6 / median(fetch.wall_s for fetch in fetches):.0f}",
        ]
        for name, fetches in results.fetches.items()
    ]
    how = "From nginx on the other core to a file in memory that was not there before. CPU time is that of the client, "
    how += "from its start to its end; each first copy was compared byte for byte."
    head = ["client", "CPU s", "of curl", "seconds", "MB/s"]
    return part_section("Download of 1 GiB", how, table(head, rows), results.fetches_absent)


def talk_section(results: Results) -> str:
    rows = [
        [
            name,
            f"{sum(t.sent for t in talks) / sum(t.seconds for t in talks):.0f}",
            f"{sum(len(t.delays) for t in talks) / sum(t.seconds for t in talks):.0f}",
            *(spread((t.share(part) for t in talks), ".1f") for part in (0.5, 0.95, 0.99)),
            spread((t.cpu_us for t in talks), ".1f"),
            f"{median(100 * t.cpu_s / t.seconds for t in talks):.0f} %",
            f"{talks[min(1, len(talks) - 1)].memory / 2**20:.1f}, {talks[-1].memory / 2**20:.1f}",
            f"{sum(t.lost for t in talks)}, {sum(t.repeated for t in talks)}",
        ]
        for name, talks in results.talks.items()
    ]
    turns = next(iter(results.talks.values()), [])
    how = f"{len(turns)} turns each, of {turns[0].seconds:.1f} s. " if turns else ""
    how += "A delay counts from when a message was due to be sent until the client has a delivery of it in hand; the "
    how += "client's own work is in it. Memory is that at the end of the second turn and of the last."
    head = ["server", "in/s", "out/s", "p50 ms", "p95 ms", "p99 ms", "CPU us/delivery", "core", "RSS MiB"]
    return part_section("Rooms", how, table([*head, "lost, repeated"], rows), results.talks_absent)


def in_words(failures: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in failures.items()) or "0"


def start_section(results: Results) -> str:
    rows = [
        [name, spread((1e3 * s.wall_s for s in starts), ".0f"), spread((1e3 * s.cpu_s for s in starts), ".0f")]
        for name, starts in results.starts.items()
    ]
    taken = [
        [f"`python -c '{code}'`", spread((1e3 * s for s in runs), ".1f")] for code, runs in results.imports.items()
    ]
    starts = table(["server", "first answer after ms", "CPU ms until then"], rows)
    return f"#### Start-up\n\n{starts}\n\n{table(['import', 'ms'], taken)}\n"


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores" if models else platform.machine()


def machine_section(results: Results) -> str:
    told = {(server.name, ". ".join(filter(None, [server.describe(), server.remark]))) for server in results.servers}
    rows = [
        ["processor", cpu_model()],
        ["system", f"{platform.system()} {platform.release()}"],
        ["Python", platform.python_version()],
        *map(list, sorted(told)),
    ]
    left_out = f"\nNot installed, so left out: {', '.join(results.missing)}.\n" if results.missing else ""
    lines = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"### The machine and the servers\n\n| | |\n|---|---|\n{lines}\n{left_out}"


INTRODUCTION = """# Portico beside other servers

`./dev bench` writes this: a section for each suite, from its last run (`./dev bench --suite NAME` runs one).

Each server has one core for itself, the load generator another. Servers take turns, in rounds. A figure is the median
of the rounds, in brackets the least and the most. CPU time is user and system time of the server's whole process tree,
its supervisor included; it is the figure to trust, for requests a second depend on what else the machine does. Access
logs are off unless a table says otherwise, and connections are kept for as long as the load lasts; no client pipelines.
`core` is how much of its core a server used: well below 100 %, the load was the limit.
"""


def suite_section(suite: Suite, results: Results) -> str:
    """Return one suite's part of the report."""
    plan = results.plan
    run = f"`{results.command}` on {time.strftime('%Y-%m-%d')}: {plan.rounds} rounds of {plan.seconds:g} s, "
    run += f"{results.minutes:.1f} min in all."
    parts = [f"## {suite.title}", textwrap.fill(f"{suite.about} {run}", 120)]
    if suite.bars:
        rows = [bar.row(results) for bar in suite.bars]
        parts += [table(["promise", "bar", "measured", "verdict"], rows)]
    parts += [f"![CPU time of each server]({suite.name}.svg)"] if suite.pictured else []
    parts += [case_section(results, outcome) for outcome in results.outcomes.values()]
    parts += [crowd_section(results)] if results.crowds or results.crowds_absent else []
    parts += [idle_section(results)] if results.idle or results.idle_absent else []
    parts += [start_section(results)] if results.starts else []
    parts += [fetch_section(results)] if results.fetches or results.fetches_absent else []
    parts += [talk_section(results)] if results.talks or results.talks_absent else []
    return "\n\n".join(part.strip() for part in [*parts, machine_section(results)]) + "\n"


def sections_of(text: str) -> dict[str, str]:
    """Return the sections of an earlier report by the names of their suites."""
    return dict(re.findall(r"<!-- suite (\S+) -->\n(.*?)<!-- end -->\n", text, re.DOTALL))


def with_sections(before: str, new: dict[str, str]) -> str:
    """Return the report `before` with these suites' sections in the place of older ones, in the order of `SUITES`."""
    sections = sections_of(before) | new
    parts = [f"<!-- suite {s.name} -->\n{sections[s.name]}<!-- end -->\n" for s in SUITES if s.name in sections]
    return "\n".join([INTRODUCTION, *parts])
