"""A Django application, for both interfaces: a greeting, and a page with a table of one hundred rows.

The middleware is what `startproject` writes, less what needs a database.
"""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from table import ROWS

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head><body><h1>{{ title }}</h1>
<table><thead><tr><th>No.</th><th>Name</th><th>City</th><th>Amount</th></tr></thead><tbody>
{% for row in rows %}<tr><td>{{ row.number }}</td><td>{{ row.name }}</td><td>{{ row.city }}</td>
<td>{{ row.amount|floatformat:2 }}</td></tr>
{% endfor %}</tbody></table></body></html>
"""

LOADER = ("django.template.loaders.locmem.Loader", {"page.html": PAGE})
settings.configure(
    DEBUG=False,
    SECRET_KEY="of no use to anyone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.cached.Loader", [LOADER])]},
        }
    ],
)
django.setup()


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world!\n", content_type="text/plain")


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html", {"title": "One hundred rows", "rows": ROWS})


urlpatterns = [path("", hello), path("page", page)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
