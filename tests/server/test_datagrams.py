"""Datagram services on real sockets: kinds of functions, rules, failures, floods, the end."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.server.stage import PATIENCE_S, Gate, Stage

from portico.errors import UsageError
from portico.gateway.pool import Pool
from portico.server.buckets import LARGER, LOOPING, TOO_MANY, Reach
from portico.server.datagrams import CUT, FAILED, OVERLOAD, TOO_LONG, UNSENT, DatagramServer
from portico.server.metrics import Metrics
from portico.server.peer import Peer
from portico.server.service import DatagramService, datagram_service
from portico.server.service_log import MAX_LINES, Datagram, ServiceLog, ServiceRecord
from portico.settings import Limits, Service

Answer = bytes | None


def bound(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


class Client:
    """Somebody who sends datagrams to one server."""

    def __init__(self, server: socket.socket) -> None:
        self.sock = bound()
        self.sock.connect(server.getsockname())

    @property
    def name(self) -> str:
        return str(Peer(*self.sock.getsockname()))

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.sock.send(datagram)

    async def receive(self) -> bytes:
        """Wait for the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.get_running_loop().sock_recv(self.sock, 65_536)

    async def ask(self, datagram: bytes) -> bytes:
        self.send(datagram)
        return await self.receive()

    def hears_nothing(self) -> bool:
        try:
            self.sock.recv(1)
        except BlockingIOError:
            return True
        return False


class Table:
    """A server with a client, and what its log got."""

    def __init__(self, server: DatagramServer, sock: socket.socket, records: list[ServiceRecord]) -> None:
        self.server = server
        self.sock = sock
        self.client = Client(sock)
        self.records = records


@asynccontextmanager
async def laid(
    service: DatagramService,
    *,
    limits: Limits | None = None,
    rate: int = 1000,
    reach: Reach = Reach.LOOPBACK,
    pool: Pool | None = None,
) -> AsyncIterator[Table]:
    """Serve `service` to a client whose address is as far as `reach` says, while time stands still."""
    records: list[ServiceRecord] = []

    def keep(batch: Sequence[ServiceRecord]) -> bytes:
        records.extend(batch)
        return b""

    log = ServiceLog(lambda batch: None, keep, wall=lambda: 1000.0)
    server = DatagramServer(service, limits or Limits(), Service(datagram_rate=rate), log, reach=lambda host: reach)
    server.pool = pool
    server.now = lambda: 1000.0
    sock = bound()
    await server.open([sock])
    table = Table(server, sock, records)
    try:
        yield table
    finally:
        await server.drain(0)
        table.client.sock.close()


def shout(datagram: bytes, peer: Peer) -> Answer:
    """Answer with what came, upper case; "quiet" with nothing, a count with so many bytes."""
    if datagram == b"quiet":
        return None
    return bytes(int(datagram)) if datagram.isdigit() else datagram.upper()


async def shout_later(datagram: bytes, peer: Peer) -> Answer:
    await asyncio.sleep(0)
    return shout(datagram, peer)


async def shout_at_once(datagram: bytes, peer: Peer) -> Answer:
    return shout(datagram, peer)


class Shouter:
    """An object that can be called like a coroutine function."""

    async def __call__(self, datagram: bytes, peer: Peer) -> Answer:
        return shout(datagram, peer)


KINDS = {
    "quick": datagram_service(is_quick=True)(shout),
    "thread": datagram_service(shout),
    "task": datagram_service(shout_later),
    "coroutine that never waits": datagram_service(shout_at_once),
    "object": datagram_service(Shouter()),
}


@pytest.fixture(params=list(KINDS))
def service(request: pytest.FixtureRequest) -> DatagramService:
    return KINDS[request.param]


def quick(function: Callable[[bytes, Peer], Any]) -> DatagramService:
    return datagram_service(is_quick=True)(function)


async def test_every_kind_of_function_answers(stage: Stage, service: DatagramService) -> None:
    async with laid(service) as table:
        assert await table.client.ask(b"hello") == b"HELLO"
        table.client.send(b"quiet")
        assert await table.client.ask(b"") == b""
        assert await table.client.ask(b"again") == b"AGAIN"
        totals = table.server.totals
        assert (totals.requests, totals.bytes_sent, totals.addresses) == (4, 10, 1)
        assert table.server.drops == {}
        assert table.server.is_taking
        assert table.server.is_open
        assert table.server.connections == 0


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 65_507])
async def test_datagrams_of_every_size(stage: Stage, service: DatagramService, size: int) -> None:
    async with laid(service) as table:
        assert await table.client.ask(b"x" * size) == b"X" * size


async def test_many_clients_at_once(stage: Stage, service: DatagramService) -> None:
    async with laid(service) as table:
        clients = [Client(table.sock) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(b"client %d" % number)
        for number, client in enumerate(clients):
            assert await client.receive() == b"CLIENT %d" % number
            client.sock.close()


async def test_what_waits_for_one_does_not_keep_others_waiting(stage: Stage) -> None:
    gate = Gate()

    @datagram_service
    async def patient(datagram: bytes, peer: Peer) -> Answer:
        if datagram == b"slow":
            await gate.passed()
        return datagram

    async with laid(patient) as table:
        table.client.send(b"slow")
        assert await table.client.ask(b"fast") == b"fast"
        assert table.server.active == 1
        gate.open()
        assert await table.client.receive() == b"slow"
        assert table.server.active == 0


# rules


async def test_a_far_address_gets_no_more_than_it_sent(stage: Stage, service: DatagramService) -> None:
    async with laid(service, reach=Reach.PUBLIC) as table:
        table.client.send(b"3", b"")
        assert await table.client.ask(b"same") == b"SAME"
        await stage.until(lambda: table.server.drops == {LARGER: 2})
        assert table.client.hears_nothing()


async def test_a_near_one_gets_what_there_is(stage: Stage, service: DatagramService) -> None:
    async with laid(service, reach=Reach.PRIVATE) as table:
        assert await table.client.ask(b"300") == bytes(300)


async def test_a_service_that_knows_whom_it_answers_may_amplify(stage: Stage) -> None:
    async with laid(datagram_service(may_amplify=True)(shout), reach=Reach.PUBLIC) as table:
        assert await table.client.ask(b"300") == bytes(300)


@pytest.mark.parametrize("reach", [Reach.PRIVATE, Reach.PUBLIC])
async def test_so_many_answers_a_second_to_one_address(stage: Stage, reach: Reach) -> None:
    async with laid(KINDS["quick"], rate=5, reach=reach) as table:
        server, client = table.server, table.client
        client.send(*[b"%c" % (97 + number) for number in range(20)])
        await stage.until(lambda: server.totals.requests == 20)
        assert [await client.receive() for _ in range(5)] == [b"A", b"B", b"C", b"D", b"E"]
        assert client.hears_nothing()
        assert server.drops == {TOO_MANY: 15}
        server.now = lambda: 1000.2
        assert await client.ask(b"z") == b"Z"


async def test_this_machine_has_no_bound(stage: Stage) -> None:
    async with laid(KINDS["quick"], rate=1) as table:
        for _ in range(20):
            assert await table.client.ask(b"a") == b"A"


# failures


class Complaints(logging.Handler):
    """What the error log got."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"{record.getMessage()}: {failure!r}")


@pytest.fixture
def complaints() -> Any:
    handler = Complaints()
    logger = logging.getLogger("portico")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def fail(datagram: bytes, peer: Peer) -> Answer:
    """Fail in the way that the datagram names."""
    answer: Answer = FAILURES[datagram]()
    return answer


def raising(exc: BaseException) -> Callable[[], Any]:
    def act() -> None:
        raise exc

    return act


async def nothing() -> None:
    return None


FAILURES: dict[bytes, Callable[[], Any]] = {
    b"error": raising(ValueError("no")),
    b"file": raising(BlockingIOError("no")),
    b"exit": raising(SystemExit(3)),
    b"generator": raising(GeneratorExit()),
    b"base": raising(BaseException("neither")),
    b"text": lambda: "text",
    b"number": lambda: 7,
    b"long": lambda: bytes(65_508),
    b"fine": lambda: b"fine",
}
SAID = {
    b"error": "ValueError('no')",
    b"file": "BlockingIOError('no')",
    b"exit": "SystemExit(3)",
    b"generator": "GeneratorExit()",
    b"base": "BaseException('neither')",
    b"text": "UsageError('{name} returned str, not bytes or None; encode it: text.encode()')",
    b"number": "UsageError('{name} returned int, not bytes or None')",
    b"long": "UsageError('{name} answered 65508 bytes; a datagram has room for 65507')",
}


async def fail_later(datagram: bytes, peer: Peer) -> Answer:
    return fail(datagram, peer)


@pytest.mark.parametrize("how", list(SAID))
@pytest.mark.parametrize(
    "failing", [quick(fail), datagram_service(fail), datagram_service(fail_later)], ids=["quick", "thread", "task"]
)
async def test_a_failure_is_told_and_the_server_lives(
    stage: Stage, complaints: Complaints, failing: DatagramService, how: bytes
) -> None:
    async with laid(failing) as table:
        table.client.send(how)
        assert await table.client.ask(b"fine") == b"fine"
        await stage.until(lambda: complaints.lines)
        said = SAID[how].format(name=failing.name)
        assert complaints.lines == [f"the service failed on a datagram from {table.client.name}: {said}"]
        assert table.server.drops == {FAILED: 1}
        assert table.server.active == 0


async def test_a_plain_function_must_not_return_a_coroutine(stage: Stage, complaints: Complaints) -> None:
    async with laid(quick(lambda datagram, peer: nothing())) as table:
        table.client.send(b"?")
        await stage.until(lambda: complaints.lines)
        assert "make the service itself an `async def`" in complaints.lines[0]


async def test_a_coroutine_that_is_cancelled_from_within_is_over(stage: Stage, complaints: Complaints) -> None:
    @datagram_service
    async def cancelled(datagram: bytes, peer: Peer) -> Answer:
        raise asyncio.CancelledError

    async with laid(cancelled) as table:
        table.client.send(b"?")
        await stage.until(lambda: complaints.lines)
        assert table.server.active == 0


async def test_a_flood_of_failures_is_told_of_ten_times_a_second(stage: Stage, complaints: Complaints) -> None:
    async with laid(quick(fail)) as table:
        table.client.send(*[b"error"] * 30)
        await stage.until(lambda: table.server.totals.requests == 30)
        assert len(complaints.lines) == 10
        table.server.now = lambda: 1002.0
        table.client.send(b"error")
        await stage.until(lambda: len(complaints.lines) == 11)
        assert f"{table.client.name}, and 20 times before: " in complaints.lines[-1]


async def test_an_answer_that_cannot_be_sent_is_dropped(stage: Stage, tmp_path: Path) -> None:
    server = DatagramServer(KINDS["quick"], Limits(), Service())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "door"))
        sock.setblocking(False)
        await server.open([sock])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
            nameless.sendto(b"hello", str(tmp_path / "door"))
        await stage.until(lambda: server.drops == {UNSENT: 1})
        await server.drain(0)


async def test_a_slow_unix_peer_loses_answers_and_others_do_not(stage: Stage, tmp_path: Path) -> None:
    server = DatagramServer(KINDS["quick"], Limits(), Service())
    path = str(tmp_path / "door")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
    ):
        for one, name in ((sock, path), (slow, f"{path}1"), (other, f"{path}2")):
            one.bind(name)
            one.setblocking(False)
        await server.open([sock])
        while not server.drops:  # it never reads, so its queue is full at some time
            slow.sendto(b"a", path)
            requests = server.totals.requests
            await stage.until(lambda before=requests: server.totals.requests > before)  # type: ignore[misc]
        assert set(server.drops) == {UNSENT}
        other.sendto(b"b", path)
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.get_running_loop().sock_recv(other, 9) == b"B"
        await server.drain(0)


async def test_what_is_too_long_for_udp_is_not_taken_from_a_unix_socket(stage: Stage, tmp_path: Path) -> None:
    server = DatagramServer(KINDS["quick"], Limits(), Service())
    path = str(tmp_path / "door")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        socket.socket(type=socket.SOCK_DGRAM, family=1) as peer,
    ):
        sock.bind(path)
        sock.setblocking(False)
        await server.open([sock])
        peer.sendto(bytes(65_536), path)
        await stage.until(lambda: server.drops == {TOO_LONG: 1})
        await server.drain(0)


async def test_what_the_network_reports_of_one_peer_is_no_matter(stage: Stage) -> None:
    async with laid(KINDS["quick"]) as table:
        table.sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR: ICMP errors are told by the next receive
        gone = Client(table.sock)
        peer = Peer(*gone.sock.getsockname())
        gone.sock.close()
        assert table.server.send(peer, b"are you there?")
        assert await table.client.ask(b"a") == b"A"


# too much


async def test_beyond_so_many_at_once_datagrams_are_dropped(stage: Stage) -> None:
    gate = Gate()

    @datagram_service
    async def patient(datagram: bytes, peer: Peer) -> Answer:
        await gate.passed()
        return datagram

    async with laid(patient, limits=Limits(max_active=2)) as table:
        table.client.send(b"1", b"2", b"3", b"4")
        await stage.until(lambda: table.server.drops == {OVERLOAD: 2})
        assert table.server.active == 2
        gate.open()
        assert {await table.client.receive(), await table.client.receive()} == {b"1", b"2"}
        assert await table.client.ask(b"5") == b"5"


async def test_threads_are_bounded_too(stage: Stage) -> None:
    gate = threading.Event()

    @datagram_service
    def patient(datagram: bytes, peer: Peer) -> Answer:
        gate.wait(PATIENCE_S)
        return datagram

    async with laid(patient, limits=Limits(max_active=2)) as table:
        table.client.send(b"1", b"2", b"3")
        await stage.until(lambda: table.server.drops == {OVERLOAD: 1})
        gate.set()
        assert {await table.client.receive(), await table.client.receive()} == {b"1", b"2"}


async def test_a_flood_from_a_thread(stage: Stage, service: DatagramService) -> None:
    async with laid(service) as table:
        flood = Client(table.sock)

        def pour() -> None:
            for _ in range(20_000):
                try:
                    flood.sock.send(b"flood")
                except BlockingIOError:
                    continue

        thread = threading.Thread(target=pour)
        thread.start()
        await stage.until(lambda: not thread.is_alive())
        thread.join()
        await stage.until(lambda: not table.server.active)
        # Whoever asks politely is answered, if need be at the second try: the kernel may have had no room.
        assert await asyncio.wait_for(_insist(table.client), PATIENCE_S) == b"STILL THERE"
        assert len(table.records) <= MAX_LINES
        flood.sock.close()


async def _insist(client: Client) -> bytes:
    while True:
        client.send(b"still there")
        try:
            async with asyncio.timeout(0.5):
                return await asyncio.get_running_loop().sock_recv(client.sock, 99)
        except TimeoutError:
            continue


# log and figures


async def test_the_log_tells_what_came_and_what_went(stage: Stage) -> None:
    async with laid(KINDS["quick"], reach=Reach.PUBLIC) as table:
        assert await table.client.ask(b"hello") == b"HELLO"
        table.client.send(b"quiet", b"7")
        await stage.until(lambda: len(table.records) == 3)
        found = [record[2:] for record in table.records if isinstance(record, Datagram)]
        assert found == [
            (b"hello", 5, b"HELLO", 5, ""),
            (b"quiet", 5, None, 0, ""),
            (b"7", 1, None, 0, LARGER),
        ]
        assert {str(record.peer) for record in table.records if isinstance(record, Datagram)} == {table.client.name}


async def test_what_a_flood_held_back_is_told_when_its_second_is_over(stage: Stage) -> None:
    written: list[bytes] = []
    now = [1000.5]
    log = ServiceLog(written.append, lambda batch: b"%d " % len(batch), wall=lambda: now[0])
    server = DatagramServer(KINDS["quick"], Limits(), Service(), log)
    sock = bound()
    await server.open([sock])
    client = Client(sock)
    for _ in range(501):
        assert await client.ask(b"a") == b"A"
    await stage.until(lambda: sum(map(int, b"".join(written).split())) == 500)
    now[0] = 1001.0
    await stage.until(lambda: sum(map(int, b"".join(written).split())) == 501)
    await server.drain(0)
    client.sock.close()


async def test_figures(stage: Stage) -> None:
    async with laid(quick(lambda datagram, peer: fail(datagram, peer) if datagram in FAILURES else None)) as table:
        metrics = table.server.metrics = Metrics()
        table.client.send(b"error", b"nothing")
        assert await table.client.ask(b"fine") == b"fine"
        found = metrics.snapshot()
        assert found['portico_requests_total{code="2xx"}'] == 2
        assert found['portico_requests_total{code="5xx"}'] == 1
        assert found['portico_drops_total{reason="failed"}'] == 1
        assert found["portico_sent_body_bytes_total"] == 4
        assert [read() for read in table.server.figures().values()] == [0]
        table.server.log = None
        assert [read() for read in table.server.figures().values()] == [0]


# sending unasked


async def test_a_program_sends_on_its_own(stage: Stage) -> None:
    async with laid(KINDS["quick"], reach=Reach.PUBLIC) as table:
        peer = Peer(*table.client.sock.getsockname())
        assert table.server.send(peer, b"news")
        assert table.server.send(peer, b"more", sock=table.sock)
        assert [await table.client.receive(), await table.client.receive()] == [b"news", b"more"]
        assert not table.server.send(Peer("127.0.0.1", 0), b"to nobody")
        assert table.server.drops == {UNSENT: 1}


@pytest.mark.parametrize(
    ("peer", "data", "why"),
    [
        (Peer("::1", 5), b"", "is an IPv6 address"),
        (Peer("unix", 0), b"", "unix is not an IP address"),
        (Peer("example.org", 5), b"", "is not an IP address"),
        (Peer("127.0.0.1", 5), bytes(65_508), "65508 bytes are too long"),
    ],
)
async def test_what_cannot_be_sent_unasked(stage: Stage, peer: Peer, data: bytes, why: str) -> None:
    async with laid(KINDS["quick"]) as table:
        with pytest.raises(UsageError, match=why):
            table.server.send(peer, data)


async def test_a_socket_that_is_not_open_reaches_nobody(stage: Stage) -> None:
    async with laid(KINDS["quick"]) as table:
        with bound() as other, pytest.raises(UsageError, match="no open socket can reach"):
            table.server.send(Peer("127.0.0.1", 5), b"", sock=other)


# the end


async def test_only_datagram_sockets_are_opened(stage: Stage) -> None:
    server = DatagramServer(KINDS["quick"], Limits(), Service())
    with bound() as fine, socket.socket() as stream:
        with pytest.raises(UsageError, match="no socket for datagrams"):
            await server.open([fine, stream])
        assert not server.is_taking
        assert not server.is_open
        server.abort()


async def test_a_socket_is_closed_and_others_go_on(stage: Stage) -> None:
    async with laid(KINDS["quick"]) as table:
        more = bound("::1")
        await table.server.open([more])
        table.server.close([more])
        table.server.close([more])
        assert more.fileno() == -1
        assert await table.client.ask(b"a") == b"A"


async def test_what_the_kernel_holds_is_answered_at_the_end(stage: Stage, service: DatagramService) -> None:
    async with laid(service) as table:
        table.client.send(*[b"%d" % number for number in range(10, 110)])  # the loop has had no turn to take them
        assert await table.server.drain(PATIENCE_S) == 0
        assert sorted([len(await table.client.receive()) for _ in range(100)]) == list(range(10, 110))
        assert not table.server.is_taking
        assert table.sock.fileno() == -1
        assert len(table.records) == 100


async def test_what_takes_too_long_is_cut(stage: Stage) -> None:
    gate = Gate()

    @datagram_service
    async def patient(datagram: bytes, peer: Peer) -> Answer:
        await gate.passed()
        return datagram

    async with laid(patient) as table:
        table.client.send(b"1", b"2")
        await stage.until(lambda: table.server.active == 2)
        assert await table.server.drain(0.01) == 2
        assert table.server.drops == {CUT: 2}
        assert table.server.totals.cut == 2
        assert not table.server.tasks.running
        assert table.client.hears_nothing()


async def test_an_impatient_operator_cuts_while_the_server_drains(stage: Stage) -> None:
    gate = Gate()

    @datagram_service
    async def patient(datagram: bytes, peer: Peer) -> Answer:
        await gate.passed()
        return datagram

    async with laid(patient) as table:
        table.client.send(b"1")
        await stage.until(lambda: table.server.active)
        draining = asyncio.ensure_future(table.server.drain(PATIENCE_S))
        await asyncio.sleep(0)
        table.server.cut()
        assert await draining == 1


async def test_a_thread_that_ends_too_late_is_not_waited_for(stage: Stage) -> None:
    gate = threading.Event()
    ended: list[bytes] = []

    @datagram_service
    def patient(datagram: bytes, peer: Peer) -> Answer:
        gate.wait(PATIENCE_S)
        ended.append(datagram)
        return datagram

    pool = Pool(1, 1)
    async with laid(patient, pool=pool) as table:
        table.client.send(b"1")
        await stage.until(lambda: table.server.active)
        assert await table.server.drain(0) == 1
        gate.set()
        await stage.until(lambda: ended)
        assert table.client.hears_nothing()
        assert pool.size == 1  # whose it is closes it
        pool.close()
        await stage.until(lambda: not pool.size)


async def test_a_forged_datagram_does_not_make_a_service_talk_to_itself(stage: Stage) -> None:
    async with laid(KINDS["quick"]) as table:
        table.sock.sendto(b"forged", table.sock.getsockname())
        assert await table.client.ask(b"hello") == b"HELLO"
        assert table.server.drops == {LOOPING: 1}
