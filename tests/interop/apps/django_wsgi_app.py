"""The sample application in Django, over WSGI, in one file."""

import hashlib
import json

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests alone",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
)
django.setup()


def home(request):
    return HttpResponse("hello", content_type="text/plain")


def echo(request):
    return JsonResponse(json.loads(request.body))


def form(request):
    return JsonResponse(request.POST.dict())


def upload(request):
    file = request.FILES["file"]
    return JsonResponse({"name": file.name, "sha256": hashlib.sha256(file.read()).hexdigest()})


def raw(request):
    return HttpResponse(hashlib.sha256(request.body).hexdigest())


def lines(count, *, fails):
    for number in range(count):
        yield f"line {number}\n"
    if fails:
        raise ValueError("within the body")


def stream(request):
    return StreamingHttpResponse(lines(1000, fails=False), content_type="text/plain")


def late(request):
    return StreamingHttpResponse(lines(10, fails=True), content_type="text/plain")


def boom(request):
    raise ValueError("before the answer")


def cookies(request):
    response = JsonResponse(request.COOKIES)
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


def redirect(request):
    return HttpResponseRedirect("/")


def name(request, name):
    return HttpResponse(f"{name} {request.GET.get('q', '')}", content_type="text/plain")


def file(request):
    return FileResponse(open(__file__, "rb"))


urlpatterns = [
    path("", home),
    path("name/<name>", name),
    *(path(view.__name__, view) for view in (echo, form, upload, raw, stream, late, boom, cookies, redirect, file)),
]

app = get_wsgi_application()
