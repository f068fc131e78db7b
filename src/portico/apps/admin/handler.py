"""The operator's pages: whether we live, whether we take requests, and figures.

    /-/health    200 for as long as the process answers
    /-/ready     200 while requests are taken, 503 while starting and stopping
    /metrics     figures, as Prometheus reads them

In: exchanges of the admin address, which is never the address that the public uses. Out: text, or JSON for whoever
asks for that. A page of some other site whose name was made to lead here gets nothing (421), as with the files; to a
socket file no name leads.
"""

from collections.abc import Callable
from typing import Final, Protocol

from portico.errors import ConfigError
from portico.http.message import Response
from portico.http.negotiation import choose_media_type
from portico.http.proxies import parse_ip
from portico.net.addresses import Address, parse_address
from portico.server.exchange import UNIX, Exchange, Handler
from portico.server.refusals import refusal
from portico.server.samples import CONTENT_TYPE, Snapshot, render

_TEXT: Final = "text/plain"
_JSON: Final = "application/json"
_METHODS: Final = ("GET", "HEAD")


class AdminSource(Protocol):
    """Who knows: the one process, or the supervisor of many."""

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken."""
        ...

    def snapshot(self) -> Snapshot:
        """Return all figures as they are now."""
        ...


def admin_address(text: str) -> Address:
    """Read where the operator's pages are served: `localhost:9100`, `9100`, `unix:/run/portico/admin.sock`.

    Raises UsageError for what is no address, ConfigError for one that others could reach.
    """
    address = parse_address(text)
    if address.kind == "unix" or (address.kind == "tcp" and _is_loopback(address.host)):
        return address
    raise ConfigError(f"--admin {address} could be reached by others; use localhost:PORT or unix:PATH")


def admin_handler(source: AdminSource) -> Handler:
    """Return what answers on the admin address."""
    pages: dict[str, Callable[[Exchange], Response]] = {
        "/-/health": lambda exchange: _state(exchange, 200, "alive"),
        "/-/ready": lambda exchange: _state(exchange, *((200, "ready") if source.is_ready else (503, "not ready"))),
        "/metrics": lambda exchange: _figures(exchange, source.snapshot()),
    }

    def handle(exchange: Exchange) -> None:
        request = exchange.request
        page = pages.get(request.path)
        if exchange.address != UNIX and not _is_own_name(request.authority):
            answer = refusal(421, "the operator's pages answer to localhost and to addresses alone", request.values)
        elif page is None:
            answer = refusal(404, f"there are {', '.join(pages)}", request.values)
        elif request.method not in _METHODS:
            answer = refusal(405, "only GET and HEAD", request.values, [("Allow", ", ".join(_METHODS))])
        else:
            answer = page(exchange)
        exchange.respond(answer)

    return handle


def _state(exchange: Exchange, status: int, word: str) -> Response:
    if _wants_json(exchange):
        return _answer(status, _JSON, f'{{"status": "{word}"}}\n')
    return _answer(status, f"{_TEXT}; charset=utf-8", f"{word}\n")


def _figures(exchange: Exchange, snapshot: Snapshot) -> Response:
    if _wants_json(exchange):
        import json

        return _answer(200, _JSON, json.dumps(snapshot, indent=1) + "\n")
    return _answer(200, CONTENT_TYPE, render(snapshot))


def _wants_json(exchange: Exchange) -> bool:
    return choose_media_type(exchange.request.values.get("accept"), (_TEXT, _JSON)) == _JSON


def _answer(status: int, kind: str, text: str) -> Response:
    fields = (("Content-Type", kind), ("Cache-Control", "no-store"), ("Vary", "Accept"))
    return Response(status, fields, text.encode())


def _is_loopback(host: str) -> bool:
    address = parse_ip(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_own_name(authority: str) -> bool:
    """Tell whether a Host field cannot be a name under somebody else's control."""
    host = authority.rpartition("]")[0].removeprefix("[") if "]" in authority else authority.partition(":")[0]
    return host.lower() in ("", "localhost") or parse_ip(host) is not None
