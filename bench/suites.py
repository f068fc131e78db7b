"""Which cases belong together: each suite is a section of BENCH.md and a picture."""

from dataclasses import dataclass

from bench import bars, cases, rooms


@dataclass(frozen=True, slots=True)
class Suite:
    """One row. extra: parts that are no case; pictured: the cases in its picture."""

    name: str
    title: str
    about: str
    cases: tuple[cases.Case, ...]
    bars: tuple[bars.Bar, ...]
    pictured: tuple[str, ...]
    extra: tuple[str, ...] = ()


SUITES = (
    Suite(
        "static",
        "Files",
        "Files are fetched by wrk, those of 64 KiB and more by a client that reads up to 1 MiB at a time.",
        cases.FILES,
        bars.FILES,
        ("1k", "1k-browser", "304"),
        ("idle", "startup"),
    ),
    Suite(
        "apps",
        "Applications",
        "The same application for all, a few lines that tell Content-Length. Loads: wrk; for bodies, clients that read "
        "or send up to 1 MiB at a time.",
        (*cases.HELLOS, *cases.BODIES),
        bars.APPS,
        tuple(case.name for case in cases.HELLOS),
    ),
    Suite(
        "websocket",
        "WebSockets",
        "The clients are bare sockets that send frames made beforehand; nothing is compressed. `portico` is measured "
        "as it is installed alone: the `websockets` package, here for uvicorn, is hidden from it. Where it is "
        "found, Portico unmasks with its C function: `portico + C mask`. uvicorn and granian unmask in C or Rust.",
        cases.MESSAGES,
        bars.MESSAGES,
        tuple(case.name for case in cases.MESSAGES),
    ),
    Suite(
        "frameworks",
        "Frameworks",
        "What the framework itself does is in all figures alike, and is most of them.",
        cases.FRAMEWORKS,
        (),
        ("flask", "django", "fastapi"),
    ),
    Suite(
        "services",
        "Socket services, and downloads",
        "`asyncio`, `uvloop` and `blocking` are programs of a few lines in bench/apps, each all that it takes; socat "
        "runs a process for each connection, and all of them count. TCP clients are bare sockets, 64 of them at once.",
        cases.SERVICES,
        bars.SERVICES,
        tuple(case.name for case in cases.SERVICES),
        ("greet", "idle-echo", "get"),
    ),
    Suite(
        "chat",
        "A chat of 2 000",
        f"{rooms.USERS} people over WebSocket; {rooms.RATE} messages a second, each to the {rooms.MEMBERS} of a room. "
        "Portico's are on disk before they are acknowledged and delivered; each person is in a second room, which is "
        "silent. `websockets` is the raw floor: a program that hands on what comes in.",
        (),
        bars.TALKS,
        (),
        ("rooms",),
    ),
)
