"""wrk with a script for each case."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from bench.cases import Case, Kind
from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import Answered, NotServed

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


def run_wrk(case: Case, running: Running, seconds: float, tag: str, work: Path) -> Answered:
    """Load a server with wrk from the client's core."""
    path = running.server.prefix + case.path
    script = work / "load.lua"
    script.write_text(lua_for(case, path, running.port, tag))
    command = [shutil.which("wrk") or "wrk", "-t1", f"-c{case.connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{running.port}{path}"]
    before = running.cpu_s()
    with on_cores(CLIENT_CORES):
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    used = running.cpu_s() - before
    _, mark, rest = run.stdout.partition("JSON")
    if not mark:
        raise NotServed(f"wrk said {run.stdout + run.stderr!r:.200}")
    figures = json.loads(rest)
    if not figures["requests"]:
        raise NotServed(f"no request of wrk was answered, {figures['errors']} errors")
    taken, p99_s = figures["us"] / 1e6, figures["p99_us"] / 1e6
    return Answered(figures["requests"], taken, figures["bytes"], used, p99_s, figures["errors"])
