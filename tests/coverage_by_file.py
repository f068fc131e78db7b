"""Branch coverage, file by file: `python tests/coverage_by_file.py [FILE...]`.

A file of `http/` or `wire/` must be covered wholly by its own test file alone, because only then do its tests say what
it does. Every other file must reach 95 % when all tests run together. With file names, only those are measured, each
by its own test file. Code that runs in child processes is not counted.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "portico"
TESTS = ROOT / "tests"
ALONE = ("http", "wire")
LEAST_ALONE = 100.0
LEAST_TOGETHER = 95.0


class Result(NamedTuple):
    """What one file reached. least: the percentage it needs; missing: its uncovered lines and branches."""

    path: Path
    percent: float
    least: float
    missing: str


def measured(tests: Iterable[Path], sources: Iterable[Path]) -> dict[Path, tuple[float, str]]:
    """Run tests under coverage; return percentage and gaps of each source file. Raises SystemExit when a test fails."""
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "data", Path(folder) / "report.json"
        run = [sys.executable, "-m", "coverage", "run", f"--data-file={data}", "--branch", "--source=portico"]
        if subprocess.run([*run, "-m", "pytest", *map(str, tests)], cwd=ROOT).returncode not in (0, 5):
            raise SystemExit("coverage: the tests themselves fail; see above")
        names = ",".join(str(path) for path in sources)
        command = [sys.executable, "-m", "coverage", "json", f"--data-file={data}", "-q", f"--include={names}"]
        if subprocess.run([*command, "-o", str(report)], cwd=ROOT).returncode:
            return {}
        return {ROOT / name: figures(entry) for name, entry in json.loads(report.read_bytes())["files"].items()}


def figures(entry: dict[str, Any]) -> tuple[float, str]:
    jumps = [f"{start}->{end}" for start, end in entry["missing_branches"]]
    return entry["summary"]["percent_covered"], ", ".join([*map(str, entry["missing_lines"]), *jumps])


def own_test(source: Path) -> Path:
    inner = source.relative_to(SOURCES)
    return TESTS / inner.parent / f"test_{inner.name}"


def alone(source: Path) -> Result:
    """Measure one file by its own test file; a missing test file counts as 0 %."""
    test = own_test(source)
    least = LEAST_ALONE if source.relative_to(SOURCES).parts[0] in ALONE else LEAST_TOGETHER
    if not test.exists():
        return Result(source, 0.0, least, f"no {test.relative_to(ROOT)}")
    percent, missing = measured([test], [source]).get(source, (0.0, "never imported"))
    return Result(source, percent, least, missing)


def together(sources: list[Path]) -> list[Result]:
    """Measure many files by all tests at once."""
    found = measured([TESTS], sources)
    figures_of = [(path, found.get(path, (0.0, "never imported"))) for path in sources]
    return [Result(path, percent, LEAST_TOGETHER, missing) for path, (percent, missing) in figures_of]


def main(names: list[str]) -> int:
    """Print a line for each file; return 1 when one of them is below what it needs."""
    files = [Path(name).resolve() for name in names]
    if files:
        results = [alone(path) for path in files]
    else:
        everything = sorted(path for path in SOURCES.rglob("*.py") if not path.name.startswith("__"))
        own = [path for path in everything if path.relative_to(SOURCES).parts[0] in ALONE]
        results = [alone(path) for path in own] + together([path for path in everything if path not in own])
    for path, percent, least, missing in results:
        mark = "ok  " if percent >= least else "LOW "
        print(f"{mark} {percent:5.1f} %  {path.relative_to(ROOT)}  {missing}".rstrip())
    return int(any(result.percent < result.least for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
