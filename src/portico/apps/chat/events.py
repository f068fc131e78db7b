"""The vocabulary of the log: what can happen in a conversation, and what its body may hold.

In: JSON values from a peer. Out: an `Entry`, checked, whose body is JSON text of a known shape; or a `Rejected`, which
says in one word for a program, and in one line for a person, why not.

    msg     {"text": ...} and perhaps {"files": [id, ...]}; ref: the message it replies to
    edit    {"text": ...}; ref: the message
    del     {}; ref: the message, whose body is emptied
    react   {"mark": ..., "on": bool}; ref: the message
    join, leave, title, state, assign, transfer, rating, note      made by the server alone
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from portico.errors import Refused, excerpt

MAX_TEXT: Final = 8_192  # characters
MAX_FILES: Final = 10
MAX_MARK: Final = 16
MAX_CID: Final = 64

Body = dict[str, Any]


class Rejected(Refused):
    """What a peer asked for is not done.

    code: a word for programs, see frames.CODES. retry_s: when it may be asked again, None for never.
    """

    def __init__(self, code: str, message: str, *, retry_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_s = retry_s


class Entry(NamedTuple):
    """An event that is to be appended. ref: the seq of the event it is about. cid: its sender's own name for it."""

    conversation: int
    sender: int
    kind: str
    body: str
    ref: int | None = None
    cid: str | None = None
    via: str = "ws"


class Event(NamedTuple):
    """An event as the log has it. seq: its place, from 1. at_ms: since 1970. body: JSON text, "{}" for none."""

    conversation: int
    seq: int
    at_ms: int
    sender: int
    kind: str
    body: str
    ref: int | None
    cid: str | None
    via: str

    @property
    def text(self) -> str:
        """Return the text of the body, "" where it has none."""
        return str(json.loads(self.body).get("text", ""))


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def dump(body: Mapping[str, Any]) -> str:
    """Write a body as it is stored: one form for equal values."""
    return _ENCODER.encode(body)


def check_text(value: object) -> str:
    """Return a text that may be stored. Raises Rejected for what is none, is empty or too long."""
    if not isinstance(value, str):
        raise Rejected("bad_body", "a message has a text")
    text = value.strip("\n\r\0 \t")
    if len(text) > MAX_TEXT:
        raise Rejected("too_big", f"the text has {len(text)} characters; {MAX_TEXT} are allowed")
    if "\0" in text or not _is_encodable(text):
        raise Rejected("bad_body", "the text has characters that are none")
    return text


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        return False
    return True


def _message(body: Mapping[str, Any]) -> Body:
    text, files = check_text(body.get("text", "")), body.get("files", [])
    if not isinstance(files, list) or len(files) > MAX_FILES or not all(_is_id(number) for number in files):
        raise Rejected("bad_body", f"files is a list of at most {MAX_FILES} numbers")
    if not text and not files:
        raise Rejected("empty", "there is nothing in the message")
    return {"text": text, **({"files": files} if files else {})}


def _edit(body: Mapping[str, Any]) -> Body:
    text = check_text(body.get("text", ""))
    if not text:
        raise Rejected("empty", "there is nothing in the message; delete it instead")
    return {"text": text}


def _reaction(body: Mapping[str, Any]) -> Body:
    mark, is_on = body.get("mark"), body.get("on", True)
    if not isinstance(mark, str) or not 0 < len(mark) <= MAX_MARK or not mark.isprintable() or mark.isspace():
        raise Rejected("bad_body", f"a mark has 1 to {MAX_MARK} printable characters")
    return {"mark": mark, "on": bool(is_on)}


# What peers may append: each kind, whether it is about another event, and how its body is checked.
_CHECKS: Final[dict[str, tuple[bool, Callable[[Mapping[str, Any]], Body]]]] = {
    "msg": (False, _message),
    "edit": (True, _edit),
    "del": (True, lambda body: {}),
    "react": (True, _reaction),
}


class Claim(NamedTuple):
    """What a peer wants to append, before anybody has looked whether it may."""

    conversation: int
    kind: str
    body: object
    ref: object = None
    cid: object = None


def check(claim: Claim, sender: int, via: str) -> Entry:
    """Turn what a peer wants into an Entry. Raises Rejected; whether the sender may is the log's business."""
    needs_ref, clean = _CHECKS.get(claim.kind, (False, None))
    if clean is None:
        raise Rejected("unknown_kind", f"{excerpt(claim.kind)} is nothing that can be sent")
    if not isinstance(claim.body, dict):
        raise Rejected("bad_body", "the body is an object")
    if (claim.ref is not None or needs_ref) and not _is_id(claim.ref):
        raise Rejected("bad_ref", "the event that it is about is a number from 1")
    if claim.cid is not None and not _is_cid(claim.cid):
        raise Rejected("bad_cid", f"an id of your own has 1 to {MAX_CID} printable ASCII characters")
    body = dump(clean(claim.body))
    return Entry(claim.conversation, sender, claim.kind, body, claim.ref, claim.cid, via)  # type: ignore[arg-type]


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53


def _is_cid(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_CID and value.isascii() and value.isprintable()
