"""What the pool keeps, on threads; that tasks share it is in test_http.py."""

import threading
from collections.abc import Awaitable, Callable

import pytest
from tests.client.stage import Server, serving

from portico.client.connection import Asked, Connection
from portico.client.network import BlockingNetwork, run
from portico.client.pool import Pool
from portico.client.route import Route, open_route
from portico.client.timeouts import Clock, Timeouts
from portico.errors import Gone, UsageError
from portico.net.addresses import Address
from portico.net.tls import client_context

NOTHING = b"HTTP/1.1 204 x\r\n\r\n"
CLOCK = Clock(Timeouts(connect_s=5))
HASTY = Clock(Timeouts(connect_s=0.01))


def pool(*, most: int = 10, idle: int = 8, keep_alive_s: float = 60) -> Pool:
    return Pool(BlockingNetwork(), max_connections=most, max_idle_per_host=idle, keep_alive_s=keep_alive_s)


def route_to(server: Server) -> Route:
    return Route(Address("tcp", host="127.0.0.1", port=server.port))


def opener(route: Route) -> Callable[[], Awaitable[Connection]]:
    return lambda: open_route(route, BlockingNetwork(), CLOCK, context=client_context, observer=None)


def taken(pool: Pool, route: Route, *, is_fresh: bool = False, clock: Clock = CLOCK) -> Connection:
    return run(pool.take(route, clock, opener(route), is_fresh=is_fresh))


def asked(connection: Connection) -> None:
    run(connection.ask(Asked("GET", "/", (("Host", "a"),)), CLOCK))


def used(pool: Pool, route: Route) -> Connection:
    """Take a connection, ask something, and give it back."""
    connection = taken(pool, route)
    asked(connection)
    pool.release(route, connection)
    return connection


def is_open(connection: Connection) -> bool:
    return connection.line.fileno() >= 0  # type: ignore[attr-defined,no-any-return]


def test_a_connection_is_used_again() -> None:
    with serving([NOTHING] * 9) as server:
        kept, route = pool(), route_to(server)
        first = used(kept, route)
        assert first.is_reused
        assert used(kept, route) is first
        fresh = taken(kept, route, is_fresh=True)
        assert fresh is not first
        fresh.close()
        kept.close()
        assert not is_open(first)


def test_the_latest_is_used_first() -> None:
    with serving([NOTHING] * 9) as server:
        kept, route = pool(), route_to(server)
        both = [taken(kept, route), taken(kept, route)]
        for connection in both:
            asked(connection)
            kept.release(route, connection)
        assert taken(kept, route) is both[1]
        assert taken(kept, route) is both[0]
        for connection in both:
            connection.close()


def test_routes_do_not_share() -> None:
    with serving([NOTHING]) as one, serving([NOTHING]) as other:
        kept = pool()
        first = used(kept, route_to(one))
        assert used(kept, route_to(other)) is not first
        kept.close()


def test_what_has_not_been_asked_or_is_not_over_is_closed() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
    with serving([half, NOTHING]) as server:
        kept, route = pool(), route_to(server)
        unasked = taken(kept, route)
        kept.release(route, unasked)
        assert [is_open(unasked), is_open(used(kept, route))] == [False, False]


def test_a_connection_that_has_ended_is_not_used_again() -> None:
    with serving([NOTHING], [NOTHING, NOTHING]) as server:
        kept, route = pool(), route_to(server)
        first = used(kept, route)
        assert run(first.line.is_heard(5))  # the server closes
        second = used(kept, route)
        assert second is not first
        assert not is_open(first)
        assert used(kept, route) is second
        kept.close()


def test_only_so_many_are_kept() -> None:
    with serving([NOTHING] * 2) as server:
        kept, route = pool(idle=1), route_to(server)
        both = [taken(kept, route), taken(kept, route)]
        for connection in both:
            asked(connection)
            kept.release(route, connection)
        assert [is_open(connection) for connection in both] == [True, False]
        kept.close()


def test_only_so_long_are_they_kept() -> None:
    with serving([NOTHING] * 3) as server:
        kept, route = pool(keep_alive_s=1e-9), route_to(server)
        first = used(kept, route)
        assert used(kept, route) is not first
        assert not is_open(first)
        kept.close()


def test_what_is_idle_makes_room() -> None:
    with serving([NOTHING] * 2) as one, serving([NOTHING] * 2) as two, serving([NOTHING]) as three:
        kept = pool(most=2)
        first, second = used(kept, route_to(one)), used(kept, route_to(two))
        third = used(kept, route_to(three))
        assert [is_open(connection) for connection in (first, second, third)] == [False, True, True]
        kept.close()


def test_the_oldest_of_many_makes_room() -> None:
    with serving([NOTHING] * 2) as one, serving([NOTHING]) as two:
        kept, route = pool(most=2), route_to(one)
        both = [taken(kept, route), taken(kept, route)]
        for connection in both:
            asked(connection)
            kept.release(route, connection)
        used(kept, route_to(two))
        assert [is_open(connection) for connection in both] == [False, True]
        kept.close()


def test_others_wait_for_their_turn() -> None:
    with serving([NOTHING] * 2) as server:
        kept, route = pool(most=1), route_to(server)
        first = taken(kept, route)
        asked(first)
        with pytest.raises(Gone, match=r"all 1 connections of this client were in use for 0\.01 s; close responses"):
            taken(kept, route, clock=HASTY)
        timer = threading.Timer(0.01, kept.release, (route, first))
        timer.start()
        assert taken(kept, route) is first
        timer.join()
        first.close()


def test_a_connection_that_does_not_come_to_be_takes_no_place() -> None:
    async def fails() -> Connection:
        raise Gone("nobody there")

    with serving([NOTHING]) as server:
        kept, route = pool(most=1), route_to(server)
        for _ in range(3):
            with pytest.raises(Gone, match="nobody there"):
                run(kept.take(route, HASTY, fails))
        used(kept, route)
        kept.close()


def test_a_closed_pool_gives_nothing_and_keeps_nothing() -> None:
    with serving([NOTHING]) as server:
        kept, route = pool(most=1), route_to(server)
        connection = taken(kept, route)
        asked(connection)
        kept.close()
        kept.release(route, connection)
        assert not is_open(connection)
        for _ in range(2):
            with pytest.raises(UsageError, match="closed; make another"):
                taken(kept, route, clock=HASTY)
