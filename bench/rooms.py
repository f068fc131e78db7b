"""Thousands of people in rooms: messages come in at a fixed rate, and each goes to everybody in its room.

The clients are bare sockets. A message carries its number and the time at which it was due, so that each delivery
tells how long it took, a late start of the load included; and at the end each must have reached its whole room, once.
"""

import re
import select
import socket
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.process import CLIENT_CORES, Running, on_cores
from bench.sample import NotServed
from bench.talk import BUFFER, dial
from bench.websocket import TEXT, frame_from_client, shake_hands

ROOMS = 50
MEMBERS = 40  # of each room
USERS = ROOMS * MEMBERS
RATE = 500  # messages a second, of all
QUIET_S = 2.0  # nothing comes for so long: everybody has what was there before
LATE_S = 5.0  # for what is still under way at the end
SAID = "你好，打印机坏了，哪位同事有空来看一下？ "
_MARK = re.compile(rb"#(\d{8})@(\d{19})#")
_LONGEST = 30  # bytes of a mark


@dataclass(frozen=True, slots=True)
class Seat:
    """How one client gets in and speaks.

    path: of the WebSocket; fields: of its handshake; hello: its first message, "" for none; answers: how often the
    server says `answer` until the client is in; write: makes a message of its number and a text.
    """

    path: str
    write: Callable[[int, str], str]
    fields: str = ""
    hello: str = ""
    answer: bytes = b""
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Talk:
    """One turn of load. delays: of each delivery, in ms, in order of size. lost, repeated: deliveries that should have
    been, or should not. memory: resident bytes of the server at its end."""

    seconds: float
    sent: int
    delays: Sequence[float]
    lost: int
    repeated: int
    cpu_s: float
    memory: int

    def share(self, part: float) -> float:
        """Return the delay in ms below which this part of the deliveries was."""
        return self.delays[min(len(self.delays) - 1, int(part * len(self.delays)))]

    @property
    def cpu_us(self) -> float:
        """Server's CPU time for each delivery."""
        return 1e6 * self.cpu_s / len(self.delays)


def in_words(talk: Talk) -> str:
    delays = ", ".join(f"p{100 * part:g} {talk.share(part):.1f}" for part in (0.5, 0.95, 0.99))
    rates = f"{talk.sent / talk.seconds:.0f} /s in, {len(talk.delays) / talk.seconds:.0f} /s out"
    faults = f"{talk.lost} lost, {talk.repeated} repeated"
    return f"{rates}, {delays} ms, {talk.cpu_us:.1f} us each, {talk.memory / 2**20:.0f} MiB, {faults}"


def take_seat(running: Running, number: int, seat: Seat) -> socket.socket:
    """Connect client `number` and have it let in. Raises NotServed where it is not."""
    connection = dial(running.port, number)
    shake_hands(connection, seat.path, running.port, seat.fields)
    if seat.hello:
        connection.sendall(frame_from_client(seat.hello.encode(), TEXT))
    answer = b""
    while answer.count(seat.answer) < seat.answers:
        piece = connection.recv(BUFFER)
        answer += piece
        if not piece:
            connection.close()
            raise NotServed(f"not let in: {answer!r:.200}")
    return connection


def hold(running: Running, seats: Sequence[Seat], turn: int, seconds: float, *, late_s: float = LATE_S) -> Talk:
    """Connect everybody, have them talk for so long, and wait for all of it to arrive, but not over `late_s`.

    turn: which one; messages are numbered through all of them. Raises NotServed when the server lets nobody in, hangs
    up, or delivers nothing.
    """
    with ExitStack() as stack:
        stack.enter_context(on_cores(CLIENT_CORES))
        audience = Audience(running, seats, turn * round(seconds * RATE), stack)
        return audience.talk(seconds, late_s)


class Audience:
    """All clients, connected. seats: USERS of them, those of a room one after the other. first: number of the first
    message."""

    def __init__(self, running: Running, seats: Sequence[Seat], first: int, stack: ExitStack) -> None:
        self._running = running
        self._seats = seats
        self._first = first
        self._connections = [stack.enter_context(take_seat(running, *numbered)) for numbered in enumerate(seats)]
        self._poll = stack.enter_context(select.epoll())
        self._receives: dict[int, Callable[[int], bytes]] = {}
        self._cut: dict[int, bytes] = {}  # marks of which only the beginning has come
        for connection in self._connections:
            connection.setblocking(False)
            self._receives[connection.fileno()] = connection.recv
            self._poll.register(connection, select.EPOLLIN)
        while found := self._poll.poll(QUIET_S):  # what was said in earlier turns, of which each is told
            for number, _ in found:
                self._receives[number](BUFFER)

    def talk(self, seconds: float, late_s: float) -> Talk:
        """Send messages for so long, and wait for all of them to arrive."""
        count = round(seconds * RATE)
        arrived = array("i", bytes(4 * count))
        delays: list[float] = []
        before, begin = self._running.cpu_s(), time.monotonic_ns()
        end = begin + round((seconds + late_s) * 1e9)
        sending, due, missing = self._send(count, begin), begin, count * MEMBERS
        while missing and (now := time.monotonic_ns()) < end:
            while due <= now:
                due = next(sending, end)
            for number, sent_at in self._receive(max(0, due - now)):
                delays.append((time.monotonic_ns() - sent_at) / 1e6)
                arrived[number - self._first] += 1
                missing -= arrived[number - self._first] <= MEMBERS
        used, took = self._running.cpu_s() - before, (time.monotonic_ns() - begin) / 1e9
        if not delays:
            raise NotServed("no message arrived")
        repeated = sum(max(0, times - MEMBERS) for times in arrived)
        return Talk(took, count, sorted(delays), missing, repeated, used, self._running.memory().resident)

    def _send(self, count: int, begin: int) -> Iterator[int]:
        """Send one message after the other; yield in front of each when it is due."""
        for turn in range(count):
            number, at = self._first + turn, begin + turn * 1_000_000_000 // RATE
            yield at
            sender = number * 7919 % len(self._seats)  # a prime: everybody's turn comes, and no room's twice in a row
            message = self._seats[sender].write(number, f"{SAID}#{number:08}@{at:019}#")
            self._connections[sender].sendall(frame_from_client(message.encode(), TEXT))

    def _receive(self, wait_ns: int) -> Iterator[tuple[int, int]]:
        """Yield the number and the time of each message that arrives."""
        for connection, _ in self._poll.poll(wait_ns / 1e9):
            data = self._receives[connection](BUFFER)
            if not data:
                raise NotServed("the server hung up")
            data = self._cut.pop(connection, b"") + data
            behind = 0
            for mark in _MARK.finditer(data):
                behind = mark.end()
                yield int(mark[1]), int(mark[2])
            begun = data.find(b"#", max(behind, len(data) - _LONGEST + 1))
            if begun >= 0:
                self._cut[connection] = data[begun:]
