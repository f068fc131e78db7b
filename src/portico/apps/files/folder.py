"""A folder's listing as an answer: HTML for browsers, JSON for programs, text for curl.

In: a place and the request; out: a Response whose body streams, or is whole where one slice was enough. Entries are
read and rows made in a thread, a slice at a time, so that neither a slow disk nor a huge folder holds the loop.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from portico.apps.files.listing import Page, Readme, html, json_listing, read_query, text_listing
from portico.apps.files.mounts import Listed
from portico.apps.files.opened import Folder, NotServed
from portico.apps.files.pages import csp
from portico.apps.files.policy import Policy
from portico.apps.files.resource import read_all
from portico.apps.files.root import Entry, Root
from portico.errors import Refused
from portico.http.message import Body, Request, Response
from portico.http.negotiation import choose_language, choose_media_type

_SLICE_BYTES = 64 * 1024
_SLICE_S = 0.02
_MAX_README_BYTES = 256 * 1024
_READMES = (b"README.md", b"README.txt", b"README", b"readme.md", b"readme.txt")
_TERMINALS = ("curl/", "HTTPie/", "xh/", "portico/")
VARY = "Accept, Accept-Language, User-Agent"

_Maker = Callable[[Page, Iterable[Entry]], Iterator[bytes]]
_MAKERS: dict[str, tuple[str, _Maker]] = {
    "text/html": ("text/html; charset=utf-8", html),
    "application/json": ("application/json", json_listing),
    "text/plain": ("text/plain; charset=utf-8", text_listing),
}


def language_of(request: Request) -> str:
    """Return the language of the pages for a request, "en" or "zh"."""
    return choose_language(request.values.get("accept-language"), ("en", "zh"), default="en")


def kind_of(request: Request) -> str:
    """Return the media type of the pages for a request: text for curl and its like, which accept anything."""
    accept = request.values.get("accept")
    if accept in (None, "*/*") and request.values.get("user-agent", "").startswith(_TERMINALS):
        return "text/plain"
    return choose_media_type(accept, tuple(_MAKERS)) or "text/html"


async def answer_folder(listed: Listed, request: Request, policy: Policy) -> Response:
    """Make the answer; the first slice is awaited, so that a folder that cannot be read is still a 404.

    Raises NotServed and NoDescriptors.
    """
    loop = asyncio.get_running_loop()
    kind, make = _MAKERS[kind_of(request)]
    page = _page(listed, request, policy)
    chunks = await loop.run_in_executor(None, _open, listed, page, make)
    first, is_all = await loop.run_in_executor(None, _slice, chunks)
    fields = [
        ("Content-Type", kind),
        ("Cache-Control", "no-cache"),
        ("Vary", VARY),
    ]
    if make is html:
        fields.append(("Content-Security-Policy", csp(page.nonce)))
        fields.append(("Referrer-Policy", "same-origin"))
    body: Body = first if is_all else _stream(first, chunks)
    return Response(200, policy.fields(fields), body)


def _page(listed: Listed, request: Request, policy: Policy) -> Page:
    from secrets import token_urlsafe  # late: many sites never show a listing

    sort, view = read_query(request.query)
    return Page(
        now_s=int(time.time()),
        nonce=token_urlsafe(12),
        segments=listed.shown,
        base=policy.base,
        sort=sort,
        view=view,
        language=language_of(request),
    )


def _open(listed: Listed, page: Page, make: _Maker) -> Iterator[bytes]:
    """Open the folder and find its README; in a thread."""
    if listed.root is None:
        return make(page, listed.entries)
    entries = listed.root.scan(listed.segments)
    if make is html:
        from dataclasses import replace

        page = replace(page, readme=_readme(listed.root, listed.segments))
    return make(page, entries)


def _readme(root: Root, segments: tuple[bytes, ...]) -> Readme | None:
    for name in _READMES:
        try:
            file = root.open((*segments, name))
        except NotServed:
            continue
        if isinstance(file, Folder):
            continue
        try:
            return Readme(name, read_all(file)) if file.size <= _MAX_README_BYTES else None
        except Refused:  # the listing is worth more than its README
            return None
        finally:
            file.close()
    return None


def _slice(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Collect chunks for 20 ms or 64 KiB; tell whether they are at their end. In a thread."""
    pieces: list[bytes] = []
    size = 0
    until_s = time.perf_counter() + _SLICE_S
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= _SLICE_BYTES or time.perf_counter() > until_s:
            return b"".join(pieces), False
    return b"".join(pieces), True


async def _stream(first: bytes, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    piece, is_all = first, False
    while True:
        if piece:
            yield piece
        if is_all:
            return
        piece, is_all = await loop.run_in_executor(None, _slice, chunks)
