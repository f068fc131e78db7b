"""The ASGI gateway: a handler that calls an ASGI 3 application for each request and each WebSocket.

    Asgi(exchange) -> Scopes.of_request   -> app(scope, HttpCycle.receive, HttpCycle.send)
                   -> parse_handshake, Scopes.of_websocket -> app(scope, WebSocketCycle.receive, WebSocketCycle.send)

In: exchanges; out: calls of the application. What it raises goes on to the server, which answers 500, or cuts the
connection of an answer that has begun, and logs it; `Lifespan` is a file of its own.
"""

from asyncio import CancelledError
from typing import Any

from portico.errors import PeerError
from portico.gateway.asgi_http import HttpCycle
from portico.gateway.asgi_message import Application
from portico.gateway.asgi_websocket import WebSocketCycle
from portico.gateway.contract import Exchange
from portico.gateway.scope import Scopes
from portico.wire.answer import AnswerHead, AppHeads
from portico.wire.handshake import HINTS, is_handshake, parse_handshake


class Asgi:
    """Serve an ASGI 3 application.

    root_path: where it is mounted, as the proxy in front sees it: "/shop" (or "shop/", which means the same).
    state: the namespace that the lifespan filled; None for an empty one.
    """

    __slots__ = ("_app", "_heads", "_scopes")

    def __init__(self, app: Application, *, root_path: str = "", state: dict[str, Any] | None = None) -> None:
        self._app = app
        self._heads = AppHeads()
        mount = root_path.strip("/")
        self._scopes = Scopes(f"/{mount}" if mount else "", {} if state is None else state)

    async def __call__(self, exchange: Exchange) -> None:
        """Have the application answer. Raises what it raises; sys.exit() and the like as RuntimeError."""
        exchange.keeps_running = True
        if "upgrade" in exchange.request.values and is_handshake(exchange.request):
            await self._converse(exchange)
            return
        cycle = HttpCycle(exchange, self._heads)
        try:
            await self._app(self._scopes.of_request(exchange), cycle.receive, cycle.send)
        except (Exception, CancelledError, GeneratorExit):
            raise
        except BaseException as exc:
            raise _survived(exc) from exc
        cycle.conclude()

    async def _converse(self, exchange: Exchange) -> None:
        try:
            subprotocols = parse_handshake(exchange.request).subprotocols
        except PeerError as exc:
            body = f"{exc}\n".encode()
            fields = (("content-type", "text/plain; charset=utf-8"), *HINTS)
            exchange.reply(AnswerHead(exc.status, fields, len(body)), body)
            return
        cycle = WebSocketCycle(exchange, self._heads)
        try:
            await self._app(self._scopes.of_websocket(exchange, subprotocols), cycle.receive, cycle.send)
        except (Exception, CancelledError, GeneratorExit) as exc:
            cycle.conclude(exc)
            raise
        except BaseException as exc:
            cycle.conclude(exc)
            raise _survived(exc) from exc
        cycle.conclude()


def _survived(exc: BaseException) -> RuntimeError:
    """Return what an application's attempt to end the process becomes: it may fail, its neighbours may not."""
    return RuntimeError(f"the application raised {exc!r}; only this request ends")
