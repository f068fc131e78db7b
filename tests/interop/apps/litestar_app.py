"""The sample application in Litestar."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.datastructures import State, UploadFile
from litestar.enums import MediaType, RequestEncodingType
from litestar.params import Body
from litestar.response import File, Redirect, Stream


async def open_up(app: Litestar) -> None:
    app.state.greeting = "from the lifespan"


@get("/", media_type=MediaType.TEXT)
async def home() -> str:
    return "hello"


@post("/echo", status_code=200)
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@post("/form", status_code=200)
async def form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> dict[str, str]:
    return data


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, str]:
    file = data["file"]
    return {"name": file.filename, "sha256": hashlib.sha256(await file.read()).hexdigest()}


async def _lines(count: int, *, fails: bool) -> AsyncIterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


@get("/stream")
async def stream() -> Stream:
    return Stream(_lines(1000, fails=False), media_type=MediaType.TEXT)


@get("/late")
async def late() -> Stream:
    return Stream(_lines(10, fails=True), media_type=MediaType.TEXT)


@get("/boom")
async def boom() -> None:
    raise ValueError("before the answer")


@get("/cookies")
async def cookies(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    response = Response(dict(request.cookies))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


@get("/redirect")
async def redirect() -> Redirect:
    return Redirect("/", status_code=307)


@get("/name/{name:str}", media_type=MediaType.TEXT)
async def name(name: str, q: str = "") -> str:
    return f"{name} {q}"


@get("/state", media_type=MediaType.TEXT)
async def state(state: State) -> str:
    greeting: str = state.greeting
    return greeting


@get("/file")
async def file() -> File:
    return File(__file__, filename="litestar_app.py")


@websocket("/talk")
async def talk(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept("chat" if "chat" in socket.scope["subprotocols"] else None)
    while (text := await socket.receive_text()) != "bye":
        await socket.send_text(text.upper())
    await socket.close(4000, "as you wish")


@websocket("/refuse")
async def refuse(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.close()


app = Litestar(
    [home, echo, form, upload, stream, late, boom, cookies, redirect, name, state, file, talk, refuse],
    on_startup=[open_up],
)
