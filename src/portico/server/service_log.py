"""The log of TCP and UDP services: who came, what was said, what was answered.

    ServiceLog.opened, told, closed     a connection
    ServiceLog.datagram                 a datagram and its answer
    ServiceLog.flush                    about twenty times a second, and `finish` once at the end
      -> PrettyLines | JsonLines        a batch of records becomes bytes
      -> write                          once

Invariant: whatever peers send, a line stays a line, nothing moves the cursor or turns the reading order round, and a
flood of datagrams is not a flood of lines: beyond 500 in a second they are counted, and told of in one line.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from portico.errors import UsageError
from portico.server.access_log import BatchedLog, LocalTime, duration_text, size_text, width
from portico.server.peer import Peer
from portico.wire.charset import Charset

MAX_LINES: Final = 500
_MAX_TOLD: Final = 4096  # characters
_MAX_SHOWN: Final = 240  # bytes of a datagram
_PEER_COLUMNS: Final = 21  # 255.255.255.255:65535


class Opened(NamedTuple):
    """A connection has begun. time_s: seconds since 1970, here and below."""

    time_s: float
    peer: Peer | str


class Told(NamedTuple):
    """What a service says of a connection, as a rule what arrived. text: may be hostile."""

    time_s: float
    peer: Peer | str
    text: str


class Closed(NamedTuple):
    """A connection has ended. note: a word of ours on how, "" as a rule."""

    time_s: float
    peer: Peer | str
    received_bytes: int
    sent_bytes: int
    duration_s: float
    note: str


class Datagram(NamedTuple):
    """A datagram and its answer, None for none; of both only the beginning, and how long they were."""

    time_s: float
    peer: Peer | str
    came: bytes
    came_bytes: int
    answer: bytes | None
    answer_bytes: int
    note: str


class More(NamedTuple):
    """How many records had no room in the second before."""

    time_s: float
    number: int


ServiceRecord = Opened | Told | Closed | Datagram | More
ServiceFormat = Callable[[Sequence[ServiceRecord]], bytes]


class ServiceLog(BatchedLog[ServiceRecord]):
    """See the module. Belongs to the thread of the event loop.

    write: takes one batch as bytes; see `BatchedLog`. wall: seconds since 1970; tests pass their own.
    is_discreet: what was said is left out: who came and went is told, and how long a datagram was.
    """

    def __init__(
        self, write: Callable[[bytes], object], format: ServiceFormat, *, wall: Callable[[], float] = time.time
    ) -> None:
        super().__init__(write, format)
        self.is_discreet = False
        self._wall = wall
        self._second = 0
        self._lines = 0
        self._held = 0

    def opened(self, peer: Peer | str) -> None:
        """Log that a connection has begun."""
        if time_s := self._room():
            self.records.append(Opened(time_s, peer))

    def told(self, peer: Peer | str, text: str) -> None:
        """Log what a service says of a connection. text: 4096 characters of it are shown."""
        if not self.is_discreet and (time_s := self._room()):
            self.records.append(Told(time_s, peer, text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}…"))

    def closed(self, peer: Peer | str, *, received: int, sent: int, duration_s: float, note: str = "") -> None:
        """Log that a connection has ended. received, sent: bytes. note: how it ended, see `NOTES`."""
        if time_s := self._room():
            self.records.append(Closed(time_s, peer, received, sent, duration_s, note))

    def datagram(self, peer: Peer | str, came: bytes, answer: bytes | None, note: str = "") -> None:
        """Log a datagram and its answer, None where there was none. note: why there was none, see `NOTES`."""
        if time_s := self._room():
            most = 0 if self.is_discreet else _MAX_SHOWN
            beginning = None if answer is None else answer[:most]
            record = Datagram(time_s, peer, came[:most], len(came), beginning, len(answer or b""), note)
            self.records.append(record)

    @property
    def is_pending(self) -> bool:
        """Whether another `flush` will have something to write, now or when this second is over."""
        return bool(self.records or self._held)

    def flush(self) -> None:
        """Write what has gathered; how many records had no room, once their second is over."""
        if self._held and int(self._wall()) != self._second:
            self._tell_held()
        super().flush()

    def finish(self) -> None:
        """Write everything that there is to write."""
        self._tell_held()
        super().flush()

    def _room(self) -> float:
        """Return the time, or 0 where this second's lines are all taken."""
        time_s = self._wall()
        if int(time_s) != self._second:
            self._tell_held()
            self._second, self._lines = int(time_s), 0
        if self._lines >= MAX_LINES:
            self._held += 1
            return 0.0
        self._lines += 1
        return time_s

    def _tell_held(self) -> None:
        if self._held:
            self.records.append(More(self._second, self._held))
            self._held = 0


def service_log(
    format: str,
    write: Callable[[bytes], object],
    *,
    language: str = "en",
    colour: bool = False,
    dated: bool = False,
) -> ServiceLog:
    """Make the log of a service.

    format: one of settings.LOG_FORMATS. write: takes one batch as bytes. language: "en" or "zh", of `pretty`;
    another counts as "en". colour: ANSI colours. dated: the date before the time, for a file that is read next week.
    Raises UsageError for the forms that can only tell of HTTP.
    """
    if format == "json":
        return ServiceLog(write, JsonLines())
    if format != "pretty":
        raise UsageError(f"the log format {format} tells of HTTP requests only; for a service use pretty or json")
    return ServiceLog(write, PrettyLines(language, colour=colour, dated=dated))


# What peers sent, made fit to be read

_WIDE_SPACE = "\u3000"  # the space of Chinese text, which str.isprintable does not count as one
_UNREADABLE = "\ufffd"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Return a text for one line of a terminal: what is not printable is written `\n`, `\x1b`, `\u202e`."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable() or character == _WIDE_SPACE:
        return character
    code = ord(character)
    escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _ESCAPES.get(character, escaped)


def text_of(data: bytes, size: int) -> str:
    r"""Return a datagram as text: UTF-8 or GB18030, without the ends of its last line; else its bytes as `\xhh`.

    data: its beginning, of which a last character may be cut. size: how long it was; more than `data` ends in "…".
    """
    is_whole = len(data) >= size
    text = Charset().decode(data, final=is_whole)
    if _UNREADABLE in text:
        text = repr(data)[2:-1]
    return text.rstrip("\r\n") if is_whole else f"{text}…"


# Forms

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "opened": "connected",
        "closed": "closed after {duration}, {received} received, {sent} sent",
        "empty": "(empty)",
        "more": "... and {count} more",
        "comma": ", ",
    },
    "zh": {
        "opened": "已连接",
        "closed": "已断开，历时 {duration}，收到 {received}，发出 {sent}",
        "empty": "（空）",
        "more": "……另有 {count} 条",
        "comma": "，",
    },
}

NOTES: Final[Mapping[str, str]] = {
    "no answer: it would be larger than the request": "未应答：应答会大于请求",
    "no answer: too many to this address": "未应答：发往该地址的应答过多",
    "no answer: the port is another service's": "未应答：对方端口属于另一服务",
    "no answer: it could not be sent": "未应答：无法送出",
    "no answer: the service failed": "未应答：服务出错",
    "dropped: too many at once": "已丢弃：同时处理的过多",
    "dropped: too long": "已丢弃：过长",
    "the service failed": "服务出错",
    "the peer closed the connection": "对方断开了连接",
    "cut off": "已中断",
}
"""Remarks in English, as records carry them, and what a Chinese log says instead; others are shown as they are."""

_DIM, _CAME, _WENT, _NOTE = "2", "36", "32", "33"


class PrettyLines:
    """Lines for a person: time, peer, what happened. `←` is what came, `→` what was answered.

    language: "en" or "zh"; another counts as "en". localtime: tests pass one with a fixed zone. The others: see
    `service_log`.
    """

    def __init__(
        self, language: str, *, colour: bool = False, dated: bool = False, localtime: LocalTime = time.localtime
    ) -> None:
        self._words = _WORDS.get(language, _WORDS["en"])
        self._notes = NOTES if self._words is _WORDS["zh"] else {}
        self._paint: Callable[[str, str], str] = _painted if colour else _plain
        self._dated = dated
        self._localtime = localtime

    def __call__(self, records: Sequence[ServiceRecord]) -> bytes:
        """Return one line for each record."""
        return "".join([self._line(record) for record in records]).encode("utf-8")

    def _line(self, record: ServiceRecord) -> str:
        at = self._localtime(record.time_s)
        stamp = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        if self._dated:
            stamp = f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02} {stamp}"
        stamp = self._paint(_DIM, stamp)
        if isinstance(record, More):
            return f"{stamp}  {self._words['more'].format(count=f'{record.number:,}'.replace(',', ' '))}\n"
        peer = visible(str(record.peer))
        return f"{stamp}  {peer}{' ' * (_PEER_COLUMNS - width(peer))}  {self._said(record)}\n"

    def _said(self, record: Opened | Told | Closed | Datagram) -> str:
        if isinstance(record, Opened):
            return self._words["opened"]
        if isinstance(record, Told):
            return f"{self._paint(_CAME, '←')} {visible(record.text)}"
        if isinstance(record, Closed):
            sizes = {"received": size_text(record.received_bytes), "sent": size_text(record.sent_bytes)}
            said = self._words["closed"].format(duration=duration_text(record.duration_s), **sizes)
            return f"{said}{self._words['comma']}{self._note(record.note)}" if record.note else said
        said = f"{self._paint(_CAME, '←')} {self._shown(record.came, record.came_bytes)}"
        if record.answer is not None:
            said += f"  {self._paint(_WENT, '→')} {self._shown(record.answer, record.answer_bytes)}"
        return f"{said}  {self._note(record.note)}" if record.note else said

    def _shown(self, data: bytes, size: int) -> str:
        return visible(text_of(data, size)) if size else self._words["empty"]

    def _note(self, note: str) -> str:
        return self._paint(_NOTE, visible(self._notes.get(note, note)))


def _painted(colour: str, text: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(colour: str, text: str) -> str:
    return text


class JsonLines:
    """One JSON object a line, in ASCII; `time` is UTC (RFC 3339), `duration` seconds, sizes bytes."""

    def __call__(self, records: Sequence[ServiceRecord]) -> bytes:
        """Return one object for each record."""
        return "".join([json.dumps(_object(record)) + "\n" for record in records]).encode("ascii")


def _object(record: ServiceRecord) -> dict[str, object]:
    at = time.gmtime(record.time_s)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', at)}.{int(record.time_s % 1 * 1000):03}Z"
    found: dict[str, object] = {"time": stamp, "event": type(record).__name__.lower()}
    if isinstance(record, More):
        return found | {"count": record.number}
    found["peer"] = str(record.peer)
    if isinstance(record, Told):
        found["text"] = record.text
    elif isinstance(record, Closed):
        found |= {"received": record.received_bytes, "sent": record.sent_bytes}
        found |= {"duration": round(record.duration_s, 6), "note": record.note}
    elif isinstance(record, Datagram):
        answer = None if record.answer is None else text_of(record.answer, record.answer_bytes)
        found |= {"received": record.came_bytes, "sent": record.answer_bytes}
        found |= {"text": text_of(record.came, record.came_bytes), "answer": answer, "note": record.note}
    return found
