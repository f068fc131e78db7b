"""What a service sees of its connection: bytes and lines in, bytes and text out, each way's end, and the log."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.net.silence import vanish
from tests.server.service_stage import BIG, WINDOW, ServiceStage, come_and_go, play
from tests.server.stage import LOOPS, PATIENCE_S, Peer

from portico.errors import Gone, UsageError
from portico.net.probing import LEAST_S
from portico.server.conversation import Conversation
from portico.server.service import StreamService, stream_service
from portico.server.stream import MAX_UNREAD, BlockingStream, Stream
from portico.settings import Service


@pytest.fixture(params=list(LOOPS))
def stage(request: pytest.FixtureRequest) -> ServiceStage:
    return ServiceStage(request.param)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


async def shout(stream: Stream) -> None:
    async for line in stream:
        await stream.send(line.upper() + "\n")


# bytes in


async def test_an_echo(stage: ServiceStage) -> None:
    await stage.host(echo)
    await play(
        await stage.connect(),
        """
        > hello
        < hello
        > again\\
        < again\\
        > $
        < $
        """,
    )
    assert await stage.story(2) == ["connected", "closed: 11 received, 11 sent"]


@pytest.mark.parametrize(
    ("limit", "pieces"), [(1, [b"h", b"e", b"l", b"l", b"o"]), (2, [b"he", b"ll", b"o"]), (5, [b"hello"])]
)
async def test_no_more_is_received_than_was_asked_for(stage: ServiceStage, limit: int, pieces: list[bytes]) -> None:
    received: list[bytes] = []

    async def collect(stream: Stream) -> None:
        while data := await stream.receive(limit):
            received.append(data)

    await stage.host(collect)
    peer = await stage.connect()
    await peer.send(b"hello")
    peer.half_close()
    assert await peer.read_all() == b""
    assert received == pieces


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_whose_answer_would_look_like_the_end(stage: ServiceStage, limit: int) -> None:
    async def misuse(stream: Stream) -> None:
        await stream.receive(limit)

    await stage.host(misuse)
    assert await (await stage.connect()).is_closed()
    assert f"receive({limit}) asks for nothing; ask for 1 byte or more" in stage.complaints[0]


async def test_the_end_of_input_is_told_as_often_as_it_is_asked_for(stage: ServiceStage) -> None:
    async def ask_on(stream: Stream) -> None:
        found = [await stream.receive() for _ in range(3)]
        await stream.send(repr([*found, await stream.read_line(), await stream.read_line()]))

    await stage.host(ask_on)
    peer = await stage.connect()
    await peer.send(b"a")
    peer.half_close()
    assert await peer.read_all() == b"[b'a', b'', b'', None, None]"


async def test_nothing_is_read_that_the_service_does_not_take(stage: ServiceStage) -> None:
    begin = asyncio.Event()
    streams: list[Stream] = []

    async def late(stream: Stream) -> None:
        streams.append(stream)
        await begin.wait()
        count = 0
        while data := await stream.receive():
            count += len(data)
        await stream.send(f"{count}\n")

    await stage.host(late)
    peer = await stage.connect()
    sending = asyncio.ensure_future(peer.send(bytes(BIG)))
    await stage.until(lambda: streams and streams[0].unread_bytes >= MAX_UNREAD)
    await stage.turn()
    assert streams[0].unread_bytes < MAX_UNREAD + (1 << 18)  # one read of the loop's
    assert not sending.done()
    begin.set()
    await sending
    peer.half_close()
    assert await peer.read_all() == b"%d\n" % BIG


async def test_what_was_unread_when_the_connection_was_cut_may_still_be_read(stage: ServiceStage) -> None:
    begin = asyncio.Event()
    ends: list[str] = []

    async def late(stream: Stream) -> None:
        await begin.wait()
        try:
            while await stream.receive():
                pass
        except Gone as exc:
            ends.append(str(exc))

    await stage.host(late, Service(idle_timeout=5))
    peer = await stage.connect()
    sending = asyncio.ensure_future(peer.send(bytes(BIG)))
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].received >= MAX_UNREAD)
    await stage.turn()
    stage.pass_time(10)
    await stage.turn()
    begin.set()
    with pytest.raises(ConnectionError):
        await sending
    await stage.until(lambda: ends)
    assert ends == ["silent for 5 s"]


async def test_one_task_at_a_time_receives(stage: ServiceStage) -> None:
    async def twice(stream: Stream) -> None:
        first = asyncio.ensure_future(stream.receive())
        await asyncio.sleep(0)
        try:
            await stream.receive()
        except UsageError as exc:
            await stream.send(f"{exc}\n")
        await stream.send(await first)

    await stage.host(twice)
    await play(
        await stage.connect(),
        """
        < another task receives from this stream already; one at a time may
        > hello
        < hello
        < $
        """,
    )


async def test_waiting_may_be_given_up(stage: ServiceStage) -> None:
    async def impatient(stream: Stream) -> None:
        try:
            async with asyncio.timeout(0):
                await stream.receive()
        except TimeoutError:
            await stream.send("still there?\n")
        await stream.send(await stream.receive())

    await stage.host(impatient)
    await play(
        await stage.connect(),
        """
        < still there?
        > yes
        < yes
        < $
        """,
    )


# lines


async def test_lines(stage: ServiceStage) -> None:
    await stage.host(shout)
    peer = await stage.connect()
    await peer.send(b"one\ntwo\r\nth")
    assert await peer.read(8) == b"ONE\nTWO\n"
    await peer.send(b"ree\n\nfour")
    peer.half_close()
    assert await peer.read_all() == b"THREE\n\nFOUR\n"


async def test_telnet_may_be_on_the_other_end(stage: ServiceStage) -> None:
    await stage.host(shout)
    peer = await stage.connect()
    await peer.send(b"\xff\xfd\x03he\xff\xf1llo\r\0")
    assert await peer.read(6) == b"HELLO\n"


async def test_a_byte_of_telnet_is_a_letter_where_the_charset_has_it(stage: ServiceStage) -> None:
    await stage.host(shout, Service(encoding="latin-1"))
    peer = await stage.connect()
    await peer.send(b"\xe0\n\xff\n")
    assert await peer.read(4) == b"\xc0\n?\n"  # no capital letter of \xff is in Latin-1


async def test_a_line_that_is_too_long(stage: ServiceStage) -> None:
    await stage.host(shout, Service(max_line=16))
    peer = await stage.connect()
    await peer.send(b"short\n" + b"x" * 17)
    said = "a line of more than 16 bytes; end it with a line feed before, or send less"
    assert await peer.read_all() == f"SHORT\n{said}\n".encode()
    assert (await stage.story(2))[1].endswith(f" sent, {said}")
    assert stage.complaints == []


async def test_a_flood_of_empty_lines_costs_no_more_than_its_length(stage: ServiceStage) -> None:
    counts: list[int] = []

    async def count(stream: Stream) -> None:
        counts.append(len([line async for line in stream]))

    await stage.host(count)
    await stage.accepted()
    (conversation,) = stage.conversations()
    assert isinstance(conversation, Conversation)
    begin_s = time.process_time()
    conversation.data_received(b"\n" * 400_000)
    conversation.end_input()
    await stage.until(lambda: counts)
    assert counts == [400_000]
    # Less than a second; half a minute where each line moves all that are behind it.
    assert time.process_time() - begin_s < 15


async def test_bytes_behind_lines(stage: ServiceStage) -> None:
    async def head_and_body(stream: Stream) -> None:
        line = await stream.read_line()
        await stream.send(f"{line}\n")
        while data := await stream.receive():
            await stream.send(data)

    await stage.host(head_and_body)
    await play(
        await stage.connect(),
        """
        > GET 5
        < GET 5
        > hello\\
        < hello\\
        > $
        < $
        """,
    )


# charsets

NI_HAO = "你好\n"


@pytest.mark.parametrize(
    ("setting", "own", "sent", "came"),
    [
        ("auto", "", NI_HAO.encode(), NI_HAO.encode()),
        ("auto", "", NI_HAO.encode("gb18030"), NI_HAO.encode("gb18030")),
        ("gbk", "", NI_HAO.encode("gbk"), NI_HAO.encode("gbk")),
        ("auto", "gbk", NI_HAO.encode("gbk"), NI_HAO.encode("gbk")),
        ("utf-8", "latin-1", b"\xe9\n", b"\xc9\n"),
        ("ascii", "", b"caf\xe9\n", b"CAF?\n"),
    ],
)
async def test_text_in_the_charset_of_the_settings(
    stage: ServiceStage, setting: str, own: str, sent: bytes, came: bytes
) -> None:
    await stage.host(stream_service(encoding=own)(shout), Service(encoding=setting))
    peer = await stage.connect()
    await peer.send(sent)
    assert await peer.read(len(came)) == came


async def test_the_peer_decides_on_the_charset(stage: ServiceStage) -> None:
    async def tell_charset(stream: Stream) -> None:
        await stream.send(f"{stream.encoding}\n")
        text = stream.decode(await stream.receive())
        await stream.send(stream.encode(f"{stream.encoding} {text}"))

    await stage.host(tell_charset)
    peer = await stage.connect()
    assert await peer.read(6) == b"utf-8\n"
    await peer.send(NI_HAO.encode("gbk"))
    assert await peer.read_all() == f"gb18030 {NI_HAO}".encode("gb18030")


# bytes out


async def test_a_slow_reader_is_waited_for(stage: ServiceStage) -> None:
    sent: list[int] = []

    async def pour(stream: Stream) -> None:
        for number in range(BIG // 65536):
            await stream.send(b"%7d\n" % number * 8192)
            sent.append(number)

    await stage.host(pour)
    peer = await stage.connect(window=WINDOW)
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
    await stage.turn()
    transport = stage.conversations()[0].transport
    assert transport.get_write_buffer_size() <= 2 * 65536
    assert len(sent) < BIG // 65536
    assert len(await peer.read_all()) == BIG // 65536 * 65536
    assert len(sent) == BIG // 65536


async def test_whoever_waits_to_send_may_give_up(stage: ServiceStage) -> None:
    waited: list[str] = []

    async def impatient(stream: Stream) -> None:
        await asyncio.gather(send_for(stream, 0.0), send_for(stream, None))

    async def send_for(stream: Stream, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stream.send(bytes(BIG))
        except TimeoutError:
            waited.append("gave up")

    await stage.host(impatient)
    peer = await stage.connect(window=WINDOW)
    await stage.until(lambda: waited)
    assert len(await peer.read_all()) == 2 * BIG
    assert waited == ["gave up"]


async def test_whoever_waits_to_send_learns_that_the_peer_has_gone(stage: ServiceStage) -> None:
    ends: list[str] = []

    async def pour(stream: Stream) -> None:
        try:
            while True:
                await stream.send(bytes(65536))
        except Gone as exc:
            ends.append(str(exc))
            raise

    await stage.host(pour)
    peer = await stage.connect(window=WINDOW)
    await stage.until(lambda: stage.conversations() and stage.conversations()[0].is_paused)
    peer.reset()
    await stage.until(lambda: ends)
    assert ends == ["the peer closed the connection"]
    assert (await stage.story(2))[1].endswith(", the peer closed the connection")
    assert stage.complaints == []


@pytest.mark.parametrize("act", ["receive", "send", "read_line", "iterate"])
async def test_everything_says_that_the_peer_has_gone(stage: ServiceStage, act: str) -> None:
    ends: list[str] = []

    async def stay(stream: Stream) -> None:
        try:
            await stream.receive()
        except Gone:
            ends.append("gone")
        try:
            await ACTS[act](stream)
        except Gone as exc:
            ends.append(str(exc))

    await stage.host(stay)
    peer = await stage.accepted()
    peer.reset()
    await stage.until(lambda: len(ends) == 2)
    assert ends == ["gone", "the peer closed the connection"]


async def iterate(stream: Stream) -> None:
    async for _ in stream:
        raise AssertionError("a line from nobody")


ACTS: dict[str, Callable[[Stream], Awaitable[object]]] = {
    "receive": lambda stream: stream.receive(),
    "send": lambda stream: stream.send("hello"),
    "read_line": lambda stream: stream.read_line(),
    "iterate": iterate,
}


# the end of our side


async def test_our_side_ends_first(stage: ServiceStage) -> None:
    async def say_and_listen(stream: Stream) -> None:
        await stream.send("that is all\n")
        await stream.end()
        await stream.end()
        while data := await stream.receive():
            stream.tell(stream.decode(data))

    await stage.host(say_and_listen)
    peer = await stage.connect()
    assert await peer.read_all() == b"that is all\n"
    await peer.send(b"thanks")
    await stage.until(lambda: stage.conversations()[0].received)
    peer.half_close()
    assert await stage.story(3) == ["connected", "told thanks", "closed: 6 received, 12 sent"]


async def test_nothing_is_sent_behind_the_end(stage: ServiceStage) -> None:
    async def go_on(stream: Stream) -> None:
        await stream.end()
        await stream.send("more")

    await stage.host(go_on)
    assert await (await stage.connect()).read_all() == b""
    await stage.until(lambda: stage.complaints)
    assert "this side of the stream has ended; nothing more can be sent" in stage.complaints[0]


async def test_a_mistake_of_the_peer_behind_our_end_is_for_the_log_alone(stage: ServiceStage) -> None:
    async def read_on(stream: Stream) -> None:
        await stream.end()
        async for _ in stream:
            pass

    await stage.host(read_on, Service(max_line=16))
    peer = await stage.connect()
    await peer.send(b"x" * 17)
    assert await peer.read_all() == b""
    assert (await stage.story(2))[1].startswith("closed: 17 received, 0 sent, a line of more than 16 bytes")


async def test_ending_a_connection_that_was_reset_before_it_was_seen(stage: ServiceStage) -> None:
    async def end(stream: Stream) -> None:
        await stream.end()

    await stage.host(end)
    come_and_go(stage.sock)
    assert (await stage.story(2))[0] == "connected"
    assert stage.complaints == []


# who, and the log


async def test_the_peer_has_a_name(stage: ServiceStage) -> None:
    async def name(stream: Stream) -> None:
        await stream.send(f"{stream.peer} {stream.peer.host} {stream.peer.port}")

    await stage.host(name)
    peer = await stage.connect()
    host, port = peer.sock.getsockname()
    assert await peer.read_all() == f"{host}:{port} {host} {port}".encode()


async def test_the_peer_of_a_unix_socket(stage: ServiceStage, tmp_path: Path) -> None:
    async def name(stream: Stream) -> None:
        await stream.send(str(stream.peer))

    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "door"))
    sock.listen()
    await stage.host(name, sock=sock)
    assert await (await stage.connect()).read_all() == b"unix"


async def test_the_log_says_what_the_service_tells(stage: ServiceStage) -> None:
    async def tell(stream: Stream) -> None:
        async for line in stream:
            stream.tell(line)
        stream.note = f"{stream.note}three lines"

    await stage.host(tell)
    peer = await stage.connect()
    await peer.send("one\n二\n\x1b[2J\n".encode())
    peer.half_close()
    assert await stage.story(5) == [
        "connected",
        "told one",
        "told 二",
        "told \x1b[2J",  # made harmless where it is shown
        "closed: 13 received, 0 sent, three lines",
    ]


# plain functions in threads


def blocking_echo(stream: BlockingStream) -> None:
    while data := stream.receive():
        stream.send(data)


def blocking_shout(stream: BlockingStream) -> None:
    for line in stream:
        stream.send(f"{line.upper()}\n")


@pytest.mark.parametrize("service", [blocking_echo, blocking_shout])
async def test_plain_functions_wait_as_they_like(
    stage: ServiceStage, service: Callable[[BlockingStream], None]
) -> None:
    await stage.host(service)
    await play(
        await stage.connect(),
        """
        > HELLO
        < HELLO
        > AGAIN
        < AGAIN
        > $
        < $
        """,
    )
    assert await stage.story(2) == ["connected", "closed: 12 received, 12 sent"]


async def test_a_plain_function_has_all_that_a_coroutine_has(stage: ServiceStage) -> None:
    threads: list[str] = []

    def serve(stream: BlockingStream) -> None:
        threads.append(threading.current_thread().name)
        first = stream.receive(2)
        stream.tell(stream.decode(first))
        stream.note = stream.note + f"{stream.encoding}, {stream.peer.host}"
        stream.send(f"{stream.read_line()}\n")
        stream.end()
        assert stream.read_line() is None
        assert stream.receive() == b""

    await stage.host(serve)
    peer = await stage.connect()
    await peer.send(b"hello\n")
    assert await peer.read_all() == b"llo\n"
    peer.half_close()
    assert await stage.story(3) == ["connected", "told he", "closed: 6 received, 4 sent, utf-8, 127.0.0.1"]
    assert threads[0].startswith("portico-")


async def test_a_plain_function_learns_that_the_peer_has_gone(stage: ServiceStage) -> None:
    await stage.host(blocking_echo)
    peer = await stage.accepted()
    peer.reset()
    assert await stage.story(2) == ["connected", "closed: 0 received, 0 sent, the peer closed the connection"]
    assert stage.complaints == []


async def test_as_many_threads_as_it_takes(stage: ServiceStage) -> None:
    meeting = threading.Barrier(8)

    def meet(stream: BlockingStream) -> None:
        meeting.wait(PATIENCE_S)
        stream.send("met")

    await stage.host(meet)
    peers: list[Peer] = [await stage.connect() for _ in range(8)]
    assert [await peer.read_all() for peer in peers] == [b"met"] * 8


def test_a_service_is_called_as_it_was_written() -> None:
    service: StreamService = stream_service(blocking_echo)
    assert service.function is blocking_echo


async def test_a_service_that_sends_for_ever_leaves_others_their_turn_and_learns_of_the_end(
    stage: ServiceStage,
) -> None:
    async def flood(stream: Stream) -> None:
        while True:
            await stream.send("x" * 1000)

    server = await stage.host(flood)
    reader, other = await stage.connect(), await stage.connect()
    assert len(await reader.read(1 << 20)) == 1 << 20
    reader.reset()
    await stage.until(lambda: server.connections == 1)
    assert len(await other.read(1 << 20)) == 1 << 20
    other.reset()
    await stage.until(lambda: server.connections == 0)


async def test_a_peer_that_vanished_is_told_as_gone(stage: ServiceStage) -> None:
    told: list[str] = []

    async def wait(stream: Stream) -> None:
        stream.notice_loss(LEAST_S)
        await stream.send("hello\n")
        try:
            await stream.receive()
        except Gone as exc:
            told.append(str(exc))
            raise

    await stage.host(wait)
    peer = await stage.connect()
    assert await peer.read(6) == b"hello\n"
    vanish(peer.sock)
    assert (await stage.story(2))[0] == "connected"
    assert len(told) == 1
