"""Downloads: an answer becomes a file, whole or not at all.

    download               the one way in
      _anew                a first request; what it answers decides how it goes on
        _whole             one answer, from beginning to end
        _shared            pieces on several connections, where the server has ranges (RFC 9110 section 14)
      _go_on               the rest of a part, if the file is still the same (If-Range, 13.1.5)

In: a Client and an `Order`. Out: `Saved`. Invariant: no byte of one version of a file is ever joined to a byte of
another; every request for a piece carries If-Range, every answer is held against what is known, and a file that has
changed is fetched anew.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from portico.client.part_file import Notes, PartFile, Piece
from portico.client.pieces import (
    LEAST_PIECE,
    Answered,
    Changed,
    check_piece,
    conditional,
    content_range,
    named,
    plan_pieces,
    validator_of,
)
from portico.errors import Gone, PeerError, PorticoError, Refused, UsageError
from portico.http.url import parse_url

if TYPE_CHECKING:
    from portico.client.blocking import Client
    from portico.client.body import Given
    from portico.client.response import Response

_TRIES: Final = 3
_PAUSE_S: Final = 1.0
_BUSY: Final = frozenset((429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be fetched, into what.

    choose: returns the path, once the answer's head is there. path: the same where it is known before, else "".
    replace: over a file that exists. resume: go on with what is there of it. parallel: connections, for GET alone.
    sha256: 64 hex digits that the whole file must have; "" for any.
    """

    url: str
    choose: "Callable[[Response], str]"
    method: str = "GET"
    fields: tuple[tuple[str, str | None], ...] = ()
    body: "Given | None" = None
    path: str = ""
    replace: bool = False
    resume: bool = False
    parallel: int = 1
    sha256: str = ""


class Saved(NamedTuple):
    """A file that is whole. size: in bytes. resumed: how many of them were there before."""

    path: str
    size: int
    resumed: int


class Watch:
    """What others may see of a download while it is under way.

    done, total: bytes; total None where unknown. part: the path of the part, "" before there is one.
    remark: is told in one line what a person should know, as that the file has changed.
    """

    def __init__(self, remark: Callable[[str], object]) -> None:
        self.done = 0
        self.total: int | None = None
        self.part = ""
        self.can_resume = False
        self.remark = remark
        self._lock = threading.Lock()

    def begin(self, done: int, total: int | None) -> None:
        """Set where it stands."""
        self.done, self.total = done, total

    def came(self, count: int) -> None:
        """Add bytes that are on the disk. Several threads call this."""
        with self._lock:
            self.done += count


class _Stopped(Exception):
    """Another thread has failed, or a person has had enough."""


def download(client: "Client", order: Order, watch: Watch) -> Saved:
    """Fetch what is ordered; return once the file is whole and under its name.

    Raises Refused for an answer that is no file (`Answered`), for a checksum that differs, for a full disk; Gone where
    the connection is lost; PeerError; ConfigError where the file cannot be written. What has come is kept as a part,
    with notes to go on from, where the server has said how to recognise it.
    """
    task = _Task(client, order, watch)
    try:
        return task.run()
    finally:
        task.file.close()


class _Task:
    """One download."""

    def __init__(self, client: "Client", order: Order, watch: Watch) -> None:
        self._client = client
        self._order = order
        self._watch = watch
        self._resumed = 0
        self._url = str(parse_url(order.url))  # without a password
        self._asks_range = any(name.lower() == "range" for name, _ in order.fields)
        self.file = PartFile(order.path)
        if self._asks_range and (order.resume or order.parallel > 1):
            raise UsageError("a Range of your own goes neither with --continue nor with --parallel; leave it out")

    def run(self) -> Saved:
        notes = self._kept() if self._order.path and self._order.resume else None
        if notes is None or not self._went_on(notes):
            self._anew()
        return self._finished()

    def _kept(self) -> Notes | None:
        """Open the part; return what is known of it where one can go on from it."""
        if self.file.fd < 0:
            self.file.open()
            self._watch.part = self.file.part
        notes = self.file.read_notes()
        held = self.file.held()
        is_ours = notes is not None and notes.url == self._url and _fits(notes, held)
        if held and not is_ours:
            self._watch.remark(f"nothing is known of {self.file.part}; it is fetched anew")
        if notes is None or not (held and is_ours):
            return None
        self._resumed = _there(notes, held)
        return notes

    # --- one answer -------------------------------------------------------------------------------

    def _anew(self) -> None:
        """Fetch from the beginning. A probe for ranges gets the first piece at the same time."""
        order = self._order
        can_share = order.parallel > 1 and order.method == "GET"
        probe = (("Range", f"bytes=0-{LEAST_PIECE - 1}"),) if can_share else ()
        notes = None
        with self._client.stream(order.method, order.url, fields=(*order.fields, *probe), body=order.body) as response:
            if response.status == 416 and can_share:  # an empty file has no first piece
                can_share = False
            else:
                notes = self._take(response, is_probe=can_share)
                if notes is None:
                    return
        if notes is None:
            self._order_plain()
        elif not self._went_on(notes):
            self._order_plain()

    def _order_plain(self) -> None:
        order = self._order
        with self._client.stream(order.method, order.url, fields=order.fields, body=order.body) as response:
            self._open_for(response, asks_range=self._asks_range)
            self._whole(response)

    def _open_for(self, response: "Response", *, asks_range: bool) -> None:
        """Make sure that the answer is a file, and open what it goes to."""
        if not 200 <= response.status < 300:
            raise Answered(response.status, response.reason)
        if response.status == 206 and not asks_range:
            raise PeerError(502, f"{named(response)} is a part, and the whole was asked for")
        if self.file.fd < 0:
            self.file = PartFile(self._order.choose(response))
            self.file.open()
            self._watch.part = self.file.part

    def _take(self, response: "Response", *, is_probe: bool) -> Notes | None:
        """Take a first answer as far as it goes; return notes where the rest is to be asked for."""
        is_new = self.file.fd < 0
        self._open_for(response, asks_range=is_probe or self._asks_range)
        if is_new and self._order.resume and not self._order.path:
            kept = self._kept()
            if kept is not None and kept.validator == validator_of(response.values):
                return kept
        if not is_probe or response.status != 206:
            self._whole(response)
            return None
        return self._first_piece(response)

    def _whole(self, response: "Response") -> None:
        """Write one answer from beginning to end."""
        self._resumed = 0
        self.file.empty()
        validator = validator_of(response.values) if response.status == 200 and self._order.method == "GET" else ""
        if validator:
            self.file.write_notes(Notes(self._url, validator, response.length))
        self._watch.can_resume = bool(validator)
        self._watch.begin(0, response.length)
        response.copy_to(self.file.fd, self._watch.came)

    def _first_piece(self, response: "Response") -> Notes | None:
        """Write what a probe for ranges brings; return the notes that the rest is fetched by."""
        found = content_range(response)
        validator = validator_of(response.values)
        if found is None or found[0] != 0:
            raise PeerError(502, f"{named(response)} is not what was asked for, bytes 0-{LEAST_PIECE - 1}")
        _, length, size = found
        self.file.empty()
        self._watch.begin(0, size)
        if length == size:
            response.copy_to(self.file.fd, self._watch.came)
            return None
        if not validator:
            # Without a strong validator pieces cannot be told to belong together.
            return Notes(self._url, "", None)
        response.copy_to(self.file.fd, self._watch.came)
        return Notes(self._url, validator, size)

    # --- the rest ---------------------------------------------------------------------------------

    def _went_on(self, notes: Notes) -> bool:
        """Fetch what is missing; return False where the file has changed and has to be fetched anew."""
        if not notes.validator:
            return False
        held = self.file.held()
        self._watch.begin(_there(notes, held), notes.size)
        self._watch.can_resume = True
        try:
            if notes.size is not None and (notes.pieces or self._order.parallel > 1):
                self._shared(notes, held)
            elif held != notes.size:
                return self._rest(notes, held)
        except Changed:
            self._resumed = 0
            self._watch.remark("the file has changed meanwhile; it is fetched anew")
            return False
        return True

    def _rest(self, notes: Notes, held: int) -> bool:
        """Ask for all that is missing in one answer; it may be the whole of a new version."""
        order = self._order
        fields = (*order.fields, *conditional(notes.validator, f"bytes={held}-"))
        with self._client.stream("GET", order.url, fields=fields) as response:
            if response.status == 200:
                self._resumed = 0
                self._watch.remark("the file has changed meanwhile; it is fetched anew")
                self._whole(response)
                return True
            check_piece(response, notes, held)
            os.lseek(self.file.fd, held, os.SEEK_SET)
            response.copy_to(self.file.fd, self._watch.came)
        return True

    def _shared(self, notes: Notes, held: int) -> None:
        assert notes.size is not None
        if not notes.pieces:
            self.file.make_room(notes.size)
            notes.pieces = [Piece(0, held, held), *plan_pieces(held, notes.size, self._order.parallel)]
        self.file.write_notes(notes)
        try:
            _Crew(self._client, self._order, self.file, notes, self._watch).fetch()
        finally:
            with suppress(PorticoError):
                self.file.write_notes(notes)

    def _finished(self) -> Saved:
        size = self.file.held()
        if self._order.sha256:
            found = _digest(self.file.fd)
            if found != self._order.sha256.lower():
                self.file.discard()
                raise Refused(f"the file has the SHA-256 {found}, not {self._order.sha256.lower()}; it is not kept")
        self.file.finish(replace=self._order.replace)
        return Saved(self.file.path, size, self._resumed)


class _Crew:
    """Threads that fetch the pieces of one file. The first failure of one ends the work of all."""

    def __init__(self, client: "Client", order: Order, file: PartFile, notes: Notes, watch: Watch) -> None:
        self._client = client
        self._order = order
        self._file = file
        self._notes = notes
        self._watch = watch
        self._todo = deque(piece for piece in notes.pieces if not piece.is_whole)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failures: list[BaseException] = []

    def fetch(self) -> None:
        """Fetch all pieces. An interruption leaves the threads, which end with the process, and is passed on."""
        count = min(self._order.parallel, len(self._todo))
        # Daemons: after Ctrl-C nobody waits for a server that says nothing.
        threads = [threading.Thread(target=self._work, name="portico-get", daemon=True) for _ in range(count)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._ended.set()
        if self._failures:
            raise self._failures[0]

    def _work(self) -> None:
        try:
            while not self._ended.is_set():
                try:
                    piece = self._todo.popleft()
                except IndexError:
                    return
                self._persist(piece)
                with self._lock:
                    self._file.write_notes(self._notes)
        except _Stopped:
            pass
        except BaseException as exc:  # the root of a thread: whatever it is, it belongs to whoever waits
            self._failures.append(exc)
            self._ended.set()

    def _persist(self, piece: Piece) -> None:
        """Fetch a piece; after a lost connection go on from where it stood."""
        for attempt in range(_TRIES):
            before = piece.done
            try:
                return self._fetch(piece)
            except Gone:
                if attempt == _TRIES - 1:
                    raise
                if piece.done == before and self._ended.wait(_PAUSE_S * attempt):
                    raise _Stopped from None

    def _fetch(self, piece: Piece) -> None:
        start, end = piece.start + piece.done, piece.start + piece.length
        fields = (*self._order.fields, *conditional(self._notes.validator, f"bytes={start}-{end - 1}"))
        with self._client.stream("GET", self._order.url, fields=fields) as response:
            if response.status == 200:
                raise Changed
            if response.status in _BUSY:
                raise Gone(str(Answered(response.status, response.reason)))
            check_piece(response, self._notes, start, end)
            fd = self._file.open_again()
            try:
                os.lseek(fd, start, os.SEEK_SET)
                response.copy_to(fd, lambda count: self._came(piece, count))
            finally:
                os.close(fd)

    def _came(self, piece: Piece, count: int) -> None:
        piece.done += count
        self._watch.came(count)
        if self._ended.is_set():
            raise _Stopped


def _fits(notes: Notes, held: int) -> bool:
    """Say whether a part can be what its notes say. held: its length."""
    return held == notes.size if notes.pieces else held <= (notes.size or held)


def _there(notes: Notes, held: int) -> int:
    """Return how many bytes of a file are there. held: the length of its part."""
    return sum(piece.done for piece in notes.pieces) if notes.pieces else held


def _digest(fd: int) -> str:
    import hashlib

    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
