import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from tests.gateway.fake import HANDSHAKE, FakeExchange, FakeWebSocket, request

from portico.errors import UsageError, WebSocketClosed
from portico.gateway.asgi_message import ClientDisconnected
from portico.gateway.asgi_websocket import WebSocketCycle
from portico.wire.answer import AppHeads

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}
TEXT = {"type": "websocket.send", "text": "hello"}
DENY = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x", b"y")]}
BODY = {"type": "websocket.http.response.body", "body": b"no"}


def disconnect(code: int, reason: str = "") -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


class Talk:
    """A cycle, the exchange and the WebSocket below it."""

    def __init__(self, *messages: str | bytes) -> None:
        self.websocket = FakeWebSocket(messages, WebSocketClosed(1001, "bye"))
        lines = (*HANDSHAKE, "Sec-WebSocket-Protocol: chat, soap")
        self.exchange = FakeExchange(request("/", *lines), websocket=self.websocket)
        self.cycle = WebSocketCycle(self.exchange, AppHeads())

    def send(self, *messages: Any) -> None:
        async def run() -> None:
            for message in messages:
                await self.cycle.send(message)

        asyncio.run(run())

    def receive(self, count: int) -> list[Any]:
        async def run() -> list[Any]:
            return [await self.cycle.receive() for _ in range(count)]

        return asyncio.run(run())


def test_what_an_application_receives() -> None:
    talk = Talk("text", b"bytes")
    assert talk.receive(1) == [CONNECT]
    talk.send(ACCEPT)
    assert talk.receive(4) == [
        {"type": "websocket.receive", "text": "text"},
        {"type": "websocket.receive", "bytes": b"bytes"},
        disconnect(1001, "bye"),
        disconnect(1001, "bye"),
    ]


# (messages, calls on the exchange, calls on the WebSocket)
DIALOGUES: list[tuple[tuple[Any, ...], list[object], list[object]]] = [
    ((ACCEPT,), [("upgrade", None)], []),
    (({**ACCEPT, "subprotocol": "soap"},), [("upgrade", "soap")], []),
    (({**ACCEPT, "headers": [(b"x", b"y")]},), [("upgrade", None, ("x", "y"))], []),
    ((ACCEPT, TEXT), [("upgrade", None)], ["hello"]),
    ((ACCEPT, {**TEXT, "bytes": None}), [("upgrade", None)], ["hello"]),
    ((ACCEPT, {**TEXT, "text": None, "bytes": b"x"}), [("upgrade", None)], [b"x"]),
    ((ACCEPT, {"type": "websocket.send", "bytes": b""}), [("upgrade", None)], [b""]),
    ((ACCEPT, CLOSE), [("upgrade", None)], [(1000, "")]),
    ((ACCEPT, {**CLOSE, "code": 4000, "reason": "why"}), [("upgrade", None)], [(4000, "why")]),
    ((ACCEPT, {**CLOSE, "code": 1001, "reason": None}), [("upgrade", None)], [(1001, "")]),
    ((CLOSE,), [("reply", 403, None, b"")], []),
    ((DENY, BODY), [("reply", 401, None, b"no")], []),
    ((DENY, {**BODY, "more_body": True}, BODY),
     [("begin", 401, None), ("write", b"no"), "flushed", ("write", b"no"), ("end",)], []),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "calls", "sent"), DIALOGUES)
def test_what_an_application_sends(messages: tuple[Any, ...], calls: list[object], sent: list[object]) -> None:
    talk = Talk()
    talk.send(*messages)
    assert (talk.exchange.calls, talk.websocket.calls) == (calls, sent)


# (messages of which the last is wrong, exception, what it says)
MISTAKES: list[tuple[tuple[Any, ...], type[Exception], str]] = [
    ((TEXT,), RuntimeError, "websocket.send was sent at the wrong time: websocket.accept must come first"),
    ((ACCEPT, ACCEPT), RuntimeError, "the handshake is answered already"),
    ((ACCEPT, DENY), RuntimeError, "the handshake is answered already"),
    ((CLOSE, ACCEPT), RuntimeError, "the handshake is answered already"),
    ((CLOSE, CLOSE), RuntimeError, "the handshake is answered already"),
    ((CLOSE, DENY), RuntimeError, "the handshake is answered already"),
    ((DENY, ACCEPT), RuntimeError, "the handshake is answered already"),
    ((BODY,), RuntimeError, "http.response.start must come first"),
    ((DENY, BODY, BODY), RuntimeError, "the answer is complete"),
    (({"type": "http.response.start", "status": 200},), RuntimeError, "no message of type 'http.response.start'"),
    (({},), TypeError, "a dict with a 'type'"),
    ((ACCEPT, {"type": "websocket.send"}), TypeError, "'bytes' of websocket.send is missing"),
    ((ACCEPT, {**TEXT, "text": b"x"}), TypeError, "'text' of websocket.send is of type bytes; it must be str"),
    ((ACCEPT, {"type": "websocket.send", "bytes": "x"}), TypeError, "'bytes' of websocket.send is of type str"),
    (({**ACCEPT, "subprotocol": "smtp"},), UsageError, "smtp was not offered"),
    (({**ACCEPT, "headers": [("x", "y")]},), TypeError, "pairs of bytes"),
    ((ACCEPT, {**CLOSE, "code": 99}), UsageError, "99 is no close code"),
    (({**DENY, "status": 99},), UsageError, "99"),
]


@pytest.mark.parametrize(("messages", "kind", "text"), MISTAKES)
def test_a_mistake_is_told_to_who_made_it(messages: tuple[Any, ...], kind: type[Exception], text: str) -> None:
    *good, bad = messages
    talk = Talk()
    talk.send(*good)
    before = list(talk.exchange.calls), list(talk.websocket.calls)
    with pytest.raises(kind, match=text):
        talk.send(bad)
    assert (talk.exchange.calls, talk.websocket.calls) == before


# (messages before the end, message behind it)
ENDED: list[tuple[Iterable[Any], Any]] = [((ACCEPT, CLOSE), TEXT), ((ACCEPT, CLOSE), CLOSE)]


@pytest.mark.parametrize(("before", "after"), ENDED)
def test_sending_behind_a_close_is_an_os_error(before: Iterable[Any], after: Any) -> None:
    talk = Talk()
    talk.send(*before)
    with pytest.raises(ClientDisconnected):
        talk.send(after)
    talk.receive(1)
    assert talk.receive(1) == [disconnect(1000)]


def test_sending_to_a_peer_that_closed_is_an_os_error() -> None:
    talk = Talk()
    talk.send(ACCEPT)
    assert talk.receive(2)[1] == disconnect(1001, "bye")
    for message in (TEXT, CLOSE):
        with pytest.raises(ClientDisconnected):
            talk.send(message)


async def _close_while_waiting(talk: Talk) -> None:
    await talk.cycle.send(ACCEPT)
    waiting = talk.cycle.send(TEXT)
    talk.websocket.is_closed = True
    await waiting


def test_a_peer_may_go_while_we_wait_for_it_to_read() -> None:
    with pytest.raises(ClientDisconnected):
        asyncio.run(_close_while_waiting(Talk()))


async def _leave_during_the_handshake(talk: Talk) -> Any:
    await talk.cycle.receive()
    waiting = asyncio.ensure_future(talk.cycle.receive())
    await asyncio.sleep(0)
    assert not waiting.done()
    talk.exchange.leave()
    return await waiting


def test_a_peer_may_go_during_the_handshake() -> None:
    talk = Talk()
    assert asyncio.run(_leave_during_the_handshake(talk)) == disconnect(1006)
    for message in (ACCEPT, CLOSE, DENY):
        with pytest.raises(ClientDisconnected):
            talk.send(message)


async def _accept_while_waiting(talk: Talk) -> Any:
    await talk.cycle.receive()
    waiting = asyncio.ensure_future(talk.cycle.receive())
    await asyncio.sleep(0)
    await talk.cycle.send(ACCEPT)
    return await waiting


def test_who_waits_for_a_message_may_have_begun_before_the_accept() -> None:
    expected = {"type": "websocket.receive", "text": "early"}
    assert asyncio.run(_accept_while_waiting(Talk("early"))) == expected


@pytest.mark.parametrize("messages", [(CLOSE,), (DENY, BODY)])
def test_a_handshake_that_is_refused_ends_without_one(messages: tuple[Any, ...]) -> None:
    talk = Talk()
    talk.send(*messages)
    assert talk.receive(2) == [CONNECT, disconnect(1006)]


# (messages, exception, calls on the WebSocket)
CONCLUSIONS: list[tuple[tuple[Any, ...], Exception | None, list[object]]] = [
    ((ACCEPT,), None, [(1000, "")]),
    ((ACCEPT,), ValueError(), [(1011, "")]),
    ((ACCEPT, CLOSE), None, [(1000, "")]),
    ((ACCEPT, CLOSE), ValueError(), [(1000, "")]),
    ((), None, []),
    ((), ValueError(), []),
    ((DENY, BODY), None, []),
    ((DENY,), ValueError(), []),
]


@pytest.mark.parametrize(("messages", "failure", "calls"), CONCLUSIONS)
def test_what_is_left_open_is_closed(messages: tuple[Any, ...], failure: Exception | None, calls: list[object]) -> None:
    talk = Talk()
    talk.send(*messages)
    talk.cycle.conclude(failure)
    assert talk.websocket.calls == calls


def test_half_a_denial_is_a_mistake() -> None:
    talk = Talk()
    talk.send(DENY)
    with pytest.raises(RuntimeError, match="returned before its answer was complete"):
        talk.cycle.conclude()
