"""The HTTP client for threads that may wait: `Client`, and a function for each method.

In: URLs. Out: `Response`s. What happens is in http.py; here it runs without an event loop, and loads none.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Self, Unpack

from portico.client.asking import Asking, Profile
from portico.client.http import Engine
from portico.client.network import BlockingNetwork, run
from portico.client.response import Response
from portico.http.url import Url


class Client(Profile):
    """An HTTP client for threads; many may use one at once. The options are those of Profile.

        with Client() as client:
            print(client.get("http://localhost:8000/").text)

    A context manager: leaving it closes its connections.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._engine = Engine(self, BlockingNetwork(), Response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def request(self, method: str, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask, and read the whole answer. Arguments and errors: see Asking, and Engine.send."""
        response = run(self._engine.send(method, url, asking))
        response.read()
        return response

    def stream(self, method: str, url: str | Url, **asking: Unpack[Asking]) -> AbstractContextManager[Response]:
        """Ask; `with` gives the response as soon as its head is there, and closes it in the end."""
        return self._stream(method, url, asking)

    @contextmanager
    def _stream(self, method: str, url: str | Url, asking: Asking) -> Iterator[Response]:
        with run(self._engine.send(method, url, asking)) as response:
            yield response

    def get(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with GET."""
        return self.request("GET", url, **asking)

    def head(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with HEAD: the head of what GET would give."""
        return self.request("HEAD", url, **asking)

    def post(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with POST."""
        return self.request("POST", url, **asking)

    def put(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with PUT."""
        return self.request("PUT", url, **asking)

    def patch(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with PATCH."""
        return self.request("PATCH", url, **asking)

    def delete(self, url: str | Url, **asking: Unpack[Asking]) -> Response:
        """Ask with DELETE."""
        return self.request("DELETE", url, **asking)

    def close(self) -> None:
        """Close the connections that are idle; those in use close once their responses are."""
        self._engine.close()


def request(method: str, url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once, and read the whole answer. For several requests make a Client: it keeps connections and cookies."""
    with Client(max_idle_per_host=0) as client:
        return client.request(method, url, **asking)


def get(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with GET."""
    return request("GET", url, **asking)


def head(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with HEAD."""
    return request("HEAD", url, **asking)


def post(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with POST."""
    return request("POST", url, **asking)


def put(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with PUT."""
    return request("PUT", url, **asking)


def patch(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with PATCH."""
    return request("PATCH", url, **asking)


def delete(url: str | Url, **asking: Unpack[Asking]) -> Response:
    """Ask once with DELETE."""
    return request("DELETE", url, **asking)
