"""People in a room of a program that hands on what it is told, or loses or repeats some of it."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import PIPE, Popen

import pytest
from bench.chat_servers import CHATS
from bench.process import Running
from bench.rooms import MEMBERS, Seat, Talk, hold, in_words
from bench.sample import NotServed
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

WAITING = [sys.executable, "-c", "import sys; sys.stdin.read()"]  # whose CPU time is asked for
SECONDS = 0.2
SENT = 100  # messages in so long
ROOM = [Seat("/0", lambda number, text: text) for _ in range(MEMBERS)]


@contextmanager
def serving(times: Sequence[int]) -> Iterator[Running]:
    """Serve one room, whose messages arrive as often as `times` says, one after the other and over again."""
    loop = asyncio.new_event_loop()
    everyone: set[ServerConnection] = set()
    ended = loop.create_future()
    ports: list[int] = []
    is_open = threading.Event()

    async def stay(connection: ServerConnection) -> None:
        everyone.add(connection)
        async for message in connection:  # to its end, which is a reset
            text = message if isinstance(message, str) else ""
            number = int(text.partition("#")[2].partition("@")[0])
            for other in list(everyone):
                for _ in range(times[number % len(times)]):
                    await other.send(text)

    def look(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(403, "") if request.path == "/shut" else None

    async def main() -> None:
        async with serve(stay, "127.0.0.1", 0, compression=None, process_request=look) as server:
            ports.append(next(iter(server.sockets)).getsockname()[1])
            is_open.set()
            await ended

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    is_open.wait(10)
    with Popen(WAITING, stdin=PIPE) as process:
        yield Running(CHATS[0], process, ports[0])
    loop.call_soon_threadsafe(ended.set_result, None)
    thread.join(10)
    loop.close()


@pytest.mark.parametrize(
    ("times", "lost", "repeated"),
    [((1,), 0, 0), ((1, 1, 1, 1, 2), 0, SENT // 5 * MEMBERS)],
)
def test_each_delivery_counts(times: Sequence[int], lost: int, repeated: int) -> None:
    with serving(times) as running:
        talk = hold(running, ROOM, 0, SECONDS)
    assert (talk.sent, talk.lost) == (SENT, lost)
    assert repeated - MEMBERS <= talk.repeated <= repeated  # what repeats the last message is not waited for
    assert 0 < talk.share(0.5) <= talk.share(0.99) <= max(talk.delays)


def test_what_does_not_come_is_lost() -> None:
    with serving((1, 0)) as running:
        talk = hold(running, ROOM, 0, SECONDS, late_s=0.5)
    assert (talk.sent, talk.lost, talk.repeated) == (SENT, SENT // 2 * MEMBERS, 0)


def test_a_server_that_lets_nobody_in() -> None:
    with serving((1,)) as running, pytest.raises(NotServed, match="403"):
        hold(running, [Seat("/shut", lambda number, text: text)], 0, SECONDS)


def test_a_figure_in_words() -> None:
    talk = Talk(2.0, 1_000, sorted(float(n) for n in range(100)), 3, 1, 0.001, 5 << 20)
    assert in_words(talk) == (
        "500 /s in, 50 /s out, p50 50.0, p95 95.0, p99 99.0 ms, 10.0 us each, 5 MiB, 3 lost, 1 repeated"
    )
