"""Connections that are kept for the next request of the same route.

    take       an idle connection that is alive, or a new one; waits where as many are in use as there may be
    release    back to the idle ones where it can serve again, closed otherwise

Used by many threads or tasks at once. Invariant: at most `max_connections` are open, those that are idle among them.
"""

import threading
import time
from collections.abc import Awaitable, Callable

from portico.client.connection import Connection
from portico.client.network import Network
from portico.client.route import Route
from portico.client.timeouts import Clock
from portico.errors import Gone, UsageError


class Pool:
    """The connections of one client.

    max_connections: in all. max_idle_per_host: kept for one route. keep_alive_s: how long one is kept.
    """

    def __init__(self, network: Network, *, max_connections: int, max_idle_per_host: int, keep_alive_s: float) -> None:
        self._turnstile = network.turnstile(max_connections)
        self._max_connections = max_connections
        self._max_idle_per_host = max_idle_per_host
        self._keep_alive_s = keep_alive_s
        self._lock = threading.Lock()
        self._idle: dict[Route, list[Connection]] = {}  # the latest last; no list is empty
        self._in_use = 0
        self._is_closed = False

    async def take(
        self, route: Route, clock: Clock, open_new: Callable[[], Awaitable[Connection]], *, is_fresh: bool = False
    ) -> Connection:
        """Return a connection for one exchange; `release` gets it back.

        open_new: makes one. is_fresh: no idle one will do.
        Raises what `open_new` raises; Gone where none is free in time; UsageError once the pool is closed.
        """
        timeout_s = clock.connect_s()
        if not await self._turnstile.enter(timeout_s):
            raise Gone(
                f"all {self._max_connections} connections of this client were in use for {timeout_s:g} s; "
                "close responses, or allow more"
            )
        try:
            connection = self._enter(route, is_fresh=is_fresh)
            try:
                return connection or await open_new()
            except BaseException:
                with self._lock:
                    self._in_use -= 1
                raise
        except BaseException:
            self._turnstile.leave()
            raise

    def release(self, route: Route, connection: Connection) -> None:
        """Give a connection back; it is closed unless it can carry another exchange."""
        now_s = time.monotonic()
        is_kept = False
        with self._lock:
            self._in_use -= 1
            idle = self._idle.get(route, [])
            if connection.can_serve and not self._is_closed and len(idle) < self._max_idle_per_host:
                connection.idle_since_s = now_s
                connection.is_reused = is_kept = True
                self._idle.setdefault(route, idle).append(connection)
        if not is_kept:
            connection.close()
        self._turnstile.leave()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _enter(self, route: Route, *, is_fresh: bool) -> Connection | None:
        """Count one more in use; return an idle one for it, None where a new one has to be opened."""
        with self._lock:
            if self._is_closed:
                raise UsageError("this client is closed; make another")
            self._drop_old()
            found = None if is_fresh else self._find(route)
            if found is None:
                self._make_room()
            self._in_use += 1
            return found

    def _find(self, route: Route) -> Connection | None:
        """Take the latest idle connection that is alive: it is the least likely to have been closed."""
        idle = self._idle.pop(route, [])
        found = None
        while idle and found is None:
            connection = idle.pop()
            if connection.is_dead():
                connection.close()
            else:
                found = connection
        if idle:
            self._idle[route] = idle
        return found

    def _drop_old(self) -> None:
        oldest_s = time.monotonic() - self._keep_alive_s
        for route, connections in list(self._idle.items()):
            while connections and connections[0].idle_since_s < oldest_s:
                connections.pop(0).close()
            if not connections:
                del self._idle[route]

    def _make_room(self) -> None:
        """Close idle connections, the oldest first, until one more may be opened."""
        while self._idle and self._in_use + sum(map(len, self._idle.values())) >= self._max_connections:
            route = min(self._idle, key=lambda route: self._idle[route][0].idle_since_s)
            self._idle[route].pop(0).close()
            if not self._idle[route]:
                del self._idle[route]
