"""Pipes and files to a peer and back: exact bytes, both ways at once, in bounded memory.

In: a Talk, two descriptors. Out: the end: the peer has ended its side, and with `is_kept` our input has ended too. A
thread carries our input, so that neither direction ever waits for the other.
"""

import os
import select
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from portico.cli.talks import PIECE, Talk
from portico.cli.views import View
from portico.errors import PorticoError

# Over UDP nobody ends anything: after our input we listen for so long, unless an option says otherwise.
DATAGRAM_WAIT_S: Final = 1.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Manner:
    """How we speak, and how long we stay.

    has_crlf: our lines end with CRLF. wait_s: so long a silence after our input ends it all, None for the peer's end
    alone. is_kept: after the peer's end our input is still carried to its own.
    """

    has_crlf: bool = False
    wait_s: float | None = None
    is_kept: bool = False


class LineEnds:
    """Turns line feeds into the two bytes that old protocols want; those that have them keep them."""

    def __init__(self) -> None:
        self._has_return = False

    def __call__(self, data: bytes) -> bytes:
        """Return a piece with its line ends, which may be cut anywhere."""
        is_cut = self._has_return and data.startswith(b"\n")
        self._has_return = data.endswith(b"\r")
        rest = data[1:] if is_cut else data
        return (b"\n" if is_cut else b"") + rest.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Passing:
    """One conversation between a peer and two descriptors. view: shows it as text; None passes on what it is."""

    def __init__(
        self, talk: Talk, manner: Manner, *, view: View | None = None, source: int = 0, target: int = 1
    ) -> None:
        self._talk = talk
        self._manner = manner
        self._view = view
        self._source = source
        self._target = target
        self._ends = LineEnds() if manner.has_crlf else None
        self._wait_s = DATAGRAM_WAIT_S if manner.wait_s is None and talk.is_datagrams else manner.wait_s
        self._turn = threading.Lock()
        self._has_ended = threading.Event()  # our input
        self._lost: PorticoError | None = None
        self._last_s = time.monotonic()

    def run(self) -> None:
        """Carry both ways until the end. Raises Refused or Gone where the connection is lost before it."""
        stop, stopped = os.pipe()
        carrier = threading.Thread(target=self._carry, args=(stop,), name="portico-input")
        carrier.start()
        try:
            with suppress(BrokenPipeError):  # whoever reads our output has had enough
                self._receive_all()
            if self._manner.is_kept:
                self._has_ended.wait()
                if self._lost:
                    raise self._lost
        finally:
            self._talk.abort()
            os.close(stopped)
            carrier.join()
            os.close(stop)

    def _receive_all(self) -> None:
        while self._is_worth_waiting():
            data = self._talk.receive()
            if data is None:
                break
            self._last_s = time.monotonic()
            self._write(self._view.received(data).encode() if self._view else data)
        self._write(self._view.rest().encode() if self._view else b"")

    def _is_worth_waiting(self) -> bool:
        """Wait until something can be received; False where the silence has lasted long enough."""
        if self._wait_s is None:
            return True
        while not self._talk.is_heard(_LOOK_S):
            if self._lost:
                raise self._lost
            if self._has_ended.is_set() and time.monotonic() - self._last_s > self._wait_s:
                return False
        return True

    def _carry(self, stop: int) -> None:
        try:
            self._carry_all(stop)
        except PorticoError as exc:
            self._lost = exc
        finally:
            self._talk.end()
            self._last_s = time.monotonic()
            self._has_ended.set()

    def _carry_all(self, stop: int) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(stop, select.POLLHUP)
        # Over UDP an input without anything in it is a question too: an empty datagram.
        is_owed = self._talk.is_datagrams
        while not any(fd == stop for fd, _ in poll.poll()):
            data = _read(self._source)
            if not data and not is_owed:
                return
            if self._ends:
                data = self._ends(data)
            if self._view:
                self._write(self._view.sent(data).encode())
            self._talk.send(data)
            if not data:
                return
            is_owed = False

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        with self._turn:
            while left:
                try:
                    left = left[os.write(self._target, left) :]
                except BlockingIOError:  # whoever gave us the descriptor made it non-blocking
                    select.select([], [self._target], [])


def _read(source: int) -> bytes:
    try:
        return os.read(source, PIECE)
    except OSError:  # it is closed, or the terminal has hung up
        return b""
