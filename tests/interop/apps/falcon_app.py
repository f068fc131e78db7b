"""The sample application in Falcon."""

import hashlib
import os

import falcon


def lines(count, *, fails):
    for number in range(count):
        yield f"line {number}\n".encode()
    if fails:
        raise ValueError("within the body")


class Home:
    def on_get(self, req, resp):
        resp.content_type = "text/plain"
        resp.text = "hello"


class Echo:
    def on_post(self, req, resp):
        resp.media = req.get_media()


class Form:
    def on_post(self, req, resp):
        resp.media = req.get_media()


class Upload:
    def on_post(self, req, resp):
        for part in req.get_media():
            resp.media = {"name": part.filename, "sha256": hashlib.sha256(part.stream.read()).hexdigest()}


class Raw:
    def on_post(self, req, resp):
        resp.text = hashlib.sha256(req.stream.read()).hexdigest()


class Stream:
    def on_get(self, req, resp):
        resp.content_type = "text/plain"
        resp.stream = lines(1000, fails=False)


class Late:
    def on_get(self, req, resp):
        resp.stream = lines(10, fails=True)


class Boom:
    def on_get(self, req, resp):
        raise ValueError("before the answer")


class Cookies:
    def on_get(self, req, resp):
        resp.set_cookie("first", "1", secure=False)
        resp.set_cookie("second", "2", secure=False)
        resp.media = req.cookies


class Redirect:
    def on_get(self, req, resp):
        raise falcon.HTTPFound("/")


class Name:
    def on_get(self, req, resp, name):
        resp.content_type = "text/plain; charset=utf-8"
        resp.text = f"{name} {req.get_param('q', default='')}"


class File:
    def on_get(self, req, resp):
        resp.content_type = "text/plain"
        resp.set_stream(open(__file__, "rb"), os.path.getsize(__file__))


app = falcon.App()
app.add_route("/", Home())
app.add_route("/name/{name}", Name())
for view in (Echo, Form, Upload, Raw, Stream, Late, Boom, Cookies, Redirect, File):
    app.add_route(f"/{view.__name__.lower()}", view())
