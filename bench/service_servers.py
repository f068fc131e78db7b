"""The socket services and the clients that download, one row each.

Beside Portico's commands stand programs of a few lines (bench/apps), which decide nothing, bound nothing and say
nothing, and socat with a process for each connection. All on one core.
"""

import sys
from collections.abc import Callable

from bench.servers import BIN, Place, Server

CROWD = 10_000
GREETING = "欢迎使用 Portico"  # bench/apps/echoes.py has it too
LARGE = "1g.bin"
FETCHED = "fetched"


def portico(name: str, scheme: str, *more: str) -> Callable[[Place], list[str]]:
    """Make the command of a ready service on 127.0.0.1. more: its arguments."""

    def command(place: Place) -> list[str]:
        return [str(BIN / "portico"), name, *more, "-b", f"{scheme}://127.0.0.1:{place.port}", "--quiet"]

    return command


def script(name: str, way: str) -> Callable[[Place], list[str]]:
    """Make the command of a program in bench/apps that can be run in several ways."""
    return lambda place: [sys.executable, name, way, str(place.port)]


def socat(place: Place) -> list[str]:
    listen = f"TCP-LISTEN:{place.port},bind=127.0.0.1,fork,reuseaddr,backlog=4096,nodelay"
    return ["socat", "-b", "65536", listen, "PIPE"]


def portico_get(place: Place) -> list[str]:
    return [str(BIN / "portico"), "get", url(place), "-o", target(place), "--quiet"]


def curl(place: Place) -> list[str]:
    return ["curl", "-s", "-o", target(place), url(place)]


def httpx(place: Place) -> list[str]:
    return [sys.executable, "fetch_httpx.py", url(place), target(place)]


def url(place: Place) -> str:
    return f"http://127.0.0.1:{place.port}/{LARGE}"


def target(place: Place) -> str:
    return str(place.work / FETCHED)


VERSION = ("--version",)
LIMITS = ("--max-connections", f"{2 * CROWD}", "--max-connections-per-address", f"{2 * CROWD}")

CLOCKS = (
    Server("portico", "portico", portico("time", "udp"), VERSION),
    Server("asyncio", "python", script("clocks.py", "asyncio"), VERSION, remark="bench/apps/clocks.py: its own loop"),
    Server("uvloop", "python", script("clocks.py", "uvloop"), VERSION, package="uvloop"),
    Server("blocking", "python", script("clocks.py", "blocking"), VERSION, remark="recvfrom, strftime, sendto"),
)
ECHOES = (
    Server("portico", "portico", portico("echo", "tcp", *LIMITS), VERSION),
    Server("uvloop", "python", script("echoes.py", "protocol"), VERSION, package="uvloop"),
    Server(
        "uvloop streams",
        "python",
        script("echoes.py", "streams"),
        VERSION,
        remark="asyncio.start_server",
        package="uvloop",
    ),
    Server("socat", "socat", socat, ("-V",), remark="TCP-LISTEN with fork and nodelay, PIPE, -b 65536"),
)
GREETERS = (
    Server("portico", "portico", portico("greet", "tcp", GREETING, *LIMITS), VERSION),
    Server("uvloop", "python", script("echoes.py", "greeting"), VERSION, package="uvloop"),
)
FETCHERS = (
    Server("portico", "portico", portico_get, VERSION),
    Server("curl", "curl", curl, VERSION),
    Server("httpx", "python", httpx, VERSION, remark="iter_bytes() as it comes", package="httpx"),
)
