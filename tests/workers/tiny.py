"""A tiny worker, run as a script: `tiny.py PLAN`, where PLAN is a file of JSON that stands for the code.

    failed: TEXT   says so and leaves          raises: TEXT    an exception before anything is said
    hangs: true    is never ready              deaf: true      does not end when told to
    version: N     part of the answer          babbles: true   says what is no message

It answers each line of a connection: `who` with a line of JSON, `hold` when the next line has come; `die`, `stick`,
`leave` do what they say.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from portico.net.listening import accept_waiting
from portico.workers.worker import WorkerLink


class Tiny:
    """One worker's life. plan: what the file says."""

    def __init__(self, link: WorkerLink, plan: dict[str, Any]) -> None:
        self.link = link
        self.plan = plan
        self.requests = 0
        self.active = 0
        self.serving: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()
        self.idle = asyncio.Event()

    async def run(self) -> int:
        self.link.watch(self.drain, lambda: os._exit(4))
        if "failed" in self.plan:
            self.link.failed(self.plan["failed"])
            return 2
        if "babbles" in self.plan:
            os.write(json.loads(self.plan["badge"])["control"], b"blah\n")
        if "hangs" in self.plan:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        sockets = self.link.sockets()
        for sock in sockets:
            loop.add_reader(sock.fileno(), self.accept, sock)
        self.link.ready()
        self.link.beat_with(self.figures)
        await self.stopping.wait()
        for sock in sockets:
            loop.remove_reader(sock.fileno())
            self.accept(sock)
            sock.close()
        self.link.draining()
        while self.active:
            self.idle.clear()
            await self.idle.wait()
        self.link.beat_with(self.figures)
        self.link.finished(0)
        self.link.close()
        return 0

    def accept(self, sock: socket.socket) -> None:
        for peer in accept_waiting(sock):
            self.active += 1  # at once: whoever was accepted is served
            self.serving.append(asyncio.ensure_future(self.serve(peer)))

    def figures(self) -> dict[str, Any]:
        samples = {"portico_sent_body_bytes_total": self.requests, "portico_connections": self.active}
        return {"requests": self.requests, "active": self.active, "samples": samples}

    def drain(self) -> None:
        if "deaf" not in self.plan:
            self.stopping.set()

    async def serve(self, peer: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=peer)
        while line := await reader.readline():
            self.requests += 1
            word = line.decode().strip()
            if word == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "stick":
                stick()
            if word == "leave":
                os._exit(7)
            writer.write(self.portrait())
            if word == "hold":
                await reader.readline()
                writer.write(self.portrait())
            if word == "bye":
                break
        self.active -= 1
        self.idle.set()
        writer.close()

    def portrait(self) -> bytes:
        facts = {
            "pid": os.getpid(),
            "number": self.link.number,
            "generation": self.link.generation,
            "version": self.plan.get("version", 0),
            "environ": sorted(name for name in os.environ if name.startswith(("PORTICO", "NOTIFY", "LISTEN"))),
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        }
        return json.dumps(facts).encode() + b"\n"


def stick() -> None:
    """Keep the loop from turning."""
    time.sleep(1000)


def main() -> int:
    plan = json.loads(Path(sys.argv[1]).read_text())
    if "raises" in plan:
        raise SystemExit(plan["raises"])
    plan["badge"] = os.environ["PORTICO_WORKER"]
    link = WorkerLink.from_environment()
    assert link is not None

    async def live() -> int:
        return await Tiny(link, plan).run()

    return asyncio.run(live())


if __name__ == "__main__":
    sys.exit(main())
