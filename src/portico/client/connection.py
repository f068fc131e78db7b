"""One connection to a server, and the exchange on it: a request goes out, a response comes in (RFC 9112).

    ask         send a head and a body, listen meanwhile; return the final head
    read        the next piece of the body
    copy_to     the whole rest of the body into a file, past the codec where its length is known

In: `Asked`, a Line. Out: a `StatusHead` and pieces. Invariants: a body that ends before its end is a Gone, never a
short answer; after any exception the connection is broken, and whoever holds it closes it.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from portico.client.body import EMPTY, Body
from portico.client.network import Line, Network
from portico.client.timeouts import Clock
from portico.errors import Gone, PeerError, Refused
from portico.settings import Limits
from portico.wire.events import BodyReceived, Event, MessageEnded, PeerFaulted, StatusHead, StatusReceived
from portico.wire.http1 import ClientCodec

if TYPE_CHECKING:
    from portico.client.route import Observer

# Below 128 KiB, from where the C library maps and unmaps pages for each object.
PIECE: Final = 64 * 1024
_COPIED_AT_ONCE: Final = 256 * 1024
_CONTINUE_S: Final = 1.0  # how long a server may think about Expect: 100-continue, as with curl
_JOINED: Final = 16 * 1024  # a body up to this size goes into one packet with its head
_LIMITS: Final = Limits(max_fields=1000)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it goes over the wire. target: as the request line has it."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    body: Body = EMPTY
    expects_continue: bool = False


class Connection:
    """A Line with a codec. One exchange at a time.

    is_reused: it has carried an exchange already. idle_since_s: when it was put aside, by the pool's clock.
    has_sent, has_heard: whether a byte of the current request has gone out, one of its response come in.
    """

    def __init__(self, line: Line, peer: str, *, network: Network, observer: "Observer | None" = None) -> None:
        self.line = line
        self._network = network
        self.peer = peer
        self.is_reused = False
        self.idle_since_s = 0.0
        self.has_sent = self.has_heard = False
        self._observer = observer
        self._codec = ClientCodec(_LIMITS)
        self._heads_told = 0
        self._begin()

    def _begin(self) -> None:
        self._head: StatusHead | None = None
        self._pieces: deque[bytes] = deque()
        self._is_complete = False
        self._is_cut = False  # the request was not sent to its end
        self._received = 0  # bytes of the body

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been read."""
        return self._is_complete and not self._pieces

    @property
    def can_serve(self) -> bool:
        """Whether it may carry another exchange: this one is over, and both sides have said all of it."""
        return self.is_complete and not self._is_cut and not self._codec.closing

    def is_dead(self) -> bool:
        """Tell whether an idle connection has ended, or said what nobody asked for."""
        return self.line.receive_now(1) is not None

    def close(self) -> None:
        """Close the connection."""
        self.line.close()

    # --- asking -----------------------------------------------------------------------------------

    async def ask(self, asked: Asked, clock: Clock) -> StatusHead:
        """Send a request, and wait for the head of its response; interim ones are skipped.

        Raises Gone, PeerError for a response that HTTP forbids, UsageError for a request that it does.
        """
        self._begin()
        self.has_sent = self.has_heard = False
        body = asked.body
        self._codec.send_request(asked.method, asked.target, asked.fields, body.length)
        head = b"".join(self._codec.outgoing())
        self._heads_told = 0
        if self._observer is not None:
            self._observer.sent(head)
        if body.length == 0:
            self._codec.send_end()
            await self._push(head, clock)
        else:
            await self._send(asked, head, clock)
        while self._head is None:
            await self._listen(clock)
        return self._head

    async def _send(self, asked: Asked, head: bytes, clock: Clock) -> None:
        """Send head and body, until a final response says that the rest is not wanted."""
        if asked.expects_continue:
            if not await self._push(head, clock) or not await self._may_continue(clock):
                return
            head = b""
        unsent = head
        # Closed at once where sending ends early: what it reads from is a file, as a rule.
        async with aclosing(asked.body.start(self._network)) as pieces:
            async for piece in pieces:
                self._codec.send_body(piece)
                if len(unsent) + len(piece) <= _JOINED:
                    unsent += b"".join(self._codec.outgoing())
                    continue
                if not await self._push_piece([unsent, *self._codec.outgoing()], clock):
                    return
                unsent = b""
        self._codec.send_end()
        await self._push(unsent + b"".join(self._codec.outgoing()), clock)

    async def _push_piece(self, parts: list[bytes | memoryview], clock: Clock) -> bool:
        """Send a piece of a body, and listen behind it; return False where a final response is there already."""
        for data in parts:
            if not await self._push(data, clock):
                return False
        self._hear_early()
        self._is_cut = self._head is not None
        return self._head is None

    async def _may_continue(self, clock: Clock) -> bool:
        """Wait a moment for a 100; tell whether the body is wanted, as it is where the server says nothing."""
        while not self._codec.heads and await self.line.is_heard(min(_CONTINUE_S, clock.read_s())):
            await self._listen(clock)
        if self._head is not None:
            self._is_cut = True
        return self._head is None

    async def _push(self, data: bytes | memoryview, clock: Clock) -> bool:
        """Send bytes, and listen meanwhile; return False where a final response is there already."""
        view = memoryview(data)
        while view:
            try:
                count = await self.line.push(view, clock.read_s())
            except Gone:
                # A server that refuses a body may close before all of it has come; what it said counts.
                self._hear_early()
                if self._head is None:
                    clock.check()
                    raise
                break
            self.has_sent = self.has_sent or count > 0
            view = view[count:]
            if view:
                self._hear_early()
                if self._head is not None:
                    break
        if view:
            self._is_cut = True
        return not view

    def _hear_early(self) -> None:
        data = self.line.receive_now(PIECE)
        if data is not None:
            self._take(data)

    # --- listening --------------------------------------------------------------------------------

    async def _listen(self, clock: Clock) -> None:
        """Wait for bytes, and understand them."""
        try:
            data = await self.line.receive(PIECE, clock.read_s())
        except Gone:
            clock.check()
            raise
        self._take(data)

    def _take(self, data: bytes) -> None:
        self.has_heard = self.has_heard or data != b""
        events = self._codec.feed(data) if data else self._codec.feed_eof()
        if self._observer is not None:
            heads = self._codec.heads
            for head in heads[self._heads_told :]:
                self._observer.received(head)
            self._heads_told = len(heads)
        for event in events:
            self._note(event, is_end=not data)
        if not data and not self._is_complete:
            raise Gone(self._ended_early())

    def _note(self, event: Event, *, is_end: bool) -> None:
        if isinstance(event, BodyReceived):
            self._received += len(event.data)
            self._pieces.append(event.data)
        elif isinstance(event, StatusReceived):
            self._note_head(event.head)
        elif isinstance(event, MessageEnded):
            self._is_complete = True
        elif isinstance(event, PeerFaulted) and not is_end and not self._is_complete:
            # Bytes behind a response that is complete spoil the connection, not the response.
            raise PeerError(502, f"{self.peer} sent a response that HTTP forbids: {event.reason}")

    def _note_head(self, head: StatusHead) -> None:
        if head.status == 101:
            raise PeerError(502, f"{self.peer} switches to another protocol, which nobody asked for")
        if head.status >= 200:
            self._head = head

    def _ended_early(self) -> str:
        """Say what is missing."""
        if self._head is None:
            return f"{self.peer} closed the connection without an answer"
        length = self._head.body_length
        if length is None:
            return f"{self.peer} closed the connection in the middle of the body, after {self._received} bytes"
        return f"{self.peer} closed the connection after {self._received} of {length} bytes of the body"

    # --- the body ---------------------------------------------------------------------------------

    async def read(self, clock: Clock) -> bytes:
        """Wait for the next piece of the body as it was sent; b"" at its end."""
        while not self._pieces:
            if self._is_complete:
                return b""
            await self._listen(clock)
        return self._pieces.popleft()

    async def copy_to(self, fd: int, clock: Clock, on_progress: Progress | None) -> int:
        """Write the rest of the body as it was sent to a file; return how many bytes that were.

        on_progress: hears of each piece how long it was. Raises Refused where the file cannot be written.
        """
        begun = self._received - sum(map(len, self._pieces))
        left = self._codec.take_body()
        while self._pieces or (not left and not self._is_complete):
            piece = await self.read(clock)
            if piece:
                await self._network.call(lambda: write_all(fd, piece))  # noqa: B023  # it is called at once
                _tell(on_progress, len(piece))
        if left:
            await self._copy(fd, left, clock, on_progress=on_progress)
        return self._received - begun

    async def _copy(self, fd: int, left: int, clock: Clock, *, on_progress: Progress | None) -> None:
        buffer = memoryview(bytearray(min(left, _COPIED_AT_ONCE)))
        while left:
            try:
                count = await self.line.receive_into(buffer[:left], clock.read_s())
            except Gone:
                clock.check()
                raise
            if not count:
                raise Gone(self._ended_early())
            await self._network.call(lambda: write_all(fd, buffer[:count]))  # noqa: B023  # it is called at once
            left -= count
            self._received += count
            _tell(on_progress, count)
        self._is_complete = True


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of it to a descriptor. Raises Refused in one line where that fails: a full disk, a closed pipe."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as exc:
        raise Refused(f"what arrives cannot be written: {(exc.strerror or str(exc)).lower()}") from exc


def _tell(on_progress: Progress | None, count: int) -> None:
    if on_progress is not None:
        on_progress(count)
