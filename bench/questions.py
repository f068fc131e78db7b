"""How to ask a server whether it is there: a function of its port that returns the beginning of the answer.

Each raises OSError where nobody answers, and returns b"" where somebody hangs up without a word.
"""

import socket
from collections.abc import Callable

Question = Callable[[int], bytes]
HOST = "127.0.0.1"


def over_tcp(port: int, request: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(4096)


def get(path: str) -> Question:
    """Ask over HTTP."""
    return lambda port: over_tcp(
        port, f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()
    )


def say_line(port: int) -> bytes:
    """Send a line over TCP: what echoes or greets answers it."""
    return over_tcp(port, b"?\n")


def send_datagram(port: int) -> bytes:
    """Ask for the time over UDP."""
    with socket.socket(type=socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.5)
        asker.connect((HOST, port))
        asker.send(b"%X")
        return asker.recv(4096)
