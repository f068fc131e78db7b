"""The servers of files, one row each: what starts it, and what is fair to it.

All run one worker on one core. Limits and deadlines are the defaults of each. nginx has what its tuning guides advise
for static files: sendfile, tcp_nopush, open_file_cache, and a buffered access log where there is one.
"""

import importlib.metadata
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
APPS = Path(__file__).parent / "apps"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server runs.

    site: the folder to serve; work: a private folder; port: on 127.0.0.1; log: access log; app: "module:attribute" of
    an application in bench/apps, "" where files are served.
    """

    site: Path
    work: Path
    port: int
    log: Path | None
    app: str = ""

    @property
    def folder(self) -> Path:
        """The folder that the server starts in: modules are found there."""
        return APPS if self.app else self.work

    def write(self, name: str, text: str) -> str:
        """Write a configuration file into the private folder; return its path."""
        (self.work / name).write_text(text)
        return str(self.work / name)


def installed(package: str) -> str:
    """Return the version of a distribution, "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True, slots=True)
class Server:
    """One row. command: makes the argument list; version: prints what it is; prefix: where the site's root is.

    logs_to_output: its access log goes to standard output or error, which is then the log file. package: the
    distribution that has it, for one that is a module without a program of its own.
    """

    name: str
    program: str
    command: Callable[[Place], list[str]]
    version: tuple[str, ...]
    prefix: str = ""
    logs_to_output: bool = False
    remark: str = ""
    package: str = ""

    def path(self) -> str | None:
        """Return where its program is installed, None where it is not."""
        if self.package and not installed(self.package):
            return None
        own = BIN / self.program
        return str(own) if own.exists() else shutil.which(self.program, path=f"{os.environ['PATH']}:/usr/sbin")

    def describe(self) -> str:
        """Return the first line with a number of what it says about its version."""
        if self.package:
            return f"{self.package} {installed(self.package)}"
        command = [self.path() or self.program, *self.version]
        run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        lines = [line.strip() for line in (run.stdout + run.stderr).splitlines() if re.search(r"\d\.\d", line)]
        return lines[0] if lines and run.returncode == 0 else "does not tell its version"


def portico(place: Place) -> list[str]:
    log = ["--log-format", "combined", "--log-file", str(place.log)] if place.log else ["--quiet"]
    return [str(BIN / "portico"), "serve", str(place.site), "-p", str(place.port), *log]


NGINX = """
worker_processes 1; worker_rlimit_nofile {files}; daemon off; pid {work}/nginx.pid; error_log {work}/error.log crit;
{user}
events {{ worker_connections {files}; }}
http {{
  types {{ }} default_type application/octet-stream;
  sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s;
  open_file_cache max=2000 inactive=60s; open_file_cache_valid 60s;
  access_log {log};
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=1024; root {site}; autoindex on; }}
}}
"""


def open_file_limit() -> int:
    """Return how many files a process may have open at most."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def nginx(place: Place) -> list[str]:
    log = f"{place.log} combined buffer=64k flush=1s" if place.log else "off"
    user = "user root;" if os.getuid() == 0 else ""  # its files lie in a private temporary folder
    text = NGINX.format(files=open_file_limit(), work=place.work, site=place.site, port=place.port, log=log, user=user)
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    return [program, "-p", str(place.work), "-c", place.write("nginx.conf", text), "-e", f"{place.work}/error.log"]


LIGHTTPD = """
server.document-root = "{site}"
server.bind = "127.0.0.1"
server.port = {port}
server.max-fds = {files}
server.max-connections = {connections}
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 300
server.modules = ({modules})
dir-listing.activate = "enable"
mimetype.assign = ("" => "application/octet-stream")
{log}
"""


def lighttpd(place: Place) -> list[str]:
    files = open_file_limit()
    text = LIGHTTPD.format(
        site=place.site,
        port=place.port,
        files=files,
        connections=min(12_000, files * 3 // 4),
        modules='"mod_dirlisting"' + (', "mod_accesslog"' if place.log else ""),
        log=f'accesslog.filename = "{place.log}"' if place.log else "",
    )
    program = shutil.which("lighttpd", path=f"{os.environ['PATH']}:/usr/sbin") or "lighttpd"
    return [program, "-D", "-f", place.write("lighttpd.conf", text)]


CADDY = """
{{
  admin off
  auto_https off
  storage file_system {work}/storage
  log {{
    level ERROR
  }}
}}
http://127.0.0.1:{port} {{
  root * {site}
  file_server browse
  {log}
}}
"""


def caddy(place: Place) -> list[str]:
    log = f"log {{\n output file {place.log}\n }}" if place.log else ""
    text = CADDY.format(work=place.work, port=place.port, site=place.site, log=log)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", place.write("Caddyfile", text)]


# An application that does nothing: what granian and uvicorn need to have one.
HELLO = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""


def granian(place: Place) -> list[str]:
    place.write("hello.py", HELLO)
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--http", "1", "--no-ws", "--loop", "uvloop"]
    listen += ["--backlog", "16384", "--backpressure", "16384"]  # else it leaves most of 10 000 connections waiting
    static = ["--static-path-route", "/static", "--static-path-mount", str(place.site)]
    log = ["--access-log"] if place.log else ["--no-log"]
    return [str(BIN / "granian"), "--interface", "asgi", *listen, *static, *log, "hello:app"]


STATIC_FILES = """
from starlette.staticfiles import StaticFiles
app = StaticFiles(directory={site!r})
"""


def uvicorn(place: Place, app: str = "static:app") -> list[str]:
    place.write("static.py", STATIC_FILES.format(site=str(place.site)))
    place.write("hello.py", HELLO)
    speed = ["--loop", "uvloop", "--http", "httptools", "--lifespan", "off"]
    log = [] if place.log else ["--no-access-log", "--log-level", "error"]
    keep = ["--timeout-keep-alive", "300"]
    listen = ["--host", "127.0.0.1", "--port", str(place.port), "--app-dir", str(place.work)]
    return [str(BIN / "uvicorn"), *listen, *speed, *keep, *log, app]


def uvicorn_hello(place: Place) -> list[str]:
    return uvicorn(place, "hello:app")


def http_server(place: Place) -> list[str]:
    folder = ["--bind", "127.0.0.1", "--directory", str(place.site)]
    return [sys.executable, "-m", "http.server", *folder, str(place.port)]


SERVERS = (
    Server("portico", "portico", portico, ("--version",)),
    Server("nginx", "nginx", nginx, ("-v",)),
    Server("lighttpd", "lighttpd", lighttpd, ("-v",)),
    Server("caddy", "caddy", caddy, ("version",), remark="its access log is JSON, the only form it has"),
    Server("granian", "granian", granian, ("--version",), prefix="/static", logs_to_output=True),
    Server(
        "uvicorn",
        "uvicorn",
        uvicorn,
        ("--version",),
        logs_to_output=True,
        remark="with uvloop, httptools and Starlette's StaticFiles",
    ),
    Server(
        "http.server",
        "python",
        http_server,
        ("--version",),
        logs_to_output=True,
        remark="`python -m http.server`: a connection for each request; always logs, to /dev/null where the log is off",
    ),
)
UVICORN_HELLO = Server("uvicorn hello", "uvicorn", uvicorn_hello, ("--version",), remark="an application that says ok")
