"""The contract is what the server's own exchange fulfils, name for name."""

import inspect

import pytest

from portico.gateway import contract
from portico.server.exchange import Exchange
from portico.server.websocket import WebSocketConnection


@pytest.mark.parametrize(
    ("promised", "kept"), [(contract.Exchange, Exchange), (contract.WebSocket, WebSocketConnection)]
)
def test_what_is_promised_is_there(promised: type, kept: type) -> None:
    names = {name for name in vars(promised) if not name.startswith("_")} | set(promised.__annotations__)
    assert names
    assert [name for name in sorted(names) if not hasattr(kept, name)] == []


@pytest.mark.parametrize(
    ("promised", "kept"), [(contract.Exchange, Exchange), (contract.WebSocket, WebSocketConnection)]
)
def test_methods_take_the_same_arguments(promised: type, kept: type) -> None:
    for name, method in vars(promised).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            ours = inspect.signature(getattr(kept, name)).parameters
            assert list(ours) == list(inspect.signature(method).parameters), name


def test_an_origin_is_three_things_in_order() -> None:
    origin = contract.Origin(("192.0.2.1", 5), ("127.0.0.1", 80), "http")
    client, server, scheme = origin
    assert (client, server, scheme) == (("192.0.2.1", 5), ("127.0.0.1", 80), "http")
