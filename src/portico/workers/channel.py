"""The words between a worker and its supervisor: messages <-> lines of JSON on a stream. Pure.

A message is a JSON object with the key "is": `ready`, `failed`, `draining`, `beat` or `finished`. All go from the
worker to the supervisor. The other way there are signals, and the end of the stream: then the supervisor is no more.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from portico.errors import Refused, excerpt

MAX_LINE: Final = 1 << 20  # a worker's metrics are a few KiB
MAX_REASON: Final = 16 << 10  # of a failure's text; a traceback of a deep recursion has megabytes

Message = Mapping[str, Any]


def encode(message: Message) -> bytes:
    """Return a message as one line. Raises TypeError for values that JSON does not know."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Inbox:
    """Put a stream's pieces together again."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now.

        Raises Refused for a line that is too long or no message; the stream cannot be used any more then.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise Refused(f"{len(self._rest)} bytes without a line's end; at most {MAX_LINE} are a message")
        return [_decode(line) for line in lines]


def _decode(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise Refused(f"{excerpt(line)} is not JSON") from exc
    if not isinstance(message, dict) or not isinstance(message.get("is"), str):
        raise Refused(f"{excerpt(line)} is no message; it needs a key 'is'")
    return message
