"""Content negotiation: which of the forms we have suits the peer best (RFC 9110 section 12.5, RFC 4647).

In: the value of an Accept field, None where absent, and what is available, best first. Out: the choice. Ties go
to the server's order; whatever cannot be read counts as not sent.
"""

from collections.abc import Sequence

from portico.http.fields import parse_parameters, parse_weighted

# Below the least weight that can be sent (0.001): acceptable, but named by nobody.
_UNNAMED = 0.0005
# RFC 5646 4.4.1 finds no reason for more than 35 characters.
_LONGEST_LANGUAGE = 64
_ENCODING_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}


def choose_encoding(accept_encoding: str | None, available: Sequence[str]) -> str:
    """Choose a content coding (12.5.3).

    accept_encoding: the field value; None is `identity`, which every client reads.
    available: lower-case codings we can send beside identity, best first.
    Returns one of them; "identity" where none suits better; "" where even identity is refused
    (`identity;q=0`, or `*;q=0` without an identity).
    """
    if accept_encoding is None:
        return "identity"
    weights: dict[str, float] = {}
    for name, weight in parse_weighted(accept_encoding):
        coding = name.lower()
        weights.setdefault(_ENCODING_ALIASES.get(coding, coding), weight)
    others = weights.get("*", 0.0)
    identity = weights.get("identity", weights.get("*", _UNNAMED))
    best = max(available, key=lambda coding: weights.get(coding, others), default="identity")
    best_weight = weights.get(best, others)
    if best_weight > 0 and best_weight >= identity:
        return best
    return "identity" if identity > 0 else ""


def choose_language(accept_language: str | None, available: Sequence[str], *, default: str) -> str:
    """Choose a language by lookup (12.5.4, RFC 4647 section 3.4).

    accept_language: the field value, None where absent. available: language tags we have.
    default: what to answer where none matches.
    Each range is tried in the order of its weight, then without its last subtags one by one: `zh-Hans-CN`,
    `zh-CN` and `zh-TW` all find `zh`. `*` finds the default.
    """
    if accept_language is None:
        return default
    weighted = sorted(parse_weighted(accept_language), key=lambda pair: -pair[1])
    refused = {name.lower() for name, weight in weighted if weight == 0}
    ours = {tag.lower(): tag for tag in available if tag.lower() not in refused}
    for name, weight in weighted:
        if weight == 0 or name == "*":
            break
        for candidate in _lookup_order(name.lower()):
            if candidate in ours:
                return ours[candidate]
    return default


def _lookup_order(tag: str) -> list[str]:
    """List a tag and its truncations; one that would end in a single-character subtag is skipped."""
    if len(tag) > _LONGEST_LANGUAGE:
        return []
    subtags = tag.split("-")
    ends = range(len(subtags), 0, -1)
    return ["-".join(subtags[:end]) for end in ends if len(subtags[end - 1]) > 1]


def choose_media_type(accept: str | None, available: Sequence[str]) -> str | None:
    """Choose a media type (12.5.1).

    accept: the field value; None, empty or unreadable accepts anything.
    available: media types we can send, parameters allowed, best first.
    Returns one of them as given; None where all are refused (or none is available). For each the most specific
    range counts: `text/html;level=1` before `text/html` before `text/*` before `*/*`.
    """
    ranges = [(*_normalise(element), weight) for element, weight in parse_weighted(accept or "")]
    if not ranges:
        return available[0] if available else None
    weights = {candidate: _weight(candidate, ranges) for candidate in available}
    best = max(available, key=weights.__getitem__, default=None)
    return best if best is not None and weights[best] > 0 else None


def _normalise(media_type: str) -> tuple[str, frozenset[tuple[str, str]]]:
    name, parameters = parse_parameters(media_type)
    return name.lower(), frozenset((key, text.lower()) for key, text in parameters.items())


def _weight(candidate: str, ranges: Sequence[tuple[str, frozenset[tuple[str, str]], float]]) -> float:
    name, parameters = _normalise(candidate)
    precedence = {"*/*": 0, f"{name.partition('/')[0]}/*": 1, name: 2}
    matching = [
        (precedence[wanted], len(needed), weight)
        for wanted, needed, weight in ranges
        if wanted in precedence and needed <= parameters
    ]
    return max(matching)[2] if matching else 0.0
