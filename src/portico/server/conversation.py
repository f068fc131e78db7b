"""One connection to a stream service that is called once for it: a coroutine function on the loop, a plain one in a
thread.

    connection_made -> begin -> function(Stream)
      data_received -> Stream.put -> receive
      send -> write -> transport
    the function returned, or raised -> ServedConnection.ended
"""

import asyncio
from typing import TYPE_CHECKING

from portico.errors import Gone, PeerError
from portico.server.served import CUT, FAILED, ServedConnection
from portico.server.stream import MAX_UNREAD, BlockingStream, Stream

if TYPE_CHECKING:
    from portico.server.streams import StreamServer

_CANCELLED = (asyncio.CancelledError, GeneratorExit)


class Conversation(ServedConnection):
    """See the module. is_held: nothing is read for now, since the service has enough."""

    __slots__ = ("_stream", "is_held")

    def __init__(self, server: "StreamServer") -> None:
        super().__init__(server)
        self._stream = Stream(self, server.encoding)
        self.is_held = False

    def begin(self) -> None:
        """Call the service."""
        server = self.server
        if server.service.is_blocking:
            server.threads().submit(_Call(self, self._stream))
        else:
            server.tasks.start(self._run())

    async def _run(self) -> None:
        try:
            await self.server.service.function(self._stream)  # type: ignore[arg-type, call-arg, misc]
        except _CANCELLED as exc:
            self.finish(exc)
            raise
        except BaseException as exc:  # the root of a task; SystemExit would end the server
            self.finish(exc)
        else:
            self.ended()

    def finish(self, exc: BaseException | None) -> None:
        """End, in the way that the service did. exc: what it raised, if it did."""
        if exc is None:
            self.ended()
        elif isinstance(exc, PeerError):
            if not (self.is_lost or self.transport.is_closing() or self._is_output_ended):
                self.write(self._stream.encode(f"{exc}\n"))
            self.ended(str(exc))
        elif isinstance(exc, Gone):
            self.ended(str(exc))
        elif isinstance(exc, _CANCELLED):  # at the end of a drain
            self.cut(CUT)
            self.ended()
        else:
            self.server.report(exc, self.peer)
            self.ended(FAILED)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the service, and read no more than it takes."""
        self.moved_s = self.server.clock.now_s
        self.received += len(data)
        stream = self._stream
        stream.put(data)
        if stream.unread_bytes >= MAX_UNREAD and not self.is_held:
            self.is_held = True
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Read again: the service has caught up."""
        self.is_held = False
        self.transport.resume_reading()

    def resume_writing(self) -> None:
        """Let the service send on."""
        super().resume_writing()
        self._stream.give_room()

    def end_input(self) -> None:
        """Tell the service that nothing more will come."""
        self._stream.end_input()

    def stop(self, why: str) -> None:
        """Tell the service that the connection is no more."""
        self._stream.cut(why)


class _Call:
    """One call of a plain function, for a thread. queued_s: the pool's."""

    __slots__ = ("_conversation", "_stream", "queued_s")

    def __init__(self, conversation: Conversation, stream: Stream) -> None:
        self._conversation = conversation
        self._stream = stream
        self.queued_s = 0.0

    def run(self) -> None:
        """Call it, and tell the loop how it ended."""
        server, failure = self._conversation.server, None
        try:
            server.service.function(BlockingStream(self._stream, server.loop))  # type: ignore[arg-type, call-arg]
        except BaseException as exc:  # the root of a thread's work
            failure = exc
        server.threads().post(lambda: self._conversation.finish(failure))
