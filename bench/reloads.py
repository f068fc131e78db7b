"""Reload under load: is any request lost, or answered twice?  `python -m bench.reloads [--reloads 100]`

Clients in a closed loop, half of them on kept connections and half on a new one for each request, ask a server with
workers for numbers that occur once. Meanwhile SIGHUP replaces the workers again and again, and SIGTERM ends it all. The
application writes down each number that it sees. What is counted:

    answered   the client got the answer to its own number
    refused    no connection; allowed only when the end has begun
    retried    a kept connection was closed before the request reached the application, with nothing sent back: the
               race that RFC 9112 section 9.3.1 leaves to the client, who may ask again
    lost       anything else: accepted and never answered, or cut
    twice      a number that the application saw more than once without a retry
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ASGI_APP: Final = """
import asyncio, os
seen = os.open("seen", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
async def app(scope, receive, send):
    if scope["type"] != "http":
        while True:
            kind = (await receive())["type"].rpartition(".")[2]
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return
    number = scope["query_string"]
    os.write(seen, number + b"\\n")
    if number.endswith(b"7"):
        await asyncio.sleep(0.02)
    length = str(len(number)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": number})
"""
WSGI_APP: Final = """
import os, time
seen = os.open("seen", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def app(environ, start_response):
    number = environ["QUERY_STRING"].encode()
    os.write(seen, number + b"\\n")
    if number.endswith(b"7"):
        time.sleep(0.02)
    start_response("200 OK", [("Content-Length", str(len(number)))])
    return [number]
"""
DEADLINE_S: Final = 60.0
CLIENTS: Final = 64


@dataclass
class Tally:
    """What came of all requests. lost: one line for each."""

    answered: int = 0
    refused: int = 0
    retried: int = 0
    lost: list[str] = field(default_factory=list)


class Crowd:
    """Clients of one server. The last number given out tells how many requests there were."""

    def __init__(self, port: int, seen: Path) -> None:
        self.tally = Tally()
        self.is_ending = False
        self.has_answers = asyncio.Event()
        self._port = port
        self._seen = seen
        self._number = 0
        self._unanswered: dict[str, bool] = {}  # number -> was the connection a kept one, with nothing sent back

    async def live(self, clients: int) -> None:
        """Ask until the server has ended."""
        await asyncio.gather(*(self._live(is_keeping=n % 2 == 0) for n in range(clients)))

    async def _live(self, is_keeping: bool) -> None:
        while True:
            try:
                async with asyncio.timeout(DEADLINE_S if not self.is_ending else 1):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except (OSError, TimeoutError) as exc:
                self.tally.refused += 1
                if self.is_ending:
                    return
                self.tally.lost.append(f"no connection: {exc!r}")
                continue
            asked = 0
            while await self._ask(reader, writer, asked, is_keeping):
                asked += 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: int, keeps: bool) -> bool:
        """Ask once; return whether the connection can be used again."""
        self._number += 1
        number = f"n{self._number}"
        writer.write(_request(number, keeps))
        head = body = b""
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(len(number))
        except asyncio.IncompleteReadError as exc:
            return self._unanswer(number, asked > 0 and not head and not exc.partial)
        except (OSError, TimeoutError):
            return self._unanswer(number, asked > 0 and not head)
        if body != number.encode() or not head.startswith(b"HTTP/1.1 200 "):
            self.tally.lost.append(f"{number}: {head[:60]!r} {body!r}")
            return False
        self.tally.answered += 1
        self.has_answers.set()
        return keeps and b"connection: close" not in head.lower()

    def _unanswer(self, number: str, may_retry: bool) -> bool:
        self._unanswered[number] = may_retry
        return False

    def settle(self) -> Counter[str]:
        """Judge what was not answered by what the application saw; return the numbers seen more than once."""
        seen = Counter(self._seen.read_text().split())
        for number, may_retry in self._unanswered.items():
            if may_retry and number not in seen:
                self.tally.retried += 1
            else:
                self.tally.lost.append(f"{number}: {'seen and ' if number in seen else ''}never answered")
        return Counter({number: count for number, count in seen.items() if count > 1})


def _request(number: str, keeps: bool) -> bytes:
    close = "" if keeps else "Connection: close\r\n"
    return f"GET /?{number} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n".encode()


class Server:
    """`portico run` with workers, in a folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, folder: Path, source: str, workers: int, *words: str) -> "Server":
        """Start it. words: further options."""
        (folder / "app.py").write_text(source)
        (folder / "seen").touch()
        command = [sys.executable, "-m", "portico", "run", "app:app", "-p", "0", "--quiet", "--workers", str(workers)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
        return cls(
            await asyncio.create_subprocess_exec(
                *command,
                *words,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=kept | {"LANG": "C.UTF-8"},
            )
        )

    async def until(self, word: str) -> str:
        """Read until a line contains a word; return the line."""
        assert self._process.stdout is not None
        said = []
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self._process.stdout.readline()).decode():
                said.append(line)
                if word in line:
                    return line
        raise AssertionError(f"{word!r} was not said: {''.join(said)}")

    async def port(self) -> int:
        """Read the port out of the banner."""
        line = await self.until("http://localhost:")
        return int(line.partition("http://localhost:")[2].partition("/")[0])

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor."""
        self._process.send_signal(number)

    async def end(self) -> int:
        """Wait for the end; return the exit code."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._process.wait()


async def trial(folder: Path, source: str, reloads: int, workers: int = 2) -> tuple[Tally, Counter[str], int]:
    """Reload a server under load so many times, then end it, still under load.

    Returns what came of the requests, the numbers that the application saw twice, and the server's exit code.
    """
    server = await Server.start(folder, source, workers)
    try:
        port = await server.port()
        crowd = Crowd(port, folder / "seen")
        living = asyncio.ensure_future(crowd.live(CLIENTS))
        async with asyncio.timeout(DEADLINE_S):
            await crowd.has_answers.wait()
        for _ in range(reloads):
            server.signal(signal.SIGHUP)
            await server.until("started anew")
        crowd.is_ending = True
        server.signal(signal.SIGTERM)
        code = await server.end()
        async with asyncio.timeout(DEADLINE_S):
            await living
        return crowd.tally, crowd.settle(), code
    finally:
        with suppress(ProcessLookupError):
            server.signal(signal.SIGKILL)
        await server.end()


def main(words: Sequence[str] | None = None) -> int:
    """Run a trial for each interface; return 1 if anything was lost or answered twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(words)
    failed = False
    for name, source in (("ASGI", ASGI_APP), ("WSGI", WSGI_APP)):
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally, twice, code = asyncio.run(trial(Path(folder), source, given.reloads, given.workers))
        failed |= bool(tally.lost or twice or code)
        seconds = time.monotonic() - began_s
        print(
            f"{name}: {given.reloads} reloads in {seconds:.0f} s, {CLIENTS} clients, exit code {code}: "
            f"{tally.answered} answered, {tally.refused} refused at the end, {tally.retried} retried, "
            f"{len(tally.lost)} lost, {len(twice)} twice"
        )
        for line in tally.lost[:10]:
            print(f"  {line}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
