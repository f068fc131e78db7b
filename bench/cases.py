"""The loads, one row each."""

from dataclasses import dataclass, replace
from enum import Enum

from bench.app_servers import ASGI, FRAMEWORKS_ASGI, FRAMEWORKS_WSGI, LOOP, THREADS, WEBSOCKET
from bench.servers import SERVERS, Server
from bench.service_servers import CLOCKS, ECHOES
from bench.site import KIB, LISTED, MIB


class Kind(Enum):
    """What the requests look like."""

    SAME = "the same head each time"
    BROWSER = "16 fields of a browser; query and cookie differ each time"
    CONDITIONAL = "If-None-Match with the entity tag of a first GET"
    CLOSE = "Connection: close, a new connection each"
    DOWNLOAD = "read by a client with large buffers"
    UPLOAD = "each sends a body, waits for the answer, and sends it again"
    ECHO = "each sends a message, waits until it comes back, and sends it again"
    STREAM_ECHO = "each sends its bytes, waits until all are back, and sends them again"
    DATAGRAM = "each sends a datagram, waits for the answer, and sends it again"
    NEW_DATAGRAM = "each sends a datagram, waits for the answer, and sends another one"
    FAN_OUT = "one sends, the application passes it on to all; counted is what arrives"


UNITS = {
    Kind.ECHO: "message",
    Kind.FAN_OUT: "message",
    Kind.STREAM_ECHO: "message",
    Kind.DATAGRAM: "datagram",
    Kind.NEW_DATAGRAM: "datagram",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One row. path: below the site's root; status, least_bytes: what a right answer has.

    logged: the access log is on. in_bytes: compared by bytes a second, else by requests and CPU time. app: what the
    servers run, "" for files. size: bytes of a body or message that the client sends. yardstick: the server that
    others are put in relation to.
    """

    name: str
    title: str
    path: str
    kind: Kind = Kind.SAME
    connections: int = 64
    status: int = 200
    least_bytes: int = KIB
    logged: bool = False
    in_bytes: bool = False
    app: str = ""
    size: int = 0
    servers: tuple[Server, ...] = SERVERS
    yardstick: str = "nginx"

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNITS.get(self.kind, "request")


FILES = (
    Case("1k", "1 KiB, the same head each time", "/1k.bin"),
    Case("1k-log", "1 KiB, access log on", "/1k.bin", logged=True),
    Case("1k-browser", "1 KiB, a browser's 16 fields, query and cookie always new", "/1k.bin", Kind.BROWSER),
    Case("304", "304 Not Modified", "/1k.bin", Kind.CONDITIONAL, status=304, least_bytes=0),
    Case("64k", "64 KiB", "/64k.bin", Kind.DOWNLOAD, 16, least_bytes=64 * KIB, in_bytes=True),
    Case("1m", "1 MiB", "/1m.bin", Kind.DOWNLOAD, 8, least_bytes=MIB, in_bytes=True),
    Case("100m", "100 MiB", "/100m.bin", Kind.DOWNLOAD, 2, least_bytes=100 * MIB, in_bytes=True),
    Case("listing", "A folder of 1 000 entries", f"/{LISTED}/", connections=16),
    Case("close", "1 KiB, a new connection each", "/1k.bin", Kind.CLOSE),
    Case("1000", "1 KiB, 1 000 connections", "/1k.bin", connections=1_000),
)


def hello(name: str, title: str, kind: Kind, app: str, servers: tuple[Server, ...], yardstick: str) -> Case:
    return Case(name, title, "/", kind, app=app, servers=servers, yardstick=yardstick, least_bytes=1)


SAME, NEW = "the same head each time", "a browser's 16 fields, query and cookie always new"
HELLOS = (
    hello("asgi", f"ASGI hello, {SAME}", Kind.SAME, "hello:asgi", ASGI, "uvicorn"),
    hello("asgi-browser", f"ASGI hello, {NEW}", Kind.BROWSER, "hello:asgi", ASGI, "uvicorn"),
    hello("wsgi", f"WSGI hello in threads, {SAME}", Kind.SAME, "hello:wsgi", THREADS, "granian"),
    hello("wsgi-browser", f"WSGI hello in threads, {NEW}", Kind.BROWSER, "hello:wsgi", THREADS, "granian"),
    hello("loop", f"WSGI hello on the loop, {SAME}", Kind.SAME, "hello:wsgi", LOOP, "bjoern"),
    hello("loop-browser", f"WSGI hello on the loop, {NEW}", Kind.BROWSER, "hello:wsgi", LOOP, "bjoern"),
)


def body(name: str, title: str, path: str, kind: Kind, connections: int) -> Case:
    return Case(
        name, title, path, kind, connections, app="bodies:app", servers=ASGI, yardstick="uvicorn", in_bytes=True
    )


BODIES = (
    replace(
        body("json", "ASGI, 64 KiB of JSON out, made beforehand", "/json", Kind.DOWNLOAD, 16), least_bytes=64 * KIB
    ),
    replace(body("upload", "ASGI, a body of 1 MiB in", "/count", Kind.UPLOAD, 8), size=MIB),
    replace(
        body("stream", "ASGI, 100 MiB out in pieces of 64 KiB", "/stream", Kind.DOWNLOAD, 2), least_bytes=100 * MIB
    ),
)


def messages(name: str, title: str, path: str, kind: Kind, connections: int, size: int) -> Case:
    return Case(
        name, title, path, kind, connections, app="sockets:app", size=size, servers=WEBSOCKET, yardstick="uvicorn"
    )


MESSAGES = (
    messages("echo-64", "Echo of 64 bytes", "/echo", Kind.ECHO, 64, 64),
    messages("echo-4k", "Echo of 4 KiB", "/echo", Kind.ECHO, 64, 4 * KIB),
    messages("echo-1m", "Echo of 1 MiB", "/echo", Kind.ECHO, 8, MIB),
    messages("fan-out", "64 bytes to 1 000 connections", "/all", Kind.FAN_OUT, 1_000, 64),
)


def framework(name: str, title: str, path: str, app: str, servers: tuple[Server, ...]) -> Case:
    return Case(name, title, path, connections=16, app=app, servers=servers, yardstick="granian", least_bytes=1)


FRAMEWORKS = (
    framework("flask", "Flask, hello", "/", "flask_site:app", FRAMEWORKS_WSGI),
    framework("flask-page", "Flask, a page with a table of 100 rows", "/page", "flask_site:app", FRAMEWORKS_WSGI),
    framework("django", "Django under WSGI, hello", "/", "django_site:wsgi", FRAMEWORKS_WSGI),
    framework(
        "django-page",
        "Django under WSGI, a page with a table of 100 rows",
        "/page",
        "django_site:wsgi",
        FRAMEWORKS_WSGI,
    ),
    framework("django-asgi", "Django under ASGI, hello", "/", "django_site:asgi", FRAMEWORKS_ASGI),
    framework("fastapi", "FastAPI, hello", "/", "fastapi_site:app", FRAMEWORKS_ASGI),
    framework("fastapi-page", "FastAPI, 100 rows as JSON, each checked", "/page", "fastapi_site:app", FRAMEWORKS_ASGI),
)


def clock(name: str, title: str, kind: Kind) -> Case:
    return Case(name, title, "", kind, app="time", servers=CLOCKS, yardstick="asyncio")


def stream_echo(name: str, title: str, size: int) -> Case:
    return Case(name, title, "", Kind.STREAM_ECHO, app="echo", size=size, servers=ECHOES, yardstick="uvloop")


SERVICES = (
    clock("time", "The time over UDP, the same format each time", Kind.DATAGRAM),
    clock("time-new", "The time over UDP, a format that is always new", Kind.NEW_DATAGRAM),
    stream_echo("tcp-64", "TCP echo of 64 bytes", 64),
    stream_echo("tcp-64k", "TCP echo of 64 KiB", 64 * KIB),
)
