"""An ASGI application for bodies: JSON out, anything in, a long stream out."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

KIB = 1024
# Made once: measured is what it costs to send it, not what it costs to make it.
JSON = json.dumps(
    [{"id": number, "name": f"entry {number:05}", "tags": ["a", "b"]} for number in range(1_170)]
).encode()
PIECE = bytes(64 * KIB)
PIECES = 1_600


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer by the path; a server that asks for a lifespan is told that there is none."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await ROUTES.get(scope["path"], json_out)(receive, send)


async def json_out(receive: Receive, send: Send) -> None:
    await send(start(b"application/json", len(JSON)))
    await send({"type": "http.response.body", "body": JSON})


async def count_in(receive: Receive, send: Send) -> None:
    """Read a body to its end; answer with its length."""
    size, is_more = 0, True
    while is_more:
        message = await receive()
        size += len(message.get("body", b""))
        is_more = message.get("more_body", False)
    body = b"%d\n" % size
    await send(start(b"text/plain", len(body)))
    await send({"type": "http.response.body", "body": body})


async def stream_out(receive: Receive, send: Send) -> None:
    """Send 100 MiB, 64 KiB at a time, as a file of unknown origin would be passed on."""
    await send(start(b"application/octet-stream", PIECES * len(PIECE)))
    for number in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": number < PIECES - 1})


def start(kind: bytes, size: int) -> dict[str, Any]:
    fields = [(b"content-type", kind), (b"content-length", b"%d" % size)]
    return {"type": "http.response.start", "status": 200, "headers": fields}


ROUTES = {"/count": count_in, "/stream": stream_out}
