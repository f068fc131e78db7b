"""Autobahn's fuzzing client against our WebSockets: `python tests/conformance/autobahn.py [CASE...]`.

The client, wstest, runs in a Python 2.7 of its own, kept in .venv/autobahn: it is made once, from a python2.7 (of
pyenv, or on the PATH) and the pins in ../shared/autobahn-py27.txt. The server is an ASGI application that echoes.
Cases are patterns such as `6.*`; all 517 without any. Prints each that is not OK; returns 1 where there is one.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from portico.gateway.asgi import Asgi
from portico.server.http import HttpServer
from portico.settings import Limits, Messages

ROOT = Path(__file__).parent.parent.parent
HOME = ROOT / ".venv" / "autobahn"
PINS = ROOT.parent / "shared" / "autobahn-py27.txt"
FINE = ("OK", "INFORMATIONAL")
ALL = ("*",)


class Missing(Exception):
    """What is needed to run Autobahn is not here; the message says what."""


class Report(NamedTuple):
    """How one case ended. behavior: the conversation's grade; closing: that of the closing handshake."""

    case: str
    behavior: str
    closing: str


def find_wstest() -> Path:
    """Return the fuzzing client, installing it where that was not done before. Raises Missing."""
    wstest = HOME / "bin" / "wstest"
    if not wstest.exists():
        if not PINS.exists():
            raise Missing(f"{PINS.name} is not in {PINS.parent}")
        _install(_find_python())
    return wstest


def _find_python() -> str:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*map(str, sorted(versions.glob("2.7*/bin/python2.7"))), shutil.which("python2.7")]
    for python in filter(None, found):
        if subprocess.run([python, "-c", "import zlib, ssl"], capture_output=True).returncode == 0:
            return python
    raise Missing("no python2.7 that works, neither of pyenv nor on the PATH")


def _install(python: str) -> None:
    """Make the environment: virtualenv knows Python 2.7 up to 20.21."""
    print(f"installing autobahntestsuite into {HOME.relative_to(ROOT)} ...", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as tool:
        subprocess.run([*pip, "--target", tool, "virtualenv<20.22", "setuptools"], check=True)
        make = [sys.executable, "-m", "virtualenv", "-q", "-p", python, str(HOME)]
        subprocess.run(make, env=os.environ | {"PYTHONPATH": tool}, check=True)
    try:
        subprocess.run([str(HOME / "bin" / "pip"), "install", "-q", "-r", str(PINS)], check=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(HOME)
        raise


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Return each message as it came."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message.get("bytes"), "text": message.get("text")})


async def _play(wstest: Path, cases: Sequence[str], folder: Path) -> None:
    """Serve the echo for as long as the client takes."""
    server = HttpServer(Asgi(echo), Limits(), messages=Messages(ws_max_rate=10_000_000, ws_max_message=1 << 26))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        await server.open([sock])
        plan = {
            "outdir": str(folder),
            "servers": [{"agent": "portico", "url": f"ws://127.0.0.1:{sock.getsockname()[1]}"}],
            "cases": list(cases),
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        spec = folder / "plan.json"
        spec.write_text(json.dumps(plan))
        with (folder / "log").open("wb") as log:
            client = await asyncio.create_subprocess_exec(
                str(wstest), "-m", "fuzzingclient", "-s", str(spec), stdout=log, stderr=log, cwd=folder
            )
            await client.wait()
        await server.drain(1)


def run(cases: Sequence[str]) -> list[Report]:
    """Run cases and return how each of them ended. Raises Missing."""
    wstest = find_wstest()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_play(wstest, cases, folder))
        index = folder / "index.json"
        if not index.exists():
            raise RuntimeError(f"wstest made no report; it said:\n{(folder / 'log').read_text()}")
        found = json.loads(index.read_text())["portico"]
    return [Report(case, entry["behavior"], entry["behaviorClose"]) for case, entry in found.items()]


def faults(reports: Iterable[Report]) -> list[Report]:
    return [report for report in reports if report.behavior not in FINE or report.closing not in FINE]


def main(cases: Sequence[str]) -> int:
    """Run cases, all without any, and print what is not fine."""
    try:
        reports = run(cases or ALL)
    except Missing as exc:
        print(f"autobahn: cannot run: {exc}", file=sys.stderr)
        return 1
    bad = faults(reports)
    for report in bad:
        print(f"{report.case:10} {report.behavior}, closing {report.closing}")
    print(f"{len(reports)} cases, {len(bad)} not OK")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
