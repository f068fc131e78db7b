"""A file that is remembered: its representations, their validators, and the answers made of them.

    load          the door -> Resource with its sidecars
    Resource      one file in one version; `variants` by content coding
    Variant       one representation: what a 200, 206, 304 or 416 about it says

A resource is good for as long as the file is the same version. Small bodies are kept in memory, large ones as an open
file. Whoever forgets a resource calls `close`.
"""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from portico.apps.files.opened import Folder, NotServed, OpenedFile, Reason
from portico.apps.files.policy import FieldList, Policy, cache_control
from portico.apps.files.root import Root, join
from portico.errors import Refused
from portico.http.conditional import EntityTag, Validators
from portico.http.dates import format_date
from portico.http.media_types import is_compressible, media_type
from portico.http.message import Body, Response, Span, StreamedBody
from portico.http.ranges import ByteRange, content_range, multipart_parts, select_ranges, unsatisfied_range
from portico.wire.answer import AnswerHead, WholeAnswer

IN_MEMORY_BYTES: Final = 64 * 1024
WORTH_PACKING_BYTES: Final = 1024
IDENTITY: Final = "identity"

# Content coding to the suffix of a file packed beforehand, best first.
SIDECARS: Final = {"zstd": b".zst", "br": b".br", "gzip": b".gz"}
_VARY = ("Vary", "Accept-Encoding")


class LongAnswer(NamedTuple):
    """An answer too long to be kept ready in one piece. head: serves every request for it."""

    head: AnswerHead
    body: StreamedBody


class Variant:
    """One representation of a file.

    coding: IDENTITY or a content coding. tag: its strong entity tag. size: bytes.
    body: all of it, or None where it is read from `source`. is_stored: it exists as a file, so ranges of it make sense.
    """

    __slots__ = (
        "_cache",
        "_media_type",
        "_modified_s",
        "_not_modified",
        "_policy",
        "_vary",
        "_whole",
        "body",
        "coding",
        "is_stored",
        "size",
        "source",
        "tag",
    )

    def __init__(self, resource: "Resource", coding: str, tag: str, stored: "OpenedFile | bytes") -> None:
        self.coding = coding
        self.tag = EntityTag(tag)
        self.is_stored = isinstance(stored, OpenedFile)
        self.body: bytes | None = None
        self.source: OpenedFile | None = None
        if isinstance(stored, OpenedFile):
            self.size = stored.size
            self.source = stored
        else:
            self.size = len(stored)
            self.body = stored
        self._policy = resource.policy
        self._media_type = resource.media_type
        self._modified_s = resource.modified_s
        self._cache = resource.cache
        self._vary = (_VARY,) if resource.is_negotiable else ()
        self._whole: WholeAnswer | AnswerHead | None = None
        self._not_modified: WholeAnswer | None = None

    @property
    def validators(self) -> Validators:
        """What a conditional request is measured against."""
        return Validators(self.tag, self._modified_s)

    def keep_in_memory(self, body: bytes) -> None:
        """Hold the whole body instead of the open file."""
        self.body = body
        self.size = len(body)
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self.source is not None:
            self.source.close()
            self.source = None

    def whole(self) -> "WholeAnswer | LongAnswer":
        """Answer 200 with all of it."""
        if self._whole is None:
            fields = self._fields(200, self._media_type)
            is_short = self.body is not None and self.size <= IN_MEMORY_BYTES
            self._whole = WholeAnswer(200, fields, self.body or b"") if is_short else AnswerHead(200, fields, self.size)
        if isinstance(self._whole, WholeAnswer):
            return self._whole
        return LongAnswer(self._whole, self._pieces_of_all())

    def as_error(self, status: int, fields: FieldList = ()) -> Response:
        """Answer an error whose page this is. fields: added to the page's own."""
        body = self._pieces_of_all() if self.body is None else self.body
        return Response(status, self._fields(status, self._media_type, fields), body)

    def _pieces_of_all(self) -> tuple[bytes | Span, ...]:
        if self.body is not None:
            return (self.body,)
        assert self.source is not None
        return (Span(self.source.share(), 0, self.size),)

    def not_modified(self) -> WholeAnswer:
        """Answer 304 (RFC 9110 15.4.5)."""
        if self._not_modified is None:
            fields = (("ETag", str(self.tag)), ("Cache-Control", self._cache), *self._vary)
            self._not_modified = WholeAnswer(304, self._policy.fields(fields), b"")
        return self._not_modified

    def ranged(self, value: str) -> WholeAnswer | LongAnswer | Response:
        """Answer a Range field whose conditions hold (RFC 9110 14.2): 206, 416, or all of it."""
        selected = select_ranges(value, self.size) if self.is_stored else None
        if selected is None:
            return self.whole()
        if not selected:
            fields = (("Content-Range", unsatisfied_range(self.size)), *self._vary)
            return Response(416, self._policy.fields(fields), b"")
        if len(selected) == 1:
            fields = (("Content-Range", content_range(selected[0], self.size)),)
            return Response(206, self._fields(206, self._media_type, fields), self._pieces(selected, [b""], b""))
        from secrets import token_hex  # late: few clients ask for several ranges

        boundary = token_hex(12)
        preambles, closing = multipart_parts(selected, self.size, media_type=self._media_type, boundary=boundary)
        fields = self._fields(206, f"multipart/byteranges; boundary={boundary}")
        return Response(206, fields, self._pieces(selected, preambles, closing))

    def _pieces(self, selected: Sequence[ByteRange], preambles: list[bytes], closing: bytes) -> Body:
        pieces: list[bytes | Span] = []
        for preamble, (start, length) in zip(preambles, selected, strict=True):
            pieces.append(preamble)
            if self.body is not None:
                pieces.append(self.body[start : start + length])
            else:
                assert self.source is not None
                pieces.append(Span(self.source, start, length))
        if self.source is not None:
            self.source.share()
            return (*pieces, closing)
        return b"".join([piece for piece in pieces if isinstance(piece, bytes)]) + closing

    def _fields(self, status: int, kind: str, more: FieldList = ()) -> FieldList:
        fields: list[tuple[str, str]] = [("Content-Type", kind)]
        if status < 400:
            fields.append(("ETag", str(self.tag)))
            if self._modified_s is not None:
                fields.append(("Last-Modified", format_date(self._modified_s)))
            if self.is_stored:
                fields.append(("Accept-Ranges", "bytes"))
        fields.append(("Cache-Control", self._cache if status < 400 else "no-store"))
        if self.coding != IDENTITY:
            fields.append(("Content-Encoding", self.coding))
        return self._policy.fields((*fields, *self._vary, *more))


class Resource:
    """One file of a root, in one version.

    offered: content codings to choose from, best first. variants: those at hand, by coding.
    checked: the turn of the event loop in which it was last found unchanged. walked_s: when it last came through the
    door. is_current: False once it is known to be outdated. is_stand_in: it answers for other paths than its own, where
    a file may appear any time.
    """

    __slots__ = (
        "cache",
        "checked",
        "is_current",
        "is_negotiable",
        "is_stand_in",
        "media_type",
        "modified_s",
        "name",
        "offered",
        "policy",
        "root",
        "segments",
        "sidecars",
        "variants",
        "version",
        "walked_s",
    )

    def __init__(self, root: Root, segments: tuple[bytes, ...], file: OpenedFile, policy: Policy) -> None:
        name = segments[-1].decode("utf-8", "replace")
        self.root = root
        self.segments = segments
        self.name = join(segments)
        self.version = file.version
        self.policy = policy
        self.media_type = media_type(name)
        # RFC 9110 8.8.2.1: no Last-Modified from the future.
        self.modified_s = file.mtime_s if file.mtime_s <= time.time() else None
        self.cache = cache_control(name)
        self.sidecars: dict[str, OpenedFile] = {}
        self.offered: tuple[str, ...] = (IDENTITY,)
        self.is_negotiable = False
        self.variants: dict[str, Variant] = {}
        self.checked = -1
        self.walked_s = 0.0
        self.is_current = True
        self.is_stand_in = False

    @property
    def base_tag(self) -> str:
        """The entity tag of the file as it is, which those of its other forms extend."""
        return f"{self.version.mtime_ns & (1 << 64) - 1:x}-{self.version.size:x}"

    def offer(self, sidecars: dict[str, OpenedFile], packs: bool) -> None:
        """Decide which codings there are. packs: text is compressed on the fly."""
        is_packable = packs and self.version.size >= WORTH_PACKING_BYTES and is_compressible(self.media_type)
        self.sidecars = sidecars
        codings = tuple(coding for coding in SIDECARS if is_packable or coding in sidecars)
        self.offered = (*codings, IDENTITY)
        self.is_negotiable = bool(codings)
        for coding, file in sidecars.items():
            tag = f"{self.base_tag}-{file.version.mtime_ns & (1 << 64) - 1:x}-{coding}"
            self.variants[coding] = Variant(self, coding, tag, file)

    def stamp(self) -> tuple[object, ...]:
        """Return what makes two loadings of the same path equal."""
        return (self.name, self.version, tuple((coding, file.version) for coding, file in self.sidecars.items()))

    def close(self) -> None:
        """Forget the bodies and let go of the files."""
        self.is_current = False
        for variant in self.variants.values():
            variant.close()

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies in memory, and a little for each open file."""
        return sum(len(v.body) if v.body is not None else 1024 for v in self.variants.values())


def load(root: Root, segments: tuple[bytes, ...], policy: Policy, *, packs: bool, wait: bool) -> Resource | Folder:
    """Take a file, and the sidecars that are at least as new, through the door.

    wait: False raises BlockingIOError where the disk must be asked. Raises NotServed and NoDescriptors.
    """
    file = root.open(segments, wait=wait)
    if isinstance(file, Folder):
        return file
    resource = Resource(root, segments, file, policy)
    sidecars: dict[str, OpenedFile] = {}
    try:
        resource.offer(_open_sidecars(root, segments, file, wait, sidecars), packs)
        plain = resource.variants[IDENTITY] = Variant(resource, IDENTITY, resource.base_tag, file)
        for variant in (plain, *map(resource.variants.__getitem__, sidecars)):
            if variant.size <= IN_MEMORY_BYTES and variant.source is not None:
                variant.keep_in_memory(_read(variant.source, wait))
    except BaseException:
        file.close()
        for sidecar in sidecars.values():
            sidecar.close()
        raise
    return resource


def _open_sidecars(
    root: Root, segments: tuple[bytes, ...], file: OpenedFile, wait: bool, found: dict[str, OpenedFile]
) -> dict[str, OpenedFile]:
    if root.only is not None or segments[-1].endswith(tuple(SIDECARS.values())):
        return found
    for coding, suffix in SIDECARS.items():
        try:
            sidecar = root.open((*segments[:-1], segments[-1] + suffix), wait=wait)
        except NotServed:
            continue
        if isinstance(sidecar, Folder):
            continue
        if sidecar.version.mtime_ns >= file.version.mtime_ns:
            found[coding] = sidecar
        else:
            sidecar.close()
    return found


def _read(file: OpenedFile, wait: bool) -> bytes:
    try:
        return read_all(file, wait=wait)
    except Refused as exc:
        raise NotServed(Reason.UNREADABLE, str(exc)) from exc


def read_all(file: OpenedFile, *, wait: bool = True) -> bytes:
    """Read a whole file. wait: as in `load`. Raises Refused where it has shrunk meanwhile, or cannot be read."""
    buffer = bytearray(file.size)
    view = memoryview(buffer)
    count = file.read_into(view, 0) if wait else file.read_hot(view, 0)
    if count < file.size and not wait:
        raise BlockingIOError("the file changed while it was read")
    return bytes(buffer[:count])
