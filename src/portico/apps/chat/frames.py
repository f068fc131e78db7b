"""Frames of `portico.chat.v1`: JSON objects, one or several in a message, a line each.

In: text from a client. Out: the frames in it, each a tuple of checked values, or a `Rejected`. In: what the server has
to say. Out: text. The same frames go over WebSocket and, after `/json on`, over TCP.

    from the client                            from the server
    hello  v tok epoch have recent             welcome epoch me now max_text
    send   cid c k b ref                       ack cid c s at dup      nack cid code why retry
    get    id c after | before, limit          page id c ev first head
    mark   c read | got                        sync c ev first head limited      reset why
    typ    c                                   ev c s at f k b ref via
    view   c                                   st c read got typ here desk       st online via people
    ask    id op ...                           ok id ...               err id code why retry
    pong                                       ping                              bye code why

`st` tells how things stand, and is no event: read and got {person: seq} and typ, of others in a conversation; here, how
many of it are here, to who views it; online {person: true} and via {person: [transport]}, of those one talks with;
people, a card that has changed. `view` says which conversation a person has open, with c 0 for none; `mark got` what
has arrived and is not in front of anybody yet.

Unknown members of a frame are passed over; an unknown `t` is an error. Numbers are whole and below 2**53.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from portico.apps.chat.events import Claim, Event, Rejected
from portico.apps.chat.log import MAX_READ
from portico.errors import excerpt

VERSION: Final = 1
MAX_FRAMES: Final = 64  # in one message
MAX_HAVE: Final = 10_000  # conversations that a client says how far it knows
_MAX_NUMBER: Final = 1 << 53

Frame = Mapping[str, Any]


class Hello(NamedTuple):
    """A client says who it is and what it has. have: conversation to the last seq it has. epoch: "" for none.

    recent: with how many events a conversation begins of which it has nothing; None for as many as there are.
    """

    token: str
    epoch: str
    have: dict[int, int]
    recent: int | None = None


class Send(NamedTuple):
    """An event that a client wants to append."""

    claim: Claim


class Get(NamedTuple):
    """A part of a conversation that a client wants. One of after and before is None."""

    number: int
    conversation: int
    after: int | None
    before: int | None
    limit: int


class Mark(NamedTuple):
    """How far a person has read, or how far it has arrived. One of them is None."""

    conversation: int
    read: int | None
    got: int | None


class Typing(NamedTuple):
    """A person is writing."""

    conversation: int


class View(NamedTuple):
    """A person has a conversation open; 0 for none."""

    conversation: int


class Ask(NamedTuple):
    """Anything else that a client asks for. op: what. arguments: the frame itself."""

    number: int
    op: str
    arguments: Frame


class Pong(NamedTuple):
    """A sign of life."""


Request = Hello | Send | Get | Mark | Typing | View | Ask | Pong


def parse(text: str) -> list[Request]:
    """Read the frames of one message. Raises Rejected: "proto" for what is no frame, "unknown_type"."""
    lines = [line for line in text.split("\n", MAX_FRAMES + 1) if line and not line.isspace()]
    if len(lines) > MAX_FRAMES:
        raise Rejected("proto", f"over {MAX_FRAMES} frames in one message")
    return [_parse_one(line) for line in lines]


def _parse_one(line: str) -> Request:
    try:
        frame = _DECODER.decode(line)
        if "\\u" in line:
            json.dumps(frame, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as exc:
        raise Rejected("proto", f"{excerpt(line)} is not JSON") from exc
    if not isinstance(frame, dict):
        raise Rejected("proto", f"{excerpt(line)} is not an object")
    kind = frame.get("t")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise Rejected("unknown_type", f"{excerpt(str(kind))} is no type of frame; {', '.join(_READERS)} are")
    return read(frame)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads and json.dumps make one for each call that has options.
_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def number(frame: Frame, name: str, *, least: int = 1) -> int:
    """Return a whole number of a frame. Raises Rejected where it has none."""
    value = frame.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MAX_NUMBER:
        raise Rejected("proto", f"{name} is a whole number from {least}")
    return value


def text(frame: Frame, name: str, *, most: int, default: str | None = None) -> str:
    """Return a text of a frame, at most `most` characters of it. Raises Rejected where it has none."""
    value = frame.get(name, default)
    if not isinstance(value, str) or len(value) > most:
        raise Rejected("proto", f"{name} is a text of at most {most} characters")
    return value


def _hello(frame: Frame) -> Hello:
    if frame.get("v") != VERSION:
        raise Rejected("version", f"this server speaks version {VERSION}")
    have = frame.get("have", {})
    if not isinstance(have, dict) or len(have) > MAX_HAVE:
        raise Rejected("proto", f"have is an object of at most {MAX_HAVE} conversations")
    known = {int(key): number(have, key, least=0) for key in have if key.isascii() and key.isdigit() and len(key) < 16}
    recent = number(frame, "recent") if "recent" in frame else None
    return Hello(text(frame, "tok", most=200), text(frame, "epoch", most=64, default=""), known, recent)


def _send(frame: Frame) -> Send:
    kind = text(frame, "k", most=16, default="msg")
    return Send(Claim(number(frame, "c"), kind, frame.get("b"), frame.get("ref"), frame.get("cid")))


def _get(frame: Frame) -> Get:
    after = None if "after" not in frame else number(frame, "after", least=0)
    before = None if "before" not in frame else number(frame, "before")
    if (after is None) == (before is None):
        raise Rejected("proto", "get wants what is after or before a number")
    limit = number(frame, "limit") if "limit" in frame else MAX_READ
    return Get(number(frame, "id"), number(frame, "c"), after, before, limit)


def _mark(frame: Frame) -> Mark:
    if "got" in frame and "read" not in frame:
        return Mark(number(frame, "c"), None, number(frame, "got", least=0))
    return Mark(number(frame, "c"), number(frame, "read", least=0), None)


_READERS: Final[dict[str, Callable[[Frame], Request]]] = {
    "hello": _hello,
    "send": _send,
    "get": _get,
    "mark": _mark,
    "typ": lambda frame: Typing(number(frame, "c")),
    "view": lambda frame: View(number(frame, "c", least=0)),
    "ask": lambda frame: Ask(number(frame, "id"), text(frame, "op", most=40), frame),
    "pong": lambda frame: Pong(),
}


# What the server says


def write(kind: str, /, **members: Any) -> str:
    """Write a frame; members that are None are left out."""
    found = {"t": kind} | {name: value for name, value in members.items() if value is not None}
    return _ENCODER.encode(found)


def write_event(event: Event) -> str:
    """Write an event. Its body is JSON text already."""
    ref = "" if event.ref is None else f',"ref":{event.ref}'
    return (
        f'{{"t":"ev","c":{event.conversation},"s":{event.seq},"at":{event.at_ms},"f":{event.sender},'
        f'"k":"{event.kind}","b":{event.body}{ref},"via":"{event.via}"}}'
    )


def write_events(kind: str, events: Sequence[str], /, **members: Any) -> str:
    """Write a frame with many events in it. events: each as `write_event` writes it."""
    return f'{write(kind, **members)[:-1]},"ev":[{",".join(events)}]}}'


def write_rejection(kind: str, exc: Rejected, /, **members: Any) -> str:
    """Write why something is not done. kind: nack or err."""
    return write(kind, **members, code=exc.code, why=str(exc), retry=exc.retry_s)
