"""A scripted server on loopback: what it answers is written down before, what it was asked is kept.

Each connection has a script: a list of answers, one a request. An answer is bytes, sent once the request has come
whole; or a function of the connection and the request, for whatever else. Behind the last one the server closes,
unless it is HOLD.
"""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

Act = Callable[[socket.socket, bytes], object]
PATIENCE_S = 10.0


class AtHead(NamedTuple):
    """An act that begins as soon as the head is there, whatever body follows."""

    act: Act


Answer = bytes | Act | AtHead


def HOLD(sock: socket.socket, request: bytes) -> None:
    """Keep the connection, and say nothing, until the client leaves."""
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def okay(body: bytes = b"hello", *lines: str) -> bytes:
    """Write a response of known length."""
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines))
    return head.encode("latin-1") + b"\r\n" + body


def redirect(location: str, status: int = 302, *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} x", f"Location: {location}", *lines))
    return head.encode("latin-1") + b"Content-Length: 0\r\n\r\n"


class Server:
    """Answers by its scripts, one a connection, in the order they arrive; the last script is for all that follow.

    asked: each request as it came, head and body. connections: how many there were.
    """

    def __init__(self, *scripts: list[Answer], tls: ssl.SSLContext | None = None, path: str = "") -> None:
        self.asked: list[bytes] = []
        self.connections = 0
        self._scripts = list(scripts)
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listening.bind(path or ("127.0.0.1", 0))
        self._listening.listen(100)
        self.port: int = 0 if path else self._listening.getsockname()[1]
        self.authority = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.authority}"

    def heads(self) -> list[list[str]]:
        """The lines of each head that came."""
        return [request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n") for request in self.asked]

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, script))
            thread.start()
            self._threads.append(thread)

    def _serve(self, sock: socket.socket, script: list[Answer]) -> None:
        sock.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError, ValueError):  # of TLS on a socket that is shut down
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            self._answer(sock, script)
        sock.close()

    def _answer(self, sock: socket.socket, script: list[Answer]) -> None:
        buffer = b""
        for answer in script:
            receive = receive_head if isinstance(answer, AtHead) else receive_request
            request, buffer = receive(sock, buffer)
            if not request:
                return
            self.asked.append(request)
            if isinstance(answer, bytes):
                sock.sendall(answer)
            elif isinstance(answer, AtHead):
                answer.act(sock, request)
            else:
                answer(sock, request)
        if isinstance(sock, ssl.SSLSocket):
            sock.unwrap()

    def stop(self) -> None:
        """Accept nothing more."""
        # A thread inside accept would keep the listening socket alive; shutdown wakes it.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def close(self) -> None:
        """End every connection, and wait for all scripts. Nothing is accepted any more by then."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # in TLS, too, without taking that off
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for sock in self._sockets:
            sock.close()


@contextlib.contextmanager
def serving(*scripts: list[Answer], tls: ssl.SSLContext | None = None, path: str = "") -> Iterator[Server]:
    """Run a server as long as the block."""
    server = Server(*scripts, tls=tls, path=path)
    thread = threading.Thread(target=server.accept)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(PATIENCE_S)
        server.close()


def receive_head(sock: socket.socket, buffer: bytes = b"") -> tuple[bytes, bytes]:
    """Receive up to the empty line; return that, and what came behind it. b"" where the client left."""
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data:
            return b"", b""
        buffer += data
    head, _, rest = buffer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def receive_request(sock: socket.socket, buffer: bytes) -> tuple[bytes, bytes]:
    """Receive a whole request, unless it waits for a 100; return it, and what came behind it."""
    head, rest = receive_head(sock, buffer)
    if b"\r\nExpect:" in head:
        return head, rest
    body, rest = receive_body(sock, head, rest)
    return head + body, rest


def receive_body(sock: socket.socket, head: bytes, rest: bytes = b"") -> tuple[bytes, bytes]:
    """Receive the body that a head announces; chunks stay as they came."""
    match = re.search(rb"\r\nContent-Length: ([0-9]+)", head)
    is_chunked = b"\r\nTransfer-Encoding: chunked" in head
    length = int(match[1]) if match else 0
    while (not rest.endswith(b"0\r\n\r\n")) if is_chunked else len(rest) < length:
        data = sock.recv(65536)
        if not data:
            break
        rest += data
    return (rest, b"") if is_chunked else (rest[:length], rest[length:])
