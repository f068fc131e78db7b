"""The static site: a handler that answers from one or several roots.

    Site(exchange)
      remembered plan for this very head?   -> exchange.answer           (the hot path)
      guard, method                         -> 421, 405, 501, OPTIONS
      _resources[path], still current?      -> _send
      find(path)                            -> a Resource, or what else the path means: Redirect, Listed, Missing
      _send                                 -> coding, conditions, ranges -> exchange.answer / respond

A file is looked at (one stat) at most once in a turn of the event loop, and taken through the door again at most once
a second, so that a file that is replaced, or a sidecar that appears, is seen at once, or within that second.
Whatever might wait for a disk is done in a thread, and only then does an exchange need a task.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar

from portico.apps.files.compression import Compressed, Compressor
from portico.apps.files.guard import HostGuard
from portico.apps.files.mounts import Listed, Mounts, Place
from portico.apps.files.opened import Folder, NoDescriptors, NotServed, Version
from portico.apps.files.policy import FieldList, Policy, read_policy
from portico.apps.files.resource import IDENTITY, LongAnswer, Resource, Variant, load, read_all
from portico.apps.files.root import Root
from portico.errors import Refused
from portico.http.conditional import allows_range, evaluate
from portico.http.message import Request, Response
from portico.http.negotiation import choose_encoding
from portico.http.target import encode_segment, path_segments
from portico.server.exchange import Exchange
from portico.settings import Files
from portico.wire.answer import WholeAnswer

_ALLOW = "GET, HEAD, OPTIONS"
_OTHER_METHODS = frozenset(("POST", "PUT", "DELETE", "CONNECT", "TRACE", "PATCH"))
_MAX_RESOURCES = 4096
_MAX_HELD_BYTES = 64 * 1024 * 1024
_MAX_CHOICES = 1024
_WALK_S = 1.0
_EXHAUSTED = "too many open files; try again later"

Work = Coroutine[Any, Any, None] | None


class Plan(NamedTuple):
    """What a head leads to for as long as its resource is current; kept in `Request.remembered`."""

    site: "Site"
    resource: Resource
    coding: str
    answer: WholeAnswer


class Redirect(NamedTuple):
    """The path lacks its slash, or its file name. location: relative, without the query."""

    location: str


class Missing(NamedTuple):
    """Nothing is served there. place: where it was looked for, None outside every root."""

    place: Place | None


class Fallback(NamedTuple):
    """Nothing is served there, but --spa has its page for it."""

    page: Resource


Found = Resource | Redirect | Listed | Missing | Fallback
_Looked = TypeVar("_Looked", bound=Found | None)


async def _look(find: Callable[[], _Looked]) -> _Looked:
    """Find something in a thread. If nobody waits for it any longer, its files are closed all the same."""
    future = asyncio.get_running_loop().run_in_executor(None, find)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_let_go)
        raise


def _let_go(future: "asyncio.Future[_Looked]") -> None:
    if future.cancelled() or future.exception() is not None:
        return
    found = future.result()
    if isinstance(found, Fallback):
        found.page.close()
    elif isinstance(found, Resource):
        found.close()


class Site:
    """See the module.

    roots: {"": root}, or a root for each name at the top. files: the settings. names: host names that are ours, None
    to answer to every one. Raises UsageError for settings that make no sense.
    """

    def __init__(self, roots: Mapping[str, Root], files: Files, *, names: frozenset[str] | None) -> None:
        self._mounts = Mounts(roots)
        self._files = files
        self._policy: Policy = read_policy(files)
        self._guard = HostGuard(None if names is None else names.union(files.host_name))
        self._compressor = Compressor()
        self._resources: dict[str, Resource] = {}
        self._held_bytes = 0
        self._choices: dict[tuple[str | None, tuple[str, ...]], str] = {}
        self._turn = 0
        self._is_turning = False

    def close(self) -> None:
        """Let go of everything; to be called when no exchange is under way."""
        for resource in self._resources.values():
            resource.close()
        self._resources.clear()
        self._compressor.close()
        self._mounts.close()

    def __call__(self, exchange: Exchange) -> Work:
        """Answer one exchange (the handler contract)."""
        plan = exchange.request.remembered
        if plan.__class__ is Plan and plan.site is self:
            _, resource, coding, answer = plan
            if resource.checked == self._turn or self._still_current(resource):
                exchange.coding = coding
                exchange.answer(answer)
                return None
            exchange.request.remembered = None
        return self._decide(exchange)

    # freshness

    def _still_current(self, resource: Resource) -> bool:
        """Look at the file, unless that was done in this turn of the loop already."""
        if not resource.is_current:
            return False
        if resource.checked == self._turn:
            return True
        if resource.root.version(resource.name) != resource.version or time.monotonic() > resource.walked_s + _WALK_S:
            return False
        # Only here, where a request has come in, and not when something was loaded: uvloop may take further requests
        # before the end of a turn that a thread's result began.
        resource.checked = self._turn
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        return True

    def _next_turn(self) -> None:
        self._is_turning = False
        self._turn += 1

    def _remember(self, path: str, new: Resource) -> Resource:
        """Keep a resource that was just loaded; where nothing has changed, go on with the one we had."""
        new.walked_s = time.monotonic()
        old = self._resources.get(path)
        if old is not None:
            if old.is_current and old.stamp() == new.stamp() and self._is_best_packed(old):
                new.close()
                old.walked_s = new.walked_s
                return old
            self._forget(path)
        self._resources[path] = new
        self._held_bytes += new.held_bytes
        while len(self._resources) > _MAX_RESOURCES or self._held_bytes > _MAX_HELD_BYTES:
            oldest = next(iter(self._resources))
            if oldest == path:
                break
            self._forget(oldest)
        return new

    def _forget(self, path: str) -> None:
        resource = self._resources.pop(path)
        self._held_bytes -= resource.held_bytes
        resource.close()

    def _is_best_packed(self, resource: Resource) -> bool:
        """Tell whether no better compression of it has been finished since."""
        for coding, variant in resource.variants.items():
            if coding != IDENTITY and coding not in resource.sidecars:
                packed = self._compressor.get(resource.version, coding)
                if packed is None or variant.tag.opaque != f"{resource.base_tag}-{packed.level_tag}":
                    return False
        return True

    # what a path means

    def _decide(self, exchange: Exchange) -> Work:
        request = exchange.request
        if not self._guard.accepts(request.authority):
            return self._refuse(exchange, 421, "this server does not answer to that host name (--host-name adds one)")
        if request.method not in ("GET", "HEAD"):
            return self._other_method(exchange)
        resource = self._resources.get(request.path)
        if resource is not None and self._still_current(resource):
            return self._send(exchange, resource)
        try:
            found = self._find(request.path, wait=False)
        except BlockingIOError:
            return self._find_later(exchange)
        except NoDescriptors:
            return self._refuse(exchange, 503, _EXHAUSTED)
        return self._act(exchange, found)

    async def _find_later(self, exchange: Exchange, *, packs: bool = True) -> None:
        try:
            found = await _look(lambda: self._find(exchange.request.path, wait=True))
        except NoDescriptors:
            work = self._refuse(exchange, 503, _EXHAUSTED)
        else:
            if not packs and isinstance(found, Resource | Fallback):
                resource = self._keep(exchange.request.path, found)
                work = self._send_variant(exchange, resource, resource.variants[IDENTITY])
            else:
                work = self._act(exchange, found)
        if work is not None:
            await work

    def _find(self, path: str, *, wait: bool) -> Found:
        """Say what a path means. wait: as in `load`. Raises NoDescriptors, and BlockingIOError unless it may wait."""
        parsed = path_segments(path)
        if parsed is None:
            return Missing(None)
        base = self._policy.base
        if base and (parsed.segments, parsed.is_directory) == (base, False):
            return Redirect(encode_segment(base[-1]) + "/")
        if parsed.segments[: len(base)] != base:
            return Missing(None)
        segments = parsed.segments[len(base) :]
        if not segments and self._mounts.single_file is not None and parsed.is_directory:
            return Redirect(encode_segment(self._mounts.single_file))
        place = self._mounts.place(segments)
        if place is None:
            return self._top() if not segments else Missing(None)
        if parsed.is_directory:
            return self._find_folder(place, segments, wait)
        return self._find_file(place, segments, wait)

    def _top(self) -> Found:
        return Listed(None, (), (), self._mounts.top()) if self._files.listing else Missing(None)

    def _find_folder(self, place: Place, segments: tuple[bytes, ...], wait: bool) -> Found:
        try:
            index = self._load(Place(place.root, (*place.segments, b"index.html")), wait)
            if isinstance(index, Resource):
                return index
        except NotServed:
            pass
        try:
            found = place.root.open(place.segments, wait=wait) if self._files.listing else None
        except NotServed:
            found = None
        if isinstance(found, Folder):
            return Listed(place.root, place.segments, segments, [])
        if found is not None:
            found.close()
        return self._fall_back(place, wait)

    def _find_file(self, place: Place, segments: tuple[bytes, ...], wait: bool) -> Found:
        try:
            found = self._load(place, wait)
        except NotServed:
            return self._find_clean(place, wait)
        if isinstance(found, Resource):
            return found
        return Redirect(encode_segment(segments[-1]) + "/")

    def _find_clean(self, place: Place, wait: bool) -> Found:
        """Try NAME.html for NAME where --clean-urls asks for it."""
        if self._files.clean_urls and place.segments and b"." not in place.segments[-1]:
            try:
                page = self._load(Place(place.root, (*place.segments[:-1], place.segments[-1] + b".html")), wait)
                if isinstance(page, Resource):
                    return page
            except NotServed:
                pass
        return self._fall_back(place, wait)

    def _fall_back(self, place: Place, wait: bool) -> Found:
        """Answer unknown pages, but not unknown assets, with the application where --spa asks for it."""
        if self._files.spa and not (place.segments and b"." in place.segments[-1]):
            try:
                page = self._load(Place(place.root, (b"index.html",)), wait)
                if isinstance(page, Resource):
                    return Fallback(page)
            except NotServed:
                pass
        return Missing(place)

    def _load(self, place: Place, wait: bool) -> Resource | Folder:
        return load(place.root, place.segments, self._policy, packs=self._files.compress, wait=wait)

    def _act(self, exchange: Exchange, found: Found) -> Work:
        if isinstance(found, Resource | Fallback):
            return self._send(exchange, self._keep(exchange.request.path, found))
        if isinstance(found, Redirect):
            return self._redirect(exchange, found)
        if isinstance(found, Listed):
            return self._list(exchange, found)
        return self._miss(exchange, found)

    def _keep(self, path: str, found: Resource | Fallback) -> Resource:
        if isinstance(found, Resource):
            return self._remember(path, found)
        found.page.is_stand_in = True
        return self._remember(f"\0{id(found.page.root)}", found.page)

    # a file

    def _send(self, exchange: Exchange, resource: Resource) -> Work:
        request = exchange.request
        values = request.values
        coding = IDENTITY
        if resource.is_negotiable and not ("range" in values and not resource.sidecars):
            accepted = values.get("accept-encoding")
            coding = self._choices.get((accepted, resource.offered)) or self._choose(accepted, resource.offered)
        variant = resource.variants.get(coding)
        if variant is None:
            return self._pack(exchange, resource, coding)
        return self._send_variant(exchange, resource, variant)

    def _choose(self, accepted: str | None, offered: tuple[str, ...]) -> str:
        # A client that refuses even the plain form gets it all the same (RFC 9110 12.5.3 allows that).
        coding = choose_encoding(accepted, offered) or IDENTITY
        if len(self._choices) >= _MAX_CHOICES:
            self._choices.clear()
        self._choices[accepted, offered] = coding
        return coding

    def _pack(self, exchange: Exchange, resource: Resource, coding: str) -> Work:
        """Compress on the fly: what is there already at once, the rest in a thread."""
        packed = self._compressor.get(resource.version, coding)
        if packed is None:
            return self._pack_later(exchange, resource, coding)
        if not packed.is_smaller:
            return self._send_variant(exchange, resource, resource.variants[IDENTITY])
        tag = f"{resource.base_tag}-{packed.level_tag}"
        variant = resource.variants[coding] = Variant(resource, coding, tag, packed.body)
        self._held_bytes += len(packed.body) if resource.is_current else 0
        return self._send_variant(exchange, resource, variant)

    async def _pack_later(self, exchange: Exchange, resource: Resource, coding: str) -> None:
        plain = resource.variants[IDENTITY]
        # The work goes on when this peer has left, and reads the file till then.
        pending = asyncio.ensure_future(self._compress(resource.version, coding, plain))
        try:
            packed = await asyncio.shield(pending)
        except Refused:  # the file has changed meanwhile, or cannot be read
            packed = None
        if packed is not None and packed.is_smaller and coding not in resource.variants:
            work = self._pack(exchange, resource, coding)
        elif packed is not None and (packed.is_smaller or resource.is_current):
            work = self._send_variant(exchange, resource, resource.variants.get(coding, plain))
        else:
            # Not compressed: a file that is always changing would never be sent otherwise.
            work = self._find_later(exchange, packs=False)
        if work is not None:
            await work

    async def _compress(self, version: Version, coding: str, plain: Variant) -> Compressed:
        body, source = plain.body, plain.source
        if source is None:
            return await self._compressor.compress(version, coding, lambda: body or b"")
        source.share()
        try:
            return await self._compressor.compress(version, coding, lambda: read_all(source))
        finally:
            source.close()

    def _send_variant(self, exchange: Exchange, resource: Resource, variant: Variant) -> Work:
        request = exchange.request
        values = request.values
        if (
            "range" in values
            or "if-none-match" in values
            or "if-modified-since" in values
            or "if-match" in values
            or "if-unmodified-since" in values
        ):
            answer = self._conditional(request, variant)
        else:
            answer = variant.whole()
        exchange.coding = "" if variant.coding == IDENTITY else variant.coding
        if isinstance(answer, Response):
            if answer.status in self._policy.error_pages:
                return self._refuse_with_page(exchange, answer.status, "", tuple(answer.fields))
            exchange.respond(answer)
            return None
        if isinstance(answer, LongAnswer):
            exchange.stream(answer.head, answer.body)
            return None
        if not (request.is_secret or resource.is_stand_in):
            request.remembered = Plan(self, resource, exchange.coding, answer)
        exchange.answer(answer)
        return None

    def _conditional(self, request: Request, variant: Variant) -> WholeAnswer | LongAnswer | Response:
        """Apply conditions and ranges (RFC 9110 13.2.2 and 14.2)."""
        values = request.values
        now_s = int(time.time())
        outcome = evaluate(request.method, values, validators=variant.validators, now_s=now_s)
        if outcome == 304:
            return variant.not_modified()
        if outcome == 412:
            return self._policy.refusal(request, 412, "the file is not the version that was asked for")
        is_ranged = "range" in values and request.method == "GET"
        if is_ranged and allows_range(values.get("if-range"), variant.validators, now_s=now_s):
            return variant.ranged(values["range"])
        return variant.whole()

    # everything else

    def _other_method(self, exchange: Exchange) -> Work:
        request = exchange.request
        allow = (("Allow", _ALLOW),)
        if request.method == "OPTIONS":
            exchange.respond(Response(204, self._policy.fields(allow + self._policy.preflight)))
            return None
        if request.method in _OTHER_METHODS:
            return self._refuse(exchange, 405, f"{request.method} is not possible here; {_ALLOW} are", allow)
        return self._refuse(exchange, 501, "this method is not known here")

    def _redirect(self, exchange: Exchange, found: Redirect) -> Work:
        query = exchange.request.query
        location = found.location if query is None else f"{found.location}?{query}"
        status = 308 if self._files.production else 307
        fields = (("Location", location), ("Cache-Control", "no-cache"))
        exchange.respond(Response(status, self._policy.fields(fields)))
        return None

    async def _list(self, exchange: Exchange, found: Listed) -> None:
        from portico.apps.files.folder import answer_folder  # late: a site of pages never shows a listing

        try:
            response = await answer_folder(found, exchange.request, self._policy)
        except NotServed:
            work = self._miss(exchange, Missing(None))
            if work is not None:
                await work
        except NoDescriptors:
            exchange.respond(self._policy.refusal(exchange.request, 503, _EXHAUSTED))
        else:
            exchange.respond(response)

    def _refuse(self, exchange: Exchange, status: int, reason: str, fields: FieldList = ()) -> Work:
        if status in self._policy.error_pages:
            return self._refuse_with_page(exchange, status, reason, fields)
        exchange.respond(self._policy.refusal(exchange.request, status, reason, fields))
        return None

    async def _refuse_with_page(self, exchange: Exchange, status: int, reason: str, fields: FieldList) -> None:
        if not await self._answer_with_page(exchange, status, fields):
            exchange.respond(self._policy.refusal(exchange.request, status, reason, fields))

    async def _answer_with_page(self, exchange: Exchange, status: int, fields: FieldList = ()) -> bool:
        """Answer with the page that the site has for a status; tell whether it has one."""
        page = await _look(lambda: self._page_for(status))
        if page is None:
            return False
        try:
            exchange.respond(page.variants[IDENTITY].as_error(status, fields))
        finally:
            page.close()
        return True

    async def _miss(self, exchange: Exchange, found: Missing) -> None:
        """Answer 404, with the page that the site has for it, or with ours."""
        if await self._answer_with_page(exchange, 404):
            return
        from portico.apps.files.missing import answer_missing  # late: nothing may ever be missing

        place = None if self._files.production else found.place
        response = await asyncio.to_thread(answer_missing, exchange.request, place, self._policy)
        exchange.respond(response)

    def _page_for(self, status: int) -> Resource | None:
        """Load the site's own page: that of --error-page, or for 404 the 404.html at the top. In a thread."""
        place = self._mounts.place(self._policy.error_pages.get(status, (b"404.html",)))
        try:
            page = self._load(place, True) if place is not None else None
        except (NotServed, NoDescriptors):
            return None
        return page if isinstance(page, Resource) else None
