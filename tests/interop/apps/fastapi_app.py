"""The sample application in FastAPI."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request, UploadFile, WebSocket
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"greeting": "from the lifespan"}


app = FastAPI(lifespan=lifespan)


@app.get("/")
def home() -> PlainTextResponse:
    return PlainTextResponse("hello")


@app.post("/echo")
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@app.post("/form")
async def form(name: Annotated[str, Form()], age: Annotated[str, Form()]) -> dict[str, str]:
    return {"name": name, "age": age}


@app.post("/upload")
def upload(file: UploadFile) -> dict[str, Any]:
    return {"name": file.filename, "sha256": hashlib.sha256(file.file.read()).hexdigest()}


def _lines(count: int, *, fails: bool) -> Iterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


@app.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(_lines(1000, fails=False), media_type="text/plain")


@app.get("/late")
def late() -> StreamingResponse:
    return StreamingResponse(_lines(10, fails=True), media_type="text/plain")


@app.get("/boom")
async def boom() -> None:
    raise ValueError("before the answer")


@app.get("/cookies")
async def cookies(request: Request) -> JSONResponse:
    response = JSONResponse(dict(request.cookies))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


@app.get("/redirect")
async def redirect() -> RedirectResponse:
    return RedirectResponse("/")


@app.get("/name/{name}")
async def name(name: str, q: str = "") -> PlainTextResponse:
    return PlainTextResponse(f"{name} {q}")


@app.get("/state")
async def state(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.greeting)


@app.get("/file")
async def file() -> FileResponse:
    return FileResponse(__file__)


@app.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept("chat" if "chat" in websocket.scope["subprotocols"] else None)
    while (text := await websocket.receive_text()) != "bye":
        await websocket.send_text(text.upper())
    await websocket.close(4000, "as you wish")


@app.websocket("/refuse")
async def refuse(websocket: WebSocket) -> None:
    await websocket.close()
