"""The access log: one line for each request, written in batches, safe to read in a terminal.

In: `Record`s, appended by the server while it works. Out: bytes, handed to one `write` call for a whole batch.

    AccessLog.records.append(record)        on the hot path; nothing else happens there
    AccessLog.flush                         about twenty times a second, and once at the end
      -> Apache | Json | Pretty a batch of records becomes bytes
      -> write                              once

Invariant: every text of a Record comes from a peer and may be hostile. No peer can begin a line of its own, move
the cursor, change the reading order or break a quoted string: control bytes, DEL, C1, bidi overrides, quotes and
backslashes leave here escaped. `Apache` writes the forms of Apache's mod_log_config, byte for byte.
"""

import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Generic, NamedTuple, TypeVar

from portico.http.trace import Identity


class Record(NamedTuple):
    """One answered request. The texts are as the peer sent them.

    time_s: when its head was complete, seconds since 1970. peer: its address, without the port.
    method, target: "" or "-" where the head could not be read. version: 10 or 11.
    body_bytes: what was sent after the head. duration_s: from the head's end to the last byte handed over.
    coding: the content coding of the answer, "" for none. note: a word of ours on what went wrong, or "".
    identity: the request's name across machines, where there is one; only `Json` writes it.
    """

    time_s: float
    peer: str
    method: str
    target: str
    version: int
    status: int
    body_bytes: int
    duration_s: float
    coding: str
    referer: str
    user_agent: str
    note: str
    identity: Identity | None = None


Format = Callable[[Sequence[Record]], bytes]
LocalTime = Callable[[float], time.struct_time]


AnyRecord = TypeVar("AnyRecord")


class BatchedLog(Generic[AnyRecord]):
    """A list that the server appends to, and the way from there to a file or a terminal.

    write: takes one batch as bytes. An OSError from it (disk full, reader gone) costs the batch, not the server:
        the lines are counted in `lost`.
    format: turns a batch into bytes.
    """

    def __init__(self, write: Callable[[bytes], object], format: Callable[[Sequence[AnyRecord]], bytes]) -> None:
        self.records: list[AnyRecord] = []
        self.lost = 0
        self._write = write
        self._format = format

    def flush(self) -> None:
        """Format what has gathered and write it at once; nothing happens where nothing has."""
        if not self.records:
            return
        batch = self.records[:]
        self.records.clear()
        try:
            self._write(self._format(batch))
        except OSError:
            self.lost += len(batch)


class AccessLog(BatchedLog[Record]):
    """The log of an HTTP server. format: see `Apache`, `Json`, `Pretty`."""


_NO_METHOD = ("", "-")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_VERSIONS = {10: "HTTP/1.0", 11: "HTTP/1.1"}

# Apache's ap_escape_logitem: the letters C has for control bytes, \xhh for the rest of what is not printable ASCII.
_ESCAPED = {byte: f"\\x{byte:02x}" for byte in (*range(0x20), *range(0x7F, 0x100))}
_ESCAPED |= {8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}


def escape(text: str) -> str:
    r"""Escape hostile text for a log line, as Apache does: `\"`, `\\`, `\n`, `\xe2`.

    text: characters up to U+00FF stand for bytes; others are written as their UTF-8 bytes.
    Returns printable ASCII.
    """
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError:
        octets = text.encode("utf-8", "surrogatepass")
    return octets.decode("latin-1").translate(_ESCAPED)


# A peer stands without quotes, where a space would end its column.
_SPACE = "\\x20"
_REMEMBERED_CHARS = 256
_escape_remembered = lru_cache(1024)(escape)


def _safe(text: str) -> str:
    # Peers, methods, agents and referers repeat; the memo holds at most 1024 of 256 characters, whoever sends them.
    return _escape_remembered(text) if len(text) <= _REMEMBERED_CHARS else escape(text)


class Apache:
    """Apache's log formats: common, `%h %l %u %t "%r" %>s %b`, and combined, which adds the referer and the agent.

    is_combined: which of the two. localtime: how seconds become a calendar time; tests pass one with a fixed zone.
    """

    def __init__(self, is_combined: bool, localtime: LocalTime = time.localtime) -> None:
        self._is_combined = is_combined
        self._localtime = localtime
        self._second = -1
        self._stamp = ""

    def __call__(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record."""
        lines = []
        for time_s, peer, method, target, version, status, body_bytes, _, _, referer, agent, *_ in records:
            if int(time_s) != self._second:
                self._tick(int(time_s))
            if not (target.isascii() and target.isprintable() and '"' not in target and "\\" not in target):
                target = escape(target)
            request = f"{_safe(method)} {target} {_VERSIONS.get(version, 'HTTP/?')}"
            if method in _NO_METHOD:
                request = "-"
            host = _safe(peer).replace(" ", _SPACE) or "-"
            line = f'{host} - - [{self._stamp}] "{request}" {status} {body_bytes or "-"}'
            lines.append(f'{line} "{_safe(referer) or "-"}" "{_safe(agent) or "-"}"' if self._is_combined else line)
        lines.append("")
        return "\n".join(lines).encode("ascii")

    def _tick(self, second: int) -> None:
        self._second = second
        at = self._localtime(second)
        sign, offset = ("-" if at.tm_gmtoff < 0 else "+"), abs(at.tm_gmtoff) // 60
        day = f"{at.tm_mday:02}/{_MONTHS[at.tm_mon]}/{at.tm_year:04}"
        clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        self._stamp = f"{day}:{clock} {sign}{offset // 60:02}{offset % 60:02}"


class Json:
    """One JSON object a line, in ASCII; `time` is UTC (RFC 3339), `duration` seconds."""

    def __init__(self) -> None:
        # Not wanted by any other format, and 3 ms of a start.
        from json.encoder import encode_basestring_ascii

        self._quote = encode_basestring_ascii

    def __call__(self, records: Sequence[Record]) -> bytes:
        """Return one object for each record."""
        return "".join([self._line(record) + "\n" for record in records]).encode("ascii")

    def _line(self, record: Record) -> str:
        quote = self._quote
        at = time.gmtime(record.time_s)
        clock = f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}T{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        names = () if record.identity is None else record.identity._asdict().items()
        texts = "".join(
            f', "{name}": {quote(text)}'
            for name, text in (
                *names,
                ("peer", record.peer),
                ("method", record.method),
                ("target", record.target),
                ("coding", record.coding),
                ("referer", record.referer),
                ("user_agent", record.user_agent),
                ("note", record.note),
            )
        )
        return (
            f'{{"time": "{clock}.{int(record.time_s % 1 * 1000):03}Z", "status": {record.status}, '
            f'"version": {record.version / 10}, "bytes": {record.body_bytes}, '
            f'"duration": {record.duration_s:.6f}{texts}}}'
        )


# Only what lies outside ASCII is decoded for reading: a decoded space or newline could pass for a column or a line.
_ENCODED_TEXT = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f])+")


def _decoded(match: re.Match[str]) -> str:
    encoded = match[0]
    try:
        text = bytes.fromhex(encoded.replace("%", "")).decode()
    except UnicodeDecodeError:
        return encoded
    return text if text.isprintable() else encoded


_MISLEADING = frozenset(' "\\')


def _visible(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable() and character not in ' "':
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def readable(target: str) -> str:
    r"""Return a request target for people: UTF-8 in it decoded, everything that could deceive escaped.

    `/%E4%BD%A0` becomes `/你`; `%20` and `%0A` stay as they are; a raw control character, quote, space, backslash
    or bidi override becomes `\xhh` or `\uhhhh`. The result is printable and has no white space.
    """
    text = _ENCODED_TEXT.sub(_decoded, target) if "%" in target else target
    if text.isascii() and text.isprintable() and not _MISLEADING.intersection(text):
        return text
    return "".join(map(_visible, text))


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes; an East Asian wide character takes two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


_UNITS = ("B", "KB", "MB", "GB", "TB")


def size_text(size: int) -> str:
    """Return a number of bytes for people: `999 B`, `3.1 KB`, `18 MB` (1 KB is 1024 bytes)."""
    amount = float(size)
    power = 0
    while round(amount) >= 1000 and power < len(_UNITS) - 1:
        amount /= 1024
        power += 1
    return f"{amount:.1f} {_UNITS[power]}" if amount < 9.95 and power else f"{amount:.0f} {_UNITS[power]}"


def duration_text(seconds: float) -> str:
    """Return a duration for a log line: `0.4 ms`, `12 ms`, `1.2 s`, `75 s`."""
    milliseconds = seconds * 1000
    if milliseconds < 999.5:
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def is_loopback(peer: str) -> bool:
    """Say whether a peer is this machine itself; the pretty log does not name such a peer."""
    return peer in ("", "::1", "localhost", "unix") or peer.startswith(("127.", "::ffff:127."))


_STATUS_COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}
_PATH_COLUMNS = 32


class Pretty:
    """Lines for a person: time, status, method, path, size, coding, duration, peer unless it is this machine.

    Lines that differ only in time and duration are folded: `x14` is how often, time and duration are the last one's.
    Within one batch that always happens; on a terminal the line already there is rewritten as well, provided that it
    is still the last one (`interrupt` tells that it is not) and takes no more than one row.

    colour: ANSI colours. columns: the width of the terminal, asked anew for every batch; None where there is no
    terminal, and then nothing is ever rewritten. dated: the date before the time, for a file that is read next week.
    """

    def __init__(
        self,
        *,
        colour: bool = False,
        columns: Callable[[], int] | None = None,
        dated: bool = False,
        localtime: LocalTime = time.localtime,
    ) -> None:
        self._colour = colour
        self._columns = columns
        self._dated = dated
        self._localtime = localtime
        self._last: tuple[object, ...] | None = None
        self._count = 0
        self._width = 0

    def interrupt(self) -> None:
        """Take note that something else was written: the line before is no longer ours to rewrite."""
        self._last = None

    def __call__(self, records: Sequence[Record]) -> bytes:
        """Return the lines of one batch."""
        pieces = []
        columns = self._columns() if self._columns else 0
        for key, group in groupby(records, _sameness):
            run = list(group)
            is_rewriting = key == self._last and self._width < columns
            count = self._count + len(run) if is_rewriting else len(run)
            line = self._line(run[-1], count)
            if is_rewriting:
                pieces.append("\x1b[A\x1b[2K")
            pieces.append(self._painted(run[-1], line) + "\n")
            self._last, self._count, self._width = key, count, width(line)
        return "".join(pieces).encode("utf-8")

    def _line(self, record: Record, count: int) -> str:
        at = self._localtime(record.time_s)
        stamp = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        if self._dated:
            stamp = f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02} {stamp}"
        path = readable(record.target) or "-"
        padding = " " * (_PATH_COLUMNS - width(path))
        size = size_text(record.body_bytes) if record.body_bytes else "–"
        line = f"{stamp}  {record.status}  {readable(record.method) or '-':<4} {path}{padding} {size:>7} "
        line += f"{readable(record.coding):<4} {duration_text(record.duration_s):>7}"
        if not is_loopback(record.peer):
            line += f"  {readable(record.peer)}"
        if record.note:
            line += f"  {' '.join(map(readable, record.note.split()))}"
        return f"{line}  x{count}" if count > 1 else line

    def _painted(self, record: Record, line: str) -> str:
        if not self._colour:
            return line
        stamp, status, rest = line.partition(f"  {record.status}  ")
        return f"\x1b[2m{stamp}\x1b[0m\x1b[{_STATUS_COLOURS.get(record.status // 100, '0')}m{status}\x1b[0m{rest}"


def _sameness(record: Record) -> tuple[object, ...]:
    return record[1:7] + record[8:9] + record[11:12]
