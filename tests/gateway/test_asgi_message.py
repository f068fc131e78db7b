import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from portico.errors import Gone
from portico.gateway.asgi_message import (
    DONE,
    ClientDisconnected,
    bytes_of,
    count_of,
    step_of,
    text_pairs,
    value_of,
)

STEPS = {"a.b": 1}


def test_a_known_message_has_a_step() -> None:
    assert step_of({"type": "a.b", "x": 1}, STEPS) == 1


# (message, exception, what it says)
BAD: list[tuple[Any, type[Exception], str]] = [
    ({}, TypeError, "a dict with a 'type', not '{}'"),
    ({"type": None}, TypeError, "a dict with a 'type'"),
    ({"type": ["a.b"]}, TypeError, "a dict with a 'type'"),
    (None, TypeError, "a dict with a 'type', not 'None'"),
    ("a.b", TypeError, "a dict with a 'type'"),
    ({"type": "a.c"}, RuntimeError, "no message of type 'a.c' can be sent here; known are a.b"),
]


@pytest.mark.parametrize(("message", "kind", "text"), BAD)
def test_any_other_is_refused(message: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        step_of(message, STEPS)


def test_values() -> None:
    message = {"type": "a", "number": 5, "data": b"x", "array": bytearray(b"y"), "view": memoryview(b"z"), "none": None}
    assert value_of(message, "number", int) == 5
    assert [count_of(message, key) for key in ("number", "none", "missing")] == [5, None, None]
    assert [bytes_of(message, key) for key in ("data", "array", "view", "missing")] == [b"x", b"y", b"z", b""]
    assert text_pairs({**message, "headers": [[b"a", b"\xe4"], (b"b", b"c")]}) == [("a", "ä"), ("b", "c")]
    assert text_pairs(message) == text_pairs({**message, "headers": None}) == []


# (reader, value, what it says)
WRONG: list[tuple[Callable[[dict[str, Any]], object], dict[str, Any], str]] = [
    (lambda message: value_of(message, "x", int), {}, "'x' of a.b is missing; it must be of type int"),
    (lambda message: value_of(message, "x", int), {"x": "5"}, "'x' of a.b is of type str; it must be of type int"),
    (lambda message: count_of(message, "x"), {"x": -1}, "'x' of a.b is '-1'; it must be a whole number"),
    (lambda message: count_of(message, "x"), {"x": 1.0}, "'x' of a.b is '1.0'; it must be a whole number"),
    (lambda message: bytes_of(message, "x"), {"x": "text"}, "'x' of a.b is of type str; it must be bytes"),
    (lambda message: bytes_of(message, "x"), {"x": None}, "'x' of a.b is of type NoneType; it must be bytes"),
    (text_pairs, {"headers": [("a", "b")]}, "'headers' of a.b must be pairs of bytes"),
    (text_pairs, {"headers": [(b"a",)]}, "'headers' of a.b must be pairs of bytes"),
]


@pytest.mark.parametrize(("read", "values", "text"), WRONG)
def test_wrong_values_are_the_senders_mistake(
    read: Callable[[dict[str, Any]], object], values: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError, match=text):
        read({"type": "a.b", **values})


def test_a_peer_that_has_gone_is_an_os_error_to_applications() -> None:
    exc = ClientDisconnected("the peer closed the connection")
    assert isinstance(exc, OSError)
    assert isinstance(exc, Gone)
    assert str(exc) == "the peer closed the connection"


async def _use_done() -> None:
    for _ in range(2):
        assert await DONE is None  # type: ignore[func-returns-value]
        assert await asyncio.create_task(DONE) is None  # type: ignore[func-returns-value]
        await asyncio.wait_for(DONE, 1)
    assert inspect.isawaitable(DONE)
    DONE.close()
    with pytest.raises(asyncio.CancelledError):
        DONE.throw(asyncio.CancelledError)


def test_what_need_not_wait_can_be_awaited_in_every_way() -> None:
    asyncio.run(_use_done())
