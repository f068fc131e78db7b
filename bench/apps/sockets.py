"""An ASGI application for WebSockets: an echo at /echo, and at /all whatever one sends goes to everyone."""

from collections.abc import Awaitable, Callable
from typing import Any

from hello import asgi as hello

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

everyone: set[Send] = set()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve a WebSocket by its path; answer anything else with a greeting."""
    if scope["type"] != "websocket":
        await hello(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await (fan_out if scope["path"] == "/all" else echo)(receive, send)


async def echo(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


async def fan_out(receive: Receive, send: Send) -> None:
    everyone.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            news = {"type": "websocket.send", "bytes": message["bytes"]}
            for tell in list(everyone):
                await tell(news)
    finally:
        everyone.discard(send)
