"""The pages of the chat, as they lie in the package: read once, answered from memory.

In: the folder. Out: a table of paths, so that what is not in the table is not there, however a path is written. Each
page allows itself its own scripts and styles alone, and asks again whether it has changed each time (304 as a rule).

    /            index.html      the messenger
    /desk        desk.html       agents
    /admin       admin.html
    /widget      visitor.html    visitors, on a page of its own or in a frame
    /widget.js   widget.js       for the pages of other sites, as is what it loads, widget/...
    /page/...    everything, by its name
"""

import gzip
import hashlib
from pathlib import Path
from typing import Final

from portico.http.conditional import EntityTag, Validators, evaluate
from portico.http.message import Request
from portico.http.negotiation import choose_encoding
from portico.wire.answer import WholeAnswer

FOLDER: Final = Path(__file__).with_name("page")
_NAMED: Final = {
    "index.html": "/",
    "desk.html": "/desk",
    "admin.html": "/admin",
    "visitor.html": "/widget",
    "widget.js": "/widget.js",
}
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_PACKED: Final = frozenset({".html", ".js", ".css", ".svg", ".webmanifest"})
_VISITORS: Final = "visitor.html"
_ELSEWHERE: Final = ("widget.js", "widget/")  # what other sites load: code that everybody may read
FRAMED: Final = frozenset({_NAMED[_VISITORS], f"/page/{_VISITORS}"})  # what may be shown in frames of other sites


class Page:
    """One file, and the answers made of it: as it is, packed, and that it has not changed."""

    __slots__ = ("_answers", "_tags")

    def __init__(self, data: bytes, suffix: str, fields: tuple[tuple[str, str], ...]) -> None:
        bodies = {"identity": data}
        if suffix in _PACKED:
            bodies["gzip"] = gzip.compress(data, mtime=0)
        opaque = hashlib.sha256(data).hexdigest()[:16]
        self._tags = {coding: EntityTag(f"{opaque}-{coding}") for coding in bodies}
        self._answers: dict[tuple[str, int], WholeAnswer] = {}
        for coding, body in bodies.items():
            common = (*fields, ("ETag", str(self._tags[coding])), ("Vary", "Accept-Encoding"))
            packed = () if coding == "identity" else (("Content-Encoding", coding),)
            whole = WholeAnswer(200, (("Content-Type", _TYPES[suffix]), *packed, *common), body)
            self._answers[coding, 200] = whole
            self._answers[coding, 304] = WholeAnswer(304, common, b"")

    def answer(self, request: Request, now_s: int) -> WholeAnswer:
        """Return the answer to a GET or HEAD. now_s: since 1970."""
        coding = choose_encoding(request.values.get("accept-encoding"), [c for c in self._tags if c != "identity"])
        coding = coding if coding in self._tags else "identity"
        validators = Validators(self._tags[coding], None)
        status = evaluate(request.method, request.values, validators=validators, now_s=now_s)
        return self._answers[coding, 304 if status == 304 else 200]


class Pages:
    """All pages of a folder. table: by their paths."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._framed = b""
        self.table: dict[str, Page] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _TYPES and path.is_file():
                self._add(path.relative_to(folder).as_posix(), path.read_bytes())

    def _add(self, name: str, data: bytes) -> None:
        if name == _VISITORS:
            self._framed = data
        page = Page(data, Path(name).suffix, _fields(name))
        self.table[f"/page/{name}"] = page
        if name in _NAMED:
            self.table[_NAMED[name]] = page

    def allow_frames(self, ancestors: str) -> None:
        """Say who may show the visitors' page in a frame, as a policy says it; the others are in nobody's."""
        page = Page(self._framed, ".html", _fields(_VISITORS, ancestors))
        self.table |= {path: page for path in FRAMED if path in self.table}


def _fields(name: str, ancestors: str = "") -> tuple[tuple[str, str], ...]:
    ancestors = ancestors or ("'self'" if name == _VISITORS else "'none'")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {ancestors}"
    )
    is_for_others = name.startswith(_ELSEWHERE)
    # A module is loaded as scripts of other origins are read: only where it says that it may be (Fetch, 4.9).
    sharing = (("Access-Control-Allow-Origin", "*"),) if is_for_others else ()
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "cross-origin" if is_for_others else "same-origin"),
        *sharing,
        ("Cache-Control", "no-cache"),
    )
