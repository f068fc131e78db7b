"""The sample application in Quart."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, abort, jsonify, redirect, request, send_file, websocket

app = Quart(__name__)
found: dict[str, str] = {}


@app.before_serving
async def open_up() -> None:
    found["greeting"] = "from the lifespan"


@app.get("/")
async def home() -> Any:
    return Response("hello", content_type="text/plain")


@app.post("/echo")
async def echo() -> Any:
    return jsonify(await request.get_json())


@app.post("/form")
async def form() -> Any:
    return jsonify((await request.form).to_dict())


@app.post("/upload")
async def upload() -> Any:
    file = (await request.files)["file"]
    return {"name": file.filename, "sha256": hashlib.sha256(file.read()).hexdigest()}


async def _lines(count: int, *, fails: bool) -> AsyncIterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


@app.get("/stream")
async def stream() -> Any:
    return _lines(1000, fails=False), {"content-type": "text/plain"}


@app.get("/late")
async def late() -> Any:
    return _lines(10, fails=True), {"content-type": "text/plain"}


@app.get("/boom")
async def boom() -> Any:
    raise ValueError("before the answer")


@app.get("/cookies")
async def cookies() -> Any:
    response = jsonify(dict(request.cookies))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


@app.get("/redirect")
async def to_home() -> Any:
    return redirect("/", 307)


@app.get("/name/<name>")
async def name(name: str) -> Any:
    return Response(f"{name} {request.args.get('q', '')}", content_type="text/plain")


@app.get("/state")
async def state() -> Any:
    return found["greeting"]


@app.get("/file")
async def file() -> Any:
    return await send_file(__file__)


@app.websocket("/talk")
async def talk() -> None:
    await websocket.accept(subprotocol="chat" if "chat" in websocket.requested_subprotocols else None)
    while (text := await websocket.receive()) != "bye":
        await websocket.send(text.upper())
    await websocket.close(4000, "as you wish")


@app.websocket("/refuse")
async def refuse() -> None:
    abort(403)
