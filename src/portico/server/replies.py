"""One connection to a quick stream service: each piece that arrives is answered at once, on the loop, with no task.

    data_received -> function(piece, peer) -> transport.write

How TCP cuts what a peer sends into pieces is nobody's choice, so this is for services to which it makes no difference.
While the peer does not take what it was sent, nothing more is read from it.
"""

from typing import TYPE_CHECKING, cast

from portico.errors import Gone, PeerError, UsageError
from portico.server.served import FAILED, ServedConnection

if TYPE_CHECKING:
    from portico.server.service import QuickFunction
    from portico.server.streams import StreamServer


class Replies(ServedConnection):
    """See the module."""

    __slots__ = ("_answer",)

    def __init__(self, server: "StreamServer") -> None:
        super().__init__(server)
        self._answer = cast("QuickFunction", server.service.function)

    def begin(self) -> None:
        """Wait for the first piece."""

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.moved_s = self.server.clock.now_s
        self.received += len(data)
        try:
            answer = self._answer(data, self.peer)
            if answer is not None and not isinstance(answer, bytes):
                raise UsageError(f"{self.server.service.name} returned {type(answer).__name__}, not bytes or None")
        except BaseException as exc:  # the root of a call; SystemExit would end the server
            self._fail(exc)
            return
        if answer:
            self.sent += len(answer)
            self.transport.write(answer)

    def _fail(self, exc: BaseException) -> None:
        if isinstance(exc, PeerError):
            self.write(f"{exc}\n".encode())
        if isinstance(exc, (PeerError, Gone)):
            self.ended(str(exc))
        else:
            self.server.report(exc, self.peer)
            self.ended(FAILED)

    def pause_writing(self) -> None:
        """Read nothing while the peer does not take."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        super().resume_writing()
        self.transport.resume_reading()

    def end_input(self) -> None:
        """End: everything has been answered."""
        if self.is_busy:
            self.ended()

    def stop(self, why: str) -> None:
        """Account for it."""
        self.ended(why)
