import socket
import threading
from collections.abc import Iterator

import pytest

from portico.client.network import READ, WRITE, BlockingNetwork, Poll, Select, SocketLine, run
from portico.errors import Gone, Refused
from portico.net.addresses import Address

Pair = tuple[SocketLine, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A line, and the socket at its other end."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.settimeout(10)
    line = SocketLine(here, Poll(here).wait, "box:1")
    yield line, there
    line.close()
    there.close()


def test_bytes_go_both_ways(pair: Pair) -> None:
    line, there = pair
    assert line.receive_now(10) is None
    assert run(line.push(memoryview(b"question"), 1)) == 8
    assert there.recv(100) == b"question"
    there.sendall(b"answer")
    assert run(line.is_heard(1))
    assert run(line.receive(3, 1)) == b"ans"
    buffer = bytearray(10)
    assert run(line.receive_into(memoryview(buffer), 1)) == 3
    assert buffer[:3] == b"wer"
    there.sendall(b"more")
    assert line.receive_now(10) == b"more"


def test_an_end_is_heard(pair: Pair) -> None:
    line, there = pair
    there.shutdown(socket.SHUT_WR)
    assert run(line.is_heard(1))
    assert (run(line.receive(10, 1)), run(line.receive_into(memoryview(bytearray(10)), 1))) == (b"", 0)
    assert line.receive_now(10) == b""


def test_what_comes_later_is_waited_for(pair: Pair) -> None:
    line, there = pair
    for receive in (lambda: line.receive(10, 10), lambda: line.receive_into(memoryview(bytearray(10)), 10)):
        timer = threading.Timer(0.01, there.sendall, [b"late"])
        timer.start()
        assert run(receive()) in (b"late", 4)
        timer.join()


def test_silence_is_waited_for_only_so_long(pair: Pair) -> None:
    line, _ = pair
    assert not run(line.is_heard(0.001))
    with pytest.raises(Gone, match=r"box:1 sent nothing for 0\.001 s"):
        run(line.receive(10, 0.001))
    with pytest.raises(Gone, match="sent nothing"):
        run(line.receive_into(memoryview(bytearray(10)), 0.001))


def push_on(line: SocketLine) -> None:
    while True:
        run(line.push(memoryview(b"x" * 100_000), 0.001))


def fill(line: SocketLine) -> None:
    """Push until no more goes."""
    with pytest.raises(Gone, match=r"box:1 took nothing of what was sent for 0\.001 s"):
        push_on(line)


def test_whoever_takes_nothing_is_waited_for_only_so_long(pair: Pair) -> None:
    fill(pair[0])


def test_whoever_speaks_before_taking_more_is_listened_to(pair: Pair) -> None:
    line, there = pair
    fill(line)
    there.sendall(b"stop")
    assert run(line.push(memoryview(b"x"), 1)) == 0
    assert line.receive_now(10) == b"stop"
    timer = threading.Timer(0.01, there.recv, [1_000_000])
    timer.start()
    assert run(line.push(memoryview(b"x"), 10)) == 1
    timer.join()


def test_a_connection_that_is_lost(pair: Pair) -> None:
    line, there = pair
    run(line.push(memoryview(b"unread"), 1))
    there.close()
    with pytest.raises(Gone, match="connection to box:1 is lost: connection reset by peer"):
        run(line.receive(10, 1))
    with pytest.raises(Gone, match="lost: broken pipe"):
        run(line.push(memoryview(b"x"), 1))
    line.push_now(memoryview(b"x"))
    assert line.fileno() >= 0
    line.close()
    line.close()
    assert line.fileno() == -1
    assert line.receive_now(1) == b""
    with pytest.raises(Gone, match="lost"):
        run(line.receive_into(memoryview(bytearray(1)), 1))


def test_a_farewell_goes_without_waiting(pair: Pair) -> None:
    line, there = pair
    line.push_now(memoryview(b"bye"))
    assert there.recv(10) == b"bye"


@pytest.mark.parametrize("kind", [Poll, Select])
def test_what_is_possible_is_told(kind: type[Poll] | type[Select]) -> None:
    here, there = socket.socketpair()
    with here, there:
        poll = kind(here)
        assert run(poll.wait(READ, 0.001)) == 0
        assert run(poll.wait(READ | WRITE, 1)) == WRITE
        there.sendall(b"x")
        assert run(poll.wait(READ | WRITE, 1)) == READ | WRITE
        assert run(poll.wait(WRITE, 1)) == WRITE
        there.close()
        assert run(poll.wait(READ, 1)) == READ


def test_a_network_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = Address("tcp", host="127.0.0.1", port=listening.getsockname()[1])
        line = run(BlockingNetwork().connect(address, 5))
        there, _ = listening.accept()
        with there:
            there.sendall(b"hello")
            assert run(line.receive(10, 5)) == b"hello"
        line.close()
    with pytest.raises(Refused, match="nothing listens"):
        run(BlockingNetwork().connect(address, 5))


def test_a_turnstile_lets_so_many_in() -> None:
    turnstile = BlockingNetwork().turnstile(2)
    assert [run(turnstile.enter(0.001)) for _ in range(3)] == [True, True, False]
    turnstile.leave()
    assert run(turnstile.enter(0.001))


def test_what_waits_for_a_disk_is_called_at_once() -> None:
    assert run(BlockingNetwork().call(threading.get_ident)) == threading.get_ident()


def test_a_coroutine_of_an_event_loop_is_refused() -> None:
    import asyncio

    with pytest.raises(RuntimeError, match="use AsyncClient"):
        run(asyncio.sleep(0))
