"""An ASGI application: a coroutine for each request, each WebSocket, and for its own life.

    portico run asgi_app:app --app-dir examples

It counts its visitors from start to stop, sends numbers as they come, and echoes over a WebSocket.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
TEXT = [(b"content-type", b"text/plain; charset=utf-8")]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Hand over to what the scope is about."""
    await {"lifespan": live, "http": answer, "websocket": echo}[scope["type"]](scope, receive, send)


async def live(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Open what all requests share, and say when it is closed."""
    await receive()
    scope["state"]["visitors"] = []
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer at once, or at /count bit by bit."""
    visitors = scope["state"]["visitors"]
    visitors.append(scope["client"])
    await send({"type": "http.response.start", "status": 200, "headers": TEXT})
    if scope["path"] == "/count":
        for number in range(3):
            await send({"type": "http.response.body", "body": f"{number}\n".encode(), "more_body": True})
            await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": f"request {len(visitors)}\n".encode()})


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Send back what comes, until the visitor goes."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
