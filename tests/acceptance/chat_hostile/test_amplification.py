"""A datagram with somebody else's address in it: whoever has that address gets no more bytes than were sent.

The sockets are real; what is told is only that loopback is the internet, since from there nothing is trusted.
"""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.apps.chat.text_stage import Sender, TextStage, acted

from portico.server.buckets import Reach

# Every kind of datagram that there is, in sizes from nothing to what a network carries.
KINDS = (
    *(
        b"",
        b" ",
        b"x",
        b"hello",
        b"q",
        b"/help",
        b"/token",
        b"/token x",
        b"/history 200",
        b"/who",
        b"/list",
        b"/nick A",
    ),
    *(b"#1 hello", b"#1 ", b"#", b"#have 0", b"#have 1:0", b"#s1 ok", b"#s1.2 ok", b"#hello", b"#hello ", b"#hello ok"),
    *(b"#hello 0000000000000000", b"#hello " + b"0" * 17, b"#hello\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", b"\xff" * 23),
    *("你好，打印机坏了".encode("gbk"), "你好，打印机坏了".encode(), b"x" * 1_200, b"/" * 60_000, b"\0" * 24, b"{}"),
    *(b'{"t":"hello","v":1,"tok":"x"}', b"/json on", b"/encoding gbk", b"/login admin", b"GET / HTTP/1.0\r\n\r\n"),
)


async def strangers(stage: TextStage) -> None:
    """Open, and have every address be one of the internet."""
    stage.reach = lambda host: Reach.PUBLIC
    await stage.open()
    await stage.open_datagrams()


async def got(stage: TextStage, sender: Sender, *datagrams: bytes) -> list[bytes]:
    """Send datagrams; return all that comes back, once every one has been dealt with."""
    wanted = stage.datagrams_taken + len(datagrams)
    for datagram in datagrams:
        sender.sock.send(datagram)
    await stage.until(lambda: stage.datagrams_taken >= wanted)
    await stage.store.read(lambda db: None)
    await asyncio.sleep(0)
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(sender.sock.recv(65_536))
    return found


@pytest.mark.parametrize("datagram", KINDS, ids=lambda value: repr(value[:24]))
@acted
async def test_no_kind_of_datagram_is_answered_by_more_than_it_had(stage: TextStage, datagram: bytes) -> None:
    await strangers(stage)
    found = await got(stage, stage.sender(), datagram, datagram)
    assert sum(map(len, found)) <= 2 * len(datagram)
    assert all(len(one) <= len(datagram) for one in found)
    assert await stage.rows("SELECT 1 FROM person") == []  # and nothing is kept of whoever only asked


@acted
async def test_no_bytes_at_all_are_answered_by_more(stage: TextStage) -> None:
    await strangers(stage)
    sender = stage.sender()
    received = 0
    loop = asyncio.get_running_loop()

    @given(st.lists(st.binary(max_size=64) | st.sampled_from(KINDS[:-6]), min_size=1, max_size=5))
    @settings(max_examples=60, derandomize=True)
    def send(datagrams: list[bytes]) -> None:
        nonlocal received
        future = asyncio.run_coroutine_threadsafe(got(stage, sender, *datagrams), loop)
        found = future.result(20)
        received += len(found)
        assert sum(map(len, found)) <= sum(map(len, datagrams))

    await asyncio.to_thread(send)
    assert received  # cookies, at least


@acted
async def test_an_address_with_messages_waiting_is_sent_none_until_it_has_shown_that_it_is_there(
    stage: TextStage,
) -> None:
    await strangers(stage)
    sender = stage.sender()
    cookie = await sender.ask("#hello".ljust(23))
    assert await sender.ask(cookie) == "#hello ok"
    assert await sender.ask("#1 hello") == "#1 ok 3"
    await stage.say(1, 1, "x" * 1_000)
    stage.book._proven.clear()  # as a new process has them
    found = await got(stage, sender, b"#have 0", b"#2 more", b"/history")
    assert found == []


@acted
async def test_a_cookie_of_one_address_opens_no_other_and_not_for_ever(stage: TextStage) -> None:
    await strangers(stage)
    first, second = stage.sender(), stage.sender()
    cookie = (await first.ask("#hello".ljust(23))).encode()
    (answer,) = await got(stage, second, cookie)
    assert (answer[:7], answer == cookie, len(answer)) == (b"#hello ", False, len(cookie))
    stage.now_ms += 600_001
    (answer,) = await got(stage, first, cookie)
    assert answer != b"#hello ok"
    assert len(answer) <= len(cookie)
