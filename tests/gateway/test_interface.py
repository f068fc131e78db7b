"""WSGI, ASGI and services are told apart by how an object may be called; what is neither is told what it is."""

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest

from portico import datagram_service, stream_service
from portico.errors import ConfigError
from portico.gateway.interface import recognise


def wsgi(environ: Any, start_response: Any) -> Any: ...
def wsgi_short(env: Any, respond: Any, extra: int = 0) -> Any: ...
def wsgi_or_three(environ: Any, start_response: Any, extra: Any = None) -> Any: ...
async def asgi(scope: Any, receive: Any, send: Any) -> None: ...
def asgi_returning(scope: Any, receive: Any, send: Any) -> Any: ...
def asgi_or_two(scope: Any, receive: Any, send: Any = None) -> Any: ...
def with_key(key: Any, environ: Any, start_response: Any) -> Any: ...
def factory() -> Any: ...
def anything(*args: Any) -> Any: ...
def asgi_2(scope: Any) -> Any: ...
def one(request: Any) -> Any: ...
def four(a: Any, b: Any, c: Any, d: Any) -> Any: ...
def keyed(environ: Any, start_response: Any, *, key: Any) -> Any: ...


async def talk(stream: Any) -> None: ...
def talk_blocking(conn: Any) -> None: ...
async def clock(datagram: bytes, peer: Any) -> bytes | None: ...
def clock_plain(data: bytes, addr: Any) -> bytes | None: ...


async def talk_with_more(stream: Any, text: str = "hi", *, times: int = 1) -> None: ...


class Talker:
    async def __call__(self, stream: Any) -> None: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class WsgiClass:
    def __init__(self, environ: Any, start_response: Any) -> None: ...


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Asgi2:
    def __init__(self, scope: Any) -> None: ...


class Framework:
    def __init__(self, name: str = "", folder: str = "", debug: bool = False) -> None: ...


class Inner:
    server = staticmethod(wsgi)


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (wsgi, "wsgi"),
        (wsgi_short, "wsgi"),
        (wsgi_or_three, "wsgi"),
        (lambda environ, start_response: [], "wsgi"),
        (functools.partial(with_key, "key"), "wsgi"),
        (Wsgi(), "wsgi"),
        (Wsgi().__call__, "wsgi"),
        (WsgiClass, "wsgi"),
        (asgi, "asgi"),
        (asgi_returning, "asgi"),
        (asgi_or_two, "asgi"),
        (functools.partial(asgi), "asgi"),
        (Asgi(), "asgi"),
        (Asgi().__call__, "asgi"),
        (talk, "stream"),
        (talk_blocking, "stream"),
        (talk_with_more, "stream"),
        (functools.partial(talk_with_more, text="hi"), "stream"),
        (Talker(), "stream"),
        (Talker().__call__, "stream"),
        (stream_service(talk), "stream"),
        (stream_service(is_quick=True)(clock_plain), "stream"),
        (clock, "datagram"),
        (clock_plain, "datagram"),
        (datagram_service(clock), "datagram"),
        (datagram_service(lambda anything, at_all: b""), "datagram"),
    ],
)
def test_what_applications_speak(app: Callable[..., Any], interface: str) -> None:
    assert recognise(app, "main:app") == interface


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        ("text", "main:app is a str, not an application; an application can be called"),
        (5, "main:app is an int, not an application"),
        (Inner(), r"main:app is an Inner, not an application; did you mean main:app\.server\?"),
        (
            types.ModuleType("site.app"),
            "main:app is a module, not an application; name an attribute of it: site.app:app",
        ),
        (factory, r"main:app takes no arguments; if it makes the application, write main:app\(\)"),
        (anything, "may be called with two arguments or three; say which it is: --interface wsgi or --interface asgi"),
        (Framework, r"main:app is a class; name an instance of it, or make one: main:app\(\)"),
        (Asgi, "main:app is a class"),
        (Asgi2, "main:app takes a scope alone, as in ASGI 2"),
        (asgi_2, "main:app takes a scope alone, as in ASGI 2, .*guarantee_single_callable"),
        (one, r"takes neither \(environ, start_response\), as WSGI does, nor \(scope, receive, send\)"),
        (one, r"nor \(stream\) or \(datagram, peer\), as services do"),
        (four, "takes neither"),
        (keyed, "takes neither"),
        (max, "main:app does not show how it is called; say which it is: --interface"),
    ],
)
def test_what_is_no_application(app: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        recognise(app, "main:app")
