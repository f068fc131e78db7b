"""The sample application in Sanic, run as the ASGI application that a Sanic instance is."""

import hashlib
from typing import Any

from sanic import Request, Sanic, Websocket, response
from sanic.exceptions import Forbidden

app = Sanic("Sample")


@app.before_server_start
async def open_up(app: Any) -> None:
    app.ctx.greeting = "from the lifespan"


@app.get("/")
async def home(request: Request) -> Any:
    return response.text("hello")


@app.post("/echo")
async def echo(request: Request) -> Any:
    return response.json(request.json)


@app.post("/form")
async def form(request: Request) -> Any:
    return response.json({key: values[0] for key, values in (request.form or {}).items()})


@app.post("/upload")
async def upload(request: Request) -> Any:
    assert request.files is not None
    file = request.files.get("file")
    return response.json({"name": file.name, "sha256": hashlib.sha256(file.body).hexdigest()})


async def _lines(request: Request, count: int) -> Any:
    answer = await request.respond(content_type="text/plain")
    assert answer is not None
    for number in range(count):
        await answer.send(f"line {number}\n")
    return answer


@app.get("/stream")
async def stream(request: Request) -> None:
    await (await _lines(request, 1000)).eof()


@app.get("/boom")
async def boom(request: Request) -> Any:
    raise ValueError("before the answer")


@app.get("/cookies")
async def cookies(request: Request) -> Any:
    answer = response.json({key: request.cookies.get(key) for key in request.cookies})
    answer.add_cookie("first", "1", secure=False)
    answer.add_cookie("second", "2", secure=False)
    return answer


@app.get("/redirect")
async def redirect(request: Request) -> Any:
    return response.redirect("/", status=307)


@app.get("/name/<name>", unquote=True)
async def name(request: Request, name: str) -> Any:
    return response.text(f"{name} {request.args.get('q', '')}")


@app.get("/state")
async def state(request: Request) -> Any:
    return response.text(request.app.ctx.greeting)


@app.get("/file")
async def file(request: Request) -> Any:
    return await response.file(__file__)


@app.websocket("/talk", subprotocols=["chat"])
async def talk(request: Request, websocket: Websocket) -> None:
    while (text := await websocket.recv()) != "bye":
        assert isinstance(text, str)
        await websocket.send(text.upper())
    await websocket.close(4000, "as you wish")


@app.get("/refuse")
async def refuse(request: Request) -> Any:
    raise Forbidden("no")
