"""UDP clients in a closed loop: each socket has one datagram under way, and sends the next when it has its answer.

A turn costs two system calls. Where all answers are missing for `SILENCE_S`, each socket sends again, and what was
missing counts as errors: datagrams may be lost.
"""

import itertools
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

from bench.cases import Case, Kind
from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import Answered, NotServed

SILENCE_S = 0.25
FORMAT = "%Y-%m-%d %X"
LARGEST = 65_535


def dial(port: int) -> socket.socket:
    asker = socket.socket(type=socket.SOCK_DGRAM)
    asker.settimeout(5)
    asker.connect(("127.0.0.1", port))
    return asker


def requests(case: Case) -> Iterator[bytes]:
    """Yield what the datagrams hold: one format, or formats that differ each time and are of one size."""
    if case.kind is Kind.DATAGRAM:
        return itertools.repeat(FORMAT.encode())
    return (b"%s %09d" % (FORMAT.encode(), number) for number in itertools.count())


def probe(case: Case, running: Running) -> None:
    """Ask for the time in a format, and in none. Raises NotServed when the answer is not the time of this moment."""
    with dial(running.port) as asker:
        for sent in (next(requests(case)), b""):
            early = time.time()
            asker.send(sent)
            answer = asker.recv(LARGEST).decode("utf-8", "replace").strip()
            moments = range(int(early), int(time.time()) + 1)
            if answer not in [time.strftime(sent.decode() or FORMAT, time.localtime(moment)) for moment in moments]:
                raise NotServed(f"{answer!a:.60} came back for {sent!r}")


def ask(case: Case, running: Running, seconds: float) -> Answered:
    """Keep all sockets asking for some seconds."""
    payloads = requests(case)
    with ExitStack() as stack:
        stack.enter_context(on_cores(CLIENT_CORES))
        poll = stack.enter_context(select.epoll())
        askers = [stack.enter_context(dial(running.port)) for _ in range(case.connections)]
        before = running.cpu_s()
        begin = now = time.monotonic()
        ends = {}
        for asker in askers:
            asker.setblocking(False)
            ends[asker.fileno()] = asker.recv, asker.send
            poll.register(asker, select.EPOLLIN)
            asker.send(next(payloads))
        done = errors = 0
        while now < begin + seconds:
            ready = poll.poll(SILENCE_S)
            for number, _ in ready:
                receive, send = ends[number]
                if not receive(LARGEST):
                    raise NotServed("an empty answer")
                send(next(payloads))
            done += len(ready)
            if not ready:
                errors += len(askers)
                for asker in askers:
                    asker.send(next(payloads))
            now = time.monotonic()
        used = running.cpu_s() - before
    if not done:
        raise NotServed(f"not one answer within {seconds:g} s")
    return Answered(done, now - begin, 0, used, errors=errors)
