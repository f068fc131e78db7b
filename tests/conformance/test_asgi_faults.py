"""What ASGI applications do wrong, and what their clients see of it: never half an answer that looks whole.

And what clients do wrong, and what applications see of it: never half a body that looks whole. After each fault the
server answers the next client; real sockets.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from tests.gateway.fake import HANDSHAKE
from tests.server.stage import Peer, Stage, get

from portico.gateway.asgi import Asgi

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
LAST: dict[str, Any] = {"type": "http.response.body", "body": b"hello"}
MORE: dict[str, Any] = {**LAST, "more_body": True}
TRAILERS: dict[str, Any] = {"type": "http.response.trailers", "headers": [(b"x", b"y")]}
ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
CLOSE: dict[str, Any] = {"type": "websocket.close"}


def sends(*steps: Any) -> App:
    """Return an application that sends these messages and raises these exceptions; `None` is a turn of the loop."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            await (asyncio.sleep(0) if step is None else send(step))

    return app


def with_header(name: bytes, value: bytes) -> dict[str, Any]:
    return {**START, "headers": [(name, value)]}


def sized(length: int) -> dict[str, Any]:
    return with_header(b"content-length", b"%d" % length)


async def waits_then_raises(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.sleep(0)
    raise ZeroDivisionError


async def runs_a_child_that_leaves(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        raise SystemExit(3)


def not_a_coroutine(scope: dict[str, Any], receive: Receive, send: Send) -> Any:
    return None


def takes_too_little(scope: dict[str, Any]) -> Any:
    return None


def names(table: Sequence[Any]) -> list[str]:
    return [row[0] for row in table]


async def serve(stage: Stage, app: Any, **limits: Any) -> Peer:
    """Serve the application under every path but /good, which is without fault."""

    async def both(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await (sends(START, LAST) if scope["path"] == "/good" else app)(scope, receive, send)

    await stage.serve(Asgi(both), **limits)
    return await stage.connect()


async def check_alive(stage: Stage) -> None:
    peer = await stage.connect()
    await peer.send(get("/good"))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert await peer.read(5) == b"hello"


BAD_STATUSES = (-1, 0, 99, 100, 101, 199, 600, 1000)
BAD_TRAILERS = {**TRAILERS, "headers": [(b"x", b"a\r\nb")]}
REFUSED: list[tuple[str, Any]] = [
    ("raises at once", sends(ZeroDivisionError())),
    ("raises after the start", sends(START, ZeroDivisionError())),
    ("raises after the start and a turn", sends(START, None, ZeroDivisionError())),
    ("raises after waiting", waits_then_raises),
    ("sys.exit", sends(SystemExit(3))),
    ("sys.exit after a turn", sends(None, SystemExit(3))),
    ("sys.exit beside a child", runs_a_child_that_leaves),
    ("KeyboardInterrupt", sends(KeyboardInterrupt())),
    ("a group with sys.exit", sends(BaseExceptionGroup("several", [SystemExit(3)]))),
    ("CancelledError of its own", sends(asyncio.CancelledError())),
    ("returns nothing", sends()),
    ("returns after the start", sends(START)),
    ("is no coroutine function", not_a_coroutine),
    ("takes one argument", takes_too_little),
    ("body first", sends(LAST)),
    ("starts twice", sends(START, START, LAST)),
    ("trailers that were not announced", sends(START, TRAILERS)),
    ("an unknown message", sends({"type": "http.response.nothing"})),
    ("a message of WebSocket", sends(ACCEPT)),
    ("no message", sends({})),
    ("a number for a message", sends(7)),
    ("no status", sends({"type": "http.response.start"}, LAST)),
    ("a status that is text", sends({**START, "status": "200"}, LAST)),
    *[
        (f"status {status}", sends({**START, "status": status}, LAST))
        for status in (-1, 0, 99, 100, 101, 199, 600, 1000)
    ],
    ("a line break in a value", sends(with_header(b"x-a", b"b\r\nx-evil: 1"), LAST)),
    ("a bare LF in a value", sends(with_header(b"x-a", b"b\nx-evil: 1"), LAST)),
    ("a bare CR in a value", sends(with_header(b"x-a", b"b\rx-evil: 1"), LAST)),
    ("a NUL in a value", sends(with_header(b"x-a", b"b\0"), LAST)),
    ("a line break in a name", sends(with_header(b"x-a: b\r\nx-evil", b"1"), LAST)),
    ("no name", sends(with_header(b"", b"1"), LAST)),
    ("a space in a name", sends(with_header(b"x a", b"1"), LAST)),
    ("a value that is a number", sends({**START, "headers": [(b"x", 7)]}, LAST)),
    ("a header that is no pair", sends({**START, "headers": [(b"x",)]}, LAST)),
    ("headers that are a number", sends({**START, "headers": 7}, LAST)),
    ("a Content-Length that is no number", sends(with_header(b"content-length", b"+5"), LAST)),
    ("two Content-Lengths", sends({**START, "headers": [*sized(4)["headers"], *sized(5)["headers"]]}, LAST)),
    ("a body that is text", sends(START, {**LAST, "body": "hello"})),
    ("a body that is None", sends(START, {**LAST, "body": None})),
    ("a file that is not there", sends(START, {"type": "http.response.pathsend", "path": "/missing"})),
    ("a folder for a file", sends(START, {"type": "http.response.pathsend", "path": "/"})),
    ("a descriptor that is closed", sends(START, {"type": "http.response.zerocopysend", "file": 1 << 20})),
]


@pytest.mark.parametrize("app", [app for _, app in REFUSED], ids=names(REFUSED))
async def test_before_the_answer_a_fault_is_a_500(stage: Stage, app: Any) -> None:
    peer = await serve(stage, app)
    for _ in range(2):
        await peer.send(get())
        head = await peer.read_head()
        assert head.startswith(b"HTTP/1.1 500 ")
        assert b"x-evil" not in head.lower()
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        assert (await peer.read(length)).startswith(b"500 Internal Server Error")
    await check_alive(stage)


CUT: list[tuple[str, Any]] = [
    ("raises", sends(START, MORE, ZeroDivisionError())),
    ("raises after a turn", sends(START, MORE, None, ZeroDivisionError())),
    ("sys.exit", sends(START, MORE, SystemExit(3))),
    ("returns", sends(START, MORE)),
    ("starts again", sends(START, MORE, START)),
    ("a body that is text", sends(START, MORE, {**LAST, "body": "hello"})),
    ("trailers that do not come", sends({**START, "trailers": True}, LAST)),
    (
        "trailers with a line break",
        sends({**START, "trailers": True}, LAST, {**TRAILERS, "headers": [(b"x", b"a\r\nb")]}),
    ),
    ("less than announced", sends(sized(10), MORE, {**LAST, "body": b""})),
    ("less than announced, at once", sends(sized(10), LAST)),
]


@pytest.mark.parametrize("app", [app for _, app in CUT], ids=names(CUT))
async def test_within_the_answer_a_fault_cuts_the_connection(stage: Stage, app: Any) -> None:
    peer = await serve(stage, app)
    await peer.send(get("/", "TE: trailers", "Connection: TE"))
    head = await peer.read_head()
    assert head.startswith(b"HTTP/1.1 200 ")
    body = b""
    try:
        body = await peer.read_all()
    except ConnectionResetError:
        pass
    assert not body.endswith(b"0\r\n\r\n")
    assert len(body) < 10 or b"chunked" in head
    await check_alive(stage)


# (name, application, what the head says, body)
WHOLE: list[tuple[str, Any, bytes, bytes]] = [
    ("raises behind it", sends(START, LAST, ZeroDivisionError()), b"Content-Length: 5", b"hello"),
    ("raises behind it, later", sends(START, LAST, None, ZeroDivisionError()), b"Content-Length: 5", b"hello"),
    ("sys.exit behind it", sends(START, LAST, SystemExit(3)), b"Content-Length: 5", b"hello"),
    ("goes on behind it", sends(START, LAST, LAST, LAST), b"Content-Length: 5", b"hello"),
    ("starts again behind it", sends(START, LAST, START, LAST), b"Content-Length: 5", b"hello"),
    ("goes on behind a stream", sends(START, MORE, LAST, LAST), b"chunked", b"5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("an empty piece", sends(START, {**MORE, "body": b""}, LAST), b"chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    ("more than announced", sends(sized(3), LAST), b"content-length: 3", b"hel"),
    ("more than announced, later", sends(sized(7), MORE, LAST), b"content-length: 7", b"hellohe"),
    ("framing of its own", sends(with_header(b"transfer-encoding", b"gzip, chunked"), LAST), b"Length: 5", b"hello"),
]


@pytest.mark.parametrize(("app", "says", "body"), [row[1:] for row in WHOLE], ids=names(WHOLE))
async def test_an_answer_that_is_whole_stays_so(stage: Stage, app: Any, says: bytes, body: bytes) -> None:
    """The connection goes on, and what comes next begins where the answer ends."""
    peer = await serve(stage, app)
    await peer.send(get())
    assert says.lower() in (await peer.read_head()).lower()
    assert await peer.read(len(body)) == body
    await peer.send(get("/good"))
    assert (await peer.read(12)) in (b"HTTP/1.1 200", b"")
    await check_alive(stage)


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(stage: Stage, status: int) -> None:
    peer = await serve(stage, sends({**START, "status": status}, MORE, LAST))
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 %d " % status)
    await peer.send(get("/good"))
    assert await peer.read(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("steps", [(START, LAST), (START, MORE, LAST), (sized(100), {**LAST, "body": b""})])
async def test_an_answer_to_head_has_no_body(stage: Stage, steps: tuple[Any, ...]) -> None:
    peer = await serve(stage, sends(*steps))
    for _ in range(2):
        await peer.send(get(method="HEAD"))
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert peer.hears_nothing()


async def test_an_application_that_never_answers_is_given_up(stage: Stage) -> None:
    async def never(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    peer = await serve(stage, never, answer_timeout=5.0)
    await peer.send(get())
    await stage.until(lambda: stage.server.active)
    stage.pass_time(20)
    assert (await peer.read_head()).startswith(b"HTTP/1.1 503 ")
    await check_alive(stage)


# --- what clients do ----------------------------------------------------------------------------


class Reader:
    """An application that reads the body and answers; heard: the types of what it received, and the body."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.body = b""
        self.is_over = False

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            message: dict[str, Any] = {"more_body": True}
            while message.get("more_body"):
                message = await receive()
                self.heard.append(message["type"])
                self.body += message.get("body", b"")
            await send(START)
            await send(LAST)
        finally:
            self.is_over = True


CHUNKED = "Transfer-Encoding: chunked"
# (name, field line, body that is sent, status of the answer)
BAD_BODIES = [
    ("cut", "Content-Length: 10", b"hello", b"400"),
    ("not begun", "Content-Length: 10", b"", b"400"),
    ("cut within a chunk", CHUNKED, b"a\r\nhello", b"400"),
    ("cut between chunks", CHUNKED, b"5\r\nhello\r\n", b"400"),
    ("garbage for a chunk", CHUNKED, b"5\r\nhello\r\nzz\r\n", b"400"),
    ("garbage behind a chunk", CHUNKED, b"5\r\nhelloXX3\r\nabc\r\n0\r\n\r\n", b"400"),
    ("too large", CHUNKED, b"fffffff\r\n" + bytes(100), b"413"),
]


@pytest.mark.parametrize(
    ("line", "data", "status"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES]
)
async def test_a_body_that_is_not_whole_never_looks_so(stage: Stage, line: str, data: bytes, status: bytes) -> None:
    app = Reader()
    peer = await serve(stage, app, max_body=1 << 20)
    await peer.send(get("/", line, method="POST"))
    await stage.until(lambda: stage.server.active)
    await peer.send(data)
    peer.half_close()
    assert (await peer.read_head())[9:12] == status
    await stage.until(lambda: app.is_over)
    assert app.heard[-1] == "http.disconnect"
    await check_alive(stage)


async def test_a_body_that_trickles_is_whole_in_the_end(stage: Stage) -> None:
    app = Reader()
    peer = await serve(stage, app)
    await peer.send(get("/", CHUNKED, method="POST"))
    for byte in b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
        await peer.send(bytes([byte]))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert app.body == b"abcde"


async def test_a_body_waits_for_who_asked_whether_it_may_come(stage: Stage) -> None:
    app = Reader()
    peer = await serve(stage, app)
    await peer.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
    assert await peer.read_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await peer.send(b"hello")
    assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
    assert app.body == b"hello"


class Endless:
    """An application that waits, or streams without end, until the client has gone. phase: what it is at."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self.is_begun = self.is_over = False

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            self.is_begun = True
            if self.phase == "listening":
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
            await send(START)
            if self.phase == "streaming":
                while True:
                    await send({**MORE, "body": bytes(1 << 16)})
                    await asyncio.sleep(0)
            await send(MORE)
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.is_over = True


@pytest.mark.parametrize("phase", ["listening", "streaming", "between pieces"])
@pytest.mark.parametrize("line", ["Content-Length: 0", "Content-Length: 10"])
async def test_a_client_may_go_in_every_phase(
    stage: Stage, phase: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Endless(phase)
    peer = await serve(stage, app)
    await peer.send(get("/", line, method="POST"))
    await stage.until(lambda: app.is_begun)
    peer.reset()
    await stage.until(lambda: app.is_over)
    await stage.logged()
    await check_alive(stage)
    assert caplog.records == []


# --- WebSockets ---------------------------------------------------------------------------------

REFUSED_HANDSHAKES: list[tuple[str, Any]] = [
    ("raises", sends(ZeroDivisionError())),
    ("sys.exit", sends(SystemExit(3))),
    ("returns", sends()),
    ("sends before it accepts", sends({"type": "websocket.send", "text": "hello"})),
    ("a message of HTTP", sends(START, LAST)),
    ("a subprotocol that was not offered", sends({**ACCEPT, "subprotocol": "chat"})),
    ("a line break in a header", sends({**ACCEPT, "headers": [(b"x", b"a\r\nx-evil: 1")]})),
    ("a header of the handshake's own", sends({**ACCEPT, "headers": [(b"sec-websocket-accept", b"x")]})),
    ("half a denial", sends({**START, "type": "websocket.http.response.start"})),
]


@pytest.mark.parametrize("app", [row[1] for row in REFUSED_HANDSHAKES], ids=names(REFUSED_HANDSHAKES))
async def test_before_the_accept_a_fault_is_a_500(stage: Stage, app: Any) -> None:
    peer = await serve(stage, app)
    await peer.send(get("/", *HANDSHAKE))
    head = await peer.read_head()
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"x-evil" not in head.lower()
    await check_alive(stage)


# (name, application, close code)
CLOSED: list[tuple[str, Any, int]] = [
    ("raises", sends(ACCEPT, ZeroDivisionError()), 1011),
    ("raises after a turn", sends(ACCEPT, None, ZeroDivisionError()), 1011),
    ("sys.exit", sends(ACCEPT, SystemExit(3)), 1011),
    ("returns", sends(ACCEPT), 1000),
    ("accepts again", sends(ACCEPT, ACCEPT), 1011),
    ("sends nothing", sends(ACCEPT, {"type": "websocket.send"}), 1011),
    ("sends a number", sends(ACCEPT, {"type": "websocket.send", "text": 7}), 1011),
    ("a code that may not be sent", sends(ACCEPT, {**CLOSE, "code": 1006}), 1011),
    (
        "sends behind its close",
        sends(ACCEPT, {"type": "websocket.close"}, {"type": "websocket.send", "text": "x"}),
        1000,
    ),
]


@pytest.mark.parametrize(("app", "code"), [row[1:] for row in CLOSED], ids=names(CLOSED))
async def test_behind_the_accept_a_fault_is_a_close_frame(stage: Stage, app: Any, code: int) -> None:
    peer = await serve(stage, app)
    await peer.send(get("/", *HANDSHAKE))
    assert (await peer.read_head()).startswith(b"HTTP/1.1 101 ")
    frame = await peer.read(4)
    assert (frame[0], int.from_bytes(frame[2:])) == (0x88, code)
    await check_alive(stage)
