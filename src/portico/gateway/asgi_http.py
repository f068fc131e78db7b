"""One HTTP exchange as an ASGI application sees it: `receive` and `send`, and what may follow what.

    send(http.response.start) -> the head is made and held
    send(http.response.body)  -> exchange.reply: head and body in one write, where it is the only piece
                              -> exchange.begin, write, flushed ... end, where more follow

In: messages (ASGI HTTP 2.5, extensions trailers, early_hint, pathsend, zerocopysend); out: calls on the exchange.
An application's mistakes are raised where it makes them, and nothing of them reaches the wire: TypeError for a message
of the wrong shape, RuntimeError at the wrong time, UsageError for a head that may not be sent. A peer that has gone
is ClientDisconnected.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from portico.errors import Gone
from portico.gateway.asgi_files import send_file, send_path
from portico.gateway.asgi_message import (
    DONE,
    ClientDisconnected,
    Message,
    Phase,
    bytes_of,
    step_of,
    text_pairs,
    value_of,
)
from portico.gateway.contract import Exchange
from portico.wire.answer import AnswerHead, AppHeads

_EXPECTED = (
    "http.response.start must come first",
    "a body must come next",
    "the body is not complete yet",
    "http.response.trailers must come next",
    "the answer is complete",
)


class HttpCycle:
    """The two callables of one exchange. phase: of the answer."""

    __slots__ = ("_headers", "_heads", "_is_read", "_is_told", "_trailers", "exchange", "has_trailers", "head", "phase")

    def __init__(self, exchange: Exchange, heads: AppHeads) -> None:
        self._heads = heads
        self._is_read = False  # the body has been handed out whole, or will never be whole
        self._is_told = False  # that the peer has gone
        self.exchange = exchange
        self.phase = Phase.START
        # The rest is set by `start`.
        self._headers: list[Any]
        self._trailers: list[tuple[str, str]]
        self.has_trailers: bool
        self.head: AnswerHead

    async def receive(self) -> Message:
        """Return the next piece of the body; after it `http.disconnect`, when the peer goes or the answer is over."""
        exchange = self.exchange
        if self._is_read or self.phase == Phase.OVER:
            if self.phase != Phase.OVER:
                await exchange.gone()
            return self._disconnect()
        try:
            data = exchange.take()
            if data is None:
                data = await exchange.read()
        except Gone:
            self._is_read = True
            return self._disconnect()
        self._is_read = exchange.is_body_complete
        return {"type": "http.request", "body": data, "more_body": not self._is_read}

    def _disconnect(self) -> Message:
        self._is_told = True
        return {"type": "http.disconnect"}

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message; the awaitable ends when the peer has room for more."""
        try:
            step = _STEPS[message["type"]]
        except (KeyError, TypeError):
            step = step_of(message, _STEPS)  # which knows what to say
        try:
            return step(self, message)
        except Gone as exc:
            raise ClientDisconnected(str(exc)) from exc

    def start(self, message: Message) -> Awaitable[None]:
        """Make the head and hold it, so that it can go out with the body, or be replaced by an error."""
        # A call costs as much as the rest of its line: here and in `body`, those that are rarely needed are asked for.
        if self.phase or self.exchange.status:
            self.expect(message, Phase.START)
        status = message.get("status")
        if status.__class__ is not int:
            status = value_of(message, "status", int)
        headers = message.get("headers", ())
        self._headers = headers if headers.__class__ is list else list(headers)
        self.head = self._heads.of_bytes(status, self._headers)
        self.has_trailers = bool(message.get("trailers", False))
        self.phase = Phase.BODY
        return DONE

    def body(self, message: Message) -> Awaitable[None]:
        """Send a piece of the body, which may be all of it."""
        data = message.get("body", b"")
        if data.__class__ is not bytes:
            data = bytes_of(message, "body")
        has_more = message.get("more_body", False)
        if has_more or self.phase != Phase.BODY or self.has_trailers:
            self.begin(message)
            self.exchange.write(data)
            return self.flushed() if has_more else self.end_body()
        if self.exchange.status:
            self.expect(message, Phase.BODY)
        self.exchange.reply(self.head, data)
        self.phase = Phase.OVER
        return DONE

    def trailers(self, message: Message) -> Awaitable[None]:
        """End with trailer fields, for a client that has said it wants them (RFC 9110 6.5.1)."""
        self.expect(message, Phase.TRAILERS)
        self._trailers += text_pairs(message)
        if not message.get("more_trailers", False):
            wanted = self.exchange.request.values.get("te", "").lower().split(",")
            is_wanted = "trailers" in [word.strip(" \t") for word in wanted]
            self.exchange.end(self._trailers if is_wanted else ())
            self.phase = Phase.OVER
        return DONE

    def early_hint(self, message: Message) -> Awaitable[None]:
        """Send a 103 with links (RFC 8297); one that comes behind the head comes too late and is left out."""
        if self.phase > Phase.MORE:
            self.expect(message, Phase.MORE)
        if self.phase < Phase.MORE:
            self.exchange.inform(103, [("link", bytes(link).decode("latin-1")) for link in message.get("links", ())])
        return DONE

    # for these steps and those of asgi_files

    def expect(self, message: Message, phase: int) -> None:
        """Raise RuntimeError unless the answer is in this phase, and Gone where somebody else has ended it."""
        if self.phase != phase:
            raise RuntimeError(f"{message['type']} was sent at the wrong time: {_EXPECTED[self.phase]}")
        # The peer may have gone, or the server has refused what it sent meanwhile.
        if self.exchange.status and phase < Phase.MORE:
            raise Gone("the exchange is over")

    def begin(self, message: Message) -> None:
        """See to it that the head goes out and pieces can follow."""
        if self.phase != Phase.MORE:
            self.expect(message, Phase.BODY)
            self.exchange.begin(self.head)
            self.phase = Phase.MORE

    async def flushed(self) -> None:
        """Wait until the peer has room for more."""
        try:
            await self.exchange.flushed()
        except Gone as exc:
            raise ClientDisconnected(str(exc)) from exc

    def end_body(self) -> Awaitable[None]:
        """End the answer, or the part of it that trailers follow."""
        if self.has_trailers:
            self._trailers = []
            self.phase = Phase.TRAILERS
        else:
            self.exchange.end()
            self.phase = Phase.OVER
        return DONE

    def measure(self, length: int) -> AnswerHead:
        """Return the head, with this Content-Length if the application gave none."""
        if self.head.length is None:
            self.head = self._heads.of_bytes(self.head.status, [*self._headers, (b"content-length", b"%d" % length)])
        return self.head

    def conclude(self) -> None:
        """Take note that the application has returned.

        Raises RuntimeError if its answer is not complete, unless it has been told that there is nobody left to answer.
        """
        if self.phase not in (Phase.START, Phase.OVER) and not (self._is_told or self.exchange.is_gone):
            raise RuntimeError(f"the application returned before its answer was complete: {_EXPECTED[self.phase]}")


_STEPS: dict[str, Callable[[HttpCycle, Message], Awaitable[None]]] = {
    "http.response.start": HttpCycle.start,
    "http.response.body": HttpCycle.body,
    "http.response.trailers": HttpCycle.trailers,
    "http.response.early_hint": HttpCycle.early_hint,
    "http.response.pathsend": send_path,
    "http.response.zerocopysend": send_file,
}
