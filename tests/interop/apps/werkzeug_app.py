"""The sample application with nothing but Werkzeug, behind its own lint middleware."""

import hashlib
import json

from werkzeug.exceptions import HTTPException
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response

urls = Map([Rule(f"/{word}", endpoint=word) for word in "echo form upload raw stream late boom cookies file".split()])
urls.add(Rule("/", endpoint="home"))
urls.add(Rule("/redirect", endpoint="back"))
urls.add(Rule("/name/<name>", endpoint="show"))


def to_json(data):
    return Response(json.dumps(data), content_type="application/json")


def lines(count, *, fails):
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


class Views:
    def home(self, request):
        return Response("hello", content_type="text/plain")

    def echo(self, request):
        return to_json(request.get_json())

    def form(self, request):
        return to_json(request.form.to_dict())

    def upload(self, request):
        file = request.files["file"]
        return to_json({"name": file.filename, "sha256": hashlib.sha256(file.read()).hexdigest()})

    def raw(self, request):
        return Response(hashlib.sha256(request.get_data()).hexdigest())

    def stream(self, request):
        return Response(lines(1000, fails=False), content_type="text/plain")

    def late(self, request):
        return Response(lines(10, fails=True), content_type="text/plain")

    def boom(self, request):
        raise ValueError("before the answer")

    def cookies(self, request):
        response = to_json(request.cookies)
        response.set_cookie("first", "1")
        response.set_cookie("second", "2")
        return response

    def back(self, request):
        return redirect("/")

    def show(self, request, name):
        return Response(f"{name} {request.args.get('q', '')}", content_type="text/plain")

    def file(self, request):
        return send_file(__file__, request.environ)


@Request.application
def views(request):
    try:
        endpoint, values = urls.bind_to_environ(request.environ).match()
    except HTTPException as exc:
        return exc
    return getattr(Views(), endpoint)(request, **values)


app = LintMiddleware(views)
