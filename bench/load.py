"""Put one load on one running server, and say what came of it."""

import http.client
import json
import selectors
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.cases import Case, Kind
from bench.process import CLIENT_CORES, Memory, Running, on_cores

BUFFER = 1 << 20


class NotServed(Exception):
    """The server does not do what the case asks for; the text says what it did instead."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the client saw. requests: answered ones, a part of a download counts as that part.

    body: bytes received; p99_s: None where it was not measured; errors: requests that failed.
    """

    requests: float
    seconds: float
    body: int
    p99_s: float | None
    errors: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One server under one load in one round."""

    answered: Answered
    cpu_s: float
    memory: Memory

    @property
    def rate(self) -> float:
        return self.answered.requests / self.answered.seconds

    @property
    def byte_rate(self) -> float:
        return self.answered.body / self.answered.seconds

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.cpu_s / self.answered.requests

    @property
    def busy(self) -> float:
        """The part of its core that the server used, in per cent; well below 100 means that the load was the limit."""
        return 100 * self.cpu_s / self.answered.seconds

    @property
    def p99_ms(self) -> float | None:
        return None if self.answered.p99_s is None else 1e3 * self.answered.p99_s


LUA_END = """
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nJSON{"requests":%d,"us":%d,"bytes":%d,"errors":%d,"p99_us":%d}\\n',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(99)))
end
"""
BROWSER_FIELDS = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,zh-CN;q=0.8"),
)


def lua_for(case: Case, path: str, port: int, tag: str) -> str:
    """Return the wrk script of a case. tag: the entity tag, for a conditional request."""
    host = f"127.0.0.1:{port}"
    if case.kind is Kind.BROWSER:
        rest = "".join(f"{name}: {value}\\r\\n" for name, value in (("Host", host), *BROWSER_FIELDS))
        salt = time.time_ns() // 1000  # so that no round repeats a head of an earlier one
        start, end = f'"GET {path}?v={salt}-" .. n', f'" HTTP/1.1\\r\\n{quoted(rest)}Cookie: id={salt}; n=" .. n'
        head = f'{start} .. {end} .. "\\r\\n\\r\\n"'
        return f"local n = 0\nrequest = function() n = n + 1; return {head} end\n{LUA_END}"
    fields = {Kind.CLOSE: ("Connection", "close"), Kind.CONDITIONAL: ("If-None-Match", tag)}
    line = 'wrk.headers["{}"] = "{}"\n'.format(*map(quoted, fields[case.kind])) if case.kind in fields else ""
    return line + LUA_END


def quoted(text: str) -> str:
    return text.replace('"', '\\"')


def entity_tag(case: Case, running: Running) -> str:
    """Ask once and check the answer; return its entity tag. Raises NotServed when the server does something else."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    try:
        connection.request("GET", running.server.prefix + case.path)
        answer = connection.getresponse()
        size = len(answer.read())
        tag = answer.headers.get("ETag", "")
        if answer.status != 200 or size < case.least_bytes:
            raise NotServed(f"status {answer.status}, {size} bytes")
        if case.kind is Kind.CONDITIONAL:
            if not tag:
                raise NotServed("no entity tags")
            connection.request("GET", running.server.prefix + case.path, headers={"If-None-Match": tag})
            again = connection.getresponse()
            again.read()
            if again.status != case.status:
                raise NotServed(f"status {again.status} to If-None-Match")
        return tag
    except (OSError, http.client.HTTPException) as exc:
        raise NotServed(f"{type(exc).__name__}: {str(exc)!a:.80}") from exc
    finally:
        connection.close()


def run_wrk(case: Case, running: Running, seconds: float, tag: str, work: Path) -> Answered:
    """Load a server with wrk from the client's core."""
    path = running.server.prefix + case.path
    script = work / "load.lua"
    script.write_text(lua_for(case, path, running.port, tag))
    command = [shutil.which("wrk") or "wrk", "-t1", f"-c{case.connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{running.port}{path}"]
    with on_cores(CLIENT_CORES):
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    _, mark, rest = run.stdout.partition("JSON")
    if not mark:
        raise NotServed(f"wrk said {run.stdout + run.stderr!r:.200}")
    figures = json.loads(rest)
    if not figures["requests"]:
        raise NotServed(f"no request of wrk was answered, {figures['errors']} errors")
    taken = figures["us"] / 1e6
    body = figures["bytes"]
    return Answered(figures["requests"], taken, body, figures["p99_us"] / 1e6, figures["errors"])


class Downloader:
    """One connection that fetches the same file again and again, reading as much at a time as there is."""

    def __init__(self, running: Running, path: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        host = f"127.0.0.1:{running.port}"
        self.request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.left = 0
        self.length = 0
        self.connection.sendall(self.request)

    def on_readable(self, buffer: memoryview) -> int:
        """Read once; return the payload bytes read. Raises NotServed when the server hangs up."""
        size = self.connection.recv_into(buffer)
        if not size:
            raise NotServed("closes the connection after each answer")
        if not self.left:
            head, _, _ = bytes(buffer[: min(size, 8192)]).partition(b"\r\n\r\n")
            self.length = self.left = content_length(head)
            size -= len(head) + 4
        self.left -= size
        if not self.left:
            self.connection.sendall(self.request)
        return size


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise NotServed("no Content-Length")


def download(case: Case, running: Running, seconds: float) -> Answered:
    """Fetch a file over several connections at once for some seconds; every byte is copied out of the kernel."""
    buffer = memoryview(bytearray(BUFFER))
    with on_cores(CLIENT_CORES), selectors.DefaultSelector() as selector:
        downloaders = [Downloader(running, running.server.prefix + case.path) for _ in range(case.connections)]
        for downloader in downloaders:
            selector.register(downloader.connection, selectors.EVENT_READ, downloader.on_readable)
        begin = now = time.monotonic()
        total = 0
        while now < begin + seconds:
            for key, _ in selector.select(10):
                total += key.data(buffer)
            now = time.monotonic()
        for downloader in downloaders:
            downloader.connection.close()
    return Answered(total / downloaders[0].length, now - begin, total, None, 0)


def measure(case: Case, running: Running, seconds: float, tag: str, work: Path) -> Sample:
    """Load a server for some seconds; return what the client saw and what the server used for it."""
    before = running.cpu_s()
    if case.kind is Kind.DOWNLOAD:
        answered = download(case, running, seconds)
    else:
        answered = run_wrk(case, running, seconds, tag, work)
    return Sample(answered, running.cpu_s() - before, running.memory())
