"""The vocabulary of a WebSocket: what its codec says after it was fed bytes, and the payload of close frames.

Any number of MessageReceived, PingReceived and PongReceived; then one of CloseReceived, FrameRefused or InputEnded
(RFC 6455 sections 5.5 and 7.4).
"""

from typing import Final, NamedTuple

from portico.errors import PeerError, excerpt
from portico.wire.events import InputEnded
from portico.wire.frames import MAX_CONTROL

NO_CODE: Final = 1005  # stands for a close frame without a code, and is never sent (RFC 6455 7.4.1)
NO_CLOSE: Final = 1006  # stands for a connection that ended without a close frame
MAX_REASON: Final = MAX_CONTROL - 2


class MessageReceived(NamedTuple):
    """A whole message: text or binary."""

    data: str | bytes


class PingReceived(NamedTuple):
    """A ping, to be answered by a pong with the same bytes (5.5.2)."""

    data: bytes


class PongReceived(NamedTuple):
    """A pong, asked for or not."""

    data: bytes


class CloseReceived(NamedTuple):
    """The peer's close frame. code: 1005 where it gave none."""

    code: int
    reason: str


class FrameRefused(NamedTuple):
    """The peer broke the protocol or a limit; no further input is read. code, reason: what it is to be told."""

    code: int
    reason: str


SocketEvent = MessageReceived | PingReceived | PongReceived | CloseReceived | FrameRefused | InputEnded


def is_close_code(code: int) -> bool:
    """Tell whether a close frame may carry this code (7.4, and the codes registered since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def read_close(payload: bytes) -> CloseReceived:
    """Read a close frame (5.5.1). Raises PeerError(1002) for a code that may not be sent, 1007 for a bad reason."""
    if not payload:
        return CloseReceived(NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not is_close_code(code):
        raise PeerError(1002, f"a close frame with {excerpt(payload)}, which is no close code")
    try:
        return CloseReceived(code, payload[2:].decode())
    except UnicodeDecodeError as exc:
        raise PeerError(1007, "the reason in a close frame is not UTF-8") from exc


def write_close(code: int, reason: str) -> bytes:
    """Write a close frame's payload; a reason that is too long is cut."""
    cut = reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore")  # no half of a character
    return code.to_bytes(2, "big") + cut.encode()
