"""The chat on the web: its pages, its JSON, its WebSocket. A handler for `HttpServer`.

    ChatSite(exchange)
      pages            GET  /  /desk  /admin  /widget  /widget.js  /page/...
      serve_socket     GET  /socket                       the WebSocket; subprotocol portico.chat.v1
      Entrance         POST /api/signin  link  signup  visitor  signout
      _ACTIONS         GET  /api/public                   what a page has to know before anybody has signed in
                       POST /api/files                    an upload; see `Services.receive`
                       POST /api/downloads {files}        -> {links}: addresses for a few minutes
                       GET  /files/ID?...                 such an address

Who has signed in sends the token in the field Authorization: Bearer. What is refused is answered with
{"code", "why", "retry"?}. Pages of other sites get as far as visitors do, and only those of sites that were named.
"""

import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple

from portico.apps.chat.entrance import LANGUAGES, Caller, Entrance, Gate
from portico.apps.chat.events import MAX_TEXT, Rejected
from portico.apps.chat.origin import Origins, Standing, preflight_fields, sharing_fields
from portico.apps.chat.pages import load_pages
from portico.apps.chat.session import House, Me
from portico.apps.chat.signing import Signer
from portico.apps.chat.websocket import SUBPROTOCOL, Joiner, Patience, serve_socket
from portico.errors import PeerError, excerpt
from portico.http.message import Request, Response
from portico.server.exchange import Exchange
from portico.server.refusals import refusal
from portico.wire.handshake import HINTS, parse_handshake

SOCKET: Final = "/socket"
_FILES: Final = "/files/"
MAX_JSON: Final = 16 * 1024
_JSON: Final = "application/json"
_BASIC: Final = (("Content-Type", _JSON), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
_STATUS: Final = {
    "auth": 401,
    "blocked": 403,
    "forbidden": 403,
    "origin": 403,
    "no_file": 404,
    "no_person": 404,
    "not_offered": 404,
    "taken": 409,
    "too_big": 413,
    "bad_type": 415,
    "rate": 429,
    "unavailable": 503,
}


class Services(NamedTuple):
    """What the site offers beside talking; what is None is not offered.

    receive: takes an upload, whose body has not been read; returns what to tell the page. give: answers a download by
    a person who may have it. is_open: whether the desk is, at this hour. All raise Rejected.
    """

    receive: Callable[[Exchange, Me], Awaitable[Mapping[str, Any]]] | None = None
    give: Callable[[Exchange, int, int], Awaitable[Response]] | None = None
    is_open: Callable[[], Awaitable[bool]] | None = None


class Sign(NamedTuple):
    """What the site says of itself. title: of the chat. origins: the sites that may have the widget."""

    title: str = "Portico"
    origins: tuple[str, ...] = ()


class ChatSite:
    """See the module. Made in the loop of its house."""

    def __init__(
        self,
        house: House,
        gate: Gate,
        *,
        services: Services | None = None,
        sign: Sign | None = None,
        patience: Patience | None = None,
    ) -> None:
        sign = sign or Sign()
        self._gate = gate
        self._house = house
        self._services = services or Services()
        self._title = sign.title
        self._origins = Origins(sign.origins)
        self._pages = load_pages(self._origins.frame_ancestors)
        self._entrance = Entrance(house, gate)
        self._joiner = Joiner()
        self._patience = patience or Patience()
        self._signer: Signer | None = None

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer a request; the pages at once."""
        path = exchange.request.path
        page = self._pages.get(path)
        if page is not None:
            if exchange.request.method in ("GET", "HEAD"):
                exchange.answer(page.answer(exchange.request, int(time.time())))
            else:
                exchange.respond(_wrong_method(exchange.request, "GET, HEAD"))
            return None
        if path == SOCKET:
            return self._open_socket(exchange)
        action = _ACTIONS.get(_FILES if path.startswith(_FILES) else path)
        if action is None:
            exchange.respond(refusal(404, "there is nothing under this address", exchange.request.values))
            return None
        return self._act(exchange, action)

    # the WebSocket

    def _open_socket(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        request = exchange.request
        try:
            handshake = parse_handshake(request)
        except PeerError as exc:
            exchange.respond(refusal(exc.status, str(exc), request.values, HINTS))
            return None
        if self._judge(exchange) is Standing.FOREIGN:
            exchange.respond(problem(_foreign(request)))
        elif SUBPROTOCOL not in handshake.subprotocols:
            exchange.respond(refusal(400, f"only the subprotocol {SUBPROTOCOL} is spoken here", request.values))
        elif wait_s := self._gate.may(exchange.address, "connect"):
            exchange.respond(problem(Rejected("rate", "too many connections at once; wait a little", retry_s=wait_s)))
        else:
            return serve_socket(self._house, exchange, joiner=self._joiner, patience=self._patience)
        return None

    def _judge(self, exchange: Exchange) -> Standing:
        request = exchange.request
        return self._origins.judge(request.values.get("origin"), exchange.origin.scheme, request.authority)

    # JSON

    async def _act(self, exchange: Exchange, action: "_Action") -> None:
        request = exchange.request
        standing = self._judge(exchange)
        origin = request.values.get("origin", "")
        if standing is Standing.FOREIGN or (standing is Standing.GUEST and not action.is_for_guests):
            exchange.respond(problem(_foreign(request)))
            return
        if request.method == "OPTIONS":
            exchange.respond(Response(204, preflight_fields(origin) if origin else ()))
            return
        if request.method not in action.methods:
            exchange.respond(_wrong_method(request, ", ".join(action.methods)))
            return
        try:
            answer = await action.perform(self, exchange)
        except Rejected as exc:
            answer = problem(exc)
        shared = sharing_fields(origin) if standing is Standing.GUEST else ()
        exchange.respond(answer._replace(fields=(*answer.fields, *shared)))

    async def _public(self, exchange: Exchange) -> Response:
        is_open = self._services.is_open
        found: dict[str, Any] = {
            "title": self._title,
            "languages": LANGUAGES,
            "signup": self._gate.hash_password is not None,
            "link": self._gate.redeem is not None,
            "files": self._services.receive is not None,
            "max_text": MAX_TEXT,
        }
        return _say(found if is_open is None else {**found, "open": await is_open()})

    async def _sign_in(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.sign_in(await read_json(exchange), _caller(exchange)))

    async def _use_link(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.use_link(await read_json(exchange), _caller(exchange)))

    async def _sign_up(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.sign_up(await read_json(exchange), _caller(exchange)))

    async def _visit(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.visit(await read_json(exchange), _caller(exchange)))

    async def _sign_out(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.sign_out(await self._recognise(exchange)))

    # files

    async def _receive(self, exchange: Exchange) -> Response:
        receive = self._services.receive
        if receive is None:
            raise Rejected("not_offered", "no files are taken here")
        me = await self._recognise(exchange)
        self._entrance.check_rate(exchange.address, "upload")
        return _say(await receive(exchange, me))

    async def _sign_downloads(self, exchange: Exchange) -> Response:
        me = await self._recognise(exchange)
        files = (await read_json(exchange)).get("files")
        if not isinstance(files, list) or len(files) > MAX_FILES_SIGNED or not all(_is_number(file) for file in files):
            raise Rejected("proto", f"files is a list of at most {MAX_FILES_SIGNED} numbers")
        signer, now_s = await self._get_signer(), self._now_s()
        return _say({"links": {str(file): signer.sign(file, me.person, now_s) for file in files}})

    async def _give(self, exchange: Exchange) -> Response:
        give, request = self._services.give, exchange.request
        if give is None:
            raise Rejected("not_offered", "there are no files here")
        signer = await self._get_signer()
        file, person = signer.read(request.path, request.query, self._now_s())
        return await give(exchange, person, file)

    async def _get_signer(self) -> Signer:
        if self._signer is None:
            read = "SELECT value FROM meta WHERE key = 'secret'"
            (secret,) = await self._house.hub.store.read(lambda db: db.execute(read).fetchone())
            self._signer = Signer(secret)
        return self._signer

    def _now_s(self) -> int:
        return self._house.hub.store.now_ms() // 1000

    async def _recognise(self, exchange: Exchange) -> Me:
        """Find out who asks, by the token in the request."""
        scheme, _, token = exchange.request.values.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Rejected("auth", "the token goes into the field Authorization: Bearer")
        return await self._house.recognise(token.strip())


class _Action(NamedTuple):
    """What is done under one address. is_for_guests: pages of other sites may ask for it, as far as they are named."""

    methods: tuple[str, ...]
    perform: Callable[[ChatSite, Exchange], Awaitable[Response]]
    is_for_guests: bool = False


_ACTIONS: Final = {
    "/api/public": _Action(("GET", "HEAD"), ChatSite._public, True),
    "/api/signin": _Action(("POST",), ChatSite._sign_in),
    "/api/link": _Action(("POST",), ChatSite._use_link),
    "/api/signup": _Action(("POST",), ChatSite._sign_up),
    "/api/visitor": _Action(("POST",), ChatSite._visit, True),
    "/api/signout": _Action(("POST",), ChatSite._sign_out, True),
    "/api/files": _Action(("POST",), ChatSite._receive, True),
    "/api/downloads": _Action(("POST",), ChatSite._sign_downloads, True),
    _FILES: _Action(("GET", "HEAD"), ChatSite._give, True),
}
MAX_FILES_SIGNED: Final = 200


async def read_json(exchange: Exchange) -> Mapping[str, Any]:
    """Return the JSON object that a page has sent. Raises Rejected for anything else, Gone."""
    kind = exchange.request.values.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise Rejected("bad_type", f"{excerpt(kind)} is not {_JSON}")
    data = bytearray()
    while piece := await exchange.read():
        data += piece
        if len(data) > MAX_JSON:
            raise Rejected("too_big", f"over {MAX_JSON} bytes of JSON")
    try:
        found = json.loads(data.decode())
        json.dumps(found, ensure_ascii=False).encode()  # no half of a surrogate pair, which JSON can write
    except (ValueError, RecursionError) as exc:
        raise Rejected("proto", "the body is not JSON in UTF-8") from exc
    if not isinstance(found, dict):
        raise Rejected("proto", "the body is not an object")
    return found


def problem(exc: Rejected) -> Response:
    """Return the answer that says why something is not done."""
    found = {"code": exc.code, "why": str(exc)} | ({"retry": exc.retry_s} if exc.retry_s else {})
    answer = _say(found, _STATUS.get(exc.code, 400))
    if not exc.retry_s:
        return answer
    return answer._replace(fields=(*answer.fields, ("Retry-After", str(max(1, round(exc.retry_s))))))


def _say(found: Mapping[str, Any], status: int = 200) -> Response:
    return Response(status, _BASIC, (json.dumps(found, ensure_ascii=False) + "\n").encode())


def _foreign(request: Request) -> Rejected:
    origin = excerpt(request.values.get("origin", ""))
    return Rejected("origin", f"pages of {origin} may not talk to this chat; its operator can allow them")


def _wrong_method(request: Request, allowed: str) -> Response:
    return refusal(405, f"only {allowed}", request.values, [("Allow", allowed)])


def _caller(exchange: Exchange) -> Caller:
    agent = exchange.request.values.get("user-agent", "")
    label = "".join(character for character in agent if character.isprintable())
    return Caller(exchange.address, label[:80])


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53
