"""Which handler gets a path, and what cannot be mounted."""

import pytest
from tests.server.stage import Stage, get

from portico.errors import UsageError
from portico.http.message import Response
from portico.server.exchange import Exchange, Handler
from portico.server.router import Router, route


def named(name: str) -> Handler:
    def answer(exchange: Exchange) -> None:
        exchange.respond(Response(200, (), f"{name}:{exchange.request.path}".encode()))

    return answer


PREFIXES = ("/", "/static", "/static/deep/", "/a%20b", "/%C3%A9")
PATHS = [
    ("/", "/"),
    ("/page", "/"),
    ("/static", "/static"),
    ("/static/", "/static"),
    ("/static/x.css", "/static"),
    ("/statics", "/"),
    ("/static/deep", "/static/deep/"),
    ("/static/deep/er", "/static/deep/"),
    ("/static/deeper", "/static"),
    ("/%73tatic/x", "/static"),
    ("//static/x", "/static"),
    ("/./static/x", "/static"),
    ("/static/../page", "/"),
    ("/page/../static/x", "/static"),
    ("/static%2Fx", "/"),
    ("/static/%zz", "/static"),
    ("/static/../..", "/static"),
    ("/a%20b/c", "/a%20b"),
    ("/a%20b", "/a%20b"),
    ("/%c3%a9/x", "/%C3%A9"),
    ("*", "/"),
]


@pytest.mark.parametrize(("path", "prefix"), PATHS)
async def test_the_longest_prefix_answers(stage: Stage, path: str, prefix: str) -> None:
    await stage.serve(route({prefix: named(prefix) for prefix in PREFIXES}))
    peer = await stage.connect()
    await peer.send(get(path, "Connection: close", method="OPTIONS" if path == "*" else "GET"))
    assert (await peer.read_all()).rpartition(b"\r\n\r\n")[2].decode() == f"{prefix}:{path}"


async def test_where_nothing_is_mounted(stage: Stage) -> None:
    await stage.serve(route({"/static": named("static")}))
    peer = await stage.connect()
    await peer.send(get("/page", "Connection: close"))
    answer = await peer.read_all()
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"404 Not Found: nothing is served under this path\n")


async def test_a_coroutine_is_handed_on(stage: Stage) -> None:
    async def later(exchange: Exchange) -> None:
        assert await exchange.read() == b""
        exchange.respond(Response(200, (), b"later"))

    await stage.serve(route({"/later": later}))
    peer = await stage.connect()
    await peer.send(get("/later", "Connection: close"))
    assert (await peer.read_all()).endswith(b"later")


def test_a_single_handler_needs_no_router() -> None:
    only = named("only")
    assert route({"/": only}) is only


@pytest.mark.parametrize("prefix", ["", "static", "http://a/", "/..", "/%zz", "/a%2Fb", "*"])
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(UsageError, match="not a path to mount at"):
        Router({prefix: named("x")})


def test_a_prefix_that_is_there_twice() -> None:
    with pytest.raises(UsageError, match="mounted twice"):
        Router({"/static": named("x"), "/%73tatic/": named("y")})
