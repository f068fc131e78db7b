"""Two thousand hostile peers against `portico serve`, and one that behaves: `python -m bench.hostile`.

A third drips a byte of a head every five seconds, a third says nothing, a third asks for a long file and never reads.
They come from several addresses of 127.0.0.0/8. The limits are the defaults but for the deadlines, which are shortened
so that a run takes half a minute. Printed: how long the well-behaved client waits (p50, p99), what the server holds in
memory, and when the last hostile connection was closed.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.idle import raise_file_limit
from bench.process import free_port, rollup

CONNECTIONS = 2000
PER_ADDRESS = 500
DRIP_S = 5.0
DEADLINES = ("--first-byte-timeout=8", "--head-timeout=8", "--keep-alive-timeout=8", "--rate-window=5")
LIMIT_S = 60.0
HEAD = b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def drip(sock: socket.socket) -> None:
    """Send a head, a byte every five seconds."""
    loop = asyncio.get_running_loop()
    for byte in HEAD:
        await loop.sock_sendall(sock, bytes((byte,)))
        await asyncio.sleep(DRIP_S)


async def say_nothing(sock: socket.socket) -> None:
    """Do nothing; the server is to close."""


async def never_read(sock: socket.socket) -> None:
    """Ask for more than the kernel holds."""
    await asyncio.get_running_loop().sock_sendall(sock, HEAD.replace(b"1k", b"100m"))


ACTS: list[Callable[[socket.socket], Awaitable[None]]] = [drip, say_nothing, never_read]


async def connect(port: int, number: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((f"127.0.1.{1 + number // PER_ADDRESS}", 0))
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


def descriptors(pid: int) -> int:
    """Count the sockets that a process holds."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return found


async def act(sock: socket.socket, number: int) -> None:
    """Be hostile in one's own way, whatever the server says to it."""
    try:
        await ACTS[number % len(ACTS)](sock)
    except ConnectionError:
        return


async def ask(port: int, until_s: float) -> list[float]:
    """Ask for a small file over and over; return the seconds each answer took."""
    found = []
    while time.monotonic() < until_s:
        began_s = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1024)
        found.append(time.perf_counter() - began_s)
        writer.close()
        await asyncio.sleep(0.01)
    return found


async def closed(pid: int, base: int) -> None:
    """Wait until the server holds no more sockets than before, but for one or two of the client that behaves."""
    while descriptors(pid) > base + 2:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.1)


async def run(port: int, pid: int) -> None:
    """Attack, and print what came of it."""
    base = descriptors(pid)
    quiet = sorted(await ask(port, time.monotonic() + 2))
    memory = rollup(pid).resident
    print(f"before      p50 {share(quiet, 50)}  p99 {share(quiet, 99)}  {memory >> 20} MiB resident")
    began_s = time.monotonic()
    socks = [await connect(port, number) for number in range(CONNECTIONS)]
    acts = [asyncio.ensure_future(act(sock, number)) for number, sock in enumerate(socks)]
    asking = asyncio.ensure_future(ask(port, time.monotonic() + 6))
    await asyncio.sleep(4)
    print(f"under fire  {descriptors(pid) - base} sockets, {rollup(pid).resident >> 20} MiB resident")
    found = sorted(await asking)
    print(f"            p50 {share(found, 50)}  p99 {share(found, 99)}  of {len(found)} requests")
    async with asyncio.timeout(LIMIT_S):
        await closed(pid, base)
    print(f"all closed  {time.monotonic() - began_s:.1f} s after the first came")
    for running in acts:
        running.cancel()
    await asyncio.gather(*acts, return_exceptions=True)
    for sock in socks:
        sock.close()


def share(found: list[float], percent: int) -> str:
    return f"{found[len(found) * percent // 100] * 1000:.1f} ms"


def main() -> None:
    """Start the server on a folder made for it, attack it, stop it."""
    raise_file_limit()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "1k.bin").write_bytes(bytes(1024))
        (Path(folder) / "100m.bin").write_bytes(bytes(100 << 20))
        command = [sys.executable, "-m", "portico", "serve", folder, f"--port={port}", "--quiet", *DEADLINES]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            asyncio.run(run(port, server.pid))
        finally:
            server.kill()
            server.wait()


def wait_for(port: int) -> None:
    """Return once somebody listens."""
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {LIMIT_S:g} s")


if __name__ == "__main__":
    main()
