"""Conditional requests: has the peer got it already, may it be changed (RFC 9110 section 13).

In: the method, the request's field values, what is known of the current representation, the time.
Out: 304, 412, or None to go on. Evaluate where the answer without conditions would be 2xx (13.2.1), after access
checks and before the body of the request is acted on.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from portico.http.dates import parse_date

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_BLANKS = " \t"
# 13.2.1: methods that neither select nor modify a representation.
_UNCONDITIONAL = frozenset(("CONNECT", "OPTIONS", "TRACE"))
_READING = frozenset(("GET", "HEAD"))


class EntityTag(NamedTuple):
    """One entity tag (8.8.3). opaque: without its quotes. is_weak: it came as `W/"..."`."""

    opaque: str
    is_weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.is_weak else f'"{self.opaque}"'

    def matches_strongly(self, other: "EntityTag") -> bool:
        """Say whether both are strong and the same (8.8.3.2)."""
        return not self.is_weak and not other.is_weak and self.opaque == other.opaque

    def matches_weakly(self, other: "EntityTag") -> bool:
        """Say whether both are the same, weak or not (8.8.3.2)."""
        return self.opaque == other.opaque


class Validators(NamedTuple):
    """What is known of the current representation.

    entity_tag: of the form that would be sent (a compressed form has its own); None where there is none.
    modified_s: Last-Modified, whole seconds since 1970; None where unknown.
    """

    entity_tag: EntityTag | None
    modified_s: int | None


def parse_entity_tags(value: str) -> tuple[EntityTag, ...] | None:
    """Read the value of If-Match or If-None-Match.

    Returns the tags in the order sent; None for `*`; () where any part is malformed, so that a field that
    cannot be read matches nothing.
    """
    if value.strip(_BLANKS) == "*":
        return None
    tags: list[EntityTag] = []
    position = 0
    is_separated = True
    # Not split_list: in an entity tag a comma is an ordinary character and a backslash escapes nothing.
    while position < len(value):
        character = value[position]
        if character in " \t,":
            is_separated = is_separated or character == ","
            position += 1
            continue
        match = _TAG.match(value, position)
        if match is None or not is_separated:
            return ()
        tags.append(EntityTag(match[2], match[1] is not None))
        position = match.end()
        is_separated = False
    return tuple(tags)


def evaluate(method: str, values: Mapping[str, str], *, validators: Validators | None, now_s: int) -> int | None:
    """Apply the preconditions of a request in the order of 13.2.2.

    method: as sent. values: lower-case field name to value. validators: of the current representation, None
    where there is none yet (an upload to a new name). now_s: the present.
    Returns 304 (not modified), 412 (precondition failed), or None to perform the method.
    """
    if method in _UNCONDITIONAL:
        return None
    if not _may_change(values, validators, now_s):
        return 412
    is_reading = method in _READING
    if_none_match = values.get("if-none-match")
    if if_none_match is not None:
        if not _is_held(if_none_match, validators):
            return None
        return 304 if is_reading else 412
    if not is_reading or validators is None or validators.modified_s is None:
        return None
    since_s = parse_date(values.get("if-modified-since", ""), now_s)
    return 304 if since_s is not None and validators.modified_s <= since_s else None


def _may_change(values: Mapping[str, str], validators: Validators | None, now_s: int) -> bool:
    """Steps 1 and 2: If-Match, and only without it If-Unmodified-Since."""
    if_match = values.get("if-match")
    if if_match is not None:
        if validators is None:
            return False
        tags = parse_entity_tags(if_match)
        current = validators.entity_tag
        return tags is None or (current is not None and any(map(current.matches_strongly, tags)))
    if validators is None or validators.modified_s is None:
        # 13.1.4: ignored where no modification date is available.
        return True
    since_s = parse_date(values.get("if-unmodified-since", ""), now_s)
    return since_s is None or validators.modified_s <= since_s


def _is_held(if_none_match: str, validators: Validators | None) -> bool:
    """Step 3, turned round: the field names the current representation, by weak comparison or by `*`."""
    if validators is None:
        return False
    tags = parse_entity_tags(if_none_match)
    current = validators.entity_tag
    return tags is None or (current is not None and any(map(current.matches_weakly, tags)))


def allows_range(if_range: str | None, validators: Validators, *, now_s: int) -> bool:
    """Say whether the Range field of a request may be applied (13.1.5).

    if_range: the value of If-Range, None where absent, which allows it. validators: of the current
    representation. An entity tag must match strongly. A date must be exactly the modification date, and that
    must be at least one second past: what was changed within this second may change again in it (8.8.2.2).
    Anything malformed does not allow it, so that the whole representation is sent.
    """
    if if_range is None:
        return True
    match = _TAG.fullmatch(if_range)
    if match is not None:
        current = validators.entity_tag
        return current is not None and current.matches_strongly(EntityTag(match[2], match[1] is not None))
    modified_s = validators.modified_s
    return modified_s is not None and modified_s < now_s and parse_date(if_range, now_s) == modified_s
