"""Fetch large answers: a client that reads as much at a time as there is."""

import selectors
import socket
import time

from bench.cases import Case
from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import Answered, NotServed

BUFFER = 1 << 20


class Downloader:
    """One connection that fetches the same file again and again, reading as much at a time as there is."""

    def __init__(self, running: Running, path: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        host = f"127.0.0.1:{running.port}"
        self.request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self.left = 0
        self.length = 0
        self.connection.sendall(self.request)

    def on_readable(self, buffer: memoryview) -> int:
        """Read once; return the payload bytes read. Raises NotServed when the server hangs up."""
        size = self.connection.recv_into(buffer)
        if not size:
            raise NotServed("closes the connection after each answer")
        if not self.left:
            head, _, _ = bytes(buffer[: min(size, 8192)]).partition(b"\r\n\r\n")
            self.length = self.left = content_length(head)
            size -= len(head) + 4
        self.left -= size
        if not self.left:
            self.connection.sendall(self.request)
        return size


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise NotServed("no Content-Length")


def download(case: Case, running: Running, seconds: float) -> Answered:
    """Fetch a file over several connections at once for some seconds; every byte is copied out of the kernel."""
    buffer = memoryview(bytearray(BUFFER))
    with on_cores(CLIENT_CORES), selectors.DefaultSelector() as selector:
        downloaders = [Downloader(running, running.server.prefix + case.path) for _ in range(case.connections)]
        for downloader in downloaders:
            selector.register(downloader.connection, selectors.EVENT_READ, downloader.on_readable)
        before = running.cpu_s()
        begin = now = time.monotonic()
        total = 0
        while now < begin + seconds:
            for key, _ in selector.select(10):
                total += key.data(buffer)
            now = time.monotonic()
        used = running.cpu_s() - before
        for downloader in downloaders:
            downloader.connection.close()
    return Answered(total / downloaders[0].length, now - begin, total, used)
