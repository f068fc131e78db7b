"""A hundred and twenty clients that send or read as slowly as they may, and one that is in a hurry.

Four threads serve a WSGI application. No slow client may hold one while it dawdles over its head, over a body that is
buffered, or over an answer that is at hand; where the application itself has to wait for a slow reader, the pool grows.
"""

import time
from collections.abc import Iterable, Iterator

import pytest
from tests.gateway.wsgi_stage import TEXT, Environ, Start, put_on, read_answer
from tests.server.stage import LOOPS, Peer, Stage, get

EACH = 40  # slow clients of each kind
ASKED = 300
ROUNDS = 3  # the best counts: the machine may have something else to do
BAR_S = 0.05
LARGE = bytes(1 << 20)


def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
    environ["wsgi.input"].read(-1)
    start_response("200 OK", [TEXT])
    return {"/large": lambda: [LARGE], "/endless": endless}.get(environ["PATH_INFO"], lambda: [b"quick"])()


def endless() -> Iterator[bytes]:
    while True:
        yield LARGE


def heads() -> bytes:
    return get("/", *(f"X-Field-{number}: {number}" for number in range(90)))


def bodies() -> bytes:
    return get("/", "Content-Length: 60000", method="POST") + bytes(60_000)


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


async def hurry(peer: Peer, slow: list[tuple[Peer, Iterator[bytes]]]) -> list[float]:
    """Ask again and again while each slow client in turn sends one more byte; return how long it took, sorted."""
    taken = []
    for number in range(ASKED):
        dawdler, data = slow[number % len(slow)]
        await dawdler.send(next(data))
        began_s = time.perf_counter()
        await peer.send(get())
        assert (await read_answer(peer))[1] == b"quick"
        taken.append(time.perf_counter() - began_s)
    return sorted(taken)


def byte_by_byte(data: bytes) -> Iterator[bytes]:
    return (data[start : start + 1] for start in range(len(data)))


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_they_are_no_concern_of_others(stage: Stage, path: str) -> None:
    async def play() -> None:
        gateway = await put_on(stage, app, is_valid=False, threads=4, max_threads=64)
        pool = gateway.pool
        assert pool is not None
        slow = []
        for data in (heads(), bodies()):
            for _ in range(EACH):
                peer = await stage.connect()
                # All but the last of the head of those that dawdle over their body.
                start = data.find(b"\r\n\r\n") + 4 if data.endswith(b"\0") else 0
                await peer.send(data[:start])
                slow.append((peer, byte_by_byte(data[start:])))
        readers = [await stage.connect(window=4096) for _ in range(EACH)]
        for reader in readers:
            await reader.send(get(path))
            await reader.read(1)
        quick = await stage.connect()
        rounds = [await hurry(quick, slow) for _ in range(ROUNDS)]
        assert min(taken[ASKED * 99 // 100] for taken in rounds) < BAR_S
        # The threads that wait are those of endless answers, and no others.
        await stage.until(lambda: pool.busy == (EACH if path == "/endless" else 0))
        for reader in readers:
            reader.reset()
        await stage.until(lambda: pool.busy == 0)

    stage.run(play())
