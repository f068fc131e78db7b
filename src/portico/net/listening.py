"""Open the sockets a server listens on: `Address` in, bound non-blocking sockets out.

    tcp    SO_REUSEADDR, so that a restart never waits for TIME_WAIT; `*` and `[::]` are one dual-stack socket;
           `localhost` and other names listen on each of their addresses that this machine has, with one port
    udp    the same, bound only and without SO_REUSEADDR, which on Linux would let two servers share the port
    unix   a stale socket file is replaced if nobody answers on it; any other file stays and is an error
    fd     a listening socket, or a bound UDP one, inherited from systemd, a supervisor or a shell

What the system refuses becomes a ConfigError that says why, `PortTaken` where another program is in the way.
Invariant: a file is removed only if it is a socket that nobody answers on, or the very one that we made.
"""

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal

from portico.errors import ConfigError, UsageError
from portico.net.addresses import ALL_INTERFACES, Address, Kind
from portico.net.lan import own_addresses
from portico.net.ports import Holder, holder

# As many as Linux allows by default (net.core.somaxconn since 5.4); a system that allows fewer takes fewer.
BACKLOG: Final = 4096

# On Windows SO_REUSEADDR lets anyone take over a port in use, and TIME_WAIT does not hinder a restart.
_REUSE: Final[int] = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
_TYPES: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_KINDS: Final[dict[int, Literal["tcp", "udp"]]] = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
# What bind and socket say where this machine lacks the address, or lacks IPv6 as a whole.
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_TWIN_TRIES: Final = 16
_SHOWN_ADDRESSES: Final = 6

# Family and sockaddr, as getaddrinfo gives them; the second differs from family to family.
Endpoint = tuple[int, tuple[Any, ...]]


class PortTaken(ConfigError):
    """Another program listens on the port. port: its number. holder: who it is, None where that is not known."""

    def __init__(self, port: int, holder: Holder | None) -> None:
        super().__init__(f"{port} is used by {holder or 'another program'}")
        self.port = port
        self.holder = holder


def listen(address: Address, *, backlog: int = BACKLOG, mode: int | None = None) -> list[socket.socket]:
    """Open the sockets of one address; all of them, or none.

    backlog: how many connections may wait to be accepted. udp and fd have no use for it.
    mode: permissions of a socket file, as 0o660, in force before anyone can connect; None for those of the address.
    Returns one socket or more, non-blocking and not inheritable; the caller gives them to `close` in the end.
    Raises PortTaken, or ConfigError where this machine cannot listen there; UsageError for a mode without a file.
    """
    mode = address.mode if mode is None else mode
    if mode is not None and (address.kind != "unix" or address.path.startswith("@")):
        raise UsageError(f"{address} is no socket file, so it cannot have mode {mode:o}; write unix:PATH")
    if mode is not None and not 0 <= mode <= 0o777:
        raise UsageError(f"mode {mode:o} is not within 0 to 777")
    try:
        return _OPENERS[address.kind](address, backlog, mode)
    except (OSError, UnicodeError) as exc:
        raise explain(exc, address) from exc


def listen_free(address: Address, *, tries: int = 20, backlog: int = BACKLOG) -> list[socket.socket]:
    """Do what `listen` does, on the first port from `address.port` upwards that nobody uses.

    tries: how many ports, at least 1. Port 0, unix and fd are tried once.
    Raises PortTaken for the first port where all are taken; everything else that `listen` raises, at once.
    """
    first: OSError | None = None
    for port in range(address.port, min(address.port + tries, 65_536)) if address.port else (0,):
        candidate = address._replace(port=port)
        try:
            return _OPENERS[address.kind](candidate, backlog, candidate.mode)
        except (OSError, UnicodeError) as exc:
            if not isinstance(exc, OSError) or exc.errno != errno.EADDRINUSE:
                raise explain(exc, candidate) from exc
            first = first or exc
    if first is None:
        raise UsageError(f"{tries} tries are too few; allow 1 or more")
    raise explain(first, address) from first


def next_free(address: Address, *, tries: int = 20) -> int | None:
    """Return the first port above `address.port` that is free now, to be offered; None where `tries` are taken."""
    if address.port in (0, 65_535):
        return None
    try:
        sockets = listen_free(address._replace(port=address.port + 1), tries=tries)
    except PortTaken:
        return None
    port = address_of(sockets[0]).port
    close(sockets)
    return port


def close(sockets: Iterable[socket.socket]) -> None:
    """Close what `listen` opened and remove the socket file that it made; closed sockets are allowed.

    A file that has been replaced since, by whomever, stays; so does one made before a fork, in the child.
    """
    for sock in sockets:
        # While we still listen, no other server takes the file for a stale one.
        remove_file(sock)
        sock.close()


def remove_file(sock: socket.socket) -> None:
    """Remove the socket file that `listen` made, if there is one, and if it is still that one."""
    if isinstance(sock, _FileSocket) and sock.path:
        with _locked(sock.path):
            sock.remove_file()


def accept_waiting(sock: socket.socket) -> list[socket.socket]:
    """Accept every connection that waits in the kernel's queue of a listening socket, without waiting for others."""
    accepted: list[socket.socket] = []
    while True:
        try:
            peer, _ = sock.accept()
        except OSError as exc:
            # EAGAIN: there is none left. What went wrong with one connection says nothing of the next (accept(2)).
            if exc.errno in _ACCEPT_ERRORS:
                continue
            return accepted
        peer.setblocking(False)
        accepted.append(peer)


def pending_bytes(fd: int) -> int:
    """Return how many bytes wait in the kernel for the owner of a connected socket; 0 where that cannot be asked."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError):
        return 0


def address_of(sock: socket.socket) -> Address:
    """Return where an open socket is bound: for port 0 the port it got, for a dual-stack socket `*`."""
    name = sock.getsockname()
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return Address("unix", path="@" + os.fsdecode(name[1:]) if isinstance(name, bytes) else name)
    kind, host, port = _KINDS[sock.type], name[0], name[1]
    if sock.family == socket.AF_INET6:
        if host == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            host = ALL_INTERFACES
        elif name[3]:
            host = f"{host}%{socket.if_indextoname(name[3])}"
    return Address(kind, host=host, port=port)


# What accept(2) passes on from the network of the one connection that it took off the queue, where the system has it.
_ACCEPT_ERRORS: Final = frozenset(
    getattr(errno, name, errno.ECONNABORTED)
    for name in "ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH".split()
)

# TCP and UDP


def _open_inet(address: Address, backlog: int, mode: int | None) -> list[socket.socket]:
    endpoints = _endpoints(address)
    for _ in range(_TWIN_TRIES - 1):
        try:
            return bind_all(endpoints, _TYPES[address.kind], backlog)
        except OSError as exc:
            # The port that the system chose for 127.0.0.1 may be taken on ::1; it will choose another.
            if exc.errno != errno.EADDRINUSE or address.port:
                raise
    return bind_all(endpoints, _TYPES[address.kind], backlog)


def _endpoints(address: Address) -> list[Endpoint]:
    """Return every place to bind, in order, without repeats. Only a host name costs a look-up."""
    hosts = {
        "localhost": ("127.0.0.1", "::1"),
        ALL_INTERFACES: ("::",) if socket.has_dualstack_ipv6() else ("0.0.0.0",),
    }.get(address.host, (address.host,))
    kind = _TYPES[address.kind]
    found = [row for host in hosts for row in socket.getaddrinfo(host, address.port, type=kind)]
    return list(dict.fromkeys((int(family), sockaddr) for family, _, _, _, sockaddr in found))


def bind_all(endpoints: Sequence[Endpoint], kind: socket.SocketKind, backlog: int) -> list[socket.socket]:
    """Bind each endpoint that this machine has, all with the first one's port.

    endpoints: of one name, at least one. Raises OSError, with nothing left open, if one is taken or none is ours.
    """
    opened: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, (host, port, *scope) in endpoints:
            port = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(_bind(socket.socket(family, kind), (host, port, *scope), backlog))
            except OSError as exc:
                if exc.errno not in _ABSENT:
                    raise
                absent = exc
        if absent and not opened:
            raise absent
    except OSError:
        close(opened)
        raise
    return opened


def _bind(sock: socket.socket, name: tuple[Any, ...] | bytes, backlog: int) -> socket.socket:
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            # `::` means every interface and both families, as in `python -m http.server`.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if sock.type == socket.SOCK_STREAM and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, _REUSE, 1)
            # Linux hands it on to accepted connections: the end of an answer is never held back (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(name)
        if sock.type == socket.SOCK_STREAM:
            sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


# Socket files


class _FileSocket(socket.socket):
    """A listening socket that remembers the file it made."""

    path: str = ""  # absolute; "" before the file is made and after it is removed
    identity: tuple[int, ...] = ()
    maker: int = 0  # the process

    def remember_file(self, path: str) -> None:
        """Take the file at `path` for ours; called once, right after bind made it."""
        self.path, self.identity, self.maker = path, _identity(path), os.getpid()

    def remove_file(self) -> None:
        """Remove the file if it is still the one that bind made, and this the process that did."""
        path, self.path = self.path, ""
        with suppress(OSError):
            if path and self.maker == os.getpid() and _identity(path) == self.identity:
                os.unlink(path)


def _identity(path: str) -> tuple[int, ...]:
    # File systems give the number of a removed file to the next one, hence the time too.
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _open_unix(address: Address, backlog: int, mode: int | None) -> list[socket.socket]:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError(f"{address}: Python has no unix sockets on this system; write HOST:PORT")
    if address.path.startswith("@"):
        return [_bind(socket.socket(socket.AF_UNIX), b"\0" + os.fsencode(address.path[1:]), backlog)]
    path = os.path.abspath(address.path)
    with _locked(path):
        _remove_stale(path, address)
        sock = _FileSocket(socket.AF_UNIX)
        try:
            sock.setblocking(False)
            sock.bind(address.path)
            sock.remember_file(path)
            # Before listen: until then a connection is refused, so nobody slips in under the umask's mode.
            if mode is not None:
                os.chmod(path, mode)
            sock.listen(backlog)
        except OSError:
            sock.remove_file()
            sock.close()
            raise
    return [sock]


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Keep other servers from judging or making socket files in the folder of `path` meanwhile.

    Without it a server could bind between another's look and its removal. Held for a few system calls. A folder that
    cannot be opened or locked goes without.
    """
    import fcntl

    folder = -1
    with suppress(OSError):
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if folder >= 0:
            os.close(folder)


def _remove_stale(path: str, address: Address) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ConfigError(f"{address.path} exists and is not a socket; remove it or choose another path")
    if _answers(path):
        raise ConfigError(f"{address} is used by another program; stop it or choose another path")
    os.unlink(path)


def _answers(path: str) -> bool:
    # Only a refusal proves that nobody listens; a full backlog or a lack of permission does not.
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) != errno.ECONNREFUSED


# Inherited descriptors


class _InheritedSocket(socket.socket):
    """A listening socket that others hold too."""


def is_inherited(sock: socket.socket) -> bool:
    """Tell whether a socket that `listen` opened came from outside, so that others may accept on it after us."""
    return isinstance(sock, _InheritedSocket)


def _adopt(address: Address, backlog: int, mode: int | None) -> list[socket.socket]:
    try:
        sock = _InheritedSocket(fileno=address.number)
    except OSError as exc:
        raise ConfigError(f"{address} is not an open socket; it must be inherited from the starting process") from exc
    is_listening = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    is_bound = sock.type == socket.SOCK_DGRAM and sock.family != socket.AF_UNIX and sock.getsockname()[1]
    if not (is_listening or is_bound):
        kind = sock.type
        sock.detach()  # it is not ours to close
        if kind == socket.SOCK_DGRAM:
            raise ConfigError(f"{address} is a socket for datagrams, but not UDP bound to a port, which it must be")
        raise ConfigError(f"{address} is a socket that does not listen for connections; it must be a listening one")
    sock.setblocking(False)
    sock.set_inheritable(False)
    return [sock]


def _refuse_tls(address: Address, backlog: int, mode: int | None) -> list[socket.socket]:
    raise UsageError(f"{address}: TLS is for connecting to a server; write HOST:PORT to listen")


_OPENERS: Final[dict[Kind, Callable[[Address, int, int | None], list[socket.socket]]]] = {
    "tcp": _open_inet,
    "tls": _refuse_tls,
    "udp": _open_inet,
    "unix": _open_unix,
    "fd": _adopt,
}

# What the system said, and what we make of it.


def explain(exc: OSError | UnicodeError, address: Address) -> ConfigError:
    """Translate what the system said about an address into what the operator can do."""
    code = exc.errno if isinstance(exc, OSError) else None
    if isinstance(exc, (socket.gaierror, UnicodeError)):
        return ConfigError(f"{address.host} is not a name that this machine can look up; write an address")
    if code == errno.EADDRINUSE and address.kind in ("tcp", "udp"):
        return PortTaken(address.port, holder(address.port, "udp" if address.kind == "udp" else "tcp"))
    if code == errno.EADDRINUSE:
        return ConfigError(f"{address} is used by another program; stop it or choose another name")
    if code == errno.EADDRNOTAVAIL:
        own = ", ".join(own_addresses()[:_SHOWN_ADDRESSES])
        return ConfigError(f"{address.host} is not an address of this machine; it has {own}")
    if code == errno.EAFNOSUPPORT:
        return ConfigError(f"{address.host} cannot be used, this machine has no IPv6; write an IPv4 address")
    if code == errno.EACCES and address.kind in ("tcp", "udp"):
        return ConfigError(f"port {address.port} needs privileges; choose one from 1024 up")
    return ConfigError(f"cannot listen on {address}: {(exc.strerror if code else str(exc)) or exc}")
