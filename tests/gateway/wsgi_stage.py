"""WSGI applications on the stage: each behind `wsgiref.validate` unless it is wrong on purpose."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

from tests.server.stage import Peer, Stage

from portico.gateway.wsgi import Wsgi
from portico.settings import App

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], object]]
Application = Callable[[Environ, Start], Any]

TEXT = ("Content-Type", "text/plain")


async def put_on(stage: Stage, app: Application, *, is_valid: bool = True, **settings: Any) -> Wsgi:
    """Serve an application. settings: of the group App, two threads without; the others are limits."""
    limits = {name: settings.pop(name) for name in tuple(settings) if name not in App.__slots__}
    options = {"threads": 2, "max_threads": 2, **settings}
    gateway = Wsgi(validator(app) if is_valid else app, App(**options))
    await stage.serve(gateway, **limits)
    return gateway


def answering(result: Callable[[], Any], *headers: tuple[str, str], status: str = "200 OK") -> Application:
    """An application that answers everything the same way."""

    def app(environ: Environ, start_response: Start) -> Any:
        start_response(status, [TEXT, *headers])
        return result()

    return app


def echo(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Answer with what was sent."""
    data = environ["wsgi.input"].read(-1)
    start_response("200 OK", [TEXT, ("Content-Length", str(len(data)))])
    return [data]


def show(*keys: str) -> Application:
    """Answer with some of the environ."""

    def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [TEXT])
        return [repr([environ.get(key) for key in keys]).encode()]

    return app


class Closing:
    """Pieces that count how often they are closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        self.closed += 1


async def read_answer(peer: Peer, *, is_head: bool = False) -> tuple[bytes, bytes]:
    """Return the head and the body of one answer, without its framing."""
    head = await peer.read_head()
    if is_head or b" 204 " in head or b" 304 " in head:
        return head, b""
    if b"\r\nTransfer-Encoding: chunked\r\n" not in head:
        return head, await peer.read(int(head.partition(b"\r\nContent-Length: ")[2].split(b"\r\n")[0]))
    body = b""
    while size := int(await _read_line(peer), 16):
        body += await peer.read(size)
        assert await _read_line(peer) == b""
    assert await _read_line(peer) == b""
    return head, body


async def _read_line(peer: Peer) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        byte = await peer.read(1)
        assert byte, f"the connection ended behind {line!r}"
        line += byte
    return line[:-2]
