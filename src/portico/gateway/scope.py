"""ASGI scopes: what an application is told of a request before its first message (ASGI HTTP and WebSocket 2.5).

In: an exchange; out: a dict that is the application's own, as are its lists and dicts, since applications change them.
What repeats is worked out once: the scope of a head that many requests share, the headers of a block of field lines
that many heads share. Nothing that came with credentials is kept.
"""

from typing import Any
from urllib.parse import quote, unquote_to_bytes

from portico.gateway.contract import Exchange
from portico.http.message import Field, Request

Scope = dict[str, Any]
Pairs = list[tuple[bytes, bytes]]

_ASGI = {"version": "3.0", "spec_version": "2.5"}
_EXTENSIONS: dict[str, dict[str, object]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
}
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}
_MAX_BLOCKS, _MAX_BLOCK = 1024, 2048  # as many blocks of fields as the parser itself remembers, and as large


class _Known:
    """What is kept in `Request.remembered`: the scope but for what differs from one exchange to the next."""

    __slots__ = ("owner", "pairs", "scope")

    def __init__(self, owner: "Scopes", scope: Scope, pairs: Pairs) -> None:
        self.owner = owner
        self.scope = scope
        self.pairs = pairs


class Scopes:
    """Makes the scopes for one application.

    root_path: where it is mounted, "" or "/prefix". `path` and `raw_path` begin with it in any case: it is put before
    those that do not, because a proxy has taken it off.
    state: the lifespan's namespace; each scope gets a shallow copy of what it holds by then.
    """

    __slots__ = ("_blocks", "_raw_root_path", "_root_path", "_state")

    def __init__(self, root_path: str, state: dict[str, Any]) -> None:
        self._root_path = root_path
        self._raw_root_path = quote(root_path).encode("ascii")
        self._state = state
        self._blocks: dict[int, tuple[tuple[Field, ...], Pairs]] = {}

    def of_request(self, exchange: Exchange) -> Scope:
        """Return the scope of a plain request, of type `http`."""
        request = exchange.request
        known = request.remembered
        if known.__class__ is _Known and known.owner is self:
            scope: Scope = known.scope.copy()
            headers: Pairs = known.pairs.copy()
        else:
            scope = self._describe(request)
            pairs = self._pairs(request)
            headers = pairs.copy()
            if not request.is_secret:
                request.remembered = _Known(self, scope.copy(), pairs)
        if request.cookie:
            headers.append((b"cookie", request.cookie.encode("latin-1")))
        scope["headers"] = headers
        scope["client"], scope["server"], scope["scheme"] = exchange.origin
        scope["asgi"] = _ASGI.copy()
        scope["state"] = self._state.copy()
        scope["extensions"] = _EXTENSIONS.copy()
        return scope

    def of_websocket(self, exchange: Exchange, subprotocols: tuple[str, ...]) -> Scope:
        """Return the scope of a WebSocket handshake. subprotocols: what the client offers, in its order."""
        scope = self.of_request(exchange)
        del scope["method"]
        scope["type"] = "websocket"
        scope["scheme"] = _WEBSOCKET_SCHEMES[scope["scheme"]]
        scope["subprotocols"] = list(subprotocols)
        scope["extensions"] = {"websocket.http.response": {}}
        return scope

    def _describe(self, request: Request) -> Scope:
        """Return the scope of a head, with empty places for what depends on more than the head."""
        path = request.path
        raw_path = path.encode("latin-1")
        if "%" in path or not path.isascii():
            # Other servers' practice: U+FFFD for what is not UTF-8; `raw_path` has the bytes.
            path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
        root = self._root_path
        if root and not f"{path}/".startswith(f"{root}/") and path.startswith("/"):
            path = root + path
            raw_path = self._raw_root_path + raw_path
        return {
            "type": "http",
            "asgi": None,
            "http_version": "1.1" if request.version == 11 else "1.0",
            "method": request.method.upper(),
            "scheme": None,
            "path": path,
            "raw_path": raw_path,
            "query_string": request.query.encode("latin-1") if request.query else b"",
            "root_path": root,
            "headers": None,
            "client": None,
            "server": None,
            "state": None,
            "extensions": None,
        }

    def _pairs(self, request: Request) -> Pairs:
        """Return the raw fields, but for Cookie; the list is shared."""
        fields = request.fields
        block = self._blocks.get(id(fields))
        if block is not None:  # an id stays what it is for as long as the block keeps the object alive
            return block[1]
        pairs = [field.raw for field in fields]
        values = request.values
        is_secret = "authorization" in values or "proxy-authorization" in values
        if not is_secret and sum(map(len, values.values())) <= _MAX_BLOCK:
            if len(self._blocks) >= _MAX_BLOCKS:
                self._blocks.clear()
            self._blocks[id(fields)] = (fields, pairs)
        return pairs
