"""Find the places behind a host's name, within a deadline: a name in, endpoints out, in the order to try them.

The system's own look-up (getaddrinfo) cannot be interrupted, so it runs in a daemon thread, which is left to itself
when the time is over. What needs no look-up needs no thread: literal addresses, `localhost` and the names below it
(RFC 6761 section 6.3), and names that can never exist (section 6.4). `*` is this machine, seen from a client.
"""

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from portico.errors import Gone, PorticoError, Refused, excerpt

# IPv4 first: what listens on one address of this machine alone nearly always listens on that one.
_LOOPBACKS: Final = ("127.0.0.1", "::1")
# glibc names the reasons differently from other systems: no such name, and a name without addresses.
_UNKNOWN: Final = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
)


class Endpoint(NamedTuple):
    """Where a socket connects to. family: AF_INET, AF_INET6 or AF_UNIX. name: what `socket.connect` takes for it."""

    family: int
    name: Any


LookUp = Callable[[str, int], list[tuple[Any, Any, Any, Any, Any]]]
_Answer = list[Endpoint] | PorticoError


def look_up(host: str, port: int) -> list[tuple[Any, Any, Any, Any, Any]]:
    """Ask the system, for as long as it takes. Raises OSError or UnicodeError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def resolve(host: str, port: int, *, timeout_s: float, look_up: LookUp = look_up) -> list[Endpoint]:
    """Find the endpoints of a host.

    host: a name, an address without brackets, or "*". timeout_s: for a look-up, more than 0.
    look_up: what asks the system.
    Returns one or more, each once. Raises Refused for a name that nobody has, Gone where there is no answer in time.
    """
    known = _without_look_up(host, port)
    if known is not None:
        return known
    import queue

    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    _ask(host, port, look_up, answers.put)
    try:
        return _taken(answers.get(timeout=timeout_s))
    except queue.Empty:
        raise late(host, timeout_s) from None


async def resolve_async(host: str, port: int, *, timeout_s: float, look_up: LookUp = look_up) -> list[Endpoint]:
    """Do what `resolve` does on a running event loop."""
    known = _without_look_up(host, port)
    if known is not None:
        return known
    import asyncio

    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_Answer] = loop.create_future()

    def take(found: _Answer) -> None:
        if not answer.done():
            answer.set_result(found)

    def deliver(found: _Answer) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(take, found)

    _ask(host, port, look_up, deliver)
    try:
        return _taken(await asyncio.wait_for(answer, timeout_s))
    except TimeoutError:
        raise late(host, timeout_s) from None


def late(host: str, timeout_s: float) -> Gone:
    """Return the error for a name whose look-up took longer than `timeout_s`."""
    return Gone(f"no answer within {timeout_s:g} s to the question where {host} is; check the network")


def _without_look_up(host: str, port: int) -> list[Endpoint] | None:
    name = host.lower().removesuffix(".")
    if name == "*" or name.rpartition(".")[2] == "localhost":
        return [endpoint for address in _LOOPBACKS for endpoint in _literal(address, port)]
    if name.rpartition(".")[2] == "invalid":
        raise _unknown(host)
    return _literal(host, port) if ":" in host or not host.strip("0123456789.") else None


def _literal(host: str, port: int) -> list[Endpoint]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError as exc:  # an interface that this machine does not have, as in fe80::1%eth7
        raise Refused(f"{excerpt(host)} is not an address that this machine can reach") from exc
    return _endpoints(rows)


def _endpoints(rows: Iterable[tuple[Any, Any, Any, Any, Any]]) -> list[Endpoint]:
    return list(dict.fromkeys(Endpoint(int(family), name) for family, _, _, _, name in rows))


def _ask(host: str, port: int, look_up: LookUp, deliver: Callable[[_Answer], None]) -> None:
    import threading

    def run() -> None:
        try:
            deliver(_endpoints(look_up(host, port)) or _unknown(host))
        except (OSError, UnicodeError) as exc:
            deliver(_explained(exc, host))

    threading.Thread(target=run, name="portico-look-up", daemon=True).start()


def _taken(answer: _Answer) -> list[Endpoint]:
    if isinstance(answer, PorticoError):
        raise answer
    return answer


def _explained(exc: OSError | UnicodeError, host: str) -> PorticoError:
    # A label that IDNA refuses (RFC 3490 section 4.1) is no name either.
    error = _unknown(host)
    if isinstance(exc, OSError) and exc.errno not in _UNKNOWN:
        error = Gone(f"{host} cannot be looked up now ({exc.strerror or exc}); check the network")
    error.__cause__ = exc
    return error


def _unknown(host: str) -> PorticoError:
    return Refused(f"there is no host called {excerpt(host)}; check the spelling")
