"""Lines over a connection: shown as they come, sent as they are typed, and an end that is an end."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.running import DEADLINE_S

from portico.cli.call import Call
from portico.errors import Gone, PorticoError, Refused
from portico.net.addresses import Address, parse_address

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Shown(list[str]):
    """Lines that were shown. first: set with the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = asyncio.Event()

    def show(self, line: str) -> None:
        self.append(line)
        self.first.set()


Act = Callable[[Call, Shown], Awaitable[None]]


async def ended(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait until it is."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def call(serve: Serve, act: Act, *, encoding: str = "auto") -> list[str]:
    """Call a server; return what was shown."""
    shown = Shown()

    async def run() -> None:
        served = asyncio.Event()

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            finally:
                await ended(writer)
                served.set()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        place = Address("tcp", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        found = Call(shown.show, encoding=encoding)
        async with asyncio.timeout(DEADLINE_S), server:
            await found.open(place, timeout_s=DEADLINE_S)
            try:
                await act(found, shown)
            finally:
                found.close()
                await served.wait()

    asyncio.run(run())
    return shown


async def hear(found: Call, shown: Shown) -> None:
    await found.hear()


def test_lines_are_shown_whole_and_safe() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("欢迎".encode("gbk") + b"\x1b[2J\r\nand th")
        await writer.drain()
        writer.write(b"e end")

    assert call(serve, hear) == ["欢迎\\x1b[2J", "and the end"]


def test_a_question_without_a_line_feed_is_shown_after_a_moment() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"login: ")
        assert await reader.readline() == b"wang\n"
        writer.write(b"hello wang\n")

    async def act(found: Call, shown: Shown) -> None:
        hearing = asyncio.create_task(found.hear())
        await shown.first.wait()
        await found.say("wang")
        await hearing

    assert call(serve, act) == ["login: ", "hello wang"]


def test_lines_go_in_the_charset_that_was_asked_for_and_an_end_is_sent() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read())
        writer.write("再见\n".encode("gbk"))

    async def act(found: Call, shown: Shown) -> None:
        await found.say("你好")
        found.end()
        await found.hear()

    assert call(serve, act, encoding="gbk") == ["再见"]
    assert got == ["你好\n".encode("gbk")]


def test_a_connection_that_is_cut_is_said() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        linger = struct.pack("ii", 1, 0)  # closed by a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async def act(found: Call, shown: Shown) -> None:
        await found.say("hi")
        with pytest.raises(Gone, match=r"^the connection to 127.0.0.1:\d+ is lost: "):
            await found.hear()
        found.close()
        await asyncio.sleep(0)
        with pytest.raises(Gone, match="is lost"):
            await found.say("nobody is there")
        found.end()

    call(serve, act)


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [("tcp://127.0.0.1:1", Refused, "nothing listens"), ("unix:{folder}/none", Refused, "none")],
)
def test_where_there_is_nobody(text: str, kind: type[PorticoError], why: str, tmp_path: Path) -> None:
    place = parse_address(text.format(folder=tmp_path))
    with pytest.raises(kind, match=why):
        asyncio.run(Call(print).open(place, timeout_s=DEADLINE_S))


def test_what_speaks_no_tls_is_said() -> None:
    async def run() -> None:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 welcome\r\n" * 10)
            await reader.read()
            await ended(writer)
            served.set()

        served = asyncio.Event()
        server = await asyncio.start_server(once, "127.0.0.1", 0)
        async with asyncio.timeout(DEADLINE_S), server:
            place = Address("tls", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
            with pytest.raises((Refused, Gone), match="TLS"):
                await Call(print).open(place, timeout_s=DEADLINE_S)
            await served.wait()

    asyncio.run(run())
