"""A door: a bound datagram socket, how datagrams come in through it, and how answers find out again.

    open_door(sock) -> Door
    Door.receive()  -> datagram, way       one system call; `way` is what an answer needs
    Door.peer_of(way)                      for the service and the log
    Door.send(answer, way)                 one system call

An answer must leave from the address that was asked, or the client, and every firewall between, takes it for a
stranger's. A socket bound to one address does that by itself. On a wildcard socket of a machine with several addresses
the kernel would choose by the route; there, and only there, since it costs, the address asked comes along with each
datagram (IP_PKTINFO, ip(7); IPV6_PKTINFO, RFC 3542 6) and goes back with the answer.
"""

import errno
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from portico.errors import UsageError
from portico.server.peer import Peer

# One byte more than the largest UDP datagram, so that a longer one of a unix socket shows that it was cut.
ROOM: Final = 65_536
# The largest payload over IPv4: 65 535 less the two heads (RFC 768, RFC 791).
MAX_ANSWER: Final = 65_507

_MAPPED: Final = "::ffff:"
_RECEIVE_BYTES: Final = 1 << 20
_TELLS_ASKED: Final = sys.platform == "linux"
# linux/in.h: interface index, our address on it, the address asked. Python names the option from 3.14 on.
_IP_PKTINFO: Final[int] = getattr(socket, "IP_PKTINFO", 8)
_INFO: Final = struct.Struct("=i4s4s")
# RFC 3542 6.1: address, interface index.
_INFO6: Final = struct.Struct("=16sI")
_LINK_LOCAL: Final = (b"\xfe\x80", b"\xfe\xbf")

# What was asked is no address to answer from: a broadcast, a group, or one that has gone since.
_NOT_OURS: Final = frozenset({errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL})

# What a system calls a socket address, alone or with the control message for its answer.
Way = Any
Control = list[tuple[int, int, bytes]]


class Door(NamedTuple):
    """See the module. receive: raises BlockingIOError where nothing waits; it and send raise OSError.

    way_to: the way to a peer that is to be written to unasked; raises UsageError for one that this socket cannot reach.
    """

    sock: socket.socket
    receive: Callable[[], tuple[bytes, Way]]
    send: Callable[[bytes, Way], int]
    peer_of: Callable[[Way], Peer]
    way_to: Callable[[Peer], Way]


def open_door(sock: socket.socket) -> Door:
    """Make a door of a bound, non-blocking datagram socket; whose it is, closes it.

    Raises UsageError for a socket of another kind.
    """
    if sock.type != socket.SOCK_DGRAM or sock.family not in _MAKERS:
        raise UsageError(f"{sock!r} is no socket for datagrams; bind one of type SOCK_DGRAM: IPv4, IPv6 or unix")
    with suppress(OSError):
        # A burst waits here while the loop is busy. The system takes what it allows (net.core.rmem_max).
        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(size, _RECEIVE_BYTES))
    return _MAKERS[sock.family](sock)


# IPv4


def _open_inet(sock: socket.socket) -> Door:
    make_peer: Callable[[Way], Peer] = partial(tuple.__new__, Peer)
    if sock.getsockname()[0] != "0.0.0.0" or not _TELLS_ASKED:
        return Door(sock, partial(sock.recvfrom, ROOM), sock.sendto, make_peer, _way_to)
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return _open_wildcard(sock, _control, make_peer, _way_to)


def _way_to(peer: Peer) -> Way:
    if ":" in peer.host:
        raise UsageError(f"{peer} is an IPv6 address, and the socket is for IPv4; send on another one")
    return tuple(peer)


def _control(level: int, kind: int, data: bytes) -> Control:
    """Turn what came with a datagram into what goes with its answer: our address, any interface."""
    if level != socket.IPPROTO_IP or kind != _IP_PKTINFO:
        return []
    _, own, _ = _INFO.unpack(data)
    return [(level, kind, _INFO.pack(0, own, bytes(4)))]


# IPv6, which on a dual-stack socket is IPv4 as well


def _open_inet6(sock: socket.socket) -> Door:
    is_dual = not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    way_to = partial(_way_to6, is_dual)
    if sock.getsockname()[0] != "::" or not _TELLS_ASKED:
        return Door(sock, partial(sock.recvfrom, ROOM), sock.sendto, _peer6, way_to)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    return _open_wildcard(sock, _control6, _peer6, way_to)


def _control6(level: int, kind: int, data: bytes) -> Control:
    if level != socket.IPPROTO_IPV6 or kind != socket.IPV6_PKTINFO:
        return []
    own, interface = _INFO6.unpack(data)
    # An interface binds the answer to it, which only a link-local address needs.
    is_local = _LINK_LOCAL[0] <= own[:2] <= _LINK_LOCAL[1]
    return [(level, kind, _INFO6.pack(own, interface if is_local else 0))]


def _peer6(name: tuple[str, int, int, int]) -> Peer:
    host, port, _, scope = name
    if host.startswith(_MAPPED) and ":" not in host[len(_MAPPED) :]:
        host = host[len(_MAPPED) :]
    elif scope:
        host = f"{host}%{_interface_name(scope)}"
    return Peer(host, port)


def _interface_name(scope: int) -> str:
    try:
        return socket.if_indextoname(scope)
    except OSError:  # it has gone since
        return str(scope)


def _way_to6(is_dual: bool, peer: Peer) -> Way:
    if ":" not in peer.host:
        if not is_dual:
            raise UsageError(f"{peer} is an IPv4 address, and the socket is for IPv6 alone; send on another one")
        return f"{_MAPPED}{peer.host}", peer.port, 0, 0
    host, _, zone = peer.host.partition("%")
    try:
        return host, peer.port, 0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone) if zone else 0
    except OSError as exc:
        raise UsageError(f"{peer}: this machine has no interface {zone}") from exc


# Wildcards


def _open_wildcard(
    sock: socket.socket,
    control_of: Callable[[int, int, bytes], Control],
    peer_of: Callable[[Way], Peer],
    way_to: Callable[[Peer], Way],
) -> Door:
    receive_message, send_message, send_plain = sock.recvmsg, sock.sendmsg, sock.sendto
    space = socket.CMSG_SPACE(_INFO6.size)

    def receive() -> tuple[bytes, Way]:
        data, messages, _, name = receive_message(ROOM, space)
        return data, (name, control_of(*messages[0]) if messages else [])

    def send(data: bytes, way: Way) -> int:
        name, control = way
        if control:
            try:
                return send_message((data,), control, 0, name)
            except OSError as exc:
                if exc.errno not in _NOT_OURS:
                    raise
        return send_plain(data, name)

    return Door(sock, receive, send, lambda way: peer_of(way[0]), lambda peer: (way_to(peer), []))


# Unix sockets

_UNIX_PEER: Final = Peer("unix", 0)


def _open_unix(sock: socket.socket) -> Door:
    return Door(sock, partial(sock.recvfrom, ROOM), _send_unix(sock), lambda way: _UNIX_PEER, _way_to_unix)


def _send_unix(sock: socket.socket) -> Callable[[bytes, Way], int]:
    def send(data: bytes, way: Way) -> int:
        if not way:
            raise OSError("the peer bound its socket to no address, so there is none to answer to")
        return sock.sendto(data, way)

    return send


def _way_to_unix(peer: Peer) -> Way:
    raise UsageError(f"{peer} cannot be reached through a unix socket; send on one of its kind")


_MAKERS: Final[dict[int, Callable[[socket.socket], Door]]] = {
    socket.AF_INET: _open_inet,
    socket.AF_INET6: _open_inet6,
    getattr(socket, "AF_UNIX", -1): _open_unix,
}
