"""Connections that send the same bytes again each time they have their answer: uploads, and echoes of a WebSocket.

A turn costs the client two system calls and little else, so that its one core keeps any of the servers busy.
"""

import select
import socket
import time
from collections.abc import Iterable

from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import Answered, NotServed

BUFFER = 1 << 20
PER_ADDRESS = 500  # servers limit how many connections one address may hold
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET


def dial(port: int, number: int) -> socket.socket:
    """Connect to a server as client `number`, each `PER_ADDRESS` of them from an address of their own."""
    connection = socket.socket()
    connection.settimeout(20)
    connection.bind((f"127.0.1.{1 + number // PER_ADDRESS}", 0))
    connection.connect(("127.0.0.1", port))
    return connection


class Talker:
    """One connection. block: what it sends; answer_bytes: what comes back each time, to the byte."""

    __slots__ = ("answer_bytes", "block", "connection", "left", "unsent")

    def __init__(self, connection: socket.socket, block: bytes, answer_bytes: int) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.block = block
        self.answer_bytes = answer_bytes
        self.begin()

    def begin(self) -> None:
        """Send the block, as much of it as the kernel takes."""
        self.left = self.answer_bytes
        self.unsent = memoryview(self.block)
        self.push()

    def push(self) -> None:
        while self.unsent:
            try:
                self.unsent = self.unsent[self.connection.send(self.unsent) :]
            except BlockingIOError:
                return

    def turn(self, buffer: memoryview) -> int:
        """Send and receive what is possible, until the kernel has no more; return how many answers were completed.

        Raises NotServed when the server hangs up, or says more than it should.
        """
        if self.unsent:
            self.push()
        while True:
            try:
                size = self.connection.recv_into(buffer)
            except BlockingIOError:
                return 0
            if not size:
                raise NotServed("hangs up")
            self.left -= size
            if self.left <= 0:
                break
        if self.left:
            raise NotServed(f"an answer was {-self.left} bytes longer than the first one")
        self.begin()
        return 1  # nothing else can have come: the server had not been asked


def talk(running: Running, talkers: Iterable[Talker], seconds: float) -> Answered:
    """Keep all of them talking for some seconds."""
    buffer = memoryview(bytearray(BUFFER))
    with on_cores(CLIENT_CORES), select.epoll() as poll:
        turns = {}
        before = running.cpu_s()
        begin = now = time.monotonic()
        for talker in talkers:
            turns[talker.connection.fileno()] = talker.turn
            poll.register(talker.connection, _EDGES)
        done = 0
        while now < begin + seconds:
            for number, _ in poll.poll(10):
                done += turns[number](buffer)
            now = time.monotonic()
        used = running.cpu_s() - before
    if not done:
        raise NotServed(f"not one answer within {seconds:g} s")
    return Answered(done, now - begin, 0, used)
