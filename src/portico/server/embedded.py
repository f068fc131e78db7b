"""A server inside somebody's program: open sockets, a loop of its own, `start` and `stop`.

    Embedded(sockets, make).start()        until Ctrl-C, or `stop` from another thread
    with Embedded(sockets, make): ...      in a thread of its own, until the end of the block
    serve_here(services, 9000, host)       what `StreamService.start` and `DatagramService.start` do

In: listening sockets, and what makes the server once there is a loop. Out: nothing; every socket is closed at the end.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from portico.errors import ConfigError, UsageError
from portico.net.addresses import Address, Kind, parse_address
from portico.net.closing import refuse_new
from portico.net.listening import address_of, close, listen
from portico.server.accepting import GRACE_S, Totals
from portico.server.metrics import Metrics
from portico.server.shortage import Shortage
from portico.server.tasks import to_the_end
from portico.settings import Limits, Service

if TYPE_CHECKING:
    from portico.server.service import Services

_MAX_PORT = 65_535


def event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop: uvloop's where it is installed, the standard library's otherwise."""
    try:
        import uvloop
    except ImportError:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(Shortage())
        return loop
    return uvloop.new_event_loop()


def parse_place(host: str, port: int, kind: Kind = "tcp") -> Address:
    """Return where a program wants to listen. Raises UsageError for a port that is none, and a host that is more."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= _MAX_PORT:
        raise UsageError(f"the port {port!r} is not a whole number, 0 to {_MAX_PORT}; 0 lets the system choose")
    address = parse_address(host, default_port=port, default_scheme=kind)
    if address.port != port or address.kind != kind:
        raise UsageError(f"host={host!r} is more than a host; the port is an argument of its own")
    return address


class Server(Protocol):
    """What whoever runs a server needs of it, whatever it serves. See `accepting.Acceptor`."""

    limits: Limits
    metrics: Metrics | None

    @property
    def totals(self) -> Totals: ...

    @property
    def active(self) -> int: ...

    @property
    def is_taking(self) -> bool: ...

    async def open(self, sockets: Sequence[socket.socket]) -> None: ...

    def close(self, sockets: Sequence[socket.socket]) -> None: ...

    async def drain(self, timeout_s: float, grace_s: float = GRACE_S) -> int: ...

    def abort(self) -> None: ...

    def cut(self) -> None: ...

    def figures(self) -> Mapping[str, Callable[[], float]]: ...


class Embedded:
    """See the module.

    sockets: this object closes them. make: called in the loop, once. end: called when nothing is served any more, in
    the loop where there has been one; perhaps twice.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], make: Callable[[], Server], end: Callable[[], None] = lambda: None
    ) -> None:
        self._sockets = sockets
        self._make = make
        self._end = end
        self._lock = threading.Lock()
        self._is_started = False
        self._is_stopped = False
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve until `stop` is called or Ctrl-C is pressed; what is under way is finished first.

        Returns at once if `stop` came before. A second Ctrl-C cuts what is under way and raises KeyboardInterrupt.
        Raises UsageError when called twice.
        """
        with self._lock:
            if self._is_started:
                raise UsageError("this server has been started already; make a new one")
            self._is_started = True
        try:
            with asyncio.Runner(loop_factory=event_loop) as runner:
                runner.run(to_the_end(self._serve()))
        finally:
            self._release()

    def stop(self) -> None:
        """Stop serving: finish what is under way, close the sockets, then return. May be called repeatedly.

        Called from another thread than `start`'s, it waits until `start` is about to return.
        """
        with self._lock:
            self._is_stopped = True
            if not self._is_started:
                self._is_started = True
                self._release()
            elif self._loop is not None and self._stopping is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._ended.wait()

    def __enter__(self) -> "Embedded":
        """Serve in a thread of its own. The sockets are open already, so peers may come at once."""
        self._thread = threading.Thread(target=self.start, name="portico", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()

    async def _serve(self) -> None:
        server = self._make()
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._stopping = asyncio.get_running_loop(), stopping
            if self._is_stopped:
                return
        await server.open(self._sockets)
        try:
            await stopping.wait()
        except asyncio.CancelledError:
            # Ctrl-C: asyncio.Runner cancels this task. A second one cancels the draining.
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        try:
            await asyncio.sleep(refuse_new(self._sockets))
            await server.drain(server.limits.drain)
        finally:
            server.abort()
            self._end()  # while there is a loop: work for later may be under way

    def _release(self) -> None:
        try:
            close(self._sockets)
            self._end()
        finally:
            self._ended.set()  # whatever fails: `stop` waits for it


def serve_here(services: "Services", port: int, host: str) -> None:
    """Serve a stream service, a datagram service, or both on one port, until Ctrl-C.

    host: where to listen, "*" for every interface. Raises UsageError for a port that is none, ConfigError where this
    machine cannot listen there, PortTaken.
    """
    from portico.server.services import ServiceServer

    sockets: list[socket.socket] = []
    kinds: tuple[tuple[object, Kind], ...] = ((services.stream, "tcp"), (services.datagram, "udp"))
    try:
        for service, kind in kinds:
            if service is not None:
                sockets += listen(parse_place(host, port, kind))
                port = port or address_of(sockets[0]).port
    except ConfigError:
        close(sockets)
        raise
    Embedded(sockets, lambda: ServiceServer(services, Limits(), Service())).start()
