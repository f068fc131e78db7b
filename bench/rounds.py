"""Every case on every server: all servers of a case run at once, and take turns under load."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases import Case
from bench.load import first_question, measure, probe
from bench.process import Running, StartFailed, free_port, serving
from bench.sample import NotServed, Sample
from bench.servers import Place, Server

WARM_UP_S = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure. rounds: how often each server takes its turn; seconds: the length of one turn."""

    rounds: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What one case gave. samples: server name to one sample a round; absent: server name to why it has none."""

    case: Case
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def say(text: str) -> None:
    """Tell whoever waits how far we are."""
    print(text, file=sys.stderr, flush=True)


def place_for(server: Server, site: Path, work: Path, *, logged: bool = False, app: str = "") -> Place:
    folder = work / f"{server.name}-{'log' if logged else 'quiet'}"
    folder.mkdir(parents=True, exist_ok=True)
    return Place(site, folder, free_port(), folder / "access.log" if logged else None, app)


def run_case(case: Case, servers: Iterable[Server], plan: Plan, site: Path, work: Path) -> Outcome:
    """Measure one case on all servers that can do it."""
    outcome = Outcome(case)
    with ExitStack() as stack:
        ready: dict[str, tuple[Running, str]] = {}
        for server in servers:
            try:
                place = place_for(server, site, work, logged=case.logged, app=case.app)
                running = stack.enter_context(serving(server, place, first_question(case, server)))
                ready[server.name] = running, probe(case, running)
                measure(case, running, WARM_UP_S, ready[server.name][1], work)
            except (StartFailed, NotServed, OSError) as exc:
                outcome.absent[server.name] = str(exc)
                ready.pop(server.name, None)
        for number in range(plan.rounds):
            for name, (running, tag) in list(ready.items()):
                try:
                    sample = measure(case, running, plan.seconds, tag, work)
                except (NotServed, OSError) as exc:
                    outcome.absent[name] = str(exc)
                    del ready[name]
                    continue
                outcome.samples.setdefault(name, []).append(sample)
                say(f"  {case.name:<12} round {number + 1}  {name:<12} {in_words(case, sample)}")
    for name, reason in outcome.absent.items():
        outcome.samples.pop(name, None)
        say(f"  {case.name:<12} {name}: {reason}")
    return outcome


def in_words(case: Case, sample: Sample) -> str:
    errors = f"  {sample.answered.errors} errors" if sample.answered.errors else ""
    if case.in_bytes:
        return f"{sample.byte_rate / 1e6:9.0f} MB/s {sample.cpu_us:10.1f} us/{case.unit}{errors}"
    return f"{sample.rate:9.0f} /s {sample.cpu_us:10.1f} us/{case.unit}{errors}"
