"""Bytes that go to a TCP service and come back: every connection sends its block again once it has the whole of it."""

from contextlib import ExitStack
from dataclasses import replace

from bench.cases import Case
from bench.process import Running
from bench.sample import Answered, NotServed
from bench.talk import BUFFER, Talker, dial, talk


def block_of(case: Case) -> bytes:
    return (bytes(range(256)) * (case.size // 256 + 1))[: case.size]


def probe(case: Case, running: Running) -> None:
    """Send one block and check that the same comes back. Raises NotServed otherwise."""
    block, answer = block_of(case), b""
    with dial(running.port, 0) as connection:
        connection.sendall(block)
        while len(answer) < len(block) and (piece := connection.recv(BUFFER)):
            answer += piece
    if answer != block:
        raise NotServed(f"{len(answer)} bytes {answer!r:.40} came back for {case.size}")


def echo(case: Case, running: Running, seconds: float) -> Answered:
    """Keep all connections sending and receiving for some seconds."""
    block = block_of(case)
    with ExitStack() as stack:
        connections = [stack.enter_context(dial(running.port, n)) for n in range(case.connections)]
        answered = talk(running, (Talker(connection, block, case.size) for connection in connections), seconds)
    return replace(answered, body=round(answered.requests * case.size))
