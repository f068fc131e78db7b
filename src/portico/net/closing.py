"""Stop listening without losing anyone: refuse who comes, keep who is in the queue.

`close` resets the connections that the kernel has accepted for us and that we have not. Between the last look into the
queue and the close one more may arrive, and its client was told that it is connected. So first `refuse_new`, then
`accept_waiting` until the queue is empty, then `close`.

    tcp    a filter (socket(7), SO_ATTACH_FILTER) that drops each SYN; to the client it is a lost packet, which is sent
           again after a second and finds the port closed, or the next server on it
    unix   the file is removed: nobody finds the socket any more

Sockets that somebody else holds as well, systemd or a supervisor, are left as they are: whoever is next there will
serve the queue. Where the system has no filters nothing is done, and the gap stays as wide as it was; so it does for a
unix socket without a file.
"""

import socket
import struct
import sys
from array import array
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from portico.net.listening import is_inherited, remove_file

# How long a handshake that had begun may take to end in the queue: most round trips of the world are shorter.
HANDSHAKE_S: Final = 0.2

_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; the socket module does not have it
_FLAGS_OFFSET: Final = 13  # RFC 9293 section 3.1; a TCP socket's filter sees a segment from its header on
_SYN: Final = 0x02
# Instructions of linux/filter.h: code, jump if true, jump if false, operand.
_DROP_SYN: Final = (
    (0x30, 0, 0, _FLAGS_OFFSET),  # load byte
    (0x45, 0, 1, _SYN),  # is any of these bits set?
    (0x06, 0, 0, 0),  # then let nothing through
    (0x06, 0, 0, 0xFFFF_FFFF),  # else everything
)


def refuse_new(sockets: Iterable[socket.socket]) -> float:
    """Let nobody new into the queues of these listening sockets; who is in them can be accepted as before.

    Returns for how many seconds someone whose handshake had begun may still come: 0 where none crosses a network.
    """
    ours = [sock for sock in sockets if sock.fileno() >= 0 and not is_inherited(sock)]
    for sock in ours:
        with suppress(OSError):  # a kernel without filters; see above
            _refuse(sock)
    return HANDSHAKE_S if any(map(_is_on_a_network, ours)) else 0.0


def _is_on_a_network(sock: socket.socket) -> bool:
    return (
        sock.type == socket.SOCK_STREAM
        and sock.family != socket.AF_UNIX
        and not ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback
    )


def _refuse(sock: socket.socket) -> None:
    remove_file(sock)
    is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
    if is_tcp and sys.platform == "linux":
        code = array("B", b"".join(struct.pack("HBBI", *row) for row in _DROP_SYN))
        address, _ = code.buffer_info()
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_DROP_SYN), address))
