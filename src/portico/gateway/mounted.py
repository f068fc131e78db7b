"""An application below another's path, told where it is.

A gateway's root path is what a proxy has taken off. What a router of ours hands on still has the mount's path in it:
in ASGI `root_path` grows and `path` stays (ASGI HTTP, `root_path`), in WSGI it moves from PATH_INFO to SCRIPT_NAME
(PEP 3333).
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


def mounted_asgi(app: Application, path: str) -> Application:
    """Return an application that is `app`, told that it is mounted at a path, such as "/api"."""

    async def at_path(scope: Scope, receive: Receive, send: Send) -> None:
        if "root_path" in scope:
            scope["root_path"] += path
        await app(scope, receive, send)

    return at_path


def mounted_wsgi(app: Callable[[Any, Any], Iterable[bytes]], path: str) -> Callable[[Any, Any], Iterable[bytes]]:
    """Return an application that is `app`, told that it is mounted at a path, such as "/api"."""

    def at_path(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] += path
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(path)
        return app(environ, start_response)

    return at_path
