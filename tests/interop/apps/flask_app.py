"""The sample application in Flask."""

import hashlib
from collections.abc import Iterator

from flask import Flask, Response, jsonify, redirect, request, send_file, stream_with_context

app = Flask(__name__)


@app.get("/")
def home():
    return Response("hello", content_type="text/plain")


@app.post("/echo")
def echo():
    return jsonify(request.get_json())


@app.post("/form")
def form():
    return jsonify(request.form.to_dict())


@app.post("/upload")
def upload():
    file = request.files["file"]
    return jsonify(name=file.filename, sha256=hashlib.sha256(file.read()).hexdigest())


@app.post("/raw")
def raw():
    digest = hashlib.sha256()
    while piece := request.stream.read(10_000):
        digest.update(piece)
    return digest.hexdigest()


def lines(count: int, *, fails: bool) -> Iterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


@app.get("/stream")
def stream():
    return Response(stream_with_context(lines(1000, fails=False)), content_type="text/plain")


@app.get("/late")
def late():
    return Response(lines(10, fails=True), content_type="text/plain")


@app.get("/boom")
def boom():
    raise ValueError("before the answer")


@app.get("/cookies")
def cookies():
    response = jsonify(request.cookies)
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


@app.get("/redirect")
def back():
    return redirect("/")


@app.get("/name/<name>")
def show(name: str):
    return Response(f"{name} {request.args.get('q', '')}", content_type="text/plain")


@app.get("/file")
def file():
    return send_file(__file__)
