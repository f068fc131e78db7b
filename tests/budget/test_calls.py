"""What a request costs in Python calls of ours, and a connection in bytes: budgets, so that layers stay thin."""

import gc
import sys
import tracemalloc
from pathlib import Path
from types import FrameType

import pytest
from tests.server.stage import LOOPS, Stage, get

import portico
from portico.apps.files.root import Root
from portico.apps.files.site import Site
from portico.http.message import Response
from portico.settings import Files

MAX_CALLS = 20
MAX_IDLE_BYTES = 3 * 1024
CONNECTIONS = 500
SOURCES = str(Path(portico.__file__).parent)


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "1k.bin").write_bytes(b"x" * 1024)
    return Site({"": Root(bytes(tmp_path))}, Files(), names=None)


class Calls:
    """A profile function that keeps the names of our functions as they are called."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        """Keep the name of one of ours."""
        if event == "call" and frame.f_code.co_filename.startswith(SOURCES):
            self.names.append(frame.f_code.co_qualname)


def test_a_file_on_a_kept_connection_costs_few_calls(stage: Stage, site: Site) -> None:
    calls = Calls()

    async def play() -> None:
        await stage.serve(site)
        peer = await stage.connect()
        request = get("/1k.bin", "User-Agent: curl/8.9.1", "Accept: */*")
        length = 0
        for _ in range(3):
            await peer.send(request)
            head = await peer.read_head()
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert await peer.read(1024) == b"x" * 1024
            length = len(head) + 1024
        await stage.until(lambda: stage.server._flushing is None)  # the log is written; that is another budget's
        await peer.send(request)
        sys.setprofile(calls)
        try:
            await peer.read(length)
        finally:
            sys.setprofile(None)

    try:
        stage.run(play())
    finally:
        site.close()
    assert "HttpConnection.data_received" in calls.names
    assert len(calls.names) <= MAX_CALLS, "\n".join(calls.names)


def test_an_idle_connection_is_small() -> None:
    """Each has asked once. Measured by what goes when they go, on the event loop that a server runs on."""
    stage = Stage("uvloop")
    held: list[int] = []

    def measure() -> None:
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])

    async def play() -> None:
        await stage.serve(lambda exchange: exchange.respond(Response(200, (), b"hello")))
        peers = [await stage.connect() for _ in range(CONNECTIONS)]
        for peer in peers:
            await peer.send(get())
            await peer.read_head()
            await peer.read(5)
        await stage.logged(CONNECTIONS)
        measure()
        for peer in peers:
            peer.sock.close()
        await stage.until(lambda: not stage.server.connections)
        measure()

    tracemalloc.start()
    try:
        stage.run(play())
    finally:
        tracemalloc.stop()
    each = (held[0] - held[1]) / CONNECTIONS
    assert 200 < each < MAX_IDLE_BYTES
