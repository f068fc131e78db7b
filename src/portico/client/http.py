"""The HTTP client: one way to ask, for threads and for tasks (RFC 9110, RFC 9112).

    Engine.send           a request with its redirects -> a response whose body is still to come
      want                what the caller gave -> Wanted                              (asking.py)
      _answer             one request -> one response
        _exchange         over a connection; once more where a kept one had just ended
      redirected          where to ask next                                           (redirects.py)

`AsyncClient` is here; `Client`, the same for threads, is in blocking.py. Both are a `Profile` with an Engine.
"""

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, Unpack

from portico.client.asking import Asking, Profile, request_fields, want
from portico.client.connection import Asked, Connection
from portico.client.incoming import Incoming
from portico.client.network import Network
from portico.client.pool import Pool
from portico.client.proxies import Proxies
from portico.client.redirects import Wanted, redirected
from portico.client.response import Answer, AsyncResponse
from portico.client.route import Route, open_route, plan_route
from portico.client.timeouts import Clock
from portico.errors import Gone, Refused
from portico.http.jar import Jar
from portico.http.url import Url
from portico.wire.events import StatusHead

if TYPE_CHECKING:
    import ssl

# RFC 9110 9.2.2: asking twice means the same as asking once.
_IDEMPOTENT: Final = frozenset("GET HEAD PUT DELETE OPTIONS TRACE".split())
_SKIPPED_BYTES: Final = 64 * 1024  # of a redirect's body, rather than a new connection

A = TypeVar("A", bound=Answer)


class Engine(Generic[A]):
    """What both clients share. answer: the class of its responses."""

    def __init__(self, profile: Profile, network: Network, answer: type[A]) -> None:
        self._profile = profile
        self._network = network
        self._answer_class = answer
        self._context = profile.tls
        self._jar = Jar() if profile.jar is None else profile.jar
        self._jar_lock = threading.Lock()
        self._proxies = Proxies.from_environment(os.environ) if profile.proxies is None else profile.proxies
        self._pool = Pool(
            network,
            max_connections=profile.max_connections,
            max_idle_per_host=profile.max_idle_per_host,
            keep_alive_s=profile.keep_alive_s,
        )

    async def send(self, method: str, url: str | Url, asking: Asking) -> A:
        """Ask, follow redirects, and return the response; its body is still to come, and it has to be closed.

        Raises UsageError for what cannot be asked; Refused, Gone or PeerError where there is no answer.
        """
        profile = self._profile
        wanted = want(method, url, asking, profile)
        clock = Clock(asking.get("timeouts") or profile.timeouts)
        follow = asking.get("follow")
        most = profile.follow if follow is None else follow
        history: list[A] = []
        while True:
            answer, incoming = await self._answer(wanted, clock)
            try:
                following = redirected(wanted, answer.status, answer.values.get("location")) if most else None
                if following is None:
                    answer.history = tuple(history)
                    return answer
                if len(history) == most:
                    last = str(following.url)[:80]
                    raise Refused(f"more than {most} redirects, the last to {last}; allow more, or ask there")
                self._remark(f"redirected to {following.url}")
                await incoming.skip(_SKIPPED_BYTES)
            except BaseException:
                incoming.close()
                raise
            history.append(answer)
            wanted = following

    def close(self) -> None:
        """Close all connections that are idle; those in use close once their responses are."""
        self._pool.close()

    async def _answer(self, wanted: Wanted, clock: Clock) -> tuple[A, Incoming]:
        """Ask once; return the response, whose body is still to come."""
        url = wanted.url
        route = plan_route(url, None if self._profile.unix else self._proxies.find(url), self._profile.unix)
        asked = self._put(wanted, route)
        connection, head = await self._exchange(asked, route, clock)
        if head.status == 417 and asked.expects_continue and asked.body.can_repeat:
            # RFC 9110 15.5.18: some server on the way does not know what Expect means.
            self._pool.release(route, connection)
            fields = tuple(pair for pair in asked.fields if pair[0] != "Expect")
            asked = replace(asked, fields=fields, expects_continue=False)
            connection, head = await self._exchange(asked, route, clock)
        try:
            self._keep_cookies(url, head)
        except BaseException:
            self._pool.release(route, connection)
            raise
        coding = head.values.get("content-encoding", "") if self._profile.decode and head.body_length != 0 else ""
        incoming = Incoming(connection, clock, release=partial(self._pool.release, route), coding=coding)
        answer = self._answer_class(
            head, url=url, method=wanted.method, incoming=incoming, max_body=self._profile.max_body
        )
        return answer, incoming

    async def _exchange(self, asked: Asked, route: Route, clock: Clock) -> tuple[Connection, StatusHead]:
        """Send a request over a connection of the pool; return it with the head of the response.

        A server may close a kept connection at any moment. Where it did so before it can have done anything, or where
        doing it twice does no harm, the request goes out once more, over a new connection (RFC 9112 9.3.1).
        """
        connection = await self._pool.take(route, clock, partial(self._open, route, clock))
        try:
            return connection, await connection.ask(asked, clock)
        except BaseException as exc:
            can_repeat = isinstance(exc, Gone) and _can_repeat(asked, connection)
            self._pool.release(route, connection)
            if not can_repeat:
                raise
        self._remark("the server had closed the kept connection; once more over a new one")
        connection = await self._pool.take(route, clock, partial(self._open, route, clock), is_fresh=True)
        try:
            return connection, await connection.ask(asked, clock)
        except BaseException:
            self._pool.release(route, connection)
            raise

    async def _open(self, route: Route, clock: Clock) -> Connection:
        return await open_route(route, self._network, clock, context=self._tls_context, observer=self._profile.observer)

    def _tls_context(self) -> "ssl.SSLContext":
        if self._context is None:
            from portico.net.tls import client_context

            self._context = client_context(alpn=("http/1.1",))
        return self._context

    def _put(self, wanted: Wanted, route: Route) -> Asked:
        """Write a request as it goes over this route."""
        with self._jar_lock:
            cookies = self._jar.field_for(wanted.url, int(time.time()))
        fields = request_fields(wanted, route, cookies, decode=self._profile.decode)
        expects_continue = any(name == "Expect" for name, _ in fields)
        target = str(wanted.url) if route.is_absolute else wanted.url.target
        return Asked(wanted.method, target, fields, wanted.body, expects_continue)

    def _keep_cookies(self, url: Url, head: StatusHead) -> None:
        if "set-cookie" in head.values:
            with self._jar_lock:
                for field in head.fields:
                    if field.name == "set-cookie":
                        self._jar.store(url, field.value, int(time.time()))

    def _remark(self, text: str) -> None:
        if self._profile.observer is not None:
            self._profile.observer.remark(text)


def _can_repeat(asked: Asked, connection: Connection) -> bool:
    """Tell whether a request whose connection is gone may go out a second time."""
    return (
        connection.is_reused
        and connection.is_dead()
        and not connection.has_heard
        and (not connection.has_sent or (asked.method in _IDEMPOTENT and asked.body.can_repeat))
    )


class AsyncClient(Profile):
    """An HTTP client for tasks of an event loop; many may use one at once. The options are those of Profile.

        async with AsyncClient() as client:
            response = await client.get("http://localhost:8000/")

    An asynchronous context manager: leaving it closes its connections.
    """

    def __post_init__(self) -> None:
        from portico.client.loop import LoopNetwork

        super().__post_init__()
        self._engine = Engine(self, LoopNetwork(), AsyncResponse)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    async def request(self, method: str, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask, and read the whole answer. Arguments and errors: see Asking, and Engine.send."""
        response = await self._engine.send(method, url, asking)
        await response.read()
        return response

    def stream(
        self, method: str, url: str | Url, **asking: Unpack[Asking]
    ) -> AbstractAsyncContextManager[AsyncResponse]:
        """Ask; `async with` gives the response as soon as its head is there, and closes it in the end."""
        return self._stream(method, url, asking)

    @asynccontextmanager
    async def _stream(self, method: str, url: str | Url, asking: Asking) -> AsyncIterator[AsyncResponse]:
        async with await self._engine.send(method, url, asking) as response:
            yield response

    async def get(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with GET."""
        return await self.request("GET", url, **asking)

    async def head(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with HEAD: the head of what GET would give."""
        return await self.request("HEAD", url, **asking)

    async def post(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with POST."""
        return await self.request("POST", url, **asking)

    async def put(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with PUT."""
        return await self.request("PUT", url, **asking)

    async def patch(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with PATCH."""
        return await self.request("PATCH", url, **asking)

    async def delete(self, url: str | Url, **asking: Unpack[Asking]) -> AsyncResponse:
        """Ask with DELETE."""
        return await self.request("DELETE", url, **asking)

    def close(self) -> None:
        """Close the connections that are idle; those in use close once their responses are."""
        self._engine.close()
