"""Clients: TCP, TLS, unix sockets, UDP and HTTP, on the same wire as the server.

    from portico import client

    client.tcp("localhost:9000")            links: a connection to talk over       -> Link
    client.udp("localhost:9000")            links: questions and answers           -> DatagramLink
    client.get("http://localhost:8000/")    http: one request                      -> Response
    client.Client(), client.AsyncClient()   http: many, over connections that stay

The names are loaded when they are first used (PEP 562): a socket client loads no HTTP, and none of them asyncio.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.client.blocking import Client, delete, get, head, patch, post, put, request
    from portico.client.http import AsyncClient
    from portico.client.links import DatagramLink, Link, tcp, udp
    from portico.client.proxies import Proxies
    from portico.client.response import AsyncResponse, Response
    from portico.client.timeouts import Timeouts
    from portico.http.jar import Jar

# One row a name: the module that has it.
_HOMES = {
    "AsyncClient": "portico.client.http",
    "AsyncResponse": "portico.client.response",
    "Client": "portico.client.blocking",
    "DatagramLink": "portico.client.links",
    "Jar": "portico.http.jar",
    "Link": "portico.client.links",
    "Proxies": "portico.client.proxies",
    "Response": "portico.client.response",
    "Timeouts": "portico.client.timeouts",
    "delete": "portico.client.blocking",
    "get": "portico.client.blocking",
    "head": "portico.client.blocking",
    "patch": "portico.client.blocking",
    "post": "portico.client.blocking",
    "put": "portico.client.blocking",
    "request": "portico.client.blocking",
    "tcp": "portico.client.links",
    "udp": "portico.client.links",
}

__all__ = [
    "AsyncClient",
    "AsyncResponse",
    "Client",
    "DatagramLink",
    "Jar",
    "Link",
    "Proxies",
    "Response",
    "Timeouts",
    "delete",
    "get",
    "head",
    "patch",
    "post",
    "put",
    "request",
    "tcp",
    "udp",
]


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'portico.client' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
