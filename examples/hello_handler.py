"""A handler of your own on Portico's server: a plain function for what is at hand, a coroutine for what must wait.

    python examples/hello_handler.py 8000

GET answers at once. POST reads the body as it arrives and says how long it was, without ever holding it whole.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from portico.http.message import Response
from portico.net.addresses import parse_address
from portico.net.listening import close, listen
from portico.server.exchange import Exchange
from portico.server.http import HttpServer
from portico.settings import Limits

TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def hello(exchange: Exchange) -> Coroutine[Any, Any, None] | None:
    """Answer one exchange."""
    if exchange.request.method == "POST":
        return count(exchange)
    exchange.respond(Response(200, TEXT, f"hello, {exchange.request.path}\n".encode()))
    return None


async def count(exchange: Exchange) -> None:
    """Answer with the length of the request's body."""
    size = 0
    while data := await exchange.read():
        size += len(data)
    exchange.respond(Response(200, TEXT, f"{size} bytes\n".encode()))


async def main(port: int) -> None:
    """Serve until Ctrl-C, then let what is under way finish."""
    server = HttpServer(hello, Limits())
    sockets = listen(parse_address("127.0.0.1", default_port=port))
    await server.open(sockets)
    try:
        await asyncio.Event().wait()
    finally:
        await server.drain(5.0)
        close(sockets)


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1])))
    except KeyboardInterrupt:
        print("stopped")
