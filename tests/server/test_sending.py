import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from tests.server.stage import Gate, Memory, Peer, Stage, get, http_connections

from portico.errors import Refused
from portico.http.message import Body, Response, Span
from portico.server.deadlines import is_waiting_for_peer
from portico.server.exchange import Exchange
from portico.server.sending import BLOCK_BYTES, BufferPool, release, write_all

DATA = bytes(range(251)) * 20_000  # 5 MB; no block of it looks like another


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """Give a file that holds DATA."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def answering(*bodies: Body) -> Callable[[Exchange], None]:
    """Make a handler that answers with these bodies, one after the other."""
    left = iter(bodies)

    def handler(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), next(left)))

    return handler


def whole(source: Memory) -> tuple[Span, ...]:
    return (Span(source, 0, source.size),)


async def ask(stage: Stage, *bodies: Body) -> Peer:
    """Serve these bodies and ask for the first."""
    await stage.serve(answering(*bodies))
    peer = await stage.connect()
    await peer.send(get())
    return peer


async def cut_short(peer: Peer) -> bytes:
    """Read what comes of an answer that is cut; it must be less than its head says."""
    head = await peer.read_head()
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    try:
        data = await peer.read_all()
    except ConnectionError:
        data = b""
    assert len(data) < length
    return data


# --- what arrives -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["buffers", "sendfile", "cold", "cold sendfile"])
async def test_pieces_arrive_as_they_are_and_the_connection_goes_on(stage: Stage, kind: str, descriptor: int) -> None:
    fd = descriptor if "sendfile" in kind else -1
    sources = [Memory(DATA, fd=fd, is_cold="cold" in kind) for _ in range(2)]
    first, second = sources
    mixed = (b"begin", Span(first, 1, 3_000_000), b"", Span(first, 7, 0), b"middle", Span(second, 0, 9), b"end")
    peer = await ask(stage, mixed, b"next")
    expected = b"begin" + DATA[1:3_000_001] + b"middle" + DATA[:9] + b"end"
    assert b"Content-Length: %d\r\n" % len(expected) in await peer.read_head()
    assert await peer.read(len(expected)) == expected
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await peer.read(4) == b"next"
    assert [source.closed for source in sources] == [1, 1]
    assert [record.body_bytes for record in await stage.logged(2)] == [len(expected), 4]
    assert (first.cold_reads > 0) == ("cold" in kind)


async def test_a_file_that_cannot_be_sent_by_the_kernel_is_read(stage: Stage, tmp_path: Path) -> None:
    odd = os.open(tmp_path, os.O_RDONLY)  # sendfile says EINVAL to a folder
    source = Memory(DATA, fd=odd)
    peer = await ask(stage, whole(source))
    await peer.read_head()
    assert await peer.read(len(DATA)) == DATA
    await stage.logged()
    assert source.closed == 1
    os.close(odd)


@pytest.mark.parametrize("has_descriptor", [False, True])
async def test_a_slow_reader_gets_everything(stage: Stage, has_descriptor: bool, descriptor: int) -> None:
    source = Memory(DATA, fd=descriptor if has_descriptor else -1)
    await stage.serve(answering(whole(source)))
    peer = await stage.accepted(window=4096)
    await peer.send(get())
    (connection,) = http_connections(stage.server)
    await stage.until(lambda: is_waiting_for_peer(connection))
    await peer.read_head()
    data = b""
    while len(data) < len(DATA):
        data += await peer.read(min(100_000, len(DATA) - len(data)))
    assert data == DATA
    await stage.until(lambda: source.closed)


async def test_the_last_answer_to_a_slow_reader_ends_its_connection_once(stage: Stage) -> None:
    await stage.serve(answering(whole(Memory(DATA))))
    stage.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)  # so that the end of it must wait
    peer = await stage.connect(window=4096)
    await peer.send(get("/", "Connection: close"))
    await peer.read_head()
    assert await peer.read_all() == DATA
    await stage.until(lambda: not stage.server.connections)


async def test_long_answers_take_turns(stage: Stage, descriptor: int) -> None:
    """Nobody waits for another's file: both are under way before either is done."""
    sources = [Memory(DATA, fd=descriptor) for _ in range(2)]
    await stage.serve(answering(*map(whole, sources)))
    peers = [await stage.connect() for _ in sources]
    for peer in peers:
        await peer.send(get())
    for peer in peers:
        await peer.read_head()
    assert await peers[1].read(1000) == DATA[:1000]
    assert await peers[0].read(1000) == DATA[:1000]
    for peer in peers:
        assert await peer.read(len(DATA) - 1000) == DATA[1000:]


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["buffers", "sendfile", "cold"])
async def test_a_file_that_shrank_cuts_the_connection(stage: Stage, kind: str, descriptor: int) -> None:
    source = Memory(DATA, fd=descriptor if kind == "sendfile" else -1, is_cold=kind == "cold")
    source.data = DATA[:2_000_000]
    peer = await ask(stage, whole(source))
    assert DATA.startswith(await cut_short(peer))
    (record,) = await stage.logged()
    assert (record.status, record.note) == (200, "the file shrank while it was sent")
    assert source.closed == 1


async def test_a_file_that_shrinks_between_a_look_and_the_kernel_cuts_the_connection(
    stage: Stage, descriptor: int
) -> None:
    os.truncate(descriptor, 2_000_000)  # of which the source knows nothing
    source = Memory(DATA, fd=descriptor)
    peer = await ask(stage, whole(source))
    assert DATA.startswith(await cut_short(peer))
    assert [record.note for record in await stage.logged()] == ["the file shrank while it was sent"]
    assert source.closed == 1


@pytest.mark.parametrize(
    ("failure", "note"),
    [(Refused("reading 4 bytes failed"), "reading 4 bytes failed"), (ZeroDivisionError(), "reading failed")],
)
async def test_a_disk_that_fails_cuts_the_connection(stage: Stage, failure: Exception, note: str) -> None:
    source = Memory(DATA, is_cold=True)
    source.failure = failure
    peer = await ask(stage, whole(source))
    assert await cut_short(peer) == b""
    assert [record.note for record in await stage.logged()] == [note]
    assert source.closed == 1


@pytest.mark.parametrize("has_descriptor", [False, True])
async def test_a_disk_that_fails_at_once_cuts_the_connection(
    stage: Stage, has_descriptor: bool, descriptor: int
) -> None:
    source = Memory(DATA, fd=descriptor if has_descriptor else -1)
    source.failure = Refused("the disk is gone")
    peer = await ask(stage, whole(source))
    assert await cut_short(peer) == b""
    assert [record.note for record in await stage.logged()] == ["the disk is gone"]
    assert source.closed == 1


async def test_a_descriptor_that_is_none_cuts_the_connection(stage: Stage) -> None:
    source = Memory(DATA, fd=1_000_000)
    peer = await ask(stage, whole(source))
    assert await cut_short(peer) == b""
    assert [record.note for record in await stage.logged()] == ["cut"]
    assert source.closed == 1


@pytest.mark.parametrize("kind", ["buffers", "sendfile"])
async def test_a_peer_that_goes_in_the_middle_releases_everything(stage: Stage, kind: str, descriptor: int) -> None:
    source = Memory(DATA * 4, fd=-1)
    if kind == "sendfile":
        source = Memory(DATA, fd=descriptor)
    before = set(os.listdir("/proc/self/fd"))
    peer = await ask(stage, (Span(source, 0, len(DATA)), Span(source, 0, len(DATA)), Span(source, 0, len(DATA))))
    await peer.read(1000)
    peer.reset()
    await stage.until(lambda: source.closed)
    assert source.closed == 1
    await stage.until(lambda: not stage.server.connections)
    left = {fd for fd in set(os.listdir("/proc/self/fd")) - before if is_socket(int(fd))}
    assert len(left) <= 1, "the listener; no duplicate of the connection's socket"


def is_socket(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except FileNotFoundError:
        return False


async def test_a_peer_that_goes_during_a_read_leaves_the_source_to_the_thread(stage: Stage) -> None:
    barrier = threading.Event()
    source = Memory(DATA, is_cold=True)
    source.gate = lambda: barrier.wait(10)
    peer = await ask(stage, whole(source))
    await stage.until(lambda: source.cold_reads)
    peer.reset()
    await stage.until(lambda: not stage.server.connections)
    assert source.closed == 0, "closed under a thread that reads, the descriptor might be another file's by now"
    barrier.set()
    await stage.until(lambda: source.closed)
    assert source.closed == 1


async def test_waiting_for_a_disk_costs_no_time(stage: Stage) -> None:
    """A socket that can be written must not be reported over and over while a thread reads."""
    barrier = threading.Event()

    class Later(Memory):
        """Hot at first, so that the socket is watched, then cold."""

        def read_hot(self, buffer: memoryview, offset: int) -> int:
            """Read what comes first."""
            self.is_cold = offset > 2_000_000
            return super().read_hot(buffer, offset)

    source = Later(DATA)
    source.gate = lambda: barrier.wait(10)
    peer = await ask(stage, whole(source))
    await peer.read_head()
    data = await peer.read(2_000_000)
    await stage.until(lambda: source.cold_reads)
    began_s = time.thread_time()
    asyncio.get_running_loop().call_later(0.3, barrier.set)
    data += await peer.read(len(DATA) - len(data))
    assert data == DATA
    assert time.thread_time() - began_s < 0.2


# --- iterators --------------------------------------------------------------------------------


class Pieces:
    """An async iterator that counts how often it is closed."""

    def __init__(self, *pieces: bytes, gate: Gate | None = None) -> None:
        self._left = iter(pieces)
        self._gate = gate
        self.closed = 0
        self.asked = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.asked += 1
        for piece in self._left:
            return piece
        if self._gate is not None:
            await self._gate.passed()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


class Bare:
    """An async iterator with nothing to close."""

    def __init__(self) -> None:
        self._left = iter((b"bare",))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._left:
            return piece
        raise StopAsyncIteration


async def test_an_iterator_goes_in_chunks(stage: Stage) -> None:
    body = Pieces(b"hello", b"", b"world!")
    peer = await ask(stage, body, Bare())
    await peer.play("""
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Transfer-Encoding: chunked
        <
        < 5
        < hello
        < 6
        < world!
        < 0
        <
        > GET / HTTP/1.1
        > Host: a
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Transfer-Encoding: chunked
        <
        < 4
        < bare
        < 0
        <
    """)
    assert body.closed == 1
    assert [record.body_bytes for record in await stage.logged(2)] == [11, 4]


async def test_an_iterator_goes_until_the_end_of_the_connection_to_http_1_0(stage: Stage) -> None:
    await stage.serve(answering(Pieces(b"hello", b"world")))
    await (await stage.connect()).play("""
        > GET / HTTP/1.0
        > Connection: keep-alive
        >
        < HTTP/1.1 200 OK
        < Date: Sun, 06 Nov 1994 08:49:37 GMT
        < Connection: close
        <
        < helloworld\\
        < $
    """)


async def test_an_iterator_is_asked_at_the_pace_of_the_peer(stage: Stage) -> None:
    body = Pieces(*(b"x" * 1_000_000 for _ in range(40)))
    await stage.serve(answering(body))
    peer = await stage.connect(window=4096)
    await peer.send(get())
    await stage.until(lambda: stage.server.connections and next(iter(http_connections(stage.server))).is_paused)
    assert body.asked < 20
    await peer.read_head()
    assert (await peer.read(20_000_000)).startswith(b"f4240\r\nxxx")
    peer.reset()
    await stage.until(lambda: body.closed)
    assert body.closed == 1


async def test_an_iterator_that_waits_is_closed_with_its_connection(stage: Stage) -> None:
    gate = Gate()
    body = Pieces(b"begun", gate=gate)
    peer = await ask(stage, body)
    await stage.until(lambda: gate.is_reached)
    peer.reset()
    await stage.until(lambda: body.closed)
    assert [(record.note, record.body_bytes) for record in await stage.logged()] == [("cut", 5)]


# --- bodies that are not sent -----------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("kind", ["bytes", "pieces", "sendfile", "iterator", "bare"])
async def test_where_no_body_may_be_none_is_sent_and_all_is_closed(
    stage: Stage, method: str, status: int, kind: str, descriptor: int
) -> None:
    source, body = Memory(DATA, fd=descriptor if kind == "sendfile" else -1), Pieces(b"hello")
    bodies: dict[str, Body] = {"bytes": DATA, "iterator": body, "bare": Bare()}
    response = Response(status, (), bodies.get(kind, (Span(source, 0, 9), Span(source, 5, 7))))

    def handler(exchange: Exchange) -> None:
        exchange.respond(response if exchange.request.path == "/" else Response(200, (), b"next"))

    await stage.serve(handler)
    peer = await stage.connect()
    await peer.send(get(method=method) + get("/next"))
    head = await peer.read_head()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (b"Content-Length: " in head) == (method == "HEAD" and kind not in ("iterator", "bare"))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await peer.read(4) == b"next"
    assert source.closed == (kind in ("pieces", "sendfile"))
    assert (body.closed, body.asked) == (kind == "iterator", 0)
    assert [record.body_bytes for record in await stage.logged(2)] == [0, 4]


# --- pieces that leave together ---------------------------------------------------------------


class Writer(asyncio.Protocol):
    """A side that says `last_words` as soon as it may write on."""

    transport: asyncio.Transport
    is_paused = False
    is_lost = False
    last_words = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.transport.write(self.last_words)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


async def connected() -> tuple[Writer, socket.socket, Peer]:
    """Connect a writer, whose socket may be written to beside it, and its peer."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, writer = await asyncio.get_running_loop().create_unix_connection(Writer, sock=ours)
    return writer, ours, Peer(theirs)


def fill(sock: socket.socket) -> int:
    """Write until the kernel has no room. Returns how many bytes that took."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            count += sock.send(DATA)
    return count


async def test_large_pieces_pause_whoever_writes_them(stage: Stage) -> None:
    writer, _, peer = await connected()
    assert write_all(writer.transport, [b"head", DATA]) == 4 + len(DATA)
    assert writer.is_paused
    assert await peer.read(4 + len(DATA)) == b"head" + DATA
    await stage.until(lambda: not writer.is_paused)
    writer.transport.close()
    assert await peer.is_closed()
    peer.sock.close()


async def test_what_is_written_when_the_peer_catches_up_comes_behind_the_pieces(stage: Stage) -> None:
    writer, ours, peer = await connected()
    writer.last_words = b"last words"
    filled = fill(ours)
    writer.transport.write(DATA[:100_000])
    assert writer.is_paused
    while filled:  # in one turn of the loop, so that it is `write_all` who finds the room
        filled -= len(peer.sock.recv(filled))
    write_all(writer.transport, [b"head", DATA[:90_000]])
    expected = DATA[:100_000] + b"head" + DATA[:90_000] + b"last words"
    assert await peer.read(len(expected)) == expected
    writer.transport.close()
    assert await peer.is_closed()
    peer.sock.close()


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_nothing_is_written_to_a_transport_that_is_closing(stage: Stage, end: str) -> None:
    writer, _, peer = await connected()
    getattr(writer.transport, end)()
    write_all(writer.transport, [b"head", DATA])
    assert writer.transport.get_write_buffer_size() == 0
    assert await peer.read_all() == b""
    await stage.until(lambda: writer.is_lost)
    peer.sock.close()


# --- buffers ----------------------------------------------------------------------------------


def test_a_pool_keeps_a_few_buffers_for_reuse() -> None:
    pool = BufferPool()
    buffers = [pool.take() for _ in range(40)]
    assert {len(buffer) for buffer in buffers} == {BLOCK_BYTES}
    for buffer in buffers:
        pool.give(buffer)
    again = [pool.take() for _ in range(40)]
    assert sum(any(buffer is old for old in buffers) for buffer in again) == 32


def test_a_body_that_is_not_sent_is_released_once() -> None:
    source = Memory(b"hello")
    release((b"x", Span(source, 0, 1), Span(source, 1, 2)))
    release(b"bytes")
    assert source.closed == 1
