"""The chat on the web: its pages, its JSON, its WebSocket. A handler for `HttpServer`.

    ChatSite(exchange)
      Pages            GET  /  /desk  /admin  /widget  /widget.js  /page/...
      serve_socket     GET  /ws                           the WebSocket; subprotocol portico.chat.v1
      Entrance         POST /api/signin  link  signup  visitor  signout
      _ACTIONS         GET  /api/public?queue=2           what a page has to know before anybody has signed in; of the
                                                          first queue of the desk where none is named
                       POST /api/files                    an upload; see `Services.receive`
                       POST /api/downloads {files}        -> {links}: addresses for a few minutes
                       GET  /files/ID?...                 such an address

Who has signed in sends the token in the field Authorization: Bearer. What is refused is answered with
{"code", "why", "retry"?}. Pages of other sites get as far as visitors do, and only those of sites that an admin has
named in the setting `origins`.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from math import ceil
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from portico.apps.chat import audit
from portico.apps.chat.entrance import LANGUAGES, Caller, Entrance, Gate
from portico.apps.chat.events import MAX_TEXT, Rejected
from portico.apps.chat.origin import Origins, Standing, is_allowable, preflight_fields, sharing_fields
from portico.apps.chat.pages import FRAMED, Pages
from portico.apps.chat.session import House, Me
from portico.apps.chat.signing import PREFIX, Signer
from portico.apps.chat.websocket import SUBPROTOCOL, Joiner, Terms, serve_socket
from portico.errors import PeerError, excerpt
from portico.http.message import Request, Response
from portico.server.exchange import Exchange
from portico.server.refusals import refusal
from portico.wire.handshake import HINTS, parse_handshake

SOCKET: Final = "/ws"
MAX_JSON: Final = 16 * 1024
MAX_SIGNED: Final = 200  # addresses of files at a time
_MAX_LABEL: Final = 80
_QUEUE: Final = re.compile("[0-9]{1,9}")
_JSON: Final = "application/json"
_BASIC: Final = (("Content-Type", _JSON), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
_STATUS: Final = {
    "auth": 401,
    "blocked": 403,
    "forbidden": 403,
    "origin": 403,
    "no_file": 404,
    "no_person": 404,
    "no_queue": 404,
    "not_offered": 404,
    "taken": 409,
    "too_big": 413,
    "bad_type": 415,
    "rate": 429,
    "unavailable": 503,
}


class Services(NamedTuple):
    """What the site offers beside talking; what is None is not offered.

    receive: takes an upload, whose body has not been read; returns what to tell the page. give: answers a download:
    given the exchange, the person and the file. tell_desk: what a queue, the first for None, says of itself: open,
    opens, greeting, offline. All may raise Rejected.
    """

    receive: Callable[[Exchange, Me], Awaitable[Mapping[str, Any]]] | None = None
    give: Callable[[Exchange, int, int], Awaitable[Response]] | None = None
    tell_desk: Callable[[int | None], Awaitable[Mapping[str, Any]]] | None = None


class Sign(NamedTuple):
    """What is said of the chat, beside what an admin has set. title: where none is set. origins: as in the setting."""

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
        terms: Terms | None = None,
    ) -> None:
        self._entrance = Entrance(house, gate)
        self._gate = gate
        self._house = house
        self._joiner = Joiner()
        self._pages = Pages()
        self._services = services or Services()
        self._sign = sign or Sign()
        self._signer: Signer | None = None
        self._terms = terms or Terms()
        self._origins_text = ""
        self._allow("")

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        """Answer a request; nearly every page at once."""
        path = exchange.request.path
        if path in self._pages.table:
            if path in FRAMED:
                return self._show_framed(exchange)
            self._show(exchange)
            return None
        if path == SOCKET:
            return self._open_socket(exchange)
        action = _ACTIONS.get(PREFIX if path.startswith(PREFIX) else path)
        if action is not None:
            return self._act(exchange, action)
        exchange.respond(refusal(404, "there is nothing under this address", exchange.request.values))
        return None

    # pages

    def _show(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method in ("GET", "HEAD"):
            exchange.answer(self._pages.table[request.path].answer(request, int(time.time())))
        else:
            exchange.respond(_wrong_method(request, "GET, HEAD"))

    async def _show_framed(self, exchange: Exchange) -> None:
        await self._read_settings()
        self._show(exchange)

    # who asks

    async def _judge(self, exchange: Exchange) -> Standing:
        """Tell whose page asks, by the settings as they are now."""
        request, scheme = exchange.request, exchange.origin.scheme
        origin = request.values.get("origin")
        standing = self._origins.judge(origin, scheme, request.authority)
        if standing is not Standing.OWN:
            await self._read_settings()
            standing = self._origins.judge(origin, scheme, request.authority)
        return standing

    async def _read_settings(self) -> Mapping[str, str | int | bool]:
        settings = await self._house.hub.store.read(audit.settings)
        if settings["origins"] != self._origins_text:
            self._allow(str(settings["origins"]))
        return settings

    def _allow(self, origins_text: str) -> None:
        """Let pages of some sites in. origins_text: the setting; what is no origin in it counts for nothing."""
        self._origins_text = origins_text
        self._origins = Origins([*self._sign.origins, *filter(is_allowable, origins_text.split())])
        self._pages.allow_frames(self._origins.frame_ancestors)

    async def _recognise(self, exchange: Exchange) -> Me:
        """Find out who asks, by the token in the request."""
        scheme, _, token = exchange.request.values.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Rejected("auth", "the token goes into the field Authorization: Bearer")
        return await self._house.recognise(token.strip())

    # the WebSocket

    async def _open_socket(self, exchange: Exchange) -> None:
        request = exchange.request
        try:
            handshake = parse_handshake(request)
            if SUBPROTOCOL not in handshake.subprotocols:
                raise PeerError(400, f"only the subprotocol {SUBPROTOCOL} is spoken here")
            if await self._judge(exchange) is Standing.FOREIGN:
                raise _foreign(request)
            self._entrance.check_rate(exchange.address, "connect")
        except PeerError as exc:
            exchange.respond(refusal(exc.status, str(exc), request.values, HINTS))
        except Rejected as exc:
            exchange.respond(problem(exc))
        else:
            await serve_socket(self._house, exchange, joiner=self._joiner, terms=self._terms)

    # JSON

    async def _act(self, exchange: Exchange, action: "_Action") -> None:
        """Do what is asked for; a page of another site is let read the answer where it may ask at all."""
        origin = exchange.request.values.get("origin", "")
        standing = await self._judge(exchange)
        try:
            if standing is Standing.FOREIGN or (standing is Standing.GUEST and not action.is_for_guests):
                raise _foreign(exchange.request)
            answer = await self._answer(exchange, action)
        except Rejected as exc:
            answer = problem(exc)
        if standing is Standing.GUEST and action.is_for_guests:
            answer = answer._replace(fields=(*answer.fields, *sharing_fields(origin)))
        exchange.respond(answer)

    async def _answer(self, exchange: Exchange, action: "_Action") -> Response:
        request = exchange.request
        if request.method == "OPTIONS":
            return Response(204, preflight_fields(action.methods))
        if request.method not in action.methods:
            return _wrong_method(request, ", ".join(action.methods))
        return await action.perform(self, exchange)

    async def _tell(self, exchange: Exchange) -> Response:
        settings = await self._read_settings()
        found: dict[str, Any] = {name: settings[name] for name, row in audit.SETTINGS.items() if row.is_public}
        found["title"] = found["title"] or self._sign.title
        found["signup"] = found["signup"] and self._gate.hash_password is not None
        found |= {"languages": LANGUAGES, "files": self._services.receive is not None, "max_text": MAX_TEXT}
        if self._services.tell_desk is not None:
            found |= await self._services.tell_desk(_queue_in(exchange.request.query or ""))
        return _say(found)

    async def _sign_in(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.sign_in(await read_json(exchange), _caller(exchange)))

    async def _use_link(self, exchange: Exchange) -> Response:
        return _say(await self._entrance.use_link(await read_json(exchange), _caller(exchange)))

    async def _sign_up(self, exchange: Exchange) -> Response:
        if not (await self._read_settings())["signup"]:
            raise Rejected("not_offered", "accounts are made by the admins here")
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
        self._entrance.check_rate(exchange.address, "upload")
        return _say(await receive(exchange, await self._recognise(exchange)))

    async def _sign_downloads(self, exchange: Exchange) -> Response:
        me = await self._recognise(exchange)
        files = (await read_json(exchange)).get("files")
        if not isinstance(files, list) or len(files) > MAX_SIGNED or not all(_is_number(file) for file in files):
            raise Rejected("proto", f"files is a list of at most {MAX_SIGNED} numbers")
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


class _Action(NamedTuple):
    """What is done under one address. is_for_guests: pages of other sites may ask for it, as far as they are named."""

    methods: tuple[str, ...]
    perform: Callable[[ChatSite, Exchange], Awaitable[Response]]
    is_for_guests: bool = False


_ACTIONS: Final = {
    "/api/public": _Action(("GET", "HEAD"), ChatSite._tell, True),
    "/api/signin": _Action(("POST",), ChatSite._sign_in),
    "/api/link": _Action(("POST",), ChatSite._use_link),
    "/api/signup": _Action(("POST",), ChatSite._sign_up),
    "/api/visitor": _Action(("POST",), ChatSite._visit, True),
    "/api/signout": _Action(("POST",), ChatSite._sign_out, True),
    "/api/files": _Action(("POST",), ChatSite._receive, True),
    "/api/downloads": _Action(("POST",), ChatSite._sign_downloads, True),
    PREFIX: _Action(("GET", "HEAD"), ChatSite._give, True),
}


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
    found: dict[str, Any] = {"code": exc.code, "why": str(exc)}
    if not exc.retry_s:
        return _say(found, _STATUS.get(exc.code, 400))
    answer = _say({**found, "retry": exc.retry_s}, _STATUS.get(exc.code, 400))
    return answer._replace(fields=(*answer.fields, ("Retry-After", str(ceil(exc.retry_s)))))


def _say(found: Mapping[str, Any], status: int = 200) -> Response:
    return Response(status, _BASIC, (json.dumps(found, ensure_ascii=False) + "\n").encode())


def _queue_in(query: str) -> int | None:
    """Return the number that a query asks for, None where it does not. Raises Rejected "no_queue"."""
    values = parse_qs(query, keep_blank_values=True).get("queue")
    if values is None:
        return None
    if not _QUEUE.fullmatch(values[-1]):
        raise Rejected("no_queue", f"{excerpt(values[-1])} is not the number of a queue")
    return int(values[-1])


def _foreign(request: Request) -> Rejected:
    origin = excerpt(request.values.get("origin", ""))
    return Rejected("origin", f"pages of {origin} may not do this here; an admin can allow them what visitors may")


def _wrong_method(request: Request, allowed: str) -> Response:
    return refusal(405, f"only {allowed}", request.values, [("Allow", allowed)])


def _caller(exchange: Exchange) -> Caller:
    agent = exchange.request.values.get("user-agent", "")
    label = "".join(character for character in agent if character.isprintable())
    return Caller(exchange.address, label[:_MAX_LABEL])


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53
