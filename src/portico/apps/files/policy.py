"""What the settings add to every answer, read once: extra fields, CORS, isolation, caching, error pages.

In: the `Files` settings; out: a `Policy`. Mistakes in them are UsageErrors at the start, never at a request.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from portico.errors import UsageError, excerpt
from portico.http.message import Request, Response
from portico.http.target import path_segments
from portico.server.refusals import refusal
from portico.settings import Files
from portico.wire.answer import AnswerHead
from portico.wire.fields import is_framing

FieldList = tuple[tuple[str, str], ...]

_CORS: FieldList = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Content-Range, ETag, Accept-Ranges, Content-Encoding"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
_PREFLIGHT: FieldList = (
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Max-Age", "600"),
)
_ISOLATE: FieldList = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
)
_NO_SNIFF: FieldList = (("X-Content-Type-Options", "nosniff"),)

REVALIDATE = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"
# What pages load, and build tools hence give hashed names.
_LOADED = frozenset(
    "js mjs css map wasm json woff woff2 ttf otf png jpg jpeg gif svg webp avif ico mp3 mp4 webm ogg".split()
)
# What tools put between the hash and the extension: main.3f9ac1d2.chunk.js, main.3f9ac1d2.js.map.
_BETWEEN = (".js", ".mjs", ".css", ".chunk", ".min", ".bundle", ".module")
_HEX = re.compile(r"[0-9a-f]{8,64}")
_BASE32 = re.compile(r"[A-Z2-7]{8}")
_BASE64 = re.compile(r"[A-Za-z0-9_-]{8}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The words and numbers that people would see in a name: Chapter2 has two, iPhone6s has four.
_RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_MAX_NAME = 255
_BARE_DIGITS = 20  # a name that is nothing but a hash, as webpack gives to pictures


def cache_control(name: str) -> str:
    """Return the caching rule for a file: forever where its name carries a content hash, else always ask again.

    name: the last segment only. A hash taken for a word costs a request that answers 304; a word taken for a hash
    would hide every change for a year. So what could be either is none.
    """
    return _FOREVER if _carries_hash(name) else REVALIDATE


def _carries_hash(name: str) -> bool:
    stem, _, extension = name.rpartition(".")
    if extension not in _LOADED or len(name) > _MAX_NAME:
        return False
    while stem.endswith(_BETWEEN):
        stem = stem[: stem.rindex(".")]
    if _UUID.fullmatch(stem[-36:]):  # tells one thing from another, not one version from another
        return False
    last = stem[max(stem.rfind("."), stem.rfind("-"), stem.rfind("_")) + 1 :]
    if _HEX.fullmatch(last) and len(_RUNS.findall(last)) >= 3:  # not a date, nor facade01
        return last != stem or len(stem) >= _BARE_DIGITS
    # Rollup and Vite write base64url, which may hold a dash itself, and esbuild base32; eight characters by default.
    tail = stem[-8:]
    if stem[-9:-8] not in (".", "-", "_"):
        return False
    runs = _RUNS.findall(tail)
    is_mixed = any(map(str.isdigit, runs)) and not tail.islower()
    return is_mixed and len(runs) >= (3 if _BASE32.fullmatch(tail) else 5) and _BASE64.fullmatch(tail) is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """What goes on every answer.

    always: on each of them. preflight: on the answer to OPTIONS besides. replaced: lower-case names among `always`
    that take the place of our own. error_pages: status to segments. base: segments of --base.
    """

    always: FieldList
    preflight: FieldList
    replaced: frozenset[str]
    error_pages: dict[int, tuple[bytes, ...]]
    base: tuple[bytes, ...]

    def fields(self, ours: Sequence[tuple[str, str]]) -> FieldList:
        """Add what goes on every answer to our own fields, which give way where the settings name them."""
        if self.replaced:
            ours = [field for field in ours if field[0].lower() not in self.replaced]
        return (*ours, *self.always)

    def refusal(self, request: Request, status: int, reason: str, fields: FieldList = ()) -> Response:
        """Make the answer that refuses a request; as `server.refusals.refusal`, with what goes on every answer."""
        response = refusal(status, reason, request.values, fields)
        # Whether nosniff goes out, and once, is said by `always`.
        return response._replace(fields=self.fields([f for f in response.fields if f[0] != _NO_SNIFF[0][0]]))


def read_policy(files: Files) -> Policy:
    """Read the settings. Raises UsageError for what cannot be sent or understood."""
    extra = tuple(map(_read_header, files.header))
    # Vary adds up: without ours a cache would hand compressed bytes to everybody.
    replaced = frozenset(name.lower() for name, _ in extra) - {"vary"}
    basic = _NO_SNIFF + (_CORS if files.cors else ()) + (_ISOLATE if files.isolate else ())
    basic = tuple(field for field in basic if field[0].lower() not in replaced)
    base = path_segments(files.base if files.base.startswith("/") else "/" + files.base)
    if base is None:
        raise UsageError(f"--base {excerpt(files.base)} is not a path such as /docs")
    pages = dict(map(_read_error_page, files.error_page))
    return Policy(basic + extra, _PREFLIGHT if files.cors else (), replaced, pages, base.segments)


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon:
        raise UsageError(f"--header {excerpt(text)} is not of the form 'NAME: VALUE'")
    if is_framing(name):
        raise UsageError(f"--header {excerpt(text)}: {name} is set by the server itself")
    AnswerHead(200, ((name, value),), 0)
    return name, value


def _read_error_page(text: str) -> tuple[int, tuple[bytes, ...]]:
    status, mark, path = text.partition("=")
    parsed = path_segments("/" + path.lstrip("/"))
    if not (mark and status.isascii() and status.isdigit() and 400 <= int(status) <= 599):
        raise UsageError(f"--error-page {excerpt(text)} is not of the form 404=oops.html")
    if parsed is None or not parsed.segments:
        raise UsageError(f"--error-page {excerpt(text)}: {excerpt(path)} is not a path below the folder")
    return int(status), parsed.segments
