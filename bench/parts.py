"""What a suite measures that is no case: a function for each, which puts what it finds into the results."""

from collections.abc import Callable
from pathlib import Path

from bench.bars import Results
from bench.crowd import gather
from bench.fetch import run_fetches
from bench.idle import raise_file_limit, run_idle, run_idle_echoes
from bench.process import StartFailed, serving
from bench.questions import say_line
from bench.rounds import place_for, say
from bench.servers import SERVERS, UVICORN_HELLO, Server
from bench.service_servers import CROWD, ECHOES, FETCHERS, GREETERS, GREETING
from bench.startup import run_imports, run_startup

STARTED = ("portico", "uvicorn", "http.server")
IMPORTS = ("pass", "import portico")
HELD = ("portico", "uvloop", "uvloop streams")  # a process for each connection is no match for 10 000
STARTS, STARTS_QUICK = 15, 5

Choose = Callable[[tuple[Server, ...]], list[Server]]  # those that are wanted and installed


def idle(results: Results, choose: Choose, folder: Path) -> None:
    say("Idle connections")
    results.idle, results.idle_absent = run_idle(choose(SERVERS), folder / "site", folder / "work")


def startup(results: Results, choose: Choose, folder: Path) -> None:
    say("Start-up")
    starters = choose(tuple(server for server in SERVERS if server.name in STARTED))
    starters += [UVICORN_HELLO] if any(server.name == "uvicorn" for server in starters) else []
    runs = STARTS if results.plan.rounds > 1 else STARTS_QUICK
    results.starts = run_startup(starters, runs, folder / "site", folder / "work")
    results.imports = run_imports(IMPORTS, 25 if results.plan.rounds > 1 else STARTS_QUICK)


def greet(results: Results, choose: Choose, folder: Path) -> None:
    say("Greetings")
    clients = min(CROWD, raise_file_limit() - 200)
    expected = f"{GREETING}\n".encode()
    for server in choose(GREETERS):
        try:
            with serving(server, place_for(server, folder / "site", folder / "work", app="greet"), say_line) as running:
                for _ in range(results.plan.rounds):
                    crowd = gather(running, clients, expected)
                    results.crowds.setdefault(server.name, []).append(crowd)
                    say(f"  greet        {server.name:<12} {crowd.served_s:.2f} s, {crowd.cpu_s:.2f} s CPU")
        except (StartFailed, OSError) as exc:
            results.crowds.pop(server.name, None)
            results.crowds_absent[server.name] = str(exc)
            say(f"  greet        {server.name}: {exc}")


def idle_echo(results: Results, choose: Choose, folder: Path) -> None:
    say("Idle connections")
    servers = choose(tuple(server for server in ECHOES if server.name in HELD))
    results.idle, results.idle_absent = run_idle_echoes(servers, folder / "site", folder / "work")


def get(results: Results, choose: Choose, folder: Path) -> None:
    say("Downloads")
    results.fetches, results.fetches_absent = run_fetches(choose(FETCHERS), results.plan.rounds, folder / "work")


PARTS: dict[str, Callable[[Results, Choose, Path], None]] = {
    "idle": idle,
    "startup": startup,
    "greet": greet,
    "idle-echo": idle_echo,
    "get": get,
}
ASKED = tuple({server.name: server for server in (*GREETERS, *FETCHERS)}.values())  # servers that are in no case
