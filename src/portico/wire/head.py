"""Request heads: bytes to `Request` (RFC 9112 sections 2, 3 and 6), with a memory for what repeats.

In: a head without its final CRLF CRLF; out: a Request, or PeerError with the status the peer deserves.

    recall_request   everything but the first line and Cookie is remembered
    parse_request -> parse_request_line, then HeadMemo.parse_block -> parse_block -> HeadMemo.parse_line

What one client sends repeats: all lines but the first and the Cookie, as a rule. `HeadMemo` therefore keeps whole
heads, field blocks (the lines below the first, without Cookie) and single lines. It is bounded in entries and in
size, a part of it that is full is emptied, and Cookie, Authorization and Proxy-Authorization are never kept.
Parsing gives the same requests with it and without it.
"""

import re
from typing import Final, NamedTuple

from portico.errors import PeerError, excerpt
from portico.http.message import Field, Request
from portico.settings import Limits
from portico.wire.events import ENDED, HeadReceived, MessageEnded
from portico.wire.fields import is_authority, merge_values, parse_cookie, parse_field_line

# method SP request-target SP HTTP-version. Bytes from 0x80 in a target are not a URI, but what curl and others send
# for a name typed in Chinese; they are passed on as they are.
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_TARGET = re.compile(r"[!-~\x80-\xff]+")
_METHODS = {name.encode(): name for name in "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT".split()}
_VERSIONS = {b"HTTP/1.1": 11, b"HTTP/1.0": 10}
_OTHER_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
_COOKIE = b"\r\nCookie: "
_SECRET = frozenset(("cookie", "authorization", "proxy-authorization"))

_MAX_LINES, _MAX_LINE = 4096, 512
_MAX_BLOCKS, _MAX_BLOCK = 1024, 2048
_MAX_HEADS = 1024
# Larger heads come from browsers, which put something new into each; for those the memo of blocks is what helps.
MAX_HEAD: Final = 512

MemoisedEvents = tuple[HeadReceived, MessageEnded]


class Block(NamedTuple):
    """What the field lines of a head say, whatever its request line is.

    fields, values, cookie, body_length, expects_continue: as in Request. authority: the Host, "" without one.
    keep_alive: Connection does not say close. asks_to_keep_alive: it says keep-alive.
    is_secret: it has lines that must not be remembered.
    """

    fields: tuple[Field, ...]
    values: dict[str, str]
    cookie: str
    authority: str
    body_length: int | None
    keep_alive: bool
    asks_to_keep_alive: bool
    expects_continue: bool
    is_secret: bool


class HeadMemo:
    """What has been parsed before: at most 1024 heads, 1024 blocks and 4096 lines; some 6 MiB when all is full."""

    __slots__ = ("blocks", "heads", "lines")

    def __init__(self) -> None:
        self.lines: dict[bytes, Field] = {}
        self.blocks: dict[bytes, Block] = {}
        self.heads: dict[bytes, MemoisedEvents] = {}

    def parse_line(self, line: bytes) -> Field:
        """Parse a field line that is not remembered, and remember it if it may be."""
        field = parse_field_line(line)
        if len(line) <= _MAX_LINE and field.name not in _SECRET:
            if len(self.lines) >= _MAX_LINES:
                self.lines.clear()
            self.lines[line] = field
        return field

    def parse_block(self, data: bytes, limits: Limits) -> Block:
        """Parse a block that is not remembered, and remember it if it may be."""
        block = parse_block(data, limits, self)
        if len(data) <= _MAX_BLOCK and not block.is_secret:
            if len(self.blocks) >= _MAX_BLOCKS:
                self.blocks.clear()
            self.blocks[data] = block
        return block

    def remember(self, head: bytes, request: Request) -> MemoisedEvents:
        """Return the events of a request that ends with its head, remembered under its exact bytes if it may be.

        One with a body is never remembered: its head alone is not the whole of it.
        """
        events = (HeadReceived(request), ENDED)
        if request.body_length == 0 and not request.is_secret and len(head) <= MAX_HEAD:
            if len(self.heads) >= _MAX_HEADS:
                self.heads.clear()
            self.heads[head] = events
        return events


def parse_request(head: bytes, limits: Limits, memo: HeadMemo) -> Request:
    """Parse a request head.

    head: everything before the empty line, without its CRLF CRLF.
    Raises PeerError: 400, 413, 414, 417, 431, 501 or 505.
    """
    line_end = head.find(b"\r\n")
    if line_end < 0:
        line_end = len(head)
    request = parse_request_line(head[:line_end], limits)
    # The last Cookie line, spelt as everybody spells it, is set aside so that the rest can be found in the memo.
    start = head.rfind(_COOKIE, line_end)
    if start < 0:
        rest = head[line_end + 2 :]
        block = memo.blocks.get(rest) or memo.parse_block(rest, limits)
        request.cookie = block.cookie
        request.is_secret = block.is_secret
    else:
        end = head.find(b"\r\n", start + 2)
        rest = head[line_end + 2 : start]
        if end >= 0:
            rest = rest + head[end:] if rest else head[end + 2 :]
        block = memo.blocks.get(rest) or memo.parse_block(rest, limits)
        request.cookie = parse_cookie(head[start + 9 : end] if end >= 0 else head[start + 9 :])
        request.is_secret = True
        if block.cookie:  # of several Cookie lines the order counts (RFC 9110 5.3)
            request.cookie = memo.parse_block(head[line_end + 2 :], limits).cookie
        if len(block.fields) >= limits.max_fields:
            raise PeerError(
                431, f"{len(block.fields) + 1} header fields; at most {limits.max_fields} are accepted here"
            )
    return _complete(request, block)


def recall_request(data: bytes, limits: Limits, memo: HeadMemo) -> Request | None:
    """Parse what looks like exactly one head without a body, if all of it but line and Cookie is remembered.

    data: with its final CRLF CRLF. Returns None for anything else, which `parse_request` then decides. No search for an
    earlier end is needed: a block that is remembered has no empty line. Raises PeerError like `parse_request`.
    """
    if data[-4:] != b"\r\n\r\n" or len(data) > limits.max_head:
        return None
    head, mark, tail = data.partition(_COOKIE)
    line, _, lines = head.partition(b"\r\n")
    end = tail.find(b"\r\n") if mark else 0
    # A second Cookie line is in `lines` then, which is therefore not remembered.
    block = memo.blocks.get(lines + tail[end:-4] if mark else lines[:-4])
    if block is None or block.body_length != 0 or len(block.fields) >= limits.max_fields:
        return None
    request = parse_request_line(line, limits)
    request.is_secret = bool(mark)
    request.cookie = parse_cookie(tail[:end]) if mark else ""
    return _complete(request, block)


def _complete(request: Request, block: Block) -> Request:
    """Add what the fields say; HTTP/1.0 and 1.1 treat some of it differently."""
    request.fields = block.fields
    request.values = block.values
    request.body_length = block.body_length
    if request.version == 11:
        # RFC 9112 3.2: exactly one Host; an absolute-form target overrides it (3.2.2).
        if not block.authority:
            raise PeerError(400, "an HTTP/1.1 request needs a Host field")
        request.keep_alive = block.keep_alive
        request.expects_continue = block.expects_continue
    else:
        # No chunks (RFC 9112 6.1), persistence only on demand (C.2.2).
        if block.body_length is None:
            raise PeerError(400, "Transfer-Encoding in an HTTP/1.0 request")
        request.keep_alive = block.keep_alive and block.asks_to_keep_alive
        request.expects_continue = False
    request.authority = request.authority or block.authority
    return request


def parse_request_line(line: bytes, limits: Limits) -> Request:
    """Parse a request line into a Request that still lacks everything the fields tell."""
    parts = line.split(b" ")
    version = _VERSIONS.get(parts[-1])
    if len(parts) != 3 or version is None:
        raise _request_line_fault(line, parts)
    method, target = parts[0], parts[1].decode("latin-1")
    name = _METHODS.get(method)
    if name is None:
        if _METHOD.fullmatch(method) is None:
            raise _request_line_fault(line, parts)
        name = method.decode("ascii")
    if len(target) > limits.max_url:
        raise PeerError(414, f"a URL of {len(target)} bytes; at most {limits.max_url} are accepted here")
    # isprintable is the fast answer; it says no to some bytes from 0x80, so the exact one is asked then.
    if not target or "#" in target or not (target.isprintable() or _TARGET.fullmatch(target)):
        raise PeerError(400, f"{excerpt(target)} is not a request target: /path or http://host/path")
    request = Request()
    request.remembered = None
    request.version = version
    request.method = name
    request.target = target
    request.authority = ""
    if target[0] == "/" and name != "CONNECT":
        request.path, mark, query = target.partition("?")
        request.query = query if mark else None
    else:
        _set_other_form(request)
    return request


def _request_line_fault(line: bytes, parts: list[bytes]) -> PeerError:
    if len(parts) == 3 and parts[2] not in _VERSIONS and _OTHER_VERSION.fullmatch(parts[2]):
        return PeerError(505, f"{parts[2].decode()} is not spoken here; HTTP/1.1 is")
    return PeerError(400, f"{excerpt(line)} is not a request line: METHOD /path HTTP/1.1")


def _set_other_form(request: Request) -> None:
    """Read a target that is not in origin-form (RFC 9112 3.2.2 to 3.2.4)."""
    target = request.target
    request.authority = ""
    request.query = None
    absolute = _ABSOLUTE.fullmatch(target)
    if request.method == "CONNECT":
        request.path = ""
        request.authority = target
        # RFC 9110 9.3.6: without a default port, an empty or missing one is an error.
        if not is_authority(target) or not target.rpartition("]")[2].partition(":")[2]:
            raise PeerError(400, f"CONNECT wants host:port, not {excerpt(target)}")
    elif target == "*" and request.method == "OPTIONS":
        request.path = "*"
    elif absolute is not None and is_authority(absolute[1]):
        request.authority = absolute[1]
        request.path, mark, query = absolute[2].partition("?")
        request.path = request.path or "/"
        request.query = query if mark else None
    else:
        raise PeerError(400, f"{excerpt(target)} is not a request target: /path or http://host/path")


def parse_block(data: bytes, limits: Limits, memo: HeadMemo) -> Block:
    """Parse the field lines of a head.

    data: lines separated by CRLF, b"" for none.
    Raises PeerError: 400, 413, 417, 431 or 501.
    """
    lines = data.split(b"\r\n") if data else []
    if len(lines) > limits.max_fields:
        raise PeerError(431, f"{len(lines)} header fields; at most {limits.max_fields} are accepted here")
    fields = tuple(memo.lines.get(line) or memo.parse_line(line) for line in lines)
    values = merge_values(fields)
    cookie = values.pop("cookie", None)
    body_length = _body_length(values, limits)
    options = [option.strip(" \t") for option in values.get("connection", "").lower().split(",")]
    expect = values.get("expect", "")
    if expect and expect.lower() != "100-continue":
        raise PeerError(417, f"Expect {excerpt(expect)}: only 100-continue is known")
    return Block(
        fields if cookie is None else tuple(field for field in fields if field.name != "cookie"),
        values,
        cookie or "",
        values.get("host", ""),
        body_length,
        "close" not in options,
        "keep-alive" in options,
        bool(expect) and body_length != 0,
        cookie is not None or not _SECRET.isdisjoint(values),
    )


def _body_length(values: dict[str, str], limits: Limits) -> int | None:
    """Decide how the body is framed (RFC 9112 6.3)."""
    text = values.get("content-length")
    if "transfer-encoding" in values:
        if text is not None:
            raise PeerError(400, "Content-Length beside Transfer-Encoding")
        return None
    length = int(text or 0)
    if length > limits.max_body:
        raise PeerError(413, f"a body of {length} bytes; at most {limits.max_body} are accepted here")
    return length
