"""Which request this is, across machines: X-Request-Id, and traceparent (W3C Trace Context, section 3.2).

In: field values, and randomness as an argument. Out: ids that are safe to log and to send, and a request that
carries its id.

A traceparent is believed whoever sends it, because the application's own tracing does so too: the log then names
the same trace. A request id is believed from a trusted proxy alone; anybody else could give two requests one id.
"""

import re
from typing import Final, NamedTuple

from portico.http.message import Field, Request

REQUEST_ID: Final = "x-request-id"
# What proxies are seen to write: hex, UUIDs, base64, `Root=1-67891233-abcdef012345678912345678`.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=@~-]{0,127}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_INVALID_VERSION: Final = "ff"
_FIRST_VERSION: Final = "00"
_NO_TRACE, _NO_PARENT = "0" * 32, "0" * 16


class TraceParent(NamedTuple):
    """Where a request belongs. trace_id: 32 hex digits. parent_id: 16, the caller's span. is_sampled: recorded."""

    trace_id: str
    parent_id: str
    is_sampled: bool


class Identity(NamedTuple):
    """What names a request in the log. trace_id, parent_id: "" where it belongs to no trace."""

    request_id: str
    trace_id: str
    parent_id: str


def parse_traceparent(value: str) -> TraceParent | None:
    """Read a traceparent, None for one that must be ignored.

    Versions after 00 may append fields, which are ignored (section 3.2.4). Several of them joined by commas are none.
    """
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == _INVALID_VERSION or (version == _FIRST_VERSION and more is not None):
        return None
    if trace_id == _NO_TRACE or parent_id == _NO_PARENT:
        return None
    return TraceParent(trace_id, parent_id, bool(int(flags, 16) & 1))


def is_request_id(text: str) -> bool:
    """Say whether the text may be an id: at most 128 letters, digits and `._:+/=@~-`, the first a letter or a digit."""
    return _REQUEST_ID.fullmatch(text) is not None


def identify(request: Request, random_128: int, *, is_trusted: bool) -> Identity:
    """Name a request.

    random_128: 128 random bits, which become the id (32 hex digits) where none is given, or none that counts.
    is_trusted: it comes from a proxy that we believe.
    """
    values = request.values
    given = values.get(REQUEST_ID, "") if is_trusted else ""
    request_id = given if is_request_id(given) else f"{random_128:032x}"
    trace = parse_traceparent(values["traceparent"]) if "traceparent" in values else None
    return Identity(request_id, trace.trace_id, trace.parent_id) if trace else Identity(request_id, "", "")


def with_request_id(request: Request, request_id: str) -> Request:
    """Return a request that carries this id and no other, for the application to see; the given one is left alone."""
    if request.values.get(REQUEST_ID) == request_id:
        return request
    own = Field(REQUEST_ID, request_id, (REQUEST_ID.encode(), request_id.encode()), "HTTP_X_REQUEST_ID")
    named = Request()
    for slot in Request.__slots__:
        setattr(named, slot, getattr(request, slot))
    named.fields = (*(field for field in request.fields if field.name != REQUEST_ID), own)
    named.values = {**request.values, REQUEST_ID: request_id}
    named.remembered = None
    return named
