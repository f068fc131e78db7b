import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.fake import FakeExchange, request
from tests.server.stage import Stage, get

from portico.errors import Refused
from portico.gateway.asgi import Asgi
from portico.gateway.asgi_http import HttpCycle
from portico.gateway.asgi_message import ClientDisconnected
from portico.wire.answer import AppHeads

TEXT = b"0123456789"
START = {"type": "http.response.start", "status": 200}
MORE = {"type": "http.response.body", "body": b"more", "more_body": True}
EMPTY = {"type": "http.response.body"}
COPIED = [("begin", 200, None), ("write", TEXT), "flushed"]


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "file").write_bytes(TEXT)
    return str(tmp_path / "file")


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


async def act(exchange: FakeExchange, *messages: Any) -> HttpCycle:
    cycle = HttpCycle(exchange, AppHeads())
    for message in messages:
        await cycle.send(message)
    return cycle


def acted(*messages: Any) -> list[object]:
    exchange = FakeExchange(request())
    asyncio.run(act(exchange, *messages)).conclude()
    return exchange.calls


def sized(length: int) -> dict[str, Any]:
    return {**START, "headers": [(b"content-length", b"%d" % length)]}


def send_path(path: str) -> dict[str, Any]:
    return {"type": "http.response.pathsend", "path": path}


def send_file(file: Any, **keys: Any) -> dict[str, Any]:
    return {"type": "http.response.zerocopysend", "file": file, **keys}


@pytest.mark.parametrize("start", [START, sized(10), {**START, "headers": [(b"x", b"y")]}])
def test_a_path_is_a_whole_answer(path: str, start: dict[str, Any]) -> None:
    assert acted(start, send_path(path)) == [("stream", 200, 10, TEXT)]


def test_no_more_is_sent_than_announced(path: str) -> None:
    assert acted(sized(4), send_path(path)) == [("stream", 200, 4, b"0123")]


# (offset, count, position before, what is sent, position after)
PARTS = [
    (None, None, 0, TEXT, 10),
    (None, None, 3, b"3456789", 10),
    (None, 4, 3, b"3456", 7),
    (2, None, 3, b"23456789", 3),
    (2, 5, 3, b"23456", 3),
    (8, 5, 0, b"89", 0),
    (20, None, 0, b"", 0),
    (0, 0, 0, b"", 0),
]


@pytest.mark.parametrize("is_number", [True, False])
@pytest.mark.parametrize(("offset", "count", "before", "data", "after"), PARTS)
def test_a_part_of_an_open_file(
    path: str, offset: int | None, count: int | None, before: int, data: bytes, after: int, *, is_number: bool
) -> None:
    with open(path, "rb") as file:
        file.seek(before)
        if is_number:
            os.lseek(file.fileno(), before, os.SEEK_SET)
        message = send_file(file.fileno() if is_number else file, offset=offset, count=count)
        assert acted(START, message) == [("stream", 200, len(data), data)]
        assert (os.lseek(file.fileno(), 0, os.SEEK_CUR) if is_number else file.tell()) == after


def test_files_among_other_pieces(path: str) -> None:
    with open(path, "rb") as file:
        piece = send_file(file, offset=0, more_body=True)
        assert acted(START, piece, EMPTY) == [*COPIED, ("write", b""), ("end",)]
        assert acted(START, piece, send_file(file, count=0)) == [*COPIED, ("end",)]
        calls = acted(
            START,
            MORE,
            send_file(file, count=3),
        )
        assert calls == [("begin", 200, None), ("write", b"more"), "flushed", ("write", b"012"), "flushed", ("end",)]


def test_trailers_may_follow_a_file(path: str) -> None:
    trailers = {"type": "http.response.trailers"}
    assert acted({**START, "trailers": True}, send_path(path), trailers) == [*COPIED, ("end",)]


# (messages, exception)
MISTAKES: list[tuple[tuple[Any, ...], type[Exception]]] = [
    ((send_path("/missing"),), RuntimeError),
    ((START, send_path("/missing")), FileNotFoundError),
    ((START, send_path("/")), Refused),
    ((START, {"type": "http.response.pathsend"}), TypeError),
    ((START, MORE, send_path("/missing")), RuntimeError),
    ((send_file(0),), RuntimeError),
    ((START, {"type": "http.response.zerocopysend", "offset": -1}), TypeError),
    ((START, send_file(-1)), OSError),
]


@pytest.mark.parametrize(("messages", "kind"), MISTAKES)
def test_mistakes(messages: tuple[Any, ...], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        acted(*messages)


async def _disturb(path: str, file: Any, *, is_left: bool) -> None:
    exchange = FakeExchange(request())
    cycle = await act(exchange, START)
    waiting = cycle.send(send_file(file, more_body=True))
    if is_left:
        exchange.leave()
    else:
        os.truncate(path, 5)
    await waiting


def test_a_file_that_shrinks_is_never_padded(path: str) -> None:
    with open(path, "rb") as file, pytest.raises(Refused, match="shrank"):
        asyncio.run(_disturb(path, file, is_left=False))


def test_a_peer_may_go_while_a_file_is_copied(path: str) -> None:
    with open(path, "rb") as file, pytest.raises(ClientDisconnected):
        asyncio.run(_disturb(path, file, is_left=True))


@pytest.mark.parametrize("is_path", [True, False])
async def test_a_file_goes_over_the_wire(stage: Stage, tmp_path: Path, *, is_path: bool) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        if is_path:
            await send(send_path(str(tmp_path / "file")))
        else:
            with open(tmp_path / "file", "rb") as file:  # noqa: ASYNC230
                sending = send(send_file(file))
            await sending
        ended.append((await receive())["type"])

    await stage.serve(Asgi(app))
    peer = await stage.connect()
    for count in (1, 2):
        await peer.send(get())
        assert b"content-length: 3000000\r\n" in await peer.read_head()
        assert await peer.read(len(data)) == data
        await stage.until(lambda: len(ended) == count)  # noqa: B023
    assert ended == ["http.disconnect"] * 2
