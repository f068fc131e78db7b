"""The sample application in Bottle."""

import hashlib
import json

from bottle import Bottle, redirect, request, response, static_file

app = Bottle()


@app.get("/")
def home():
    response.content_type = "text/plain"
    return "hello"


@app.post("/echo")
def echo():
    response.content_type = "application/json"
    return json.dumps(json.load(request.body))


@app.post("/form")
def form():
    return {name: request.forms.getunicode(name) for name in request.forms}


@app.post("/upload")
def upload():
    file = request.files.file
    return {"name": file.filename, "sha256": hashlib.sha256(file.file.read()).hexdigest()}


@app.post("/raw")
def raw():
    return hashlib.sha256(request.body.read()).hexdigest()


def lines(count, *, fails):
    for number in range(count):
        yield f"line {number}\n".encode()
    if fails:
        raise ValueError("within the body")


@app.get("/stream")
def stream():
    response.content_type = "text/plain"
    return lines(1000, fails=False)


@app.get("/late")
def late():
    return lines(10, fails=True)


@app.get("/boom")
def boom():
    raise ValueError("before the answer")


@app.get("/cookies")
def cookies():
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return dict(request.cookies)


@app.get("/redirect")
def back():
    redirect("/", 302)


@app.get("/name/<name>")
def show(name):
    response.content_type = "text/plain; charset=utf-8"
    return f"{name} {request.query.getunicode('q', '')}"


@app.get("/file")
def file():
    folder, _, name = __file__.rpartition("/")
    return static_file(name, root=folder)
