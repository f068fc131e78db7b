"""The sample application in Starlette; `test_asgi_frameworks` says what each of them must do."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"greeting": "from the lifespan"}


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = "here"
        return response


async def home(request: Request) -> Response:
    return PlainTextResponse("hello")


async def echo(request: Request) -> Response:
    return JSONResponse(await request.json())


async def form(request: Request) -> Response:
    return JSONResponse(dict((await request.form()).multi_items()))


async def upload(request: Request) -> Response:
    file = (await request.form())["file"]
    assert not isinstance(file, str)
    data = await file.read()
    return JSONResponse({"name": file.filename, "sha256": hashlib.sha256(data).hexdigest()})


async def _lines(count: int, *, fails: bool) -> AsyncIterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


async def stream(request: Request) -> Response:
    return StreamingResponse(_lines(1000, fails=False), media_type="text/plain")


async def late(request: Request) -> Response:
    return StreamingResponse(_lines(10, fails=True), media_type="text/plain")


async def boom(request: Request) -> Response:
    raise ValueError("before the answer")


async def cookies(request: Request) -> Response:
    response = JSONResponse(dict(request.cookies))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


async def redirect(request: Request) -> Response:
    return RedirectResponse("/")


async def name(request: Request) -> Response:
    return PlainTextResponse(f"{request.path_params['name']} {request.query_params.get('q', '')}")


async def state(request: Request) -> Response:
    return PlainTextResponse(request.state.greeting)


async def file(request: Request) -> Response:
    return FileResponse(__file__)


async def talk(websocket: WebSocket) -> None:
    await websocket.accept("chat" if "chat" in websocket.scope["subprotocols"] else None)
    while (text := await websocket.receive_text()) != "bye":
        await websocket.send_text(text.upper())
    await websocket.close(4000, "as you wish")


async def refuse(websocket: WebSocket) -> None:
    await websocket.close()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/echo", echo, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/stream", stream),
        Route("/late", late),
        Route("/boom", boom),
        Route("/cookies", cookies),
        Route("/redirect", redirect),
        Route("/name/{name}", name),
        Route("/state", state),
        Route("/file", file),
        WebSocketRoute("/talk", talk),
        WebSocketRoute("/refuse", refuse),
    ],
    middleware=[Middleware(Stamp)],
    lifespan=lifespan,
)
