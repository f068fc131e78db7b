"""What is settled about a request before its handler sees it: where it came from, and what it is called.

    HttpServer.prepare = preparation(trust, log)      None where nothing is to be settled, which is the default

In: an exchange. Out: its `origin`, as trusted proxies tell it, and its `identity`, with X-Request-Id in its request.
"""

from collections.abc import Callable
from random import getrandbits
from typing import cast

from portico.gateway.contract import Origin
from portico.http.forwarded import FieldChoice, Forwarding
from portico.http.proxies import Proxies
from portico.http.trace import identify, with_request_id
from portico.server.exchange import Exchange
from portico.settings import Log, Trust

Preparation = Callable[[Exchange], None]


def preparation(trust: Trust, log: Log) -> Preparation | None:
    """Return what prepares each exchange, None where there is nothing to prepare.

    Raises UsageError for a proxy that is neither an address nor a network.
    """
    proxies = Proxies(trust.forwarded_allow)
    relocate = _relocation(Forwarding(proxies, cast(FieldChoice, trust.forwarded_field))) if proxies else None
    if not log.request_id:
        return relocate
    name = _naming(proxies)
    return _in_turn(name, relocate) if relocate is not None else name


def _relocation(forwarding: Forwarding) -> Preparation:
    def relocate(exchange: Exchange) -> None:
        claim = forwarding.read(exchange.address, exchange.request.values)
        if claim is not None:
            origin = exchange.origin
            client = origin.client if claim.client is None else (claim.client.host, claim.client.port)
            exchange.origin = Origin(client, origin.server, claim.scheme or origin.scheme)

    return relocate


def _naming(proxies: Proxies) -> Preparation:
    def name(exchange: Exchange) -> None:
        is_trusted = proxies.believes(exchange.address)
        exchange.identity = identity = identify(exchange.request, getrandbits(128), is_trusted=is_trusted)
        exchange.request = with_request_id(exchange.request, identity.request_id)

    return name


def _in_turn(first: Preparation, second: Preparation) -> Preparation:
    # The name first: whether it is believed depends on who is connected, not on whom he speaks for.
    def both(exchange: Exchange) -> None:
        first(exchange)
        second(exchange)

    return both
