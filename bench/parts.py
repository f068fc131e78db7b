"""What a suite measures that is no case: a function for each, which puts what it finds into the results."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.bars import Results
from bench.chat_servers import CHATS, SEATS
from bench.crowd import gather
from bench.fetch import run_fetches
from bench.idle import raise_file_limit, run_idle, run_idle_echoes
from bench.process import Running, StartFailed, serving
from bench.questions import get as page
from bench.questions import say_line
from bench.rooms import Seat, hold, in_words
from bench.rounds import place_for, say
from bench.sample import NotServed
from bench.servers import SERVERS, UVICORN_HELLO, Server
from bench.service_servers import CROWD, ECHOES, FETCHERS, GREETERS, GREETING
from bench.startup import run_imports, run_startup

STARTED = ("portico", "uvicorn", "http.server")
IMPORTS = ("pass", "import portico")
HELD = ("portico", "uvloop", "uvloop streams")  # a process for each connection is no match for 10 000
TALK_FACTOR = 10  # a turn of people who talk is so much longer than one of requests
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


def rooms(results: Results, choose: Choose, folder: Path) -> None:
    say("Rooms")
    raise_file_limit()
    with ExitStack() as stack:
        ready: dict[str, tuple[Running, Sequence[Seat]]] = {}
        for server in choose(CHATS):
            place = place_for(server, folder / "site", folder / "work", app="rooms")
            seats = SEATS[server.name](place)
            ready[server.name] = stack.enter_context(serving(server, place, page("/"))), seats
        for number in range(results.plan.rounds):
            for name, (running, seats) in list(ready.items()):
                try:
                    talk = hold(running, seats, number, results.plan.seconds * TALK_FACTOR)
                except (NotServed, OSError) as exc:
                    del ready[name]
                    results.talks_absent[name] = str(exc)
                    say(f"  rooms        {name}: {exc}")
                    continue
                results.talks.setdefault(name, []).append(talk)
                say(f"  rooms        round {number + 1}  {name:<12} {in_words(talk)}")


PARTS: dict[str, Callable[[Results, Choose, Path], None]] = {
    "idle": idle,
    "startup": startup,
    "greet": greet,
    "idle-echo": idle_echo,
    "get": get,
    "rooms": rooms,
}
ASKED = tuple(
    {server.name: server for server in (*GREETERS, *FETCHERS, *CHATS)}.values()
)  # servers that are in no case
