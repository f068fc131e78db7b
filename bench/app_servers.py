"""The servers of applications, one row each; like those of files, but grouped by what they are asked to do.

One worker on one core, access log off, connections kept for as long as the load lasts, and otherwise the defaults of
each. Servers that have several ways to run get the one that is fastest here: uvicorn with httptools and uvloop, granian
without WebSocket support where none is needed.
"""

import sys

from bench.servers import BIN, Place, Server

FOREVER_S = "300"  # for a connection that is kept


def run_portico(place: Place, *more: str) -> list[str]:
    return [str(BIN / "portico"), "run", place.app, "-p", str(place.port), "--quiet", *more]


def portico(place: Place) -> list[str]:
    return run_portico(place)


def portico_threads(place: Place) -> list[str]:
    return run_portico(place, "--threads", "4")


def portico_loop(place: Place) -> list[str]:
    return run_portico(place, "--threads", "0")


# `websockets` is here for uvicorn's sake, and no dependency of Portico, which unmasks with its C function where it can.
PLAIN = "import sys; sys.modules['websockets'] = None; from portico.cli.main import main; sys.exit(main())"


def portico_plain(place: Place) -> list[str]:
    return [sys.executable, "-c", PLAIN, *run_portico(place)[1:]]


def run_uvicorn(place: Place, *more: str) -> list[str]:
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--timeout-keep-alive", FOREVER_S]
    log = ["--no-access-log", "--log-level", "error"]
    return [str(BIN / "uvicorn"), *listen, "--loop", "uvloop", "--http", "httptools", *log, *more, place.app]


def uvicorn(place: Place) -> list[str]:
    return run_uvicorn(place)


def uvicorn_wsgi(place: Place) -> list[str]:
    return run_uvicorn(place, "--interface", "wsgi")


def run_granian(place: Place, *more: str) -> list[str]:
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--http", "1"]
    listen += ["--backlog", "16384", "--backpressure", "16384"]  # else it leaves connections waiting
    return [str(BIN / "granian"), *listen, "--loop", "uvloop", "--no-log", *more, place.app]


def granian(place: Place) -> list[str]:
    return run_granian(place, "--interface", "asgi", "--no-ws")


def granian_websockets(place: Place) -> list[str]:
    return run_granian(place, "--interface", "asgi", "--ws")


def granian_wsgi(place: Place) -> list[str]:
    return run_granian(place, "--interface", "wsgi", "--no-ws", "--blocking-threads", "1")


def run_gunicorn(place: Place, *more: str) -> list[str]:
    listen = ["--bind", f"127.0.0.1:{place.port}", "--keep-alive", FOREVER_S, "--no-control-socket"]
    return [str(BIN / "gunicorn"), *listen, "--log-level", "critical", *more, place.app]


def gunicorn(place: Place) -> list[str]:
    return run_gunicorn(place, "--worker-class", "gthread", "--threads", "4")


def gunicorn_asgi(place: Place) -> list[str]:
    return run_gunicorn(place, "--worker-class", "asgi")


def hypercorn(place: Place) -> list[str]:
    listen = ["--bind", f"127.0.0.1:{place.port}", "--keep-alive", FOREVER_S, "--worker-class", "uvloop"]
    return [str(BIN / "hypercorn"), *listen, "--log-level", "critical", place.app]


def waitress(place: Place) -> list[str]:
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--threads", "4", "--connection-limit", "1000"]
    return [str(BIN / "waitress-serve"), *listen, place.app]


BJOERN = "import bjoern; from {module} import {name} as app; bjoern.run(app, '127.0.0.1', {port})"
# fastwsgi asks a part of setuptools, which newer ones have no more, for its own version.
FASTWSGI = """
import importlib.metadata, sys, types
sys.modules["pkg_resources"] = types.SimpleNamespace(get_distribution=importlib.metadata.distribution)
import fastwsgi
from {module} import {name} as app
fastwsgi.run(app, "127.0.0.1", {port}, loglevel=0)
"""


def run_code(code: str, place: Place) -> list[str]:
    module, _, name = place.app.partition(":")
    return [sys.executable, "-c", code.format(module=module, name=name, port=place.port)]


def bjoern(place: Place) -> list[str]:
    return run_code(BJOERN, place)


def fastwsgi(place: Place) -> list[str]:
    return run_code(FASTWSGI, place)


VERSION = ("--version",)
PORTICO = Server("portico", "portico", portico, VERSION)
UVICORN = Server("uvicorn", "uvicorn", uvicorn, VERSION, remark="httptools, uvloop, websockets", package="uvicorn")
GRANIAN = Server("granian", "granian", granian, VERSION, package="granian")
HYPERCORN = Server("hypercorn", "hypercorn", hypercorn, VERSION, remark="uvloop", package="hypercorn")
GUNICORN = Server("gunicorn", "gunicorn", gunicorn, VERSION, remark="gthread, 4 threads", package="gunicorn")

ASGI = (PORTICO, UVICORN, GRANIAN, HYPERCORN)
WEBSOCKET = (
    Server("portico", "portico", portico_plain, VERSION, remark="WebSockets: as installed alone, all in Python"),
    Server(
        "portico + C mask", "portico", portico, VERSION, remark="unmasks with the `websockets` package's C function"
    ),
    UVICORN,
    Server("granian", "granian", granian_websockets, VERSION, package="granian"),
    HYPERCORN,
)
GRANIAN_WSGI = Server("granian", "granian", granian_wsgi, VERSION, remark="WSGI: 1 blocking thread", package="granian")
PORTICO_THREADS = Server("portico", "portico", portico_threads, VERSION, remark="WSGI: 4 threads")
THREADS = (
    PORTICO_THREADS,
    GRANIAN_WSGI,
    GUNICORN,
    Server("waitress", "waitress-serve", waitress, VERSION, remark="4 threads", package="waitress"),
)
LOOP = (
    Server("portico", "portico", portico_loop, VERSION, remark="WSGI on the loop: --threads 0"),
    Server("bjoern", "python", bjoern, VERSION, package="bjoern"),
    Server("fastwsgi", "python", fastwsgi, VERSION, package="fastwsgi"),
)
FRAMEWORKS_WSGI = (
    PORTICO_THREADS,
    Server("uvicorn", "uvicorn", uvicorn_wsgi, VERSION, remark="WSGI: --interface wsgi", package="uvicorn"),
    GRANIAN_WSGI,
    GUNICORN,
)
FRAMEWORKS_ASGI = (
    PORTICO,
    UVICORN,
    GRANIAN,
    Server("gunicorn", "gunicorn", gunicorn_asgi, VERSION, remark="ASGI: its asgi worker", package="gunicorn"),
)
