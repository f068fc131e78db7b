"""Hundreds of hostile peers at once: others are served as quickly as ever, and no hostile one outlives its deadline.

Time is real here, and the limits are short. bench/hostile.py does the same on a larger scale.
"""

import asyncio
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.server.stage import LOOPS, Peer, Stage, get

from portico.http.message import Response
from portico.server.exchange import Exchange

EACH = 75
BODY = b"x" * 200_000
MAX_P99_S = 0.05
DEADLINE_S = 6  # the longest limit, twice a window, two seconds of lingering, and some ticks
MAX_BYTES = 40 * 1024 * 1024
LIMITS: dict[str, Any] = {
    "first_byte_timeout": 0.8,
    "head_timeout": 0.8,
    "keep_alive_timeout": 0.8,
    "rate_window": 0.5,
    "min_rate": 100_000,
    "max_connections_per_address": 5000,
}


def answer(exchange: Exchange) -> None:
    exchange.respond(Response(200, (), b"small" if exchange.request.path == "/small" else BODY))


async def drip(peer: Peer) -> None:
    """Send a head, a byte at a time, and never the end of it."""
    for byte in get("/" + "a" * 1000):
        await peer.send(bytes((byte,)))
        await asyncio.sleep(0.1)


async def say_nothing(peer: Peer) -> None:
    """Keep a connection."""


async def never_read(peer: Peer) -> None:
    """Ask for more than the kernel holds, and read none of it."""
    await peer.send(get() * 200)


async def babble(peer: Peer) -> None:
    """Send what is no HTTP, again and again."""
    while True:
        await peer.send(b"\x16\x03\x01\x00 nonsense" * 100)
        await asyncio.sleep(0.05)


HOSTILE: list[Callable[[Peer], Awaitable[None]]] = [drip, say_nothing, never_read, babble]


async def attack(stage: Stage, act: Callable[[Peer], Awaitable[None]]) -> None:
    peer = await stage.connect(window=4096)
    try:
        await act(peer)
    except (ConnectionError, TimeoutError):
        return


async def times(stage: Stage, until_s: float) -> list[float]:
    """Ask for something small over and over; return how long each answer took."""
    found = []
    peer = await stage.connect(source="127.0.0.2")
    while time.monotonic() < until_s:
        began_s = time.perf_counter()
        await peer.send(get("/small"))
        assert (await asyncio.get_running_loop().sock_recv(peer.sock, 4096)).endswith(b"small")
        found.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.002)
    return found


@pytest.mark.parametrize("kind", LOOPS)
def test_others_notice_nothing_and_no_deadline_is_missed(kind: str) -> None:
    stage = Stage(kind)

    async def play() -> None:
        server = await stage.serve(answer, **LIMITS)
        server.clock._monotonic = time.monotonic
        began_s = time.monotonic()
        attacks = [asyncio.ensure_future(attack(stage, act)) for _ in range(EACH) for act in HOSTILE]
        found = sorted(await times(stage, began_s + 3))
        assert len(found) > 200
        assert found[len(found) * 99 // 100] < MAX_P99_S
        await stage.until(lambda: server.connections <= 1)
        assert time.monotonic() < began_s + DEADLINE_S
        assert {record.status for record in stage.records} == {200, 400, 408}
        for running in attacks:
            running.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES

    tracemalloc.start(1)
    try:
        stage.run(play())
    finally:
        tracemalloc.stop()
