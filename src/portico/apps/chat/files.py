"""Files and pictures in messages: taken in, handed out, forgotten.

    Files.receive(exchange, me)            POST /api/files?name=..., the body is the file -> {id, name, type, size}
      a message {"files": [id]}            by whoever has uploaded it: from then on, who can read it can have them
    Files.give(exchange, person, file)     the answer of a download, for somebody who may have it
    Files.sweep                            what is in no message, a day later

A file lies under the SHA-256 of its bytes, equal ones once. What it is, is told by its bytes and never by its sender:
four kinds of pictures may be shown in a page, everything else is for saving. Names are made harmless.
"""

import asyncio
import codecs
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import parse_qs, quote

from portico.apps.chat import audit, log
from portico.apps.chat.events import Rejected
from portico.apps.chat.frames import Frame
from portico.apps.chat.limits import Limits
from portico.apps.chat.log import Change
from portico.apps.chat.operations import myself, numbers
from portico.apps.chat.session import Me, Operation, Session
from portico.apps.chat.store import Store
from portico.gateway.file_source import FileSource
from portico.http.message import Response, Span
from portico.server.exchange import Exchange

FOLDER: Final = "files"
MAX_NAME: Final = 120
ORPHAN_MS: Final = 24 * 3_600_000
SPARE_BYTES: Final = 256 << 20  # that stay free on the disk
_MIB: Final = 1 << 20
_PIECE: Final = 1 << 20  # bytes that are gathered before the disk is asked
_HEAD: Final = 512
_UTF8: Final = codecs.getincrementaldecoder("utf-8")
_UNKNOWN: Final = "application/octet-stream"

# First bytes, at an offset, and what they are (https://mimesniff.spec.whatwg.org/, 6 and 7).
_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS\0", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (8, b"WAVE", "audio/wav"),
)
SHOWN: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_NOT_IN_NAMES: Final = frozenset('<>:"/\\|?*')


class File(NamedTuple):
    """One upload. digest: the SHA-256 of its bytes, as hex. size: bytes."""

    id: int
    digest: str
    name: str
    type: str
    size: int
    uploader: int


def clean_name(name: str) -> str:
    """Return a file name that no system takes for a path or a device, and that shows as what it is."""
    last = name.replace("\\", "/").rpartition("/")[2]
    last = unicodedata.normalize("NFC", last)
    kept = "".join("_" if c in _NOT_IN_NAMES or not c.isprintable() else c for c in last).strip(" .")
    stem, dot, extension = kept.rpartition(".")
    if dot and len(extension) <= 12:
        return f"{stem[: MAX_NAME - len(extension) - 1]}.{extension}" if stem else extension
    return kept[:MAX_NAME] or "file"


def sniff(head: bytes) -> str:
    """Return the media type of a file by its first bytes; text is plain text, whatever markup is in it."""
    for offset, magic, found in _SIGNATURES:
        if head.startswith(magic, offset):
            return found
    is_text = not any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in head)
    try:
        _UTF8().decode(head, final=len(head) < _HEAD)  # the last character may have been cut
    except UnicodeDecodeError:
        return _UNKNOWN
    return "text/plain; charset=utf-8" if is_text and head else _UNKNOWN


def may_have(db: Connection, person: int, file: File) -> bool:
    """Tell whether a person may have a file: its uploader, and who can read a message that it is in."""
    if file.uploader == person:
        return True
    places = db.execute("SELECT conversation, seq FROM mention WHERE file = ?", (file.id,)).fetchall()
    return any(log.can_read(db, person, *place) for place in places)


def find(db: Connection, number: int) -> File | None:
    """Return a file, None where there is none."""
    row = db.execute("SELECT id, digest, name, type, size, uploader FROM file WHERE id = ?", (number,)).fetchone()
    return None if row is None else File(*row)


class _Upload(NamedTuple):
    """What has come in. path: where it lies for now."""

    path: Path
    digest: str
    head: bytes
    size: int


class Files:
    """The files of one house. folder: of the house, in which they have a folder. Belongs to one loop."""

    def __init__(self, store: Store, folder: Path, limits: Limits) -> None:
        self._store = store
        self._folder = folder / FOLDER
        self._limits = limits
        self._moving = asyncio.Lock()

    def operations(self) -> dict[str, Operation]:
        """Return what can be asked about files: `files.get {ids} -> {files: {id: {name, type, size}}}`."""
        return {"files.get": self._describe}

    async def receive(self, exchange: Exchange, me: Me) -> Mapping[str, Any]:
        """Take an upload, whose body has not been read, and say what it is.

        Raises Rejected: "rate", "too_big", "empty", "unavailable" where the disk is full; Gone.
        """
        wait_s = self._limits.may(me, "upload")
        if wait_s:
            raise Rejected("rate", "too many uploads at once; wait a little", retry_s=wait_s)
        most = int((await self._store.read(audit.settings))["max_file_mib"]) * _MIB
        length = exchange.request.body_length
        if length is not None and length > most:
            raise _too_big(most)
        name = _asked_name(exchange)
        try:
            target = await asyncio.to_thread(self._begin, most)
            try:
                upload = await _take(exchange, target, most)
                file = await self._keep(upload, name, me)
            finally:
                await asyncio.to_thread(_discard, target)
        except OSError as exc:
            raise Rejected("unavailable", f"the file cannot be stored: {exc.strerror}", retry_s=60.0) from exc
        return {"id": file.id, "name": file.name, "type": file.type, "size": file.size}

    def _begin(self, most: int) -> BinaryIO:
        """Open a file beside the others for what is to come."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(self._folder).free < most + SPARE_BYTES:
            raise Rejected("unavailable", "the disk is full; tell whoever runs this", retry_s=600.0)
        fd, path = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        return open(path, "wb", opener=lambda *_: fd)

    async def _keep(self, upload: _Upload, name: str, me: Me) -> File:
        """Give a file its place on the disk and in the database; nothing is swept meanwhile."""
        kind = sniff(upload.head)

        def write(change: Change) -> File:
            row = change.db.execute(
                "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                (upload.digest, name, kind, upload.size, me.person, change.now_ms),
            ).fetchone()
            return File(row[0], upload.digest, name, kind, upload.size, me.person)

        async with self._moving:
            await asyncio.to_thread(_move, upload.path, self._place(upload.digest))
            return await self._store.write(write)

    def _place(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    async def give(self, exchange: Exchange, person: int, number: int) -> Response:
        """Return the answer of a download. Raises Rejected "no_file" for what is not there, or not for this person."""

        def read(db: Connection) -> File | None:
            file = find(db, number)
            is_open = db.execute("SELECT 1 FROM person WHERE id = ? AND NOT is_disabled", (person,)).fetchone()
            return file if file is not None and is_open and may_have(db, person, file) else None

        file = await self._store.read(read)
        if file is None:
            raise Rejected("no_file", "there is no such file for you")
        try:
            source = await asyncio.to_thread(FileSource.open, self._place(file.digest))
        except OSError as exc:
            raise Rejected("no_file", f"the file is not there any more: {exc.strerror}") from exc
        return Response(200, _fields(file), (Span(source, 0, source.size),))

    async def _describe(self, session: Session, frame: Frame) -> Mapping[str, Any]:
        """Say what some files are, as far as one may have them."""
        ids, own = numbers(frame, "ids"), myself(session)

        def read(db: Connection) -> list[File]:
            found = (find(db, number) for number in ids)
            return [file for file in found if file is not None and may_have(db, own.person, file)]

        found = await self._store.read(read)
        return {"files": {str(file.id): {"name": file.name, "type": file.type, "size": file.size} for file in found}}

    async def sweep(self) -> int:
        """Remove what is in no message and older than a day; return how many files went from the disk."""

        def write(change: Change) -> list[str]:
            gone = change.db.execute(
                "DELETE FROM file WHERE made_ms < ? AND NOT EXISTS (SELECT 1 FROM mention WHERE mention.file = file.id)"
                " RETURNING digest",
                (change.now_ms - ORPHAN_MS,),
            ).fetchall()
            return unused(change.db, {digest for (digest,) in gone})

        async with self._moving:
            digests = await self._store.write(write)
            await asyncio.to_thread(self._remove, digests)
        return len(digests)

    async def remove(self, digests: list[str]) -> None:
        """Remove files from the disk that no row names any more, as far as that is still so."""
        async with self._moving:
            left = await self._store.read(lambda db: unused(db, set(digests)))
            await asyncio.to_thread(self._remove, left)

    def _remove(self, digests: list[str]) -> None:
        for digest in digests:
            self._place(digest).unlink(missing_ok=True)


def unused(db: Connection, digests: set[str]) -> list[str]:
    """Return those of some digests that no row has."""
    return [
        digest
        for digest in sorted(digests)
        if db.execute("SELECT 1 FROM file WHERE digest = ? LIMIT 1", (digest,)).fetchone() is None
    ]


def _too_big(most: int) -> Rejected:
    return Rejected("too_big", f"a file has at most {most // _MIB} MiB")


async def _take(exchange: Exchange, target: BinaryIO, most: int) -> _Upload:
    """Write a body to a file that is open, and see what it is."""
    digest, size, head, gathered = sha256(), 0, b"", bytearray()
    while piece := await exchange.read():
        size += len(piece)
        if size > most:
            raise _too_big(most)
        head += piece[: _HEAD - len(head)]
        gathered += piece
        if len(gathered) >= _PIECE:
            await asyncio.to_thread(_write, target, digest, bytes(gathered))
            gathered.clear()
    if not size:
        raise Rejected("empty", "there is nothing in the file")
    await asyncio.to_thread(_write, target, digest, bytes(gathered))
    await asyncio.to_thread(_settle, target)
    return _Upload(Path(target.name), digest.hexdigest(), head, size)


def _asked_name(exchange: Exchange) -> str:
    query = exchange.request.query or ""
    if query.count("&") > 3:
        return clean_name("")
    return clean_name(parse_qs(query).get("name", [""])[0])


def _write(target: BinaryIO, digest: Any, data: bytes) -> None:
    digest.update(data)
    target.write(data)


def _settle(target: BinaryIO) -> None:
    target.flush()
    os.fsync(target.fileno())


def _discard(target: BinaryIO) -> None:
    target.close()
    Path(target.name).unlink(missing_ok=True)


def _move(path: Path, place: Path) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    if not place.exists():
        path.replace(place)


def _fields(file: File) -> list[tuple[str, str]]:
    """Return what keeps a file from being more than a file (RFC 6266, Content Security Policy 3)."""
    plain = "".join(c if c.isascii() and c not in '"%\\' else "_" for c in file.name)
    way = "inline" if file.type in SHOWN else "attachment"
    return [
        ("Content-Type", file.type),
        ("Content-Disposition", f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Cache-Control", "private, max-age=600"),
    ]
