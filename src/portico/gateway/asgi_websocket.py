"""One WebSocket as an ASGI application sees it: connect, accept or deny, messages, close.

    receive: websocket.connect -> send: websocket.accept -> exchange.upgrade, then messages both ways
                                        websocket.close  -> 403
                                        websocket.http.response.* -> a refusal of the application's own making

In: messages (ASGI WebSocket 2.5); out: calls on the exchange and on its WebSocket. Mistakes are raised as in asgi_http.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from portico.errors import Gone, WebSocketClosed
from portico.gateway.asgi_http import HttpCycle
from portico.gateway.asgi_message import DONE, ClientDisconnected, Message, step_of, text_pairs, value_of
from portico.gateway.contract import Exchange, WebSocket
from portico.wire.answer import AppHeads

_NEVER: Final = (1006, "")  # no closing handshake, because there was no WebSocket
_NORMAL, _FAILED = 1000, 1011  # RFC 6455 7.4.1


class WebSocketCycle:
    """The two callables of one WebSocket."""

    __slots__ = ("_denial", "_end", "_heads", "_is_announced", "_websocket", "exchange")

    def __init__(self, exchange: Exchange, heads: AppHeads) -> None:
        self.exchange = exchange
        self._heads = heads
        self._is_announced = False  # websocket.connect has been received
        self._websocket: WebSocket | None = None  # set once it is accepted
        self._denial: HttpCycle | None = None  # set once it is refused
        self._end: tuple[int, str] | None = None  # code and reason, once it is closed

    async def receive(self) -> Message:
        """Return websocket.connect, then one message after the other, then websocket.disconnect."""
        if not self._is_announced:
            self._is_announced = True
            return {"type": "websocket.connect"}
        if self._end is None and self._websocket is None:
            await self.exchange.gone()  # which the end of the handshake ends too, whatever it is
        if self._end is None and self._websocket is not None:
            try:
                data = await self._websocket.receive()
            except WebSocketClosed as exc:
                self._end = self._end or (exc.code, exc.reason)
            else:
                return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}
        code, reason = self._end or _NEVER
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    def send(self, message: Message) -> Awaitable[None]:
        """Take a message; the awaitable ends when the peer has room for more."""
        try:
            return step_of(message, _STEPS)(self, message)
        except Gone as exc:
            raise ClientDisconnected(str(exc)) from exc

    def accept(self, message: Message) -> Awaitable[None]:
        """Complete the handshake."""
        self._expect_open_door(message)
        self._websocket = self.exchange.upgrade(message.get("subprotocol"), text_pairs(message))
        return DONE

    def talk(self, message: Message) -> Awaitable[None]:
        """Send text, or bytes where there is no text."""
        data = message.get("text")
        if data is None:
            data = value_of(message, "bytes", bytes)
        elif not isinstance(data, str):
            raise TypeError(f"'text' of websocket.send is of type {type(data).__name__}; it must be str")
        self._open_websocket(message).send(data)
        return self._flushed()

    def close(self, message: Message) -> Awaitable[None]:
        """Begin the closing handshake, or refuse the opening one with 403."""
        if self._websocket is None:
            self._expect_open_door(message)
            self._end = _NEVER
            self.exchange.reply(self._heads.of_bytes(403, ()), b"")
        else:
            code, reason = message.get("code") or _NORMAL, message.get("reason") or ""
            self._open_websocket(message).close(code, reason)
            self._end = code, reason
        return DONE

    def deny(self, message: Message) -> Awaitable[None]:
        """Refuse the handshake with an answer of the application's (extension websocket.http.response)."""
        if self._denial is None:
            self._expect_open_door(message)
            self._denial = HttpCycle(self.exchange, self._heads)
            self._end = _NEVER
        return self._denial.send({**message, "type": message["type"].removeprefix("websocket.")})

    def conclude(self, failure: BaseException | None = None) -> None:
        """Close what the application left open when it returned, or failed. Raises like HttpCycle.conclude."""
        if self._denial is not None and failure is None:
            self._denial.conclude()
        if self._websocket is not None and self._end is None:
            self._end = (_NORMAL if failure is None else _FAILED), ""
            self._websocket.close(self._end[0])

    def _expect_open_door(self, message: Message) -> None:
        if self._websocket is not None or self._end is not None:
            raise RuntimeError(f"{message['type']} was sent at the wrong time: the handshake is answered already")
        if self.exchange.status:
            raise Gone("the peer closed the connection")

    def _open_websocket(self, message: Message) -> WebSocket:
        if self._websocket is None:
            raise RuntimeError(f"{message['type']} was sent at the wrong time: websocket.accept must come first")
        if self._end is not None:
            raise Gone("the WebSocket is closed")
        return self._websocket

    async def _flushed(self) -> None:
        assert self._websocket is not None
        try:
            await self._websocket.flushed()
        except Gone as exc:
            raise ClientDisconnected(str(exc)) from exc


_STEPS: dict[str, Callable[[WebSocketCycle, Message], Awaitable[None]]] = {
    "websocket.accept": WebSocketCycle.accept,
    "websocket.send": WebSocketCycle.talk,
    "websocket.close": WebSocketCycle.close,
    "websocket.http.response.start": WebSocketCycle.deny,
    "websocket.http.response.body": WebSocketCycle.deny,
}
