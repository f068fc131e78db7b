"""`python -m bench`: measure, print the tables, and after a full run write BENCH.md and chart.svg."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import chart, report
from bench.cases import CASES
from bench.idle import raise_file_limit, run_idle
from bench.process import CORES
from bench.rounds import Plan, run_case, say
from bench.servers import SERVERS, UVICORN_HELLO, Server
from bench.site import make_site
from bench.startup import run_imports, run_startup

HERE = Path(__file__).parent
EXTRA_PARTS = ("idle", "startup")
STARTED = ("portico", "uvicorn", "http.server")
IMPORTS = ("pass", "import portico")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Portico beside other servers.")
    cases = [*(case.name for case in CASES), *EXTRA_PARTS]
    names = [server.name for server in SERVERS]
    parser.add_argument("--case", action="append", choices=cases, help="only this part; repeatable")
    parser.add_argument("--server", action="append", choices=names, help="only this server; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server in each case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn (%(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="one turn of a second: shows that all works, proves nothing"
    )
    parser.add_argument("--output", type=Path, help="folder for BENCH.md and chart.svg; a full run writes to bench/")
    return parser.parse_args(arguments)


def measure_all(given: argparse.Namespace, servers: list[Server], folder: Path) -> report.Results:
    """Run the chosen parts on the chosen servers, in the order of the tables."""
    site, work = folder / "site", folder / "work"
    site.mkdir()
    work.mkdir()
    make_site(site)
    chosen = given.case or [*(case.name for case in CASES), *EXTRA_PARTS]
    plan = Plan(1, 1.0) if given.quick else Plan(given.rounds, given.seconds)
    results = report.Results(plan)
    for case in CASES:
        if case.name in chosen:
            say(case.title)
            results.outcomes[case.name] = run_case(case, servers, plan, site, work)
    if "idle" in chosen:
        say("Idle connections")
        results.idle, results.idle_absent = run_idle(servers, site, work)
    if "startup" in chosen:
        say("Start-up")
        starters = [server for server in servers if server.name in STARTED]
        starters += [UVICORN_HELLO] if any(server.name == "uvicorn" for server in servers) else []
        results.starts = run_startup(starters, 5 if given.quick else 15, site, work)
        results.imports = run_imports(IMPORTS, 5 if given.quick else 25)
    return results


def main(arguments: list[str]) -> int:
    """Measure and report; return 0, or 2 where nothing can be measured."""
    given = options(arguments)
    if len(CORES) < 2:
        say("bench: needs two cores, one for the server and one for the load")
        return 2
    wanted = [server for server in SERVERS if not given.server or server.name in given.server]
    servers = [server for server in wanted if server.path()]
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portico-bench-") as folder:
        results = measure_all(given, servers, Path(folder))
    results.missing = [server.name for server in wanted if not server.path()]
    results.servers = servers
    results.minutes = (time.monotonic() - begin) / 60
    results.command = " ".join(["python -m bench", *arguments])
    text = report.markdown(results)
    print(text)
    whole = not (given.case or given.server or given.quick)
    output = given.output or (HERE if whole else None)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        (output / "BENCH.md").write_text(text, encoding="utf-8")
        (output / "chart.svg").write_text(chart.draw(results), encoding="utf-8")
        say(f"written: {output / 'BENCH.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
