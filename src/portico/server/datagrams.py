"""The server of datagram services: UDP sockets, and unix ones of type SOCK_DGRAM.

    loop -> _read -> Door.receive -> the service -> _settle -> Door.send        a quick function: one turn of the loop
                                  -> Tasks | Pool -> ...                        a coroutine, a thread: bounded in number

In: bound sockets and a service; out: answers, a log, totals. One instance belongs to one event loop.

Nobody knows who wrote a datagram, so no answer may do harm where its request did not come from. Towards addresses that
are neither loopback nor private it is no larger than the request (so none to an empty one), unless the service may
amplify. To every address but loopback a token bucket bounds the answers a second, and services that answer anything,
such as echo on port 7, get none, lest the two talk for ever.

What cannot be sent at once is dropped and counted. A datagram may be lost at any time, and clients know; a queue would
send old answers late, and behind one slow peer of a unix socket all others would wait. Nothing that the network
reports of one peer is an error of the socket.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutine
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from portico.errors import UsageError
from portico.gateway.pool import Pool
from portico.net.listening import close as close_sockets
from portico.server.accepting import Totals
from portico.server.buckets import LOOPING, TOO_MANY, Bounds, Buckets, Reach, reach_of
from portico.server.doors import MAX_ANSWER, ROOM, Door, Way, open_door
from portico.server.metrics import Metrics
from portico.server.peer import Peer
from portico.server.service_log import ServiceLog
from portico.server.tasks import Tasks
from portico.settings import Limits, Service

if TYPE_CHECKING:
    from portico.server.service import DatagramService

UNSENT: Final = "no answer: it could not be sent"
FAILED: Final = "no answer: the service failed"
OVERLOAD: Final = "dropped: too many at once"
TOO_LONG: Final = "dropped: too long"
CUT: Final = "cut off"

# Status and word of the metrics, made for HTTP; what stands not here was taken, and its answer kept back by a rule.
_METRICS: Final = {
    "": (200, ""),
    TOO_MANY: (200, "overload"),
    UNSENT: (0, "gone"),
    FAILED: (500, "failed"),
    OVERLOAD: (503, "overload"),
    TOO_LONG: (413, "malformed"),
    CUT: (0, ""),
}
_BATCH: Final = 64  # datagrams in one turn of the loop; then others have theirs
_LAST: Final = 16_384  # datagrams taken from the kernel's queue at the end, more than it holds; a flood does not end
_FLUSH_S: Final = 0.05
_FAREWELL_S: Final = 1.0
_MAX_ADDRESSES: Final = 100_000
_REPORTS: Final = 10  # failures told of in full, a second
_THREADS: Final = (4, 64)  # as of a WSGI application, see settings.App


class _Letter:
    """One datagram on its way through a service."""

    __slots__ = ("answer", "began_s", "datagram", "door", "failure", "peer", "queued_s", "server", "way")

    def __init__(self, server: "DatagramServer", door: Door, way: Way, datagram: bytes) -> None:
        self.server = server
        self.door = door
        self.way = way
        self.datagram = datagram
        self.peer = door.peer_of(way)
        self.answer: object = None
        self.failure: BaseException | None = None
        self.began_s = time.perf_counter() if server.metrics is not None else 0.0
        self.queued_s = 0.0

    def run(self) -> None:
        """Call the service, in a thread of the pool."""
        try:
            self.answer = self.server.service.function(self.datagram, self.peer)
        except BaseException as exc:  # the root of what a thread does; SystemExit would end it
            self.failure = exc
        self.server.land(self)

    async def wait(self) -> None:
        """Call the service, in a task."""
        try:
            self.answer = await self.server.service(self.datagram, self.peer)
        except BaseException as exc:  # the root of a task; a letter that is not counted out keeps its place for ever
            self.failure = exc
        self.server.leave(self)


class DatagramServer:
    """Serve one service on any number of bound sockets.

    limits: max_active is how many coroutines or threads may be at work; what comes meanwhile is dropped.
    settings: datagram_rate. log: None for none. pool: threads for a blocking function, whose it is closes it; None for
    own ones. reach: tells how far an address is.
    metrics: what is counted, None for nothing; may be set at any time. now: monotonic seconds, replaced by tests.
    totals: requests are datagrams taken. drops: how often which remark was made. tasks: exists once the server is open.
    """

    def __init__(
        self,
        service: "DatagramService",
        limits: Limits,
        settings: Service,
        log: ServiceLog | None = None,
        *,
        reach: Callable[[str], Reach] = reach_of,
    ) -> None:
        self.service = service
        self.limits = limits
        self.log = log
        self.metrics: Metrics | None = None
        self.totals = Totals()
        self.drops: dict[str, int] = {}
        self.now: Callable[[], float] = time.monotonic
        self.loop: asyncio.AbstractEventLoop
        self.tasks: Tasks
        self.pool: Pool | None = None
        self._owns_pool = False
        self._take = self._take_quick
        if not service.is_quick:
            self._take = self._take_thread if service.is_blocking else self._take_task
        self._bounds = Bounds(settings.datagram_rate, service.may_amplify, reach)
        self._own: set[Peer] = set()  # a datagram that bears our own address is forged, to have us talk to ourselves
        self._seen: set[str] = set()
        self._doors: dict[socket.socket, Door] = {}
        self._working: set[_Letter] = set()
        self._reports = Buckets(_REPORTS)
        self._unreported = 0
        self._flushing: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self._is_draining = False

    # sockets

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Take datagrams from these bound sockets; may be called again for more.

        Raises UsageError, with none of them opened, where one is not for datagrams.
        """
        doors = [open_door(sock) for sock in sockets]
        if not self._doors:
            self.loop = asyncio.get_running_loop()
            self.tasks = Tasks(self.loop)
            if self.pool is None and self.service.is_blocking:
                self.pool = Pool(*_THREADS)
                self._owns_pool = True
        for door in doors:
            self._doors[door.sock] = door
            self._own |= _own_names(door.sock)
            self.loop.add_reader(door.sock.fileno(), self._read, door, _BATCH)

    def close(self, sockets: Sequence[socket.socket]) -> None:
        """Close these; what has been taken from them and is still at work gets no answer."""
        for sock in sockets:
            if self._doors.pop(sock, None) is not None:
                self.loop.remove_reader(sock.fileno())
                close_sockets([sock])

    async def drain(self, timeout_s: float, grace_s: float = 0.0) -> int:
        """Take what waits in the kernel's queue, answer it, and close the sockets.

        timeout_s: after that long whatever is left is cut. grace_s: as of other servers; nobody is connected who might
        still ask. Returns how many datagrams were cut.
        """
        cut_before = self.totals.cut
        self._is_draining = True
        for door in self._doors.values():
            self.loop.remove_reader(door.sock.fileno())
            self._read(door, _LAST)
        if self._working and timeout_s > 0:
            self._empty = self.loop.create_future()
            await asyncio.wait([self._empty], timeout=timeout_s)
        self.abort()
        if self.tasks.running:
            await asyncio.wait(set(self.tasks.running), timeout=_FAREWELL_S)
        self.close(list(self._doors))
        self.tasks.close()
        if self.pool is not None and self._owns_pool:
            self.pool.close()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self.log is not None:
            self.log.finish()
        return self.totals.cut - cut_before

    def abort(self) -> None:
        """Let nothing that is at work now be answered any more; it counts as cut. Threads go on, in vain."""
        cut, self._working = self._working, set()
        self.totals.cut += len(cut)
        for letter in cut:
            self._end(letter, None, CUT)
        for task in self.tasks.running if self.is_open else ():
            task.cancel()
        self._wake()

    def cut(self) -> None:
        """Do what `abort` does, which cancels tasks too."""
        self.abort()

    @property
    def is_open(self) -> bool:
        """Whether `open` has been called."""
        return hasattr(self, "tasks")

    def figures(self) -> Mapping[str, Callable[[], float]]:
        """Return what to measure, for the operator's pages."""
        return {"portico_log_lines_lost_total": lambda: self.log.lost if self.log is not None else 0}

    @property
    def active(self) -> int:
        """Count the datagrams that coroutines and threads are at work on."""
        return len(self._working)

    @property
    def connections(self) -> int:
        """Count the open connections, which datagrams have none of."""
        return 0

    @property
    def is_taking(self) -> bool:
        """Whether datagrams are taken: from `open` until `drain`."""
        return bool(self._doors) and not self._is_draining

    def send(self, peer: Peer, data: bytes, *, sock: socket.socket | None = None) -> bool:
        """Send a datagram that answers none; the bounds on answers are not for it.

        peer: its host an IP address, with a zone where link-local. data: at most 65 507 bytes. sock: one of those that
        are open, None for the first that can reach the peer.
        Returns whether it is with the kernel. Raises UsageError for what no open socket can send there.
        """
        if len(data) > MAX_ANSWER:
            raise UsageError(f"{len(data)} bytes are too long for a datagram; send {MAX_ANSWER} at most")
        door, way = self._way_to(peer, sock)
        try:
            door.send(data, way)
        except OSError:
            self.drops[UNSENT] = self.drops.get(UNSENT, 0) + 1
            return False
        self.totals.bytes_sent += len(data)
        return True

    def _way_to(self, peer: Peer, sock: socket.socket | None) -> tuple[Door, Way]:
        try:
            ip_address(peer.host.partition("%")[0])
        except ValueError as exc:
            raise UsageError(f"{peer} is not an IP address and a port; look a name up first") from exc
        refusal = UsageError(f"no open socket can reach {peer}; open one of its kind first")
        for door in self._doors.values():
            if sock is None or sock is door.sock:
                try:
                    return door, door.way_to(peer)
                except UsageError as exc:
                    refusal = exc
        raise refusal

    # datagrams

    def _read(self, door: Door, most: int) -> None:
        """Take datagrams, `most` of them at most."""
        receive, take, seen = door.receive, self._take, self._seen
        for _ in range(most):
            try:
                datagram, way = receive()
            except BlockingIOError:
                break
            except OSError:  # the network tells of an earlier one, which says nothing of the next
                continue
            self.totals.requests += 1
            letter = _Letter(self, door, way, datagram)
            if letter.peer.host not in seen:
                self._meet(letter.peer.host)
            if letter.peer in self._own:
                self._end(letter, None, LOOPING)
            elif len(datagram) < ROOM:
                take(letter)
            else:
                self._end(letter, None, TOO_LONG)

    def _meet(self, host: str) -> None:
        if len(self._seen) < _MAX_ADDRESSES:
            self._seen.add(host)
            self.totals.addresses += 1

    def _take_quick(self, letter: _Letter) -> None:
        try:
            letter.answer = self.service.function(letter.datagram, letter.peer)
        except KeyboardInterrupt:  # pressed twice in a program that serves
            raise
        except BaseException as exc:  # the root of what a datagram asks for
            letter.failure = exc
        self._settle(letter)

    def _take_task(self, letter: _Letter) -> None:
        if self._admits(letter):
            self.tasks.start(letter.wait())

    def _take_thread(self, letter: _Letter) -> None:
        if self._admits(letter):
            assert self.pool is not None
            self.pool.submit(letter)

    def _admits(self, letter: _Letter) -> bool:
        if len(self._working) >= self.limits.max_active:
            self._end(letter, None, OVERLOAD)
            return False
        self._working.add(letter)
        return True

    # called when the service has answered

    def land(self, letter: _Letter) -> None:
        """Bring a letter back to the loop, from a thread."""
        assert self.pool is not None
        self.pool.post(lambda: self.leave(letter))

    def leave(self, letter: _Letter) -> None:
        """Count a letter out and answer it, unless it has been cut."""
        if letter in self._working:
            self._working.discard(letter)
            self._settle(letter)
            self._wake()

    def _wake(self) -> None:
        if not self._working and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    # answers

    def _settle(self, letter: _Letter) -> None:
        """Answer what the service has done with."""
        answer = letter.answer
        if letter.failure is None and (answer is None or (isinstance(answer, bytes) and len(answer) <= MAX_ANSWER)):
            note = "" if answer is None else self._post(letter, answer)
            self._end(letter, None if note else answer, note)
            return
        self._report(letter.failure or _misuse(self.service.name, answer), letter.peer)
        self._end(letter, None, FAILED)

    def _post(self, letter: _Letter, answer: bytes) -> str:
        """Send an answer. Returns why not, "" where it is with the kernel."""
        note = self._bounds.objection(letter.peer, len(letter.datagram), len(answer), self.now)
        if not note:
            try:
                letter.door.send(answer, letter.way)
            except OSError:
                return UNSENT
            self.totals.bytes_sent += len(answer)
        return note

    def _end(self, letter: _Letter, answer: bytes | None, note: str) -> None:
        """Account for a datagram that is over and done with. note: why it was not answered, or ""."""
        if note:
            self.drops[note] = self.drops.get(note, 0) + 1
        if self.metrics is not None:
            status, word = _METRICS.get(note, _METRICS[""])
            duration_s = time.perf_counter() - letter.began_s if letter.began_s else 0.0
            self.metrics.count(status, duration_s, len(answer or b""))
            if word:
                self.metrics.drop(word)
        if self.log is not None:
            self.log.datagram(letter.peer, letter.datagram, answer, note)
            if self._flushing is None:
                self._flushing = self.loop.call_later(_FLUSH_S, self._flush_log)

    def _report(self, exc: BaseException, peer: Peer) -> None:
        """Write a failure of the service to the error log; of a flood of them ten a second."""
        if not self._reports.take("", self.now()):
            self._unreported += 1
            return
        more = f", and {self._unreported} times before" if self._unreported else ""
        self._unreported = 0
        logging.getLogger("portico").error("the service failed on a datagram from %s%s", peer, more, exc_info=exc)

    def _flush_log(self) -> None:
        self._flushing = None
        if self.log is not None:
            self.log.flush()
            if self.log.is_pending:
                self._flushing = self.loop.call_later(_FLUSH_S, self._flush_log)


def _own_names(sock: socket.socket) -> set[Peer]:
    """Return the addresses that only this socket can send from, as a peer's."""
    if sock.family == socket.AF_UNIX:
        return set()
    host, port = sock.getsockname()[:2]
    return {Peer(own, port) for own in (("127.0.0.1", "::1") if host in ("0.0.0.0", "::") else (host,))}


def _misuse(name: str, answer: object) -> UsageError:
    """Say what a service should have returned."""
    if isinstance(answer, bytes):
        return UsageError(f"{name} answered {len(answer)} bytes; a datagram has room for {MAX_ANSWER}")
    if iscoroutine(answer):
        answer.close()
        return UsageError(f"{name} returned a coroutine; make the service itself an `async def`")
    hint = "; encode it: text.encode()" if isinstance(answer, str) else ""
    return UsageError(f"{name} returned {type(answer).__name__}, not bytes or None{hint}")
