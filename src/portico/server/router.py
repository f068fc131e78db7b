"""Several handlers under one roof, told apart by the beginning of the path.

    route({"/static": files, "/": app})     the handler with the longest prefix that fits answers

In: handlers by prefix. Out: one handler. Nothing of the request is changed, so a handler has to know where it is
mounted: a site by its `base`, an application by its `root_path` (SCRIPT_NAME in WSGI, `root_path` in ASGI).
"""

from collections.abc import Coroutine, Mapping
from typing import Any

from portico.errors import UsageError, excerpt
from portico.http.target import encode_path, path_segments
from portico.server.exchange import Exchange, Handler
from portico.server.refusals import refusal


def route(mounts: Mapping[str, Handler]) -> Handler:
    """Return one handler for all of these; a single one at "/" is returned as it is.

    mounts: prefix to handler; see `Router`.
    """
    if list(mounts) == ["/"]:
        return mounts["/"]
    return Router(mounts)


class Router:
    """Hands each exchange to the handler with the longest prefix, segment by segment; 404 where none fits.

    mounts: each prefix begins with a slash, and fits itself and what lies below: `/static` fits `/static` and
    `/static/a`, not `/statics`. A slash at its end makes no difference. "/" fits everything, `OPTIONS *` too.
    Raises UsageError for a prefix that is no path, and for one that is there twice.
    """

    def __init__(self, mounts: Mapping[str, Handler]) -> None:
        table: dict[str, Handler] = {}
        for prefix, handler in mounts.items():
            path = _canonical(prefix)
            if path is None or not prefix.startswith("/"):
                raise UsageError(f"{excerpt(prefix)} is not a path to mount at; write /name, or / for everything else")
            if path in table:
                raise UsageError(f"{excerpt(prefix)} is mounted twice")
            table[path] = handler
        self._rest = table.pop("/", missing)
        longest_first = sorted(table, key=len, reverse=True)
        self._mounts = [(path, f"{path}/", table[path]) for path in longest_first]

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer with the handler that fits."""
        path = exchange.request.path
        if "%" in path or "//" in path or "/." in path:
            # Other spellings of the same path (RFC 3986 6.2.2); what names nothing is for the handler at "/" to refuse.
            path = _canonical(path) or path
        for prefix, below, handler in self._mounts:
            if path.startswith(below) or path == prefix:
                return handler(exchange)
        return self._rest(exchange)


def missing(exchange: Exchange) -> None:
    """Answer 404."""
    exchange.respond(refusal(404, "nothing is served under this path", exchange.request.values))


def _canonical(path: str) -> str | None:
    """Return the path in one spelling, without a slash at its end; None where it names nothing."""
    found = path_segments(path)
    return None if found is None else encode_path(found.segments, is_directory=False)
