"""HTTP/1.1 on the wire, sans-IO: `ServerCodec` and `ClientCodec` (RFC 9112).

In: bytes from the peer (`feed`, `feed_eof`), messages to send (`send_*`). Out: events, and bytes (`outgoing`).

Both handle one exchange at a time. A server codec that has delivered a whole request parses nothing more until its
answer is complete; bytes that came early (pipelining) wait in `buffered`, and `feed(b"")` goes on with them.
Invariant: once `closing` is set, no further event is produced and nothing more may be sent.
"""

import re
from collections.abc import Iterable, Sequence

from portico.errors import PeerError, UsageError, excerpt
from portico.http.message import Request
from portico.http.status import forbids_body
from portico.settings import Limits
from portico.wire.answer import CHUNKED, AnswerHead, Persistence, WholeAnswer, status_line
from portico.wire.body import BodyReader, BodyWriter, ChunkedReader, CloseReader, LengthReader
from portico.wire.events import ENDED, Event, HeadReceived, InputEnded, PeerFaulted, StatusHead, StatusReceived
from portico.wire.fields import field_lines, merge_values, parse_field_line
from portico.wire.head import MAX_HEAD, HeadMemo, parse_request, parse_request_line, recall_request

_EMPTY_LINES = re.compile(rb"\A(?:\r\n)+")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_TOKEN_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]|\r?\Z")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_TARGET = re.compile(r"[\x21-\x7e]+")
_REQUEST_LINE_EXTRA = 80  # a method of 64 bytes, two spaces, the version
_UNBOUNDED = 1 << 60
_LF_ENDED = re.compile(rb"[^\r\n]*+\n")
_VERSION_START = b"HTTP/1."
_MAX_INTERIM = 32  # a server that says 102 every few seconds stays below it, one that says it for ever does not
_new = tuple.__new__


class ServerCodec:
    """The server's side of one connection.

    request: the one being received or answered, None between exchanges.
    reader: reads the rest of that request's body; None once it has all been received.
    buffered: bytes received behind it, or the beginning of the next head.
    is_last: the connection closes after the answer under way; set it to drain.
    closing: the connection must be closed once `outgoing` is written.
    fault: why an application's answer did not fit its own head, "" if it did.
    """

    __slots__ = (
        "_is_deaf",
        "_is_half_closed",
        "_limits",
        "_memo",
        "_out",
        "_scanned",
        "_writer",
        "buffered",
        "closing",
        "fault",
        "is_last",
        "reader",
        "request",
    )

    def __init__(self, limits: Limits, memo: HeadMemo) -> None:
        self._limits = limits
        self._memo = memo
        self._out: list[bytes | memoryview] = []
        self.reader: LengthReader | ChunkedReader | None = None
        self._writer: BodyWriter | None = None
        self._scanned = 0
        self._is_deaf = False  # nothing is understood any more: the input has ended, or was refused
        self._is_half_closed = False
        self.buffered = b""
        self.request: Request | None = None
        self.is_last = False
        self.closing = False
        self.fault = ""

    def feed(self, data: bytes) -> Sequence[Event]:
        """Take bytes from the peer and return what they mean, in order.

        data: any number of bytes; empty to go on with what is buffered.
        """
        if self._is_deaf:
            return ()
        is_next = self.request is None and not self.buffered
        if is_next and len(data) <= MAX_HEAD:
            known = self._memo.heads.get(data)
            if known is not None:
                self.request = known[0].request
                return known
        events: list[Event] = []
        try:
            if is_next and len(data) > MAX_HEAD:
                self.request = recall_request(data, self._limits, self._memo)
                if self.request is not None:
                    # As HeadReceived(...), whose generated __new__ takes three times as long.
                    return (_new(HeadReceived, (self.request,)), ENDED)
            self._feed(self.buffered + data, events)
        except PeerError as fault:
            self._refuse(fault, events)
        if self._is_half_closed:
            self._end_input(events)
        return events

    def feed_eof(self) -> Sequence[Event]:
        """Say that the peer has closed its side; what it asked before is still answered.

        Requests that wait behind the current one delay InputEnded: `feed(b"")` returns it with the last of them.
        """
        events: list[Event] = []
        self._is_half_closed = True
        self._end_input(events)
        return events

    def _end_input(self, events: list[Event]) -> None:
        if self._is_deaf:
            return
        if self.reader is None and not self.buffered.strip(b"\r\n"):
            self.is_last = self._is_deaf = True
            events.append(InputEnded())
        elif self.reader is not None or self.request is None:
            self._refuse(PeerError(400, "the connection ended in the middle of a request"), events)

    def _refuse(self, fault: PeerError, events: list[Event]) -> None:
        self.buffered = b""
        self.is_last = self._is_deaf = True
        events.append(PeerFaulted(fault.status, str(fault)))

    def _feed(self, data: bytes, events: list[Event]) -> None:
        self.buffered = b""
        rest: bytes | None = data
        if self.request is None:
            rest = self._feed_head(data, events)
        if rest is not None and self.reader is not None:
            rest = self.reader.feed(rest, events)
            if rest is not None:
                self.reader = None
        if rest is not None:
            self.buffered = rest

    def _feed_head(self, data: bytes, events: list[Event]) -> bytes | None:
        """Parse a head off `data`; return what follows, or None while it is incomplete."""
        # RFC 9112 2.2: empty lines before a request line are ignored, some clients end a POST with one.
        if data[:2] == b"\r\n":
            data = _EMPTY_LINES.sub(b"", data, count=1)
            self._scanned = 0
        end = data.find(b"\r\n\r\n", self._scanned) + 4
        if end < 4:
            self._check_partial(data)
            self.buffered = data
            return None
        self._scanned = 0
        if end > self._limits.max_head:
            self._check_partial(data[: self._limits.max_head])
            raise PeerError(431, f"a request head of {end} bytes; at most {self._limits.max_head} are accepted here")
        known = self._memo.heads.get(data[:end]) if end <= MAX_HEAD else None
        if known is not None:
            self.request = known[0].request
            events.extend(known)
            return data[end:]
        limits = self._limits
        self.request = request = parse_request(data[: end - 4], limits, self._memo)
        length = request.body_length
        if length != 0:
            events.append(HeadReceived(request))
            self.reader = LengthReader(length) if length else ChunkedReader(limits.max_body, limits.max_head)
        elif request.is_secret or end > MAX_HEAD:
            events += (HeadReceived(request), ENDED)
        else:
            events.extend(self._memo.remember(data[:end], request))
        return data[end:]

    def _check_partial(self, data: bytes) -> None:
        """Refuse early what cannot become a head any more, so that nobody waits for a deadline in vain."""
        limits = self._limits
        if _TOKEN_START.match(data) is None:
            raise PeerError(400, f"{excerpt(data)} does not begin an HTTP request")
        if _BARE_LF.search(data, self._scanned):
            raise PeerError(400, "a bare LF in a request head; lines end with CRLF")
        line_end = data.find(b"\r\n")
        if line_end < 0 and len(data) > limits.max_url + _REQUEST_LINE_EXTRA:
            raise PeerError(414, f"a request line longer than a URL of {limits.max_url} bytes allows")
        if len(data) > limits.max_head:
            raise PeerError(431, f"a request head of over {limits.max_head} bytes")
        if line_end >= self._scanned:
            parse_request_line(data[:line_end], limits)
        self._scanned = max(len(data) - 3, 0)

    def send_continue(self) -> None:
        """Tell a client that waits with its body to send it (RFC 9110 15.2.1)."""
        self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send_informational(self, status: int, fields: Iterable[tuple[str, str]]) -> None:
        """Send an interim response, such as 103; left out for HTTP/1.0, which knows none."""
        if not 100 < status < 200 or status == 101:
            raise UsageError(f"{status} is not an informational status that may be sent (102 to 199)")
        if self.request is not None and self.request.version == 11:
            self._out.append(status_line(status) + field_lines(fields) + b"\r\n")

    def _persistence(self) -> int:
        request = self.request
        if request is None or self.is_last or self.reader is not None or not request.keep_alive:
            self.is_last = True
            return Persistence.CLOSE
        return Persistence.SILENT if request.version == 11 else Persistence.KEEP

    def send_answer(self, answer: WholeAnswer, date_line: bytes) -> None:
        """Answer the current request, or a refused one, completely.

        date_line: `Date: ...` with its CRLF; the same object for as long as it says the same.
        """
        kind = self._persistence()
        request = self.request
        if request is not None and request.method == "HEAD":
            kind += 3
        date, data = answer.rendered[kind]
        self._out.append(data if date is date_line else answer.render(date_line, kind))
        self.request = None
        self.closing = self._is_deaf = self.is_last

    def send_reply(self, head: AnswerHead, body: bytes, date_line: bytes) -> int:
        """Answer the current request completely, once. The body is left out where there must be none.

        Returns how much of it was sent.

        A body that is longer than the head says is cut; behind one that is shorter the connection closes. `fault`
        says so.
        """
        request = self.request
        framing = b""
        self.fault = ""
        if head.is_last:
            self.is_last = True
        if request is not None and request.method == "HEAD":
            if head.length is None and body and head.has_body:
                framing = b"Content-Length: %d\r\n" % len(body)
            body = b""
        elif not head.has_body:
            body = b""
        elif head.length is None:
            framing = b"Content-Length: %d\r\n" % len(body)
        elif head.length != len(body):
            writer = BodyWriter(head.length, is_chunked=False)
            body = b"".join(writer.write(body)) + writer.end(())
            self.fault = writer.fault
            self.is_last = True
        self._out.append(head.render(date_line, self._persistence(), framing=framing, body=body))
        self.request = None
        self.closing = self._is_deaf = self.is_last
        return len(body)

    def send_head(self, head: AnswerHead, date_line: bytes) -> None:
        """Begin an answer that `send_body` and `send_end` complete.

        A body of unknown length goes in chunks, or, to HTTP/1.0, until the connection closes.
        """
        request = self.request
        has_body = head.has_body and (request is None or request.method != "HEAD")
        is_chunked = head.length is None and request is not None and request.version == 11
        if head.is_last or (head.length is None and has_body and not is_chunked):
            self.is_last = True
        framing = CHUNKED if is_chunked and head.has_body else b""
        self._out.append(head.render(date_line, self._persistence(), framing=framing))
        self._writer = BodyWriter(head.length, is_chunked=is_chunked) if has_body else None
        self.fault = ""

    def send_switch(self, head: bytes) -> bytes:
        """Answer with a 101 that is written already (RFC 9110 15.2.2). Returns what came behind the request."""
        self._out.append(head)
        self.request = None
        self._is_deaf = True
        rest, self.buffered = self.buffered, b""
        return rest

    def send_body(self, data: bytes | memoryview) -> None:
        """Send a piece of the body; nothing where the answer may not have one (HEAD, 204, 304)."""
        if self._writer is not None:
            self._out += self._writer.write(data)
            self.fault = self._writer.fault

    def skip_body(self, count: int) -> None:
        """Account for `count` bytes of a body of known length that the caller has sent by other means (sendfile)."""
        if self._writer is not None:
            self._writer.skip(count)

    def send_end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """Complete the answer; one that is shorter than its length closes the connection."""
        if self._writer is not None:
            end = self._writer.end(trailers)
            if end:
                self._out.append(end)
            self.fault = self._writer.fault
            self.is_last = self.is_last or bool(self.fault)
            self._writer = None
        self.request = None
        self.closing = self._is_deaf = self.is_last

    def outgoing(self) -> list[bytes | memoryview]:
        """Hand over what must be written now, in order."""
        out = self._out
        self._out = []
        return out


class ClientCodec:
    """The client's side of one connection: send a request, then feed the response.

    heads: the bytes of each response head since the last request, interim ones among them.
    closing: the connection cannot be used again.
    """

    __slots__ = ("_buffer", "_is_last", "_left", "_limits", "_method", "_out", "_reader", "_writer", "closing", "heads")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self.heads: list[bytes] = []
        self._left = 0  # of a body of known length, what has not been fed
        self._is_last = False  # the response under way said that the connection closes behind it
        self._method = ""  # of the request whose response is awaited
        self._out: list[bytes | memoryview] = []
        self._reader: BodyReader | None = None
        self._writer = BodyWriter(0, is_chunked=False)
        self.closing = False

    def send_request(self, method: str, target: str, fields: Iterable[tuple[str, str]], length: int | None) -> None:
        """Send a request head. length: of its body; 0 for none, None for chunks.

        Raises UsageError for what may not be sent, and when the connection is not ready for another request.
        """
        if self._method or self.closing:
            raise UsageError("a connection carries one exchange at a time, and none once it is closing")
        if _METHOD.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
            raise UsageError(f"{excerpt(f'{method} {target}')} is not a request line")
        framing = b"Transfer-Encoding: chunked\r\n" if length is None else b""
        if length or (length == 0 and method in ("POST", "PUT", "PATCH")):  # RFC 9110 8.6
            framing = b"Content-Length: %d\r\n" % length
        self._out.append(f"{method} {target} HTTP/1.1\r\n".encode("ascii") + field_lines(fields) + framing + b"\r\n")
        self._writer = BodyWriter(length, is_chunked=length is None)
        self._method = method
        self.heads = []

    def send_body(self, data: bytes | memoryview) -> None:
        """Send a piece of the request's body."""
        self._out += self._writer.write(data)

    def send_end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """Complete the request. Raises UsageError when the body was not as long as announced."""
        end = self._writer.end(trailers)
        if end:
            self._out.append(end)
        if self._writer.fault:
            self.closing = True
            raise UsageError(self._writer.fault)

    def outgoing(self) -> list[bytes | memoryview]:
        """Hand over what must be written now, in order."""
        out = self._out
        self._out = []
        return out

    def feed(self, data: bytes) -> Sequence[Event]:
        """Take bytes from the server and return what they mean, in order."""
        events: list[Event] = []
        try:
            if not self.closing:
                self._feed(self._buffer + data, events)
        except PeerError as fault:
            self.closing = True
            events.append(PeerFaulted(fault.status, str(fault)))
        return events

    def feed_eof(self) -> Sequence[Event]:
        """Say that the server has closed its side."""
        events: list[Event] = []
        if self.closing:
            return events
        self.closing = True
        try:
            if self._reader is not None:
                self._reader.feed_eof(events)
            elif self._method or self._buffer:
                raise PeerError(502, "the connection ended before the response was complete")
            else:
                events.append(InputEnded())
        except PeerError as fault:
            events.append(PeerFaulted(fault.status, str(fault)))
        return events

    def _feed(self, data: bytes, events: list[Event]) -> None:
        self._buffer = b""
        while data and not self.closing:
            if self._reader is None:
                # RFC 9112 9.2: never take for an answer what came before the question.
                if not self._method:
                    raise PeerError(502, "a response that no request asked for")
                end_mark = b"\n\n" if _LF_ENDED.match(data) else b"\r\n\r\n"
                end = data.find(end_mark)
                if max(end, len(data) if end < 0 else 0) > self._limits.max_head:
                    raise PeerError(502, f"a response head of over {self._limits.max_head} bytes")
                if not data.startswith(_VERSION_START[: len(data)]):
                    raise PeerError(502, f"{excerpt(data)} does not begin an HTTP response")
                if end < 0:
                    self._buffer = data
                    return
                behind = end + len(end_mark)
                self.heads.append(data[:behind])
                self._feed_head(data[:end], events)
                data = data[behind:]
            if self._reader is not None:
                rest = self._reader.feed(data, events)
                if rest is None:
                    self._left -= len(data)
                    return
                self._end_response()
                data = rest

    def take_body(self) -> int:
        """Leave what is still to come of a body to the caller, who reads it from the connection past this codec.

        Returns how many bytes that is: exactly as many must be read before anything else is fed or sent. 0, and
        nothing is taken, where there is no body under way or its length is not known.
        """
        left = self._left if isinstance(self._reader, LengthReader) else 0
        if left:
            self._end_response()
        return left

    def _end_response(self) -> None:
        self._reader = None
        self._method = ""
        self.closing = self._is_last

    def _feed_head(self, data: bytes, events: list[Event]) -> None:
        head = parse_status_head(data, self._method, self._limits)
        events.append(StatusReceived(head))
        if head.status < 200:
            if len(self.heads) > _MAX_INTERIM:
                raise PeerError(502, f"over {_MAX_INTERIM} interim responses, 1xx, without a final one")
            return
        self._is_last = not head.keep_alive
        if head.body_length == 0:
            events.append(ENDED)
            self._end_response()
        elif head.body_length is not None:
            self._left = head.body_length
            self._reader = LengthReader(head.body_length)
        elif "transfer-encoding" in head.values:
            self._reader = ChunkedReader(_UNBOUNDED, self._limits.max_head)
        else:
            self._reader = CloseReader()


def parse_status_head(data: bytes, method: str, limits: Limits) -> StatusHead:
    """Parse a response head.

    data: everything before the empty line; where its first line ends with a bare LF, all of them have to.
    method: of the request it answers.
    Raises PeerError(502) and what `parse_field_line` raises.
    """
    # RFC 9112 2.2: a recipient may take a bare LF for the end of a line, and servers written by hand rely on it.
    lines = data.split(b"\n" if _LF_ENDED.match(data) else b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise PeerError(502, f"{excerpt(lines[0])} is not a status line: HTTP/1.1 200 OK")
    if len(lines) > limits.max_fields + 1:
        raise PeerError(502, f"over {limits.max_fields} header fields in a response")
    fields = tuple(map(parse_field_line, lines[1:]))
    values = merge_values(fields)
    status = int(match[2])
    version = 11 if match[1] == b"1" else 10
    options = {option.strip(" \t") for option in values.get("connection", "").lower().split(",")}
    keep_alive = "close" not in options and (version == 11 or "keep-alive" in options)
    # RFC 9112 6.3 item 2: what follows a CONNECT that succeeded is a tunnel, whatever the fields say.
    is_tunnel = method == "CONNECT" and 200 <= status < 300
    length = 0 if is_tunnel else _response_length(status, method, values)
    is_chunked = "transfer-encoding" in values
    # RFC 9112 6.1: an HTTP/1.0 message with a Transfer-Encoding is framed by someone who does not know what that means.
    is_delimited = length is not None or is_chunked
    keep_alive = keep_alive and is_delimited and not (version == 10 and is_chunked)
    reason = (match[3] or b"").decode("latin-1")
    return StatusHead(status, reason, version, fields, values, length, keep_alive)


def _response_length(status: int, method: str, values: dict[str, str]) -> int | None:
    """Tell a response body's length, None where only the body tells (RFC 9112 6.3)."""
    length = values.get("content-length")
    if "transfer-encoding" in values:
        if length is not None:
            raise PeerError(502, "Content-Length beside Transfer-Encoding")
        return 0 if method == "HEAD" or forbids_body(status) else None
    if method == "HEAD" or forbids_body(status):
        return 0
    return None if length is None else int(length)
