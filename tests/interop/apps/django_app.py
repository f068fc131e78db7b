"""The sample application in Django, over ASGI, in one file."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests alone",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
)
django.setup()


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello", content_type="text/plain")


async def echo(request: HttpRequest) -> HttpResponse:
    return JsonResponse(json.loads(request.body))


def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.POST.dict())


def upload(request: HttpRequest) -> HttpResponse:
    file: Any = request.FILES["file"]
    return JsonResponse({"name": file.name, "sha256": hashlib.sha256(file.read()).hexdigest()})


async def _lines(count: int, *, fails: bool) -> AsyncIterator[str]:
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        await asyncio.sleep(0)
        raise ValueError("within the body")


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_lines(1000, fails=False), content_type="text/plain")


async def late(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(_lines(10, fails=True), content_type="text/plain")


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("before the answer")


def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse(request.COOKIES)
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/")


def name(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"{name} {request.GET.get('q', '')}", content_type="text/plain")


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


urlpatterns = [
    path("", home),
    path("echo", echo),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
    path("late", late),
    path("boom", boom),
    path("cookies", cookies),
    path("redirect", redirect),
    path("name/<name>", name),
    path("file", file),
]

app = get_asgi_application()
