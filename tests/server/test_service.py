"""The contracts: functions become services, and stay functions."""

from collections.abc import Callable
from typing import Any

import pytest

from portico import datagram_service, stream_service
from portico.errors import ConfigError, UsageError
from portico.server.peer import Peer
from portico.server.service import DatagramService, Services, StreamService, is_coroutine_function, service_of

SOMEBODY = Peer("192.0.2.1", 5)


async def greet(stream: Any) -> None:
    await stream.send("hello")


def wait(stream: Any) -> None:
    stream.receive()


def shout(datagram: bytes, peer: Peer) -> bytes:
    return datagram.upper() + str(peer).encode()


async def shout_later(datagram: bytes, peer: Peer) -> bytes:
    return shout(datagram, peer)


class Callee:
    """An object that is called like a coroutine function."""

    async def __call__(self, stream: Any) -> None:
        await stream.send("hello")


def test_the_shortest_form() -> None:
    assert stream_service(greet) == StreamService(greet, "greet")
    assert datagram_service(shout) == DatagramService(shout, "shout")


def test_all_that_can_be_said() -> None:
    stream = stream_service(name="greeting", encoding="gbk")(greet)
    assert (stream.name, stream.encoding, stream.is_quick) == ("greeting", "gbk", False)
    assert stream_service(is_quick=True)(shout).is_quick
    datagram = datagram_service(name="shouting", is_quick=True, may_amplify=True)(shout)
    assert (datagram.name, datagram.is_quick, datagram.may_amplify) == ("shouting", True, True)


def test_a_service_is_called_as_its_function_is() -> None:
    assert datagram_service(shout)(b"a", SOMEBODY) == b"A192.0.2.1:5"
    assert stream_service(is_quick=True)(shout)(b"a", SOMEBODY) == b"A192.0.2.1:5"


@pytest.mark.parametrize(
    ("function", "name"),
    [(greet, "greet"), (lambda stream: None, "<lambda>"), (Callee(), "Callee")],
)
def test_names(function: Callable[..., Any], name: str) -> None:
    assert stream_service(function).name == name


@pytest.mark.parametrize(
    ("function", "is_coroutine"), [(greet, True), (Callee(), True), (wait, False), (shout_later, True), (shout, False)]
)
def test_what_runs_in_a_thread(function: Callable[..., Any], is_coroutine: bool) -> None:
    assert is_coroutine_function(function) == is_coroutine
    assert stream_service(function).is_blocking != is_coroutine
    assert datagram_service(function).is_blocking != is_coroutine


def test_what_is_quick_runs_in_no_thread() -> None:
    assert not stream_service(is_quick=True)(shout).is_blocking
    assert not datagram_service(is_quick=True)(shout).is_blocking


@pytest.mark.parametrize("found", [None, 5, "greet"])
def test_what_cannot_be_called_is_no_service(found: Any) -> None:
    if found is not None:
        with pytest.raises(UsageError, match=f"^stream_service was given {found!r}, which is no function$"):
            stream_service(found)
        with pytest.raises(UsageError, match=f"^datagram_service was given {found!r}, which is no function$"):
            datagram_service(found)
    with pytest.raises(UsageError, match="which is no function"):
        stream_service(name="x")(found)


@pytest.mark.parametrize("decorator", [stream_service(is_quick=True), datagram_service(is_quick=True)])
def test_a_coroutine_function_is_not_quick(decorator: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="shout_later is a coroutine function, so it cannot be quick"):
        decorator(shout_later)


def test_an_encoding_that_is_none() -> None:
    with pytest.raises(UsageError, match="'rot13' is not a charset for lines of text; use utf-8, gb18030 or auto"):
        stream_service(encoding="rot13")(greet)


def test_services_know_what_they_are() -> None:
    assert stream_service(greet).interface == "stream"
    assert datagram_service(shout).interface == "datagram"


@pytest.mark.parametrize(
    ("found", "interface", "services"),
    [
        (greet, "stream", Services(stream=StreamService(greet, "main:greet"))),
        (stream_service(greet), "stream", Services(stream=StreamService(greet, "greet"))),
        (shout, "datagram", Services(datagram=DatagramService(shout, "main:greet"))),
        (datagram_service(shout), "datagram", Services(datagram=DatagramService(shout, "shout"))),
    ],
)
def test_what_a_reference_named_becomes_services(found: Any, interface: str, services: Services) -> None:
    assert service_of(found, interface, "main:greet") == services


@pytest.mark.parametrize("service", [stream_service(greet), datagram_service(shout)])
def test_where_a_service_cannot_be_started(service: StreamService | DatagramService) -> None:
    with pytest.raises(UsageError, match="the port 'x' is not a whole number, 0 to 65535"):
        service.start("x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is not an address of this machine"):
        service.start(0, host="192.0.2.123")
