"""A WSGI application (PEP 3333): a callable that gets the request and returns the pieces of the answer.

portico run wsgi_app:app --app-dir examples
"""

from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Greet whoever asks, by the path he asked for."""
    name = environ["PATH_INFO"].strip("/").encode("latin-1").decode() or "stranger"
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"hello, {name}\n".encode()]


def create_app(greeting: str = "hello") -> Callable[..., Iterable[bytes]]:
    """Make such an application with another word.

    portico run 'wsgi_app:create_app("welcome")' --app-dir examples
    """

    def greet(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{greeting}\n".encode()]

    return greet
