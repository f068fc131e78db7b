"""`python -m bench`: measure, print the tables, and after a whole suite write its section of BENCH.md."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import chart, report
from bench.bars import Results
from bench.cases import Case
from bench.idle import raise_file_limit
from bench.parts import ASKED, PARTS
from bench.process import CORES
from bench.rounds import Plan, run_case, say
from bench.servers import Server
from bench.site import make_site
from bench.suites import SUITES, Suite

HERE = Path(__file__).parent
LEAST_ROUNDS = 3  # of a run whose medians may go into the report


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Portico beside other servers.")
    parts = [part for suite in SUITES for part in parts_of(suite)]
    names = sorted({server.name for case in all_cases() for server in case.servers} | {server.name for server in ASKED})
    suites = [suite.name for suite in SUITES]
    parser.add_argument("--suite", action="append", choices=suites, help="only this suite; repeatable")
    parser.add_argument("--case", action="append", choices=parts, help="only this part; repeatable")
    parser.add_argument("--server", action="append", choices=names, help="only this server; repeatable")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server in each case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn (%(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help="one turn of a second: shows that all works, proves nothing"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for BENCH.md and pictures; whole suites of three rounds or more write to bench/",
    )
    return parser.parse_args(arguments)


def all_cases() -> list[Case]:
    return [case for suite in SUITES for case in suite.cases]


def parts_of(suite: Suite) -> list[str]:
    return [*(case.name for case in suite.cases), *suite.extra]


def measure_suite(suite: Suite, given: argparse.Namespace, folder: Path) -> Results:
    """Run the chosen parts of a suite on the chosen servers, in the order of the tables."""
    site, work = folder / "site", folder / "work"
    results = Results(Plan(1, 1.0) if given.quick else Plan(given.rounds, given.seconds))
    begin = time.monotonic()
    for case in suite.cases:
        if not given.case or case.name in given.case:
            say(case.title)
            servers = chosen(case.servers, given, results)
            results.outcomes[case.name] = run_case(case, servers, results.plan, site, work)
    for part in suite.extra:
        if not given.case or part in given.case:
            PARTS[part](results, lambda servers: chosen(servers, given, results), folder)
    results.minutes = (time.monotonic() - begin) / 60
    return results


def chosen(servers: tuple[Server, ...], given: argparse.Namespace, results: Results) -> list[Server]:
    """Return those that are wanted and installed; note in the results which those are, and which are not installed."""
    wanted = [server for server in servers if not given.server or server.name in given.server]
    found = [server for server in wanted if server.path()]
    results.servers += [server for server in found if server not in results.servers]
    absent = {server.name for server in wanted} - {server.name for server in found}
    results.missing += sorted(absent - set(results.missing))
    return found


def write(folder: Path, sections: dict[str, str], pictures: dict[str, str]) -> None:
    """Put sections into the folder's BENCH.md, in the place of those of earlier runs, and pictures beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "BENCH.md"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(report.with_sections(before, sections), encoding="utf-8")
    for name, picture in pictures.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    say(f"written: {path}")


def main(arguments: list[str]) -> int:
    """Measure and report; return 0, or 2 where nothing can be measured."""
    given = options(arguments)
    if len(CORES) < 2:
        say("bench: needs two cores, one for the server and one for the load")
        return 2
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left behind
    suites = [suite for suite in SUITES if not given.suite or suite.name in given.suite]
    suites = [suite for suite in suites if not given.case or set(parts_of(suite)) & set(given.case)]
    whole = not (given.case or given.server or given.quick) and given.rounds >= LEAST_ROUNDS
    output = given.output or (HERE if whole else None)
    with tempfile.TemporaryDirectory(prefix="portico-bench-") as name:
        folder = Path(name)
        (folder / "work").mkdir()
        (folder / "site").mkdir()
        make_site(folder / "site")
        for suite in suites:
            results = measure_suite(suite, given, folder)
            results.command = " ".join(["python -m bench", *arguments])
            section = report.suite_section(suite, results)
            print(section)
            if output:
                pictures = {suite.name: chart.draw(results, suite.pictured)} if suite.pictured else {}
                write(output, {suite.name: section}, pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
