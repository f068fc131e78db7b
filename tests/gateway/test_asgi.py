import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.gateway.fake import HANDSHAKE, FakeExchange, FakeWebSocket, request
from tests.server.stage import DATE, Gate, Stage, get

from portico.errors import WebSocketClosed
from portico.gateway.asgi import Asgi
from portico.gateway.contract import Exchange

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
CHUNKED = f"HTTP/1.1 200 OK\r\n{DATE}content-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


async def hello(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"hello\n"})


async def test_hello(stage: Stage) -> None:
    await stage.serve(Asgi(hello))
    peer = await stage.connect()
    for _ in range(3):
        await peer.play("""
            > GET / HTTP/1.1
            > Host: a
            >
            < HTTP/1.1 200 OK
            < Date: Sun, 06 Nov 1994 08:49:37 GMT
            < content-type: text/plain
            < Content-Length: 6
            <
        """)
        assert await peer.read(6) == b"hello\n"


def test_an_application_that_never_waits_needs_no_task() -> None:
    exchange = FakeExchange(request())
    with pytest.raises(StopIteration):
        Asgi(hello)(exchange).send(None)
    assert exchange.calls == [("reply", 200, None, b"hello\n")]
    assert exchange.keeps_running


async def test_the_body_comes_and_goes_in_pieces(stage: Stage) -> None:
    """An echo that answers while it is still being asked."""

    async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        has_more = True
        while has_more:
            message = await receive()
            has_more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": has_more})

    await stage.serve(Asgi(echo))
    peer = await stage.connect()
    await peer.send(get("/", "Transfer-Encoding: chunked", method="POST"))
    await peer.send(b"5\r\nhello\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in await peer.read_head()
    assert await peer.read(10) == b"5\r\nhello\r\n"
    await peer.send(b"6\r\n world\r\n0\r\n\r\n")
    assert await peer.read(16) == b"6\r\n world\r\n0\r\n\r\n"


async def test_the_head_of_a_stream_does_not_wait_for_its_first_bytes(stage: Stage) -> None:
    gate = Gate()

    async def stream(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "more_body": True})
        await gate.passed()
        await send({"type": "http.response.body"})

    await stage.serve(Asgi(stream))
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.read_head() == CHUNKED
    gate.open()
    assert await peer.read(5) == b"0\r\n\r\n"


async def test_an_application_waits_for_a_peer_that_does_not_read(stage: Stage) -> None:
    sent = 0

    async def stream(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(START)
        while sent < 16:
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
            sent += 1
        await send({"type": "http.response.body"})

    await stage.serve(Asgi(stream))
    peer = await stage.connect(window=1 << 16)
    await peer.send(get())
    await stage.until(lambda: sent)
    before = -1
    while sent > before:
        before = sent
        for _ in range(100):
            await asyncio.sleep(0)
    assert sent < 16
    await peer.read_head()
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    for _ in range(16):
        assert await peer.read(len(piece)) == piece
    assert await peer.read(5) == b"0\r\n\r\n"
    assert sent == 16


async def test_a_listener_hears_that_the_peer_has_gone(stage: Stage) -> None:
    seen: list[object] = []

    async def listen(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(await receive())
        seen.append((await receive())["type"])

    await stage.serve(Asgi(listen))
    peer = await stage.connect()
    await peer.send(get())
    await stage.until(lambda: seen)
    peer.reset()
    await stage.until(lambda: len(seen) == 2)
    assert seen == [{"type": "http.request", "body": b"", "more_body": False}, "http.disconnect"]
    await stage.logged()


async def test_a_sender_hears_that_the_peer_has_gone(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[BaseException] = []

    async def stream(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
                await asyncio.sleep(0)
        except OSError as exc:
            seen.append(exc)
            raise

    await stage.serve(Asgi(stream))
    peer = await stage.connect()
    await peer.send(get())
    await peer.read_head()
    peer.reset()
    await stage.until(lambda: seen)
    await stage.logged()
    assert caplog.records == []


async def test_a_body_that_is_cut_is_never_taken_for_a_whole_one(stage: Stage) -> None:
    seen: list[str] = []

    async def read(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while not seen or seen[-1] == "http.request":
            seen.append((await receive())["type"])

    await stage.serve(Asgi(read))
    peer = await stage.connect()
    await peer.send(get("/", "Content-Length: 10", method="POST") + b"hello")
    await stage.until(lambda: seen)
    peer.half_close()
    await stage.until(lambda: len(seen) == 2)
    assert seen == ["http.request", "http.disconnect"]
    assert (await peer.read_head()).startswith(b"HTTP/1.1 400 ")


# --- what goes wrong ----------------------------------------------------------------------------


def failing(exc: BaseException, *messages: dict[str, Any]) -> Any:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        raise exc

    return app


PIECE = {"type": "http.response.body", "body": b"hello", "more_body": True}


FATAL = [ValueError("oops"), SystemExit(3), KeyboardInterrupt(), BaseExceptionGroup("several", [SystemExit()])]


@pytest.mark.parametrize("messages", [(), (START,)], ids=["nothing", "start"])
@pytest.mark.parametrize("exc", FATAL, ids=lambda exc: type(exc).__name__)
async def test_an_application_that_fails_before_its_answer_is_a_500(
    stage: Stage, exc: BaseException, messages: tuple[dict[str, Any], ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A head that is held back counts for nothing, and the server goes on whatever is raised."""
    await stage.serve(Asgi(failing(exc, *messages)))
    peer = await stage.connect()
    for count in (1, 2):
        await peer.send(get())
        assert (await peer.read_head()).startswith(b"HTTP/1.1 500 ")
        await peer.read(len(b"500 Internal Server Error: the application failed\n"))
        assert len(caplog.records) == count
        assert caplog.records[0].exc_info is not None


async def test_an_application_that_fails_within_its_answer_cuts_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.serve(Asgi(failing(ValueError("oops"), START, PIECE)))
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.read_head() == CHUNKED
    assert await peer.read(10) == b"5\r\nhello\r\n"
    assert await peer.is_closed()
    assert len(caplog.records) == 1


async def test_an_application_that_fails_after_its_answer_harms_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.serve(Asgi(failing(ValueError("oops"), START, {"type": "http.response.body", "body": b"hello"})))
    peer = await stage.connect()
    for count in (1, 2):
        await peer.send(get())
        assert (await peer.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await peer.read(5) == b"hello"
        assert len(caplog.records) == count


async def silent(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    pass


async def half(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await send(START)


@pytest.mark.parametrize("app", [silent, half])
async def test_no_answer_is_a_500(stage: Stage, app: Any) -> None:
    await stage.serve(Asgi(app))
    peer = await stage.connect()
    await peer.send(get())
    assert (await peer.read_head()).startswith(b"HTTP/1.1 500 ")


async def test_an_answer_that_is_left_unfinished_is_cut(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send(START)
        await send(PIECE)

    await stage.serve(Asgi(app))
    peer = await stage.connect()
    await peer.send(get())
    assert await peer.is_closed()
    assert "returned before its answer was complete" in str(caplog.records[0].exc_info)


def test_a_request_that_is_closed_down_stays_closed() -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def run(exchange: Exchange) -> None:
        task = asyncio.create_task(Asgi(app)(exchange))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run(FakeExchange(request())))
    asyncio.run(run(FakeExchange(request("/", *HANDSHAKE))))


# --- WebSockets ---------------------------------------------------------------------------------


def converse(app: Any, *lines: str, messages: tuple[str | bytes, ...] = ()) -> tuple[FakeExchange, FakeWebSocket]:
    websocket = FakeWebSocket(messages, WebSocketClosed(1001, "bye"))
    exchange = FakeExchange(request("/ws", *(lines or HANDSHAKE)), websocket=websocket)
    asyncio.run(Asgi(app)(exchange))
    return exchange, websocket


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    assert message == {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}


def test_a_websocket_is_a_conversation() -> None:
    exchange, websocket = converse(echo, messages=("text", b"bytes"))
    assert exchange.calls == [("upgrade", None)]
    assert websocket.calls == ["text", b"bytes"]


# (field lines, status)
NO_HANDSHAKES = [
    (HANDSHAKE[1:], 400),
    ((*HANDSHAKE[:2], "Sec-WebSocket-Version: 8", HANDSHAKE[3]), 426),
    (HANDSHAKE[:3], 400),
]


@pytest.mark.parametrize(("lines", "status"), NO_HANDSHAKES)
def test_the_application_never_sees_a_bad_handshake(lines: tuple[str, ...], status: int) -> None:
    exchange, _ = converse(failing(AssertionError()), *lines)
    assert [call[:2] for call in exchange.calls if isinstance(call, tuple)] == [("reply", status)]


def test_another_protocol_to_upgrade_to_is_a_plain_request() -> None:
    exchange, _ = converse(hello, "Connection: Upgrade", "Upgrade: h2c")
    assert exchange.status == 200


@pytest.mark.parametrize("exc", [ValueError(), SystemExit(3)])
def test_a_conversation_that_fails_is_closed_with_1011(exc: BaseException) -> None:
    websocket = FakeWebSocket((), WebSocketClosed(1001))
    exchange = FakeExchange(request("/ws", *HANDSHAKE), websocket=websocket)
    with pytest.raises(ValueError if isinstance(exc, ValueError) else RuntimeError):
        asyncio.run(Asgi(failing(exc, {"type": "websocket.accept"}))(exchange))
    assert websocket.calls == [(1011, "")]


# --- the mount ----------------------------------------------------------------------------------


@pytest.mark.parametrize("root_path", ["/shop", "shop/", "/shop/"])
def test_the_application_is_told_where_it_is_mounted(root_path: str) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        seen.append(scope)

    state = {"pool": object()}
    asyncio.run(Asgi(app, root_path=root_path, state=state)(FakeExchange(request("/a"))))
    assert (seen[0]["root_path"], seen[0]["path"]) == ("/shop", "/shop/a")
    assert seen[0]["state"] == state
    assert seen[0]["state"] is not state
