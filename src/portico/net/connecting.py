"""Connect to an address within a deadline: `Address` in, a connected socket out.

    connect, connect_async      for a thread that may wait, and for an event loop
      resolve                   resolving: a name -> endpoints
      Race                      which endpoint to try when (RFC 8305), pure: the time comes in
      explain                   what the system said -> one line

tcp and tls get a TCP connection (whoever called speaks TLS over it), udp a socket that hears one peer alone, unix a
stream, fd a socket that this process inherited. Invariant: whatever is raised, by a cancellation too, nothing is left
open.
"""

import errno
import os
import socket
import time
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from itertools import zip_longest
from math import inf
from typing import TYPE_CHECKING, Final

from portico.errors import Gone, PorticoError, Refused, UsageError, excerpt
from portico.net.addresses import Address
from portico.net.resolving import Endpoint, resolve, resolve_async

if TYPE_CHECKING:
    import asyncio

# RFC 8305 section 8: the recommended Connection Attempt Delay.
STAGGER_S: Final = 0.25
_KINDS: Final = {"udp": socket.SOCK_DGRAM}
# A full queue of a unix socket is not waited for by the kernel (connect(2), EAGAIN): we look again, ever more rarely.
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.1
_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)})


class Race:
    """Which of several endpoints to try when: one by one, the next at once where one fails (RFC 8305 section 5).

    endpoints: as the system orders them; tried with their families alternating (section 4). Times are seconds of any
    clock that never goes back.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._left = deque(interleaved(endpoints))
        self._due_s = -inf
        self._failures: list[OSError] = []

    def take(self, now_s: float) -> Endpoint | None:
        """Return the endpoint to try now, None where it is too early or none is left."""
        if not self._left or now_s < self._due_s:
            return None
        self._due_s = now_s + STAGGER_S
        return self._left.popleft()

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait for the attempts under way before the next one; infinity where there is no next."""
        return max(0.0, self._due_s - now_s) if self._left else inf

    def note_failure(self, exc: OSError) -> None:
        """Take down that an attempt has failed: the next is due at once."""
        self._failures.append(exc)
        self._due_s = -inf

    @property
    def failure(self) -> OSError:
        """The failure that says most; there has been one."""
        return min(self._failures, key=lambda exc: _TELLING.get(exc.errno or 0, len(_TELLING)))


def interleaved(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Let the families alternate, the first one's first; within a family the order stays."""
    families: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        families.setdefault(endpoint.family, []).append(endpoint)
    return [endpoint for rank in zip_longest(*families.values()) for endpoint in rank if endpoint is not None]


def connect(address: Address, *, timeout_s: float) -> socket.socket:
    """Connect, and wait for it.

    address: of any kind; "*" is this machine. timeout_s: for the look-up and the connection together, more than 0.
    Returns a blocking socket, not inheritable, which the caller closes.
    Raises Refused or Gone, in one line, where there is no connection; UsageError for port 0.
    """
    deadline_s = time.monotonic() + timeout_s
    if address.kind == "fd":
        return _adopted(address)
    try:
        if address.kind == "unix":
            sock = _connect_unix(address, deadline_s)
        else:
            endpoints = resolve(address.host, _port(address), timeout_s=timeout_s)
            attempts = _Attempts(Race(endpoints), _KINDS.get(address.kind, socket.SOCK_STREAM))
            with closing(attempts):
                sock = attempts.run(deadline_s)
    except OSError as exc:
        raise explain(exc, address, timeout_s) from exc
    sock.settimeout(None)
    return sock


async def connect_async(address: Address, *, timeout_s: float) -> socket.socket:
    """Do what `connect` does on a running event loop; the socket is non-blocking, as loops want them."""
    import asyncio

    deadline_s = asyncio.get_running_loop().time() + timeout_s
    if address.kind == "fd":
        sock = _adopted(address)
        sock.setblocking(False)
        return sock
    try:
        if address.kind == "unix":
            return await _connect_unix_async(address, deadline_s)
        endpoints = await resolve_async(address.host, _port(address), timeout_s=timeout_s)
        return await _run_async(Race(endpoints), _KINDS.get(address.kind, socket.SOCK_STREAM), deadline_s)
    except OSError as exc:
        raise explain(exc, address, timeout_s) from exc


def _port(address: Address) -> int:
    if address.port:
        return address.port
    raise UsageError(f"{address} has port 0, which nobody has; write the port of the server")


# The two ways to run a race


class _Attempts:
    """The attempts of one race that are under way, for a thread that waits for them."""

    def __init__(self, race: Race, kind: int) -> None:
        import selectors

        self._race = race
        self._kind = kind
        self._selector = selectors.DefaultSelector()
        self._event = selectors.EVENT_WRITE

    def run(self, deadline_s: float) -> socket.socket:
        """Return the first socket that connects. Raises OSError: TimeoutError, or the failure that says most."""
        while (now_s := time.monotonic()) < deadline_s:
            if endpoint := self._race.take(now_s):
                self._begin(endpoint)
            elif not self._selector.get_map():
                raise self._race.failure
            elif sock := self._finished(min(self._race.wait_s(now_s), deadline_s - now_s)):
                return sock
        raise _failure(errno.ETIMEDOUT)

    def close(self) -> None:
        """Give up whatever is still under way."""
        for key in list(self._selector.get_map().values()):
            key.data.close()
        self._selector.close()

    def _begin(self, endpoint: Endpoint) -> None:
        try:
            sock = _opened(endpoint.family, self._kind)
        except OSError as exc:  # this machine lacks the family
            self._race.note_failure(exc)
            return
        code = sock.connect_ex(endpoint.name)
        if code in _UNDER_WAY:
            self._selector.register(sock, self._event, sock)
        else:
            sock.close()
            self._race.note_failure(_failure(code))

    def _finished(self, wait_s: float) -> socket.socket | None:
        for key, _ in self._selector.select(wait_s):
            sock: socket.socket = key.data
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or meets_itself(sock)
            if not code:
                return sock
            sock.close()
            self._race.note_failure(_failure(code))
        return None


async def _run_async(race: Race, kind: int, deadline_s: float) -> socket.socket:
    """Do what `_Attempts.run` does on a running event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[socket.socket]] = set()
    try:
        while (now_s := loop.time()) < deadline_s:
            if endpoint := race.take(now_s):
                under_way.add(loop.create_task(_attempt_async(endpoint, kind)))
                continue
            if not under_way:
                raise race.failure
            wait_s = min(race.wait_s(now_s), deadline_s - now_s)
            done, _ = await asyncio.wait(under_way, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                under_way.remove(task)
                if not isinstance(failure := task.exception(), OSError):
                    return task.result()
                race.note_failure(failure)
        raise _failure(errno.ETIMEDOUT)
    finally:
        for task in under_way:
            task.cancel()
            task.add_done_callback(_close_found)


def _close_found(task: "asyncio.Task[socket.socket]") -> None:
    """Close what an attempt connected that nobody wants any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _attempt_async(endpoint: Endpoint, kind: int) -> socket.socket:
    import asyncio

    sock = _opened(endpoint.family, kind)
    try:
        await asyncio.get_running_loop().sock_connect(sock, endpoint.name)
        if code := meets_itself(sock):
            raise _failure(code)
    except BaseException:
        sock.close()
        raise
    return sock


def _opened(family: int, kind: int) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM and family != getattr(socket, "AF_UNIX", None):
            # What is typed or asked goes out at once (RFC 896 would hold it back).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def meets_itself(sock: socket.socket) -> int:
    """Return ECONNREFUSED where a connection to a port without a listener got that very port for its own end, or 0.

    TCP lets it (RFC 9293 section 3.5, simultaneous open), once in some ten thousand tries on loopback.
    """
    is_itself = sock.type == socket.SOCK_STREAM and sock.getsockname() == sock.getpeername()
    return errno.ECONNREFUSED if is_itself else 0


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


# Sockets without a look-up


def _connect_unix(address: Address, deadline_s: float) -> socket.socket:
    sock = _opened(_unix_family(address), socket.SOCK_STREAM)
    try:
        pause_s = _FIRST_PAUSE_S
        while code := sock.connect_ex(_unix_name(address)):
            if code not in _FULL:
                raise _failure(code)
            if time.monotonic() + pause_s > deadline_s:
                raise _failure(errno.ETIMEDOUT)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect_unix_async(address: Address, deadline_s: float) -> socket.socket:
    import asyncio

    loop = asyncio.get_running_loop()
    sock = _opened(_unix_family(address), socket.SOCK_STREAM)
    try:
        pause_s = _FIRST_PAUSE_S
        while code := sock.connect_ex(_unix_name(address)):
            if code not in _FULL:
                raise _failure(code)
            if loop.time() + pause_s > deadline_s:
                raise _failure(errno.ETIMEDOUT)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    except BaseException:
        sock.close()
        raise
    return sock


def _unix_family(address: Address) -> int:
    family: int | None = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise Refused(f"{address}: Python has no unix sockets on this system; write HOST:PORT")
    return family


def _unix_name(address: Address) -> str | bytes:
    return b"\0" + os.fsencode(address.path[1:]) if address.path.startswith("@") else address.path


def _adopted(address: Address) -> socket.socket:
    try:
        sock = socket.socket(fileno=address.number)
    except OSError as exc:
        raise Refused(f"{address} is not an open socket; it must be inherited from the starting process") from exc
    try:
        sock.getpeername()
    except OSError as exc:
        sock.detach()  # it is not ours to close
        raise Refused(f"{address} is a socket without a peer; it must be a connected one") from exc
    sock.set_inheritable(False)
    sock.setblocking(True)
    return sock


# What the system said, and what we make of it. The first rows say most: where one of several addresses refused and
# another could not be reached, it is the refusal that a person should hear of.
_SAYINGS: Final[dict[int, tuple[type[PorticoError], str]]] = {
    errno.ECONNREFUSED: (Refused, "nothing listens on {address}; check the port, or start the server"),
    errno.ETIMEDOUT: (Gone, "no answer from {address} within {timeout_s:g} s"),
    errno.ECONNRESET: (Gone, "{address} hung up before the connection stood"),
    errno.EACCES: (Refused, "{address} may not be used: permission denied"),
    errno.EPERM: (Refused, "{address} may not be used: permission denied"),
    errno.ENOENT: (Refused, "there is no socket {address}; check the path, or start the server"),
    errno.ENOTDIR: (Refused, "there is no socket {address}; check the path, or start the server"),
    errno.EPROTOTYPE: (Refused, "{address} is a socket for datagrams; only streams can be used here"),
    errno.EHOSTUNREACH: (Gone, "{address} cannot be reached; check the address and the network"),
    errno.ENETUNREACH: (Gone, "{address} cannot be reached; check the address and the network"),
    errno.EADDRNOTAVAIL: (Gone, "{address} cannot be reached; check the address and the network"),
    errno.EAFNOSUPPORT: (Gone, "{address} cannot be reached; check the address and the network"),
    errno.EMFILE: (Refused, "this process has too many files open to connect to {address}"),
}
_TELLING: Final = {code: rank for rank, code in enumerate(_SAYINGS)}


def explain(exc: OSError, address: Address, timeout_s: float) -> PorticoError:
    """Translate what the system said about a connection into what a person can do. timeout_s: what was allowed."""
    shown = str(address)
    if not shown.isprintable():
        shown = excerpt(shown)
    code = errno.ETIMEDOUT if isinstance(exc, TimeoutError) else exc.errno or 0
    kind, saying = _SAYINGS.get(code, (Gone, "cannot connect to {address}: {why}"))
    return kind(saying.format(address=shown, timeout_s=timeout_s, why=exc.strerror or exc))
