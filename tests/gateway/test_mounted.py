"""A mounted application is told where it is, and sees the path as it came."""

import asyncio
from typing import Any

import pytest

from portico.gateway.mounted import mounted_asgi, mounted_wsgi


async def nothing(*message: Any) -> None: ...


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (
            {"type": "http", "path": "/api/x", "root_path": ""},
            {"type": "http", "path": "/api/x", "root_path": "/api"},
        ),
        (
            {"type": "websocket", "path": "/shop/api/x", "root_path": "/shop"},
            {"type": "websocket", "path": "/shop/api/x", "root_path": "/shop/api"},
        ),
        ({"type": "lifespan"}, {"type": "lifespan"}),
    ],
)
def test_what_an_asgi_application_is_told(scope: dict[str, Any], seen: dict[str, Any]) -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append((scope, receive, send))

    asyncio.run(mounted_asgi(app, "/api")(scope, nothing, nothing))  # type: ignore[arg-type]
    assert told == [(seen, nothing, nothing)]


@pytest.mark.parametrize(
    ("script", "path", "seen"),
    [("", "/api/x", ("/api", "/x")), ("/shop", "/api", ("/shop/api", "")), ("", "/api/api", ("/api", "/api"))],
)
def test_what_a_wsgi_application_is_told(script: str, path: str, seen: tuple[str, str]) -> None:
    def app(environ: dict[str, str], start_response: Any) -> list[bytes]:
        return [environ["SCRIPT_NAME"].encode(), environ["PATH_INFO"].encode()]

    found = mounted_wsgi(app, "/api")({"SCRIPT_NAME": script, "PATH_INFO": path}, None)
    assert tuple(piece.decode() for piece in found) == seen
