import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.gateway.fake import FakeExchange, request

from portico.errors import UsageError
from portico.gateway.asgi_http import HttpCycle
from portico.gateway.asgi_message import ClientDisconnected
from portico.wire.answer import AppHeads

START = {"type": "http.response.start", "status": 200}
TRAILED = {**START, "trailers": True}
LAST = {"type": "http.response.body", "body": b"last"}
MORE = {"type": "http.response.body", "body": b"more", "more_body": True}
EMPTY = {"type": "http.response.body"}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
HINT = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
LENGTH_4 = [(b"content-length", b"4")]
INFORMED = ("inform", 103, ("link", "</a.css>; rel=preload"))


def sized(length: int) -> dict[str, Any]:
    return {**START, "headers": [(b"content-length", b"%d" % length)]}


async def act(cycle: HttpCycle, *messages: Any) -> None:
    for message in messages:
        await cycle.send(message)


def acted(*messages: Any, lines: tuple[str, ...] = ()) -> list[object]:
    exchange = FakeExchange(request("/", *lines))
    asyncio.run(act(HttpCycle(exchange, AppHeads()), *messages))
    return exchange.calls


# (messages, what becomes of them)
ANSWERS: list[tuple[tuple[Any, ...], list[object]]] = [
    ((START, LAST), [("reply", 200, None, b"last")]),
    ((START, EMPTY), [("reply", 200, None, b"")]),
    ((sized(4), LAST), [("reply", 200, 4, b"last")]),
    (({**START, "headers": iter(LENGTH_4)}, LAST), [("reply", 200, 4, b"last")]),
    (({**START, "headers": [[b"content-length", b"4"]]}, LAST), [("reply", 200, 4, b"last")]),
    ((START, {**LAST, "body": bytearray(b"last")}), [("reply", 200, None, b"last")]),
    ((START, MORE, LAST), [("begin", 200, None), ("write", b"more"), "flushed", ("write", b"last"), ("end",)]),
    ((START, MORE, EMPTY), [("begin", 200, None), ("write", b"more"), "flushed", ("write", b""), ("end",)]),
    ((TRAILED, LAST, TRAILERS), [("begin", 200, None), ("write", b"last"), ("end",)]),
    ((HINT, START, HINT, LAST), [INFORMED, INFORMED, ("reply", 200, None, b"last")]),
    ((START, MORE, HINT, EMPTY), [("begin", 200, None), ("write", b"more"), "flushed", ("write", b""), ("end",)]),
]


@pytest.mark.parametrize(("messages", "calls"), ANSWERS)
def test_answers(messages: tuple[Any, ...], calls: list[object]) -> None:
    assert acted(*messages) == calls


@pytest.mark.parametrize(
    ("te", "is_wanted"), [("trailers", True), ("gzip;q=0.5, Trailers", True), ("x-trailers", False)]
)
def test_trailers_are_for_those_who_want_them(te: str, is_wanted: bool) -> None:
    second = {**TRAILERS, "headers": [(b"x-more", b"2")]}
    calls = acted(TRAILED, LAST, {**TRAILERS, "more_trailers": True}, second, lines=(f"TE: {te}", "Connection: TE"))
    assert calls[-1] == (("end", ("x-sum", "1"), ("x-more", "2")) if is_wanted else ("end",))


# (messages of which the last is wrong, exception, what it says)
MISTAKES: list[tuple[tuple[Any, ...], type[Exception], str]] = [
    ((LAST,), RuntimeError, "body was sent at the wrong time: http.response.start must come first"),
    ((MORE,), RuntimeError, "http.response.start must come first"),
    ((TRAILERS,), RuntimeError, "http.response.start must come first"),
    ((START, START), RuntimeError, "start was sent at the wrong time: a body must come next"),
    ((START, TRAILERS), RuntimeError, "a body must come next"),
    ((START, MORE, START), RuntimeError, "the body is not complete yet"),
    ((START, MORE, TRAILERS), RuntimeError, "the body is not complete yet"),
    ((START, LAST, LAST), RuntimeError, "the answer is complete"),
    ((START, LAST, MORE), RuntimeError, "the answer is complete"),
    ((START, LAST, START), RuntimeError, "the answer is complete"),
    ((START, LAST, HINT), RuntimeError, "the answer is complete"),
    ((TRAILED, LAST, LAST), RuntimeError, "http.response.trailers must come next"),
    ((TRAILED, LAST, TRAILERS, TRAILERS), RuntimeError, "the answer is complete"),
    (({"type": "http.response.push"},), RuntimeError, "no message of type 'http.response.push'"),
    (({"type": "websocket.accept"},), RuntimeError, "no message of type 'websocket.accept'"),
    (({},), TypeError, "a dict with a 'type'"),
    (({"type": "http.response.start"},), TypeError, "'status' of http.response.start is missing"),
    (({**START, "status": "200"},), TypeError, "'status' of http.response.start is of type str"),
    (({**START, "status": 99},), UsageError, "99 is not a final status"),
    (({**START, "status": 1000},), UsageError, "1000"),
    (({**START, "headers": [(b"x", b"a\r\nb: c")]},), UsageError, "value"),
    (({**START, "headers": [(b"x y", b"a")]},), UsageError, "name"),
    (
        ({**START, "headers": [(b"content-length", b"1"), (b"content-length", b"2")]},),
        UsageError,
        "two Content-Lengths",
    ),
    ((START, {**LAST, "body": "text"}), TypeError, "'body' of http.response.body is of type str; it must be bytes"),
    ((START, {**MORE, "body": None}), TypeError, "'body' of http.response.body is of type NoneType"),
    ((TRAILED, LAST, {**TRAILERS, "headers": [("x", "y")]}), TypeError, "must be pairs of bytes"),
]


@pytest.mark.parametrize(("messages", "kind", "text"), MISTAKES)
def test_a_mistake_is_told_to_who_made_it(messages: tuple[Any, ...], kind: type[Exception], text: str) -> None:
    """Nothing of the message reaches the exchange."""
    *good, bad = messages
    exchange = FakeExchange(request())
    cycle = HttpCycle(exchange, AppHeads())
    asyncio.run(act(cycle, *good))
    before = list(exchange.calls)
    with pytest.raises(kind, match=text):
        asyncio.run(act(cycle, bad))
    assert exchange.calls == before


def test_a_bad_head_can_be_replaced_by_a_better_one() -> None:
    exchange = FakeExchange(request())
    cycle = HttpCycle(exchange, AppHeads())
    with pytest.raises(UsageError):
        asyncio.run(act(cycle, {**START, "status": 99}))
    asyncio.run(act(cycle, START, LAST))
    assert exchange.calls == [("reply", 200, None, b"last")]


# --- a peer that goes ---------------------------------------------------------------------------

# messages before and after the peer goes
LEAVINGS: list[tuple[tuple[Any, ...], Any]] = [
    ((), START),
    ((START,), LAST),
    ((START,), MORE),
    ((START, MORE), MORE),
    ((START, MORE), LAST),
]


@pytest.mark.parametrize(("before", "after"), LEAVINGS)
def test_sending_to_a_peer_that_has_gone_is_an_os_error(before: tuple[Any, ...], after: Any) -> None:
    exchange = FakeExchange(request())
    cycle = HttpCycle(exchange, AppHeads())
    asyncio.run(act(cycle, *before))
    exchange.leave()
    for _ in range(2):
        with pytest.raises(ClientDisconnected):
            asyncio.run(act(cycle, after))
    cycle.conclude()


async def _leave_while_waiting(exchange: FakeExchange) -> None:
    cycle = HttpCycle(exchange, AppHeads())
    await act(cycle, START)
    waiting = cycle.send(MORE)
    exchange.leave()
    with pytest.raises(ClientDisconnected):
        await waiting


def test_a_peer_may_go_while_we_wait_for_it_to_read() -> None:
    asyncio.run(_leave_while_waiting(FakeExchange(request())))


def test_an_answer_that_the_server_gave_leaves_nothing_to_send() -> None:
    """It has refused the request's body meanwhile."""
    exchange = FakeExchange(request())
    cycle = HttpCycle(exchange, AppHeads())
    asyncio.run(act(cycle, START))
    exchange.status = 400
    for message in (LAST, MORE):
        with pytest.raises(ClientDisconnected):
            asyncio.run(act(cycle, message))
    assert exchange.calls == []


# --- receiving ----------------------------------------------------------------------------------


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def http_request(body: bytes, more_body: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more_body}


def test_a_body_comes_piece_by_piece() -> None:
    cycle = HttpCycle(FakeExchange(request(), b"one", b"two"), AppHeads())
    assert run(cycle.receive()) == http_request(b"one", True)
    assert run(cycle.receive()) == http_request(b"two", False)


def test_no_body_is_an_empty_one() -> None:
    assert run(HttpCycle(FakeExchange(request()), AppHeads()).receive()) == http_request(b"", False)


async def _wait_for_the_end(exchange: FakeExchange, *, is_left: bool) -> dict[str, Any]:
    cycle = HttpCycle(exchange, AppHeads())
    await cycle.receive()
    waiting = asyncio.ensure_future(cycle.receive())
    await asyncio.sleep(0)
    assert not waiting.done()
    if is_left:
        exchange.leave()
        return dict(await waiting)
    waiting.cancel()
    await act(cycle, START, LAST)
    return dict(await cycle.receive())


@pytest.mark.parametrize("is_left", [True, False])
def test_behind_the_body_there_is_only_the_end(is_left: bool) -> None:
    assert run(_wait_for_the_end(FakeExchange(request()), is_left=is_left)) == {"type": "http.disconnect"}


def test_a_body_that_is_cut_ends_in_a_disconnect() -> None:
    exchange = FakeExchange(request(), b"one", None)
    cycle = HttpCycle(exchange, AppHeads())
    assert run(cycle.receive()) == http_request(b"one", True)
    assert run(cycle.receive()) == {"type": "http.disconnect"}
    exchange.leave()
    assert run(cycle.receive()) == {"type": "http.disconnect"}


def test_nothing_is_received_behind_an_answer() -> None:
    cycle = HttpCycle(FakeExchange(request(), b"one"), AppHeads())
    run(act(cycle, START, LAST))
    assert run(cycle.receive()) == {"type": "http.disconnect"}


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("messages", [(), (START, LAST), (START, MORE, LAST), (TRAILED, LAST, TRAILERS)])
def test_an_application_may_return_without_an_answer_or_with_a_whole_one(messages: tuple[Any, ...]) -> None:
    cycle = HttpCycle(FakeExchange(request()), AppHeads())
    run(act(cycle, *messages))
    cycle.conclude()


@pytest.mark.parametrize("messages", [(START,), (START, MORE), (TRAILED, LAST)])
def test_an_application_may_not_return_with_half_an_answer(messages: tuple[Any, ...]) -> None:
    cycle = HttpCycle(FakeExchange(request()), AppHeads())
    run(act(cycle, *messages))
    with pytest.raises(RuntimeError, match="returned before its answer was complete"):
        cycle.conclude()


def test_half_an_answer_is_no_mistake_where_nobody_is_left() -> None:
    exchange = FakeExchange(request())
    cycle = HttpCycle(exchange, AppHeads())
    run(act(cycle, START, MORE))
    run(cycle.receive())
    exchange.is_over = True  # as it is once the connection is lost
    assert run(cycle.receive()) == {"type": "http.disconnect"}
    cycle.conclude()
