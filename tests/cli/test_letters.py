"""Datagrams to somebody and from everybody: who wrote is shown, and nothing of it moves a cursor."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest
from tests.cli.running import DEADLINE_S

from portico.cli.letters import Letters, Manner, names_of, opened
from portico.cli.words import Words
from portico.errors import ConfigError, UsageError
from portico.net.addresses import Address, parse_address

TIME = re.compile(r"^\[\d\d:\d\d\] ")


class Stage:
    """What was shown, and a way to wait for it."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self._more = asyncio.Event()

    def show(self, text: str) -> None:
        self.shown.append(TIME.sub("", text))
        self._more.set()

    async def line(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            while not self.shown:
                self._more.clear()
                await self._more.wait()
        return self.shown.pop(0)


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(DEADLINE_S)
        yield sock


def place_of(sock: socket.socket) -> Address:
    return Address("udp", host="127.0.0.1", port=sock.getsockname()[1])


@asynccontextmanager
async def letters(
    place: Address | None, listen_at: str, *, encoding: str = "auto", names: Mapping[tuple[str, int], str] | None = None
) -> AsyncIterator[tuple[Letters, Stage]]:
    stage = Stage()
    at = parse_address(listen_at, default_scheme="udp") if listen_at else None
    manner = Manner(Words("en"), encoding, names or {})
    found = await opened(place, at, show=stage.show, manner=manner, timeout_s=DEADLINE_S)
    try:
        yield found, stage
    finally:
        found.close()


async def received(sock: socket.socket) -> tuple[bytes, int]:
    data, name = await asyncio.to_thread(sock.recvfrom, 65_536)
    return data, name[1]


def port_of(found: Letters) -> int:
    return int(found.here.rpartition(":")[2])


def test_a_line_is_a_datagram_and_an_answer_is_shown(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "") as (found, stage):
            found.call_target("金老板")
            await found.say("你好")
            data, port = await received(peer)
            assert data == "你好".encode()
            peer.sendto("你好啊\n第二行\x1b[2J\r\n".encode("gbk"), ("127.0.0.1", port))
            assert await stage.line() == "金老板: 你好啊\n    第二行\\x1b[2J"
            await found.say("再见")  # in the charset that the other side writes
            assert (await received(peer))[0] == "再见".encode("gbk")
            assert not found.is_refused

    asyncio.run(talk())


def test_the_time_of_a_chat_is_shown_once(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "") as (found, stage):
            found.call_target("chat")
            await found.say("hello")
            _, port = await received(peer)
            now = time.time()
            stamps = {time.strftime("[%H:%M] ", time.localtime(now + later_s)) for later_s in (0, 60)}
            for stamp in stamps:  # the minute may end meanwhile
                peer.sendto(f"{stamp}Li: hi".encode(), ("127.0.0.1", port))
            assert "chat: Li: hi" in [await stage.line(), await stage.line()]
            earlier = time.strftime("[%H:%M] ", time.localtime(now - 3_600))
            peer.sendto(f"{earlier}Li: before".encode(), ("127.0.0.1", port))
            assert await stage.line() == f"chat: {earlier}Li: before"

    asyncio.run(talk())


def test_who_hears_at_a_port_hears_everybody(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "127.0.0.1:0") as (found, stage):
            found.call_target("金老板")
            await found.say("hi")
            data, port = await received(peer)
            assert (data, port) == (b"hi", port_of(found))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind(("127.0.0.1", 0))
                other.sendto(b"from another port", ("127.0.0.1", port))
                at = other.getsockname()[1]
                assert await stage.line() == f"金老板 (127.0.0.1:{at}): from another port"
            await found.say("still to the one who was named")
            assert (await received(peer))[0] == b"still to the one who was named"

    asyncio.run(talk())


def test_without_a_name_lines_go_to_whoever_wrote_last(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(None, "*:0") as (found, stage):
            await found.say("anybody?")
            assert await stage.line() == "*** nobody has written yet, so there is nobody to answer"
            peer.sendto(b"here", ("127.0.0.1", port_of(found)))
            port = peer.getsockname()[1]
            assert await stage.line() == f"127.0.0.1:{port}: here"
            await found.say("welcome")
            assert (await received(peer))[0] == b"welcome"
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
                other.bind(("::1", 0))
                other.settimeout(DEADLINE_S)
                other.sendto(b"me too", ("::1", port_of(found)))
                assert await stage.line() == f"[::1]:{other.getsockname()[1]}: me too"
                await found.say("you too")
                assert (await received(other))[0] == b"you too"

    asyncio.run(talk())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "*"])
def test_from_every_interface_of_both_families_one_of_them_is_reached(host: str, peer: socket.socket) -> None:
    async def talk() -> None:
        place = place_of(peer)._replace(host="localhost")
        async with letters(place, f"{host}:0") as (found, _):
            await found.say("hi")
            assert (await received(peer))[0] == b"hi"

    asyncio.run(talk())


def test_names_of_the_book_are_shown(peer: socket.socket) -> None:
    async def talk() -> None:
        port = peer.getsockname()[1]
        names = {("127.0.0.1", port): "小李", ("127.0.0.1", 1): "小王"}
        async with letters(None, "127.0.0.1:0", names=names) as (found, stage):
            peer.sendto(b"a", ("127.0.0.1", port_of(found)))
            assert await stage.line() == "小李: a"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind(("127.0.0.1", 0))
                other.sendto(b"b", ("127.0.0.1", port_of(found)))
                assert await stage.line() == f"127.0.0.1:{other.getsockname()[1]}: b"  # one of two

    asyncio.run(talk())


def test_where_nobody_listens_that_is_said(peer: socket.socket) -> None:
    place = place_of(peer)
    peer.close()

    async def talk() -> None:
        async with letters(place, "") as (found, stage):
            found.call_target("")
            await found.say("hello?")
            assert await stage.line() == f"*** nobody listens at 127.0.0.1:{place.port}"
            assert found.is_refused
            found.complain(OSError("odd"))
            assert await stage.line() == f"*** not sent to 127.0.0.1:{place.port}: odd"

    asyncio.run(talk())


def test_a_line_that_is_too_long_is_not_sent(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "") as (found, stage):
            await found.say("x" * 65_508)
            assert await stage.line() == "*** not sent: 65508 bytes, and a datagram has room for 65507"

    asyncio.run(talk())


def test_the_charset_that_was_asked_for(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "", encoding="gbk") as (found, stage):
            await found.say("你好")
            data, port = await received(peer)
            assert data == "你好".encode("gbk")
            peer.sendto("谢谢".encode("gbk"), ("127.0.0.1", port))
            assert (await stage.line()).endswith(": 谢谢")

    asyncio.run(talk())


def test_what_cannot_be_opened(peer: socket.socket) -> None:
    async def taken() -> None:
        async with letters(None, f"127.0.0.1:{peer.getsockname()[1]}"):
            pass

    async def apart() -> None:
        async with letters(place_of(peer), "[::1]:0"):
            pass

    with pytest.raises(ConfigError):
        asyncio.run(taken())
    with pytest.raises(UsageError, match="write a port alone"):
        asyncio.run(apart())


def test_hearing_lasts_until_it_is_closed(peer: socket.socket) -> None:
    async def talk() -> None:
        async with letters(place_of(peer), "") as (found, _):
            found.end()
            hearing = asyncio.create_task(found.hear())
            await asyncio.sleep(0)
            assert not hearing.done()
            found.close()
            await asyncio.wait_for(hearing, DEADLINE_S)

    asyncio.run(talk())


def test_names_are_those_of_datagrams_alone() -> None:
    contacts = {"a": Address("udp", host="10.0.0.1", port=7), "b": Address("tcp", host="10.0.0.1", port=8)}
    assert names_of(contacts) == {("10.0.0.1", 7): "a"}
