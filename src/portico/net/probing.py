"""Noticing that a peer's machine has gone: nobody says so when a cable is pulled, or a router forgets a connection.

    SO_KEEPALIVE, TCP_KEEPIDLE, ...    probes on a silent connection (RFC 9293 section 3.8.4)
    TCP_USER_TIMEOUT                   data that nobody acknowledges (RFC 5482); Linux

A program that reads nothing while its machine answers counts as gone where what waits for it has found no room for so
long, so this is for services that let go of such peers in any case.
"""

import socket
from contextlib import suppress
from typing import Final

PROBES: Final = 3
LEAST_S: Final = PROBES + 1


def notice_loss(sock: socket.socket, within_s: int) -> None:
    """Have a TCP connection end once its peer has answered neither our probes nor our data for so long.

    within_s: LEAST_S or more. Nothing happens on other sockets, and where the system has none of it.
    """
    if sock.family == socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        return
    every_s = max(1, within_s // (2 * PROBES))
    options = (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", within_s - PROBES * every_s),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", every_s),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", within_s * 1000),
    )
    for level, name, value in options:
        if hasattr(socket, name):
            with suppress(OSError):  # the peer is gone already
                sock.setsockopt(level, getattr(socket, name), value)
