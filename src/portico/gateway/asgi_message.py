"""ASGI messages: how they are read, with errors that say what is wrong, and what a `send` returns that need not wait.

In: the dicts that an application passes to `send`. Out: their values, or TypeError and RuntimeError for the sender,
which is where its mistakes belong.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from typing import Any, Final, NoReturn, TypeVar

from portico.errors import Gone, excerpt

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Step = TypeVar("Step")
Value = TypeVar("Value")


class Phase:
    """What an answer waits for."""

    START: Final = 0
    BODY: Final = 1  # the first piece; the head is held
    MORE: Final = 2  # further pieces; the head is out
    TRAILERS: Final = 3
    OVER: Final = 4  # nothing: all of it has been said


class ClientDisconnected(Gone, OSError):
    """The peer has gone, so that `send` can do nothing more; to an application it is an OSError (ASGI HTTP 2.4)."""


class Done(Coroutine[Any, Any, None]):
    """An awaitable that has ended: one object for all `send`s that need not wait, since it has no state.

    It is a coroutine to whoever asks, so that `asyncio.create_task(send(...))` works too.
    """

    __slots__ = ()
    # Instead of a method of ours: it is called for every message, and so no Python frame is made for it.
    __await__ = ().__iter__  # type: ignore[assignment]

    def send(self, value: object) -> NoReturn:
        """End, as a coroutine does."""
        raise StopIteration

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> NoReturn:
        """Raise it: there is nobody inside to catch it."""
        raise typ

    def close(self) -> None:
        """Do nothing: there is nothing to stop."""


DONE: Final = Done()


def step_of(message: Message, steps: Mapping[str, Step]) -> Step:
    """Return what to do with a message. steps: by the message's type.

    Raises TypeError for what is no message, RuntimeError for a type that is not among the steps.
    """
    try:
        return steps[message["type"]]
    except (KeyError, TypeError):
        pass
    if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
        raise TypeError(f"send() takes a dict with a 'type', not {excerpt(repr(message))}")
    raise RuntimeError(f"no message of type {excerpt(message['type'])} can be sent here; known are {', '.join(steps)}")


def value_of(message: Message, key: str, kind: type[Value]) -> Value:
    """Return a required value. Raises TypeError where it is missing or of another type."""
    value = message.get(key)
    if not isinstance(value, kind):
        seen = f"is of type {type(value).__name__}" if key in message else "is missing"
        raise TypeError(f"'{key}' of {message['type']} {seen}; it must be of type {kind.__name__}")
    return value


def count_of(message: Message, key: str) -> int | None:
    """Return an optional number, None where it is missing. Raises TypeError for anything but a whole number from 0."""
    count = message.get(key)
    if count is None or (isinstance(count, int) and count >= 0):
        return count
    raise TypeError(f"'{key}' of {message['type']} is {excerpt(repr(count))}; it must be a whole number from 0")


def bytes_of(message: Message, key: str) -> bytes:
    """Return an optional piece of data, b"" where it is missing. Raises TypeError for anything but bytes."""
    data = message.get(key, b"")
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"'{key}' of {message['type']} is of type {type(data).__name__}; it must be bytes")


def text_pairs(message: Message) -> list[tuple[str, str]]:
    """Return the optional headers as text. Raises TypeError for names or values that are no bytes."""
    pairs: Iterable[Iterable[bytes]] = message.get("headers") or ()
    try:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
    except (AttributeError, ValueError) as exc:
        raise TypeError(f"'headers' of {message['type']} must be pairs of bytes") from exc
