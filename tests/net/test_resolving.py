import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from portico.errors import Gone, PorticoError, Refused
from portico.net.resolving import Endpoint, late, look_up, resolve, resolve_async

V4, V6 = socket.AF_INET, socket.AF_INET6
Rows = list[tuple[Any, Any, Any, Any, Any]]
Resolve = Callable[..., list[Endpoint]]


def resolve_on_loop(host: str, port: int, **given: Any) -> list[Endpoint]:
    return asyncio.run(resolve_async(host, port, **given))


@pytest.fixture(params=[resolve, resolve_on_loop])
def find(request: pytest.FixtureRequest) -> Resolve:
    found: Resolve = request.param
    return found


def never(host: str, port: int) -> Rows:
    raise AssertionError(f"{host} was looked up")


LOOPBACKS = [Endpoint(V4, ("127.0.0.1", 80)), Endpoint(V6, ("::1", 80, 0, 0))]


@pytest.mark.parametrize(
    ("host", "endpoints"),
    [
        ("127.0.0.1", LOOPBACKS[:1]),
        ("::1", LOOPBACKS[1:]),
        ("203.0.113.9", [Endpoint(V4, ("203.0.113.9", 80))]),
        ("localhost", LOOPBACKS),
        ("LOCALHOST.", LOOPBACKS),
        ("app.localhost", LOOPBACKS),
        ("*", LOOPBACKS),
    ],
)
def test_what_needs_no_look_up_gets_none(find: Resolve, host: str, endpoints: list[Endpoint]) -> None:
    assert find(host, 80, timeout_s=5, look_up=never) == endpoints


def test_a_name_is_looked_up_and_each_endpoint_comes_once(find: Resolve) -> None:
    def answer(host: str, port: int) -> Rows:
        assert host == "box.test"
        return [(V6, 1, 6, "", ("2001:db8::1", port, 0, 0)), *[(V4, 1, 6, "", ("203.0.113.9", port))] * 2]

    assert find("box.test", 7, timeout_s=5, look_up=answer) == [
        Endpoint(V6, ("2001:db8::1", 7, 0, 0)),
        Endpoint(V4, ("203.0.113.9", 7)),
    ]


def raising(exc: Exception) -> Callable[[str, int], Rows]:
    def answer(host: str, port: int) -> Rows:
        raise exc

    return answer


@pytest.mark.parametrize(
    ("host", "look_up", "kind", "message"),
    [
        ("nonexistent.invalid", never, Refused, "there is no host called 'nonexistent.invalid'; check the spelling"),
        ("fe80::1%nosuch7", never, Refused, "'fe80::1%nosuch7' is not an address that this machine can reach"),
        ("box.test", raising(socket.gaierror(socket.EAI_NONAME, "x")), Refused, "there is no host called 'box.test'"),
        ("box.test", lambda host, port: [], Refused, "there is no host called 'box.test'"),
        ("a" * 64, look_up, Refused, "there is no host called 'aaa"),  # IDNA allows 63 in a label
        (
            "box.test",
            raising(socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
            Gone,
            "box.test cannot be looked up now (Temporary failure); check the network",
        ),
    ],
)
def test_what_cannot_be_found_gets_one_line(
    find: Resolve, host: str, look_up: Callable[[str, int], Rows], kind: type[PorticoError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        find(host, 80, timeout_s=5, look_up=look_up)
    assert str(caught.value).startswith(message)


def test_a_look_up_has_a_deadline(find: Resolve) -> None:
    over = threading.Event()

    def answer(host: str, port: int) -> Rows:
        over.wait()
        return []

    with pytest.raises(Gone) as caught:
        find("box.test", 80, timeout_s=0.01, look_up=answer)
    assert str(caught.value) == str(late("box.test", 0.01))
    assert str(caught.value) == "no answer within 0.01 s to the question where box.test is; check the network"
    over.set()


def test_an_answer_that_comes_too_late_is_dropped() -> None:
    over = threading.Event()
    asked: list[threading.Thread] = []

    def answer(host: str, port: int) -> Rows:
        asked.append(threading.current_thread())
        over.wait()
        return []

    async def give_up() -> None:
        with pytest.raises(Gone):
            await resolve_async("box.test", 80, timeout_s=0.01, look_up=answer)
        over.set()
        asked[0].join(5)
        await asyncio.sleep(0)  # for what the thread has left with the loop
        assert not asked[0].is_alive()

    asyncio.run(give_up())


def test_a_loop_may_be_closed_while_a_look_up_goes_on() -> None:
    over = threading.Event()
    found: list[threading.Thread] = []

    def answer(host: str, port: int) -> Rows:
        found.append(threading.current_thread())
        over.wait()
        return []

    with pytest.raises(Gone):
        resolve_on_loop("box.test", 80, timeout_s=0.01, look_up=answer)
    over.set()
    found[0].join(5)
    assert not found[0].is_alive()


def test_the_system_knows_the_names_of_this_machine() -> None:
    assert {row[4][1] for row in look_up("localhost", 80)} == {80}
